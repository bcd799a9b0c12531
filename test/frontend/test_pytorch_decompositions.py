"""Operators that torch-mlir does not lower, of others that it does."""

from collections.abc import Callable
from typing import Any

import torch

import wse_mlir

X = torch.arange(-10.0, 10.0).reshape(4, 5) / 3
BATCHES = torch.arange(24.0).reshape(3, 2, 4) - 11, torch.arange(60.0).reshape(3, 4, 5) / 7
CALLS: dict[str, Callable[[torch.Tensor], Any]] = {
    "addbmm": lambda x: torch.addbmm(x[:2], *BATCHES, beta=0.5, alpha=2),
    "addmv": lambda x: torch.addmv(x[:, 0], x, x[0], beta=2),
    "copies": lambda x: [
        torch.permute_copy(x, (1, 0)),
        *torch.unbind_copy(x, 1),
        torch.narrow_copy(x, 1, 2, 2),
    ],
    "views": lambda x: [torch.view_copy(x, [5, 4]), torch.as_strided_copy(x, (3, 2), (5, 3), 2)],
    "bits": lambda x: torch.view_copy(x, torch.int32),
    "strides": lambda x: torch.as_strided_scatter(x, -x[:3, :2], (3, 2), (5, 3), 2),
    "shifts": lambda x: [torch.fft.fftshift(x), torch.fft.ifftshift(x, dim=1)],
    "triangles": lambda x: [torch.triu_indices(4, 5, 1), torch.tril_indices(3, 4)],
    "scalars": lambda x: [
        torch.remainder(7, x),
        6 & x.to(torch.int32),
        5 ^ x.to(torch.int32),
        2 << x.abs().int(),
    ],
    "norms": lambda x: (
        [torch.linalg.norm(x), torch.linalg.norm(x, 1, dim=1, keepdim=True)]
        + [torch.linalg.norm(x, kind) for kind in ("fro", float("inf"), -1)]
        + [torch.linalg.norm(x[0], 3), torch.linalg.norm(x[0].double(), dtype=torch.float64)]
    ),
}


def called(x: torch.Tensor) -> list[Any]:
    return [call(x) for call in CALLS.values()]


def test_decomposed_operators_compute_what_pytorch_does() -> None:
    results = wse_mlir.compile(called, (X,), cache=False)(X)
    for name, actual, wanted in zip(CALLS, results, called(X), strict=True):
        torch.testing.assert_close(actual, wanted, equal_nan=True, msg=lambda text, n=name: f"{n}: {text}")


def test_tensors_of_any_elements_have_shape_and_type() -> None:
    def made(x: torch.Tensor) -> list[torch.Tensor]:
        return [
            torch.empty_permuted((2, 3), (1, 0), dtype=torch.int8),
            torch.empty_strided((2, 3), (1, 2)),
            x.new_empty_strided((3, 2), (1, 3)),
        ]

    for actual, wanted in zip(wse_mlir.compile(made, (X,), cache=False)(X), made(X), strict=True):
        assert (actual.shape, actual.dtype) == (wanted.shape, wanted.dtype)
