"""Integers divided by zero raise, in every way that a model is run, and no division ends the process."""

from __future__ import annotations

import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

import wse_mlir
from wse_mlir import DivisionByZero

Function = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
OPERATORS: dict[str, Function] = {
    "floor_divide": torch.floor_divide,
    "div trunc": lambda a, b: torch.div(a, b, rounding_mode="trunc"),
    "div floor": lambda a, b: torch.div(a, b, rounding_mode="floor"),
    "remainder": torch.remainder,
    "fmod": torch.fmod,
    "of a number": lambda a, b: 7 // b + a,
    "in a sum": lambda a, b: (a.view(2, 2) % b.view(2, 2)).sum(1),
}
INTEGERS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8]


def _all_operators(a: torch.Tensor, divisors: list[torch.Tensor]) -> list[torch.Tensor]:
    return [function(a, b) for function, b in zip(OPERATORS.values(), divisors, strict=True)]


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_operators_raise_where_pytorch_raises(dtype: torch.dtype) -> None:
    limits = torch.iinfo(dtype)
    a = torch.tensor([limits.min, 7, limits.max, 5]).to(dtype)
    good = torch.tensor([3, -2, 1, 5]).to(dtype)
    model = wse_mlir.compile(_all_operators, (a, [good] * len(OPERATORS)), cache=False)
    for place, name in enumerate(OPERATORS):
        for element in range(4):
            divisors = [good.clone() for _ in OPERATORS]
            divisors[place][element] = 0
            with pytest.raises(RuntimeError, match="ZeroDivisionError"):
                _all_operators(a, divisors)
            with pytest.raises(DivisionByZero, match="an integer is divided by zero"):
                model(a, divisors)
                pytest.fail(name)
    expected = _all_operators(a, [good] * len(OPERATORS))
    for name, ours, theirs in zip(OPERATORS, model(a, [good] * len(OPERATORS)), expected, strict=True):
        torch.testing.assert_close(ours, theirs, msg=name)


def test_the_message_names_operator_and_line_and_is_an_error_of_each_kind() -> None:
    model = wse_mlir.compile(operator.mod, (torch.tensor([5]), torch.tensor([3])), cache=False)
    with pytest.raises(
        wse_mlir.CompilerError, match=r"aten.remainder\): an integer is divided by zero"
    ) as raised:
        model(torch.tensor([5]), torch.tensor([0]))
    for kind in (RuntimeError, ZeroDivisionError, wse_mlir.CheckFailed):
        assert isinstance(raised.value, kind)


def test_the_lowest_integer_over_minus_one_wraps_around() -> None:
    a = torch.tensor([torch.iinfo(torch.int64).min, 6])
    minus = torch.tensor([-1, -1])

    def divided(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.div(a, b, rounding_mode="trunc"), a // b, a // -1, a.fmod(b), a % b

    ours = wse_mlir.compile(divided, (a, minus), cache=False)(a, minus)
    wrapped = torch.tensor([torch.iinfo(torch.int64).min, -6])
    for quotient, left in zip(ours[:3], (*ours[3:], ours[3]), strict=True):
        assert torch.equal(quotient, wrapped) and not left.any()


def test_divisors_that_are_proven_are_not_checked() -> None:
    def proven(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return a // 3, a % -5, a.fmod(b.clamp(1, 9)), a // (b.remainder(4) + 1), a / b

    a, zero = torch.tensor([1, -7, 9]), torch.zeros(3, dtype=torch.int64)
    model = wse_mlir.compile(proven, (a, zero), cache=False)
    assert not model._executable.program.function.provisions.checks
    for ours, theirs in zip(model(a, zero), proven(a, zero), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_saved_open_and_scalar_calls_raise_as_well(tmp_path: Path) -> None:
    a, good = torch.arange(6), torch.tensor([2, 1, 3, 4, 5, 6])
    size = torch.export.Dim("n", min=0)
    dynamic = wse_mlir.compile(
        torch.fmod, (a, good), dynamic_shapes={"args": ({0: size}, {0: size})}, cache=False
    )
    wse_mlir.compile(torch.fmod, (a, good), cache=False, num_threads=2).save(tmp_path / "left.wse")
    for model in (dynamic, wse_mlir.load(tmp_path / "left.wse")):
        torch.testing.assert_close(model(a, good), torch.fmod(a, good))
        with pytest.raises(DivisionByZero):
            model(a, a)
    none = torch.zeros(0, dtype=torch.int64)
    assert dynamic(none, none).shape == (0,)
    scalar = torch.tensor(3)
    one = wse_mlir.compile(torch.floor_divide, (a, scalar), cache=False)
    torch.testing.assert_close(one(a, scalar), a // 3)
    with pytest.raises(DivisionByZero):
        one(a, torch.tensor(0))


def test_torch_compile_raises() -> None:
    fast = torch.compile(lambda a, b: (a // b).sum(), backend="wse_mlir")
    a = torch.tensor([4, -9, 2])
    assert fast(a, torch.tensor([2, 2, 3])) == -3
    with pytest.raises(DivisionByZero):
        fast(a, torch.tensor([2, 0, 3]))


def test_onnx_models_raise() -> None:
    for name in ("Div", "Mod"):
        infos = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.INT32, [3]) for n in "abc"]
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node(name, ["a", "b"], ["c"])], "g", infos[:2], infos[2:]
        )
        _raises_for_zero(graph)


def _raises_for_zero(graph: Any) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model.onnx"
        onnx.save(onnx.helper.make_model(graph), path)
        a, b = torch.tensor([4, 9, 2], dtype=torch.int32), torch.tensor([2, 3, 2], dtype=torch.int32)
        model = wse_mlir.compile(path, (a, b), cache=False)
        model(a, b)
        with pytest.raises(DivisionByZero):
            model(a, b - 2)


OTHER_FORMS = """
func.func @main(%a: tensor<4xi32>, %b: tensor<4xi32>) -> (tensor<4xi32>, tensor<4xi32>, tensor<4xi32>) {
  %q = arith.divsi %a, %b : tensor<4xi32>
  %e = tensor.empty() : tensor<4xi32>
  %r = linalg.map ins(%a, %b : tensor<4xi32>, tensor<4xi32>) outs(%e : tensor<4xi32>) (%x: i32, %y: i32, %z: i32) {
    %d = arith.remui %x, %y : i32
    linalg.yield %d : i32
  }
  %n = linalg.div ins(%a, %b : tensor<4xi32>, tensor<4xi32>) outs(%e : tensor<4xi32>) -> tensor<4xi32>
  return %q, %r, %n : tensor<4xi32>, tensor<4xi32>, tensor<4xi32>
}
"""


def test_divisions_in_files_of_ir_do_not_end_the_process() -> None:
    model = wse_mlir.compile(OTHER_FORMS, cache=False)
    lowest = torch.iinfo(torch.int32).min
    a, b = torch.tensor([lowest, 7, -8, 9]).int(), torch.tensor([-1, 2, 3, 4]).int()
    quotient, left, named = model(a, b)
    assert quotient.tolist() == named.tolist() == [lowest, 3, -2, 2]
    assert left.tolist() == [2**31, 1, (2**32 - 8) % 3, 1] or left.tolist()[1:] == [1, (2**32 - 8) % 3, 1]
    with pytest.raises(DivisionByZero):
        model(a, b - 2)
