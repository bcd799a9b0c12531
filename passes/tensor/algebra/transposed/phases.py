"""Which elements of a filter meet elements of a spread image, and not the zeros between them.

Position o of the result reads positions o + dilation * k of the image, of which those hold an element that are `low`
plus a multiple of `step`. For the positions o = step * q + r of one phase r these are always the same k.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd


@dataclass(frozen=True)
class Window:
    """One dimension of a convolution over a spread image.

    Attributes:
        size: of the result; taps: of the filter; dilation: image positions between those that neighbouring taps read.
        low / step: where in the image elements lie.
        image / output / tap: the image's dimension, and the operation's iterators.
    """

    size: int
    taps: int
    dilation: int
    low: int
    step: int
    image: int
    output: int
    tap: int

    def phases(self) -> list[OutputPhase]:
        """The parts that the result falls into: one where all phases have as many taps, else one for each phase."""
        single = [self._phase(r) for r in range(min(self.step, self.size))]
        if self.dilation == 1 and self.taps % self.step == 0 and self.size % self.step == 0:
            elements = [p.first_element for p in single]
            apart = max(elements) - min(elements)
            return [
                OutputPhase(
                    0, self.step, 0, single[0].taps, self.step, min(elements), single[0].size, 1, apart
                )
            ]
        return single

    def _phase(self, r: int) -> OutputPhase:
        taps = [k for k in range(self.taps) if (r + self.dilation * k - self.low) % self.step == 0]
        first = taps[0] if taps else 0
        element = (r + self.dilation * first - self.low) // self.step
        shared = gcd(self.dilation, self.step)
        size = -(-(self.size - r) // self.step)
        return OutputPhase(
            r, 1, first, len(taps), self.step // shared, element, size, self.dilation // shared
        )


@dataclass(frozen=True)
class OutputPhase:
    """Positions r, r + step, ... of the result, or all of them, told apart by an iterator of their own.

    Attributes:
        offset: r; count: how many phases this stands for.
        first_tap / taps / tap_step: the filter's elements that are used.
        first_element: of the source, that the first tap reads for position 0; the least one of several phases.
        size: positions of each phase.
        dilation: elements of the source between those that neighbouring taps read.
        apart: how much later some of several phases begin to read.
    """

    offset: int
    count: int
    first_tap: int
    taps: int
    tap_step: int
    first_element: int
    size: int
    dilation: int
    apart: int = 0

    @property
    def is_joint(self) -> bool:
        """Whether it stands for several phases."""
        return self.count > 1

    @property
    def elements(self) -> int:
        """How many elements of the source, from the first one on, are read."""
        return self.size + self.dilation * (self.taps - 1) + self.apart
