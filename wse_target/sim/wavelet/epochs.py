"""Which settings each PE's `Switch` operations will choose: positions are quasi-affine, so no data decide them."""

from __future__ import annotations

from ...image import Program
from ...instructions import Switch
from ..code import Branch, Code, Halt, Jump, LoopBegin, LoopEnd, Placement

SwitchedPositions = dict[tuple[int, str], list[int]]


def switched_positions(program: Program, code: Code, placement: Placement) -> SwitchedPositions:
    """Positions of one repetition by (PE, colour): the initial one, then what each `Switch` chooses in turn."""
    found: SwitchedPositions = {}
    for entry, (first, last) in zip(code.entry, placement.ranges, strict=True):
        end = next(pc for pc in range(entry, len(code)) if isinstance(code.operations[pc], Halt))
        if any(isinstance(op, Switch) for op in code.operations[entry:end]):
            for pe in range(first, last):
                _walk(program, code, entry, pe, _coordinates(placement, pe), found)
    return found


def _coordinates(placement: Placement, pe: int) -> dict[str, int]:
    return {"x": int(placement.x[pe]), "y": int(placement.y[pe])}


def _walk(
    program: Program, code: Code, entry: int, pe: int, values: dict[str, int], found: SwitchedPositions
) -> None:
    """Runs the loops and switches of a PE's code."""
    counters, trips = [0] * code.depth, [0] * code.depth
    pc = entry
    while not isinstance(op := code.operations[pc], Halt):
        scope = code.variables[pc]
        pc += 1
        if isinstance(op, LoopEnd):
            counters[op.slot] += 1
            pc = op.start if counters[op.slot] < trips[op.slot] else pc
        elif isinstance(op, Jump):
            pc = op.target
        elif isinstance(op, (LoopBegin, Switch, Branch)):
            here = values | {name: counters[slot] for name, slot in scope.items()}
            if isinstance(op, Switch):
                start = [program.positions.get(op.colour, 0)]
                found.setdefault((pe, op.colour), start).append(int(op.position.evaluate(here)))
            elif isinstance(op, Branch):
                selected = int(op.selector.evaluate(here))
                pc = op.targets[selected] if 0 <= selected < len(op.targets) else op.exit
            else:
                counters[op.slot], trips[op.slot] = 0, int(op.trips.evaluate(here))
                inside = any(isinstance(o, Switch) for o in code.operations[pc : op.exit])
                pc = pc if inside and trips[op.slot] > 0 else op.exit
