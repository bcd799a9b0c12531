"""A saved model is loaded by another process that has no source of it, and works as the original."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from structured_models import Bytes, ReturnsUnnamed, Span, Structured, Tied
from torch import nn
from zoo import family

import wse_mlir

# For each MODEL.wse in argv[1]: calls it with the arguments in MODEL.in, as often as there are; results in MODEL.out.
CALLER = """
import sys, pathlib, torch, wse_mlir
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.wse")):
    model = wse_mlir.load(file)
    torch.save([model(*args) for args in torch.load(file.with_suffix(".in"))], file.with_suffix(".out"))
    if "cpu" in file.stem:
        assert "torch_mlir.fx" not in sys.modules, "nothing is imported or exported"
assert not [m for m in sys.modules if m in ("zoo", "structured_models")], "the source is not needed"
"""


def run_elsewhere(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CALLER, str(folder)], capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr


def leaves(value: object) -> list:
    return torch.utils._pytree.tree_leaves(value)


def assert_same(actual: object, expected: object) -> None:
    for got, want in zip(leaves(actual), leaves(expected), strict=True):
        assert type(got) is type(want)
        if isinstance(want, torch.Tensor):
            assert got.dtype == want.dtype and torch.equal(got, want)
        else:
            assert got == want


def test_another_process_computes_the_same(tmp_path: Path) -> None:
    """State goes on from where it was; element types are kept; both targets."""
    expected = {}
    for target, name, dtype in [
        ("cpu", "encoder", torch.float32),
        ("cpu", "lstm", torch.float32),
        ("cpu", "mlp", torch.bfloat16),
        ("cpu", "mlp", torch.float16),
        ("tiny", "mlp", torch.float32),
    ]:
        made = family(name)
        model, args = made.model.to(dtype), torch.utils._pytree.tree_map(lambda t: t.to(dtype), made.args)  # noqa: B023
        path = tmp_path / f"{target}-{name}-{str(dtype)[6:]}.wse"
        save_with_calls(wse_mlir.compile(model, args, target=target), path, [args], expected)
    made = family("decode")
    decode = wse_mlir.compile(made.model, made.args)
    calls = [(torch.randn(1, 32), torch.tensor([step])) for step in range(4)]
    for args in calls[:2]:
        decode(*args)
    save_with_calls(decode, tmp_path / "cpu-decode.wse", calls[2:], expected)
    run_elsewhere(tmp_path)
    for path, results in expected.items():
        assert_same(torch.load(path.with_suffix(".out")), results)


def save_with_calls(compiled: wse_mlir.Compiled, path: Path, calls: list[tuple], expected: dict) -> None:
    compiled.save(path)
    torch.save(calls, path.with_suffix(".in"))
    expected[path] = [compiled(*args) for args in calls]


def test_state_travels_along_and_can_be_reset(tmp_path: Path) -> None:
    made = family("decode")
    compiled = wse_mlir.compile(made.model, made.args)
    calls = [(torch.randn(1, 32), torch.tensor([step])) for step in range(4)]
    first = [compiled(*args) for args in calls[:2]]
    compiled.save(tmp_path / "model.wse")
    loaded = wse_mlir.load(tmp_path / "model.wse")
    assert loaded.state["keys"].abs().sum() > 0, "two tokens are in the cache"
    assert_same([loaded(*args) for args in calls[2:]], [compiled(*args) for args in calls[2:]])
    loaded.reset()
    assert loaded.state["keys"].abs().sum() == 0
    assert_same([loaded(*args) for args in calls[:2]], first)


def test_structure_of_arguments_and_results_and_python_values(tmp_path: Path) -> None:
    pair, more = (torch.randn(3), torch.randn(3)), {"shift": torch.ones(3)}
    compiled = wse_mlir.compile(Structured(), (pair,), {"scale": 0.3, "more": more})
    compiled.save(tmp_path / "model.wse")
    loaded = wse_mlir.load(tmp_path / "model.wse")
    got = loaded(pair, more=more, scale=0.3)
    assert isinstance(got["span"], Span) and list(got) == ["span", "none", "list"]
    assert_same(got, compiled(pair, scale=0.3, more=more))
    with pytest.raises(wse_mlir.CompilerError, match=r"(?s)Structured\.forward.*0\.3.*0\.4"):
        loaded(pair, scale=0.4, more=more)
    numpy = loaded(tuple(t.numpy() for t in pair), scale=0.3, more={"shift": np.ones(3, np.float32)})
    assert isinstance(numpy["span"].high, np.ndarray)


def test_a_class_that_the_process_does_not_know_is_named(tmp_path: Path) -> None:
    pair, more = (torch.randn(3), torch.randn(3)), {"shift": torch.ones(3)}
    wse_mlir.compile(Structured(), (pair,), {"scale": 0.3, "more": more}).save(tmp_path / "model.wse")
    code = f"import wse_mlir\ntry: wse_mlir.load({str(tmp_path / 'model.wse')!r})\n"
    code += "except wse_mlir.CompilerError as error: print(error)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert "'test.Span'" in said.stdout and "register_dataclass" in said.stdout and not said.stderr


def test_a_class_without_a_stored_name_is_refused_when_saving(tmp_path: Path) -> None:
    compiled = wse_mlir.compile(ReturnsUnnamed(), (torch.ones(2),))
    with pytest.raises(wse_mlir.CompilerError, match=r"(?s)results cannot be stored.*serialized_type_name"):
        compiled.save(tmp_path / "model.wse")
    assert not list(tmp_path.iterdir())


def test_tied_weights_are_written_once_and_aligned(tmp_path: Path) -> None:
    torch.manual_seed(3)
    model, tokens = Tied().eval(), torch.tensor([1, 499])
    compiled = wse_mlir.compile(model, (tokens,))
    path = tmp_path / "model.wse"
    compiled.save(path)
    assert path.stat().st_size < 1.5 * model.head.weight.nbytes
    loaded = wse_mlir.load(path)
    (weight,) = (a.tensor for a in loaded.interface.arguments if a.kind == "parameter")
    assert weight.data_ptr() % 64 == 0
    maps = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if str(path) in line]
    places = [[int(end, 16) for end in line[0].split("-")] for line in maps]
    assert any(first <= weight.data_ptr() < last for first, last in places), "it is in the file, not a copy"
    assert_same(loaded(tokens), compiled(tokens))
    assert int(loaded.state["calls"]) == 4 and int(model.calls) == 3


def test_open_sizes_and_unsigned_results(tmp_path: Path) -> None:
    size = torch.export.Dim("size", min=2, max=100)
    compiled = wse_mlir.compile(Bytes(), (torch.ones(4),), dynamic_shapes=({0: size},))
    compiled.save(tmp_path / "model.wse")
    loaded = wse_mlir.load(tmp_path / "model.wse")
    for length in (3, 70):
        x = torch.arange(float(length))
        assert_same(loaded(x), Bytes()(x))


def test_parameters_are_those_at_the_time_of_saving_and_can_be_updated(tmp_path: Path) -> None:
    model, x = nn.Linear(8, 3).requires_grad_(False), torch.randn(2, 8)
    compiled = wse_mlir.compile(model, (x,))
    model.weight.mul_(2)
    model.bias = nn.Parameter(torch.ones(3), requires_grad=False)
    compiled.update_parameters()
    compiled.save(tmp_path / "model.wse")
    loaded = wse_mlir.load(tmp_path / "model.wse")
    assert_same(loaded(x), compiled(x))
    with pytest.raises(wse_mlir.CompilerError, match=r"(?s)loaded from a file.*update_parameters\(model\)"):
        loaded.update_parameters()
    model.weight.mul_(-1)
    loaded.update_parameters(model)
    assert_same(loaded(x), compiled(x))


def test_a_loaded_model_can_be_saved_onto_its_own_file(tmp_path: Path) -> None:
    made = family("mlp")
    compiled = wse_mlir.compile(made.model, made.args)
    path = tmp_path / "model.wse"
    compiled.save(path)
    before = path.read_bytes()
    loaded = wse_mlir.load(path)
    loaded.save(path)
    again = wse_mlir.load(path)
    assert_same(again(*made.args), compiled(*made.args))
    assert_same(loaded(*made.args), compiled(*made.args))
    assert abs(len(before) - path.stat().st_size) < 4096


def test_the_report_of_the_compilation_travels_along(tmp_path: Path) -> None:
    made = family("mlp")
    compiled = wse_mlir.compile(made.model, made.args, target="tiny")
    compiled.save(tmp_path / "model.wse")
    loaded = wse_mlir.load(tmp_path / "model.wse")
    assert loaded.report["timings"] == compiled.report["timings"] and loaded.report["target"] == "tiny"
    loaded(*made.args), compiled(*made.args)
    assert loaded.report["cycles"] == compiled.report["cycles"]
    assert loaded.report["choices"] == json.loads(json.dumps(compiled.report["choices"]))
    assert json.loads(json.dumps(loaded.report))["loaded"]["file"] == str(tmp_path / "model.wse")


def test_a_model_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "double.mlir").write_text(
        "func.func @f(%a: tensor<3xf32>) -> tensor<3xf32> {\n"
        "  %0 = arith.addf %a, %a : tensor<3xf32>\n  return %0 : tensor<3xf32>\n}\n"
    )
    compiled = wse_mlir.compile(str(tmp_path / "double.mlir"))
    compiled.save(tmp_path / "model.wse")
    (tmp_path / "double.mlir").unlink()
    loaded = wse_mlir.load(tmp_path / "model.wse")
    assert loaded(torch.ones(3)).tolist() == [2.0, 2.0, 2.0]
