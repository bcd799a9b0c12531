"""Files that users have, damaged at random: each is read as what it says, or refused in one readable message."""

from __future__ import annotations

import functools
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from onnx import TensorProto, helper

import wse_mlir
from wse_mlir.compiler.targets import find_target
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.wse_target.machine_file import load_machine

from .case import Wrong
from .modules import draw_module

ROOT = Path(__file__).resolve().parents[2]
_WORDS = (
    b"0", b"-1", b"1", b"9223372036854775808", b"1e999", b"nan", b"", b"\x00", b"\xff\xfe", b"(", b"}",
    b"%", b'"', b"f32", b"i1", b"tensor<", b"?", b"index", b"[]", b"true", b"\n", b"#", b"//", b"= ",
    b"vector<4xf32>", b"!llvm.ptr", b"memref<*xf32>",
)  # fmt: skip


@dataclass(frozen=True)
class DamagedFile:
    """A file's name and what is in it now, and what a user does with it."""

    name: str
    content: bytes
    use: str
    undamaged: bytes

    def run(self) -> None:
        with tempfile.TemporaryDirectory(prefix="wse-fuzz-") as folder:
            path = Path(folder) / self.name
            path.write_bytes(self.content)
            USES[self.use](path)

    def files(self) -> dict[str, bytes]:
        return {self.name: self.content, "use.txt": self.use.encode()}

    def smaller(self) -> Iterator[DamagedFile]:
        """Without runs of lines, or of bytes where there are no lines."""
        text = b"\x00" not in self.content
        parts = (
            self.content.split(b"\n")
            if text
            else [self.content[i : i + 64] for i in range(0, len(self.content), 64)]
        )
        size = max(1, len(parts) // 2)
        while size:
            for start in range(0, len(parts), size):
                kept = (b"\n" if text else b"").join(parts[:start] + parts[start + size :])
                yield replace(self, content=kept)
            size //= 2


def draw_damaged_file(seed: int) -> DamagedFile:
    """One file of any kind, with one to four places damaged."""
    draw = random.Random(seed)
    kind = draw.choice(sorted(SOURCES))
    name, content, uses = SOURCES[kind](seed)
    damaged = content
    for _ in range(draw.randint(1, 4)):
        damaged = draw.choice(DAMAGES)(draw, damaged)
    return DamagedFile(name, damaged, draw.choice(uses), content)


# What happens to files.


def _flip(draw: random.Random, data: bytes) -> bytes:
    place = draw.randrange(max(1, len(data)))
    return data[:place] + bytes([draw.randrange(256)]) + data[place + 1 :]


def _cut(draw: random.Random, data: bytes) -> bytes:
    return data[: draw.randrange(max(1, len(data)))]


def _remove(draw: random.Random, data: bytes) -> bytes:
    start = draw.randrange(max(1, len(data)))
    return data[:start] + data[start + draw.randint(1, 40) :]


def _insert(draw: random.Random, data: bytes) -> bytes:
    place = draw.randrange(max(1, len(data)))
    return data[:place] + draw.choice(_WORDS) + data[place:]


def _swap_lines(draw: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    i, j = draw.randrange(len(lines)), draw.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def _drop_line(draw: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    del lines[draw.randrange(len(lines))]
    return b"\n".join(lines)


def _repeat(draw: random.Random, data: bytes) -> bytes:
    start = draw.randrange(max(1, len(data)))
    part = data[start : start + draw.randint(1, 200)]
    return data[:start] + part * 2 + data[start:]


def _number(draw: random.Random, data: bytes) -> bytes:
    """Another number in place of one."""
    places = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
    if not places:
        return data
    place = draw.choice(places)
    return (
        data[:place]
        + draw.choice((b"0", b"7", b"-3", b"4096", b"99999999999", b"1.5", b"x"))
        + data[place + 1 :]
    )


DAMAGES = (_flip, _cut, _remove, _insert, _swap_lines, _drop_line, _repeat, _number, _number)

# Whole files.


@functools.cache
def _lit_files() -> tuple[Path, ...]:
    return tuple(sorted((ROOT / "test" / "lit").rglob("*.mlir")))


def _mlir(seed: int) -> tuple[str, bytes, tuple[str, ...]]:
    return "module.mlir", draw_module(seed).encode(), ("compile", "tensor pipeline", "cpu pipeline")


def _lit(seed: int) -> tuple[str, bytes, tuple[str, ...]]:
    files = _lit_files()
    return (
        "module.mlir",
        files[seed % len(files)].read_bytes(),
        ("tensor pipeline", "cpu pipeline", "wafer pipeline"),
    )


def _machine(seed: int) -> tuple[str, bytes, tuple[str, ...]]:
    machines = sorted((ROOT / "wse_target" / "machines").glob("*.toml"))
    return "machine.toml", machines[seed % len(machines)].read_bytes(), ("machine", "compile for machine")


@functools.cache
def _saved_bytes(target: str) -> bytes:
    model = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.Tanh()).eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.wse"
        wse_mlir.compile(model, (torch.ones(2, 5),), target=target, cache=False).save(path)
        return path.read_bytes()


def _saved(seed: int) -> tuple[str, bytes, tuple[str, ...]]:
    return "model.wse", _saved_bytes("cpu" if seed % 4 else "tiny"), ("load",)


@functools.cache
def _pt2_bytes() -> bytes:
    model = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.ReLU()).eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt2"
        torch.export.save(torch.export.export(model, (torch.ones(2, 5),)), path)
        return path.read_bytes()


def _pt2(seed: int) -> tuple[str, bytes, tuple[str, ...]]:
    return "model.pt2", _pt2_bytes(), ("compile",)


def _onnx(seed: int) -> tuple[str, bytes, tuple[str, ...]]:
    draw = random.Random(seed)
    operators = [
        "Relu",
        "Sigmoid",
        "Exp",
        "Neg",
        "Softmax",
        "Transpose",
        "Identity",
        "Floor",
        "LogSoftmax",
        "Erf",
        "Abs",
    ]
    names = [draw.choice(operators) for _ in range(draw.randint(1, 4))]
    nodes = [helper.make_node(name, [f"v{i}"], [f"v{i + 1}"], name=f"n{i}") for i, name in enumerate(names)]
    weight = helper.make_tensor("w", TensorProto.FLOAT, [4, 4], np.ones(16, np.float32))
    nodes.append(helper.make_node("MatMul", [f"v{len(names)}", "w"], ["y"], name="last"))
    x = helper.make_tensor_value_info("v0", TensorProto.FLOAT, [4, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 4])
    graph = helper.make_graph(nodes, "drawn", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return "model.onnx", model.SerializeToString(), ("compile",)


SOURCES: dict[str, Callable[[int], tuple[str, bytes, tuple[str, ...]]]] = {
    "mlir": _mlir, "lit": _lit, "machine": _machine, "saved": _saved, "pt2": _pt2, "onnx": _onnx,
}  # fmt: skip

# What users do with them.


def _compile(path: Path) -> None:
    wse_mlir.compile(path, cache=False)


def _pipeline(name: str) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            return  # `wse-opt` reads files; what it says of these is the commands' part
        wse_mlir.opt(text, named_pipeline(name).text)

    return run


def _load(path: Path) -> None:
    got = wse_mlir.load(path)(torch.ones(2, 5))
    if got.shape != (2, 4):
        raise Wrong(f"a damaged file gives {list(got.shape)}")


def _read_machine(path: Path) -> None:
    load_machine(path)


def _compile_for(path: Path) -> None:
    find_target(path)
    model = torch.nn.Linear(6, 4)
    x = torch.ones(3, 6)
    got = wse_mlir.compile(model, (x,), target=str(path), cache=False)(x)
    if not torch.allclose(got, model(x), atol=1e-3):
        raise Wrong(f"got {got[0]}, expected {model(x)[0]}")


USES: dict[str, Callable[[Path], None]] = {
    "compile": _compile, "tensor pipeline": _pipeline("tensor"), "cpu pipeline": _pipeline("cpu"),
    "wafer pipeline": _pipeline("wafer"), "load": _load, "machine": _read_machine, "compile for machine": _compile_for,
}  # fmt: skip
