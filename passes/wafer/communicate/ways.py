"""Ways between layouts as a plan asks for them: all the time, and of most it only has to know that they are dear."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from ....wse_target.instructions import Dtype
from ....wse_target.layout.tensor_layout import TensorLayout
from ....wse_target.machine import Machine
from .bounds import Bounds
from .movement import Movement, fastest, movements, problem
from .search import Onward
from .steps import Prices, Step, price
from .texts import Texts
from .tiles import stripped

Question = tuple[TensorLayout, TensorLayout, Dtype]


@dataclass(frozen=True)
class Ways:
    """Ways on one machine, each looked for once.

    Attributes:
        brief: whether program text is scarce: a byte of it counts as a cycle.
    """

    machine: Machine
    brief: bool = False
    _prices: Prices = field(default_factory=dict, repr=False)
    _texts: Texts = field(default_factory=dict, repr=False)
    _found: dict[Question, list[Movement]] = field(default_factory=dict, repr=False)
    _fastest: dict[Question, Movement | None] = field(default_factory=dict, repr=False)
    _least: dict[Question, float] = field(default_factory=dict, repr=False)
    _bounds: dict[Dtype, Bounds] = field(default_factory=dict, repr=False)
    _onward: dict[tuple[TensorLayout, Dtype], Onward] = field(default_factory=dict, repr=False)

    @property
    def _scarce(self) -> Texts | None:
        return self._texts if self.brief else None

    def between(self, source: TensorLayout, target: TensorLayout, dtype: Dtype) -> list[Movement]:
        """See `movements`."""
        question = (source, target, dtype)
        if question not in self._found:
            self._found[question] = movements(
                source, target, dtype, self.machine, self._prices,
                texts=self._scarce, onward=self._towards(target, dtype),
            )  # fmt: skip
        return self._found[question]

    def fastest(self, source: TensorLayout, target: TensorLayout, dtype: Dtype) -> Movement | None:
        """The first one of `between`; None where there is no way."""
        question = (source, target, dtype)
        if question not in self._fastest:
            self._fastest[question] = fastest(
                source, target, dtype, self.machine, self._prices,
                texts=self._scarce, onward=self._towards(target, dtype),
            )  # fmt: skip
        return self._fastest[question]

    def _towards(self, target: TensorLayout, dtype: Dtype) -> Onward:
        """What is known of steps towards a target, whose halos count as held."""
        return self._onward.setdefault((stripped(target), dtype), {})

    def price(self, step: Step, dtype: Dtype) -> float:
        """Predicted cycles of a single step, infinity where it cannot be done."""
        return price(step, dtype, self.machine, self._prices)

    def at_least(self, source: TensorLayout, target: TensorLayout, dtype: Dtype) -> float:
        """What no way costs less than, without looking for one; infinity where there is known to be none."""
        question = (source, target, dtype)
        if question in self._fastest:
            known = self._fastest[question]
            return known.cost if known else math.inf
        if question not in self._least:
            bounds = self._bounds.setdefault(dtype, Bounds(self.machine, dtype))
            self._least[question] = math.inf if problem(source, target) else bounds.between(source, target)
        return self._least[question]


_remembered: ContextVar[list[Ways] | None] = ContextVar("ways", default=None)


@contextmanager
def remembered_ways() -> Iterator[None]:
    """Within it, plans know what those before them found: what does not fit is planned again with less memory."""
    token = _remembered.set([])
    try:
        yield
    finally:
        _remembered.reset(token)


def ways_on(machine: Machine, *, brief: bool) -> Ways:
    """Ways on a machine, those that are remembered if any are; where text is scarce they have prices in common only."""
    known = _remembered.get()
    alike = [ways for ways in known or () if ways.machine == machine]
    found = next((ways for ways in alike if ways.brief == brief), None)
    if found is None:
        found = Ways(machine, brief, alike[0]._prices) if alike else Ways(machine, brief)
        if known is not None:
            known.append(found)
    return found
