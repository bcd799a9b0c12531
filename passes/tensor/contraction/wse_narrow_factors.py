"""`wse-narrow-factors`: products read narrow elements and widen them as they multiply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from ....dialects.affine.maps import identity_maps
from ....dialects.host import arith, ir, tensor
from ....dialects.structured import (
    PARALLEL,
    Structured,
    build_generic,
    element_type,
    inline_body,
    rebuild_generic,
    structured,
)
from ...infra.pass_base import Pass, PassRun
from ..padding import is_zero_pad
from ..simplify.wse_generalize import generalize
from ..sizes import sizes_of
from ..traversal import collect, made_by
from .factors import WIDENINGS, product_factors

_VIEWS = ("tensor.expand_shape", "tensor.collapse_shape", "tensor.extract_slice", "tensor.cast")
_NAMED_COPIES = ("linalg.transpose", "linalg.broadcast")


class NarrowFactors(Pass, name="wse-narrow-factors", anchor="func.func"):
    """Moves the widening of both operands of a product into its body, past copies, reshapes and zeros around them.

    The importer widens f16 in front of a product that a bias follows. Its results are the same then, but its operands
    take twice the memory, travel at half the speed and are converted at every call, parameters too.

        %x = linalg.generic ins(%a : tensor<4x8xf16>) outs(.. : tensor<4x8xf32>) { arith.extf }
        %w = linalg.generic ins(%b : tensor<8x6xf16>) outs(.. : tensor<8x6xf32>) { arith.extf }
        %y = linalg.matmul ins(%x, %w : tensor<4x8xf32>, tensor<8x6xf32>) outs(%zero : tensor<4x6xf32>)
    becomes
        %y = linalg.generic {..} ins(%a, %b : tensor<4x8xf16>, tensor<8x6xf16>) outs(%zero : tensor<4x6xf32>)
               { arith.extf, arith.extf, arith.mulf, arith.addf }

    Sums of i64 of which all readers keep the low bits alone are summed in a type of as many bits, which has the same.
    A product of which only one operand is narrow stays: machines multiply two numbers of one type.
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for copy in collect(op, lambda o: o.name in _NAMED_COPIES):
            if _widening(copy.operands[0]) is not None:
                generalize(copy)
        narrowed = _Narrowed()
        for found in collect(op, lambda o: o.name.startswith("linalg.")):
            narrow, shorter = _has_narrow_factors(found), _low_bits_read(found)
            view = structured(generalize(found) or found) if narrow or shorter is not None else None
            if view is None or product_factors(view) is None:
                continue
            if narrow:
                view = _with_narrow_factors(view, narrowed)
                run.count("products of narrow factors")
            if shorter is not None and _sum_in(view, shorter):
                run.count("products with shorter sums")


def _has_narrow_factors(op: ir.Operation) -> bool:
    """Whether both operands of what may be a product were widened from one type."""
    if len(op.operands) != 3 or len(op.results) != 1:
        return False
    first, second = (_widening(v) for v in list(op.operands)[:2])
    return first is not None and second is not None and first.source == second.source


def _with_narrow_factors(view: Structured, narrowed: _Narrowed) -> Structured:
    """Replaces a product of widened operands."""
    widenings = [(_widening(v), element_type(v.type)) for v in view.inputs]

    def body(*scalars: ir.Value) -> list[ir.Value]:
        wide = [
            _cast(widening.operation, kind, scalar)
            for (widening, kind), scalar in zip(widenings, scalars[:2], strict=True)
            if widening is not None
        ]
        return inline_body(view.body, [*wide, scalars[2]])

    return _replace(view, [narrowed.value(v) for v in view.inputs], view.inits[0], body)


def _replace(
    view: Structured, inputs: list[ir.Value], init: ir.Value, body: Callable[..., list[ir.Value]]
) -> Structured:
    """Replaces a product by one of other operands; its result is cast where the type of the sum is another one."""
    result = view.op.results[0]
    with view.op.location, ir.InsertionPoint(view.op):
        product = rebuild_generic(view, inputs, [init], body=body)
        made = product.results[0]
        if made.type != result.type:
            made = _elementwise("arith.extsi", made, element_type(result.type))
    result.replace_all_uses_with(made)
    view.op.operation.erase()
    return cast(Structured, structured(product))


# -- operands -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Widening:
    """The operation that widened a tensor's elements, and the type that they had."""

    operation: str
    source: ir.Type


def _widening(value: ir.Value) -> _Widening | None:
    """How a tensor's elements were widened, which have only moved since; None when they were not."""
    op = made_by(value)
    if op is None or not isinstance(value.type, ir.RankedTensorType):
        return None
    if op.name in _VIEWS or is_zero_pad(value):
        return _widening(op.operands[0])
    view = structured(op)
    if view is None or len(view.inputs) != 1 or len(view.inits) != 1 or not view.is_parallel():
        return None
    source = view.inputs[0]
    if not isinstance(source.type, ir.RankedTensorType):
        return None
    if view.is_copy():
        return _widening(source)
    body = view.body_operations()
    if len(body) != 1 or body[0].operation.name not in WIDENINGS or view.yielded[0] != body[0].result:
        return None
    return _Widening(body[0].operation.name, element_type(source.type))


@dataclass
class _Narrowed:
    """Tensors with their elements as they were before they were widened, each made once."""

    made: dict[ir.Value, ir.Value] = field(default_factory=dict)

    def value(self, wide: ir.Value) -> ir.Value:
        """The narrow tensor in place of one that was widened."""
        if wide not in self.made:
            op: Any = made_by(wide)
            with op.location, ir.InsertionPoint(op):
                self.made[wide] = self._make(op)
        return self.made[wide]

    def _make(self, op: Any) -> ir.Value:
        view = structured(op)
        if view is None:
            return _view_of(op, self.value(op.operands[0]))
        if not view.is_copy() and view.maps[0] == view.maps[1]:
            return view.inputs[0]
        source = self.value(view.inputs[0]) if view.is_copy() else view.inputs[0]
        empty = tensor.empty(sizes_of(view.inits[0]), element_type(source.type))
        return build_generic([source], [empty], view.maps, view.iterators, lambda x, _: [x]).results[0]


def _view_of(op: Any, source: ir.Value) -> ir.Value:
    """A reshape, slice or padding of another tensor of the same sizes."""
    kind = element_type(source.type)
    zero = arith.constant(kind, 0.0 if isinstance(kind, ir.FloatType) else 0) if len(op.regions) else None
    clone = op.clone()
    clone.operands[0] = source
    clone.results[0].set_type(ir.RankedTensorType.get(ir.RankedTensorType(op.results[0].type).shape, kind))
    if zero is not None:
        list(clone.regions[0].blocks[0].operations)[-1].operation.operands[0] = zero
    return clone.results[0]


# -- sums ---------------------------------------------------------------------------------------------------------


def _low_bits_read(op: ir.Operation) -> ir.IntegerType | None:
    """The shorter type to which all readers cut the integers that an operation makes; None when they do not."""
    if (
        len(op.operands) != 3
        or len(op.results) != 1
        or not isinstance(op.results[0].type, ir.RankedTensorType)
    ):
        return None
    if not isinstance(element_type(op.results[0].type), ir.IntegerType):
        return None
    cuts: set[ir.Type] = set()
    for use in op.results[0].uses:
        reader = structured(use.owner)
        if reader is None or use.operand_number >= len(reader.inputs):
            return None
        for scalar in reader.body.arguments[use.operand_number].uses:
            if scalar.owner.operation.name != "arith.trunci":
                return None
            cuts.add(scalar.owner.operation.results[0].type)
    return ir.IntegerType(cuts.pop()) if len(cuts) == 1 else None


def _sum_in(view: Structured, kind: ir.IntegerType) -> bool:
    """Makes a product sum in a shorter type that holds its factors; False when it does not."""
    factors = product_factors(view)
    if factors is None or any(s.name not in WIDENINGS for f in factors for s in f.steps):
        return False
    names = [[s.name for s in f.steps] for f in factors]
    widths = [ir.IntegerType(element_type(v.type)).width for v in view.inputs]
    if any(width > kind.width or len(set(n)) > 1 for width, n in zip(widths, names, strict=True)):
        return False

    def body(first: ir.Value, second: ir.Value, total: ir.Value) -> list[ir.Value]:
        wide = [
            scalar if scalar.type == kind else _cast(name[0], kind, scalar)
            for scalar, name in zip((first, second), names, strict=True)
        ]
        return [arith.addi(total, arith.muli(*wide))]

    with view.op.location, ir.InsertionPoint(view.op):
        init = _elementwise("arith.trunci", view.inits[0], kind)
    _replace(view, list(view.inputs), init, body)
    return True


def _elementwise(name: str, value: ir.Value, kind: ir.Type) -> ir.Value:
    """A tensor whose elements are cast."""
    empty = tensor.empty(sizes_of(value), kind)
    rank = ir.RankedTensorType(value.type).rank
    return build_generic(
        [value], [empty], identity_maps(rank, 2), [PARALLEL] * rank, lambda x, _: [_cast(name, kind, x)]
    ).results[0]


def _cast(name: str, kind: ir.Type, value: ir.Value) -> ir.Value:
    """A scalar, widened or cut by the operation of that name."""
    return ir.Operation.create(name, results=[kind], operands=[value]).results[0]
