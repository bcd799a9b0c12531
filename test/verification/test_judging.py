"""The judge agrees with PyTorch where the compiler is right, and search, processes and files do what they say."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import zoo
from plants import Function

from wse_mlir.compiler.workload import OpenedModel
from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.runtime.arrays import as_array
from wse_mlir.verify import Verification, compare_operations, subject_of
from wse_mlir.verify.bisect import Found, find_first_bad
from wse_mlir.verify.extract import calls_for
from wse_mlir.verify.inputs import attach, detach
from wse_mlir.verify.isolation import isolated
from wse_mlir.verify.suspicion import Suspicion
from wse_mlir.verify.trace import PassText


def verification(function: object, *args: torch.Tensor, target: str = "cpu", calls: int = 1) -> Verification:
    model = function if isinstance(function, torch.nn.Module) else Function(function)  # type: ignore[arg-type]
    return Verification(subject_of(OpenedModel("m", "m", model, [args] * calls)), target)


def test_every_stage_of_a_model_with_state_matches() -> None:
    made = zoo.family("decode")
    for stage in verification(made.model, *made.args, calls=made.steps).stages():
        assert stage.comparison is not None and stage.matches, stage


def test_narrow_floats_integers_and_booleans_are_judged() -> None:
    def mixed(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return a.half() * 3, (b * 2).bfloat16().exp(), c + 1, c > 3, (c % 200).to(torch.uint8)

    checked = verification(mixed, torch.randn(5), torch.randn(5), torch.arange(200, 205))
    for stage in checked.stages():
        assert stage.comparison is not None and stage.matches, stage
        assert stage.comparison.allowed == (1e-2, 1e-2, 0.0, 0.0, 0.0)


def test_what_is_returned_twice_is_judged() -> None:
    class Sum(torch.nn.Module):
        """Its output is its next state."""

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("sum", torch.zeros(5))

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            self.sum.add_(x)
            return self.sum.clone(), self.sum.clone()

    for stage in verification(Sum(), torch.randn(5), target="tiny", calls=2).stages():
        assert stage.comparison is not None and stage.matches, stage


def test_a_distributed_program_is_followed_tile_by_tile() -> None:
    def normalised(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.softmax(torch.cat([a @ b, a @ b], 1)[:, 1:], 1).reshape(-1)

    checked = verification(normalised, torch.randn(5, 40), torch.randn(40, 9), target="tiny")
    for stage in checked.stages():
        assert stage.comparison is not None and stage.matches, stage


def test_places_that_data_decides_are_followed_tile_by_tile() -> None:
    """Tables that are split with loops, shared, or read by several operations; writes by their owners."""

    def placed(x: torch.Tensor, at: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return x[at], x.gather(0, at[:, None].expand(4, 9)).exp(), x.index_add(0, at, x[:4] * 2), x.diagonal()

    checked = verification(placed, torch.randn(11, 9), torch.tensor([3, 10, 0, 3]), target="tiny")
    for stage in checked.stages():
        assert stage.comparison is not None and stage.matches, stage


def test_operations_are_compared_alone() -> None:
    checked = verification(lambda a, b: torch.exp(a @ b), torch.randn(4, 4), torch.randn(4, 4))
    list(checked.stages())
    results = list(compare_operations(checked, "cpu"))
    assert [(r.level, r.name) for r in results] == [
        ("imported", "linalg.matmul"),
        ("imported", "linalg.generic"),
        ("tensor", "linalg.generic"),
        ("tensor", "linalg.generic"),
    ]
    assert all("aten." in r.origin and r.badness < 1 for r in results)


def test_the_search_finds_the_first_bad_point() -> None:
    for first in range(1, 9):
        assert find_first_bad(9, lambda i, f=first: i >= f, {0: False, 8: True}) == Found(
            first - 1, first, False
        )
    assert find_first_bad(9, lambda _: False, {0: False, 8: False}) is None


def test_points_that_nobody_can_judge_widen_the_answer() -> None:
    verdicts = {3: False, 4: None, 5: None, 6: True}
    assert find_first_bad(9, lambda i: verdicts.get(i, i > 6), {0: False, 8: True}) == Found(3, 6, True)


def test_a_process_that_dies_or_hangs_is_survived() -> None:
    died = isolated(lambda send: (send("alive"), os.kill(os.getpid(), signal.SIGABRT)))
    assert died.sent == ["alive"] and died.crash == "aborted (SIGABRT)"
    hung = isolated(lambda _: signal.pause(), time_limit=0.2)
    assert hung.crash == "no end within 0.2 s"
    slow = isolated(lambda send: [(send(n), time.sleep(0.1)) for n in range(5)] and None, time_limit=0.3)
    assert slow.sent == [*range(5)] and slow.returned  # nor does one die that is at work
    assert isolated(lambda _: 1 / 0).failure is not None


@pytest.mark.parametrize("size", [3, 600])
def test_inputs_travel_in_the_file_or_beside_it(size: int, tmp_path: Path) -> None:
    second = torch.tensor([0.5, 3.0]).bfloat16() if size > 3 else torch.tensor([1, 3])
    kind = "tensor<2xbf16>" if size > 3 else "tensor<2xi64>"
    text = f"func.func @main(%a: tensor<{size}xf32>, %b: {kind}) -> {kind} {{ return %b : {kind} }}"
    module = ir.Module.parse(text, create_context())
    arrays = (np.linspace(0, 1, size, dtype=np.float32), as_array(second))
    beside = attach(module, calls_for(module, arrays))
    assert bool(beside) == (size > 3)
    np.savez(tmp_path / "m.npz", **beside)  # type: ignore[arg-type]
    read = detach(ir.Module.parse(str(module), create_context()), tmp_path / "m.npz")
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(read.initial, arrays, strict=True))


def test_a_file_without_inputs_is_refused(tmp_path: Path) -> None:
    text = "func.func @main(%a: tensor<3xf32>) -> tensor<3xf32> { return %a : tensor<3xf32> }"
    with pytest.raises(CompilerError, match="arguments have no values"):
        detach(ir.Module.parse(text, create_context()), tmp_path / "none.npz")


def test_what_nobody_wrote_is_no_result() -> None:
    """Not even where upstream lets it share memory with what somebody wrote."""
    text = """func.func @main(%a: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
        %e = tensor.empty() : tensor<3xf32>
        %f = linalg.exp ins(%a : tensor<3xf32>) outs(%e : tensor<3xf32>) -> tensor<3xf32>
        return %f, %e : tensor<3xf32>, tensor<3xf32> }"""
    calls = calls_for(ir.Module.parse(text, create_context()), (np.ones(3, np.float32),))
    suspicion = Suspicion((PassText("wse-dce", "wse-dce", "func.func"),))
    assert "reads what it never wrote" in suspicion.evidence(text, calls).unjudged
    assert not suspicion.evidence(text.replace("return %f, %e", "return %f, %f"), calls).unjudged
    kept = text.replace("linalg.exp ins(%a", "linalg.exp ins(%e").replace("%f, %e", "%f, %f")
    assert "reads what it never wrote" in suspicion.evidence(kept, calls).unjudged


def test_a_model_that_fails_in_pytorch_is_said_to() -> None:
    made = zoo.family("mlp")
    opened = OpenedModel("m", "m", made.model, [made.args, (made.args[0][:, :5],)])
    with pytest.raises(CompilerError, match="fails in PyTorch already: RuntimeError"):
        subject_of(opened)
