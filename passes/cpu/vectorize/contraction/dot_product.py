"""Instructions that add the products of several neighbouring narrow elements to each 32-bit lane of a vector."""

from __future__ import annotations

from dataclasses import dataclass

from .....dialects.affine.expressions import dim_position, used_dims
from .....dialects.host import arith, ir, llvm, vector
from .....dialects.structured import Structured, element_type
from ....tensor.contraction.factors import product_factors
from ....tensor.contraction.form import ContractionForm
from ...processor import Processor
from .byte_factors import Byte, byte_of, flip
from .flat_operand import FlatOperand, Offset, add, multiply
from .packing import ReductionGroup

_WORD = 32  # bits of a lane


@dataclass(frozen=True)
class DotProduct:
    """Such an instruction, for one contraction.

    Two bf16: `vdpbf16ps` adds products, which are exact, to f32 one by one and rounds to nearest each time; it takes
    subnormal numbers for zero. So a sum of K products is within K * 2^-24 of the sum of their magnitudes, as with
    products of f32, plus K * 2^-126 times the largest factor.

    Four bytes: `vpdpbusd` is exact modulo 2^32; those of the lhs are unsigned, those of the rhs signed.

    Attributes:
        group: products in a lane.
        intrinsic: LLVM's name of it, without the number of bits.
        is_flipped: whether the first bit of the lhs's bytes is inverted before they are multiplied.
    """

    group: int
    intrinsic: str
    is_flipped: bool = False

    def emit(self, sums: ir.Value, left: ir.Value, right: ir.Value) -> ir.Value:
        """The sums with the products added; `left` and `right` are vectors of narrow elements."""
        bits = ir.VectorType(sums.type).shape[0] * _WORD
        name = f"{self.intrinsic}.{bits}"
        return llvm.call_intrinsic(sums.type, name, [sums, left, right], [], [])

    def broadcast(self, group: ir.Value, lanes: int) -> ir.Value:
        """A group of the lhs, a short vector, in every lane."""
        element = ir.VectorType(group.type).element_type
        word = ir.IntegerType.get_signless(_WORD)
        bits = vector.bitcast(ir.VectorType.get([1], word), group)
        scalar = vector.ExtractOp(bits, [], [0]).result
        words = vector.BroadcastOp(ir.VectorType.get([lanes], word), scalar).result
        wide = vector.bitcast(ir.VectorType.get([lanes * self.group], element), words)
        return flip(wide) if self.is_flipped else wide

    def group_of(self, view: Structured, form: ContractionForm) -> ReductionGroup | None:
        """The points of the reduction that lie side by side in the lhs; None if none do, or fewer than half a group.

        They are the last dimension of the lhs as they stand, so that the trip count of their loop remains known when
        the rhs has them in groups.
        """
        *others, last = view.maps[form.lhs].results
        iterator = dim_position(last)
        if iterator not in form.reduction or any(iterator in used_dims(e) for e in others):
            return None
        size = view.loop_sizes()[iterator]
        is_read = any(iterator in used_dims(e) for e in view.maps[form.rhs].results)
        return ReductionGroup(iterator, self.group) if is_read and 2 * (size or 0) > self.group else None


def dot_product(view: Structured, form: ContractionForm, cpu: Processor) -> DotProduct | None:
    """The processor's instruction for a contraction's products, None when it has none."""
    factors = product_factors(view)
    if factors is None:
        return None
    lhs, rhs = factors[form.lhs], factors[form.rhs]
    kinds = [element_type(v.type) for v in (view.inputs[form.lhs], view.inputs[form.rhs], view.inits[0])]
    if kinds == [ir.BF16Type.get(), ir.BF16Type.get(), ir.F32Type.get()]:
        return DotProduct(2, "llvm.x86.avx512bf16.dpbf16ps") if cpu.has_bf16_dot else None
    byte, word = ir.IntegerType.get_signless(8), ir.IntegerType.get_signless(_WORD)
    if kinds != [byte, byte, word] or not cpu.has_int8_dot:
        return None
    left, right = byte_of(lhs.steps), byte_of(rhs.steps)
    if left is None or left.is_signed or left.offset or right != Byte(is_signed=True):
        return None
    return DotProduct(4, "llvm.x86.avx512.vpdpbusd", left.is_flipped)


def read_group(lhs: FlatOperand, offset: Offset, stride: Offset, size: int, filled: int) -> ir.Value:
    """Elements of the lhs at a distance of `stride`, and zeros from the `filled`th on, as a short vector."""
    if stride == 1 and filled == size:
        return lhs.vector(offset, size)
    elements = [lhs.scalar(add(offset, multiply(stride, k))) for k in range(filled)]
    is_float = isinstance(lhs.element, ir.FloatType)
    zero = arith.constant(lhs.element, 0.0 if is_float else 0)
    kind = ir.VectorType.get([size], lhs.element)
    return vector.FromElementsOp(kind, elements + [zero] * (size - filled)).result
