"""Layouts of what is made of a tensor without moving it: where the digits line up, nothing has to be sent.

Each function returns the layout of the result under which every PE holds exactly the elements that it holds already, or
None where no layout says that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from .dimension import Digit, Dimension, centred
from .mesh import Mesh, inner_name, outer_name
from .tensor_layout import Partial, TensorLayout


def permuted(layout: TensorLayout, order: Sequence[int]) -> TensorLayout:
    """Of a transposition: dimension k of the result is `order[k]` of the tensor."""
    return replace(layout, dims=tuple(layout.dims[d] for d in order))


def renamed(layout: TensorLayout, names: Mapping[str, str]) -> TensorLayout:
    """The same digits bound to other sub-axes of the mesh."""

    def digit_of(digit: Digit) -> Digit:
        return replace(digit, axes=tuple(names.get(name, name) for name in digit.axes))

    dims = tuple(replace(dim, digits=tuple(map(digit_of, dim.digits))) for dim in layout.dims)
    partial = tuple(Partial(p.kind, tuple(names.get(name, name) for name in p.axes)) for p in layout.partial)
    return replace(layout, dims=dims, partial=partial)


def gathered(layout: TensorLayout, name: str) -> TensorLayout | None:
    """What every PE holds that also has what the others along a sub-axis hold.

    None where another digit's value depends on that sub-axis.
    """
    number = layout.dim_of(name)
    if number is None:
        return layout
    dim = layout.dims[number]
    digits = tuple(replace(d, axes=()) if d.axes == (name,) else d for d in dim.digits)
    if any(name in d.axes for d in digits):
        return None
    whole = replace(dim, digits=digits).simplified()
    return replace(layout, dims=(*layout.dims[:number], whole, *layout.dims[number + 1 :]))


def expanded(layout: TensorLayout, dim: int, sizes: Sequence[int]) -> TensorLayout | None:
    """Of a dimension that becomes several; a sub-axis that both sides of a cut need is factored."""
    factors: dict[str, int] = {}
    dims: list[Dimension] = []
    rest = layout.dims[dim].simplified()
    for at in range(len(sizes) - 1):
        inner = math.prod(sizes[at + 1 :])
        cut = _cut(rest, inner, factors)
        if cut is None:
            return None
        dims.append(cut[0].simplified())
        rest = cut[1].simplified()
    whole = (
        replace(layout, dims=(*layout.dims[:dim], *dims, rest, *layout.dims[dim + 1 :])) if sizes else None
    )
    if whole is None:
        return replace(layout, dims=(*layout.dims[:dim], *layout.dims[dim + 1 :])) if rest.is_whole else None
    return _factored(whole, layout.mesh, factors)


def _cut(dim: Dimension, inner: int, factors: dict[str, int]) -> tuple[Dimension, Dimension] | None:
    """A dimension as two, the inner one of `inner` indices; sub-axes to factor are added to `factors`."""
    outer = dim.size // inner if inner else 0
    if dim.is_whole or inner == 0:
        return (Dimension.whole(outer), Dimension.whole(inner)) if dim.is_whole else None
    if inner == 1 or not dim.is_plain:
        return _cut_halo(dim, inner, outer)
    block = dim.size
    for number, digit in enumerate(dim.digits):
        if block == inner:
            return _two(outer, inner, dim.digits[:number], dim.digits[number:])
        if digit.pitch % inner:
            halves = _halves(digit, inner, block, factors)
            if halves is None:
                return None
            outward, inward = halves
            return _two(outer, inner, (*dim.digits[:number], *outward), (*inward, *dim.digits[number + 1 :]))
        block = digit.pitch
    return _two(outer, inner, dim.digits, ())


def _cut_halo(dim: Dimension, inner: int, outer: int) -> tuple[Dimension, Dimension] | None:
    """Whole rows of `inner` indices, halo and all."""
    counts = (dim.low, dim.high, dim.before, dim.after, *(digit.pitch for digit in dim.digits))
    if any(n % inner for n in counts):
        return None
    digits = tuple(replace(digit, pitch=digit.pitch // inner) for digit in dim.digits)
    low, high, before, after = (n // inner for n in counts[:4])
    return Dimension(outer, digits, low, high, before, after), Dimension.whole(inner)


def _two(
    outer: int, inner: int, outward: Sequence[Digit], inward: Sequence[Digit]
) -> tuple[Dimension, Dimension]:
    rows = tuple(replace(digit, pitch=digit.pitch // inner) for digit in outward)
    return Dimension(outer, rows, 0, outer), Dimension(inner, tuple(inward), 0, inner)


def _halves(
    digit: Digit, inner: int, block: int, factors: dict[str, int]
) -> tuple[tuple[Digit, ...], tuple[Digit, ...]] | None:
    """A digit whose pieces are parts of rows of `inner` indices as two: which row, and which part of it."""
    parts = inner // digit.pitch
    if inner % digit.pitch or block % inner:
        return None
    if digit.is_local:
        return (Digit(block // inner, inner),), (Digit(parts, digit.pitch),)
    if len(digit.axes) != 1 or digit.rotates or digit.extent % parts:
        return None
    (name,) = digit.axes
    factors[name] = parts
    return (Digit(digit.extent // parts, inner, (outer_name(name),)),), (
        Digit(parts, digit.pitch, (inner_name(name),)),
    )


def _factored(layout: TensorLayout, mesh: Mesh, factors: Mapping[str, int]) -> TensorLayout | None:
    """The layout on a mesh whose sub-axes are factored; digits that are bound to one of them are cut as well."""
    for name, parts in factors.items():  # in their order: a factor may be cut again
        if mesh[name].order != "line":
            return None
        dims: list[Dimension] = []
        for dim in layout.dims:
            digits: list[Digit] = []
            for digit in dim.digits:
                if name not in digit.axes:
                    digits.append(digit)
                elif len(digit.axes) > 1 or digit.rotates:
                    return None
                else:
                    digits.append(Digit(digit.extent // parts, digit.pitch * parts, (outer_name(name),)))
                    digits.append(Digit(parts, digit.pitch, (inner_name(name),)))
            dims.append(replace(dim, digits=tuple(digits)))
        partial = tuple(Partial(p.kind, _names(p.axes, name)) for p in layout.partial)
        mesh = mesh.factored({name: parts})
        layout = replace(layout, mesh=mesh, dims=tuple(dims), partial=partial)
    return layout


def _names(axes: Sequence[str], cut: str) -> tuple[str, ...]:
    return tuple(n for a in axes for n in ((outer_name(a), inner_name(a)) if a == cut else (a,)))


def collapsed(layout: TensorLayout, first: int, count: int) -> TensorLayout | None:
    """Of `count` dimensions that become one; of none, a dimension of one index."""
    dim = Dimension.whole(1)
    for inner in layout.dims[first : first + count]:
        together = joined(dim.simplified(), inner.simplified())
        if together is None:
            return None
        dim = together
    return replace(layout, dims=(*layout.dims[:first], dim.simplified(), *layout.dims[first + count :]))


def joined(outer: Dimension, inner: Dimension) -> Dimension | None:
    """Two dimensions as one; None where a halo or a cut is in the way."""
    size = outer.size * inner.size
    if outer.size == 1 and outer.is_plain and not outer.digits:
        return inner
    if inner.is_whole:
        n = inner.size
        digits = tuple(digit.scaled(n) for digit in outer.digits) if n else ()
        return Dimension(size, digits, outer.low * n, outer.high * n, outer.before * n, outer.after * n)
    if not outer.is_plain or not inner.is_plain:
        return None
    rows = outer.room
    between = (Digit(rows, inner.size),) if rows > 1 else ()
    return Dimension(size, (*(d.scaled(inner.size) for d in outer.digits), *between, *inner.digits), 0, size)


def reshaped(layout: TensorLayout, shape: Sequence[int]) -> TensorLayout | None:
    """Of a tensor with the same elements in the same order and another shape."""
    if math.prod(shape) != math.prod(layout.shape):
        raise ValueError(f"{list(layout.shape)} and {list(shape)} have other numbers of elements")
    if 0 in shape:
        return None
    found: TensorLayout | None = layout
    at = 0
    for before, after in _groups(layout.shape, shape):
        found = collapsed(found, at, before) if found is not None else None
        sizes = list(shape[at : at + after])
        found = expanded(found, at, sizes) if found is not None else None
        at += after
    return found


def _groups(old: Sequence[int], new: Sequence[int]) -> list[tuple[int, int]]:
    """How many dimensions of either shape belong together, least ones first to last."""
    groups: list[tuple[int, int]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        i0, j0 = i, j
        a = b = 1
        if i < len(old):
            a, i = old[i], i + 1
        if j < len(new):
            b, j = new[j], j + 1
        while a != b:
            if a < b:
                a, i = a * old[i], i + 1
            else:
                b, j = b * new[j], j + 1
        while i < len(old) and old[i] == 1 and (j == len(new) or new[j] != 1):
            i += 1
        while j < len(new) and new[j] == 1 and (i == len(old) or old[i] != 1):
            j += 1
        groups.append((i - i0, j - j0))
    return groups


def concatenated(layouts: Sequence[TensorLayout], dim: int) -> TensorLayout | None:
    """Of tensors one behind the other along a dimension: each is whole there, or all are of one size and layout."""
    first = layouts[0]
    parts = [layout.dims[dim] for layout in layouts]
    others = {replace(layout, dims=(*layout.dims[:dim], *layout.dims[dim + 1 :])) for layout in layouts}
    if len(others) > 1:
        return None
    size = sum(part.size for part in parts)
    if all(part.is_whole for part in parts):
        whole = Dimension.whole(size)
    elif len(set(parts)) == 1 and parts[0].is_plain:
        whole = Dimension(size, (Digit(len(parts), parts[0].size), *parts[0].digits), 0, size).simplified()
    else:
        return None
    return replace(first, dims=(*first.dims[:dim], whole, *first.dims[dim + 1 :]))


def sliced(layout: TensorLayout, dim: int, offset: int, size: int, step: int = 1) -> TensorLayout | None:
    """Of indices `offset`, `offset + step`, ... of a dimension: every PE holds those of them that it held."""
    part = layout.dims[dim]
    halo = part.before or part.after
    if any(digit.pitch % step for digit in part.digits) or (step > 1 and halo):
        return None
    low, high = (-((offset - n) // step) for n in (part.low, part.high))
    digits = tuple(replace(digit, pitch=digit.pitch // step) for digit in part.digits)
    cut = centred(Dimension(size, digits, low, high, part.before, part.after))
    if not part.digits and not halo:
        cut = Dimension.whole(size)
    return replace(layout, dims=(*layout.dims[:dim], cut, *layout.dims[dim + 1 :]))
