"""torch.compile with this backend: outputs and gradients are eager's."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from beside_eager import compiled, same_as_eager
from torch import nn
from torch.utils.checkpoint import checkpoint


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


def test_attention_comes_apart() -> None:
    class Attention(nn.Module):
        def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    same_as_eager(Attention(), *(torch.randn(2, 2, 3, 4, requires_grad=True) for _ in range(3)))


@pytest.mark.parametrize(
    "masks", [(), ("src_key_padding_mask",), ("src_mask", "src_key_padding_mask")], ids=str
)
@pytest.mark.parametrize("norm_first", [False, True])
def test_transformer_layers_without_gradients(masks: tuple[str, ...], norm_first: bool) -> None:
    layer = nn.TransformerEncoderLayer(
        8, 2, 16, batch_first=True, norm_first=norm_first, activation="gelu"
    ).eval()
    hidden = {
        "src_mask": torch.triu(torch.ones(4, 4, dtype=torch.bool), 1),
        "src_key_padding_mask": torch.tensor([[False] * 4, [False, False, True, True]]),
    }
    given = {name: hidden[name] for name in masks}
    with torch.no_grad():
        same_as_eager(lambda x: layer(x, **given), torch.randn(2, 4, 8))


def test_weights_of_attention_without_gradients() -> None:
    layer = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    with torch.no_grad():
        same_as_eager(lambda x: layer(x, x, x), torch.randn(2, 4, 8))


def test_constants_in_the_code() -> None:
    table = torch.arange(100.0).reshape(25, 4)

    def function(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x * torch.tensor([1.0, 2, 3, 4]) + table[:3], x[:, [0, 2]]

    same_as_eager(function, torch.randn(3, 4, requires_grad=True))


def test_checkpoints_custom_gradients_and_function_transforms() -> None:
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
            return gradient * 2 * ctx.saved_tensors[0]

    def function(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        saved = checkpoint(lambda y: torch.sigmoid(y).exp(), x, use_reentrant=False)
        return saved, Doubled.apply(x), torch.vmap(torch.func.grad(lambda y: (y**3).sum()))(x)

    same_as_eager(function, torch.randn(3, 4, requires_grad=True))


def test_autocast() -> None:
    def function(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return (x @ w).relu()

    same_as_eager(function, torch.randn(3, 4), torch.randn(4, 2))


def test_nested_structures() -> None:
    def function(x: torch.Tensor, others: list[dict[str, torch.Tensor]]) -> dict[str, Any]:
        return {"sum": x + others[0]["a"], "rest": [others[1]["b"] * 2, (x,)]}

    same_as_eager(
        function, torch.randn(3), [{"a": torch.randn(3)}, {"b": torch.randn(2, requires_grad=True)}]
    )
