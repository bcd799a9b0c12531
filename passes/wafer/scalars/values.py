"""What a scalar body is made of: operands, earlier results, numbers, and the operations on them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Operand:
    """Operand `position` of the generic (inputs, then inits)."""

    position: int


@dataclass(frozen=True)
class Temp:
    """Result of the `index`-th elementary operation."""

    index: int


@dataclass(frozen=True)
class Immediate:
    value: float | int


@dataclass(frozen=True)
class IteratorValue:
    """The value of iterator `dim`."""

    dim: int


ScalarValue = Operand | Temp | Immediate | IteratorValue


@dataclass(frozen=True)
class ElementaryOp:
    """One elementary operation; `kind` is one of `wse_target.kinds.ARITY`."""

    kind: str
    operands: tuple[ScalarValue, ...]
    dtype: str


@dataclass(frozen=True)
class ScalarBody:
    """The body: operations in order, and what is yielded per init."""

    ops: tuple[ElementaryOp, ...]
    yielded: tuple[ScalarValue, ...]
