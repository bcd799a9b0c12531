"""Recognises convolutions of images with three by three or five by five taps, in any order of their dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ....dialects.affine.expressions import dim_position
from ....dialects.affine.linear import IndexSum, linear
from ....dialects.host import ir
from ....dialects.structured import PARALLEL, Structured
from ...tensor.contraction.form import is_multiply_add
from .interpolation import TILES


@dataclass(frozen=True)
class ImageConvolution:
    """A `linalg.generic` that slides a filter over images, one element at a time and along two dimensions.

    Attributes:
        view: the operation; image: number of the operand that is one, the other is the filter.
        batch: loops over images; spatial: the two over positions; taps: of the filter, along these.
        channel / feature: loops over what is summed and over the filters.
        sizes: trip counts of all loops.
    """

    view: Structured
    image: int
    batch: tuple[int, ...]
    spatial: tuple[int, int]
    taps: tuple[int, int]
    channel: int
    feature: int
    sizes: tuple[int, ...]

    @staticmethod
    def of(view: Structured) -> ImageConvolution | None:
        """The convolution that an operation on tensors of f32 is, whose result has its filters innermost."""
        sizes = tuple(size or 0 for size in view.loop_sizes())
        if view.is_parallel() or len(view.inputs) != 2 or not all(sizes) or not is_multiply_add(view):
            return None
        if not all(isinstance(v.type, ir.RankedTensorType) for v in view.operands):
            return None
        if any(v.type.element_type != ir.F32Type.get() for v in view.operands):
            return None
        found = (_with_image(view, k, sizes) for k in (0, 1))
        return next((c for c in found if c is not None), None)

    @property
    def order(self) -> tuple[int, ...]:
        """The loops of the result, as its dimensions lie."""
        return (*self.batch, *self.spatial, self.feature)

    @property
    def images(self) -> int:
        return prod(self.sizes[i] for i in self.batch)

    @property
    def extent(self) -> tuple[int, int]:
        """Positions along both dimensions."""
        return self.sizes[self.spatial[0]], self.sizes[self.spatial[1]]

    @property
    def width(self) -> int:
        """Taps of the filter along either dimension."""
        return self.sizes[self.taps[0]]

    @property
    def channels(self) -> int:
        return self.sizes[self.channel]

    @property
    def features(self) -> int:
        return self.sizes[self.feature]


def _with_image(view: Structured, image: int, sizes: tuple[int, ...]) -> ImageConvolution | None:
    subscripts = [linear(e) for e in view.maps[image].results]
    filters = [dim_position(e) for e in view.maps[1 - image].results]
    result = [dim_position(e) for e in view.init_maps[0].results]
    if None in subscripts or None in filters or None in result:
        return None
    forms = [form for form in subscripts if form is not None]
    if any(form.constant or any(factor != 1 for factor, _ in form.terms) for form in forms):
        return None
    read = [i for form in forms for i in form.dims]
    windows = [w for form in forms if (w := _window(view, form)) is not None]
    if len(windows) != 2 or len(read) != len(forms) + 2 or len(set(read)) != len(read):
        return None
    (y, i), (x, j) = sorted(windows, key=lambda w: result.index(w[0]))
    plain = [p for p in read if p not in (y, i, x, j)]
    channels = [p for p in plain if view.iterators[p] != PARALLEL]
    features = [p for p in filters if p not in read]
    if len(channels) != 1 or len(features) != 1 or features[0] is None:
        return None
    if sizes[i] != sizes[j] or sizes[i] not in TILES:
        return None
    if set(filters) != {*features, *channels, i, j} or len(filters) != 4:
        return None
    batch = tuple(p for p in result if p in plain and p is not None)
    found = ImageConvolution(view, image, batch, (y, x), (i, j), channels[0], features[0], sizes)
    return found if result == list(found.order) else None


def _window(view: Structured, form: IndexSum) -> tuple[int, int] | None:
    """(position, tap) of a subscript that is the sum of both."""
    used = sorted(form.dims, key=lambda i: view.iterators[i] != PARALLEL)
    if [view.iterators[i] == PARALLEL for i in used] != [True, False]:
        return None
    return used[0], used[1]
