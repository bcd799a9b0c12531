"""Modules through pipelines, both drawn at random: nothing may crash, and what means the same must compute the same."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin

import numpy as np
import torch

import wse_mlir
from wse_mlir.compare.agreement import relative_error, tolerance
from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.parsing import parse_module
from wse_mlir.passes.infra.options import annotations_of, option_name, print_value
from wse_mlir.passes.infra.registry import find_pass, pass_names
from wse_mlir.pipelines.named import CPU
from wse_mlir.verify.completion import main_signature, native_functions
from wse_mlir.verify.isolation import isolated

from .case import Wrong
from .modules import draw_module
from .random_values import draw_tensor

# Passes that keep what a program on tensors computes, whatever it is; reassociation is within the tolerance.
ON_TENSORS = (
    "wse-generalize", "wse-fuse", "wse-fold-constants", "wse-dce", "wse-specialize", "wse-drop-unit-dims",
    "wse-shrink-padded-filters", "wse-absorb-reshapes", "wse-inline-masks", "wse-channels-last", "wse-pad-in-place",
    "wse-sink-epilogues", "wse-softmax-reciprocals", "wse-reroll-loops", "wse-unroll-loops", "wse-tile",
    "wse-separate-resampling", "wse-loop-state-in-place", "wse-permute-insertions", "wse-transposed-convolutions",
    "wse-winograd-convolutions", "wse-unfuse-parameters",
)  # fmt: skip
UPSTREAM = (
    "canonicalize",
    "cse",
    "func.func(linalg-generalize-named-ops)",
    "loop-invariant-code-motion",
    "symbol-dce",
    "inline",
)
_NUMBERS = (0, 1, 2, 3, 4, 8, 16, 64, -1)


@dataclass(frozen=True)
class PipelineCase:
    """A module and passes.

    Attributes:
        passes: in order, as text.
        compared: whether the passes keep what the module computes.
    """

    seed: int
    module: str
    passes: tuple[str, ...]
    compared: bool

    @property
    def pipeline(self) -> str:
        return f"builtin.module({','.join(self.passes)})"

    def run(self) -> None:
        """Runs the pipeline; compares the CPU's results with those of upstream's lowering of the module as it was."""
        after = wse_mlir.opt(self.module, self.pipeline)
        text = str(after)
        parse_module(text, create_context())  # what is printed can be read
        if self.compared:
            _compare(self.module, self.seed, _by_upstream(text, self.seed))

    def files(self) -> dict[str, bytes]:
        return {"module.mlir": self.module.encode(), "pipeline.txt": self.pipeline.encode()}

    def smaller(self) -> Iterator[PipelineCase]:
        """Fewer passes; modules are reduced by wse-reduce."""
        for position in range(len(self.passes)):
            yield replace(self, passes=self.passes[:position] + self.passes[position + 1 :])


@dataclass(frozen=True)
class CompiledModuleCase:
    """A module through the whole CPU pipeline, against upstream's lowering of it."""

    seed: int
    module: str

    def run(self) -> None:
        context = create_context()
        module = parse_module(self.module, context)
        signature = main_signature(module)
        wse_mlir.opt(module, CPU.text)
        _compare(self.module, self.seed, _call(module, signature, self.seed))

    def files(self) -> dict[str, bytes]:
        return {"module.mlir": self.module.encode(), "pipeline.txt": b"the named pipeline cpu"}

    def smaller(self) -> Iterator[CompiledModuleCase]:
        yield from ()


def draw_pipeline(seed: int) -> PipelineCase:
    """A module and up to five passes: half of the cases are compared, in the others every pass may stand anywhere."""
    draw = random.Random(seed)
    compared = draw.random() < 0.5
    names = ON_TENSORS if compared else tuple(pass_names())
    passes = tuple(
        draw.choice(UPSTREAM)
        if draw.random() < 0.2
        else _with_options(draw, draw.choice(names), wild=not compared)
        for _ in range(draw.randint(1, 5))
    )
    return PipelineCase(seed, draw_module(seed), passes, compared)


def draw_compiled_module(seed: int) -> CompiledModuleCase:
    """A module for the CPU."""
    return CompiledModuleCase(seed, draw_module(seed))


def _with_options(draw: random.Random, name: str, *, wild: bool) -> str:
    cls = find_pass(name)
    options = []
    for field, annotation in annotations_of(cls).items():
        if draw.random() < (0.4 if wild else 0.15):
            options.append(f"{option_name(field)}={print_value(_draw_option(draw, annotation, wild=wild))}")
    text = f"{name}{{{' '.join(options)}}}" if options else name
    return text if cls.anchor in (None, "builtin.module") else f"{cls.anchor}({text})"


def _draw_option(draw: random.Random, annotation: Any, *, wild: bool) -> Any:
    numbers = _NUMBERS if wild else _NUMBERS[1:6]
    if get_origin(annotation) is Literal:
        return draw.choice(get_args(annotation))
    if get_origin(annotation) is tuple:
        return tuple(
            _draw_option(draw, get_args(annotation)[0], wild=wild) for _ in range(draw.randint(0, 3))
        )
    if annotation is bool:
        return draw.random() < 0.5
    if annotation is int:
        return draw.choice(numbers)
    if annotation is float:
        return draw.choice([0.0, 0.5, 1e9])
    return draw.choice(["", "x", "2x2", "tiny", "x86-64", "linalg.matmul"]) if wild else ""


def _by_upstream(text: str, seed: int, narrow: Any = None) -> list[np.ndarray] | None:
    """The results by upstream's passes alone; None where these crash, or refuse what may be refused.

    Args:
        narrow: signature of `@main` with narrower floats, whose arguments are drawn and widened.
    """

    def work(_: Any) -> list[np.ndarray]:
        module = parse_module(text, create_context())
        return _call(module, main_signature(module), seed, narrow)

    return isolated(work).value


def _call(module: Any, signature: Any, seed: int, narrow: Any = None) -> list[np.ndarray]:
    function = native_functions(module, {"main": signature})["main"]
    arrays = []
    for position, (shape, dtype) in enumerate((narrow or signature).arguments):
        kind = torch.bfloat16 if dtype.name == "bfloat16" else getattr(torch, dtype.name)
        value = draw_tensor(shape, kind, seed + position)
        array = value.float().numpy().astype(dtype) if kind == torch.bfloat16 else value.numpy()
        arrays.append(array.astype(signature.arguments[position][1]))
    return function(arrays)


def _compare(module: str, seed: int, got: list[np.ndarray] | None) -> None:
    """Raises `Wrong` for results farther from upstream's than what matches, unless they are nearer to the truth."""
    expected = _by_upstream(module, seed)
    if expected is None or got is None:
        return  # nothing to compare with
    for position, (b, a) in enumerate(zip(expected, got, strict=True)):
        error = _error(a, b)
        limit = tolerance(torch.float16 if _is_narrow(a) else torch.from_numpy(a).dtype, on_wafer=False)
        if not error <= limit and not _is_nearer_the_truth(module, seed, position, a, b):
            raise Wrong(
                f"result {position}: error {error:.1e}\ngot {a.ravel()[:8]}\nexpected {b.ravel()[:8]}"
            )


def _is_nearer_the_truth(
    module: str, seed: int, position: int, got: np.ndarray, expected: np.ndarray
) -> bool:
    """Whether a result is as near to that of the module in f32 as upstream's, which rounds after each operation."""
    if not _is_narrow(got):
        return False
    narrow = main_signature(parse_module(module, create_context()))
    truth = _by_upstream(re.sub(r"\bb?f16\b", "f32", re.sub(r"xb?f16\b", "xf32", module)), seed, narrow)
    return truth is not None and _error(got, truth[position]) <= _error(expected, truth[position])


def _is_narrow(array: np.ndarray) -> bool:
    return array.dtype.name in ("bfloat16", "float16")


def _error(a: np.ndarray, b: np.ndarray) -> float:
    wide = [torch.from_numpy(v.astype(np.float32) if _is_narrow(v) else v) for v in (a, b)]
    return relative_error(wide[0], wide[1])
