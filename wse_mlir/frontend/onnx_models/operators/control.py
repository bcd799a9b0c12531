"""Operators that hold graphs: branches and loops."""

from __future__ import annotations

from typing import Any

import torch

from ..registry import operator
from ..values import ValueNeeded, integer, is_known, refuse_unless, tensors_in, truth

MOST_STEPS = 1024  # of a loop that are written out


@operator("If", folds=False)
def branch(condition: torch.Tensor, *, then_branch: Any, else_branch: Any, scope: Any) -> Any:
    """The branch that is known to be taken, or both and the results of one chosen by element."""
    if is_known(condition):
        return tuple(scope.run(then_branch if truth(condition) else else_branch, ()))
    taken, otherwise = scope.run(then_branch, ()), scope.run(else_branch, ())
    if not all(_alike(a, b) for a, b in zip(taken, otherwise, strict=True)):
        raise ValueNeeded(condition)
    decides = condition.reshape([])
    return tuple(torch.where(decides, a, b) for a, b in zip(taken, otherwise, strict=True))


def _alike(a: Any, b: Any) -> bool:
    both = isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor)
    return both and a.shape == b.shape and a.dtype == b.dtype


@operator("Loop", folds=False)
def loop(trips: Any, condition: torch.Tensor | None = None, *states: Any, body: Any, scope: Any) -> Any:
    """Steps written out; how many there are has to be known."""
    limit = MOST_STEPS + 1 if trips is None else integer(trips)
    goes_on = condition is None or truth(condition)
    refuse_unless(trips is not None or condition is not None, "a loop without end")
    carried = list(states)
    collected: list[list[Any]] = [[] for _ in range(len(body.output) - 1 - len(states))]
    step = 0
    while goes_on and step < limit:
        refuse_unless(step < MOST_STEPS, f"a loop of more than {MOST_STEPS} steps")
        counter = scope.constant(step, torch.int64)
        after, *results = scope.run(body, (counter, scope.constant(True, torch.bool), *carried))
        carried = results[: len(states)]
        for column, value in zip(collected, results[len(states) :], strict=True):
            column.append(value)
        goes_on = truth(after)
        step += 1
    refuse_unless(step > 0 or not collected, "a loop of no steps that collects results")
    return (*carried, *(_stacked(scope, column) for column in collected))


def _stacked(scope: Any, values: list[Any]) -> torch.Tensor:
    if is_known(values):
        with scope.untraced():
            return torch.stack(values)
    return torch.stack(values)


@operator("Scan", folds=False)
def scan(
    *inputs: Any,
    body: Any,
    num_scan_inputs: int,
    scan_input_axes: list[int] | None = None,
    scan_input_directions: list[int] | None = None,
    scan_output_axes: list[int] | None = None,
    scan_output_directions: list[int] | None = None,
    directions: list[int] | None = None,
    scope: Any,
    opset: int,
) -> Any:
    """Steps along a dimension of some inputs, written out; until version 8 for each batch."""
    if opset < 9:
        lengths, *inputs = inputs  # type: ignore[assignment]
        refuse_unless(lengths is None, "sequences of several lengths")
        batches = tensors_in(inputs)[0].shape[0]
        options = {"body": body, "num_scan_inputs": num_scan_inputs, "scope": scope, "opset": 9}
        results = [
            scan(*[x[k] for x in inputs], scan_input_directions=directions, **options) for k in range(batches)
        ]
        return tuple(torch.stack(parts) for parts in zip(*results, strict=True))
    count = len(inputs) - num_scan_inputs
    carried, walked = list(inputs[:count]), list(inputs[count:])
    axes = scan_input_axes or [0] * num_scan_inputs
    backwards = scan_input_directions or [0] * num_scan_inputs
    steps = walked[0].shape[axes[0]]
    refuse_unless(isinstance(steps, int) and 0 < steps <= MOST_STEPS, f"a scan of {steps} steps")
    collected: list[list[Any]] = [[] for _ in range(len(body.output) - count)]
    for step in range(steps):
        places = [steps - 1 - step if b else step for b in backwards]
        slices = [x.select(a, p) for x, a, p in zip(walked, axes, places, strict=True)]
        results = scope.run(body, (*carried, *slices))
        carried = results[:count]
        for column, value in zip(collected, results[count:], strict=True):
            column.append(value)
    turned = scan_output_directions or [0] * len(collected)
    placed = scan_output_axes or [0] * len(collected)
    outputs = [
        torch.stack(list(reversed(column)) if turn else column, axis)
        for column, turn, axis in zip(collected, turned, placed, strict=True)
    ]
    return (*carried, *outputs)
