"""`wse-generalize`: named linalg operations become `linalg.generic`."""

from __future__ import annotations

from typing import Any

from ....dialects.affine.expressions import dim_position
from ....dialects.host import ir, linalg
from ....dialects.structured import (
    PARALLEL,
    REDUCTION,
    build_generic,
    hand_on_attributes,
    inline_body,
    replace_op,
)
from ...infra.pass_base import Pass, PassRun
from ..traversal import collect
from .softmax import decompose_softmax


class Generalize(Pass, name="wse-generalize", anchor="func.func"):
    """Rewrites every named linalg operation (matmul, convolution, fill, transpose, ...) as `linalg.generic`.

    The operation's own indexing maps and region give maps and body; an iterator that no init depends on is
    a reduction. `linalg.softmax`, which is not one loop nest, becomes four (maximum, exponential, sum, quotient).

        %0 = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%c : tensor<4x16xf32>) -> ...
    becomes
        %0 = linalg.generic {indexing_maps = [(i, j, k) -> (i, k), (i, j, k) -> (k, j), (i, j, k) -> (i, j)],
                             iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b) outs(%c) {
          ^bb0(%x: f32, %y: f32, %z: f32): ... arith.mulf, arith.addf ... linalg.yield }
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for softmax in collect(op, lambda o: o.name == "linalg.softmax"):
            decompose_softmax(softmax)
            run.count("softmax operations decomposed")
        for named in collect(op, lambda o: o.name.startswith("linalg.")):
            if generalize(named) is not None:
                run.count("named operations generalised")
            elif named.name != "linalg.generic":
                run.remark(named, f"{named.name} has no single loop nest; left as it is")


def generalize(op: ir.Operation) -> Any | None:
    """Replaces one named operation by a generic one, which is returned; None when it cannot be."""
    if op.name == "linalg.generic" or len(op.regions) != 1:
        return None
    maps_attribute = linalg.get_indexing_maps(op)  # pyright: ignore[reportAttributeAccessIssue]
    if maps_attribute is None:
        return None
    maps = [ir.AffineMapAttr(a).value for a in ir.ArrayAttr(maps_attribute)]
    body = op.regions[0].blocks[0]
    count = len(op.results) or sum(isinstance(v.type, ir.MemRefType) for v in list(op.operands)[-1:])
    inputs, inits = list(op.operands)[: len(op.operands) - count], list(op.operands)[-count:]
    with op.location:
        generic = build_generic(
            inputs,
            inits,
            maps,
            _iterators(maps, len(inputs)),
            # Where a body ignores its init (linalg.map), the block has no argument for it.
            lambda *scalars: inline_body(body, scalars[: len(body.arguments)]),
            location=op.location,
            ip=ir.InsertionPoint(op),
        )
    for inner in generic.operation.regions[0].blocks[0].operations:
        if inner.location == ir.Location.unknown(op.context):  # of a named operation's hidden body
            inner.operation.location = op.location
    hand_on_attributes(op, generic)
    replace_op(op, generic.results)
    return generic


def _iterators(maps: list[ir.AffineMap], inputs: int) -> list[str]:
    written = {dim_position(expr) for amap in maps[inputs:] for expr in amap.results}
    return [PARALLEL if d in written else REDUCTION for d in range(maps[0].n_dims)]
