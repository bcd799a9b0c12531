"""Workload files: what a user's file must define, and the one message it gets otherwise."""

import sys
from pathlib import Path

import pytest
import torch

from wse_mlir.compiler.workload import Workload, load_workload, open_model, open_models
from wse_mlir.passes.infra.diagnostics import CompilerError


def test_a_pair_of_model_and_arguments_is_a_workload(tmp_path: Path) -> None:
    (tmp_path / "pair.py").write_text("def load():\n    return 'model', (1, 2)\n")
    workload = load_workload(str(tmp_path / "pair.py"))
    assert workload.model == "model" and workload.example_args == (1, 2)


def test_another_function_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text("def other():\n    return 'other', (1,)\n")
    assert load_workload(f"{tmp_path}/two.py:other").model == "other"


def test_models_of_one_file_share_what_it_defines(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text("S = []\ndef a():\n    return S, (1,)\ndef b():\n    return S, (1,)\n")
    a, b = open_models([f"{tmp_path}/two.py:a", f"second={tmp_path}/../{tmp_path.name}/two.py:b"])
    assert a.model is b.model and (a.name, b.name) == ("a", "second")
    assert open_model(f"{tmp_path}/two.py:a").model is not a.model


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", r"does not define load\(\)"),
        ("def load():\n    return 3\n", "returned int"),
        ("def load():\n    return 1 / 0\n", r"bad.py:2: ZeroDivisionError"),
        ("import nothing_of_the_sort\n", r"bad.py:1: ModuleNotFoundError"),
        ("def load(:\n", r"bad.py:1: SyntaxError"),
        ("import sys\nsys.exit(0)\n", r"bad.py:2: SystemExit"),
        ("def load():\n    raise SystemExit\n", r"bad.py:2: SystemExit"),
        ("x = " + "(" * 300 + ")" * 300, r"bad.py:1: SyntaxError: too many nested"),
        ("from wse_mlir import Workload\ndef load():\n    return Workload(None, [])\n", "no batches"),
    ],
)
def test_a_bad_file_gets_one_message(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(CompilerError, match=message):
        load_workload(str(tmp_path / "bad.py"))


def test_a_file_named_as_a_module_or_as_another_file_replaces_neither(tmp_path: Path) -> None:
    import json

    text = "class Net:\n    pass\ndef load():\n    return Net(), ()\n"
    (tmp_path / "deeper").mkdir()
    for file in ("json.py", "deeper/json.py", "json.2.py"):
        (tmp_path / file).write_text(text)
    models = [
        open_model(str(tmp_path / f)).model for f in ("json.py", "deeper/json.py", "json.2.py", "json.py")
    ]
    assert sys.modules["json"] is json
    names = [type(model).__module__ for model in models]
    assert names[0] == names[3] and len(set(names)) == 3
    for model in models[1:]:
        assert vars(sys.modules[type(model).__module__])["Net"] is type(model)


def test_a_missing_file_and_a_file_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(CompilerError, match="no file"):
        load_workload(str(tmp_path / "missing.py"))
    (tmp_path / "model.tflite").write_bytes(b"TFL3")
    with pytest.raises(CompilerError, match="not a Python file"):
        load_workload(str(tmp_path / "model.tflite"))


def test_the_first_batch_is_the_example() -> None:
    assert Workload("m", [(1,), (2,)]).example_args == (1,)


MATMUL = Path(__file__).resolve().parents[2] / "examples" / "matmul.mlir"
NET = """
import torch
class Net(torch.nn.Module):
    def forward(self, x, *, scale):
        return torch.relu(x) * scale
"""
LOAD = """
from wse_mlir import Workload
def load():
    rows = torch.export.Dim("rows")
    x = torch.randn(3, 5)
    return Workload(Net(), [(x,)], kwargs={"scale": torch.ones(5)}, dynamic_shapes={"x": {0: rows}, "scale": None})
"""


def test_a_workload_states_keywords_and_open_sizes(tmp_path: Path) -> None:
    (tmp_path / "net-1.py").write_text(NET + LOAD)
    opened = open_model(str(tmp_path / "net-1.py"))
    assert opened.name == "net_1" and list(opened.kwargs) == ["scale"]
    assert [a.shape for a in opened.imported().inputs] == [(-1, 5), (5,)]


def test_names_are_given_or_those_of_files_and_functions(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text("def other():\n    return 'other', (1,)\n")
    assert open_model(f"{tmp_path}/two.py:other").name == "other"
    assert open_model(f"mine={tmp_path}/two.py:other").name == "mine"
    assert open_model(str(MATMUL)).name == "matmul"
    assert open_model(f"product={MATMUL}").source == str(MATMUL)


@pytest.mark.parametrize(
    ("file", "name"), [("2-layers.mlir", "model_2_layers"), ("__a__b.mlir", "a_b"), ("ä.mlir", "model")]
)
def test_names_are_identifiers_of_c(tmp_path: Path, file: str, name: str) -> None:
    (tmp_path / file).write_text(MATMUL.read_text())
    assert open_model(str(tmp_path / file)).name == name


def test_a_file_whose_name_holds_an_equals_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a=b.mlir").write_text(MATMUL.read_text())
    assert open_model("a=b.mlir").name == "a_b"


def test_inputs_of_model_files_are_drawn() -> None:
    opened = open_model(str(MATMUL))
    assert opened.batches == () and opened.eager() is None
    drawn = opened.with_inputs(seed=1)
    shapes = [tuple(t.shape) for t in drawn.example_args]
    assert shapes == [a.shape for a in opened.imported().inputs]
    assert drawn.with_inputs() is drawn
    again = opened.with_inputs(seed=1)
    assert all(torch.equal(a, b) for a, b in zip(drawn.example_args, again.example_args, strict=True))


def test_an_exported_program_has_its_structure_and_its_eager_model(tmp_path: Path) -> None:
    class Net(torch.nn.Module):
        def forward(self, pair: tuple[torch.Tensor, torch.Tensor], *, scale: torch.Tensor) -> torch.Tensor:
            return pair[0] @ pair[1] * scale

    rows = torch.export.Dim("rows")
    program = torch.export.export(
        Net(),
        ((torch.ones(3, 4), torch.ones(4, 2)),),
        {"scale": torch.ones(2)},
        dynamic_shapes={"pair": ({0: rows}, None), "scale": None},
    )
    torch.export.save(program, tmp_path / "net.pt2")
    opened = open_model(str(tmp_path / "net.pt2")).with_inputs()
    (pair,) = opened.example_args
    assert [tuple(t.shape) for t in pair] == [(8, 4), (4, 2)]
    eager = opened.eager()
    assert eager is not None
    torch.testing.assert_close(eager(pair, **opened.kwargs), pair[0] @ pair[1] * opened.kwargs["scale"])


@pytest.mark.parametrize("text", ["nothing.mlir", "a=nothing.onnx", "."])
def test_files_that_are_not_there(text: str) -> None:
    with pytest.raises(CompilerError, match=r"no such file|this is a folder"):
        open_model(text)


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "round.mlir").symlink_to("round.mlir")
    with pytest.raises(CompilerError, match="symbolic link to a file that is not there"):
        open_model(str(tmp_path / "round.mlir"))
