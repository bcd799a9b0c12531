"""Scatters, indexing and what selects elements, in the forms that torch-mlir lowers.

It ends the process on a scatter along a dimension that is counted from the end, and knows `index_put` only for
indices of the first dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

aten = torch.ops.aten

_SCATTERS = (
    aten.scatter.src,
    aten.scatter.value,
    aten.scatter_add.default,
    aten.scatter_reduce.two,
)


def indexing_decompositions() -> dict[Any, Callable[..., Any]]:
    """Entries of the decomposition table."""
    return {
        **{operator: _from_the_front(operator) for operator in _SCATTERS},
        aten.index_put.default: index_put,
        aten.put.default: put,
        aten.scatter.reduce: scatter_combined,
        aten.scatter.value_reduce: scatter_combined,
        aten.masked_scatter.default: masked_scatter,
        aten.diagonal_scatter.default: diagonal_scatter,
        aten.masked_scatter_backward.default: masked_scatter_backward,
        aten.replication_pad1d_backward.default: replication_pad_backward,
        aten.replication_pad2d_backward.default: replication_pad_backward,
        aten.replication_pad3d_backward.default: replication_pad_backward,
        aten.roll.default: roll,
        aten.embedding_renorm.default: embedding_renorm,
        aten.cummax.default: _running_extreme(torch.ge),
        aten.cummin.default: _running_extreme(torch.le),
    }


def _from_the_front(operator: Any) -> Callable[..., Any]:
    """A scatter whose dimension is counted from the front."""

    def decomposed(x: torch.Tensor, dim: int, *args: Any, **kwargs: Any) -> Any:
        return operator(x, dim + x.dim(), *args, **kwargs) if dim < 0 else NotImplemented

    return decomposed


def index_put(
    x: torch.Tensor, indices: Sequence[torch.Tensor | None], values: torch.Tensor, accumulate: bool = False
) -> Any:
    """`aten.index_put` for a mask, and for indices that are not those of the first dimensions.

    A mask is supported where the values do not depend on how many elements it selects.
    """
    if accumulate and x.dtype == torch.bool:  # true and true is true
        total = aten.index_put.default(x.to(torch.int64), indices, values.to(torch.int64), True)
        return total.to(torch.bool)
    given = [d for d, index in enumerate(indices) if index is not None]
    first = indices[given[0]] if given else None
    if first is not None and first.dtype in (torch.bool, torch.uint8):
        rest = x.dim() - given[0] - first.dim()
        if len(given) > 1 or values.dim() > rest:
            if values.numel() != 1 or len(given) > 1:
                return NotImplemented
            values = values.reshape([])
        mask = first.to(torch.bool).reshape(list(first.shape) + [1] * rest)
        return torch.where(mask, x + values if accumulate else values.to(x.dtype), x)
    if given == list(range(len(given))):
        return NotImplemented
    # The indexed dimensions come first. In the values, the indices' own dimensions stand where the indexed
    # dimensions are if those follow each other, else in front.
    shape = torch.broadcast_shapes(*(indices[d].shape for d in given))  # type: ignore[union-attr]
    others = [d for d in range(x.dim()) if d not in given]
    at = given[0] if given == list(range(given[0], given[-1] + 1)) else 0
    full = [x.shape[d] for d in others]
    values = values.expand([*full[:at], *shape, *full[at:]])
    values = values.permute([*range(at, at + len(shape)), *range(at), *range(at + len(shape), values.dim())])
    order = [*given, *others]
    moved = aten.index_put.default(x.permute(order), [indices[d] for d in given], values, accumulate)
    return moved.permute(sorted(range(x.dim()), key=order.__getitem__))


def put(x: torch.Tensor, index: torch.Tensor, source: torch.Tensor, accumulate: bool = False) -> torch.Tensor:
    """`aten.put`: `index_put` into the flat tensor."""
    flat = aten.index_put.default(x.reshape(-1), [index.reshape(-1)], source.reshape(-1), accumulate)
    return flat.reshape(x.shape)


def scatter_combined(
    x: torch.Tensor, dim: int, index: torch.Tensor, source: torch.Tensor | float, *, reduce: str
) -> torch.Tensor:
    """`aten.scatter` that adds or multiplies."""
    if not isinstance(source, torch.Tensor):
        source = torch.full(index.shape, source, dtype=x.dtype, device=x.device)
    return torch.scatter_reduce(x, dim, index, source, {"add": "sum", "multiply": "prod"}[reduce])


def masked_scatter(x: torch.Tensor, mask: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """`aten.masked_scatter`: the elements of `source` in order where the mask is true; there must be enough of them."""
    shape = torch.broadcast_shapes(x.shape, mask.shape)
    x, mask = x.expand(shape), mask.expand(shape)
    if source.numel() == 0 or x.numel() == 0:
        return x.clone()
    chosen = mask.reshape(-1)
    place = torch.where(chosen, torch.cumsum(chosen.to(torch.int64), 0) - 1, 0)
    return torch.where(mask, source.reshape(-1).index_select(0, place).reshape(shape), x)


def diagonal_scatter(
    x: torch.Tensor, source: torch.Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> torch.Tensor:
    """`aten.diagonal_scatter`: a choice between `x` and the diagonal, which every column repeats."""
    dim1, dim2 = dim1 % x.dim(), dim2 % x.dim()
    order = [*(d for d in range(x.dim()) if d not in (dim1, dim2)), dim1, dim2]
    moved = x.permute(order)
    rows = torch.arange(moved.shape[-2], device=x.device)[:, None]
    columns = torch.arange(moved.shape[-1], device=x.device)
    above = max(-offset, 0)
    padding = [above, moved.shape[-2] - above - source.shape[-1]]
    by_row = aten.constant_pad_nd.default(source, padding).unsqueeze(-1)
    placed = torch.where(rows + offset == columns, by_row, moved)
    return placed.permute(sorted(range(x.dim()), key=order.__getitem__))


def masked_scatter_backward(gradient: torch.Tensor, mask: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """`aten.masked_scatter_backward`: the selected elements in order, then zeros."""
    chosen = mask.expand(gradient.shape).reshape(-1)
    count = gradient.numel()
    result = gradient.new_zeros([count + 1])  # what is not selected goes to the last place, which is cut off
    place = torch.where(chosen, torch.cumsum(chosen.to(torch.int64), 0) - 1, count)
    return aten.scatter.src(result, 0, place, gradient.reshape(-1))[:count].reshape(sizes)


def replication_pad_backward(gradient: torch.Tensor, x: torch.Tensor, padding: Sequence[int]) -> torch.Tensor:
    """Gradient of a padding that repeats the border: the border adds up all that was made of it."""
    for position in range(len(padding) // 2):
        dim, before = x.dim() - 1 - position, padding[2 * position]
        source = torch.arange(gradient.shape[dim], device=x.device) - before
        source = torch.clamp(source, 0, x.shape[dim] - 1)
        shape = [*gradient.shape[:dim], x.shape[dim], *gradient.shape[dim + 1 :]]
        gradient = torch.index_add(gradient.new_zeros(shape), dim, source, gradient)
    return gradient


def roll(x: torch.Tensor, shifts: Sequence[int], dims: Sequence[int] = ()) -> Any:
    """`aten.roll` of the flat tensor; along dimensions torch-mlir has it."""
    return NotImplemented if dims else aten.roll.default(x.reshape(-1), shifts, [0]).reshape(x.shape)


def embedding_renorm(
    weight: torch.Tensor, indices: torch.Tensor, max_norm: float, norm_type: float
) -> torch.Tensor:
    """`aten.embedding_renorm`: rows that are looked up and are longer than `max_norm` are shortened to it."""
    used = weight.new_zeros([weight.shape[0]]).index_fill(0, indices.reshape(-1), 1.0)
    norm = torch.linalg.vector_norm(weight, norm_type, -1)
    scale = torch.where((used > 0) & (norm > max_norm), max_norm / (norm + 1e-7), 1.0)
    return weight * scale[:, None]


def _running_extreme(at_least: Callable[..., torch.Tensor]) -> Callable[..., Any]:
    """`aten.cummax` and `aten.cummin`: each step doubles how many elements before it an element has seen."""

    def decomposed(x: torch.Tensor, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
        if x.dim() == 0:
            return x.clone(), torch.zeros_like(x, dtype=torch.int64)
        dim, size = dim % x.dim(), x.shape[dim]
        shape = [size if d == dim else 1 for d in range(x.dim())]
        values = x
        indices = torch.arange(size, device=x.device).reshape(shape).expand(x.shape)
        seen = 1
        while seen < size:
            before, here = values.narrow(dim, 0, size - seen), values.narrow(dim, seen, size - seen)
            takes = at_least(here, before)
            if x.is_floating_point():
                takes = torch.isnan(here) | (takes & ~torch.isnan(before))
            values, indices = (
                torch.cat(
                    [
                        old.narrow(dim, 0, seen),
                        torch.where(
                            takes, old.narrow(dim, seen, size - seen), old.narrow(dim, 0, size - seen)
                        ),
                    ],
                    dim,
                )
                for old in (values, indices)
            )
            seen *= 2
        return values, indices

    return decomposed
