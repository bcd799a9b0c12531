"""`wse-fold-zero-points`: sums of products of bytes take bytes as they lie in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ....dialects.host import func, ir
from ....dialects.structured import Structured, build_generic, clone_into, replace_op, structured
from ...infra.pass_base import Pass, PassRun, option
from ...tensor.contraction.form import ContractionForm, contraction_form
from ...tensor.prepack.known_values import KnownValues
from ...tensor.traversal import collect
from ..processor import Processor, processor
from .byte_products import ByteOperand, column_sums, narrow_init, rebuild, sides_of, with_sums

_WORD = 32


class FoldZeroPoints(Pass, name="wse-fold-zero-points", anchor="func.func"):
    """Makes products of quantised numbers products of bytes; what their zero points add is computed with the weights.

    Of `sum((a - z) * w)`, the part `z * sum(w)` depends on weights alone, and is what the sums begin with.

        %a = linalg.generic ins(%x : tensor<32x64xi8>) { arith.extui i8 to i32; arith.subi %3 }
        %y = linalg.generic {matmul} ins(%a, %w : tensor<32x64xi32>, tensor<64x48xi8>) outs(%zero : tensor<32x48xi64>)
        %r = linalg.generic ins(%y) { arith.trunci i64 to i32 }
    becomes
        %s = linalg.generic {sum over k} ins(%w) { acc + -3 * w }
        %i = linalg.generic {broadcast} ins(%zero, %s) outs(tensor<32x48xi32>)
        %r = linalg.generic {matmul} ins(%x, %w : tensor<32x64xi8>, tensor<64x48xi8>) outs(%i : tensor<32x48xi32>)
               { arith.extui %x; arith.extsi %w }

    Sums in i64 of which only 32 bits are used are sums in i32. Where the processor multiplies unsigned by signed bytes
    (`Processor.has_int8_dot`), signed ones of the left-hand side are read with their first bit flipped, which is 128
    more, and 128 is one more zero point. All this is exact modulo 2^32. Where no operand is known before the call, zero
    points stay.
    """

    cpu: str = option("", "LLVM's name of the processor that code is for; this machine's when empty")
    features: str = option("", "LLVM's processor features on top of that, '+avx2,-avx512f'")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        function = op.opview
        if not isinstance(function, func.FuncOp) or len(function.regions[0].blocks) != 1:
            return
        folding = _Folding(KnownValues.of(function).values, processor(self.cpu, self.features))
        # what reads the sums of one is replaced along with it, but is no product itself
        for product in collect(op, _is_product):
            view = structured(product)
            form = contraction_form(view) if view is not None else None
            if view is not None and form is not None and folding.apply(view, form):
                run.count("products of bytes")


def _is_product(op: ir.Operation) -> bool:
    view = structured(op)
    return view is not None and contraction_form(view) is not None


@dataclass
class _Folding:
    """Rewrites products of one function; `known` are the values that parameters determine."""

    known: set[ir.Value]
    cpu: Processor

    def apply(self, view: Structured, form: ContractionForm) -> bool:
        """Rewrites a product of bytes; False when it is none, or already as it should be."""
        sides = sides_of(view)
        if sides is None or not all(isinstance(v.type, ir.RankedTensorType) for v in view.operands):
            return False
        readers = _truncating_readers(view)
        if readers is None:
            return False
        with view.op.location, ir.InsertionPoint(view.op):
            init = narrow_init(view.inits[0]) if readers else view.inits[0]
            folded, init = self._without_zero_point(view, form, sides, init)
            if not readers and folded == sides and [s.value for s in sides] == list(view.inputs):
                return False
            result = rebuild(view, folded, init)
        if not readers:
            view.op.results[0].replace_all_uses_with(result)
        for reader in readers:
            _read_narrow(reader, view.op.results[0], result)
        view.op.operation.erase()
        return True

    def _without_zero_point(
        self, view: Structured, form: ContractionForm, sides: tuple[ByteOperand, ByteOperand], init: ir.Value
    ) -> tuple[tuple[ByteOperand, ByteOperand], ir.Value]:
        """Operands without the zero point of the one that is not known, and the beginning that makes up for it."""
        known = [side.value in self.known for side in sides]
        if known[0] == known[1]:
            return sides, init
        weights = known.index(True)
        other = sides[1 - weights]
        if sides[weights].byte.signed().offset:
            return sides, init
        byte = other.byte
        if self.cpu.has_int8_dot and weights == form.rhs:
            byte = byte.unsigned()
        fixed = sides[weights].with_signs()
        if byte.offset:
            sums = column_sums(view, fixed, byte.offset)
            if sums is None:
                return sides, init
            init = with_sums(view, init, *sums)
        plain = replace(other, byte=replace(byte, offset=0))
        return ((fixed, plain) if weights == 0 else (plain, fixed)), init


def _truncating_readers(view: Structured) -> list[Structured] | None:
    """The readers of sums in i64 that use 32 bits of them; none for sums in i32, None for any others."""
    result = view.op.results[0]
    width = ir.IntegerType(ir.RankedTensorType(result.type).element_type).width
    if width <= _WORD:
        return [] if width == _WORD else None
    readers = []
    for use in result.uses:
        reader = structured(use.owner)
        if reader is None or not _only_truncates(reader, result):
            return None
        readers.append(reader)
    return readers or None


def _only_truncates(reader: Structured, value: ir.Value) -> bool:
    """Whether an operation reads a value as an input, and of it the lower 32 bits."""
    if value in reader.inits or not reader.is_elementwise():
        return False
    arguments = [a for a, v in zip(reader.body.arguments, reader.inputs, strict=False) if v == value]
    users: list[Any] = [use.owner for argument in arguments for use in argument.uses]
    return all(
        u.name == "arith.trunci" and u.results[0].type == ir.IntegerType.get_signless(_WORD) for u in users
    )


def _read_narrow(reader: Structured, old: ir.Value, new: ir.Value) -> None:
    """Replaces a reader by one of sums in i32."""
    arguments = list(reader.body.arguments)

    def body(*given: ir.Value) -> list[ir.Value]:
        mapping: dict[ir.Value, ir.Value] = dict(zip(arguments, given, strict=True))
        for op in reader.body_operations():
            narrow = mapping.get(op.operands[0]) if op.name == "arith.trunci" else None
            if narrow is not None and narrow.type == op.results[0].type:
                mapping[op.results[0]] = narrow
            else:
                clone_into([op], mapping)
        return [mapping.get(v, v) for v in reader.yielded]

    inputs = [new if v == old else v for v in reader.inputs]
    with reader.op.location, ir.InsertionPoint(reader.op):
        made = build_generic(inputs, reader.inits, reader.maps, reader.iterators, body)
    replace_op(reader.op, made.results)
