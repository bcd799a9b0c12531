"""What `compile` returns: calls, state, parameters, reports, and messages about wrong calls."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch
from torch import nn
from zoo import error, family

import wse_mlir


def linear() -> nn.Linear:
    torch.manual_seed(1)
    return nn.Linear(8, 3).eval().requires_grad_(False)


class Structured(nn.Module):
    def forward(
        self, pair: tuple[torch.Tensor, torch.Tensor], *, scale: torch.Tensor
    ) -> dict[str, torch.Tensor | None]:
        return {"sum": (pair[0] + pair[1]) * scale, "nothing": None, "first": pair[0] - 1}


def test_structure_of_arguments_and_results_is_kept() -> None:
    pair = (torch.randn(3), torch.randn(3))
    compiled = wse_mlir.compile(Structured(), (pair,), {"scale": torch.tensor(2.0)})
    got = compiled(pair, scale=torch.tensor(3.0))
    assert list(got) == ["sum", "nothing", "first"] and got["nothing"] is None
    torch.testing.assert_close(got["sum"], (pair[0] + pair[1]) * 3)
    torch.testing.assert_close(got["first"], pair[0] - 1)


def test_numpy_in_numpy_out() -> None:
    model, x = linear(), np.random.default_rng(0).standard_normal((2, 8), dtype=np.float32)
    compiled = wse_mlir.compile(model, (torch.from_numpy(x),))
    got = compiled(x)
    assert isinstance(got, np.ndarray) and got.dtype == np.float32
    np.testing.assert_allclose(got, model(torch.from_numpy(x)).numpy(), rtol=1e-5, atol=1e-6)


def test_numpy_bfloat16() -> None:
    model = linear().bfloat16()
    x = torch.randn(2, 8).bfloat16()
    array = x.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    got = wse_mlir.compile(model, (x,))(array)
    assert got.dtype == ml_dtypes.bfloat16
    assert error(torch.from_numpy(got.astype(np.float32)), model(x).float()) <= 1e-2


def test_arguments_that_are_not_contiguous() -> None:
    model, x = linear(), torch.randn(8, 2).T
    compiled = wse_mlir.compile(model, (torch.zeros(2, 8),))
    assert not x.is_contiguous() and error(compiled(x), model(x)) <= 1e-5
    strided = torch.randn(2, 16)[:, ::2]
    assert error(compiled(strided), model(strided)) <= 1e-5
    array = strided.numpy()
    array.flags.writeable = False
    np.testing.assert_allclose(compiled(array), model(strided).numpy(), rtol=1e-5, atol=1e-6)


def test_results_of_two_calls_do_not_share_memory_and_inputs_are_not_written() -> None:
    compiled = wse_mlir.compile(linear(), (torch.zeros(2, 8),))
    x = torch.randn(2, 8)
    kept = x.clone()
    first = compiled(x)
    copy = first.clone()
    compiled(torch.randn(2, 8))
    assert torch.equal(first, copy) and torch.equal(x, kept)


def test_changed_parameters_are_seen_after_update_parameters() -> None:
    model, x = linear(), torch.randn(2, 8)
    compiled = wse_mlir.compile(model, (x,))
    model.weight.mul_(2.0)
    compiled.update_parameters()
    assert error(compiled(x), model(x)) <= 1e-5


def test_replaced_parameters_are_seen_after_update_parameters() -> None:
    model, x = linear(), torch.randn(2, 8)
    compiled = wse_mlir.compile(model, (x,))
    before = model(x)
    model.weight = nn.Parameter(torch.randn(3, 8), requires_grad=False)
    assert error(compiled(x), before) <= 1e-5
    compiled.update_parameters()
    assert error(compiled(x), model(x)) <= 1e-5
    model.weight = nn.Parameter(torch.randn(4, 8), requires_grad=False)
    with pytest.raises(wse_mlir.CompilerError, match="weight"):
        compiled.update_parameters()


class Counter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.tensor([10.0, 20.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        before = self.total + 0
        self.total += x
        return before


def test_state_lives_between_calls_and_can_be_reset() -> None:
    model = Counter()
    compiled = wse_mlir.compile(model, (torch.zeros(2),))
    live = compiled.state["total"]
    for call in range(3):
        assert compiled(torch.ones(2)).tolist() == [10.0 + call, 20.0 + call]
    assert live.tolist() == [13.0, 23.0]
    assert model.total.tolist() == [10.0, 20.0], "the user's own buffer is left alone"
    compiled.reset()
    assert live.tolist() == [10.0, 20.0] and compiled(torch.ones(2)).tolist() == [10.0, 20.0]


def test_state_is_what_the_caller_writes_into_it() -> None:
    compiled = wse_mlir.compile(Counter(), (torch.zeros(2),))
    compiled.state["total"].copy_(torch.tensor([1.0, 2.0]))
    assert compiled(torch.ones(2)).tolist() == [1.0, 2.0]


class InPlace(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x.mul_(2)
        return x.sum()


def test_an_input_that_the_model_mutates_is_written_back() -> None:
    x = torch.ones(3)
    assert wse_mlir.compile(InPlace(), (torch.ones(3),))(x).item() == 6.0
    assert x.tolist() == [2.0, 2.0, 2.0]


def test_the_report_is_json() -> None:
    report = wse_mlir.compile(linear(), (torch.zeros(2, 8),)).report
    assert json.loads(json.dumps(report))["target"] == "cpu"
    assert set(report["timings"]) >= {"import", "passes", "codegen", "load"}
    assert sum(report["timings"].values()) <= report["compile_seconds"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((torch.zeros(3, 8),), (r"Linear\.forward", "argument 0", r"\[3, 8\]", r"\[2, 8\]")),
        ((torch.zeros(2, 8).double(),), ("float64", "float32")),
        ((), (r"Linear\.forward", "1 tensor", "0 tensors")),
        ((torch.zeros(2, 8), torch.zeros(2)), ("1 tensor", "2 tensors")),
        ((3,), ("argument 0", "int")),
        ((np.zeros((2, 8), dtype="U1"),), ("NumPy", "<U1")),
    ],
)
def test_wrong_calls_get_one_message(args: tuple[object, ...], words: tuple[str, ...]) -> None:
    compiled = wse_mlir.compile(linear(), (torch.zeros(2, 8),))
    for word in words:
        with pytest.raises(wse_mlir.CompilerError, match=word):
            compiled(*args)


def test_wrong_options() -> None:
    for count in (0, -1, 257, 1.5, True, "two", object):
        with pytest.raises(wse_mlir.CompilerError, match=r"num_threads is .*, no number of threads"):
            wse_mlir.compile(linear(), (torch.zeros(2, 8),), num_threads=count)  # type: ignore[arg-type]
    with pytest.raises(wse_mlir.CompilerError, match="dynamic_shapes is 'batch', no structure of sizes"):
        wse_mlir.compile(linear(), (torch.zeros(2, 8),), dynamic_shapes="batch")
    with pytest.raises(wse_mlir.CompilerError, match="no option 'speed'"):
        wse_mlir.compile(linear(), (torch.zeros(2, 8),), speed=1)
    with pytest.raises(wse_mlir.CompilerError, match="tiny"):
        wse_mlir.compile(linear(), (torch.zeros(2, 8),), target="tny")
    assert wse_mlir.compile(linear(), (torch.zeros(2, 8),), num_threads=1)(torch.zeros(2, 8)).shape == (2, 3)


def test_a_model_without_data_cannot_run() -> None:
    with pytest.raises(wse_mlir.CompilerError, match=r"weight.*no data"):
        wse_mlir.compile(nn.Linear(8, 3, device="meta"), (torch.zeros(2, 8, device="meta"),))


def test_exported_programs_and_their_files(tmp_path: Path) -> None:
    model, x = linear(), torch.randn(2, 8)
    program = torch.export.export(model, (x,))
    assert error(wse_mlir.compile(program)(x), model(x)) <= 1e-5
    path = tmp_path / "model.pt2"
    torch.export.save(program, path)
    assert error(wse_mlir.compile(str(path))(x), model(x)) <= 1e-5


def test_mlir_files(tmp_path: Path) -> None:
    path = tmp_path / "twice.mlir"
    path.write_text(
        "func.func @main(%x: tensor<5xf32>) -> tensor<5xf32> {\n"
        "  %0 = arith.addf %x, %x : tensor<5xf32>\n  return %0 : tensor<5xf32>\n}\n"
    )
    assert wse_mlir.compile(str(path))(torch.arange(5.0)).tolist() == [0.0, 2.0, 4.0, 6.0, 8.0]


class Joined(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.softmax(x + y, 1), x, torch.cat([x, y]).sum(1), torch.arange(100) * 2


def test_a_size_may_be_left_open() -> None:
    batch = {0: torch.export.Dim("batch", min=1, max=512)}
    example = (torch.zeros(4, 20), torch.zeros(4, 20))
    compiled = wse_mlir.compile(Joined(), example, dynamic_shapes=(batch, batch))
    for rows in (1, 4, 37, 300):
        args = (torch.randn(rows, 20), torch.randn(rows, 20))
        for got, expected in zip(compiled(*args), Joined()(*args), strict=True):
            assert error(got, expected) <= 1e-4
    with pytest.raises(wse_mlir.CompilerError, match=r"'y'\) is 5, but must equal .*'x'\), which is 3"):
        compiled(torch.randn(3, 20), torch.randn(5, 20))
    with pytest.raises(wse_mlir.CompilerError, match=r"\[3, 21\]"):
        compiled(torch.randn(3, 21), torch.randn(3, 21))


def test_two_independent_open_sizes_are_refused() -> None:
    sizes = {0: torch.export.Dim("rows", max=64), 1: torch.export.Dim("columns", max=64)}
    with pytest.raises(wse_mlir.CompilerError, match="only one can be"):
        wse_mlir.compile(linear(), (torch.zeros(2, 5, 8),), dynamic_shapes=(sizes,))


def test_calls_from_several_threads() -> None:
    given = family("mlp")
    compiled = wse_mlir.compile(given.model, given.args)
    inputs = [torch.randn(9, 64) for _ in range(40)]
    with ThreadPoolExecutor(4) as pool:
        for x, got in zip(inputs, pool.map(compiled, inputs), strict=True):
            assert error(got, given.model(x)) <= 1e-4


def test_threads_may_compile_at_the_same_time() -> None:
    """The bindings crash when two threads build or lower IR: they must take turns by themselves."""
    x = torch.randn(3, 5)

    def work(width: int) -> bool:
        model = torch.nn.Linear(5, width).eval()
        target = "cpu" if width % 2 else "tiny"
        compiled = wse_mlir.compile(model, (x,), target=target)
        wse_mlir.opt(f"func.func @f(%x: tensor<{width}xf32>) {{ return }}", "builtin.module(canonicalize)")
        return torch.allclose(compiled(x), model(x), atol=1e-4)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(2, 10)))
