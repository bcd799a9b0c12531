"""Finds a straight line whose floors are positions within given bounds: `(p * l + q) floordiv r`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from .....dialects.host import ir
from .....wse_target.elementary import Array

_MOST_STEPS = 4  # by which a line is kept within bounds
_HALVINGS = 60  # of an interval of slopes
_MULTIPLES = 16  # of a slope's terms, to place the line finely enough


@dataclass(frozen=True)
class SamplingLine:
    """The position `(slope * l + offset) floordiv divisor` of each point l, kept within bounds.

    Attributes:
        count: how many points there are.
        below / above: points from which on the position is no longer one too small, and from which on it is one more
            too large; as often as it is out of bounds by one more.
    """

    slope: int
    offset: int
    divisor: int
    count: int
    below: tuple[int, ...] = ()
    above: tuple[int, ...] = ()

    @property
    def is_stretch(self) -> bool:
        """Whether neighbouring points are at neighbouring positions."""
        return self.slope == self.divisor and not self.below and not self.above

    def positions(self) -> Array:
        points = np.arange(self.count)
        result = (self.slope * points + self.offset) // self.divisor
        for step in (*self.below, *self.above):
            result = result - (points >= step)
        return result + len(self.below)

    def expression(self, point: ir.AffineExpr, shift: int) -> ir.AffineExpr:
        """The position of a point, moved by `shift`."""
        moved = ir.AffineExpr.get_add(ir.AffineExpr.get_mul(point, self.slope), self.offset)
        result = ir.AffineExpr.get_floor_div(moved, self.divisor)
        for step in (*self.below, *self.above):
            beyond = ir.AffineExpr.get_floor_div(ir.AffineExpr.get_add(point, self.count - step), self.count)
            result = ir.AffineExpr.get_add(result, ir.AffineExpr.get_mul(beyond, -1))
        return ir.AffineExpr.get_add(result, shift + len(self.below))

    def clamped(self, most: int) -> SamplingLine:
        """The same line, positions below 0 and above `most` moved there; it must not fall."""
        positions = self.positions()
        below = [int((positions < -k).sum()) for k in range(max(0, -int(positions.min())))]
        above = [int((positions <= most + k).sum()) for k in range(max(0, int(positions.max()) - most))]
        return replace(self, below=tuple(below), above=tuple(above))


def find_positions(least: Array, most: Array, last: int) -> SamplingLine | None:
    """A line with `least[l] <= position <= most[l]` that stays in [0, last]; None when there is none.

    Bounds must allow a position that is moved into [0, last]. A line that stays there by itself is preferred.
    """
    line = find_line(np.maximum(least, 0), np.minimum(most, last))
    if line is not None:
        return line
    line = find_line(least, most)
    if line is None or line.slope < 0:
        return None
    clamped = line.clamped(last)
    return clamped if len(clamped.below) + len(clamped.above) <= _MOST_STEPS else None


def find_line(least: Array, most: Array) -> SamplingLine | None:
    """A line with `least[l] <= position <= most[l]` at every point l, its terms small; None when there is none.

    How far bounds leave room for a line of some slope is a concave function of the slope: its greatest value is found
    by bisection, and so is the interval of slopes around it, whose simplest fraction is taken.
    """
    if len(least) == 0 or bool((least > most).any()):
        return None
    points = np.arange(len(least), dtype=np.float64)

    def room(slope: float) -> float:
        return float((most + 1 - slope * points).min() - (least - slope * points).max())

    steepest = float(most.max() - least.min() + 1)
    low, high = -steepest, steepest
    for _ in range(_HALVINGS):
        third = (high - low) / 3
        if room(low + third) < room(high - third):
            low += third
        else:
            high -= third
    best = (low + high) / 2
    if room(best) <= 1e-9:
        return None
    lowest, highest = _edge(room, best, -steepest), _edge(room, best, steepest)
    return _placed(_simplest(Fraction(lowest), Fraction(highest)), least, most)


def _edge(room: Any, inside: float, outside: float) -> float:
    """The slope farthest towards `outside` that leaves room."""
    if room(outside) > 0:
        return outside
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if room(middle) > 1e-9 else (inside, middle)
    return inside


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    """The fraction of the smallest denominator in [low, high]."""
    whole = -(-low.numerator // low.denominator)
    if whole <= high:
        return Fraction(0) if low <= 0 <= high else Fraction(whole)
    floor = low.numerator // low.denominator
    return floor + 1 / _simplest(1 / (high - floor), 1 / (low - floor))


def _placed(slope: Fraction, least: Array, most: Array) -> SamplingLine | None:
    points = np.arange(len(least))
    for multiple in range(1, _MULTIPLES + 1):
        p, r = slope.numerator * multiple, slope.denominator * multiple
        lowest = int((least * r - p * points).max())
        highest = int((most * r + r - 1 - p * points).min())
        if lowest <= highest:
            offset = 0 if lowest <= 0 <= highest else lowest
            if p == r:
                return SamplingLine(1, offset // r, 1, len(least))
            return SamplingLine(p, offset, r, len(least))
    return None
