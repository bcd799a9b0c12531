"""Nests of marked loops, and how much of them is divided into chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ....dialects.host import ir
from .division import is_available
from .marks import COST_MARK, PARALLEL_MARK
from .shares import ParallelLoop

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
class ParallelNest:
    """Loops that are independent of each other and have the same parent."""

    number: int
    loops: tuple[ParallelLoop, ...]

    @property
    def cost(self) -> int:
        return round(sum(loop.cost for loop in self.loops))


def find_nests(function: ir.Operation) -> list[ParallelNest]:
    """The outermost marked loops of a function, grouped into nests, in program order."""
    nests: list[ParallelNest] = []
    for block in _blocks(function):
        run: list[ParallelLoop] = []
        number = -1
        for op in block.operations:
            mark = _mark(op.operation)
            if run and mark != number and not (mark is None and is_effect_free(op.operation)):
                nests.append(ParallelNest(number, tuple(run)))
                run = []
            if mark is not None:
                run, number = [*run, _loop(op, mark)], mark
        if run:
            nests.append(ParallelNest(number, tuple(run)))
    return nests


def is_effect_free(op: ir.Operation) -> bool:
    """Whether an operation has no effects and depends on no memory."""
    name = op.name
    return (
        name.startswith(_EFFECT_FREE_DIALECTS) or name in _EFFECT_FREE_MEMREF or name in _EFFECT_FREE_VECTOR
    )


def allocates(loop: ParallelLoop) -> bool:
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


def _loop(op: Any, number: int) -> ParallelLoop:
    cost = op.operation.attributes.get(COST_MARK)
    inner = [o for o in op.body.operations if _mark(o.operation) == number]
    rest = [o for o in op.body.operations if _mark(o.operation) is None]
    divisible = inner and len(inner) + len(rest) == len(op.body.operations) and _repeatable(rest)
    bounds = [bound for o in inner for bound in list(o.operation.operands)[:3]]
    divisible = divisible and all(is_available(bound, op.operation) for bound in bounds)
    return ParallelLoop(
        op,
        _trips(op),
        ir.IntegerAttr(cost).value if cost is not None else 1,
        tuple(_loop(o, number) for o in inner) if divisible else (),
        constant_of(list(op.operation.operands)[2]) or 0,
    )


def _repeatable(ops: Iterable[Any]) -> bool:
    return all(
        is_effect_free(op.operation) or op.operation.name in (*_READING, "memref.alloca", "scf.yield")
        for op in ops
    )


def _trips(loop: Any) -> int | None:
    bounds = [constant_of(value) for value in list(loop.operation.operands)[:3]]
    if None in bounds:
        return None
    start, stop, step = bounds
    assert start is not None and stop is not None and step is not None
    return max(0, -(-(stop - start) // step))


def constant_of(value: ir.Value) -> int | None:
    """The value of an index constant."""
    owner = value.owner
    if not isinstance(owner, (ir.Operation, ir.OpView)) or owner.name != "arith.constant":
        return None
    return ir.IntegerAttr(owner.attributes["value"]).value
