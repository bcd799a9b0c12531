"""Which operations decide where channels lie: convolutions and pooling windows, as their indexing maps tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from ....dialects.affine.expressions import dim_position, used_dims
from ....dialects.affine.linear import coefficient
from ....dialects.affine.maps import map_dims
from ....dialects.host import ir
from ....dialects.structured import PARALLEL, Structured
from .order import Order, order_by_loops

_DEEP = 16  # channels


@dataclass(frozen=True)
class Convolution:
    """A `linalg.generic` that slides a window over an image, with or without a filter.

    Attributes:
        view: the operation.
        image: number of the operand that the window slides over.
        filter: number of the operand with the weights; None for pooling.
        loops: the parallel loops in the order that suits vectors: positions, groups, filters.
    """

    view: Structured
    image: int
    filter: int | None
    loops: tuple[int, ...]

    @property
    def reduced(self) -> list[int]:
        """The loops that are summed over."""
        return [k for k, kind in enumerate(self.view.iterators) if kind != PARALLEL]

    def is_channelwise(self) -> bool:
        """Whether each channel comes from one channel of the image: pooling, depthwise convolution."""
        if self.filter is None:
            return True
        sliding = _sliding_loops(self.view.maps[self.image])
        shared = (
            _plain_loops(self.view.maps[self.image]) & map_dims(self.view.maps[self.filter]) & set(self.loops)
        )
        return bool(shared) and all(loop in sliding for loop in self.reduced)

    def is_of_images(self) -> bool:
        """Whether the result's channels lie outside of two dimensions of positions, as they do in images."""
        result = [dim_position(e) for e in self.view.init_maps[0].results]
        return result.index(self.loops[-1]) < len(result) - 2

    def is_strided(self) -> bool:
        """Whether a window of one leaves positions of the image out."""
        access = self.view.maps[self.image].results
        return any(coefficient(e, i) not in (None, 0, 1) for e in access for i in used_dims(e))

    def row_length(self) -> int | None:
        """Positions that lie side by side in the result; None where that is known only at run time."""
        return self.view.loop_sizes()[dim_position(self.view.init_maps[0].results[-1]) or 0]

    def reads_channels_often(self) -> bool:
        """Whether windows overlap and an element of a deep image takes part in them all.

        Transposing the image costs little beside that, and each step of a window then reads neighbouring elements. A
        few channels, as those of colours, are read from planes as well.
        """
        access = self.view.maps[self.image]
        sizes = self.view.loop_sizes()
        plain = _plain_loops(access)
        deep = prod(sizes[loop] or 1 for loop in self.reduced if loop in plain) >= _DEEP
        return self.filter is not None and deep and any(_overlaps(self.view, e) for e in access.results)

    def result_order(self) -> Order:
        """Channels last for the result."""
        return order_by_loops(self.view.init_maps[0], self.loops)

    def image_order(self) -> Order:
        """Channels last for the image."""
        return order_by_loops(self.view.maps[self.image], (*self.loops, *self.reduced))

    def filter_order(self) -> Order | None:
        """For weights that every channel has its own of: the window outside, channels inside."""
        if self.filter is None:
            return None
        return order_by_loops(self.view.maps[self.filter], (*self.reduced, *self.loops))

    def all_loops(self, image_order: Order) -> list[int]:
        """`loops`, then the summed ones as the image lies in memory, so that reading it moves forward."""
        exprs = self.view.maps[self.image].results
        inner = [loop for d in image_order for loop in sorted(used_dims(exprs[d])) if loop in self.reduced]
        return list(dict.fromkeys((*self.loops, *inner, *self.reduced)))


def _overlaps(view: Structured, expr: ir.AffineExpr) -> bool:
    """Whether a subscript is the sum of a position and a smaller step of a window."""
    used = used_dims(expr)
    steps = {view.iterators[i]: coefficient(expr, i) for i in used}
    sizes = view.loop_sizes()
    inner = [i for i in used if view.iterators[i] != PARALLEL]
    if len(used) != 2 or len(inner) != 1 or None in steps.values():
        return False
    return (steps[PARALLEL] or 0) < (sizes[inner[0]] or 1) * (coefficient(expr, inner[0]) or 0)


def windowed(view: Structured) -> Convolution | None:
    """The convolution or pooling that an operation is, told by a subscript like `2 * oh + kh`; else None."""
    if len(view.inits) != 1 or view.is_parallel():
        return None
    images = [k for k, access in enumerate(view.input_maps) if _slides(view, access)]
    if len(images) != 1:
        return None
    filters = [k for k in range(len(view.inputs)) if k != images[0] and view.reads(k)]
    if len(filters) > 1:
        return None
    return _convolution(view, images[0], filters[0] if filters else None)


def pointwise(view: Structured, is_weight: Callable[[ir.Value], bool]) -> Convolution | None:
    """The convolution with a window of one that an operation is: a product of channels with weights; else None.

    Args:
        is_weight: whether a tensor is a weight. A product of two activations has no channels.
    """
    reads = [k for k in range(len(view.inputs)) if view.reads(k)]
    if len(view.inits) != 1 or view.is_parallel() or len(reads) != 2:
        return None
    weights = [k for k in reads if is_weight(view.inputs[k])]
    if len(weights) != 1:
        return None
    image = reads[0] if reads[1] == weights[0] else reads[1]
    own = map_dims(view.maps[weights[0]]) - map_dims(view.maps[image])
    if not any(view.iterators[loop] == PARALLEL for loop in own):
        return None
    return _convolution(view, image, weights[0])


def _convolution(view: Structured, image: int, weights: int | None) -> Convolution | None:
    result = [dim_position(e) for e in view.init_maps[0].results]
    parallel = [loop for loop in result if loop is not None]
    if len(set(parallel)) != view.iterators.count(PARALLEL) or len(parallel) < 2:
        return None
    if weights is None:
        sliding = _sliding_loops(view.maps[image])
        channels = [loop for loop in parallel if loop not in sliding][-1:]
    else:
        of_image, of_filter = map_dims(view.maps[image]), map_dims(view.maps[weights])
        plain = _plain_loops(view.maps[image])
        shared = [loop for loop in parallel if loop in plain and loop in of_filter]
        channels = shared + [loop for loop in parallel if loop not in of_image]
    positions = [loop for loop in parallel if loop not in channels]
    return Convolution(view, image, weights, (*positions, *channels))


def _slides(view: Structured, access: ir.AffineMap) -> bool:
    """Whether a window does, or one of its taps for each phase of the result, as in `y - (1 - phase) floordiv 2`."""
    for expr in access.results:
        used = used_dims(expr)
        kinds = {view.iterators[loop] for loop in used}
        if len(kinds) == 2 or (len(used) > 1 and "floordiv" in str(expr)):
            return True
    return False


def _sliding_loops(access: ir.AffineMap) -> set[int]:
    """Loops of compound subscripts."""
    return {loop for e in access.results if dim_position(e) is None for loop in used_dims(e)}


def _plain_loops(access: ir.AffineMap) -> set[int]:
    """Loops that are subscripts by themselves: batches and groups, not phases of a transposed convolution."""
    return {loop for e in access.results if (loop := dim_position(e)) is not None}
