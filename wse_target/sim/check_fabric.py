"""Checks of what a program asks of a machine's fabric: colours, router settings, queues; and of its tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import TargetError
from ..footprint import lookups
from ..image import PEClass, Program, Route, StridedRect
from ..instructions import Switch
from ..machine import Machine
from ..quasi_affine import Expr, NoSuchEntry


def check_colours(program: Program, machine: Machine) -> None:
    """Numbers that the machine lets programs route, none for two colours that start at one router, known routes."""
    usable = machine.usable_colours
    for name, colour in program.colours.items():
        if colour not in usable:
            raise TargetError(
                f"colour '{name}' has number {colour}, but programs on {machine.name} may route {len(usable)} colours, "
                f"not {', '.join(map(str, machine.fabric.reserved_colours))}",
                notes=tuple(f"{number}: '{user}'" for user, number in program.colours.items()),
                hint="use fewer colours at a time",
            )
    for route in program.routes:
        if route.colour not in program.colours:
            raise TargetError(f"a route is of colour '{route.colour}', which the program does not declare")
    _check_shared_numbers(program)


def _check_shared_numbers(program: Program) -> None:
    """Of colours with one number, at most one has a setting in a router when the program starts."""
    users: dict[int, list[str]] = {}
    for name, number in program.colours.items():
        users.setdefault(number, []).append(name)
    for number, names in users.items():
        if len(names) == 1:
            continue
        owner = np.full((program.grid[1], program.grid[0]), -1)
        for index, name in enumerate(names):
            start = program.positions.get(name, 0)
            for route in (r for r in program.routes if r.colour == name and r.position == start):
                block = _block(owner, route.where)
                taken = block[(block >= 0) & (block != index)]
                if taken.size:
                    both = f"colours '{names[int(taken[0])]}' and '{name}' both have number {number}"
                    raise TargetError(
                        f"{both} and start on one router",
                        hint="let one of them start without a setting, and switch to it when the other is done",
                    )
                block[:] = index


def _block(grid: np.ndarray, where: StridedRect) -> np.ndarray:
    (bx, by), (w, h), (sx, sy) = where.base, where.extent, where.step
    return grid[by : by + sy * h : sy, bx : bx + sx * w : sx]


def check_positions(program: Program, machine: Machine, switches: dict[str, list[Switch]]) -> None:
    """Settings are numbered as the machine's switches are, unless some PE writes them into its router.

    Args:
        switches: all `Switch` instructions, by colour.
    """
    most = machine.fabric.switch_positions
    rewritten = {colour for colour, found in switches.items() if any(op.rewrite for op in found)}
    for route in program.routes:
        if route.position < 0 or (route.position >= most and route.colour not in rewritten):
            raise _no_such_position(route, most, machine)
    for name, position in program.positions.items():
        if name not in program.colours:
            raise TargetError(f"the start of colour '{name}' is given, which the program does not declare")
        if position < -1 or (position >= most and name not in rewritten):
            raise TargetError(
                f"colour '{name}' starts at position {position}; a switch of {machine.name} has {most}"
            )
    for name in switches:
        if name not in program.colours:
            raise TargetError(
                f"a switch is of colour '{name}', which the program does not declare",
                where=switches[name][0].source.place,
            )


def _no_such_position(route: Route, most: int, machine: Machine) -> TargetError:
    return TargetError(
        f"a route of colour '{route.colour}' has position {route.position}; a switch of {machine.name} has {most}",
        hint="more settings than that have to be written by the PEs (rewrite)",
    )


def check_switch(pe_class: PEClass, op: Switch, machine: Machine) -> None:
    """The position, where it depends on the PE alone, is one that a switch has."""
    values = values_on(pe_class.where, op.position)
    most = machine.fabric.switch_positions
    if values is None or values.size == 0:
        return
    low, high = int(values.min()), int(values.max())
    if low < -1 or (high >= most and not op.rewrite):
        raise TargetError(
            f"a switch of colour '{op.colour}' goes to position {low if low < -1 else high}; "
            f"a switch of {machine.name} has {most}",
            where=op.source.place,
        )


def check_queues(program: Program, machine: Machine) -> None:
    """The queues that colours name exist."""
    counts = {"input": len(machine.queues.input), "output": len(machine.queues.output)}
    for name, pair in program.queues.items():
        if name not in program.colours:
            raise TargetError(f"queues of colour '{name}' are given, which the program does not declare")
        for (what, count), queue in zip(counts.items(), pair, strict=True):
            if not 0 <= queue < count:
                raise TargetError(
                    f"colour '{name}' has {what} queue {queue}; a PE of {machine.name} has {count}, from 0"
                )


def check_lookups(where: StridedRect, item: Any, place: str) -> None:
    """Tables are looked up at entries that they have, as far as the index depends on the PE alone."""
    for lookup in lookups(item):
        values = values_on(where, lookup.index)
        if values is None or values.size == 0:
            continue
        low, high = int(values.min()), int(values.max())
        if low < 0 or high >= len(lookup.table):
            raise NoSuchEntry(lookup, low if low < 0 else high, where=place)


def values_on(where: StridedRect, expr: Expr) -> np.ndarray | None:
    """What an expression is on the PEs of a rectangle; None where it depends on the variable of a loop."""
    if not expr.variables() <= {"x", "y"}:
        return None
    (bx, by), (w, h), (sx, sy) = where.base, where.extent, where.step
    ys, xs = np.meshgrid(by + sy * np.arange(h), bx + sx * np.arange(w), indexing="ij")
    try:
        return np.broadcast_to(np.asarray(expr.evaluate({"x": xs, "y": ys})), xs.shape)
    except NoSuchEntry:  # in a table that is looked up inside, where the check finds it too
        return None


def by_colour(found: Iterator[Switch]) -> dict[str, list[Switch]]:
    """Switches by their colour."""
    grouped: dict[str, list[Switch]] = {}
    for op in found:
        grouped.setdefault(op.colour, []).append(op)
    return grouped
