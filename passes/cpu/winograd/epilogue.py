"""Elementwise operations next to a convolution, computed for each position within a tile."""

from __future__ import annotations

from dataclasses import dataclass

from ....dialects.affine.maps import compose_map, map_dims
from ....dialects.constants import constant_number
from ....dialects.host import ir
from ....dialects.structured import Structured, clone_into, structured
from ...tensor.uniform import uniform_scalar
from .image_convolution import ImageConvolution


@dataclass(frozen=True)
class Elementwise:
    """An operation whose loops, in some order, are the dimensions of the convolution's result.

    Attributes:
        number: of its result that matters.
        dims: the loop for each dimension of the convolution's result.
    """

    view: Structured
    number: int
    dims: tuple[int, ...]

    def varies(self, operand: int) -> bool:
        """Whether an operand depends on the position in the image, and not on image and channel alone."""
        spatial = set(self.dims[-3:-1])
        return not spatial.isdisjoint(map_dims(self.view.maps[operand]))

    def operand_map(self, operand: int, loops: ir.AffineMap) -> ir.AffineMap:
        """How an operand is read for the dimensions of the result that `loops` tells."""
        named = list(loops.results)
        replaced = [named[self.dims.index(i)] for i in range(len(self.dims))]
        inner = ir.AffineMap.get(loops.n_dims, 0, replaced)
        return compose_map(self.view.maps[operand], inner)

    def emit(self, scalars: dict[int, ir.Value], shared: dict[ir.Value, ir.Value]) -> ir.Value:
        """The result for the scalars of some operands.

        Args:
            shared: what does not depend on the position; computed at the first call.
        """
        arguments = list(self.view.body.arguments)
        varying = {arguments[k] for k in scalars if self.varies(k)}
        mapping = dict(shared)
        mapping.update((arguments[k], v) for k, v in scalars.items())
        for op in self.view.body_operations():
            results = list(op.operation.results)
            if any(v in varying for v in op.operation.operands):
                varying.update(results)
                clone_into([op], mapping)
            elif results[0] not in shared:
                clone_into([op], mapping)
                shared.update((r, mapping[r]) for r in results)
        end = self.view.yielded[self.number]
        return mapping.get(end, end)


def initial(conv: ImageConvolution) -> Elementwise | ir.Value | None:
    """What the sums start as: None for zero, an operation that makes it of other values, or else the tensor."""
    value = conv.view.inits[0]
    if isinstance(value.owner, ir.Block):
        return value
    scalar = uniform_scalar(value)
    if scalar is not None and constant_number(scalar) == 0:
        return None
    maker = structured(value.owner)
    if maker is None or scalar is not None or not _is_plain(maker):
        return value
    number = list(maker.op.results).index(value)
    return Elementwise(maker, number, _positions(maker.init_maps[number]))


def consumer(conv: ImageConvolution) -> tuple[Elementwise, int] | None:
    """The operation that alone reads the result, in its order, and as which operand."""
    uses = list(conv.view.op.results[0].uses)
    view = structured(uses[0].owner) if len(uses) == 1 else None
    if view is None or not _is_plain(view):
        return None
    operand = uses[0].operand_number
    used = [k for k, result in enumerate(view.op.results) if next(iter(result.uses), None) is not None]
    if len(used) != 1 or operand >= len(view.inputs) or view.maps[operand] != view.init_maps[used[0]]:
        return None
    return Elementwise(view, used[0], _positions(view.maps[operand])), operand


def _is_plain(view: Structured) -> bool:
    """Whether it only computes scalars of scalars."""
    if not view.is_elementwise() or any(view.reads(k) for k in range(len(view.inputs), len(view.operands))):
        return False
    return all(
        op.operation.name != "linalg.index" and not list(op.operation.regions)
        for op in view.body_operations()
    )


def _positions(access: ir.AffineMap) -> tuple[int, ...]:
    return tuple(ir.AffineDimExpr(e).position for e in access.results)
