"""`compile` through a cache: hits in other processes, models that have no early key, and damaged entries."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from zoo import error, family

import wse_mlir
from wse_mlir.cache import lookup, versions
from wse_mlir.cache.settings import open_cache
from wse_mlir.compiler.targets import find_target
from wse_mlir.frontend import imported
from wse_mlir.passes.infra.timing import Timer
from wse_mlir.runtime.cpu import target as cpu

# Compiles two models of the user's own file and prints what the cache said and a checksum of the results.
CHILD = """
import json, sys
import torch
from wse_mlir.cache import lookup
lookup.toolchain = lambda: "fixed"
sys.path.insert(0, sys.argv[1])
import user_model, wse_mlir
said = []
for width in (4, 6):
    torch.manual_seed(0)
    model, x = user_model.Net(width).eval(), torch.ones(2, width)
    compiled = wse_mlir.compile(model, (x,), cache=sys.argv[1] + "/cache")
    torch.testing.assert_close(compiled(x), model(x))
    said.append({**compiled.report["cache"], "imported": "torch_mlir.fx" in sys.modules})
print(json.dumps(said))
"""
USER_MODEL = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.table = torch.arange(float(16 * width)).reshape(16, width)

    def forward(self, x):
        return torch.relu(self.linear(x)) + self.table[:2] + torch.tensor([1.5]) + torch.tensor([0.5] * 128).sum()
"""


def start(folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def said_by(process: subprocess.Popen) -> list[dict]:
    out, complaints = process.communicate()
    assert process.returncode == 0, complaints
    return json.loads(out)


def test_processes_at_once_and_one_that_comes_later(tmp_path: Path) -> None:
    (tmp_path / "user_model.py").write_text(USER_MODEL)
    for process in [start(tmp_path), start(tmp_path)]:
        assert [entry["remarks"] for entry in said_by(process)] == [[], []]
    for entry in said_by(start(tmp_path)):
        assert (entry["outcome"], entry["key"], entry["imported"]) == ("hit", "model", False)
    assert len(list((tmp_path / "cache").iterdir())) == 4, (
        "two models, two programs, and nothing half-written"
    )


def compiled_twice(cache: Path, make, args: tuple, **options) -> list[wse_mlir.Compiled]:
    return [wse_mlir.compile(make(), args, cache=cache, **options) for _ in range(2)]


def outcomes(compiled: list[wse_mlir.Compiled]) -> list[tuple]:
    return [(c.report["cache"]["outcome"], c.report["cache"].get("key")) for c in compiled]


HIT_BEFORE_EXPORT = [("miss", None), ("hit", "model")]
HIT_AFTER_EXPORT = [("miss", None), ("hit", "ir")]


@pytest.mark.parametrize(("target", "name"), [("cpu", "decode"), ("cpu", "lstm"), ("tiny", "mlp")])
def test_a_hit_is_like_a_miss(cache: Path, target: str, name: str) -> None:
    made = family(name)
    both = compiled_twice(cache, lambda: family(name).model, made.args, target=target)
    assert outcomes(both) == HIT_BEFORE_EXPORT
    for _ in range(made.steps):
        first, second = (torch.utils._pytree.tree_leaves(c(*made.args)) for c in both)
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert both[1].report.get("cycles") == both[0].report.get("cycles")
    assert list(both[1].state) == list(both[0].state)


def test_weights_and_constants_are_the_present_models_own(cache: Path) -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 8).requires_grad_(False)
            self.table = torch.ones(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x) @ self.table

    models = [Scaled(), Scaled()]
    x = torch.randn(2, 8)
    compiled = [wse_mlir.compile(model, (x,), cache=cache) for model in models]
    assert outcomes(compiled) == HIT_BEFORE_EXPORT
    for model, own in zip(models, compiled, strict=True):
        assert error(own(x), model(x)) < 1e-5
        model.linear.weight.mul_(2)
        model.table.add_(1)
        own.update_parameters()
        assert error(own(x), model(x)) < 1e-5, "parameters are the model's, as without a cache"


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_have_an_early_key_whatever_their_weights(cache: Path, layer: type) -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent = layer(3, 5, batch_first=True).requires_grad_(False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.recurrent(x)[0][:, -1]

    models, x = [Last(), Last()], torch.randn(1, 2, 3)
    compiled = [wse_mlir.compile(model, (x,), cache=cache) for model in models]
    assert outcomes(compiled) == HIT_BEFORE_EXPORT
    for model, own in zip(models, compiled, strict=True):
        assert error(own(x), model(x)) < 1e-5
    other = Last()
    other.recurrent._flat_weights.reverse()  # not its parameters in their order any more
    assert wse_mlir.compile(other, (x,), cache=cache).report["cache"].get("key") != "model"


def test_code_is_kept_for_the_caches_of_its_processor(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = nn.Linear(4, 4).requires_grad_(False), torch.randn(2, 4)
    here = cpu.processor()
    said = []
    for size in (here.l2_bytes, here.l2_bytes, 2 * here.l2_bytes):
        other = replace(here, l2_bytes=size)
        monkeypatch.setattr(cpu, "processor", lambda other=other, **names: other)
        said.append(wse_mlir.compile(model, (x,), cache=cache))
    assert outcomes(said) == [*HIT_BEFORE_EXPORT, ("miss", None)], "schedules depend on them"


def test_what_has_no_early_key_is_found_by_its_ir(cache: Path, tmp_path: Path) -> None:
    def hooked() -> nn.Module:
        model = nn.Linear(4, 4).requires_grad_(False)
        model.register_forward_hook(lambda module, args, output: output + 1)
        return model

    x = torch.randn(2, 4)
    both = compiled_twice(cache, hooked, (x,))
    assert outcomes(both) == HIT_AFTER_EXPORT and "hooks" in both[1].report["cache"]["why"]
    (tmp_path / "double.mlir").write_text(
        "func.func @f(%a: tensor<3xf32>) -> tensor<3xf32> {\n"
        "  %0 = arith.addf %a, %a : tensor<3xf32>\n  return %0 : tensor<3xf32>\n}\n"
    )
    both = compiled_twice(cache, lambda: str(tmp_path / "double.mlir"), ())
    assert outcomes(both) == HIT_AFTER_EXPORT and both[1](torch.ones(3)).tolist() == [2.0, 2.0, 2.0]


def test_imported_ir_can_be_compiled_through_the_cache(cache: Path) -> None:
    folder, model, x = open_cache(cache), nn.Linear(4, 4), torch.randn(2, 4)
    said = []
    for _ in range(2):
        program, report = lookup.cached_program(
            folder, find_target("cpu"), imported.import_model(model, (x,)), {}, Timer()
        )
        said.append(report["outcome"])
        executable = find_target("cpu").load(
            program, [t.detach().numpy() for t in (model.weight, model.bias)]
        )
        assert error(torch.from_numpy(executable.run([x.numpy()])[0]), model(x).detach()) < 1e-5
    assert said == ["miss", "hit"]


def test_options_and_targets_have_entries_of_their_own(cache: Path) -> None:
    model, args = nn.Linear(4, 4), (torch.randn(2, 4),)
    for options in (
        {},
        {"cpu": "x86-64-v2"},
        {"features": "-avx512f"},
        {"num_threads": 2},
        {"target": "tiny"},
        {"target": "wse2"},
    ):
        compiled = wse_mlir.compile(model, args, cache=cache, **options)
        assert compiled.report["cache"]["outcome"] == "miss"


def test_the_number_of_threads_counts_wherever_it_comes_from(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, args = nn.Linear(4, 4), (torch.randn(2, 4),)

    def outcome(num_threads: int | None = None) -> str:
        return wse_mlir.compile(model, args, cache=cache, num_threads=num_threads).report["cache"]["outcome"]

    assert outcome() == "miss" and outcome(1) == "hit"
    monkeypatch.setenv("WSE_NUM_THREADS", "2")
    assert outcome() == "miss" and outcome(2) == "hit" and outcome(1) == "hit"
    monkeypatch.setenv("WSE_NUM_THREADS", "many")
    with pytest.raises(wse_mlir.CompilerError, match="WSE_NUM_THREADS is 'many', no number of threads"):
        outcome()


@pytest.mark.parametrize("kind", ["model", "program"])
def test_a_damaged_entry_is_ignored_with_a_remark_and_replaced(cache: Path, kind: str) -> None:
    x = torch.randn(2, 4)
    wse_mlir.compile(nn.Linear(4, 4), (x,), cache=cache)
    (entry,) = cache.glob(f"{kind}-*")
    entry.write_bytes(entry.read_bytes()[:-80])
    model = nn.Linear(4, 4)
    compiled = wse_mlir.compile(model, (x,), cache=cache)
    (remark,) = compiled.report["cache"]["remarks"]
    assert str(entry) in remark and "damaged" in remark
    assert error(compiled(x), model(x)) < 1e-5
    again = wse_mlir.compile(nn.Linear(4, 4), (x,), cache=cache).report["cache"]
    assert (again["outcome"], again["key"], again["remarks"]) == ("hit", "model", [])


def test_a_hit_does_not_export(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(2, 4)
    wse_mlir.compile(nn.Linear(4, 4), (x,), cache=cache)
    monkeypatch.setattr(imported, "import_model", lambda *_, **__: pytest.fail("it was exported"))
    compiled = wse_mlir.compile(nn.Linear(4, 4), (x,), cache=cache)
    assert set(compiled.report["timings"]) == {"cache", "load"}
    assert json.loads(json.dumps(compiled.report))["cache"]["outcome"] == "hit"


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    compiled = wse_mlir.compile(nn.Linear(4, 4), (torch.ones(1, 4),), cache=tmp_path / "file")
    assert compiled.report["cache"]["remarks"]


def test_changed_sources_of_the_compiler_are_not_mixed_with_old_code(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "toolchain", versions.toolchain.__wrapped__)
    monkeypatch.setattr(versions, "_LOADED", 0.0)
    compiled = wse_mlir.compile(nn.Linear(4, 4), (torch.ones(1, 4),), cache=cache)
    assert compiled.report["cache"]["outcome"] == "off" and not cache.exists()
    monkeypatch.setattr(versions, "_LOADED", float("inf"))
    digest = versions.toolchain.__wrapped__()
    monkeypatch.setattr(versions, "version", lambda name: "another")
    assert len(digest) == 64 and versions.toolchain.__wrapped__() != digest


def test_the_environment_switches_the_cache_off(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setenv("WSE_CACHE_DIR", str(cache))
    report = wse_mlir.compile(nn.Linear(4, 4), (torch.ones(1, 4),)).report
    assert report["cache"] == {"outcome": "off"} and not cache.exists()
    monkeypatch.setenv("WSE_CACHE", "1")
    assert wse_mlir.compile(nn.Linear(4, 4), (torch.ones(1, 4),)).report["cache"]["outcome"] == "miss"
    assert list(cache.iterdir())
