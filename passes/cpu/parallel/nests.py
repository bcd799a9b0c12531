"""Nests of marked loops, and the grid of chunks that each is divided into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ....dialects.host import ir
from ..parallel_marks import COST_MARK, PARALLEL_MARK
from .shares import Line

# Operations without effects, and those that only read: they may be repeated or moved.
_READING = frozenset(
    ("memref.load", "vector.load", "vector.transfer_read", "vector.gather", "vector.maskedload")
)
_EFFECT_FREE_MEMREF = frozenset(
    f"memref.{name}"
    for name in (
        *("cast", "collapse_shape", "dim", "expand_shape", "extract_strided_metadata"),
        *("get_global", "reinterpret_cast", "subview", "view"),
    )
)
_EFFECT_FREE_VECTOR = frozenset(
    f"vector.{name}"
    for name in (
        "broadcast",
        "create_mask",
        "constant_mask",
        "from_elements",
        "shape_cast",
        "shuffle",
        "step",
    )
)
_EFFECT_FREE_DIALECTS = ("arith.", "affine.apply", "affine.max", "affine.min", "math.")
_ALLOCATING = ("memref.alloc", "memref.realloc", "bufferization.alloc_tensor")


@dataclass(frozen=True)
class Loop:
    """A marked `scf.for`.

    Attributes:
        trips: how often it runs; None if that is known only at run time.
        cost: of all its iterations.
        inner: the marked loops directly in it, where nothing else in it has an effect.
    """

    op: Any
    trips: int | None
    cost: int
    inner: tuple[Loop, ...]


@dataclass(frozen=True)
class Nest:
    """Loops that are independent of each other and have the same parent."""

    number: int
    loops: tuple[Loop, ...]

    @property
    def cost(self) -> int:
        return sum(loop.cost for loop in self.loops)

    def grid(self, chunks: int) -> tuple[int, int]:
        """Parts of the outer loops and of the loops in them: the division of `chunks` that is most even.

        Outer parts are preferred, for what an outer iteration shares stays in one thread's cache.
        """
        best, best_balance = (chunks, 1), self._balance(chunks, 1)
        for outer in range(chunks - 1, 0, -1):
            if chunks % outer == 0 and self._balance(outer, chunks // outer) > best_balance + 0.02:
                best, best_balance = (outer, chunks // outer), self._balance(outer, chunks // outer)
        return best

    def _balance(self, outer: int, inner: int) -> float:
        if inner == 1:
            return _balance(self.loops, outer)
        if not self.divisible:
            return 0.0
        inside = sum(loop.cost / _balance(loop.inner, inner) for loop in self.divisible)
        alone = sum(loop.cost for loop in self.rest) / _balance(self.rest, outer * inner)
        return self.cost / max(1.0, inside / _balance(self.divisible, outer) + alone)

    @property
    def divisible(self) -> tuple[Loop, ...]:
        """The loops with marked loops in them."""
        return tuple(loop for loop in self.loops if loop.inner)

    @property
    def rest(self) -> tuple[Loop, ...]:
        """The loops without; where the former are divided twice, these are divided by themselves."""
        return tuple(loop for loop in self.loops if not loop.inner)


def line_of(loops: Sequence[Loop]) -> Line | None:
    """The loops on one line; None if a trip count is open: then each is divided by itself."""
    trips = [loop.trips for loop in loops if loop.trips is not None]
    return Line.of(trips, [loop.cost for loop in loops]) if len(trips) == len(loops) else None


def _balance(loops: Sequence[Loop], shares: int) -> float:
    line = line_of(loops)
    if line is not None:
        return line.balance(shares)
    return 1.0 if shares == 1 else 0.8  # open sizes may be one or many


def find_nests(function: ir.Operation) -> list[Nest]:
    """The outermost marked loops of a function, grouped into nests, in program order."""
    nests: list[Nest] = []
    for block in _blocks(function):
        run: list[Loop] = []
        number = -1
        for op in block.operations:
            mark = _mark(op.operation)
            if run and mark != number and not (mark is None and is_effect_free(op.operation)):
                nests.append(Nest(number, tuple(run)))
                run = []
            if mark is not None:
                run, number = [*run, _loop(op, mark)], mark
        if run:
            nests.append(Nest(number, tuple(run)))
    return nests


def is_effect_free(op: ir.Operation) -> bool:
    """Whether an operation has no effects and depends on no memory."""
    name = op.name
    return (
        name.startswith(_EFFECT_FREE_DIALECTS) or name in _EFFECT_FREE_MEMREF or name in _EFFECT_FREE_VECTOR
    )


def allocates(loop: Loop) -> bool:
    """Whether a loop takes memory from the heap, or calls what might; a thread of the pool cannot report that there
    is none."""
    found = False

    def visit(op: ir.Operation) -> ir.WalkResult:
        nonlocal found
        found = found or op.name in _ALLOCATING or op.name == "func.call"
        return ir.WalkResult.INTERRUPT if found else ir.WalkResult.ADVANCE

    loop.op.operation.walk(visit)
    return found


def _blocks(op: ir.Operation) -> Iterator[ir.Block]:
    """All blocks outside of marked loops."""
    for region in op.regions:
        for block in region.blocks:
            yield block
            for inner in block.operations:
                if inner.operation.regions and _mark(inner.operation) is None:
                    yield from _blocks(inner.operation)


def _mark(op: ir.Operation) -> int | None:
    if op.name != "scf.for" or PARALLEL_MARK not in op.attributes or op.results:
        return None
    return ir.IntegerAttr(op.attributes[PARALLEL_MARK]).value


def _loop(op: Any, number: int) -> Loop:
    cost = op.operation.attributes.get(COST_MARK)
    inner = [o for o in op.body.operations if _mark(o.operation) == number]
    rest = [o for o in op.body.operations if _mark(o.operation) is None]
    divisible = inner and len(inner) + len(rest) == len(op.body.operations) and _repeatable(rest)
    return Loop(
        op,
        _trips(op),
        ir.IntegerAttr(cost).value if cost is not None else 1,
        tuple(_loop(o, number) for o in inner) if divisible else (),
    )


def _repeatable(ops: Iterable[Any]) -> bool:
    return all(
        is_effect_free(op.operation) or op.operation.name in (*_READING, "memref.alloca", "scf.yield")
        for op in ops
    )


def _trips(loop: Any) -> int | None:
    bounds = [constant_of(value) for value in loop.operation.operands]
    if None in bounds:
        return None
    start, stop, step = bounds[:3]
    assert start is not None and stop is not None and step is not None
    return max(0, -(-(stop - start) // step))


def constant_of(value: ir.Value) -> int | None:
    """The value of an index constant."""
    owner = value.owner
    if not isinstance(owner, (ir.Operation, ir.OpView)) or owner.name != "arith.constant":
        return None
    return ir.IntegerAttr(owner.attributes["value"]).value
