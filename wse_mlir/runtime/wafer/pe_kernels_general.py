"""Kernels for any loop nest: bounds and strides are arguments, elements are computed one by one in the nest's order.

They need no vectors, no registers across iterations and no knowledge of what overlaps what, and one serves all
operations of a kind on the same types: the quick start before a nest turns out to be worth code of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...dialects.host import arith, func, ir, memref, scf
from ...wse_target.kinds import COMPARISONS
from ...wse_target.sim.arithmetic import operand_dtypes
from ...wse_target.sim.kernels import KernelKey, Walk
from .pe_kernels_emit import OperandBytes, kernel_function, number
from .pe_kernels_nest import constant_index, for_loop, reach
from .pe_kernels_values import KernelValues, memory_type, number_type

_LEAST_LOOPS = 4  # nests of fewer loops get outer ones of one trip


@dataclass(frozen=True)
class General:
    """What the code of a general kernel depends on: the kind, types of destination and sources, and how many loops.

    Attributes:
        indices: type of the numbers of each index, and the operands that they move.
    """

    kind: str
    dtypes: tuple[str, ...]
    loops: int
    indices: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def walked(self) -> tuple[str, ...]:
        """Types of all operands: destination, sources, and the three of each index."""
        return (*self.dtypes, *(t for numbers, _ in self.indices for t in (numbers, "i64", "i64")))

    @staticmethod
    def of(signature: KernelKey) -> General:
        """The general kernel that serves a signature."""
        dtypes = (signature.dst.dtype, *(s.dtype for s in signature.srcs))
        indices = tuple(
            (index.numbers.dtype, tuple(i for i, stride in enumerate(index.strides) if stride))
            for index in signature.indices
        )
        return General(signature.kind, dtypes, max(_LEAST_LOOPS, len(signature.bounds)), indices)

    def numbers(self, signature: KernelKey) -> list[int]:
        """The signature as the kernel's arguments: bounds, operands' first elements and strides, indices' strides."""
        missing = self.loops - len(signature.bounds)
        numbers = [1] * missing + list(signature.bounds)
        for walk in (signature.dst, *signature.srcs, *index_walks(signature)):
            numbers += [reach(walk.strides, signature.bounds)[0], *[0] * missing, *walk.strides]
        for index in signature.indices:
            numbers += [stride for stride in index.strides if stride]
        return numbers


def index_walks(signature: KernelKey) -> tuple[Walk, ...]:
    """How the operands behind destination and sources are walked over: numbers, origin and size of each index."""
    once = Walk("i64", (0,) * len(signature.bounds))
    return tuple(walk for index in signature.indices for walk in (index.numbers, once, once))


@dataclass(frozen=True)
class _Walked:
    """An operand on one PE: memory from its lowest element on, number of the first one, strides, what indices add."""

    dtype: str
    memory: ir.Value
    first: ir.Value
    strides: Sequence[ir.Value]
    moved: ir.Value | None = None

    def at(self, index: Sequence[ir.Value]) -> ir.Value:
        """Number of the element of an iteration."""
        at = self.first if self.moved is None else arith.addi(self.first, self.moved)
        for stride, here in zip(self.strides, index, strict=True):
            at = arith.addi(at, arith.muli(stride, here))
        return at


def emit_general(kernel: General) -> None:
    """Emits `func @kernel` as `emit_kernel` does; behind its numbers there are those of `General.numbers`."""
    dtypes = kernel.walked
    function = kernel_function(len(dtypes))
    with ir.InsertionPoint(function.add_entry_block()):
        numbers, *buffers = function.arguments
        count = 2 + 2 * len(dtypes)
        first, last, *rest = (number(numbers, n) for n in range(count))
        bounds = [number(numbers, count + n) for n in range(kernel.loops)]
        each = 1 + kernel.loops
        walks = [
            [number(numbers, count + kernel.loops + i * each + n) for n in range(each)]
            for i in range(len(dtypes))
        ]
        behind = count + kernel.loops + len(dtypes) * each
        moves = [number(numbers, behind + n) for n in range(sum(len(moved) for _, moved in kernel.indices))]
        pes = for_loop(first, last, constant_index(1))
        with ir.InsertionPoint(pes.body):
            operands = []
            for i, dtype in enumerate(dtypes):
                where = OperandBytes(*buffers[2 * i : 2 * i + 2], *rest[2 * i : 2 * i + 2])
                kind = ir.MemRefType.get([ir.ShapedType.get_dynamic_size()], memory_type(dtype))
                all_of_it = memref.dim(buffers[2 * i], constant_index(0))
                view = memref.view(kind, where.data, where.start(pes.induction_variable), [all_of_it])
                operands.append(_Walked(dtype, view, walks[i][0], walks[i][1:]))
            _loops(bounds, [], lambda index: _iteration(kernel, operands, moves, index))
            scf.YieldOp([])
        func.ReturnOp([])


def _iteration(
    kernel: General, operands: Sequence[_Walked], moves: Sequence[ir.Value], index: Sequence[ir.Value]
) -> None:
    """One iteration, left out where an index is none of the PE's positions.

    Args:
        moves: elements from one position to the next, of every operand that an index moves.
    """
    count, strides = len(kernel.dtypes), iter(moves)
    walked, inside = list(operands[:count]), None
    for number_of, (_, moved) in enumerate(kernel.indices):
        numbers, origin, size = operands[count + 3 * number_of : count + 3 * number_of + 3]
        position = arith.subi(_whole(numbers, index), _whole(origin, index))
        there = arith.cmpi(arith.CmpIPredicate.ult, position, _whole(size, index))
        inside = there if inside is None else arith.andi(inside, there)
        for i in moved:
            added = arith.muli(position, next(strides))
            before = walked[i].moved
            walked[i] = replace(walked[i], moved=added if before is None else arith.addi(before, added))
    if inside is None:
        _element(kernel, walked, index)
        return
    branch = scf.IfOp(inside)
    with ir.InsertionPoint(branch.then_block):
        _element(kernel, walked, index)
        scf.YieldOp([])


def _whole(operand: _Walked, index: Sequence[ir.Value]) -> ir.Value:
    """An integer operand's element as an index."""
    return arith.index_cast(ir.IndexType.get(), memref.load(operand.memory, [operand.at(index)]))


def _loops(bounds: Sequence[ir.Value], index: list[ir.Value], body: Callable[[list[ir.Value]], None]) -> None:
    if not bounds:
        body(index)
        return
    loop = for_loop(constant_index(0), bounds[0], constant_index(1))
    with ir.InsertionPoint(loop.body):
        _loops(bounds[1:], [*index, loop.induction_variable], body)
        scf.YieldOp([])


def _element(kernel: General, operands: Sequence[_Walked], index: Sequence[ir.Value]) -> None:
    """One iteration."""
    values, dst = KernelValues(1), operands[0]
    types = operand_dtypes(kernel.kind, dst.dtype, kernel.dtypes[1:])
    if kernel.kind in ("copy", "fill", "convert") and kernel.dtypes[1] == dst.dtype:
        memref.store(memref.load(operands[1].memory, [operands[1].at(index)]), dst.memory, [dst.at(index)])
        return
    loaded = [
        values.convert(_load(operand, index), operand.dtype, dtype)
        for operand, dtype in zip(operands[1:], types, strict=True)
    ]
    if kernel.kind == "fma":
        result = values.multiply_add(dst.dtype, _load(dst, index), *loaded)
    elif kernel.kind == "iota":
        count = values.convert(arith.index_cast(number_type("i64"), index[-1]), "i64", dst.dtype)
        result = values.apply("add", dst.dtype, [loaded[0], count])
    else:
        result = values.apply(kernel.kind, types[-1], loaded)
    if kernel.kind in COMPARISONS:
        result = values.convert(result, "i1", dst.dtype)
    memref.store(values.to_memory(dst.dtype, result), dst.memory, [dst.at(index)])


def _load(operand: _Walked, index: Sequence[ir.Value]) -> ir.Value:
    return KernelValues(1).from_memory(operand.dtype, memref.load(operand.memory, [operand.at(index)]))
