"""What `wse-plan-arena` says of a plan: a lower bound that counts every byte once, whatever calls what."""

from collections import Counter

import pytest
from cpu_families import FAMILIES
from cpu_measure.memory import planned

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_manager import run_pipeline

_PLAN = "builtin.module(wse-plan-arena{stack-bytes=1024})"
_USE = '"test.use"(%x, {0}) : (memref<512xf32>, memref<512xf32>) -> ()\n'


def _counts(text: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    with create_context() as context, ir.Location.unknown():
        context.allow_unregistered_dialects = True
        for _, statistics in run_pipeline(ir.Module.parse(text), _PLAN).statistics:
            counts.update(statistics)
    return counts


def _function(name: str, lines: list[str]) -> str:
    body = "\n".join(lines)
    visibility = "" if name == "main" else "private "
    return f"func.func {visibility}@{name}(%x: memref<512xf32>) {{\n{body}\nreturn\n}}\n"


def _buffer(name: str) -> str:
    return f"{name} = memref.alloc() : memref<512xf32>\n{_USE.format(name)}"


_CALL = "call @{0}(%x) : (memref<512xf32>) -> ()"


def test_what_called_functions_need_counts_once() -> None:
    text = _function("main", [_buffer("%a"), _CALL.format("f"), _CALL.format("g"), _USE.format("%a")])
    text += _function("f", [_buffer("%b"), _CALL.format("g"), _USE.format("%b")])
    text += _function("g", [_buffer("%c")])
    counts = _counts(text)
    assert counts["liveness lower bound"] == counts["arena bytes"] == 3 * 2048  # of main, f and g
    assert counts["bytes from callers"] == (1 + 2) * 2048


def test_functions_that_nobody_calls_need_their_own() -> None:
    text = _function("main", [_buffer("%a")]) + _function("main_2", [_buffer("%b")]).replace("private ", "")
    assert _counts(text)["liveness lower bound"] == 2 * 2048


@pytest.mark.parametrize("family", ["convnext", "mobilenet", "gpt-prefill"])
def test_plans_stay_near_the_bound_and_never_below(family: str) -> None:
    found = planned(FAMILIES[family].case("tiny"))
    assert found["least_bytes"] <= found["planned_bytes"] <= 1.2 * found["least_bytes"]
