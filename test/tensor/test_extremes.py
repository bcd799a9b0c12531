"""Every pass on tensors, on the cases of its lit file, with values at the ends of each type's range.

Programs are lowered by upstream's passes alone, as they are and behind the pass: what is NaN or infinite stays so, and no
other element becomes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

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

PASSES = sorted(name for name, place in BUILTIN.items() if place.startswith("tensor."))
OPTIONS = {"wse-reroll-loops": "operations=8 trips=4"}
SEEDS = range(3)

Calls = dict[str, list[list[np.ndarray]]]


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


def drawn(signature: ArraySignature, seed: int, what: str) -> list[np.ndarray]:
    """Arguments with some planted values; multiples of a quarter, and integers that are indices, beside them."""
    generator, arrays = np.random.default_rng(seed), []
    for shape, kind in signature.arguments:
        if kind.kind in "biu":
            arrays.append(generator.integers(0, 2, shape).astype(kind))
            continue
        value = (generator.integers(-12, 13, shape) / 4).astype(kind).reshape(-1)
        places = generator.random(value.size) < 0.15
        values = generator.choice(planted(kind)[what], int(places.sum()))
        value[places] = values.astype(kind)
        arrays.append(value.reshape(shape))
    return arrays


def results(case: LitCase, pipeline: str) -> Calls | None:
    """What each function gives for all arguments; None where upstream's passes do not take the program."""

    def work(_: object) -> Calls:
        module = parse_module(case.text, create_context())
        keep_only(module, case.functions)
        if pipeline:
            wse_mlir.opt(module, pipeline)
        native = native_functions(module, case.functions)
        return {
            name: [
                native[name](drawn(signature, seed, what))
                for what in planted(np.dtype(np.float32))
                for seed in SEEDS
            ]
            for name, signature in case.functions.items()
        }

    return isolated(work).value


def differences(case: LitCase, pipeline: str) -> Iterator[str]:
    before, after = results(case, ""), results(case, pipeline)
    if before is None or after is None:
        return
    calls = [(what, seed) for what in planted(np.dtype(np.float32)) for seed in SEEDS]
    for name in case.functions:
        for (what, seed), a, b in zip(calls, after[name], before[name], strict=True):
            for position, (x, y) in enumerate(zip(a, b, strict=True)):
                got, expected = tensor(x), tensor(y)
                error = relative_error(got, expected)
                if not error <= tolerance(expected.dtype, on_wafer=False):
                    yield f"{case.name}: @{name}, {what}, seed {seed}, result {position}: {error:.1e}"


def tensor(array: np.ndarray) -> torch.Tensor:
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.astype(np.float32)).bfloat16()
    return torch.from_numpy(np.ascontiguousarray(array))


def pipeline_of(name: str) -> str:
    text = f"{name}{{{OPTIONS[name]}}}" if name in OPTIONS else name
    anchor = find_pass(name).anchor
    return f"builtin.module({text if anchor in ('', 'builtin.module') else f'{anchor}({text})'})"


@pytest.mark.parametrize("element", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("name", PASSES)
def test_extremes_come_out_where_they_would(name: str, element: str) -> None:
    pipeline = pipeline_of(name)
    found = [line for case in lit_cases(name, element) for line in differences(case, pipeline)]
    assert not found, "\n".join(found)
