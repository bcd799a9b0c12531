"""Kernels as MLIR functions: a loop over PEs with the operation's nest inside."""

from __future__ import annotations

from dataclasses import dataclass

from ...dialects.host import arith, func, ir, memref, scf
from ...wse_target.image import DTYPE_BYTES
from ...wse_target.sim.kernels import Signature, Walk
from .pe_kernels_nest import Nest, Place, constant_index, reach, widen, widened
from .pe_kernels_values import memory_type, number_type

NAME = "kernel"
_AHEAD = 4  # PEs between the one that is computed and the one whose tiles are fetched into the cache
_LINE = 64  # bytes of a cache line
_MOST_FETCHED = 4096  # bytes of an operand; the processor sees for itself where a longer walk goes


@dataclass(frozen=True)
class _Bytes:
    """An operand's arguments: bytes, offsets of PEs in them, the offsets' stride (0 or 1), and what to add to them."""

    data: ir.Value
    offsets: ir.Value
    stride: ir.Value
    constant: ir.Value
    walk: Walk

    def start(self, pe: ir.Value) -> ir.Value:
        """Where the operand's lowest element begins on a PE."""
        offset = memref.load(self.offsets, [arith.muli(pe, self.stride)])
        return arith.addi(arith.index_cast(ir.IndexType.get(), offset), self.constant)


def emit_kernel(signature: Signature) -> None:
    """Emits `func @kernel(numbers, (bytes, offsets) of each operand)`, the destination being the first operand.

    The numbers are the first PE, one past the last one, and of each operand the stride of its offsets and the constant
    to be added to them, which says where its lowest element is, not its first one.
    """
    walks = (signature.dst, *signature.srcs)
    i8, i64 = (
        ir.MemRefType.get([ir.ShapedType.get_dynamic_size()], ir.IntegerType.get_signless(n)) for n in (8, 64)
    )
    function = func.FuncOp(NAME, ir.FunctionType.get([i64, *[i8, i64] * len(walks)], []))
    function.attributes["llvm.emit_c_interface"] = ir.UnitAttr.get()
    with ir.InsertionPoint(function.add_entry_block()):
        numbers, *buffers = function.arguments
        first, last, *rest = (_number(numbers, n) for n in range(2 + 2 * len(walks)))
        operands = [
            _Bytes(buffers[2 * i], buffers[2 * i + 1], rest[2 * i], rest[2 * i + 1], walk)
            for i, walk in enumerate(walks)
        ]
        scratch = [_scratch(signature, i) for i in range(len(signature.srcs))]
        one = constant_index(1)
        pes = scf.ForOp(first, last, one)
        with ir.InsertionPoint(pes.body):
            pe = pes.induction_variable
            ahead = arith.minsi(arith.addi(pe, constant_index(_AHEAD)), arith.subi(last, one))
            for number, operand in enumerate(operands):
                if number == 0 or not signature.own[number - 1]:
                    _fetch(operand, ahead, signature.bounds, written=number == 0)
            _compute(signature, operands, scratch, pe)
            scf.YieldOp([])
        func.ReturnOp([])


def _compute(
    signature: Signature, operands: list[_Bytes], scratch: list[ir.Value | None], pe: ir.Value
) -> None:
    """The operation on one PE."""
    dst = _place(operands[0], pe, signature.bounds)
    places = [dst]
    for i, operand in enumerate(operands[1:]):
        place = dst if signature.own[i] else _place(operand, pe, signature.bounds)
        room = scratch[i]
        if room is not None:
            place = widen(place, room, signature.operand_dtypes[i], widened(signature, i))
        places.append(place)
    Nest(signature, places).emit()


def _fetch(operand: _Bytes, pe: ir.Value, bounds: tuple[int, ...], *, written: bool) -> None:
    """Prefetches all that an operand touches on a PE: rows of the memory are far apart, each one a surprise."""
    _, count = reach(operand.walk.strides, bounds)
    size = count * DTYPE_BYTES[operand.walk.dtype]
    if size > _MOST_FETCHED:
        return
    start = operand.start(pe)
    for at in (*range(0, size, _LINE), size - 1):
        memref.prefetch(operand.data, [arith.addi(start, constant_index(at))], written, 3, True)


def _number(numbers: ir.Value, position: int) -> ir.Value:
    return arith.index_cast(ir.IndexType.get(), memref.load(numbers, [constant_index(position)]))


def _scratch(signature: Signature, source: int) -> ir.Value | None:
    """Room for a source that is converted beforehand."""
    count = widened(signature, source)
    if not count:
        return None
    return memref.alloca(ir.MemRefType.get([count], number_type(signature.operand_dtypes[source])), [], [])


def _place(operand: _Bytes, pe: ir.Value, bounds: tuple[int, ...]) -> Place:
    first, count = reach(operand.walk.strides, bounds)
    kind = ir.MemRefType.get([count], memory_type(operand.walk.dtype))
    return Place(memref.view(kind, operand.data, operand.start(pe), []), operand.walk, first)
