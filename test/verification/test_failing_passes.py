"""Passes that fail, leave invalid IR, crash, or make code that crashes: each is named, and `wse verify` lives on."""

import ctypes
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wse_mlir.dialects.host import arith, ir, memref
from wse_mlir.passes.infra import registry
from wse_mlir.passes.infra.pass_base import Pass, PassRun
from wse_mlir.pipelines.named import NAMED_PIPELINES, named_pipeline
from wse_mlir.tools.verify import Settings, replay_file, verify_model

MODEL = """
import torch
def load():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()).eval(), (torch.randn(2, 4),)
"""


class Raises(Pass, name="test-raises", anchor="func.func"):
    """Has a defect."""

    def run(self, op: ir.Operation, run: PassRun) -> None:
        raise IndexError("no such thing")


class LeavesInvalid(Pass, name="test-leaves-invalid", anchor="func.func"):
    """Lets a value be used before it is computed."""

    def run(self, op: ir.Operation, run: PassRun) -> None:
        block = op.regions[0].blocks[0]
        first, second, *_ = [o for o in block.operations if o.operation.name == "linalg.generic"]
        second.operation.move_before(first.operation)


class Crashes(Pass, name="test-crashes", anchor="func.func"):
    """Reads from address zero."""

    def run(self, op: ir.Operation, run: PassRun) -> None:
        ctypes.string_at(0)


class MakesCodeCrash(Pass, name="test-makes-code-crash", anchor="func.func"):
    """Makes the function write far outside of a buffer."""

    def run(self, op: ir.Operation, run: PassRun) -> None:
        block = op.regions[0].blocks[0]
        with ir.InsertionPoint.at_block_begin(block), op.location:
            far = arith.constant(ir.IndexType.get(), 1 << 40)
            number = arith.constant(ir.F32Type.get(), 1.0)
            output: Any = list(block.arguments)[-1]
            memref.StoreOp(number, output, [far] * ir.MemRefType(output.type).rank)


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Path]:
    """A model's file; the test passes are known."""
    (tmp_path / "model.py").write_text(MODEL)
    passes = (Raises, LeavesInvalid, Crashes, MakesCodeCrash)
    registry._registered.update({p.name: p for p in passes})
    yield tmp_path / "model.py"
    for p in passes:
        del registry._registered[p.name]


@pytest.mark.parametrize(
    ("name", "row", "says"),
    [
        ("test-raises", "fuse", "internal error: IndexError: no such thing"),
        ("test-leaves-invalid", "fuse", "does not dominate this use"),
        ("test-crashes", "vectorise", "segmentation fault (SIGSEGV)"),
        ("test-makes-code-crash", "bufferize", "segmentation fault (SIGSEGV)"),
    ],
)
def test_a_pass_that_fails_is_named(
    name: str,
    row: str,
    says: str,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cpu = named_pipeline("cpu")
    passes = {stage.name: stage.passes for stage in cpu.stages}[row]
    before = "convert-elementwise-to-linalg,func.func(wse-generalize)" if row == "fuse" else passes
    broken = f"{before},func.func({name})"
    monkeypatch.setitem(NAMED_PIPELINES, "cpu", cpu.override(**{row: broken}))
    out = model.parent / "out.json"
    settings = Settings(target="cpu", reproducer=model.parent, json=out)
    assert not verify_model(str(model), settings)
    printed = capsys.readouterr().out
    assert f"pass '{name}'" in printed and says in printed
    (fault,) = json.loads(out.read_text())["faults"]
    assert fault["passes"] == [name]
    assert fault["kind"] == ("crash" if name == "test-makes-code-crash" else "failure")
    assert not replay_file(Path(fault["reproducer"]))
    assert says in capsys.readouterr().out


def test_nothing_is_looked_for_when_nobody_asks(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(NAMED_PIPELINES, "cpu", named_pipeline("cpu").override(fold="func.func(test-raises)"))
    assert not verify_model(str(model), Settings(target="cpu", bisect=False, reproducer=model.parent))
    assert "does not run" in capsys.readouterr().out
    assert not list(model.parent.glob("*.mlir"))
