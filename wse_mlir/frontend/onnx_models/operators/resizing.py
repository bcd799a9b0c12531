"""Resampling of images of any number of dimensions, one dimension after the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

from ...decompositions import decomposition_table
from ...narrow_floats import widened
from ..registry import operator
from ..values import (
    MOST_PLACES,
    Unsupported,
    dimensions,
    full_like_constant,
    integers,
    numbers,
    refuse_unless,
)

aten = torch.ops.aten

_TAPS = 4  # of an element that are gathered; more make a product with a matrix
# By dimensions of the tensor: what tracing would not take from the table of decompositions by itself.
_LINEAR = {
    3: aten.upsample_linear1d.vec,
    4: aten.upsample_bilinear2d.vec,
    5: aten.upsample_trilinear3d.vec,
}


@dataclass(frozen=True)
class _Method:
    """How positions are mapped and neighbours weighted; attributes as ONNX names them."""

    mode: str
    coordinates: str
    nearest: str
    cubic: float
    exclude_outside: bool
    outside: float
    antialias: bool


@dataclass(frozen=True)
class _Axis:
    """One dimension: sizes, the given factor, and the part of it that is looked at (from 0 to 1)."""

    dim: int
    size: int
    target: int
    scale: float
    start: float = 0.0
    end: float = 1.0


@operator("Resize")
def resize(
    x: torch.Tensor,
    *inputs: Any,
    antialias: int = 0,
    axes: list[int] | None = None,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
    opset: int,
) -> torch.Tensor:
    """By factors or to sizes; until version 10 by factors alone, from the corner."""
    if opset < 11:
        return _resize(x, _axes(x, None, inputs[0], None, None, "stretch"), _OLD[mode])
    roi, scales, sizes = (*inputs, None, None, None)[:3]
    crops = coordinate_transformation_mode == "tf_crop_and_resize"
    method = _Method(
        mode, coordinate_transformation_mode, nearest_mode, cubic_coeff_a, bool(exclude_outside),
        extrapolation_value, bool(antialias),
    )  # fmt: skip
    return _resize(x, _axes(x, axes, scales, sizes, roi if crops else None, keep_aspect_ratio_policy), method)


_OLD = {
    mode: _Method(mode, "asymmetric", "floor", -0.75, False, 0.0, False) for mode in ("nearest", "linear")
} | {"bilinear": _Method("linear", "asymmetric", "floor", -0.75, False, 0.0, False)}


@operator("Upsample")
def upsample(
    x: torch.Tensor,
    scales: Any = None,
    *,
    mode: str = "nearest",
    height_scale: float | None = None,
    width_scale: float | None = None,
) -> torch.Tensor:
    """By factors, from the corner."""
    factors = scales if scales is not None else [1.0, 1.0, height_scale, width_scale]
    return _resize(x, _axes(x, None, factors, None, None, "stretch"), _OLD[mode])


def _axes(x: torch.Tensor, axes: Any, scales: Any, sizes: Any, roi: Any, policy: str) -> list[_Axis]:
    dims = dimensions(axes, x.dim())
    refuse_unless(all(isinstance(x.shape[d], int) for d in dims), "resampling of a size that is left open")
    if scales is not None and len(numbers(scales)):
        factors = numbers(scales)
        targets = [math.floor(x.shape[d] * f) for d, f in zip(dims, factors, strict=True)]
    else:
        targets = integers(sizes)
        factors = [t / x.shape[d] for d, t in zip(dims, targets, strict=True)]
        if policy != "stretch":
            factor = (min if policy == "not_larger" else max)(factors)
            factors = [factor] * len(dims)
            targets = [math.floor(factor * x.shape[d] + 0.5) for d in dims]
    refuse_unless(all(0 <= t <= MOST_PLACES for t in targets), f"the sizes {targets}")
    parts = numbers(roi) if roi is not None else [0.0] * len(dims) + [1.0] * len(dims)
    refuse_unless(len(parts) == 2 * len(dims), "a region with other than two numbers per dimension")
    return [
        _Axis(d, x.shape[d], target, factor, parts[k], parts[k + len(dims)])
        for k, (d, target, factor) in enumerate(zip(dims, targets, factors, strict=True))
    ]


def _resize(x: torch.Tensor, axes: list[_Axis], method: _Method) -> torch.Tensor:
    changed = [
        a for a in axes if a.scale != 1.0 or a.target != a.size or method.coordinates == "tf_crop_and_resize"
    ]
    plain = _by_pytorch(x, changed, method)
    if plain is not None:
        return plain
    if method.mode == "nearest":
        for axis in changed:
            places, outside = _nearest(axis, method)
            x = torch.index_select(x, axis.dim, full_like_constant(places, torch.int64))
            x = _filled(x, axis.dim, outside, method.outside)
        return x
    wide = widened(x) if x.is_floating_point() else x.to(torch.float32)
    for axis in changed:
        wide = _weighted(wide, axis, method)
    return wide.to(x.dtype) if x.is_floating_point() else torch.round(wide).to(x.dtype)


def _by_pytorch(x: torch.Tensor, axes: list[_Axis], method: _Method) -> torch.Tensor | None:
    """PyTorch's own interpolation where it means the same, for which there are better loops."""
    exact = all(a.target == a.size * a.scale for a in axes)
    spatial = bool(axes) and all(a.dim >= 2 for a in axes) and x.dim() in _LINEAR
    if not exact or not spatial or method.antialias or method.exclude_outside or not x.is_floating_point():
        return None
    sizes = list(x.shape[2:])
    for axis in axes:
        sizes[axis.dim - 2] = axis.target
    if method.mode == "nearest":
        floors = method.coordinates == "asymmetric" and method.nearest == "floor"
        return F.interpolate(x, sizes, mode="nearest") if floors else None
    aligned = method.coordinates == "align_corners" and all(a.target > 1 for a in axes)
    halves = method.coordinates == "half_pixel" or (
        method.coordinates == "pytorch_half_pixel" and all(a.target > 1 for a in axes)
    )
    if not aligned and not halves:
        return None
    if method.mode == "linear":
        return decomposition_table()[_LINEAR[x.dim()]](x, sizes, aligned, None)
    if method.mode == "cubic" and x.dim() == 4 and method.cubic == -0.75:
        return decomposition_table()[aten.upsample_bicubic2d.vec](x, sizes, aligned, None)
    return None


def _position(axis: _Axis, method: _Method, k: int) -> float:
    """Where the element `k` of the result is in the source."""
    whole = axis.scale * axis.size
    centred = (k + 0.5) / axis.scale - 0.5
    if method.coordinates == "half_pixel":
        return centred
    if method.coordinates == "pytorch_half_pixel":
        return centred if whole != 1 else -0.5
    if method.coordinates == "half_pixel_symmetric":
        return axis.size / 2 * (1 - axis.target / whole) + centred
    if method.coordinates == "asymmetric":
        return k / axis.scale
    last = axis.size - 1
    if method.coordinates == "align_corners":
        return k * last / (whole - 1) if whole != 1 else 0.0
    if method.coordinates == "tf_crop_and_resize":
        part = axis.end - axis.start
        inner = k * part * last / (whole - 1) if whole != 1 else part * last / 2
        return axis.start * last + inner
    raise Unsupported(f"the coordinates '{method.coordinates}'")


def _is_outside(axis: _Axis, method: _Method, position: float) -> bool:
    return method.coordinates == "tf_crop_and_resize" and not 0 <= position <= axis.size - 1


_ROUNDINGS: dict[str, Callable[[float], int]] = {
    "round_prefer_floor": lambda p: math.ceil(p - 0.5),
    "round_prefer_ceil": lambda p: math.floor(p + 0.5),
    "floor": math.floor,
    "ceil": math.ceil,
}


def _nearest(axis: _Axis, method: _Method) -> tuple[list[int], list[bool]]:
    refuse_unless(method.nearest in _ROUNDINGS, f"the rounding '{method.nearest}'")
    positions = [_position(axis, method, k) for k in range(axis.target)]
    rounded = [_ROUNDINGS[method.nearest](p) for p in positions]
    places = [min(max(r, 0), axis.size - 1) for r in rounded]
    return places, [_is_outside(axis, method, p) for p in positions]


def _filled(x: torch.Tensor, dim: int, outside: list[bool], value: float) -> torch.Tensor:
    if not any(outside):
        return x
    shape = [1] * x.dim()
    shape[dim] = len(outside)
    mask = full_like_constant(outside, torch.bool).reshape(shape)
    return torch.where(mask, full_like_constant(value, x.dtype), x)


def _kernel(method: _Method, distance: float) -> float:
    """The weight of a neighbour."""
    d = abs(distance)
    if method.mode == "linear":
        return max(1.0 - d, 0.0)
    a = method.cubic
    if d <= 1:
        return ((a + 2) * d - (a + 3)) * d * d + 1
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a if d < 2 else 0.0


def _weights(axis: _Axis, method: _Method) -> tuple[list[list[int]], list[list[float]], list[bool]]:
    """For each element of the result its neighbours, as many for all, their weights, and what lies outside."""
    refuse_unless(method.mode in ("linear", "cubic"), f"the mode '{method.mode}'")
    shrink = min(axis.scale, 1.0) if method.antialias else 1.0
    reach = math.ceil((1 if method.mode == "linear" else 2) / shrink)
    positions = [_position(axis, method, k) for k in range(axis.target)]
    places: list[list[int]] = []
    weights: list[list[float]] = []
    for position in positions:
        first = math.floor(position) - reach + 1
        near = list(range(first, first + 2 * reach))
        factors = [_kernel(method, (n - position) * shrink) for n in near]
        if method.exclude_outside:
            factors = [f if 0 <= n < axis.size else 0.0 for n, f in zip(near, factors, strict=True)]
        total = sum(factors)
        normal = method.antialias or method.exclude_outside
        weights.append([f / total for f in factors] if normal and total else factors)
        places.append([min(max(n, 0), axis.size - 1) for n in near])
    return places, weights, [_is_outside(axis, method, p) for p in positions]


def _weighted(x: torch.Tensor, axis: _Axis, method: _Method) -> torch.Tensor:
    places, weights, outside = _weights(axis, method)
    taps = len(places[0]) if places else 0
    if taps > _TAPS:
        matrix = [[0.0] * axis.target for _ in range(axis.size)]
        for k, (near, factors) in enumerate(zip(places, weights, strict=True)):
            for n, factor in zip(near, factors, strict=True):
                matrix[n][k] += factor
        product = torch.matmul(x.movedim(axis.dim, -1), full_like_constant(matrix, x.dtype))
        return _filled(product.movedim(-1, axis.dim), axis.dim, outside, method.outside)
    shape = [1] * x.dim()
    shape[axis.dim] = axis.target
    terms = []
    for tap in range(taps):
        taken = torch.index_select(x, axis.dim, full_like_constant([p[tap] for p in places], torch.int64))
        terms.append(taken * full_like_constant([w[tap] for w in weights], x.dtype).reshape(shape))
    return _filled(sum(terms[1:], terms[0]), axis.dim, outside, method.outside)
