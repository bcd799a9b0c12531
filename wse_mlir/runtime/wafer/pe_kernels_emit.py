"""Kernels as MLIR functions: a loop over PEs with the operation's nest inside."""

from __future__ import annotations

from dataclasses import dataclass

from ...dialects.host import arith, func, ir, memref, scf
from ...wse_target.instructions import DTYPE_BYTES
from ...wse_target.sim.kernels import KernelKey, Walk
from .pe_kernels_nest import KernelNest, PeOperand, constant_index, for_loop, reach, widen, widened
from .pe_kernels_values import memory_type, number_type

NAME = "kernel"
_AHEAD = 4  # PEs between the one that is computed and the one whose tiles are fetched into the cache
_LINE = 64  # bytes of a cache line
_MOST_FETCHED = 4096  # bytes of an operand; the processor sees for itself where a longer walk goes


@dataclass(frozen=True)
class OperandBytes:
    """An operand's arguments: bytes, offsets of PEs in them, the offsets' stride (0 or 1), and what to add to them."""

    data: ir.Value
    offsets: ir.Value
    stride: ir.Value
    constant: ir.Value

    def start(self, pe: ir.Value) -> ir.Value:
        """Where the operand's lowest element begins on a PE."""
        offset = memref.load(self.offsets, [arith.muli(pe, self.stride)])
        return arith.addi(arith.index_cast(ir.IndexType.get(), offset), self.constant)


def kernel_function(operands: int) -> func.FuncOp:
    """Declares `func @kernel(numbers, (bytes, offsets) of each operand)`, the destination being the first operand.

    The numbers are the first PE, one past the last one, and of each operand the stride of its offsets and the constant
    to be added to them, which says where its lowest element is, not its first one.
    """
    i8, i64 = (
        ir.MemRefType.get([ir.ShapedType.get_dynamic_size()], ir.IntegerType.get_signless(n)) for n in (8, 64)
    )
    function = func.FuncOp(NAME, ir.FunctionType.get([i64, *[i8, i64] * operands], []))
    function.attributes["llvm.emit_c_interface"] = ir.UnitAttr.get()
    return function


def emit_kernel(signature: KernelKey) -> None:
    """Emits a kernel for one signature."""
    walks = (signature.dst, *signature.srcs)
    function = kernel_function(len(walks))
    with ir.InsertionPoint(function.add_entry_block()):
        numbers, *buffers = function.arguments
        first, last, *rest = (number(numbers, n) for n in range(2 + 2 * len(walks)))
        operands = [
            OperandBytes(*buffers[2 * i : 2 * i + 2], *rest[2 * i : 2 * i + 2]) for i in range(len(walks))
        ]
        scratch = [_scratch(signature, i) for i in range(len(signature.srcs))]
        one = constant_index(1)
        pes = for_loop(first, last, one)
        with ir.InsertionPoint(pes.body):
            pe = pes.induction_variable
            ahead = arith.minsi(arith.addi(pe, constant_index(_AHEAD)), arith.subi(last, one))
            for i, (operand, walk) in enumerate(zip(operands, walks, strict=True)):
                if i == 0 or not signature.own[i - 1]:
                    _fetch(operand.data, operand.start(ahead), walk, signature.bounds, written=i == 0)
            places = [
                _place(o.data, o.start(pe), w, signature.bounds) for o, w in zip(operands, walks, strict=True)
            ]
            _compute(signature, places, scratch)
            scf.YieldOp([])
        func.ReturnOp([])


def _compute(signature: KernelKey, places: list[PeOperand], scratch: list[ir.Value | None]) -> None:
    """The operation on one PE."""
    for i, room in enumerate(scratch):
        if room is not None:
            dtype, count = signature.operand_dtypes[i], widened(signature, i)
            places[1 + i] = widen(places[1 + i], room, dtype, count)
    KernelNest(signature, places).emit()


def _fetch(data: ir.Value, start: ir.Value, walk: Walk, bounds: tuple[int, ...], *, written: bool) -> None:
    """Prefetches all that an operand touches on a PE: rows of the memory are far apart, each one a surprise."""
    size = reach(walk.strides, bounds)[1] * DTYPE_BYTES[walk.dtype]
    if size > _MOST_FETCHED:
        return
    for at in (*range(0, size, _LINE), size - 1):
        memref.prefetch(data, [arith.addi(start, constant_index(at))], written, 3, True)


def number(numbers: ir.Value, position: int) -> ir.Value:
    """One of a kernel's numbers."""
    return arith.index_cast(ir.IndexType.get(), memref.load(numbers, [constant_index(position)]))


def _scratch(signature: KernelKey, source: int) -> ir.Value | None:
    """Room for a source that is converted beforehand."""
    count = widened(signature, source)
    if not count:
        return None
    return memref.alloca(ir.MemRefType.get([count], number_type(signature.operand_dtypes[source])), [], [])


def _place(data: ir.Value, start: ir.Value, walk: Walk, bounds: tuple[int, ...]) -> PeOperand:
    first, count = reach(walk.strides, bounds)
    kind = ir.MemRefType.get([count], memory_type(walk.dtype))
    return PeOperand(memref.view(kind, data, start, []), walk, first)
