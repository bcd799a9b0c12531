"""Files that are damaged, foreign, of another version or for another machine: one message each, and never a crash."""

import json
import os
import re
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from zoo import family

import wse_mlir
from wse_mlir.artifacts.saved import container as format_of_files
from wse_mlir.artifacts.saved.container import Container, write_container
from wse_mlir.artifacts.saved.trees import read_tree


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    made = family("decode")
    path = tmp_path_factory.mktemp("saved") / "model.wse"
    wse_mlir.compile(made.model, made.args).save(path)
    return path


def message(path: Path) -> str:
    with pytest.raises(wse_mlir.CompilerError) as caught:
        wse_mlir.load(path)
    assert caught.value.where == str(path)
    return str(caught.value)


def rewritten(saved: Path, path: Path, change: dict[str, object]) -> Path:
    """A file with right checksums and another document."""
    container = Container(saved)
    blocks = {name: container.bytes(name) for name in container._blocks}
    write_container(path, {**container.document, **change}, blocks)
    return path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a saved model: it is empty"),
        (b"PK\x03\x04", "not a saved model: it is too short"),
        (b"PK\x03\x04" + bytes(500), "not a saved model: it begins with other bytes"),
    ],
)
def test_foreign_files(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "model.wse"
    path.write_bytes(content)
    assert words in message(path)


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    assert "this is a folder" in message(tmp_path)
    for path in (tmp_path / "none", "a\0b"):
        with pytest.raises(wse_mlir.CompilerError, match="cannot be read"):
            wse_mlir.load(path)
    os.mkfifo(tmp_path / "pipe")
    assert "not a saved model" in message(tmp_path / "pipe")


def test_any_cut_is_noticed(saved: Path, tmp_path: Path) -> None:
    data, path = saved.read_bytes(), tmp_path / "model.wse"
    for size in [0, 1, 63, 64, 65, 1000, *range(2000, len(data), len(data) // 40), len(data) - 1]:
        path.write_bytes(data[:size])
        assert re.search("not a saved model|damaged", message(path))


def test_any_changed_byte_is_noticed_or_harmless(saved: Path, tmp_path: Path) -> None:
    made = family("decode")
    want = wse_mlir.load(saved)(*made.args)
    data, path = saved.read_bytes(), tmp_path / "model.wse"
    places = np.random.default_rng(1).integers(0, len(data), 150).tolist()
    noticed = 0
    for place in [*range(64), *places]:
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            assert torch.equal(wse_mlir.load(path)(*made.args), want)
        except wse_mlir.CompilerError:
            noticed += 1
    assert noticed > 150, "only padding may change"


def test_another_version_of_the_project_or_the_format(saved: Path, tmp_path: Path) -> None:
    path = rewritten(saved, tmp_path / "model.wse", {"project": "0.0.1", "new": "thing"})
    assert re.search(r"saved by wse-mlir 0\.0\.1, and this is wse-mlir \d", message(path))
    data = bytearray(saved.read_bytes())
    data[8:12] = struct.pack("<I", 99)
    data[32:36] = struct.pack("<I", zlib.crc32(data[:32]))
    path.write_bytes(data)
    assert f"format 99, and this version of wse-mlir reads format {format_of_files.FORMAT}" in message(path)


@pytest.mark.parametrize(
    ("requires", "words"),
    [("x86_64: avx2 quantum", "quantum"), ("mips: msa", "for mips, and this process is")],
)
def test_a_processor_that_lacks_something(saved: Path, tmp_path: Path, requires: str, words: str) -> None:
    program = dict(Container(saved).document["program"])
    program["processor"] = {**program["processor"], "cpu": "another", "requires": requires}
    path = rewritten(saved, tmp_path / "model.wse", {"program": program})
    if (
        requires.startswith("mips")
        or "x86_64" in Container(saved).document["program"]["processor"]["requires"]
    ):
        assert words in message(path) and "compile the model" in message(path)


@pytest.mark.parametrize(
    "change",
    [
        {"program": {"kind": "cpu", "entry": "main; rm"}},
        {"program": {"kind": "other"}},
        {"interface": None},
        {"more": 1},
    ],
)
def test_descriptions_that_are_wrong(saved: Path, tmp_path: Path, change: dict[str, object]) -> None:
    assert "damaged" in message(rewritten(saved, tmp_path / "model.wse", change))


def test_shapes_are_checked_against_the_blocks(saved: Path, tmp_path: Path) -> None:
    interface = dict(Container(saved).document["interface"])
    first = next(i for i, a in enumerate(interface["arguments"]) if a["kind"] == "parameter")
    wrong = {**interface["arguments"][first], "shape": [2**40, 2**20]}
    interface["arguments"] = [*interface["arguments"][:first], wrong, *interface["arguments"][first + 1 :]]
    assert "are needed" in message(rewritten(saved, tmp_path / "model.wse", {"interface": interface}))


def test_blocks_outside_of_the_file_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_container(path, {}, {"a": np.arange(10)})
    data = path.read_bytes().replace(b'"offset":0', b'"offset":9')
    assert data != path.read_bytes()
    head = data[64 : 64 + struct.unpack("<Q", data[16:24])[0]]
    checked = data[:12] + struct.pack("<I", zlib.crc32(head)) + data[16:32]
    path.write_bytes(checked + struct.pack("<I28x", zlib.crc32(checked)) + data[64:])
    with pytest.raises(wse_mlir.CompilerError, match="outside"):
        Container(path)


def test_structures_cannot_import_anything() -> None:
    enum = '[1, {"type": "builtins.dict", "context": "[{\\"__enum__\\": true, \\"fqn\\": \\"antigravity:x\\"}]", '
    factory = '{"default_factory_module": "antigravity", "default_factory_name": "x", "dict_context": []}'
    for text in (
        enum + '"children_spec": []}]',
        json.dumps([1, {"type": "collections.defaultdict", "context": factory, "children_spec": []}]),
    ):
        with pytest.raises(ValueError, match="not supported"):
            read_tree(text)
    assert "antigravity" not in sys.modules


def test_a_machine_that_is_another_one_by_now(tmp_path: Path) -> None:
    made = family("mlp")
    path = tmp_path / "model.wse"
    wse_mlir.compile(made.model, made.args, target="tiny").save(path)
    program = dict(Container(path).document["program"])
    program["machine"] = {**program["machine"], "description": "another"}
    changed = rewritten(path, tmp_path / "changed.wse", {"program": program})
    assert re.search("(?s)machine 'tiny' as its file was then.*compile the model again", message(changed))
    own = rewritten(path, tmp_path / "own.wse", {"program": program, "target": "gone/own.toml"})
    assert torch.equal(wse_mlir.load(own)(*made.args), wse_mlir.load(path)(*made.args))
    garbage = {name: Container(path).bytes(name) for name in Container(path)._blocks} | {
        "stage": b"ML\xefR123"
    }
    write_container(changed, Container(path).document, garbage)
    assert "cannot be parsed as MLIR" in message(changed)


@pytest.mark.parametrize("place", ["no/such/folder/x", ".", "/dev/full", "a\0b"])
def test_places_that_cannot_be_written(saved: Path, tmp_path: Path, place: str) -> None:
    compiled = wse_mlir.load(saved)
    with pytest.raises(wse_mlir.CompilerError, match="cannot write"):
        compiled.save(tmp_path / place)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_what_was_there(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled, path = wse_mlir.load(saved), tmp_path / "model.wse"
    path.write_text("before")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(wse_mlir.CompilerError, match="No space left"):
        compiled.save(path)
    assert path.read_text() == "before" and [p.name for p in tmp_path.iterdir()] == ["model.wse"]
