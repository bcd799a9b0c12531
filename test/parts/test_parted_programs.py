"""Programs for a wafer whose operators without a lowering run on the CPU: `fallback="cpu"`."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import wse_mlir
from wse_mlir.compare.agreement import relative_error
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.runtime.wafer.simulate import simulate_module

while_loop: Any = torch._higher_order_ops.while_loop


def halved(y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Halves until all elements are small; how often only the data tells."""
    return while_loop(
        lambda k, y: (y.abs().max() > 0.1) & (k < 50),
        lambda k, y: (k + 1, y * 0.5),
        (torch.tensor(0), y),
    )


def doubled(y: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    """Doubles as often as a tensor says; not at all where that is negative."""
    return while_loop(lambda k, y: k > 0, lambda k, y: (k - 1, y + y), (times, y))[1]


class Twice(nn.Module):
    """Two things that the wafer has no lowering for, between layers and at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(8, 12), nn.Linear(12, 6), nn.Linear(6, 5)

    def forward(self, x: torch.Tensor, i: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rows = doubled(torch.relu(self.first(x)), i)
        times, small = halved(self.second(rows))
        return self.third(small), times, doubled(rows + 1, i)


class Start(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 7)

    def forward(self, x: torch.Tensor, i: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.layer(doubled(x, i)))


class Branches(nn.Module):
    """One branch needs the CPU, the other has nothing to do with it."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(8, 6), nn.Linear(8, 6)

    def forward(self, x: torch.Tensor, i: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.left(x), -1) * doubled(torch.sin(self.right(x)), i)


def on_wafer(model: Any, *args: torch.Tensor, **options: Any) -> Any:
    return wse_mlir.compile(model, args, target="tiny", fallback="cpu", **options)


def assert_matches(compiled: Any, model: Any, *args: torch.Tensor, tolerance: float = 1e-3) -> None:
    with torch.no_grad():
        found, expected = compiled(*args), model(*args)
    for one, other in zip(*(r if isinstance(r, tuple) else (r,) for r in (found, expected)), strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        bound = tolerance if one.is_floating_point() else 0.0
        assert relative_error(one, other) <= bound


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize(
    ("model", "sides"),
    [(Twice, "wcwcw"), (Start, "cw"), (Branches, "wcw")],
)
def test_parts_take_turns_and_match(model: type[nn.Module], sides: str, dtype: torch.dtype) -> None:
    layers = model().eval().to(dtype)
    x = torch.randn(5, 4, 8, dtype=dtype)
    compiled = on_wafer(layers, x, torch.tensor(1), grid="3x2")
    for i in (1, 0, -1):
        assert_matches(
            compiled, layers, x, torch.tensor(i), tolerance=1e-3 if dtype == torch.float32 else 1e-2
        )
    assert "".join(part["name"][0] for part in compiled.report["parts"]) == sides


def test_without_the_option_the_refusal_stays() -> None:
    with pytest.raises(CompilerError) as caught:
        wse_mlir.compile(Start().eval(), (torch.randn(5, 8), torch.tensor(0)), target="tiny")
    assert "'scf.while' has no lowering to the wafer" in str(caught.value)
    with pytest.raises(CompilerError, match="fallback is 'gpu', and the only one that there is is 'cpu'"):
        wse_mlir.compile(Start().eval(), (torch.randn(5, 8), torch.tensor(0)), target="tiny", fallback="gpu")


def test_what_the_wafer_can_run_as_a_whole_stays_as_it_is() -> None:
    model, x = nn.Sequential(nn.Linear(6, 9), nn.GELU(), nn.Linear(9, 3)).eval(), torch.randn(4, 6)
    plain, allowed = wse_mlir.compile(model, (x,), target="tiny"), on_wafer(model, x)
    assert torch.equal(plain(x), allowed(x))
    assert plain._executable.program.stage == allowed._executable.program.stage
    assert plain.report["cycles"] == allowed.report["cycles"] and "fallback" not in allowed.report


def test_the_report_says_what_runs_where_and_what_travels() -> None:
    model, x = Branches().eval(), torch.randn(5, 4, 8)
    compiled = on_wafer(model, x, torch.tensor(1), grid="2x2")
    before = compiled.report["fallback"]
    compiled(x, torch.tensor(1))
    report = compiled.report
    assert report["fallback"] == before and before["to"] == "cpu"
    (loop,) = [o for o in before["operators"] if "scf.while" in o["reason"]]
    assert loop["part"] == "cpu_1" and "test_parted_programs.py" in loop["where"]
    assert loop["reason"] == "'scf.while' has no lowering to the wafer yet"
    moved = before["transfers"]
    assert moved["to_cpu"] == {"bytes": 5 * 4 * 6 * 4, "times": 1}
    assert moved["to_wafer"] == {"bytes": 5 * 4 * 6 * 4, "times": 1}
    assert [(t["from"], t["to"]) for t in moved["tensors"]] == [
        ("wafer_0", ["cpu_1"]),
        ("cpu_1", ["wafer_2"]),
    ]
    first, cpu, last = report["parts"]
    assert cpu["on"] == "cpu" and cpu["seconds"] > 0 and "cycles" not in cpu
    for name in ("device", "makespan", "host_out"):
        assert report["cycles"][name] == first["cycles"][name] + last["cycles"][name] > 0
    loads = first["cycles"]["host_load"] + last["cycles"]["host_load"]
    assert report["cycles"]["host_reload"] == loads > 0 == report["cycles"]["host_load"]
    assert report["cycles"]["host_in"] == first["cycles"]["host_in"] + last["cycles"]["host_in"] + loads


def test_estimates_need_no_data_and_no_cpu() -> None:
    model, x, i = Branches().eval(), torch.randn(5, 4, 8), torch.tensor(1)
    compiled = on_wafer(model, x, i, grid="2x2")
    compiled(x, i)
    with torch.device("meta"):
        shapes = Branches(), (torch.empty(5, 4, 8), torch.empty((), dtype=torch.int64))
    told = wse_mlir.estimate(*shapes, target="tiny", grid="2x2", fallback="cpu")
    assert told["cycles"] == compiled.report["cycles"]
    assert told["fallback"] == compiled.report["fallback"]
    with pytest.raises(CompilerError, match="this model is several parts"):
        simulate_module(model, "tiny", example_args=(x, i), fallback="cpu")


def test_parameters_are_taken_again_by_all_parts() -> None:
    model, x, i = Branches().eval(), torch.randn(5, 4, 8), torch.tensor(2)
    compiled = on_wafer(model, x, i, grid="2x2")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    compiled.update_parameters()
    assert_matches(compiled, model, x, i)


class Counting(nn.Module):
    """A state that the wafer can keep, if it runs one part."""

    total: torch.Tensor

    def __init__(self, *, again: bool) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(4, 6))
        self.again = again

    def forward(self, x: torch.Tensor, i: torch.Tensor) -> torch.Tensor:
        self.total += torch.tanh(x)
        total = doubled(self.total * 2, i)
        return torch.exp(total) if self.again else total


@pytest.mark.parametrize("again", [False, True])
def test_states(again: bool) -> None:
    model, x, i = Counting(again=again), torch.randn(4, 6), torch.tensor(1)
    compiled = on_wafer(model, x, i, grid="2x2")
    assert compiled._executable.held_states == (frozenset() if again else {"total"})
    for factor in (1.0, 2.0):
        assert_matches(compiled, model, x * factor, i)
        assert relative_error(compiled.state["total"], model.total) <= 1e-3
    compiled.reset()
    model.total.zero_()
    assert_matches(compiled, model, x, i)


def test_a_program_that_the_cpu_runs_alone() -> None:
    def function(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.sum(0), x

    x = torch.zeros(0, 5)
    compiled = on_wafer(function, x)
    assert_matches(compiled, function, x)
    assert [part["on"] for part in compiled.report["parts"]] == ["cpu"]
    assert compiled.report["cycles"]["total"] == 0


def test_results_are_nobodys_memory() -> None:
    def function(x: torch.Tensor, i: torch.Tensor) -> tuple[torch.Tensor, ...]:
        row = doubled(x, i) // 2
        return row, x, row, x.view(-1)

    x = torch.arange(12, dtype=torch.uint8).reshape(3, 4)
    compiled = on_wafer(function, x, torch.tensor(1), grid="2x1")
    assert_matches(compiled, function, x, torch.tensor(1))
    row, same, again, _ = compiled(x, torch.tensor(1))
    row += 1
    same += 1
    assert torch.equal(x, torch.arange(12, dtype=torch.uint8).reshape(3, 4))
    assert torch.equal(again + 1, row)


def test_what_is_asserted_is_checked_where_it_is_known() -> None:
    def function(x: torch.Tensor, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        torch._assert_async(i < 2, "less than two")
        return doubled(torch.exp(x[j]), i)

    x, j = torch.randn(4, 6), torch.tensor([0, 3])
    compiled = on_wafer(function, x, torch.tensor(1), j, grid="2x1")
    assert_matches(compiled, function, x, torch.tensor(1), j)
    with pytest.raises(IndexError, match="4"):
        compiled(x, torch.tensor(1), j + 1)
    with pytest.raises(wse_mlir.CheckFailed, match="less than two"):
        compiled(x, torch.tensor(2), j)


OPEN = """
func.func @main(%x: tensor<6xf32>, %n: tensor<i64>) -> tensor<6xf32> {
  %k = tensor.extract %n[] : tensor<i64>
  %s = arith.index_cast %k : i64 to index
  %e = tensor.empty() : tensor<6xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
      iterator_types = ["parallel"]}
      ins(%x : tensor<6xf32>) outs(%e : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %q = math.exp %a : f32
    linalg.yield %q : f32
  } -> tensor<6xf32>
  %z = tensor.extract_slice %y[0] [%s] [1] : tensor<6xf32> to tensor<?xf32>
  %c0 = arith.constant 0 : index
  %d = tensor.dim %z, %c0 : tensor<?xf32>
  %zero = arith.constant 0.0 : f32
  %e1 = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%e1 : tensor<f32>) -> tensor<f32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>],
      iterator_types = ["reduction"]}
      ins(%z : tensor<?xf32>) outs(%f : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %q = arith.addf %a, %o : f32
    linalg.yield %q : f32
  } -> tensor<f32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>, affine_map<(d0) -> (d0)>],
      iterator_types = ["parallel"]}
      ins(%x, %sum : tensor<6xf32>, tensor<f32>) outs(%e : tensor<6xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %q = arith.addf %a, %b : f32
    linalg.yield %q : f32
  } -> tensor<6xf32>
  return %r : tensor<6xf32>
}
"""


def test_sizes_that_data_decides_stay_on_the_cpu() -> None:
    x = torch.randn(6)
    compiled = wse_mlir.compile(OPEN, target="tiny", fallback="cpu", grid="2x1")
    for n in (0, 2, 6):
        assert relative_error(compiled(x, torch.tensor(n)), x + x.exp()[:n].sum()) <= 1e-3
    assert [part["on"] for part in compiled.report["parts"]] == ["wafer", "cpu", "wafer"]


def test_a_part_that_does_not_fit_is_refused_with_its_levers() -> None:
    x = torch.randn(5, 512, 512)
    with pytest.raises(CompilerError) as caught:
        on_wafer(lambda x, i: doubled(torch.exp(x), i), x, torch.tensor(0))
    assert "does not fit the SRAM" in str(caught.value) and "a machine with more PEs" in str(caught.value)


def test_saved_and_cached(tmp_path: Path) -> None:
    model, x, i = Twice().eval(), torch.randn(5, 4, 8), torch.tensor(1)
    cache = tmp_path / "cache"
    outcomes = [on_wafer(model, x, i, cache=cache, grid="2x1").report["cache"]["outcome"] for _ in range(2)]
    assert outcomes == ["miss", "hit"]
    compiled = on_wafer(model, x, i, cache=cache, grid="2x1")
    compiled.save(tmp_path / "model.wse")
    loaded = wse_mlir.load(tmp_path / "model.wse", trusted=True)
    assert_matches(loaded, model, x, i)
    compiled(x, i)
    assert loaded.report["cycles"] == compiled.report["cycles"]
    assert loaded.report["fallback"] == compiled.report["fallback"]
