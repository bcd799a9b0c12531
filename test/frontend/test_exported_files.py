"""Exported programs from files: what torch.export writes is read, and nothing that a file holds is executed.

Each hostile file would create a marker; PyTorch's own reader is shown to run the first of them.
"""

import io
import json
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from zoo import family

import wse_mlir
from wse_mlir.frontend.exported_files import read_exported_program
from wse_mlir.passes.infra.diagnostics import CompilerError

X = torch.ones(3, 4)


class Marks:
    """Unpickled, it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


class Mixed(nn.Module):
    """Weights, tied ones, a constant, a state, a subgraph, sizes left open, odd names of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({"a-b": nn.Linear(4, 4), "c d": nn.Linear(4, 4)})
        self.layers["c d"].weight = self.layers["a-b"].weight
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("transposed", torch.arange(12.0).reshape(4, 3).T, persistent=False)

    def forward(self, x: torch.Tensor, scale: float) -> dict[str, torch.Tensor]:
        self.calls += 1
        with torch.no_grad():
            y = self.layers["a-b"](x) + self.layers["c d"](x)
        rows = x.shape[0] * 2 + x.shape[0] // 2
        return {"y": y * scale + self.transposed.sum(0), "rows": torch.zeros(rows), "calls": self.calls + 0}


def save(model: nn.Module, args: tuple[Any, ...], path: Path, **options: Any) -> torch.export.ExportedProgram:
    program = torch.export.export(model, args, strict=False, **options)
    torch.export.save(program, path)
    return program


def rewrite(path: Path, change: Callable[[str, bytes], bytes], extra: dict[str, bytes] | None = None) -> None:
    """Writes the archive anew with changed entries."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(entries)).partition("/")[0]
    entries = {name: change(name, data) for name, data in entries.items()}
    entries |= {f"{root}/{name}": data for name, data in (extra or {}).items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def pickled(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def program_of(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        return json.loads(
            archive.read(next(n for n in archive.namelist() if n.endswith("models/model.json")))
        )


def in_program(change: Callable[[dict[str, Any]], None]) -> Callable[[str, bytes], bytes]:
    def rewritten(name: str, data: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return data
        document = json.loads(data)
        change(document)
        return json.dumps(document).encode()

    return rewritten


@pytest.mark.parametrize("name", ["mlp", "residual", "decode", "lstm", "encoder"])
def test_programs_of_all_families_are_read(tmp_path: Path, name: str) -> None:
    subject = family(name)
    save(subject.model, subject.args, tmp_path / "model.pt2")
    read = read_exported_program(str(tmp_path / "model.pt2"))
    expected = torch.export.load(tmp_path / "model.pt2")
    assert read.graph_signature == expected.graph_signature
    assert str(read.graph) == str(expected.graph)
    for key, value in expected.state_dict.items():
        assert torch.equal(read.state_dict[key], value) and read.state_dict[key].stride() == value.stride()


def test_open_sizes_states_ties_and_structures_are_read(tmp_path: Path) -> None:
    rows = torch.export.Dim("rows", min=2, max=64)
    path = tmp_path / "model.pt2"
    save(Mixed(), (X, 2.0), path, dynamic_shapes=({0: rows}, None))
    program = read_exported_program(str(path))
    weights = program.state_dict
    assert weights["layers.a-b.weight"].data_ptr() == weights["layers.c d.weight"].data_ptr()
    theirs = torch.export.load(path).module()(X, 2.0)
    ours = program.module()(X, 2.0)
    assert all(torch.equal(ours[key], theirs[key]) for key in ("y", "rows", "calls"))
    assert program.range_constraints and program.constants


def test_a_pickle_among_the_example_inputs_is_not_opened(tmp_path: Path) -> None:
    path, marker = tmp_path / "model.pt2", tmp_path / "marker"
    save(nn.Linear(4, 2), (X,), path)
    inputs = pickled((Marks(marker), {}))
    rewrite(path, lambda name, data: inputs if "sample_inputs" in name else data)
    program = read_exported_program(str(path))
    assert not marker.exists() and torch.equal(program.module()(X), program.module()(X))
    with warnings.catch_warnings(action="ignore"), pytest.raises(Exception, match=""):
        torch.export.load(path)
    assert marker.exists(), "else this test shows nothing"


def test_pickles_among_weights_and_constants_are_not_opened(tmp_path: Path) -> None:
    marker = tmp_path / "marker"

    def config(name: str, as_file: str) -> Callable[[str, bytes], bytes]:
        entry = {"path_name": as_file, "is_param": False, "use_pickle": True, "tensor_meta": None}
        return lambda file, data: (
            json.dumps({"config": {"x": entry}}).encode() if file.endswith(name) else data
        )

    plants = [
        (config("model_weights_config.json", "weight_9"), {"data/weights/weight_9": pickled(Marks(marker))}),
        (
            config("model_constants_config.json", "tensor_9"),
            {"data/constants/tensor_9": pickled(Marks(marker))},
        ),
        (
            config("model_constants_config.json", "opaque_obj_0"),
            {"data/constants/opaque_obj_0": pickle.dumps(Marks(marker))},
        ),
        (config("model_constants_config.json", "custom_obj_0"), {"data/constants/custom_obj_0": b"PK"}),
        (lambda _, data: data, {"data/weights/model.pt": pickled({"weight": Marks(marker)})}),
        (lambda _, data: data, {"data/constants/model.pt": pickled({"c": Marks(marker)})}),
    ]
    for number, (change, extra) in enumerate(plants):
        path = tmp_path / f"model{number}.pt2"
        save(nn.Linear(4, 2), (X,), path)
        rewrite(path, change, extra)
        with pytest.raises(CompilerError, match="could run code") as caught:
            read_exported_program(str(path))
        assert "torch.export.load" in str(caught.value) and not marker.exists()


def _first_call(document: dict[str, Any]) -> dict[str, Any]:
    return document["graph_module"]["graph"]["nodes"][0]


def _size(document: dict[str, Any], text: str) -> None:
    values = document["graph_module"]["graph"]["tensor_values"]
    values[next(iter(values))]["sizes"][0] = {"as_expr": {"expr_str": text, "hint": None}}


def _call(document: dict[str, Any], target: str, argument: str) -> None:
    call = _first_call(document)
    call["target"] = target
    call["inputs"] = [{"name": "command", "arg": {"as_string": argument}, "kind": 1}]


def _rename(value: Any, before: str, after: str) -> Any:
    if isinstance(value, dict):
        return {_rename(k, before, after): _rename(v, before, after) for k, v in value.items()}
    if isinstance(value, list):
        return [_rename(v, before, after) for v in value]
    return after if value == before else value


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda d, m: _size(d, f"__import__('os').mkdir('{m}')"), "no arithmetic"),
        (lambda d, m: _size(d, f"Max.__class__.__base__.mkdir('{m}')"), "no arithmetic"),
        (lambda d, m: _size(d, f"exec('import os; os.mkdir({str(m)!r})')"), "no arithmetic"),
        (lambda d, m: _size(d, "9**9**9**9"), "no arithmetic"),
        (lambda d, m: _call(d, "torch.os.system", f"mkdir {m}"), "no operator"),
        (lambda d, m: _call(d, "torch.ops.load_library", str(m)), "no operator"),
        (lambda d, m: _call(d, "torch.ops.aten.from_file.default", str(m)), "opens files"),
        (lambda d, m: _call(d, "_operator.methodcaller", str(m)), "no operator"),
        (
            lambda d, m: _first_call(d)["inputs"].append(
                {"name": "f", "arg": {"as_operator": "torch.os.system"}, "kind": 1}
            ),
            "no operator",
        ),
        (
            lambda d, m: d.update(_rename(d, "linear", f"linear=__import__('os').mkdir('{m}');y")),
            "the name",
        ),
        (
            lambda d, m: d.update(_rename(d, "weight", f'weight"); __import__("os").mkdir("{m}"); ("')),
            "the name",
        ),
        (
            lambda d, m: d["graph_module"]["module_call_graph"][0]["signature"].update(
                in_spec=d["graph_module"]["module_call_graph"][0]["signature"]["in_spec"].replace(
                    '"builtins.tuple"', '"collections.defaultdict"', 1
                )
            ),
            "structure",
        ),
    ],
)  # fmt: skip
def test_texts_that_pytorch_would_evaluate(
    tmp_path: Path, change: Callable[[dict[str, Any], Path], Any], complaint: str
) -> None:
    path, marker = tmp_path / "model.pt2", tmp_path / "marker"
    save(nn.Linear(4, 2), (X,), path)
    before = program_of(path)
    rewrite(path, in_program(lambda document: change(document, marker)))
    assert program_of(path) != before, "the plant must be in the file"
    with pytest.raises(CompilerError, match=complaint) as caught:
        read_exported_program(str(path)).module()(X)
    assert len(str(caught.value).splitlines()) <= 4 and not marker.exists()


def test_guards_are_not_executed(tmp_path: Path) -> None:
    path, marker = tmp_path / "model.pt2", tmp_path / "marker"
    save(nn.Linear(4, 2), (X,), path)
    guard = f"__import__('os').mkdir('{marker}') is None"
    rewrite(path, in_program(lambda document: document.update(guards_code=[guard])))
    read_exported_program(str(path)).module()(X)
    assert not marker.exists()


def test_other_contents_get_one_message(tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    for inner, complaint in (
        ("data/aotinductor/model/model.so", "AOTInductor"),
        ("extra/notes.txt", "no exported program"),
        ("serialized_exported_program.json", "older PyTorch"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model/archive_format", b"pt2")
            archive.writestr("model/archive_version", b"0")
            archive.writestr("model/.data/version", b"3")
            archive.writestr("model/version", b"3")
            archive.writestr(f"model/{inner}", b"x")
        with pytest.raises(CompilerError, match=complaint):
            read_exported_program(str(path))


def test_an_archive_whose_directory_is_broken_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/version", b"3")
    whole = path.read_bytes()
    for damaged in (
        whole.replace(b"PK\x01\x02", b"PK\x01\x00"),
        whole.replace(b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\xff"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(CompilerError, match="this archive is broken"):
            wse_mlir.compile(path)
