"""Ways between layouts as a plan asks for them: all the time, and of most it only has to know that they are dear."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ....wse_target.image import DTYPE_BYTES, Dtype
from ....wse_target.layout.tensor_layout import TensorLayout
from ....wse_target.machine import Machine
from ....wse_target.sim.cost import WAVELET_BYTES
from .movement import Movement, movements
from .steps import Prices, Step, price

Question = tuple[TensorLayout, TensorLayout, Dtype]


@dataclass(frozen=True)
class Ways:
    """Ways on one machine, each looked for once."""

    machine: Machine
    _prices: Prices = field(default_factory=dict, repr=False)
    _found: dict[Question, list[Movement]] = field(default_factory=dict, repr=False)

    def between(self, source: TensorLayout, target: TensorLayout, dtype: Dtype) -> list[Movement]:
        """See `movements`."""
        question = (source, target, dtype)
        if question not in self._found:
            self._found[question] = movements(source, target, dtype, self.machine, self._prices)
        return self._found[question]

    def price(self, step: Step, dtype: Dtype) -> float:
        """Predicted cycles of a single step, infinity where it cannot be done."""
        return price(step, dtype, self.machine, self._prices)

    def at_least(self, source: TensorLayout, target: TensorLayout, dtype: Dtype) -> float:
        """Cycles that no way takes less than, without looking for one.

        What a PE wants beyond what it can have already comes over its ramp, word by word.
        """
        if source == target:
            return 0.0
        known = self._found.get((source, target, dtype))
        if known is not None:
            return known[0].cycles if known else math.inf
        missing = max(0, target.elements - source.elements) * DTYPE_BYTES[dtype]
        return missing / WAVELET_BYTES * self.machine.fabric.cycles_per_wavelet
