"""Where the indices of one tensor dimension are: digits, each bound to sub-axes of a mesh, to time, or local."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from ..quasi_affine import Expr, Var, const, maximum, minimum

_MOST_PIECES = 4096  # that are compared one by one


@dataclass(frozen=True)
class Digit:
    """One digit of an index: it counts pieces of `pitch` indices of what the digit before it leaves.

    Attributes:
        axes: sub-axes whose coordinates tell which piece a PE holds; of several, their sum modulo the extent does, as
            skewed blocks want it. None of them: a PE holds all pieces, one behind the other.
        rotates: the time is added, too: in each step a PE holds the piece that follows.
    """

    extent: int
    pitch: int
    axes: tuple[str, ...] = ()
    rotates: bool = False

    @property
    def is_local(self) -> bool:
        return not self.axes and not self.rotates

    def scaled(self, factor: int) -> Digit:
        """The same pieces of `factor` times as many indices."""
        return replace(self, pitch=self.pitch * factor)


@dataclass(frozen=True)
class Dimension:
    """A tensor dimension of `size` indices.

    The indices `low` to `high` are cut by the digits, outermost first: a digit's k-th piece are the indices from
    k * pitch on within the piece of the digit before, the last one shorter where they do not divide it, and empty
    beyond. What the innermost digit leaves is local. Of that, `before` indices in front and `after` behind come on top:
    a halo, which neighbours hold as well. Only indices 0 to `size` exist.

    Windows make pitch and halo: indices that blocks of 4 outputs of a convolution of 3 with stride 2 read are pieces
    of pitch 8, one index before them and none behind.

    Attributes:
        low / high: first index that is cut, and one past the last; beside 0 and `size` after a slice or a window.
        before / after: may be negative: not all of a piece is held.
    """

    size: int
    digits: tuple[Digit, ...]
    low: int
    high: int
    before: int = 0
    after: int = 0

    def __hash__(self) -> int:
        """Kept: plans look layouts up all the time."""
        found = self.__dict__.get("_hash")
        if found is None:
            found = hash((self.size, self.digits, self.low, self.high, self.before, self.after))
            object.__setattr__(self, "_hash", found)
        return found

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Dimension) or hash(self) != hash(other):
            return False
        mine, theirs = (
            (self.size, self.digits, self.low, self.high),
            (other.size, other.digits, other.low, other.high),
        )
        return mine == theirs and (self.before, self.after) == (other.before, other.after)

    @staticmethod
    @lru_cache(maxsize=1 << 12)
    def whole(size: int) -> Dimension:
        """All indices on every PE."""
        return Dimension(size, (), 0, size)

    @staticmethod
    def blocks(size: int, axis: str, extent: int) -> Dimension:
        """Blocks of ceil(size / extent) indices along a sub-axis."""
        return Dimension.split(size, [(axis, extent)])

    @staticmethod
    def split(size: int, along: Sequence[tuple[str, int]]) -> Dimension:
        """Blocks of ceil(size / PEs) indices over sub-axes, outermost first, each given with its extent."""
        return _split(size, tuple(along))

    @cached_property
    def is_plain(self) -> bool:
        """Whether exactly the indices that exist are cut, without a halo."""
        return (self.low, self.high, self.before, self.after) == (0, self.size, 0, 0)

    @property
    def is_whole(self) -> bool:
        return self.is_plain and not self.digits

    @property
    def has_all(self) -> bool:
        """Whether PEs hold all of its indices between them."""
        ends = self.low <= self.before and self.high + self.after >= self.size
        return ends and self.before + self.after >= 0

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """The sub-axes that its digits are bound to."""
        return tuple(name for digit in self.digits for name in digit.axes)

    @cached_property
    def pieces(self) -> tuple[int, ...]:
        """Extents of the local digits: how many pieces, each of at most `room` indices, a PE holds."""
        return tuple(digit.extent for digit in self.digits if digit.is_local)

    @cached_property
    def room(self) -> int:
        """Indices of the longest piece that any PE holds."""
        block = self.high - self.low
        for digit in self.digits:
            block = min(block, digit.pitch)
        return max(0, min(block + self.before + self.after, self.size))

    def span(self, value_of: Callable[[Digit], Expr]) -> tuple[Expr, Expr]:
        """First index and number of indices of a piece; no more than 0 where nothing is held.

        Args:
            value_of: which piece of a digit.
        """
        start: Expr = const(self.low)
        counts: list[Expr] = [const(self.high - self.low)]  # the least of them is how many
        parent, is_even = self.high - self.low, True
        for digit in self.digits:
            offset = value_of(digit) * digit.pitch
            start = start + offset
            is_even = is_even and digit.extent * digit.pitch == parent
            left = [] if is_even else [count - offset for count in counts]
            counts = [const(digit.pitch), *left]
            parent = digit.pitch
        if not self.before and not self.after and self.low >= 0 and self.high <= self.size:
            return start, _least(counts)
        first = start - self.before
        if self.low < self.before:
            first = maximum(first, 0)
        ends = [start + count + self.after - first for count in counts]
        if first == start - self.before:
            ends = [count + (self.before + self.after) for count in counts]
        if self.high + self.after > self.size:
            ends.append(const(self.size) - first)
        held = _least(ends)
        if self._shortest() > 0:
            return first, held
        return first, held * minimum(1, maximum(_least(counts), 0))  # an empty piece has no halo either

    def _shortest(self) -> int:
        """Indices of the shortest piece, halo not counted."""
        shortest = self.high - self.low
        for digit in self.digits:
            last = shortest - (digit.extent - 1) * digit.pitch
            shortest = max(0, min(last, digit.pitch))
        return shortest

    def problem(self) -> str:
        """Why this is no layout of a dimension, in words; "" if it is."""
        block = self.high - self.low
        if self.size < 0 or block < 0:
            return f"indices {self.low} to {self.high} of {self.size}"
        for digit in self.digits:
            if digit.extent < 1 or digit.pitch < 1:
                return f"a digit of {digit.extent} pieces of {digit.pitch}"
            if digit.extent * digit.pitch < block:
                return f"{digit.extent} pieces of {digit.pitch} leave some of {block} indices out"
            block = min(block, digit.pitch)
        bound = self.axes
        return f"one sub-axis is bound twice: {' '.join(bound)}" if len(set(bound)) < len(bound) else ""

    def simplified(self) -> Dimension:
        """The same without digits of one piece and innermost local ones; local ones beside each other are one."""
        digits: list[Digit] = []
        block = self.high - self.low
        for digit in self.digits:
            if digit.pitch >= block and (digit.is_local or (digit.extent == 1 and not digit.rotates)):
                continue
            last = digits[-1] if digits else None
            if (
                digit.is_local
                and last is not None
                and last.is_local
                and last.pitch == digit.extent * digit.pitch
            ):
                digits[-1] = Digit(last.extent * digit.extent, digit.pitch)
            else:
                digits.append(digit)
            block = min(block, digit.pitch)
        has_halo = self.before or self.after
        while digits and digits[-1].is_local and not has_halo:
            digits.pop()
        return replace(self, digits=tuple(digits))

    def local_positions(self) -> Iterator[tuple[int, ...]]:
        """All combinations of values of the local digits, in the order in which pieces lie in memory."""
        yield from _counted(self.pieces)


@lru_cache(maxsize=1 << 14)
def _split(size: int, along: tuple[tuple[str, int], ...]) -> Dimension:
    """One object for all that are equal, which makes them quick to compare."""
    pitch = max(1, -(-size // math.prod(extent for _, extent in along)))
    digits: list[Digit] = []
    for name, extent in reversed(along):
        digits.insert(0, Digit(extent, pitch, (name,)))
        pitch *= extent
    return Dimension(size, tuple(digits), 0, size)


def _least(counts: Sequence[Expr]) -> Expr:
    """The minimum of some numbers, the first one outermost."""
    found = counts[-1]
    for count in reversed(counts[:-1]):
        found = minimum(count, found)
    return found


@lru_cache(maxsize=65536)
def centred(dim: Dimension) -> Dimension:
    """The same pieces, told as those of all indices with a halo if that can be: 0..10 halo 1,1 for -1..9 halo 0,2."""
    if not dim.digits or (dim.low, dim.high) == (0, dim.size):
        return dim
    found = replace(dim, low=0, high=dim.size, before=dim.before - dim.low, after=dim.after + dim.low)
    pieces = math.prod(digit.extent for digit in dim.digits)
    if found.problem() or pieces > _MOST_PIECES:
        return dim
    names = {digit: Var(f"piece{k}") for k, digit in enumerate(dim.digits)}
    at = np.indices([digit.extent for digit in dim.digits])
    values = {var.name: numbers for var, numbers in zip(names.values(), at, strict=True)}
    (start, count), (begin, held) = (
        [np.broadcast_to(e.evaluate(values), at.shape[1:]) for e in d.span(lambda digit: names[digit])]
        for d in (dim, found)
    )
    same = (np.maximum(count, 0) == np.maximum(held, 0)) & ((start == begin) | (count <= 0))
    return found if same.all() else dim


def _counted(extents: Sequence[int]) -> Iterator[tuple[int, ...]]:
    if not extents:
        yield ()
        return
    for first in range(extents[0]):
        for rest in _counted(extents[1:]):
            yield (first, *rest)
