"""`wse-widen-rows`: elements of f16 that are read for many columns are converted once."""

from __future__ import annotations

from ....dialects.host import arith, func, ir, tensor
from ....dialects.structured import (
    PARALLEL,
    Structured,
    build_generic,
    clone_into,
    rebuild_generic,
    replace_op,
    structured,
)
from ...infra.pass_base import Pass, PassRun
from ...tensor.contraction.factors import product_factors
from ...tensor.contraction.form import ContractionForm, contraction_form
from ...tensor.sizes import sizes_of
from ...tensor.traversal import collect

_MANY_COLUMNS = 128  # two panels or more read each element


class WidenRows(Pass, name="wse-widen-rows", anchor="func.func"):
    """Takes the cast of a contraction's left-hand side from f16 out of it again.

    A tile reads this operand one scalar at a time, once for each panel of columns, and converting f16 takes as long
    as two multiply-adds of a vector. Before the product, vectors are converted. (bf16 becomes f32 by a shift, which is
    hidden behind the products; weights are read in vectors, and half as many bytes of them.)

        %y = linalg.generic {matmul} ins(%x, %w : tensor<64x512xf16>, tensor<8x512x64xf16>) ... { arith.extf ... }
    becomes
        %z = linalg.generic ins(%x) outs(tensor<64x512xf32>) { arith.extf }
        %y = linalg.generic {matmul} ins(%z, %w : tensor<64x512xf32>, tensor<8x512x64xf16>) ...
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        if not isinstance(op.opview, func.FuncOp):
            return
        for generic in collect(op, lambda o: structured(o) is not None):
            view = structured(generic)
            form = contraction_form(view) if view is not None else None
            if view is not None and form is not None and _pays(view, form):
                _widen(view, form)
                run.count("operands widened")


def _pays(view: Structured, form: ContractionForm) -> bool:
    """Whether the left-hand side is a tensor of f16 that is widened to f32 for many columns."""
    kind, columns = view.inputs[form.lhs].type, view.loop_sizes()[form.column]
    factors = product_factors(view)
    if not isinstance(kind, ir.RankedTensorType) or factors is None or columns is None:
        return False
    steps = [(step.name, step.element) for step in factors[form.lhs].steps]
    is_half = isinstance(kind.element_type, ir.F16Type) and steps == [("arith.extf", ir.F32Type.get())]
    return is_half and columns >= _MANY_COLUMNS


def _widen(view: Structured, form: ContractionForm) -> None:
    op, value = view.op, view.inputs[form.lhs]
    factors = product_factors(view)
    assert factors is not None, "the view is a contraction"
    argument, f32 = factors[form.lhs].argument, ir.F32Type.get()
    cast = next(iter(argument.uses)).owner
    rank = ir.RankedTensorType(value.type).rank
    old = list(view.body.arguments)

    def body(*arguments: ir.Value) -> list[ir.Value]:
        mapping: dict[ir.Value, ir.Value] = dict(zip(old, arguments, strict=True))
        mapping[cast.results[0]] = arguments[form.lhs]
        clone_into([o for o in view.body_operations() if o.operation != cast.operation], mapping)
        return [mapping.get(v, v) for v in view.yielded]

    with op.location, ir.InsertionPoint(op):
        identity = ir.AffineMap.get_identity(rank)
        wide = build_generic(
            [value],
            [tensor.empty(sizes_of(value), f32)],
            [identity] * 2,
            [PARALLEL] * rank,
            lambda x, _: [arith.extf(f32, x)],
        )
        inputs = [wide.results[0] if k == form.lhs else v for k, v in enumerate(view.inputs)]
        made = rebuild_generic(view, inputs, body=body)
    replace_op(op, made.results)
