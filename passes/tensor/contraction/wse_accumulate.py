"""`wse-accumulate`: the element type that matrix products sum in."""

from __future__ import annotations

from ....dialects.affine.maps import identity_maps
from ....dialects.constants import constant_attribute
from ....dialects.host import arith, ir
from ....dialects.host import tensor as tensor_dialect
from ....dialects.structured import (
    PARALLEL,
    REDUCTION,
    Structured,
    build_generic,
    element_type,
    rebuild_generic,
    structured,
)
from ...infra.diagnostics import PassFailure
from ...infra.pass_base import Pass, PassRun, option
from ..simplify.wse_generalize import generalize
from ..traversal import collect

_WIDTH = {"f16": 16, "bf16": 16, "f32": 32}
_EXTENSIONS = ("arith.extf",)


class Accumulate(Pass, name="wse-accumulate", anchor="func.func"):
    """Makes every product of f16 or bf16 tensors sum in another type, and converts its result back.

    The importer sums f16 in f32; a machine is faster, and less exact, when sums are rounded to f16 at every step.
    Products of other types, and those that sum in the type already, stay as they are.

        %0 = linalg.matmul ins(%a, %b : tensor<4x8xf16>, ..) outs(%zero : tensor<4x6xf32>) -> ..
    becomes, with type=f16
        %1 = linalg.generic {..} ins(%a, %b) outs(%zero16 : tensor<4x6xf16>) { arith.mulf, arith.addf : f16 }
        %0 = linalg.generic {..} ins(%1) outs(..) { arith.extf f16 to f32 }
    """

    type: str = option("f32", "f16, bf16 or f32")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        if self.type not in _WIDTH:
            raise PassFailure(op, f"products cannot sum in '{self.type}'", hint="type=f16, bf16 or f32")
        with op.context:
            wanted = ir.Type.parse(self.type)
            for found in collect(op, lambda o: o.name.startswith("linalg.")):
                if not _may_be_product(found):
                    continue
                view = structured(generalize(found) or found)
                if view is not None and _sums_narrow_products(view) and self._is_other(view, wanted):
                    _retype(view, wanted)
                    run.count("products that sum in another type")

    def _is_other(self, view: Structured, wanted: ir.Type) -> bool:
        """Whether the product sums in another type than the wanted one, which must be able to hold its factors."""
        factor = str(element_type(view.inputs[0].type))
        fits = _WIDTH[self.type] > _WIDTH[factor] or self.type == factor
        return fits and element_type(view.inits[0].type) != wanted


def _may_be_product(op: ir.Operation) -> bool:
    """Whether it is worth to look into an operation: two narrow float tensors in, one tensor out."""
    types = [v.type for v in op.operands]
    if len(types) != 3 or len(op.results) != 1 or not all(isinstance(t, ir.RankedTensorType) for t in types):
        return False
    return all(str(element_type(t)) in ("f16", "bf16") for t in types[:2])


def _sums_narrow_products(view: Structured) -> bool:
    """Whether the body is `sum + widened(a) * widened(b)` over at least one reduction."""
    operations = view.body_operations()
    arithmetic = [o for o in operations if o.operation.name not in _EXTENSIONS]
    if REDUCTION not in view.iterators or [o.operation.name for o in arithmetic] != [
        "arith.mulf",
        "arith.addf",
    ]:
        return False
    product, total = arithmetic
    arguments = list(view.body.arguments)
    factors = {_narrow(v) for v in product.operands}
    terms = set(total.operands)
    return (
        factors == set(arguments[:2])
        and terms == {arguments[2], product.results[0]}
        and list(view.yielded) == [total.results[0]]
    )


def _narrow(value: ir.Value) -> ir.Value:
    """What a value was before it was widened."""
    owner = value.owner
    return value if isinstance(owner, ir.Block) or owner.name not in _EXTENSIONS else owner.operands[0]


def _retype(view: Structured, wanted: ir.Type) -> None:
    """Rebuilds the product to sum in `wanted`."""
    op = view.op
    result = op.results[0]
    old = ir.RankedTensorType(result.type)
    with op.location, ir.InsertionPoint(op):
        init = _converted(view.inits[0], wanted)
        product = rebuild_generic(
            view,
            inits=[init],
            body=lambda a, b, total: [arith.addf(total, arith.mulf(_cast(a, wanted), _cast(b, wanted)))],
        )
        back = _converted(product.results[0], old.element_type)
    result.replace_all_uses_with(back)
    op.operation.erase()


def _converted(tensor: ir.Value, wanted: ir.Type) -> ir.Value:
    """`tensor` with elements of another type: a number everywhere stays that, anything else is converted."""
    shaped = ir.RankedTensorType(tensor.type)
    target = ir.RankedTensorType.get(shaped.shape, wanted)
    number = _filled(tensor)
    empty = ir.Operation.create("tensor.empty", results=[target], operands=_dynamic_sizes(tensor)).result
    if number is not None:
        constant = arith.constant(wanted, number)
        body, inputs = (lambda _: [constant]), []
    else:
        body, inputs = (lambda value, _: [_cast(value, wanted)]), [tensor]
    maps = identity_maps(shaped.rank, len(inputs) + 1)
    return build_generic(inputs, [empty], maps, [PARALLEL] * shaped.rank, body).results[0]


def _dynamic_sizes(tensor: ir.Value) -> list[ir.Value]:
    shaped = ir.RankedTensorType(tensor.type)
    return [
        tensor_dialect.dim(tensor, arith.constant(ir.IndexType.get(), d))
        for d in range(shaped.rank)
        if shaped.is_dynamic_dim(d)
    ]


def _filled(tensor: ir.Value) -> float | None:
    """The number that every element of a tensor is, None when that is not plain to see."""
    owner = tensor.owner
    if isinstance(owner, ir.Block):
        return None
    number = constant_attribute(owner.operands[0] if owner.name == "linalg.fill" else tensor)
    return None if number is None else ir.FloatAttr(number).value


def _cast(value: ir.Value, wanted: ir.Type) -> ir.Value:
    """A scalar in the wanted float type."""
    have, want = _WIDTH[str(value.type)], _WIDTH[str(wanted)]
    if value.type == wanted:
        return value
    return arith.extf(wanted, value) if want > have else arith.truncf(wanted, value)
