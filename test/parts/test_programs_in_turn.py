"""Models as several programs that take turns on the wafer: `programs=N`."""

import warnings
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import wse_mlir
from wse_mlir.compare.agreement import relative_error
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.runtime.wafer.options import programs
from wse_mlir.runtime.wafer.parts import counts
from wse_mlir.runtime.wafer.parts.counts import ProgramsTakeTurns


class Deep(nn.Module):
    """Layers with a residual around each, and two results."""

    def __init__(self, layers: int = 5) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(12, 12) for _ in range(layers))
        self.last = nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        for layer in self.layers:
            x = x + torch.tanh(layer(x))
        return self.last(x), x.argmax(-1)


def in_turn(model: Any, *args: torch.Tensor, programs: Any, **options: Any) -> Any:
    return wse_mlir.compile(model, args, target="tiny", programs=programs, grid="2x2", **options)


def assert_matches(compiled: Any, model: Any, *args: torch.Tensor) -> None:
    with torch.no_grad():
        found, expected = compiled(*args), model(*args)
    for one, other in zip(*(r if isinstance(r, tuple) else (r,) for r in (found, expected)), strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert relative_error(one, other) <= (1e-3 if one.is_floating_point() else 0.0)


@pytest.mark.parametrize("programs", [2, 3, "5"])
def test_programs_take_turns_and_match(programs: Any) -> None:
    model, x = Deep().eval(), torch.randn(6, 12)
    compiled = in_turn(model, x, programs=programs)
    assert_matches(compiled, model, x)
    report = compiled.report
    assert [part["on"] for part in report["parts"]] == ["wafer"] * int(programs)
    assert report["turns"]["programs"] == int(programs) and "fallback" not in report
    # Of each cut what lives there travels: the residual, or that and what is added to it.
    moved = report["turns"]["transfers"]
    assert moved["to_host"] == moved["to_wafer"] and moved["to_host"]["bytes"] % (6 * 12 * 4) == 0
    assert report["cycles"]["host_reload"] > 0


def test_text_is_shared_about_evenly() -> None:
    layers = [nn.Sequential(nn.Linear(8 + k, 9 + k), nn.Tanh()) for k in range(12)]  # no two are alike
    model, x = nn.Sequential(*layers).eval(), torch.randn(6, 8)
    whole = wse_mlir.estimate(model, (x,), target="tiny", grid="2x2")["sram"]["code"]
    codes = [
        part["sram"]["code"]
        for part in wse_mlir.estimate(model, (x,), target="tiny", grid="2x2", programs=3)["parts"]
    ]
    assert len(codes) == 3 and 0.8 * max(codes) < min(codes) and max(codes) < 0.6 * whole


def test_estimates_are_those_of_a_call() -> None:
    model, x = Deep().eval(), torch.randn(6, 12)
    compiled = in_turn(model, x, programs=2)
    compiled(x)
    told = wse_mlir.estimate(model, (x,), target="tiny", grid="2x2", programs=2)
    assert told["cycles"] == compiled.report["cycles"] and told["turns"] == compiled.report["turns"]


def test_no_more_programs_than_there_are_steps() -> None:
    model, x = nn.Linear(4, 3).eval(), torch.randn(2, 4)
    compiled = in_turn(model, x, programs=40)
    assert_matches(compiled, model, x)
    assert "parts" not in compiled.report or len(compiled.report["parts"]) < 5


def test_with_a_fallback_the_wafers_parts_are_cut() -> None:
    def function(x: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
        y = torch.exp(torch.softmax(x, -1) @ x.t())
        y = torch._higher_order_ops.while_loop(lambda k, y: k > 0, lambda k, y: (k - 1, y + y), (n, y))[1]
        return torch.sin(y)

    x, n = torch.randn(5, 5), torch.tensor(2)
    compiled = in_turn(function, x, n, programs=3, fallback="cpu")
    assert_matches(compiled, function, x, n)
    assert [part["on"] for part in compiled.report["parts"]] == ["wafer", "wafer", "cpu", "wafer"]
    with pytest.raises(CompilerError, match=r"'scf.while' has no lowering to the wafer"):
        in_turn(function, x, n, programs=3)


UNUSED = """
func.func @main(%x: tensor<6xf32>, %n: tensor<i64>) -> tensor<6xf32> {
  %k = tensor.extract %n[] : tensor<i64>
  %at = arith.index_cast %k : i64 to index
  %dead = tensor.extract_slice %x[%at] [2] [1] : tensor<6xf32> to tensor<2xf32>
  %e = math.exp %x : tensor<6xf32>
  %s = math.sin %e : tensor<6xf32>
  %r = arith.addf %s, %x : tensor<6xf32>
  return %r : tensor<6xf32>
}
"""


@pytest.mark.parametrize("programs", [1, 2])
def test_what_nobody_needs_refuses_no_program(programs: int) -> None:
    x = torch.randn(6)
    compiled = wse_mlir.compile(UNUSED, target="tiny", programs=programs, grid="2x1")
    assert relative_error(compiled(x, torch.tensor(1)), x.exp().sin() + x) <= 1e-3


class Counting(nn.Module):
    total: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(3, 8))
        self.layer = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total += torch.tanh(self.layer(x))
        return torch.softmax(self.layer(self.total), -1)


def test_states_travel() -> None:
    model, x = Counting().eval(), torch.randn(3, 8)
    compiled = in_turn(model, x, programs=2)
    for factor in (1.0, 2.0):
        assert_matches(compiled, model, x * factor)
        assert relative_error(compiled.state["total"], model.total) <= 1e-3


def test_parameters_saved_and_cached(tmp_path: Path) -> None:
    model, x = Deep().eval(), torch.randn(6, 12)
    outcomes = [in_turn(model, x, programs=n, cache=tmp_path).report["cache"]["outcome"] for n in (2, 2, 3)]
    assert outcomes == ["miss", "hit", "miss"]
    compiled = in_turn(model, x, programs=2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)
    compiled.update_parameters()
    assert_matches(compiled, model, x)
    compiled.save(tmp_path / "model.wse")
    assert_matches(wse_mlir.load(tmp_path / "model.wse", trusted=True), model, x)


@pytest.mark.parametrize("given", [0.5, -1, "two", True, 10**6])
def test_numbers_of_programs(given: Any) -> None:
    with pytest.raises(
        CompilerError, match=r"programs is .*, and has to be a number from 1 to 1000, or 'auto'"
    ):
        in_turn(nn.Linear(4, 3).eval(), torch.randn(2, 4), programs=given)


@pytest.fixture
def small_machine(tmp_path: Path) -> str:
    """A machine whose PEs have little memory."""
    tiny = files("wse_mlir.wse_target.machines") / "tiny.toml"
    (tmp_path / "small.toml").write_text(tiny.read_text().replace("value = 49152", "value = 9216"))
    return str(tmp_path / "small.toml")


def many_steps(x: torch.Tensor) -> torch.Tensor:
    for k in range(60):
        x = torch.sin(x.roll(k % 7 + 1, -1) + (k + 1) ** 0.5)
    return x


def test_one_program_alone_is_refused_where_it_does_not_fit(small_machine: str) -> None:
    with pytest.raises(CompilerError, match="programs=N makes N programs of the model"):
        wse_mlir.compile(many_steps, (torch.randn(6, 12),), target=small_machine, grid="3x1", programs=1)


def test_as_many_programs_as_texts_take(small_machine: str) -> None:
    """Those that nobody asked for are told of."""
    x = torch.randn(6, 12)
    with pytest.warns(ProgramsTakeTurns, match=r"of the 5,120 bytes of a PE: it became \d programs") as told:
        compiled = wse_mlir.compile(many_steps, (x,), target=small_machine, grid="3x1")
    assert len(told) == 1
    assert_matches(compiled, many_steps, x)
    count = compiled.report["turns"]["programs"]
    assert 2 <= count <= 6 and f"it became {count} programs" in str(told[0].message)


def test_as_many_programs_as_parameters_take(small_machine: str) -> None:
    """As many as were asked for are told of by the report alone."""
    model, x = nn.Sequential(*(nn.Linear(40, 40) for _ in range(4))).eval(), torch.randn(2, 40)
    with pytest.raises(CompilerError, match="programs='auto' as many as it takes"):
        wse_mlir.compile(model, (x,), target=small_machine, grid="2x1", programs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ProgramsTakeTurns)
        compiled = wse_mlir.compile(model, (x,), target=small_machine, grid="2x1", programs="auto")
    assert_matches(compiled, model, x)
    with pytest.warns(ProgramsTakeTurns):
        told = wse_mlir.estimate(model, (x,), target=small_machine, grid="2x1")
    assert 1 < told["turns"]["programs"] == compiled.report["turns"]["programs"]


def test_a_step_that_is_too_large_by_itself_is_refused_at_once(
    small_machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    monkeypatch.setattr(
        counts, "programs", lambda options: tried.append(options.get("programs", 0)) or programs(options)
    )
    model, x = nn.Linear(80, 80, bias=False).eval(), torch.randn(2, 80)
    with pytest.raises(CompilerError, match="parameters"):
        wse_mlir.compile(model, (x,), target=small_machine, grid="2x1")
    assert max(tried) < 10


def test_one_program_where_that_fits() -> None:
    model, x = Deep().eval(), torch.randn(6, 12)
    compiled = in_turn(model, x, programs="auto")
    assert_matches(compiled, model, x)
    assert "parts" not in compiled.report


def test_what_programs_do_not_help_is_refused(small_machine: str) -> None:
    x = torch.randn(120, 120)
    with pytest.raises(CompilerError, match="activations") as raised:
        wse_mlir.compile(torch.sin, (x,), target=small_machine, grid="2x1", programs="auto")
    assert "programs" not in str(raised.value)
