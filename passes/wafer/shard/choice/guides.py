"""What a plan for one grid says of others: which options do the same there, so that plans need not look at all."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from .....wse_target.layout.tensor_layout import TensorLayout
from ..nodes import Option

Axes = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Guide:
    """Options that a plan chose, by operation, in words that hold for meshes of any extent.

    Attributes:
        loops: what the operation's loops are split over; None for what has none, or is the library's.
        kinds: all of an option but numbers.
    """

    loops: tuple[Axes | None, ...]
    kinds: tuple[Hashable, ...]

    @staticmethod
    def of(chosen: Sequence[Option]) -> Guide:
        """What a plan chose."""
        return Guide(tuple(split(o.loops) for o in chosen), tuple(map(kind_of, chosen)))

    def picks(self, at: int, options: Sequence[Option]) -> list[Option]:
        """Those of an operation's options that do what the plan does; all where none does."""
        return [o for o in options if kind_of(o) == self.kinds[at]] or list(options)


def split(loops: TensorLayout | None) -> Axes | None:
    """The sub-axes that each loop is split over."""
    return None if loops is None else tuple(dim.axes for dim in loops.dims)


def kind_of(option: Option) -> Hashable:
    """An option without its numbers."""
    needs = tuple(None if layout is None else _places(layout) for layout in option.needs)
    reductions = tuple((r.result, r.axis) for r in option.reductions)
    algorithm = option.algorithm.partition("{")[0]
    return algorithm, split(option.loops), needs, tuple(map(_places, option.gives)), reductions


def _places(layout: TensorLayout) -> Hashable:
    return tuple((dim.axes, dim.is_plain) for dim in layout.dims), tuple(p.axes for p in layout.partial)
