"""`wse-unfuse-parameters`: what a loop computes of parameters alone becomes an operation of its own."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ....dialects.affine.expressions import dim_position
from ....dialects.host import func, ir, linalg, tensor
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
from ..traversal import collect
from .known_values import KnownValues, is_kept_small, static_bytes


class UnfuseParameters(Pass, name="wse-unfuse-parameters", anchor="func.func"):
    """Takes out of elementwise loops what depends on parameters only, so that it is computed before the call.

    Before, a normalisation with channels innermost, whose four vectors are parameters:

        %y = linalg.generic ins(%x, %gamma, %deviation, %mean, %beta : tensor<56x56x64xf32>, tensor<64xf32>, ...) {
          %scale = arith.mulf %g, %d
          %shift = arith.subf %b, (arith.mulf %m, %scale)
          linalg.yield arith.addf (arith.mulf %in, %scale), %shift
        }

    After: two small operations for `wse-split-parameters`, and a loop with one multiply-add:

        %scale = linalg.generic ins(%gamma, %deviation) ... -> tensor<64xf32>
        %shift = linalg.generic ins(%beta, %mean, %gamma, %deviation) ... -> tensor<64xf32>
        %y = linalg.generic ins(%x, ..., %scale, %shift) { linalg.yield arith.addf (arith.mulf %in, %scale), %shift }

    The inputs that are read no more are left to `wse-dce`. What would be larger than what it is made of, such as an
    outer product of two vectors, stays in the loop.
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        function = op.opview
        if not isinstance(function, func.FuncOp) or len(function.regions[0].blocks) != 1:
            return
        known = KnownValues.of(function).values
        for generic in collect(op, lambda o: isinstance(o.opview, linalg.GenericOp)):
            view = structured(generic)
            if view is None or not view.is_parallel() or all(v in known for v in view.inputs):
                continue
            parts = [part for root in _roots(view, known) if (part := _part(view, root)) is not None]
            if parts:
                _take_out(view, parts)
                run.count("parts taken out of loops", len(parts))


def _roots(view: Structured, known: set[ir.Value]) -> list[ir.Value]:
    """Scalars that known tensors determine and something else needs, in order."""
    scalars = {
        a
        for a, v in zip(view.body.arguments, view.inputs, strict=False)
        if v in known and isinstance(v.type, ir.RankedTensorType)
    }
    computed: list[ir.Operation] = []
    for op in view.body_operations():
        operation = op.operation
        simple = operation.name.startswith(("arith.", "math.")) and len(operation.results) == 1
        operands = list(operation.operands)
        if simple and operands and all(v in scalars or _is_constant(v) for v in operands):
            scalars.add(operation.results[0])
            computed.append(operation)
    inside = set(computed)
    return [
        op.results[0]
        for op in computed
        if any(use.owner.operation not in inside for use in op.results[0].uses)
    ]


def _is_constant(value: ir.Value) -> bool:
    return not isinstance(value.owner, ir.Block) and value.owner.name == "arith.constant"


class _Part:
    """A scalar that is taken out: the operations that compute it, the inputs that they read and their iterators."""

    def __init__(
        self, root: ir.Value, operations: list[Any], inputs: list[int], iterators: list[int]
    ) -> None:
        self.root = root
        self.operations = operations
        self.inputs = inputs
        self.iterators = iterators

    def map_of(self, loops: int) -> ir.AffineMap:
        """From the loop's iterators to the dimensions of the new tensor."""
        return ir.AffineMap.get(loops, 0, [ir.AffineDimExpr.get(i) for i in self.iterators])


def _part(view: Structured, root: ir.Value) -> _Part | None:
    """What computes `root`; None where it is not worth a tensor."""
    needed, operations = {root}, []
    for op in reversed(view.body_operations()):
        if op.operation.results and op.operation.results[0] in needed:
            needed.update(op.operation.operands)
            operations.append(op)
    inputs = [k for k in range(len(view.inputs)) if view.body.arguments[k] in needed]
    subscripts = [dim_position(e) for k in inputs for e in view.maps[k].results]
    sizes = view.loop_sizes()
    if not inputs or None in subscripts or any(sizes[i] is None for i in subscripts if i is not None):
        return None
    iterators = sorted({i for i in subscripts if i is not None})
    size = prod(sizes[i] or 0 for i in iterators)
    sources = (prod(ir.RankedTensorType(view.inputs[k].type).shape) for k in inputs)
    if not is_kept_small(size, sources) or static_bytes(ir.RankedTensorType.get([1], root.type)) is None:
        return None
    return _Part(root, operations[::-1], inputs, iterators)


def _take_out(view: Structured, parts: Sequence[_Part]) -> None:
    """Computes the parts in front of the loop, which reads them."""
    op = view.op
    with op.location, ir.InsertionPoint(op):
        made = [_compute(view, part) for part in parts]
        loops = len(view.iterators)
        old = list(view.body.arguments)
        count = len(view.inputs)
        roots = {part.root for part in parts}
        kept = [o for o in view.body_operations() if not any(r in roots for r in o.operation.results)]

        def body(*arguments: ir.Value) -> list[ir.Value]:
            scalars = [*arguments[:count], *arguments[count + len(parts) :]]
            mapping: dict[ir.Value, ir.Value] = dict(zip(old, scalars, strict=True))
            mapping |= {part.root: arguments[count + k] for k, part in enumerate(parts)}
            clone_into(kept, mapping)
            return [mapping.get(v, v) for v in view.yielded]

        maps = [*view.input_maps, *(part.map_of(loops) for part in parts), *view.init_maps]
        new = rebuild_generic(view, [*view.inputs, *made], maps=maps, body=body)
    replace_op(op, new.results)


def _compute(view: Structured, part: _Part) -> ir.Value:
    """The tensor of all values of a part."""
    sizes = view.loop_sizes()
    place = {i: k for k, i in enumerate(part.iterators)}
    rank = len(part.iterators)

    def local(amap: ir.AffineMap) -> ir.AffineMap:
        dims = [dim_position(e) for e in amap.results]
        return ir.AffineMap.get(rank, 0, [ir.AffineDimExpr.get(place[i]) for i in dims if i is not None])

    def body(*arguments: ir.Value) -> list[ir.Value]:
        mapping: dict[ir.Value, ir.Value] = {
            view.body.arguments[k]: arguments[n] for n, k in enumerate(part.inputs)
        }
        return [clone_into(part.operations, mapping)[part.root]]

    init = tensor.empty([sizes[i] or 0 for i in part.iterators], part.root.type)
    maps = [*(local(view.maps[k]) for k in part.inputs), ir.AffineMap.get_identity(rank)]
    inputs = [view.inputs[k] for k in part.inputs]
    return build_generic(inputs, [init], maps, [PARALLEL] * rank, body).results[0]
