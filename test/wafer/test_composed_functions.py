"""Functions that PEs compose of others: every element near the truth, at the ends of the type too."""

from pathlib import Path

import pytest
import torch
from lowering import Function, element_errors

import wse_mlir

INF, NAN = float("inf"), float("nan")


def arguments(dtype: torch.dtype) -> torch.Tensor:
    """Numbers of all sizes and signs, and those near which functions are singular."""
    info = torch.finfo(dtype)
    one = torch.ones((), dtype=dtype)
    near_one = [torch.nextafter(one, one * 0), torch.nextafter(one, one * 2)]
    of_functions = [0.5, 1.0, 2.0, 2.414213562373095, 1.5707964, 9.1, 87.5, 89.0]
    of_types = [0.0, info.tiny, info.max, INF, 1.0 - 1e-3, *(float(x) for x in near_one)]
    sizes = [*torch.logspace(-5, 4, 40).tolist(), *of_functions, *of_types]
    return torch.tensor([*sizes, *(-s for s in sizes), NAN]).to(dtype)


def functions(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    of_angles = (torch.acos(x), torch.asin(x), torch.atan(x), torch.tan(x))
    return (
        *of_angles,
        torch.acosh(x),
        torch.asinh(x),
        torch.atanh(x),
        torch.sinh(x),
        torch.cosh(x),
        torch.erfc(x),
    )


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float16, 2e-3)])
def test_they_are_near_the_truth_everywhere(dtype: torch.dtype, bound: float) -> None:
    x = arguments(dtype)
    model = Function(functions)
    results = wse_mlir.compile(model, (x,), target="tiny", grid="3x1")(x)
    for got, want in zip(
        results, functions(x.double()), strict=True
    ):  # PyTorch's sinh of 89 is infinite in f32
        assert element_errors(got, want.to(dtype)) <= bound


def test_the_angle_of_a_point_knows_quadrants_and_signs_of_zero() -> None:
    values = torch.tensor([0.0, 1.0, 1e-30, 3.0, 0.4, 3e38, INF])
    values = torch.cat([values, -values, torch.tensor([NAN])])
    y, x = values[:, None], values[None, :]
    model = Function(torch.atan2)
    got = wse_mlir.compile(model, (y, x), target="tiny", grid="2x3")(y, x)
    assert element_errors(got, model(y, x)) <= 1e-6


def test_functions_that_only_files_have(tmp_path: Path) -> None:
    path = tmp_path / "functions.mlir"
    names = ("cbrt", "round")
    body = "".join(f"  %{name} = math.{name} %in : f32\n" for name in names)
    body += "  %f = math.isfinite %in : f32\n  %i = math.isinf %in : f32\n  %n = math.isnan %in : f32\n"
    body += "".join(f"  %{name}f = arith.uitofp %{name} : i1 to f32\n" for name in "fin")
    yielded = "%cbrt, %round, %ff, %if, %nf"
    tensor = "tensor<111xf32>"
    identity = "affine_map<(i) -> (i)>"
    maps = ", ".join([identity] * 6)
    path.write_text(
        f"func.func @main(%x: {tensor}) -> ({', '.join([tensor] * 5)}) {{\n  %e = tensor.empty() : {tensor}\n"
        f'  %r:5 = linalg.generic {{indexing_maps = [{maps}], iterator_types = ["parallel"]}}\n'
        f"    ins(%x : {tensor}) outs({', '.join(['%e'] * 5)} : {', '.join([tensor] * 5)}) {{\n"
        f"  ^bb0(%in: f32, {', '.join(f'%o{k}: f32' for k in range(5))}):\n{body}"
        f"  linalg.yield {yielded} : {', '.join(['f32'] * 5)}\n  }} -> ({', '.join([tensor] * 5)})\n"
        f"  return {', '.join(f'%r#{k}' for k in range(5))} : {', '.join([tensor] * 5)}\n}}\n"
    )
    x = arguments(torch.float32)
    assert x.shape == (111,)
    cube, rounded, *tests = wse_mlir.compile(path, (x,), target="tiny", grid="3x1")(x)
    assert element_errors(cube, x.abs().double().pow(1 / 3).copysign(x.double()).float()) <= 1e-5
    away = torch.where(x.abs().frac() == 0.5, x + 0.25 * x.sign(), x).round()
    assert element_errors(rounded, away.copysign(x)) == 0
    for got, want in zip(tests, (x.isfinite(), x.isinf(), x.isnan()), strict=True):
        assert torch.equal(got, want.float())


def test_quotients_that_are_rounded(tmp_path: Path) -> None:
    path = tmp_path / "quotients.mlir"
    path.write_text(
        "func.func @main(%x: tensor<81xi32>, %y: tensor<81xi32>) -> (tensor<81xi32>, tensor<81xi32>) {\n"
        "  %f = arith.floordivsi %x, %y : tensor<81xi32>\n  %c = arith.ceildivsi %x, %y : tensor<81xi32>\n"
        "  return %f, %c : tensor<81xi32>, tensor<81xi32>\n}\n"
    )
    x, y = (torch.arange(81, dtype=torch.int32) % 9 - 4, torch.arange(81, dtype=torch.int32) // 9 - 4)
    y[y == 0] = 7
    down, up = wse_mlir.compile(path, (x, y), target="tiny", grid="3x2")(x, y)
    assert torch.equal(down, x // y) and torch.equal(up, -(-x // y))
