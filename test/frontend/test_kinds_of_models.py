"""What can be given as a model besides modules: functions, MLIR as text and as an object; NumPy arrays as examples."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import wse_mlir

X = torch.arange(6.0).reshape(2, 3) - 2
TEXT = """func.func @twice(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %e = tensor.empty() : tensor<2x3xf32>
  %r = linalg.add ins(%x, %x : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}"""
LAYER = nn.Linear(3, 2)


def scaled(x: torch.Tensor, factor: float = 2.0) -> dict[str, torch.Tensor]:
    return {"y": torch.relu(x) * factor}


def layered(x: torch.Tensor) -> torch.Tensor:
    return LAYER(x)


class Scaler:
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1

    def method(self, x: torch.Tensor) -> torch.Tensor:
        return x - 1


@pytest.mark.parametrize(
    "function",
    [scaled, partial(scaled, factor=3.0), layered, lambda x: (x.T,), Scaler(), Scaler().method, torch.relu],
    ids=["function", "partial", "closure", "lambda", "object", "method", "builtin"],
)
def test_functions(function: Callable[..., Any]) -> None:
    with torch.no_grad():
        want = function(X)
        got = wse_mlir.compile(function, (X,))(X)
    assert type(got) is type(want)
    torch.testing.assert_close(got, want)


def test_a_mistake_in_a_function_is_located_in_it() -> None:
    def broken(x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.eigvals(x)

    with pytest.raises(wse_mlir.CompilerError, match=r"test_kinds_of_models\.py:\d+"):
        wse_mlir.compile(broken, (torch.ones(3, 3),))
    with pytest.raises(wse_mlir.CompilerError, match="an object of type type is not a model"):
        wse_mlir.compile(nn.Linear, (X,))
    with pytest.raises(wse_mlir.CompilerError, match="TorchScript"):
        wse_mlir.compile(torch.jit.script(scaled), (X,))


def test_mlir_as_text_and_as_a_module() -> None:
    module = wse_mlir.import_model(TEXT)
    before = str(module)
    for model in (TEXT, module):
        assert torch.equal(wse_mlir.compile(model)(X), X + X)
        assert wse_mlir.estimate(model, target="tiny")["cycles"]["device"] > 0
    assert str(module) == before, "the caller's module stays as it is"
    with pytest.raises(wse_mlir.CompilerError, match="2:"):
        wse_mlir.compile("func.func @f() {\n no.such_op\n}")


def test_a_tensor_that_is_given_twice_is_two_inputs() -> None:
    x = torch.ones(3)
    model = wse_mlir.compile(lambda a, b, *, c: a - b + c, (x, x), {"c": x}, cache=False)
    assert torch.equal(model(x, 2 * x, c=4 * x), 3 * x)


def test_numpy_examples() -> None:
    x = np.ones((4, 3), np.float32)
    compiled = wse_mlir.compile(scaled, (x,), {"factor": np.float64(1.5)})
    assert np.array_equal(compiled(x, factor=np.float64(1.5))["y"], x * 1.5)
    assert wse_mlir.estimate(LAYER, (x,), target="tiny")["cycles"]["device"] > 0
    with pytest.raises(wse_mlir.CompilerError, match=r"float64\n.*astype\('float32'\)"):
        compiled(x.astype(np.float64), factor=np.float64(1.5))
    with pytest.raises(wse_mlir.CompilerError, match="dtype object"):
        wse_mlir.compile(scaled, (np.array([[None]]),))


def test_what_a_compiled_model_says_of_itself() -> None:
    on_cpu = wse_mlir.compile(nn.Linear(512, 512).eval(), (torch.ones(2, 512),))
    assert repr(on_cpu) == (
        "<Linear.forward compiled for cpu: (input: float32[2, 512]) -> (float32), 1.0 MiB of parameters>"
    )
    assert "scaled compiled for tiny" in repr(wse_mlir.compile(scaled, (X,), target="tiny"))


@pytest.mark.parametrize("target", ["cpu", "tiny"])
def test_floats_of_eight_bits_are_refused(target: str) -> None:
    text = TEXT.replace("f32", "f8E4M3FN").replace("linalg.add", "linalg.max")
    for model, args in ((text, ()), (lambda x: x.to(torch.float8_e5m2).float(), (X,))):
        with pytest.raises(wse_mlir.CompilerError, match=r"f(8E4M3FN|loat8_e5m2)") as caught:
            wse_mlir.compile(model, args, target=target)
        assert "not" in caught.value.message and len(str(caught.value).splitlines()) <= 3
