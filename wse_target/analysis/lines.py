"""Programs that move words along rows and along columns only: one row and one column stand for all of them.

Let every transfer be along x or along y, on threads of its own, with lengths that depend on nothing but the position
on its line and on loops that all PEs run alike; and let the texts of all classes alternate between the two in the same
way. Then the PEs can execute the program stage by stage: all transfers along x of the first stage, then all those along
y of the second one, and so on. In a stage every row does what any row like it does. So one execution of a line with a
barrier behind every stage shows that all its stages come to their end, hence that this order of execution does; and
programs are determinate, so no other order gets stuck either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..image import PEClass, Program, Route, StridedRect
from ..instructions import Instruction, Join, Loop, Receive, Relay, Send, Switch, Transfer, all_instructions
from ..quasi_affine import Expr
from ..roles import by_role

_ALONG = {"east": "x", "west": "x", "north": "y", "south": "y"}
_OTHER: dict[str, str] = {"x": "y", "y": "x"}
MOST_KINDS = 64  # of lines that differ; with more of them there is little to save


@dataclass(frozen=True)
class Barrier:
    """All PEs of the line wait for each other: a stage ends.

    Attributes:
        repeats: variable of the loop whose trip ends here, if its trips are all alike; "" elsewhere.
        rest: whether nothing may be under way.
    """

    repeats: str = ""
    rest: bool = False


@dataclass(frozen=True)
class _Stage:
    """Instructions that concern one axis only."""

    axis: str
    body: tuple[Instruction, ...]


@dataclass(frozen=True)
class _Repeated:
    """A loop with transfers along both axes, which all PEs run alike."""

    loop: Loop
    stages: tuple[_Stage | _Repeated, ...]


class _NotSeparableError(Exception):
    pass


def line_programs(program: Program) -> list[Program] | None:
    """One program for each kind of row and of column, with barriers; None where lines cannot stand for the whole."""
    classes = by_role(program.classes)
    if classes is None:
        return None
    program = replace(program, classes=classes)
    try:
        axes = _axes(program)
        threads = _thread_axes(program, axes)
        staged = [_staged(c.body, axes, threads) for c in program.classes]
        model = next((stages for stages in staged if stages), ())
        if any(stages and _skeleton(stages) != _skeleton(model) for stages in staged):
            return None
        staged = [stages or _idle(model) for stages in staged]
        found = []
        for axis in ("x", "y"):
            bodies = [_along(stages, axis) for stages in staged]
            found += _kinds(program, axis, bodies, {c for c, a in axes.items() if a == axis})
        return found
    except _NotSeparableError:
        return None


def _axes(program: Program) -> dict[str, str]:
    """The axis that each colour's routes are along."""
    axes: dict[str, str] = {}
    for route in program.routes:
        for direction in (route.receive, *route.send):
            if direction in _ALONG and axes.setdefault(route.colour, _ALONG[direction]) != _ALONG[direction]:
                raise _NotSeparableError
    return axes


def _thread_axes(program: Program, axes: dict[str, str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for op in (op for c in program.classes for op in all_instructions(c.body)):
        if isinstance(op, (Send, Receive, Relay)) and op.thread:
            axis = _axis(op, axes)
            if found.setdefault(op.thread, axis) != axis:
                raise _NotSeparableError
    return found


def _axis(op: Transfer | Switch, axes: dict[str, str]) -> str:
    colours = (op.receive, op.send) if isinstance(op, Relay) else (op.colour,)
    found = {axes.get(colour, "") for colour in colours}
    if len(found) > 1 or "" in found:
        raise _NotSeparableError
    return found.pop()


def _staged(
    body: Iterable[Instruction], axes: dict[str, str], threads: dict[int, str]
) -> tuple[_Stage | _Repeated, ...]:
    """A body cut where it turns from one axis to the other; what concerns no transfer is left out."""
    found: list[_Stage | _Repeated] = []

    def add(axis: str, op: Instruction) -> None:
        last = found[-1] if found else None
        if isinstance(last, _Stage) and last.axis == axis:
            found[-1] = _Stage(axis, (*last.body, op))
        else:
            found.append(_Stage(axis, (op,)))

    for op in body:
        if isinstance(op, (Send, Receive, Relay, Switch)):
            axis = _axis(op, axes)
            _depends(op.bounds if not isinstance(op, Switch) else (op.position,), axis)
            add(axis, op)
        elif isinstance(op, Join):
            for axis in ("x", "y"):
                joined = tuple(t for t in op.threads if threads.get(t) == axis)
                if joined:
                    add(axis, replace(op, threads=joined))
        elif isinstance(op, Loop):
            inner = _staged(op.body, axes, threads)
            if len(inner) == 1 and isinstance(inner[0], _Stage):
                _depends((op.trips,), inner[0].axis)
                add(inner[0].axis, replace(op, body=inner[0].body))
            elif inner:
                if op.trips.variables() & {"x", "y"}:
                    raise _NotSeparableError
                found.append(_Repeated(op, inner))
    return tuple(found)


def _depends(expressions: Iterable[Expr], axis: str) -> None:
    if any(_OTHER[axis] in e.variables() for e in expressions):
        raise _NotSeparableError


def _skeleton(stages: tuple[_Stage | _Repeated, ...]) -> tuple:
    """What all classes must have in common: the order of axes, and the loops around both."""
    return tuple(
        s.axis if isinstance(s, _Stage) else (s.loop.variable, s.loop.trips, _skeleton(s.stages))
        for s in stages
    )


def _idle(stages: tuple[_Stage | _Repeated, ...]) -> tuple[_Stage | _Repeated, ...]:
    """The same stages with nothing to do in them."""
    return tuple(
        _Stage(s.axis, ()) if isinstance(s, _Stage) else _Repeated(s.loop, _idle(s.stages)) for s in stages
    )


def _along(stages: tuple[_Stage | _Repeated, ...], axis: str) -> tuple[Instruction, ...]:
    """The text that is left along one axis, with a barrier behind every stage."""
    body: list = []
    for stage in stages:
        if isinstance(stage, _Repeated):
            inner = _along(stage.stages, axis)
            if not any(_varies(op, stage.loop.variable) for op in all_instructions(inner)):
                inner = (*inner, Barrier(stage.loop.variable))  # type: ignore[arg-type]
            body.append(replace(stage.loop, body=inner))
        else:
            body += [*(stage.body if stage.axis == axis else ()), Barrier()]
    return tuple(body)


def _varies(op: Instruction, variable: str) -> bool:
    """Whether an instruction may do something else in another trip of a loop; a `Switch` begins an epoch each time."""
    expressions = op.bounds if isinstance(op, (Send, Receive, Relay)) else ()
    if isinstance(op, Loop):
        expressions = (op.trips,)
    return isinstance(op, Switch) or any(variable in e.variables() for e in expressions)


def _kinds(
    program: Program, axis: str, bodies: list[tuple[Instruction, ...]], colours: set[str]
) -> list[Program]:
    """A program for each kind of line along an axis: lines of one kind have equal texts and routes at equal places."""
    here, across = (0, 1) if axis == "x" else (1, 0)
    numbers: dict[tuple[Instruction, ...], int] = {}
    texts = [numbers.setdefault(body, len(numbers)) for body in bodies]
    content: list[list[tuple]] = [[] for _ in range(program.grid[across])]
    for pe_class, text in zip(program.classes, texts, strict=True):
        for line in _lines(pe_class.where, across):
            content[line].append(("", text, *_place(pe_class.where, here)))
    for route in program.routes:
        if route.colour in colours:
            setting = (route.colour, route.position, route.receive, route.send, *_place(route.where, here))
            for line in _lines(route.where, across):
                content[line].append(setting)
    kinds = {frozenset(items) for items in content}
    if len(kinds) > MOST_KINDS:
        raise _NotSeparableError
    by_number = {number: body for body, number in numbers.items()}
    return [
        _line_program(program, axis, kind, by_number)
        for kind in sorted(kinds, key=lambda k: sorted(map(str, k)))
    ]


def _lines(where: StridedRect, across: int) -> range:
    base, step = where.base[across], where.step[across]
    return range(base, base + where.extent[across] * step, step)


def _place(where: StridedRect, here: int) -> tuple[int, int, int]:
    return where.base[here], where.extent[here], where.step[here]


def _line_program(
    program: Program, axis: str, kind: frozenset[tuple], texts: dict[int, tuple[Instruction, ...]]
) -> Program:
    def where(base: int, extent: int, step: int) -> StridedRect:
        if axis == "x":
            return StridedRect((base, 0), (extent, 1), (step, 1))
        return StridedRect((0, base), (1, extent), (1, step))

    classes, routes = [], []
    for first, *rest in sorted(kind, key=str):
        if first:
            position, receive, send, *place = rest
            routes.append(Route(first, where(*place), receive, send, position))
        else:
            number, *place = rest
            classes.append(PEClass(f"line{len(classes)}", where(*place), texts[number]))
    grid = (program.grid[0], 1) if axis == "x" else (1, program.grid[1])
    return replace(
        program, grid=grid, classes=tuple(classes), routes=tuple(routes), scatters=(), gathers=(), arguments=(),
        results=(),
    )  # fmt: skip
