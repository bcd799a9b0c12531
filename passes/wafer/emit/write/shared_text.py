"""Runs of instructions that a text has several times but for their descriptors, marked as one routine.

The marks say what a text could be: the PE's memory has a routine once, its other calls are a jump there and back, and
a record of the descriptors that differ. `wse-share-text` decides whether they count.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

from .....wse_target.footprint import INSTRUCTION_BYTES, text_bytes
from .....wse_target.instructions import Buffer, Control, Instruction, Loop
from .descriptor_words import WordRecord
from .routines import LONG
from .text_shapes import DESCRIPTOR_BYTES, TextShape, shaped

_CALL = 2 * INSTRUCTION_BYTES[Control]  # there and back
_LONGEST = 96  # instructions of a routine that are looked for


@dataclass(frozen=True)
class Enter:
    """Begins a routine's text.

    Attributes:
        record: bytes of the descriptors that differ from those of the routine's first call in the text.
        by_words: what it takes instead, code for the first call and a record for others, where the routine sets
            descriptors by words, and how many words; None where that saves nothing.
    """

    routine: str
    record: int
    by_words: tuple[int, int] | None = None


@dataclass(frozen=True)
class Leave:
    """Ends a routine's text."""

    routine: str


@dataclass(frozen=True)
class _Item:
    """An instruction: number of its shape (None for a loop that is looked into), its descriptors, bytes of text."""

    shape: int | None
    descriptors: tuple[Any, ...]
    size: int


@dataclass(frozen=True)
class _Run:
    """Shapes that occur at several places, and the descriptors in which these differ, each as a list by place."""

    starts: list[int]
    tokens: tuple[int, ...]
    differing: list[tuple[Any, ...]]

    def enter(self, name: str, start: int) -> Enter:
        """The begin of a call."""
        words, whole = self.words, DESCRIPTOR_BYTES * len(self.differing)
        is_first = start == self.starts[0]
        others = len(self.starts) - 1
        saves = words.code + others * words.record < others * whole
        by_words = (words.code if is_first else words.record, words.words) if saves else None
        return Enter(name, 0 if is_first else whole, by_words)

    @cached_property
    def words(self) -> WordRecord:
        """What calls bring along word by word."""
        return WordRecord.of(self.differing)


@dataclass
class SharedText:
    """Finds routines in texts of one program; equal routines of several texts have one name.

    Attributes:
        buffers: of the program.
    """

    buffers: Mapping[str, Buffer]
    _items: dict[int, _Item] = field(default_factory=dict)  # texts share instructions: by `id`
    _numbers: dict[TextShape, int] = field(default_factory=dict)
    _names: dict[tuple[int, ...], str] = field(default_factory=dict)

    def marked(self, text: Sequence[Instruction]) -> tuple[Any, ...]:
        """The text with `Enter` and `Leave` around what it has several times."""
        sequences = list(_sequences(text))
        flat: list[Instruction | None] = [op for body in sequences for op in (*body, None)]
        marks: dict[int, tuple[Enter, int]] = {}
        for run in _Finder([self._item(op) if op is not None else None for op in flat]).runs():
            name = self._names.setdefault(run.tokens, f"shared_{len(self._names)}")
            for start in run.starts:
                marks[start] = run.enter(name, start), len(run.tokens)
        return _with_marks(sequences, marks)

    def _item(self, op: Instruction) -> _Item:
        if id(op) not in self._items:
            found = shaped(op, self.buffers)
            number = self._numbers.setdefault(found.shape, len(self._numbers))
            self._items[id(op)] = _Item(
                None if _is_opened(op) else number, found.descriptors, text_bytes((op,))
            )
        return self._items[id(op)]


def _is_opened(op: Instruction) -> bool:
    """Whether a loop's body is looked into: it is a stretch of the program itself."""
    return isinstance(op, Loop) and len(op.body) >= LONG


def _sequences(text: Sequence[Instruction]) -> Iterator[Sequence[Instruction]]:
    """A text, and bodies of long loops in it behind."""
    yield text
    for op in text:
        if isinstance(op, Loop) and _is_opened(op):
            yield from _sequences(op.body)


def _with_marks(
    sequences: Sequence[Sequence[Instruction]], marks: Mapping[int, tuple[Enter, int]]
) -> tuple[Any, ...]:
    """The first sequence, those behind it in the places of their loops."""
    following, at = iter(sequences), 0

    def written() -> tuple[Any, ...]:
        nonlocal at
        sequence, found, end, routine = next(following), list[Any](), -1, ""
        inner: list[int] = []
        for op in sequence:
            if at in marks:
                mark, length = marks[at]
                found.append(mark)
                end, routine = at + length, mark.routine
            if _is_opened(op):
                inner.append(len(found))
            found.append(op)
            at += 1
            if at == end:
                found.append(Leave(routine))
        at += 1  # what separates sequences
        for place in inner:
            found[place] = replace(found[place], body=written())
        return tuple(found)

    return written()


class _Finder:
    """Runs of equal shapes in a sequence, those first that save the most bytes.

    Attributes:
        items: None between sequences.
        tokens: of each place what may stand for it; negative ones are equal to nothing else.
    """

    def __init__(self, items: Sequence[_Item | None]) -> None:
        self.items = items
        self.tokens = [
            item.shape if item is not None and item.shape is not None else -1 - place
            for place, item in enumerate(items)
        ]

    def runs(self) -> list[_Run]:
        """Disjoint runs that are worth a routine."""
        found: list[_Run] = []
        while more := self._disjoint_runs():
            found += more
            for place in (
                p for run in more for start in run.starts for p in range(start, start + len(run.tokens))
            ):
                self.tokens[place] = -1 - place
        return found

    def _disjoint_runs(self) -> list[_Run]:
        queue = [
            (-saved, length, starts)
            for length, starts in self._repeated()
            if (saved := self._most(starts, length)) > 0
        ]
        heapq.heapify(queue)
        found: list[_Run] = []
        taken: set[int] = set()
        while queue:
            bound, length, starts = heapq.heappop(queue)
            free = [s for s in starts if taken.isdisjoint(range(s, s + length))]
            differing = self._differing(free, length)
            saved = self._most(free, length) - (len(free) - 1) * DESCRIPTOR_BYTES * len(differing)
            if len(free) < 2 or saved <= 0:
                continue
            if bound != -saved and queue and queue[0][0] < -saved:  # another one may save more
                heapq.heappush(queue, (-saved, length, free))
                continue
            found.append(_Run(free, tuple(self.tokens[free[0] : free[0] + length]), differing))
            taken |= {place for start in free for place in range(start, start + length)}
        return found

    def _repeated(self) -> Iterator[tuple[int, list[int]]]:
        """Lengths of runs that occur several times, and disjoint places of each: the longest at sets of places."""
        tokens = self.tokens
        order = sorted(
            (place for place, token in enumerate(tokens) if token >= 0),
            key=lambda place: tokens[place : place + _LONGEST],
        )
        common = [self._common(a, b) for a, b in pairwise(order)]
        stack: list[tuple[int, int]] = []  # length, and the first in order that has it
        for position, length in enumerate([*common, 0]):
            begin = position
            while stack and stack[-1][0] > length:
                longest, begin = stack.pop()
                yield longest, _disjoint(sorted(order[begin : position + 1]), longest)
            if length and (not stack or stack[-1][0] < length):
                stack.append((length, begin))

    def _common(self, first: int, second: int) -> int:
        length = 0
        while (
            length < _LONGEST
            and first + length < len(self.tokens)
            and second + length < len(self.tokens)
            and self.tokens[first + length] == self.tokens[second + length]
        ):
            length += 1
        return length

    def _most(self, starts: Sequence[int], length: int) -> int:
        """Bytes of text that a routine saves at most: if its calls differed in nothing."""
        if not starts:
            return 0
        size = sum(item.size for item in self.items[starts[0] : starts[0] + length] if item is not None)
        return (len(starts) - 1) * size - len(starts) * _CALL

    def _differing(self, starts: Sequence[int], length: int) -> list[tuple[Any, ...]]:
        """The descriptors that the calls of a run have of their own; equal ones are one."""
        calls = [[d for item in self.items[s : s + length] if item for d in item.descriptors] for s in starts]
        columns = dict.fromkeys(zip(*calls, strict=True))
        return [given for given in columns if any(d != given[0] for d in given)]


def _disjoint(places: Sequence[int], length: int) -> list[int]:
    found: list[int] = []
    for place in places:
        if not found or place >= found[-1] + length:
            found.append(place)
    return found
