"""Whether two programs of the image are one program: expressions count by value, loop variables by position."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from wse_mlir.wse_target.footprint import lookups
from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.instructions import Loop, Relay
from wse_mlir.wse_target.quasi_affine import _EVALUATE, Binary, Const, Expr, Lookup, Scalar, Var


def difference(a: Program, b: Program) -> str:
    """Where two programs differ first, as a path and the two values; "" when they do not."""
    width, height = a.grid
    ys, xs = np.mgrid[0:height, 0:width]
    return _Comparison({"x": xs, "y": ys}).differ(_ordered(a), _ordered(b), a.name)


def _ordered(program: Program) -> Program:
    """Without what says nothing: the order of routes of different colours, settings that are 0."""
    order = {name: number for number, name in enumerate(program.colours)}
    routes = sorted(program.routes, key=lambda route: order[route.colour])
    positions = {name: position for name, position in program.positions.items() if position != 0}
    return replace(program, routes=tuple(routes), positions=positions)


class _Comparison:
    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.renamed: dict[str, str] = {}

    def differ(self, a: Any, b: Any, path: str) -> str:
        if isinstance(a, Expr) and isinstance(b, Expr):
            same = np.array_equal(self.value(a, {}), self.value(b, self.renamed)) and _tables(a) == _tables(b)
            return "" if same else f"{path}: {a} != {b}"
        if type(a) is not type(b):
            return f"{path}: {a!r} != {b!r}"
        if isinstance(a, tuple):
            if len(a) != len(b):
                return f"{path}: {len(a)} != {len(b)} items"
            found = (self.differ(p, q, f"{path}[{i}]") for i, (p, q) in enumerate(zip(a, b, strict=True)))
            return next(filter(None, found), "")
        if isinstance(a, dict):
            if list(a) != list(b):
                return f"{path}: {list(a)} != {list(b)}"
            return next(filter(None, (self.differ(a[k], b[k], f"{path}[{k!r}]") for k in a)), "")
        if not is_dataclass(a):
            return "" if a == b else f"{path}: {a!r} != {b!r}"
        if isinstance(a, Loop):
            self.renamed[b.variable] = a.variable
            self.values.setdefault(a.variable, np.int64(3 + len(self.renamed)))
            a, b = replace(a, variable=""), replace(b, variable="")
        if isinstance(a, Relay) and a.own is None:  # combines with nothing
            a = replace(a, combine="store")
        names = [field.name for field in fields(a)]
        found = (self.differ(getattr(a, n), getattr(b, n), f"{path}.{n}") for n in names)
        return next(filter(None, found), "")

    def value(self, expr: Expr, renamed: dict[str, str]) -> Any:
        """The expression's value everywhere on the grid; tables repeat beyond their ends."""
        if isinstance(expr, Const):
            return np.broadcast_to(expr.value, self.values["x"].shape)
        if isinstance(expr, Var):
            return np.broadcast_to(self.values[renamed.get(expr.name, expr.name)], self.values["x"].shape)
        if isinstance(expr, Scalar):
            return np.broadcast_to(len(expr.name) + 11, self.values["x"].shape)
        if isinstance(expr, Lookup):
            return np.take(np.asarray(expr.table), self.value(expr.index, renamed), mode="wrap")
        assert isinstance(expr, Binary)
        return _EVALUATE[expr.operator](self.value(expr.left, renamed), self.value(expr.right, renamed))


def _tables(expr: Expr) -> dict[str, tuple[int, ...]]:
    return {lookup.name: lookup.table for lookup in lookups(expr)}
