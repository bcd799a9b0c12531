"""Command lines and keyword arguments drawn at random: results, or one message and an exit code."""

from __future__ import annotations

import contextlib
import io
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import wse_mlir
from wse_mlir.tools import wse, wse_opt, wse_reduce

from .case import Wrong, complaint_about
from .modules import draw_module

MODEL = """import torch
from torch import nn


def load():
    return nn.Sequential(nn.Linear(6, 4), nn.ReLU()), (torch.ones(3, 6),)
"""
_VALUES = (
    "", "0", "1", "-1", "2", "8x8", "0x0", "2x2", "1e9", "99999999999999999999", "tiny", "cpu", "wse3",
    "tny", "model.py", "module.mlir", "missing.mlir", ".", "/dev/null", "out.json", "no/such/folder/out",
    "-", "é", "a b", "name{option=1}", "mesh_gemm", "mesh_gemm{group=4}", "canonicalize",
    "builtin.module(wse-fuse)", "builtin.module(", "wse-fuse", "tensor", "f16", "linalg.matmul", "llvm",
    "+avx2", "x86-64-v3", "True",
)  # fmt: skip
_OPTIONS = {
    "wse run": "--target --json --grid --help",
    "wse simulate": "--target --grid --algorithm --timing-only --json --explain --trace --seed --help",
    "wse compile": "--target -o --emit --stage --cpu --features --help",
    "wse targets": "--help",
    "wse show": "--target --grid --help",
    "wse compare": "--target --json --help",
    "wse cache": "--help",
    "wse-opt": "--canonicalize --cse --wse-fuse --wse-tile --pass-pipeline --pipeline --split-input-file -o --help "
    "--verify-diagnostics --mlir-print-ir-after-all --mlir-timing --list-passes --wse-tile=sizes --emit-bytecode "
    "--mlir-print-op-generic --load --irdl-file --allow-unregistered-dialect --no-such-flag",
    "wse-reduce": "--test --pipeline --pass-pipeline --message -o --max-tests --timeout --help",
}
_COMMANDS = {command: tuple(words.split()) for command, words in _OPTIONS.items()}
_MAINS = {"wse": wse.main, "wse-opt": wse_opt.main, "wse-reduce": wse_reduce.main}
_KEYWORDS = (
    "target",
    "num_threads",
    "cache",
    "cpu",
    "features",
    "debug",
    "grid",
    "algorithm",
    "origin",
    "no_such_option",
    "dynamic_shapes",
)
_OBJECTS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 10**9, 1.5, float("nan"), "", "tiny", "cpu", "8x8", "1x1", "x86-64",
    "mesh_gemm", b"x", [], {}, (1, 2), object, Path("x"), "a\x00b",
)  # fmt: skip


@dataclass(frozen=True)
class CommandCase:
    """A command line, in a folder with a model and a module."""

    command: str
    words: tuple[str, ...]
    seed: int

    def run(self) -> None:
        said = io.StringIO()
        with tempfile.TemporaryDirectory(prefix="wse-fuzz-") as folder:
            os.chdir(folder)
            Path("model.py").write_text(MODEL)
            Path("module.mlir").write_text(draw_module(self.seed))
            program, *rest = self.command.split()
            sys.argv = [program, *rest, *self.words]
            sys.stdin = io.StringIO("")
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
                code = _exit_code(program)
            os.chdir("/")
        if code not in (0, 1, 2, 130):
            raise Wrong(f"exit code {code}: {said.getvalue()[-500:]}")
        if code and (complaint := complaint_about(said.getvalue())):
            raise Wrong(f"{complaint}: {said.getvalue()[-1500:]}")

    def files(self) -> dict[str, bytes]:
        line = " ".join([self.command, *(f"'{word}'" for word in self.words)])
        return {
            "command.sh": line.encode(),
            "module.mlir": draw_module(self.seed).encode(),
            "model.py": MODEL.encode(),
        }

    def smaller(self) -> Iterator[CommandCase]:
        for position in range(len(self.words)):
            yield replace(self, words=self.words[:position] + self.words[position + 1 :])


def draw_command(seed: int) -> CommandCase:
    """A command with up to five words, mostly its own options."""
    draw = random.Random(seed)
    command = draw.choice(sorted(_COMMANDS))
    words = [draw.choice(("model.py", "module.mlir"))] if draw.random() < 0.8 else []
    for _ in range(draw.randint(0, 4)):
        words.append(draw.choice(_COMMANDS[command]) if draw.random() < 0.6 else draw.choice(_VALUES))
    return CommandCase(command, tuple(words), seed)


def _exit_code(program: str) -> int:
    try:
        _MAINS[program]()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return 0


@dataclass(frozen=True)
class KeywordCase:
    """Keyword arguments of `compile`, of any kind."""

    keywords: tuple[tuple[str, Any], ...]

    def run(self) -> None:
        model = torch.nn.Linear(6, 4)
        x = torch.ones(3, 6)
        with tempfile.TemporaryDirectory(prefix="wse-fuzz-") as folder, contextlib.chdir(folder):
            compiled = wse_mlir.compile(model, (x,), **{"cache": False, **dict(self.keywords)})
        if not torch.allclose(compiled(x), model(x), atol=1e-3):
            raise Wrong("the linear layer's result is wrong")

    def files(self) -> dict[str, bytes]:
        return {"call.txt": f"compile(Linear(6, 4), (ones(3, 6),), **{dict(self.keywords)!r})".encode()}

    def smaller(self) -> Iterator[KeywordCase]:
        for position in range(len(self.keywords)):
            yield KeywordCase(self.keywords[:position] + self.keywords[position + 1 :])


def draw_keywords(seed: int) -> KeywordCase:
    """One to three arguments with values of any type."""
    draw = random.Random(seed)
    names = draw.sample(_KEYWORDS, draw.randint(1, 3))
    return KeywordCase(tuple((name, draw.choice(_OBJECTS)) for name in names))
