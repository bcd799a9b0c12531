"""Operators that torch-mlir does not lower, of others that it does: PyTorch's own decompositions, and a few here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch._decomp import decomposition_table as pytorch_table

from ..passes.infra.diagnostics import CompilerError

aten = torch.ops.aten
_IN_PYTORCH_TABLE = (
    "_addmm_activation", "addmv", "fft_fftshift", "fft_ifftshift", "triu_indices", "tril_indices",
)  # fmt: skip
_OF_NUMBER = (
    "remainder", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift",
)  # fmt: skip


def pytorch_decompositions() -> dict[Any, Callable[..., Any]]:
    """By operator; what torch-mlir asks for, and what is written elsewhere, comes before these."""
    own = {
        "as_strided_scatter": scatter_into_strides,
        "empty_permuted": empty_in_any_order,
        "empty_strided": empty_in_any_order,
        "new_empty_strided": new_empty_in_any_order,
        "linalg_norm": norm,
        "linalg_norm.ord_str": norm,
    }
    taken = {_operator(name): pytorch_table[_operator(name)] for name in _IN_PYTORCH_TABLE}
    of_number = {_operator(f"{name}.Scalar_Tensor"): _of_number(name) for name in _OF_NUMBER}
    return taken | of_number | {_operator(name): body for name, body in own.items()}


def _operator(name: str) -> Any:
    packet, _, overload = name.partition(".")
    return getattr(getattr(aten, packet), overload or "default")


def _of_number(name: str) -> Callable[..., Any]:
    """An operator whose first operand is a number, in the type that both are promoted to."""
    operator = _operator(f"{name}.Tensor")

    def body(number: float, x: torch.Tensor) -> torch.Tensor:
        first = torch.full([], number, dtype=torch.result_type(number, x), device=x.device)
        return operator(first, x)

    return body


def scatter_into_strides(
    x: torch.Tensor,
    source: torch.Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    storage_offset: int | None = None,
) -> torch.Tensor:
    """`aten.as_strided_scatter`, of a tensor whose elements are all of its memory, in order."""
    first = int(x.storage_offset() if storage_offset is None else storage_offset)
    last = first + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if not x.is_contiguous() or x.storage_offset() or (source.numel() and last >= x.numel()):
        raise CompilerError(
            "aten.as_strided_scatter writes into memory that is not its first tensor's alone",
            hint="call .contiguous() before, or write slices",
        )
    positions = torch.full([1] * len(size), first, dtype=torch.int64)
    for dim, (n, step) in enumerate(zip(size, stride, strict=True)):
        positions = positions + (torch.arange(n) * step).reshape([-1] + [1] * (len(size) - 1 - dim))
    flat = x.reshape([x.numel()])
    return flat.scatter(0, positions.reshape([-1]), source.reshape([-1])).reshape(x.shape)


def empty_in_any_order(size: Sequence[int], order: Sequence[int], **options: Any) -> torch.Tensor:
    """`aten.empty_permuted` and `aten.empty_strided`: strides are no part of what is compiled."""
    return aten.empty.memory_format(size, dtype=options.get("dtype"), device=options.get("device"))


def new_empty_in_any_order(
    x: torch.Tensor, size: Sequence[int], stride: Sequence[int], **options: Any
) -> torch.Tensor:
    """`aten.new_empty_strided`."""
    return empty_in_any_order(
        size, stride, dtype=options.get("dtype") or x.dtype, device=options.get("device") or x.device
    )


def norm(
    x: torch.Tensor,
    ord: float | str | None = None,
    dim: Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """`aten.linalg_norm`: of vectors, or of matrices, by how many dimensions there are."""
    dims = list(range(x.dim())) if dim is None else list(dim)
    if ord is None or (len(dims) == 1 and not isinstance(ord, str)):
        return torch.linalg.vector_norm(x, 2 if ord is None else ord, dims, keepdim, dtype=dtype)
    return torch.linalg.matrix_norm(x, ord, dims, keepdim, dtype=dtype)  # type: ignore[arg-type]  text or number
