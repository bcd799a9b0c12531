"""The form of a fragment: what it does, whatever its buffers, colours, variables and places of origin are called."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from ....wse_target.instructions import (
    Access,
    Buffer,
    Instruction,
    Loop,
    Phase,
    Source,
    Switch,
    all_instructions,
)
from ....wse_target.quasi_affine import Binary, Expr, Lookup, Var, binary, const
from ..algorithms.fragment import Fragment
from .write.expressions import linear_terms

_LIMITING = (
    "min",
    "max",
    "*",
)  # a product of two that are no constants: a length, or nothing of an empty piece
_COLOURS = ("colour", "receive", "send")  # attributes of transfers that name colours


@dataclass(frozen=True)
class FormRewriter:
    """Makes other instructions of instructions."""

    access: Callable[[Access], Access]
    colour: Callable[[str], str]
    source: Callable[[Source], Source]
    phase: Callable[[Phase], Phase] = lambda phase: phase
    expression: Callable[[Expr], Expr] = lambda expr: expr
    loop: Callable[[Loop], Loop] = lambda loop: loop

    def __call__(self, item: Any, name: str = "") -> Any:
        """An instruction, or a part of one that is called `name` in it."""
        if isinstance(item, tuple):
            return tuple(self(part) for part in item)
        if isinstance(item, str):
            return self.colour(item) if name in _COLOURS else item
        if isinstance(item, Access):
            return replace(self.access(item), indices=self(item.indices))
        if isinstance(item, Source):
            return self.source(item)
        if isinstance(item, Expr):
            return self.expression(item)
        if not is_dataclass(item) or isinstance(item, type):
            return item
        if isinstance(item, Loop):
            item = self.loop(item)
        changed = replace(item, **{f.name: self(getattr(item, f.name), f.name) for f in fields(item)})
        return self.phase(changed) if isinstance(changed, Phase) else changed


@dataclass
class Form:
    """A fragment's form, and what it leaves open: names in order of first use, constants in order of accesses.

    Attributes:
        key: equal for fragments that differ in these alone.
        exact: key and `limits`.
        offsets: constant of each access's address.
        limits: constants in minima, maxima and products: of a row's place on the PE, if it has it.
        switched: colours whose routers have to be as the program begins with, since some PE switches them later.
    """

    key: Hashable = None
    buffers: list[str] = field(default_factory=list)
    colours: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    limits: list[int] = field(default_factory=list)
    switched: set[str] = field(default_factory=set)

    @property
    def exact(self) -> Hashable:
        return self.key, tuple(self.limits)


def form_of(fragment: Fragment, buffers: Mapping[str, Buffer]) -> Form:
    """The form of a fragment."""
    return _Reader(buffers).read(fragment)


class _Reader:
    def __init__(self, buffers: Mapping[str, Buffer]) -> None:
        self.buffers = buffers
        self.form = Form()
        self.variables: dict[str, Expr] = {}
        self.rewrite = FormRewriter(
            self._access,
            self._colour,
            lambda source: Source(),
            lambda phase: Phase(""),
            self._expression,
            self._loop,
        )

    def read(self, fragment: Fragment) -> Form:
        form, parts = self.form, []
        for part in fragment.parts:
            parts.append((part.where, self.rewrite(part.body)))
            form.switched |= _switched_late(part.body)
        routes = [replace(route, colour=self._colour(route.colour)) for route in fragment.routes]
        tiles = tuple((self.buffers[n].shape, self.buffers[n].dtype) for n in form.buffers)
        starts = sorted((self._colour(name), position) for name, position in fragment.positions.items())
        form.key = (tuple(parts), tuple(routes), tiles, tuple(starts))
        return form

    def _access(self, access: Access) -> Access:
        terms, constant = linear_terms(access.offset)
        self.form.offsets.append(constant)
        offset = sum_of({self._renamed(with_limits(atom, self._limit)): f for atom, f in terms.items()}, 0)
        return replace(access, buffer=_numbered("b", access.buffer, self.form.buffers), offset=offset)

    def _colour(self, name: str) -> str:
        return _numbered("c", name, self.form.colours)

    def _loop(self, loop: Loop) -> Loop:
        name = f"v{len(self.variables)}"
        self.variables[loop.variable] = Var(name)
        return replace(loop, variable=name)

    def _expression(self, expr: Expr) -> Expr:
        return self._renamed(with_limits(expr, self._limit))

    def _limit(self, constant: int) -> Expr:
        """A name for a constant: no two terms of a sum become one without theirs."""
        self.form.limits.append(constant)
        return Var(f"limit{len(self.form.limits)}")

    def _renamed(self, expr: Expr) -> Expr:
        if isinstance(expr, Var):
            return self.variables.get(expr.name, expr)
        if isinstance(expr, Lookup):
            return Lookup("", expr.table, self._renamed(expr.index))
        if isinstance(expr, Binary):
            return Binary(expr.operator, self._renamed(expr.left), self._renamed(expr.right))
        return expr


def _switched_late(body: tuple[Instruction, ...]) -> set[str]:
    """Colours that a text switches, but not before all else that it does with them."""
    first, switched, late = set[str](), set[str](), set[str]()
    for op in body:
        if isinstance(op, Switch):
            switched.add(op.colour)
            first |= {op.colour} - late
        else:
            for inner in all_instructions((op,)):
                switched |= {inner.colour} if isinstance(inner, Switch) else set()
                late |= {getattr(inner, name) for name in _COLOURS if hasattr(inner, name)} - first
    return switched & late


def with_limits(expr: Expr, limit: Callable[[int], Expr], inside: bool = False) -> Expr:
    """An expression with other constants in its minima, maxima and products, in one order for equal forms."""
    terms, constant = linear_terms(expr)
    if not inside and not any(isinstance(atom, Binary) and atom.operator in _LIMITING for atom in terms):
        return expr
    total = limit(constant) if inside else const(constant)
    for atom, factor in terms.items():
        if isinstance(atom, Binary) and atom.operator in _LIMITING:
            sides = (with_limits(side, limit, True) for side in (atom.left, atom.right))
            atom = binary(atom.operator, *sides)
        total = binary("+", total, binary("*", atom, factor))
    return total


def sum_of(terms: Mapping[Expr, int], constant: int) -> Expr:
    """The expression that `linear_terms` takes apart."""
    total: Expr = const(constant)
    for atom, factor in terms.items():
        total = binary("+", total, binary("*", atom, factor))
    return total


def _numbered(letter: str, name: str, known: list[str]) -> str:
    if name not in known:
        known.append(name)
    return f"{letter}{known.index(name)}"
