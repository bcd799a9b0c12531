"""Numbers that the host sends at each call: a program for some values, and which values to tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from math import prod
from typing import Any

import numpy as np

from .errors import TargetError
from .image import Program
from .instructions import (
    Choose,
    Instruction,
    Join,
    Loop,
    Receive,
    Relay,
    Send,
    Switch,
    all_instructions,
    inner_bodies,
)
from .quasi_affine import Binary, Expr, Lookup, Scalar, const
from .rewriting import TextRewriting

SCALAR_BYTES = 4  # each has a word in every PE's SRAM
MOST_COMBINATIONS = 1 << 20
_TRANSFERS = (Send, Receive, Relay, Join, Switch)


def bound(program: Program, values: Mapping[str, int]) -> Program:
    """The program that a program is for these values of its scalars; text without scalars is shared with it."""
    if not program.scalars:
        return program
    numbers = TextRewriting(lambda item: const(values[item.name]) if isinstance(item, Scalar) else None)
    classes = tuple(replace(c, body=numbers(c.body)) for c in program.classes)
    return replace(program, classes=classes, scalars=())


def check_scalars(program: Program) -> None:
    """Raises `TargetError` when scalars are no single integers, have no values, or are used but not declared."""
    names = [scalar.name for scalar in program.scalars]
    if len(set(names)) < len(names):
        raise TargetError(f"program '{program.name}' names a scalar twice: {', '.join(names)}")
    for scalar in program.scalars:
        if not 0 <= scalar.argument < len(program.arguments):
            raise TargetError(
                f"scalar '{scalar.name}' is argument {scalar.argument}, which the program does not have"
            )
        spec = program.arguments[scalar.argument]
        if int(np.prod(spec.shape)) != 1 or spec.dtype not in ("i8", "i16", "i32", "i64"):
            shape = "x".join(str(s) for s in (*spec.shape, spec.dtype))
            raise TargetError(
                f"scalar '{scalar.name}' is argument '{spec.name}' of {shape}, which is no single integer"
            )
        if scalar.least > scalar.most:
            raise TargetError(
                f"scalar '{scalar.name}' has the range from {scalar.least} to {scalar.most}, in which no number is"
            )
    for pe_class in program.classes:
        for unknown in _names(pe_class.body) - set(names):
            raise TargetError(
                f"class '{pe_class.name}' uses scalar '{unknown}', which the program does not declare"
            )
    for transfer in (*program.scatters, *program.gathers):
        for name in _names(transfer):
            raise TargetError(
                f"a host transfer depends on scalar '{name}'; where tensors are does not change from call to call",
                where=transfer.source.place,
            )


def values_of(program: Program, given: Mapping[int, np.ndarray]) -> dict[str, int]:
    """The scalars' values in a call's arguments, by position.

    Raises:
        TargetError: one is not in its range.
    """
    found = {}
    for scalar in program.scalars:
        value = int(np.asarray(given[scalar.argument]).reshape(()))
        check_value(program, scalar.name, value)
        found[scalar.name] = value
    return found


def check_value(program: Program, name: str, value: int) -> None:
    """Raises `TargetError` unless a value is in the range of a scalar."""
    scalar = next((s for s in program.scalars if s.name == name), None)
    if scalar is None:
        raise TargetError(f"program '{program.name}' has no scalar '{name}'")
    if not scalar.least <= value <= scalar.most:
        raise TargetError(
            f"argument '{program.arguments[scalar.argument].name}' is {value}; the program is for {scalar.least} to "
            f"{scalar.most}"
        )


def largest(program: Program) -> dict[str, int]:
    """The greatest value of every scalar: what is timed when no values are given."""
    return {scalar.name: scalar.most for scalar in program.scalars}


def representatives(program: Program, most: int) -> list[dict[str, int]] | None:
    """Values such that for all others some of these make PEs send, receive, wait and switch in the same way.

    They are those for which the subexpressions that decide about these instructions, and about the trips of loops
    around them, have different values. None when more than `most` would be needed, or when
    there are too many to look at.
    """
    least = {scalar.name: scalar.least for scalar in program.scalars}
    deciding = {part for c in program.classes for expr in _deciding(c.body) for part in _scalar_parts(expr)}
    used = sorted({name for part in deciding for name in _names(part)})
    sizes = [s.most - s.least + 1 for s in program.scalars if s.name in used]
    if prod(sizes) > MOST_COMBINATIONS:
        return None
    ranges = {s.name: np.arange(s.least, s.most + 1) for s in program.scalars if s.name in used}
    if not used:
        return [least]
    grid = dict(
        zip(
            used, (a.reshape(-1) for a in np.meshgrid(*(ranges[n] for n in used), indexing="ij")), strict=True
        )
    )
    values = {str(Scalar(name)): array for name, array in grid.items()}
    count = len(next(iter(grid.values())))
    table = np.stack([np.broadcast_to(part.evaluate(values), count) for part in sorted(deciding, key=str)])
    _, first = np.unique(table, axis=1, return_index=True)
    if len(first) > most:
        return None
    return [least | {name: int(array[at]) for name, array in grid.items()} for at in np.sort(first)]


def _deciding(body: tuple[Instruction, ...]) -> Iterator[Expr]:
    """Expressions that decide which transfers, joins and switches are executed, and how long transfers are."""
    for op in body:
        if isinstance(op, (Loop, Choose)):
            if any(isinstance(inside, _TRANSFERS) for inside in all_instructions((op,))):
                yield op.trips if isinstance(op, Loop) else op.selector
            for inner in inner_bodies(op):
                yield from _deciding(inner)
        elif isinstance(op, (Send, Receive, Relay)):
            yield from op.bounds
        elif isinstance(op, Switch):
            yield op.position


def _scalar_parts(expr: Expr) -> Iterator[Expr]:
    """The largest subexpressions that depend on scalars alone; of a table's entry, the number that looks it up."""
    if not _names(expr):
        return
    if isinstance(expr, Lookup):
        yield from _scalar_parts(expr.index)
    elif isinstance(expr, Binary) and not _is_of_scalars(expr):
        yield from _scalar_parts(expr.left)
        yield from _scalar_parts(expr.right)
    else:
        yield expr


def _is_of_scalars(expr: Expr) -> bool:
    """Whether an expression has no variables but scalars, and no tables."""
    if isinstance(expr, Binary):
        return _is_of_scalars(expr.left) and _is_of_scalars(expr.right)
    return isinstance(expr, Scalar) or (not expr.variables() and not isinstance(expr, Lookup))


def _names(item: Any) -> set[str]:
    """Scalars that an instruction, an access, an expression or a tuple of them depends on."""
    if isinstance(item, Scalar):
        return {item.name}
    if isinstance(item, tuple):
        return set().union(*map(_names, item)) if item else set()
    if isinstance(item, Expr) and not any(name.startswith("$") for name in item.variables()):
        return set()
    if not is_dataclass(item):
        return set()
    return set().union(*(_names(getattr(item, field.name)) for field in fields(item)))
