"""How many bytes of a PE's memory a program text takes: read once, counted for any routines that it has once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ....dialects.host import ir
from ....dialects.wse import read
from ....wse_target.footprint import CASE_BYTES, INSTRUCTION_BYTES, TABLE_ENTRY_BYTES
from ....wse_target.instructions import Choose, Control, Join, Loop, Receive, Relay, Send, Switch, Vector
from ....wse_target.machine_sections import ControlSection
from ..executable import CHOICE, RECORD, WORDS, mark_of, operations
from ..index_values import most_of, place_number

# Bytes of program text that an operation takes, see `INSTRUCTION_BYTES`; a bound or an offset that depends on the PE
# takes some scalar instructions more.
CODE_BYTES = {
    "wse.vector": INSTRUCTION_BYTES[Vector],
    "wse.send": INSTRUCTION_BYTES[Send],
    "wse.receive": INSTRUCTION_BYTES[Receive],
    "wse.relay": INSTRUCTION_BYTES[Relay],
    "wse.join": INSTRUCTION_BYTES[Join],
    "wse.control": INSTRUCTION_BYTES[Control],
    "wse.switch": INSTRUCTION_BYTES[Switch],
    "wse.lookup": 8,
    "wse.indexed": 24,  # a load, a subtraction, a comparison, a branch, a product and a sum
    "affine.apply": 8,
    "affine.min": 12,
    "affine.max": 12,
    "arith.muli": 4,
    "scf.for": INSTRUCTION_BYTES[Loop],
    CHOICE: INSTRUCTION_BYTES[Choose] - CASE_BYTES,  # its regions are one more than its cases
}

NUMBER_BYTES = 2  # of an address or a length that the loader writes


@dataclass(frozen=True)
class TextBytes:
    """What a class's program text takes: bytes of code, and of the tables and scalars that it depends on."""

    code: int
    tables: int
    scalars: int = 0

    @property
    def total(self) -> int:
        return self.code + self.tables + self.scalars


@dataclass
class _Stretch:
    """Operations of a text, up to where a routine begins or ends.

    Attributes:
        size: bytes of those operations.
        routine: "" at the end of the text; begins: whether it begins there.
        mark: bytes of the call, or of the way back; by_words: where the routine sets words, whose number `words` is.
        times: how often a PE comes by there, with all trips of the loops around it.
    """

    size: int = 0
    routine: str = ""
    begins: bool = False
    mark: int = 0
    by_words: int | None = None
    words: int = 0
    times: int = 1


@dataclass(frozen=True)
class ClassText:
    """A class's program text.

    Attributes:
        numbers: bytes that the loader writes; tables: bytes of those that it looks up.
    """

    stretches: list[_Stretch]
    numbers: int
    tables: int

    @staticmethod
    def of(function: Any, lengths: dict[str, int]) -> ClassText:
        """Reads a text; `lengths` are the entries of each table.

        A number that the PE's place alone says is written by the loader, an entry of a table or what is computed,
        however many routines write down how.
        """
        numbers: set[str] = set()
        entries: dict[str, int] = {}
        stretches = [_Stretch()]
        for op, times in _timed(function.body.blocks[0]):
            number, name = place_number(op), op.operation.name
            if name == "wse.lookup":
                table = op.table.value
                entries[table] = max(entries.get(table, 0), 1 if number else lengths[table])
            if not number:
                _add(stretches, op, times)
            elif name != "wse.lookup" and name in CODE_BYTES:
                numbers.add(number)
        return ClassText(stretches, NUMBER_BYTES * len(numbers), TABLE_ENTRY_BYTES * sum(entries.values()))

    def bytes(self, routines: Collection[str] | None, by_words: Collection[str] = ()) -> TextBytes:
        """What it takes with these routines, all that are marked if None; those of `by_words` set words."""
        code, seen, inside = self.numbers, set[str](), False
        for stretch in self.stretches:
            code += 0 if inside else stretch.size
            name = stretch.routine
            if not name or (routines is not None and name not in routines):
                continue
            code += stretch.mark
            if name in by_words and stretch.by_words is not None:
                code += stretch.by_words - stretch.mark
            inside = stretch.begins and name in seen
            seen.add(name)
        return TextBytes(code, self.tables)

    def call_cycles(
        self, control: ControlSection, routines: Collection[str], by_words: Collection[str]
    ) -> float:
        """Cycles that a PE takes for calls of these routines, those of `by_words` setting words."""
        marks = [stretch for stretch in self.stretches if stretch.routine in routines]
        words = sum(s.times * s.words for s in marks if s.routine in by_words)
        return control.branch * sum(s.times for s in marks) + control.scalar * words


def _timed(block: ir.Block, times: int = 1) -> Iterator[tuple[Any, int]]:
    """All operations of a text, and how often each is executed: as often as can be where a PE's place decides."""
    for op in operations(block):
        yield op, times
        within = times * (most_of(op.operation.operands[1]) or 1) if op.operation.name == "scf.for" else times
        for region in op.operation.regions:
            for inner in region.blocks:
                yield from _timed(inner, within)


def _add(stretches: list[_Stretch], op: Any, times: int) -> None:
    """Adds an operation to the last stretch, which ends with a mark."""
    name, begins = mark_of(op)
    last = stretches[-1]
    if not name:
        last.size += _code(op)
        return
    last.routine, last.begins, last.mark, last.times = name, begins, _code(op), times
    if WORDS in op.operation.attributes:
        taken, last.words = read.integers(op.operation.attributes[WORDS])
        last.by_words = CODE_BYTES["wse.control"] + taken
    stretches.append(_Stretch())


def _code(op: Any) -> int:
    """Bytes of an operation itself."""
    name, attributes = op.operation.name, op.operation.attributes
    if RECORD in attributes:
        return CODE_BYTES[name] + ir.IntegerAttr(attributes[RECORD]).value
    return CODE_BYTES.get(name, 0) + (CASE_BYTES * len(op.regions) if name == CHOICE else 0)


def saved_by_call(texts: Iterable[ClassText]) -> dict[str, float]:
    """Bytes that each marked routine saves for a call that a PE makes, in the class where these are the most."""
    found: dict[str, float] = {}
    for text in texts:
        saved, calls = Counter[str](), Counter[str]()
        inside, known = "", set[str]()
        for stretch in text.stretches:
            if inside in known:
                saved[inside] += stretch.size
            known |= {inside} - {""}
            saved[stretch.routine] -= stretch.mark
            calls[stretch.routine] += stretch.begins * stretch.times
            inside = stretch.routine if stretch.begins else ""
        for name in calls.keys() - {""}:
            found[name] = max(found.get(name, 0), saved[name] / max(calls[name], 1))
    return found


def saved_by_words(texts: Iterable[ClassText]) -> dict[str, float]:
    """Bytes that routines save by setting words, for a word that a PE sets, in the class where these are the most."""
    found: dict[str, float] = {}
    for text in texts:
        saved, words = Counter[str](), Counter[str]()
        for stretch in text.stretches:
            if stretch.by_words is not None:
                saved[stretch.routine] += stretch.mark - stretch.by_words
                words[stretch.routine] += stretch.words * stretch.times
        for name, count in words.items():
            found[name] = max(found.get(name, 0), saved[name] / max(count, 1))
    return found
