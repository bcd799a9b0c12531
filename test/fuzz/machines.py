"""Machines drawn at random, their fields within or beyond what makes sense: programs run right, or are refused."""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

import wse_mlir

from .case import Wrong

TEMPLATE = Path(__file__).resolve().parents[2] / "wse_target" / "machines" / "tiny.toml"
_FIELD = re.compile(r"^(\w+) = \{ value = (.*?), unit", re.MULTILINE)
_FACTORS = (0, 0.25, 0.5, 2, 3, 7, 100, -1)
MODELS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "linear": (nn.Linear(6, 4), (3, 6)),
    "mlp": (nn.Sequential(nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 5)), (8, 16)),
    "softmax": (nn.Softmax(-1), (5, 7)),
    "norm": (nn.LayerNorm(12), (4, 12)),
}


@dataclass(frozen=True)
class MachineCase:
    """A machine file, as changes of the invented one, and a model to run on it.

    Attributes:
        changes: field and the text of its value.
    """

    seed: int
    changes: tuple[tuple[str, str], ...]
    model: str

    def run(self) -> None:
        torch.manual_seed(self.seed)
        model, shape = MODELS[self.model]
        x = torch.randn(shape)
        with tempfile.TemporaryDirectory(prefix="wse-fuzz-") as folder:
            path = Path(folder) / "machine.toml"
            path.write_text(self.text())
            compiled = wse_mlir.compile(model, (x,), target=str(path), cache=False)
            got, expected = compiled(x), model(x)
        if not torch.allclose(got, expected, atol=1e-3, rtol=1e-3):
            raise Wrong(f"got {got.flatten()[:6]}, expected {expected.flatten()[:6]}")
        cycles = compiled.report["cycles"]["device"]
        if not 0 <= cycles < float("inf"):
            raise Wrong(f"{cycles} cycles")

    def text(self) -> str:
        """The machine file."""
        text = TEMPLATE.read_text()
        for name, value in self.changes:
            text = re.sub(
                rf"^{name} = \{{ value = .*?, unit",
                f"{name} = {{ value = {value}, unit",
                text,
                count=1,
                flags=re.MULTILINE,
            )
        return text

    def files(self) -> dict[str, bytes]:
        return {"machine.toml": self.text().encode(), "model.txt": f"{self.model} {self.changes}".encode()}

    def smaller(self) -> Iterator[MachineCase]:
        """Fewer changes, the smallest model."""
        for position in range(len(self.changes)):
            yield replace(self, changes=self.changes[:position] + self.changes[position + 1 :])
        if self.model != "linear":
            yield replace(self, model="linear")


def draw_machine(seed: int) -> MachineCase:
    """The invented machine with one to six fields changed."""
    draw = random.Random(seed)
    fields = _FIELD.findall(TEMPLATE.read_text())
    chosen = draw.sample(fields, draw.randint(1, 6))
    return MachineCase(seed, tuple((n, _changed(draw, v)) for n, v in chosen), draw.choice(sorted(MODELS)))


def _changed(draw: random.Random, value: str) -> str:
    """Another value of the same form: numbers times a factor, lists of another length."""
    if value.startswith("["):
        numbers = value.strip("[]").split(",")
        return f"[{', '.join(draw.choices(numbers, k=draw.randint(0, 8)))}]"
    factor = draw.choice(_FACTORS)

    def scaled(match: re.Match[str]) -> str:
        number = match.group()
        return str(float(number) * factor) if "." in number else str(int(int(number) * factor))

    return re.sub(r"(?<![\w.])\d+(\.\d+)?", scaled, value)
