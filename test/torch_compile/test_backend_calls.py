"""torch.compile with this backend: outputs and gradients are eager's."""

from __future__ import annotations

import subprocess
import sys

import torch
import torch.nn.functional as F
from beside_eager import compiled, same_as_eager
from torch import nn


def mlp() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))


def test_the_backend_is_registered_by_name() -> None:
    assert "wse_mlir" in torch._dynamo.list_backends()


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, wse_mlir; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_outputs_and_gradients_of_a_network() -> None:
    same_as_eager(mlp(), torch.randn(4, 5, requires_grad=True))


def test_no_grad_and_inference_mode() -> None:
    model = mlp()
    function = compiled(model)
    x = torch.randn(4, 5)
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            same_as_eager(model, x, by=function)


def test_several_dtypes() -> None:
    def function(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x * 2 + y

    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        same_as_eager(function, *(torch.randn(3, 4, dtype=dtype, requires_grad=True) for _ in range(2)))
    for dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        same_as_eager(function, *(torch.arange(12, dtype=dtype).reshape(3, 4) for _ in range(2)))
    same_as_eager(lambda x, y: x & ~y, torch.tensor([True, False]), torch.tensor([False, False]))


def test_values_that_the_backward_compares_are_not_computed_twice() -> None:
    """The gradient of amax looks for the maximum; sums that are added up again may have other last bits."""

    def function(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x @ w, (3,)).amax(-1)

    call = compiled(function)
    for _ in range(20):
        x, w = (torch.randn(shape, requires_grad=True) for shape in ((9, 2), (2, 3)))
        call(x, w).sum().backward()
        assert not x.grad.isnan().any() and not w.grad.isnan().any()
