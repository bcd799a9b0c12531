"""Passes on tensors, on the cases of their lit files, with values at the ends of each type's range.

Programs are lowered by upstream's passes alone, as they are and behind the pass: what is NaN or infinite stays so,
and no other element becomes it.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from lit_cases import LitCase, keep_only, lit_cases

import wse_mlir
from wse_mlir.compare.agreement import relative_error, tolerance
from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.parsing import parse_module
from wse_mlir.passes.infra.registry import BUILTIN, find_pass
from wse_mlir.verify.completion import ArraySignature, native_functions
from wse_mlir.verify.isolation import isolated

# Passes on tensors for one target, whose functions take and return what they did
OF_ONE_TARGET = (
    "wse-bind-tables", "wse-block-scans", "wse-generalize-writes", "wse-inline-masks", "wse-pad-in-place",
    "wse-separate-extremes", "wse-separate-reads",
)  # fmt: skip
OF_BOTH = [name for name, place in BUILTIN.items() if place.startswith("tensor.")]
PASSES = sorted([*OF_BOTH, *OF_ONE_TARGET])
OPTIONS = {"wse-reroll-loops": "operations=8 trips=4", "wse-tile": "sizes=2,3"}
SEEDS = range(3)
# Taps that see nothing but zeros of padding or strides are left out, whatever they are: filters stay finite.
FILTERS = {"wse-shrink-padded-filters": 1, "wse-transposed-convolutions": 1}
DIVIDING = ("wse-check-divisions",)  # upstream's division by zero ends the process
# What is PyTorch's and not upstream's: test/frontend/test_sorting.py and test/tensor/test_resampling.py compare it.
PYTORCH = {
    "wse-lower-tm-tensor": ("sort_descending", "smallest_two", "integers"),  # NaN is greatest, true is one
    "wse-separate-resampling": ("linear",),  # a (1 - f) + b f where a + (b - a) f is written
}

Results = dict[str, list[list[np.ndarray]]]


def test_passes_are_found() -> None:
    assert {"wse-fuse", "wse-absorb-reshapes", "wse-bufferize"} <= set(PASSES)


def planted(kind: np.dtype) -> dict[str, list[float]]:
    """Values by what they stand for; the greatest are 1e30 where the type has that."""
    info = torch.finfo(torch.bfloat16 if kind.name == "bfloat16" else getattr(torch, kind.name))
    huge, least = min(1e30, info.max / 2), info.smallest_normal
    found = {
        "huge": [huge, -huge],
        "subnormal": [least / 2, -least / 4],
        "zero": [0.0, -0.0],
        "infinite": [math.inf, -math.inf],
        "NaN": [math.nan],
    }
    return {**found, "all": [value for values in found.values() for value in values]}


def calls(signature: ArraySignature) -> list[tuple[int, str]]:
    """A seed and what is planted, for each call; a function that takes no floats is called once."""
    floats = any(kind.kind not in "biu" for _, kind in signature.arguments)
    return [(seed, what) for what in planted(np.dtype(np.float32)) for seed in SEEDS][: None if floats else 1]


def drawn(signature: ArraySignature, seed: int, what: str, name: str) -> list[np.ndarray]:
    """Arguments with some planted values; multiples of a quarter, and integers that are indices, beside them.

    Args:
        name: of the pass, which may not take all.
    """
    generator, arrays = np.random.default_rng(seed), []
    least = 1 if name in DIVIDING else 0
    for position, (shape, kind) in enumerate(signature.arguments):
        if kind.kind in "biu":
            arrays.append(generator.integers(least, least + 2, shape).astype(kind))
            continue
        value = (generator.integers(-12, 13, shape) / 4).astype(kind).reshape(-1)
        places = generator.random(value.size) < (0.15 if position != FILTERS.get(name) else 0)
        values = generator.choice(planted(kind)[what], int(places.sum()))
        value[places] = values.astype(kind)
        arrays.append(value.reshape(shape))
    return arrays


def results(case: LitCase, name: str, pipeline: str) -> tuple[Results, bool] | None:
    """What each function gives, and whether the pipeline changes the program.

    None where upstream's passes do not take the program, or where it reads what is not there.
    """

    def work(_: object) -> tuple[Results, bool]:
        module = parse_module(case.text, create_context())
        keep_only(module, case.functions)
        text = str(module)
        if pipeline:
            wse_mlir.opt(module, pipeline)
        changed = str(module) != text
        signatures = case.functions
        if "tensor<" in str(module):
            signatures = {name: replace(s, in_place=()) for name, s in signatures.items()}
        native = native_functions(module, signatures, checked=True)
        made = {
            function: [native[function](drawn(signature, *call, name)) for call in calls(signature)]
            for function, signature in signatures.items()
        }
        return made, changed

    return isolated(work).value


def compared(case: LitCase, name: str) -> tuple[int, list[str]]:
    """How many functions that a pass may change are compared before and behind it, and what differs."""
    before, after = results(case, name, ""), results(case, name, pipeline_of(name))
    if before is None or after is None or not after[1]:
        return 0, []
    functions = [f for f in case.functions if f not in PYTORCH.get(name, ())]
    found = []
    for function in functions:
        triples = zip(calls(case.functions[function]), after[0][function], before[0][function], strict=True)
        for call, got, expected in triples:
            for position, pair in enumerate(zip(map(tensor, got), map(tensor, expected), strict=True)):
                error = relative_error(*pair)
                if not error <= tolerance(pair[1].dtype, on_wafer=False):
                    found.append(f"{case.name}: @{function}, {call}, result {position}: {error:.1e}")
    return len(functions), found


def tensor(array: np.ndarray) -> torch.Tensor:
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.astype(np.float32)).bfloat16()
    return torch.from_numpy(np.ascontiguousarray(array))


def pipeline_of(name: str) -> str:
    text = f"{name}{{{OPTIONS[name]}}}" if name in OPTIONS else name
    anchor = find_pass(name).anchor
    return f"builtin.module({text if anchor in (None, 'builtin.module') else f'{anchor}({text})'})"


@pytest.mark.parametrize("name", PASSES)
def test_extremes_come_out_where_they_would(name: str) -> None:
    """A pass without a case that runs fails."""
    done = [compared(case, name) for case in lit_cases(name)]
    found = [line for _, lines in done for line in lines]
    assert not found, "\n".join(found)
    assert sum(count for count, _ in done) > 0


@pytest.mark.slow
@pytest.mark.parametrize("element", ["f16", "bf16"])
@pytest.mark.parametrize("name", PASSES)
def test_extremes_of_narrow_types(name: str, element: str) -> None:
    """Which steps are rounded is not determined, and decides what overflows: NaN and infinities are compared."""
    lines = [line for case in lit_cases(name, element) for line in compared(case, name)[1]]
    found = [x for x in lines if x.endswith(": inf") and not any(what in x for what in ("'huge'", "'all'"))]
    assert not found, "\n".join(found)
