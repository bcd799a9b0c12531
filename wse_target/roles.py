"""Classes whose PEs choose between roles: as classes of one role each, and who of them does what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from .image import PEClass, StridedRect
from .instructions import Choose, Instruction, Loop, Switch, all_instructions
from .layout.rectangle import strided_rects
from .quasi_affine import Expr


def by_role(classes: tuple[PEClass, ...]) -> tuple[PEClass, ...] | None:
    """The same program in classes without `Choose`; None where a loop's variable decides what is chosen."""
    found: list[PEClass] = []
    for pe_class in classes:
        chooses = [op for op in all_instructions(pe_class.body) if isinstance(op, Choose)]
        if any(not op.selector.variables() <= {"x", "y"} for op in chooses):
            return None
        if not chooses:
            found.append(pe_class)
            continue
        for number, (where, values) in enumerate(_roles(pe_class.where, chooses)):
            body = tuple(_chosen(pe_class.body, {"x": values[0], "y": values[1]}))
            found.append(PEClass(f"{pe_class.name}_{number}", where, body))
    return tuple(found)


def _roles(where: StridedRect, chooses: list[Choose]) -> Iterator[tuple[StridedRect, tuple[int, int]]]:
    """Rectangles on which all selectors have one value each, with the first PE of each."""
    xs, ys = (
        base + step * np.arange(extent)
        for base, extent, step in zip(where.base, where.extent, where.step, strict=True)
    )
    shape = (len(ys), len(xs))
    selectors = {op.selector for op in chooses}
    values = [
        np.broadcast_to(selector.evaluate({"x": xs[None, :], "y": ys[:, None]}), shape)
        for selector in sorted(selectors, key=str)
    ]
    distinct, kinds = np.unique(np.stack(values, -1).reshape(-1, len(values)), axis=0, return_inverse=True)
    kinds = kinds.reshape(shape)
    for kind in range(len(distinct)):
        for rect in strided_rects(kinds == kind):
            (i, j), (si, sj) = rect.base, rect.step
            first = int(xs[i]), int(ys[j])
            steps = (where.step[0] * si, where.step[1] * sj)
            yield StridedRect(first, rect.extent, steps), first


def _chosen(body: tuple[Instruction, ...], values: dict[str, int]) -> Iterator[Instruction]:
    for op in body:
        if isinstance(op, Choose):
            selected = int(op.selector.evaluate(values))
            if 0 <= selected < len(op.cases):
                yield from _chosen(op.cases[selected], values)
        elif isinstance(op, Loop):
            yield replace(op, body=tuple(_chosen(op.body, values)))
        else:
            yield op


def switching(pe_class: PEClass, colour: str) -> np.ndarray:
    """Which PEs of a class, [rows, columns], come to a `Switch` of a colour; those where a loop decides count, too."""
    where = pe_class.where
    xs, ys = (
        base + step * np.arange(extent)
        for base, extent, step in zip(where.base, where.extent, where.step, strict=True)
    )
    found = _switching(pe_class.body, colour, {"x": xs[None, :], "y": ys[:, None]})
    return np.broadcast_to(found, (len(ys), len(xs)))


def _switching(
    body: tuple[Instruction, ...], colour: str, values: dict[str, np.ndarray]
) -> np.ndarray | bool:
    found: np.ndarray | bool = False
    for op in body:
        if isinstance(op, Switch):
            found = found | (op.colour == colour)
        elif isinstance(op, Loop):
            found = found | (_switching(op.body, colour, values) & _where(op.trips, values, lambda n: n > 0))
        elif isinstance(op, Choose):
            for number, case in enumerate(op.cases):
                chosen = _where(op.selector, values, lambda n, number=number: n == number)
                found = found | (_switching(case, colour, values) & chosen)
    return found


def _where(
    expr: Expr, values: dict[str, np.ndarray], holds: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray | bool:
    return holds(np.asarray(expr.evaluate(values))) if expr.variables() <= {"x", "y"} else True
