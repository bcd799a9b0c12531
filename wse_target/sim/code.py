"""Programs as linear code: class bodies flattened, with loop begins and ends as instructions of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..image import PEClass, Program
from ..instructions import Choose, Instruction, Join, Loop, Phase, Receive, Relay, Send, Source
from ..quasi_affine import Const, Expr


@dataclass(frozen=True)
class LoopBegin:
    """Sets loop `slot` to 0, or jumps to `exit` when there is no trip."""

    slot: int
    trips: Expr
    exit: int


@dataclass(frozen=True)
class LoopEnd:
    """Counts loop `slot` and jumps back to `start` while trips are left."""

    slot: int
    start: int


@dataclass(frozen=True)
class Branch:
    """Jumps to the case that `selector` counts, or to `exit` when there is none."""

    selector: Expr
    targets: tuple[int, ...]
    exit: int

    def stretches(self) -> Iterator[tuple[int, int]]:
        """First and one past the last operation of each case, jumps to the exit left out."""
        for start, end in zip(self.targets, (*self.targets[1:], self.exit + 1), strict=True):
            yield start, end - 1


@dataclass(frozen=True)
class Jump:
    """The end of a case: goes on at `target`."""

    target: int


@dataclass(frozen=True)
class Halt:
    """The end of a class's code."""


Operation = Instruction | LoopBegin | LoopEnd | Branch | Jump | Halt


@dataclass
class Code:
    """All classes' code, one after the other.

    Attributes:
        operations: by program counter.
        variables: loop variables in scope at each program counter, with their slots.
        entry: first program counter of each class.
        depth: loop slots that a PE needs.
        phases: all phases in order of appearance; number 0 is what comes before the first one.
        phase_of: number of the phase that a `Phase` operation starts, by program counter.
    """

    operations: list[Operation] = field(default_factory=list)
    variables: list[dict[str, int]] = field(default_factory=list)
    entry: list[int] = field(default_factory=list)
    depth: int = 0
    phases: list[tuple[str, Source]] = field(default_factory=lambda: [("", Source())])
    phase_of: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.operations)

    def append(self, operation: Operation, scope: dict[str, int]) -> int:
        """Adds an operation; returns its program counter."""
        self.operations.append(operation)
        self.variables.append(scope)
        return len(self.operations) - 1


def flatten(program: Program) -> Code:
    """Linear code of a whole program."""
    code = Code()
    numbers = {code.phases[0]: 0}
    for pe_class in program.classes:
        code.entry.append(len(code))
        _flatten(code, pe_class.body, {}, numbers)
        code.append(Halt(), {})
    return code


def _flatten(
    code: Code, body: tuple[Instruction, ...], scope: dict[str, int], numbers: dict[tuple[str, Source], int]
) -> None:
    for instruction in body:
        if isinstance(instruction, Loop):
            slot = len(scope)
            code.depth = max(code.depth, slot + 1)
            begin = code.append(LoopBegin(slot, instruction.trips, 0), scope)
            _flatten(code, instruction.body, {**scope, instruction.variable: slot}, numbers)
            end = code.append(LoopEnd(slot, begin + 1), scope)
            code.operations[begin] = LoopBegin(slot, instruction.trips, end + 1)
            continue
        if isinstance(instruction, Choose):
            _flatten_cases(code, instruction, scope, numbers)
            continue
        at = code.append(instruction, scope)
        if isinstance(instruction, Phase):
            phase = (instruction.name, instruction.source)
            if phase not in numbers:
                numbers[phase] = len(code.phases)
                code.phases.append(phase)
            code.phase_of[at] = numbers[phase]


def _flatten_cases(
    code: Code, choose: Choose, scope: dict[str, int], numbers: dict[tuple[str, Source], int]
) -> None:
    """The cases one after the other; each but the last one jumps over those behind it."""
    begin, targets, jumps = code.append(Branch(choose.selector, (), 0), scope), list[int](), list[int]()
    for case in choose.cases:
        if targets:
            jumps.append(code.append(Jump(0), scope))
        targets.append(len(code))
        _flatten(code, case, scope, numbers)
    exit_ = len(code)
    code.operations[begin] = Branch(choose.selector, tuple(targets), exit_)
    for at in jumps:
        code.operations[at] = Jump(exit_)


_JUMPS = (LoopBegin, LoopEnd, Branch, Jump, Halt)
_TRANSFERS = (Send, Receive, Relay, Join)


def alike(code: Code, *, in_time: bool) -> np.ndarray:
    """For each program counter the first one with the same operation and loop variables, in whichever class's text.

    What jumps is like nothing else: its targets are its own. Nor are transfers where operations take time: streams
    that share a link come one after the other, those of a class that is early before those of one that is late.
    """
    alone = (*_JUMPS, *_TRANSFERS) if in_time else _JUMPS
    first: dict[tuple[Operation, tuple[tuple[str, int], ...]], int] = {}
    found = np.arange(len(code))
    for pc, op in enumerate(code.operations):
        if not isinstance(op, alone):
            found[pc] = first.setdefault((op, tuple(code.variables[pc].items())), pc)
    return found


@dataclass(frozen=True)
class Placement:
    """Numbers the PEs that have a program: class by class, row by row, so that a class is one range.

    Attributes:
        x, y: coordinates by PE number.
        ranges: first and one past the last PE number of each class.
        at: PE number by y * width + x; -1 where no class is.
    """

    width: int
    height: int
    x: np.ndarray
    y: np.ndarray
    ranges: tuple[tuple[int, int], ...]
    at: np.ndarray

    @property
    def count(self) -> int:
        """Number of PEs that have a program."""
        return len(self.x)

    def select(self, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        """PE numbers at coordinates, -1 where there is no program."""
        return self.at[ys * self.width + xs]

    def name(self, pe: int) -> str:
        """ "PE (x, y)"."""
        return f"PE ({self.x[pe]}, {self.y[pe]})"


def strided(where: object) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (xs, ys) of a `StridedRect`, row by row."""
    (bx, by), (w, h), (sx, sy) = where.base, where.extent, where.step  # type: ignore[attr-defined]
    ys, xs = np.meshgrid(by + sy * np.arange(h), bx + sx * np.arange(w), indexing="ij")
    return xs.ravel(), ys.ravel()


def place(width: int, height: int, classes: tuple[PEClass, ...]) -> Placement:
    """Numbers the PEs of a program; the classes are known to be disjoint and inside the grid."""
    at = np.full(width * height, -1, np.int64)
    all_x, all_y, ranges, count = [], [], [], 0
    for pe_class in classes:
        xs, ys = strided(pe_class.where)
        at[ys * width + xs] = count + np.arange(len(xs))
        ranges.append((count, count + len(xs)))
        count += len(xs)
        all_x.append(xs)
        all_y.append(ys)
    empty = [np.zeros(0, np.int64)]
    return Placement(
        width, height, np.concatenate(all_x or empty), np.concatenate(all_y or empty), tuple(ranges), at
    )


def constant(expr: Expr) -> int | None:
    """The value of an expression without variables, else None."""
    return expr.value if isinstance(expr, Const) else None
