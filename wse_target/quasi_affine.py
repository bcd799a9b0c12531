"""Quasi-affine expressions in PE coordinates and loop variables, evaluated over whole grids at once.

They parameterise the one program text that a class of PEs shares: addresses, lengths and trip counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from .errors import TargetError

ExprOperator = Literal["+", "*", "floordiv", "ceildiv", "mod", "min", "max"]
SymbolValues = Mapping[str, Any]


class Expr:
    """A quasi-affine expression; `+`, `*`, `//`, `%` build larger ones."""

    def evaluate(self, values: SymbolValues) -> Any:
        """The expression's value; `values` maps "x", "y" and loop variables to ints or int arrays."""
        raise NotImplementedError

    def variables(self) -> frozenset[str]:
        """Names of the variables it depends on."""
        raise NotImplementedError

    def __add__(self, other: Expr | int) -> Expr:
        return binary("+", self, other)

    def __radd__(self, other: int) -> Expr:
        return binary("+", const(other), self)

    def __sub__(self, other: Expr | int) -> Expr:
        return binary("+", self, binary("*", other, -1))

    def __neg__(self) -> Expr:
        return binary("*", self, -1)

    def __mul__(self, other: Expr | int) -> Expr:
        return binary("*", self, other)

    def __rmul__(self, other: int) -> Expr:
        return binary("*", self, other)

    def __floordiv__(self, other: Expr | int) -> Expr:
        return binary("floordiv", self, other)

    def __mod__(self, other: Expr | int) -> Expr:
        return binary("mod", self, other)


@dataclass(frozen=True)
class Const(Expr):
    value: int

    def evaluate(self, values: SymbolValues) -> Any:
        return self.value

    def variables(self) -> frozenset[str]:
        return frozenset()

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class Var(Expr):
    name: str

    def evaluate(self, values: SymbolValues) -> Any:
        return values[self.name]

    def variables(self) -> frozenset[str]:
        return frozenset((self.name,))

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Scalar(Expr):
    """A number that the host sends to all PEs at each call: `Program.scalars` says which values it may have."""

    name: str

    def evaluate(self, values: SymbolValues) -> Any:
        return values[str(self)]

    def variables(self) -> frozenset[str]:
        return frozenset((str(self),))

    def __str__(self) -> str:
        return f"${self.name}"


_EVALUATE = {
    "+": lambda a, b: a + b,
    "*": lambda a, b: a * b,
    "floordiv": lambda a, b: a // b,
    "ceildiv": lambda a, b: -(-a // b),
    "mod": lambda a, b: a % b,
    "min": np.minimum,
    "max": np.maximum,
}


@dataclass(frozen=True)
class Binary(Expr):
    operator: ExprOperator
    left: Expr
    right: Expr

    def evaluate(self, values: SymbolValues) -> Any:
        return _EVALUATE[self.operator](self.left.evaluate(values), self.right.evaluate(values))

    def variables(self) -> frozenset[str]:
        return self.left.variables() | self.right.variables()

    def __str__(self) -> str:
        if self.operator in ("min", "max"):
            return f"{self.operator}({self.left}, {self.right})"
        return f"({self.left} {self.operator} {self.right})"


@dataclass(frozen=True)
class Lookup(Expr):
    """Entry `index` of a table that every PE of the class holds in its SRAM, 2 bytes an entry.

    Evaluating it raises `NoSuchEntry` when the table has no such entry.
    """

    name: str
    table: tuple[int, ...]
    index: Expr

    def evaluate(self, values: SymbolValues) -> Any:
        index = self.index.evaluate(values)
        for entry in (index,) if np.ndim(index) == 0 else (index.min(initial=0), index.max(initial=0)):
            if not 0 <= entry < len(self.table):
                raise NoSuchEntry(self, int(entry))
        return np.asarray(self.table, np.int64)[index]

    def variables(self) -> frozenset[str]:
        return self.index.variables()

    def __str__(self) -> str:
        return f"{self.name}[{self.index}]"


class NoSuchEntry(TargetError, IndexError):
    """A table is looked up at an entry that it does not have; whoever knows the program adds where."""

    def __init__(self, lookup: Lookup, entry: int, *, where: str = "") -> None:
        message = f"entry {entry} of table '{lookup.name}' is looked up, which has {len(lookup.table)}"
        super().__init__(message, where=where)
        self.lookup = lookup


@lru_cache(maxsize=1 << 12)
def const(value: int) -> Const:
    return Const(int(value))


def binary(operator: ExprOperator, left: Expr | int, right: Expr | int) -> Expr:
    """Builds a binary expression, folding constants and neutral elements."""
    a = left if isinstance(left, Expr) else const(left)
    b = right if isinstance(right, Expr) else const(right)
    if isinstance(a, Const) and isinstance(b, Const):
        return const(int(_EVALUATE[operator](a.value, b.value)))
    if operator == "+" and (a == Const(0) or b == Const(0)):
        return b if a == Const(0) else a
    if operator == "*" and (a == Const(0) or b == Const(0)):
        return const(0)
    if operator == "*" and (a == Const(1) or b == Const(1)):
        return b if a == Const(1) else a
    if operator in ("floordiv", "ceildiv") and b == Const(1):
        return a
    return Binary(operator, a, b)


def minimum(left: Expr | int, right: Expr | int) -> Expr:
    return binary("min", left, right)


def maximum(left: Expr | int, right: Expr | int) -> Expr:
    return binary("max", left, right)
