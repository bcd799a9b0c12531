"""PyTorch models drawn at random, as source text, compiled for a target that is drawn too, against eager PyTorch."""

from __future__ import annotations

import copy
import random
import re
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import wse_mlir
from wse_mlir.compare.agreement import relative_error, tolerance

from .case import Wrong
from .operators import Value, draw_expression, draw_input, parameter_shape, scale_of
from .random_values import draw_tensor

MOST_ELEMENTS = 4096
CPU_OPTIONS: tuple[dict[str, Any], ...] = (
    {}, {}, {"num_threads": 2}, {"features": "-avx512f"}, {"cpu": "x86-64", "num_threads": 2}, {"debug": True},
)  # fmt: skip
HEADER = """import torch
import torch.nn.functional as F
from torch import nn

"""
# Rounds every value that is not exact once more, at random, and before that what it is computed of, as another order
# of additions would: outputs that then change a lot say nothing. What a difference leaves of equals may be zero, or
# not: of two such models one loses it.
SHAKEN = """LOSES = {loses}


def shaken(value):
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        return value
    noise = torch.rand(value.shape, generator=torch.Generator().manual_seed(value.numel()), dtype=torch.float64)
    wide, step = value.double(), 8 * torch.finfo(value.dtype).eps
    largest = wide.nan_to_num(0, 0, 0).abs().amax() if value.numel() else 0.0
    lost = wide.abs() < (step * largest if LOSES and largest < 1e6 else 0.0)
    return torch.where(lost, 0.0, wide * (1 + (noise - 0.5) * step)).to(value.dtype)


"""
_OPERAND = re.compile(r"(?<![.\w])([xv]\d+)\b")
_SHAKEN_OPERAND = r"shaken(\1)"
_ROUNDING = 0.1  # relative errors beyond it are not what rounding alone makes


@dataclass(frozen=True)
class Line:
    """`name = expression`; the expression names what it uses."""

    name: str
    expression: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    exact: bool


@dataclass(frozen=True)
class ModelCase:
    """A model, inputs and a target.

    Attributes:
        parameters: shapes and element types by name.
        extreme / strided: of the inputs; see `draw_tensor`.
    """

    seed: int
    inputs: tuple[Value, ...]
    parameters: tuple[tuple[str, tuple[int, ...], torch.dtype], ...]
    lines: tuple[Line, ...]
    outputs: tuple[str, ...]
    target: str
    options: tuple[tuple[str, Any], ...]
    extreme: bool
    strided: bool

    def run(self) -> None:
        """Compiles, calls twice and compares with eager PyTorch."""
        with tempfile.TemporaryDirectory(prefix="wse-fuzz-") as folder:
            model, arguments = self._load(Path(folder))
            expected = model(*arguments)
            limits = [tolerance(a.dtype, on_wafer=self.target != "cpu") for a in expected]
            for loses in (True, False):
                blurred, _ = self._load(Path(folder), shaken=SHAKEN.format(loses=loses))
                pairs = zip(limits, expected, blurred(*arguments), strict=True)
                limits = [max(limit, 8 * relative_error(b, a)) for limit, a, b in pairs]
            compiled = wse_mlir.compile(
                model, arguments, target=self.target, cache=False, **dict(self.options)
            )
            for _ in range(2):
                results = compiled(*arguments)
                try:
                    _compare(self.outputs, results, expected, limits)
                except Wrong:
                    if not self._is_nearer_the_truth(model, arguments, expected, results, limits):
                        raise

    def _is_nearer_the_truth(
        self,
        model: torch.nn.Module,
        arguments: tuple[torch.Tensor, ...],
        expected: tuple[torch.Tensor, ...],
        results: tuple[torch.Tensor, ...],
        limits: list[float],
    ) -> bool:
        """Whether results are PyTorch's in double precision, rounded, as nearly as PyTorch's own are.

        It rounds on the way, and narrow floats overflow there.
        """
        if not any(a.is_floating_point() for a in (*arguments, *results)):
            return False
        given = (a.double() if a.is_floating_point() else a for a in arguments)
        torch.set_default_dtype(torch.float64)  # of integers that are divided
        try:
            wide = copy.deepcopy(model).double()(*given)
        finally:
            torch.set_default_dtype(torch.float32)
        rounded = tuple(w.to(a.dtype) for w, a in zip(wide, results, strict=True))
        own = [relative_error(a, b) for a, b in zip(expected, rounded, strict=True)]
        as_near = [
            max(limit, 8 * error if error < _ROUNDING else 0.0)
            for limit, error in zip(limits, own, strict=True)
        ]
        try:
            _compare(self.outputs, results, rounded, as_near)
        except Wrong:
            return False
        return True

    def _load(self, folder: Path, *, shaken: str = "") -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
        path = folder / "model.py"
        path.write_text(self.source(shaken=shaken))
        namespace: dict[str, Any] = {}
        exec(compile(path.read_text(), str(path), "exec"), namespace)
        model = namespace["Model"]().eval()
        for position, (name, shape, dtype) in enumerate(self.parameters):
            generator = torch.Generator().manual_seed(self.seed + position)
            value = torch.randn(shape, generator=generator) * scale_of(shape)
            setattr(model, name, torch.nn.Parameter(value.to(dtype), requires_grad=False))
        return model, self.arguments()

    def arguments(self) -> tuple[torch.Tensor, ...]:
        return tuple(
            draw_tensor(v.shape, v.dtype, self.seed * 10 + i, extreme=self.extreme, strided=self.strided)
            for i, v in enumerate(self.inputs)
        )

    def source(self, *, shaken: str = "") -> str:
        """The model's Python text; `shaken`: the definition of what every inexact value goes through."""
        lines = []
        for line in self.lines:
            blur = shaken and not line.exact
            text = f"shaken({_OPERAND.sub(_SHAKEN_OPERAND, line.expression)})" if blur else line.expression
            lines.append(f"{line.name} = {text}")
        body = "\n        ".join([*lines, f"return {', '.join(self.outputs)},"])
        names = ", ".join(v.name for v in self.inputs)
        return f"{HEADER}{shaken}class Model(nn.Module):\n    def forward(self, {names}):\n        {body}\n"

    def files(self) -> dict[str, bytes]:
        """The model and how it is called."""
        about = f"target={self.target!r}, options={dict(self.options)!r}\n"
        about += f"extreme={self.extreme}, strided={self.strided}, seed={self.seed}\n"
        about += "".join(f"parameter {n}: {list(s)} {d}\n" for n, s, d in self.parameters)
        about += "".join(f"input {v.name}: {list(v.shape)} {v.dtype}\n" for v in self.inputs)
        return {"model.py": self.source().encode(), "call.txt": about.encode()}

    def smaller(self) -> Iterator[ModelCase]:
        """One output, fewer lines, plainer inputs and options."""
        if len(self.outputs) > 1:
            yield from (replace(self, outputs=(name,)).pruned() for name in self.outputs)
        # an earlier value of the same kind takes the place of a line's
        for line in reversed(self.lines):
            for other in (*self.inputs, *self.lines[: self.lines.index(line)]):
                if other.shape == line.shape and other.dtype == line.dtype:
                    yield self._without(line, other.name).pruned()
                    break
        for earlier in range(1, len(self.lines)):
            yield replace(self, lines=self.lines[:earlier], outputs=(self.lines[earlier - 1].name,)).pruned()
        for change in ({"extreme": False}, {"strided": False}, {"options": ()}):
            if any(getattr(self, name) != value for name, value in change.items()):
                yield replace(self, **change)

    def _without(self, gone: Line, name: str) -> ModelCase:
        word = re.compile(rf"\b{gone.name}\b")
        lines = [
            replace(line, expression=word.sub(name, line.expression)) for line in self.lines if line != gone
        ]
        outputs = tuple(dict.fromkeys(word.sub(name, output) for output in self.outputs))
        kept = tuple(o for o in outputs if o.startswith("v"))
        return replace(
            self, lines=tuple(lines), outputs=kept or tuple(line.name for line in lines[-1:]) or outputs
        )

    def pruned(self) -> ModelCase:
        """Without lines, inputs and parameters that no output needs; one input stays."""
        needed = set(self.outputs)
        lines: list[Line] = []
        for line in reversed(self.lines):
            if line.name in needed:
                lines.insert(0, line)
                needed |= set(re.findall(r"\b[xvp]\d+\b", line.expression))
        inputs = tuple(v for v in self.inputs if v.name in needed) or self.inputs[:1]
        parameters = tuple(p for p in self.parameters if p[0] in needed)
        return replace(self, lines=tuple(lines), inputs=inputs, parameters=parameters)


def draw_model(seed: int) -> ModelCase:
    """A model of up to a dozen operators."""
    draw = random.Random(seed)
    inputs = tuple(draw_input(draw, i) for i in range(draw.randint(1, 3)))
    target = "tiny" if draw.random() < 0.2 else "cpu"
    options = draw.choice(CPU_OPTIONS) if target == "cpu" else {}
    case = ModelCase(
        seed, inputs, (), (), (), target, tuple(options.items()), draw.random() < 0.3, draw.random() < 0.3
    )
    known: dict[str, Any] = dict(zip((v.name for v in inputs), case.arguments(), strict=True))
    values = list(inputs)
    for _ in range(draw.randint(1, 12) * 3):
        case, value = _extend(case, draw, values, known)
        if value is not None:
            values.append(value)
    last = [line.name for line in case.lines]
    outputs = tuple(sorted({*last[-2:], *draw.sample(last, min(1, len(last)))})) or (inputs[0].name,)
    return replace(case, outputs=outputs).pruned()


def _extend(
    case: ModelCase, draw: random.Random, values: list[Value], known: dict[str, Any]
) -> tuple[ModelCase, Value | None]:
    """The case with one more line, if eager PyTorch can run it."""
    drawn = draw_expression(draw, values)
    if drawn is None:
        return case, None
    template, exact, operands = drawn
    text = template.replace("{x}", operands[0].name).replace("{y}", operands[-1].name)
    parameters = list(case.parameters)
    fresh: dict[str, Any] = {}
    for sizes in re.findall(r"\{p:([^}]*)\}", text):
        name = f"p{len(parameters)}"
        dtype = operands[0].dtype if operands[0].is_float else torch.float32
        shape = parameter_shape(sizes, operands[0].shape)
        parameters.append((name, shape, dtype))
        fresh[name] = torch.ones(shape, dtype=dtype)
        text = text.replace(f"{{p:{sizes}}}", f"self.{name}", 1)
    try:
        scope = {"torch": torch, "F": torch.nn.functional, "self": _Bag(fresh), **known}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's advice on shapes that no user would choose
            result = eval(text, scope)
    except Exception:  # PyTorch refuses it for these operands: not a model
        return case, None
    if not isinstance(result, torch.Tensor) or not 0 < result.numel() <= MOST_ELEMENTS or result.dim() > 5:
        return case, None
    if result.is_complex():
        return case, None
    name = f"v{len(case.lines)}"
    line = Line(name, text, tuple(result.shape), result.dtype, exact)
    known[name] = result
    longer = replace(case, lines=(*case.lines, line), parameters=tuple(parameters))
    return longer, Value(name, line.shape, line.dtype, exact)


class _Bag:
    def __init__(self, attributes: dict[str, Any]) -> None:
        self.__dict__.update(attributes)


def _compare(names: tuple[str, ...], got: Any, expected: Any, limits: list[float]) -> None:
    for name, a, b, limit in zip(names, got, expected, limits, strict=True):
        error = relative_error(a, b)
        if not error <= limit:
            raise Wrong(
                f"output {name}, {a.dtype} {list(a.shape)}: error {error:.1e} of {limit:.1e}\n"
                f"got      {a.flatten()[:12].tolist()}\nexpected {b.dtype} {b.flatten()[:12].tolist()}"
            )
