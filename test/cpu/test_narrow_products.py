"""Products of bf16, f16 and bytes, by the processor's dot products where it has them: any shape, on any processor."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import wse_mlir
from wse_mlir.passes.cpu.processor import processor

# with both dot products, without, AVX-VNNI alone, SSE2
FEATURES = ["", "-avx512bf16,-avx512vnni,-avxvnni", "-avx512f", "-avx"]
SIZES = st.integers(1, 40)


def close(model: nn.Module, x: torch.Tensor, bits: int, **options: Any) -> None:
    """Compares with f64: what is narrower is exact but for one rounding of the result to so many bits."""
    model = model.eval().requires_grad_(False)
    found = wse_mlir.compile(model, (x,), **options)(x)
    assert found.dtype == x.dtype
    wanted = model.double()(x.double())
    bound = (2.0**-bits + 1e-4) * wanted.abs().max().item()
    assert (found.double() - wanted).abs().max().item() <= bound


def test_features_decide_which_dot_products_there_are() -> None:
    assert processor("znver4").has_bf16_dot and processor("znver4").has_int8_dot
    assert not processor("znver4", "-avx512bf16").has_bf16_dot
    assert not processor("znver4", "-avx512vnni").has_int8_dot
    assert not processor("znver4", "-avx512vl").has_int8_dot
    assert processor("alderlake").has_int8_dot and not processor("alderlake").has_bf16_dot
    assert not processor("x86-64-v3").has_int8_dot and not processor("x86-64").has_bf16_dot


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("features", FEATURES)
def test_narrow_floats_are_summed_in_f32(features: str, dtype: torch.dtype) -> None:
    layers = nn.Sequential(nn.Linear(37, 50), nn.ReLU(), nn.Linear(50, 19, bias=False))
    x = torch.randn(13, 37)
    bits = 6 if dtype == torch.bfloat16 else 9  # two layers round
    close(layers.to(dtype), x.to(dtype), bits, features=features)


@pytest.mark.parametrize("features", ["", "-avx"])
def test_half_rows_are_widened_for_many_columns(features: str) -> None:
    close(nn.Linear(33, 150).half(), torch.randn(11, 33).half(), 11, features=features)
    layers = nn.Sequential(nn.Conv2d(16, 130, 3, padding=1), nn.ReLU(), nn.Conv2d(130, 130, 1))
    close(layers.half(), torch.randn(1, 16, 5, 6).half(), 9, features=features)


@settings(max_examples=5, deadline=None)
@given(rows=SIZES, depth=SIZES, columns=SIZES)
def test_pairs_of_any_shape(rows: int, depth: int, columns: int) -> None:
    close(nn.Linear(depth, columns).bfloat16(), torch.randn(rows, depth).bfloat16(), 8)


@pytest.mark.parametrize("features", ["", "-avx512bf16"])
def test_convolutions_of_bf16(features: str) -> None:
    layers = [nn.Conv2d(3, 20, 3, padding=1), nn.ReLU(), nn.Conv2d(20, 33, 3, stride=2), nn.Conv2d(33, 7, 1)]
    close(nn.Sequential(*layers).bfloat16(), torch.randn(2, 3, 9, 11).bfloat16(), 6, features=features)


def test_the_last_odd_element_does_not_touch_what_lies_behind() -> None:
    """Infinities behind a row of the left-hand side would be NaN, times the zeros that the weights are filled with."""
    model = nn.Linear(5, 8, bias=False).bfloat16().eval().requires_grad_(False)

    class Part(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x[:, :5])

    x = torch.full((7, 6), torch.inf).bfloat16()
    x[:, :5] = torch.randn(7, 5)
    found = wse_mlir.compile(Part(), (x,))(x)
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found, Part()(x), rtol=1e-2, atol=1e-2)


def test_large_sums_of_bf16_stay_as_close_as_those_of_f32() -> None:
    """The bound in `DotProduct`: K * 2^-24 of the sum of magnitudes, seen through one rounding to bf16."""
    depth = 3000
    model = nn.Linear(depth, 32, bias=False).bfloat16().requires_grad_(False)
    x = torch.randn(4, depth).bfloat16()
    found = wse_mlir.compile(model, (x,))(x).double()
    wanted = x.double() @ model.weight.double().T
    magnitudes = x.double().abs() @ model.weight.double().abs().T
    assert ((found - wanted).abs() <= depth * 2.0**-24 * magnitudes + 2.0**-8 * wanted.abs() + 1e-6).all()


class IntegerProduct(nn.Module):
    """[m, k] x [k, n] of bytes, with sums in i32."""

    def __init__(self, weights: np.ndarray) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.from_numpy(weights), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch._int_mm(x, self.weights)


def integers(*shape: int, dtype: Any = np.int8, seed: int = 3) -> np.ndarray:
    """Every value of a byte."""
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


@settings(max_examples=5, deadline=None)
@given(rows=SIZES, depth=SIZES, columns=SIZES)
def test_groups_of_bytes_of_any_shape(rows: int, depth: int, columns: int) -> None:
    x, weights = integers(rows, depth), integers(depth, columns)
    model = IntegerProduct(weights)
    found = wse_mlir.compile(model, (torch.from_numpy(x),))(torch.from_numpy(x))
    assert (found.numpy() == x.astype(np.int32) @ weights.astype(np.int32)).all()


def onnx_file(path: Any, operator: str, x: np.ndarray, shape: list[int], **constants: np.ndarray) -> str:
    """A model of one operator, whose first input is `x`."""
    onnx = pytest.importorskip("onnx")
    make, kinds = onnx.helper, onnx.TensorProto
    node = make.make_node(operator, ["x", *constants], ["y"])
    if operator == "ConvInteger":
        node.attribute.append(make.make_attribute("pads", [1, 1, 1, 1]))
    graph = make.make_graph(
        [node],
        "main",
        [make.make_tensor_value_info("x", kinds.UINT8 if x.dtype == np.uint8 else kinds.INT8, x.shape)],
        [make.make_tensor_value_info("y", kinds.INT32, shape)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path / "model.onnx")
    return str(path / "model.onnx")


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("kind", [np.int8, np.uint8])
def test_products_of_quantised_numbers(tmp_path: Any, kind: Any, features: str) -> None:
    x, weights = integers(9, 23, dtype=kind), integers(23, 21)
    zero = np.array(7, kind)
    path = onnx_file(tmp_path, "MatMulInteger", x, [9, 21], weights=weights, zero=zero)
    found = wse_mlir.compile(path, (torch.from_numpy(x),), features=features)(torch.from_numpy(x))
    wanted = (x.astype(np.int32) - 7) @ weights.astype(np.int32)
    assert (found.numpy() == wanted).all()


@pytest.mark.parametrize("features", ["", "-avx512vnni,-avxvnni"])
def test_convolutions_of_quantised_numbers(tmp_path: Any, features: str) -> None:
    x, weights = integers(1, 5, 8, 9, dtype=np.uint8), integers(18, 5, 3, 3)
    path = onnx_file(tmp_path, "ConvInteger", x, [1, 18, 8, 9], weights=weights)
    found = wse_mlir.compile(path, (torch.from_numpy(x),), features=features)(torch.from_numpy(x))
    wanted = torch.nn.functional.conv2d(
        torch.from_numpy(x).double(), torch.from_numpy(weights).double(), padding=1
    )
    assert (found.double() == wanted).all()
