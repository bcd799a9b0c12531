"""Expressions that have one value on all PEs and in all trips, though they do not look like it.

Bounds of tiles that divide evenly come as min(tile, what is left), for blocks that wander from PE to PE. Intervals show
that some are constant. For others, all variables enter through one subexpression of few values (a block's number):
trying out these shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...instructions import Control, Receive, Relay, Send, Vector
from ...quasi_affine import Binary, Const, Expr, Lookup, Var
from ..code import Code, LoopBegin, Operation

_MOST = 4096  # values of a subexpression that are tried out
Interval = tuple[int, int]
Key = tuple[object, ...]


def constant_value(expr: Expr, ranges: Mapping[str, Interval]) -> int | None:
    """The value of an expression for variables in these ranges (bounds included), None when it may have several."""
    if isinstance(expr, Const):
        return expr.value
    try:
        analysis = _Analysis(ranges)
        top = analysis.number(expr)
        low, high = analysis.intervals[top]
        if low == high:
            return low
        return analysis.by_trial(top)
    except (KeyError, ZeroDivisionError, IndexError):
        return None


class _Analysis:
    """Subexpressions numbered so that equal ones have one number."""

    def __init__(self, ranges: Mapping[str, Interval]) -> None:
        self.ranges = ranges
        self.numbers: dict[Key, int] = {}
        self.nodes: list[tuple[Expr, tuple[int, ...]]] = []
        self.intervals: list[Interval] = []

    def number(self, expr: Expr) -> int:
        """The number of a subexpression; those inside of it come before it."""
        key: Key
        if isinstance(expr, Binary):
            inside = (self.number(expr.left), self.number(expr.right))
            key = (expr.operator, *inside)
        elif isinstance(expr, Lookup):
            inside = (self.number(expr.index),)
            key = (expr.table, *inside)
        else:
            inside = ()
            key = (str(expr),)
        if key not in self.numbers:
            self.numbers[key] = len(self.nodes)
            self.nodes.append((expr, inside))
            self.intervals.append(self._interval(expr, [self.intervals[i] for i in inside]))
        return self.numbers[key]

    def _interval(self, expr: Expr, inside: list[Interval]) -> Interval:
        if isinstance(expr, Const):
            return expr.value, expr.value
        if isinstance(expr, Var):
            return self.ranges[expr.name]
        if isinstance(expr, Lookup):
            low, high = inside[0]
            part = expr.table[max(low, 0) : max(high, -1) + 1]
            if not part:
                raise IndexError  # the engine says so when it comes to it
            return min(part), max(part)
        assert isinstance(expr, Binary)
        (a, b), (c, d) = inside
        if expr.operator == "mod" and c == d and c > 0:
            return (a % c, b % c) if a // c == b // c else (0, c - 1)
        if expr.operator == "mod" or (expr.operator in ("floordiv", "ceildiv") and c <= 0 <= d):
            raise KeyError
        corners = [
            int(Binary(expr.operator, Const(p), Const(q)).evaluate({})) for p in (a, b) for q in (c, d)
        ]
        return min(corners), max(corners)

    def by_trial(self, top: int) -> int | None:
        """The value for all values of a subexpression that all variables enter through."""
        sizes = [
            (high - low, number)
            for number, (low, high) in enumerate(self.intervals)
            if low < high < low + _MOST and number != top
        ]
        for _, number in sorted(sizes):
            low, high = self.intervals[number]
            found = self._evaluate(top, number, np.arange(low, high + 1))
            if found is not None:
                return int(found.flat[0]) if (found == found.flat[0]).all() else None
        return None

    def _evaluate(self, top: int, pivot: int, values: np.ndarray) -> np.ndarray | None:
        """Value of `top` when a subexpression has these values; None when it depends on something else as well."""
        found: list[np.ndarray | None] = []
        for number, (expr, inside) in enumerate(self.nodes[: top + 1]):
            parts = [found[i] for i in inside]
            if number == pivot:
                found.append(values)
            elif isinstance(expr, Const):
                found.append(np.asarray(expr.value))
            elif isinstance(expr, Var) or any(part is None for part in parts):
                found.append(None)
            elif isinstance(expr, Lookup):
                found.append(np.asarray(expr.table)[parts[0]])
            else:
                assert isinstance(expr, Binary)
                left, right = Var("left"), Var("right")
                named = {"left": parts[0], "right": parts[1]}
                found.append(np.asarray(Binary(expr.operator, left, right).evaluate(named)))
        return found[top]


def largest(expr: Expr, ranges: Mapping[str, Interval]) -> int | None:
    """An upper bound of an expression, None when none is found."""
    try:
        analysis = _Analysis(ranges)
        return analysis.intervals[analysis.number(expr)][1]
    except (KeyError, ZeroDivisionError, ValueError):
        return None


def simplified(code: Code, grid: tuple[int, int]) -> Code:
    """The same code with bounds, trips and counts as constants where they have one value."""
    ranges: dict[str, Interval] = {"x": (0, grid[0] - 1), "y": (0, grid[1] - 1)}
    known: dict[tuple[Expr, tuple], int | None] = {}
    operations: list[Operation] = []
    inside: dict[str, Interval] = {}

    def simpler(expr: Expr) -> Expr:
        if isinstance(expr, Const):
            return expr
        used = {name: r for name, r in {**ranges, **inside}.items() if name in expr.variables()}
        key = (expr, tuple(sorted(used.items())))
        if key not in known:
            known[key] = constant_value(expr, used)
        value = known[key]
        return expr if value is None else Const(value)

    for pc, op in enumerate(code.operations):
        inside = {name: r for name, r in inside.items() if name in code.variables[pc]}
        if isinstance(op, (Vector, Send, Receive, Relay)):
            op = replace(op, bounds=tuple(simpler(bound) for bound in op.bounds))
        elif isinstance(op, Control):
            op = replace(op, count=simpler(op.count))
        elif isinstance(op, LoopBegin):
            op = replace(op, trips=simpler(op.trips))
            most = largest(op.trips, {**ranges, **inside})
            name = next((n for n, slot in code.variables[pc + 1].items() if slot == op.slot), None)
            if most is not None and name is not None:
                inside[name] = (0, max(most - 1, 0))
        operations.append(op)
    return replace(code, operations=operations)
