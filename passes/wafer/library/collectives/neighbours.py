"""Blocks of another width, shifted ones, halos: what a PE lacks comes from those next to it on its line, at once."""

from __future__ import annotations

from .....wse_target.image import Instruction, Join, Receive, Send, Vector
from .....wse_target.machine import Machine
from .....wse_target.quasi_affine import Expr, const
from ..fragment import Fragment, Line, Tile
from .costs import Costs, tile_words
from .distribution import Boxes, overlap
from .line_program import LineProgram, limited


def build(line: Line, source: Boxes, target: Boxes, prefix: str) -> Fragment:
    """Every PE has its box of the target, each index of which it, or a PE next to it, has in the source."""
    program, last = LineProgram(line, prefix), line.extent - 1
    bounds, out, into = overlap(source, target)
    own = Vector("copy", bounds, into, (out,))
    directions = [step for step in (1, -1) if last and _words(line, source, target, step)]
    for step in directions:
        for position in range(line.extent):
            if 0 <= position + step <= last:
                program.wires.connect(_colour(program, step, position), position, position + step)
    for position in range(line.extent):
        body: list[Instruction] = []
        for number, step in enumerate(directions):
            if 0 <= position + step <= last:
                sent, _ = _messages(line, source, target, step)
                colour = _colour(program, step, position)
                body.append(Send(colour, sent.bounds, sent.access, thread=1 + number))
            if 0 <= position - step <= last:
                _, taken = _messages(line, source, target, step)
                colour = _colour(program, step, position - step)
                body.append(Receive(colour, taken.bounds, taken.access, thread=3 + number))
        threads = tuple(op.thread for op in body if isinstance(op, Send | Receive))
        joined = [Join(threads)] if threads else []
        for rank, op in enumerate([*body, own, *joined]):
            program.add(position, rank, op)
    return program.fragment()


def _colour(program: LineProgram, step: int, sender: int) -> str:
    return program.name(f"{'up' if step > 0 else 'down'}{sender % 2}")


def _messages(line: Line, source: Boxes, target: Boxes, step: int) -> tuple[Tile, Tile]:
    """What a PE sends to the one `step` further on, and what it takes from the one as far before."""
    bounds, out, _ = overlap(source, target.at(line, line.position + step))
    sent = Tile(out, _inside(line, bounds, source, line.position + step), source.dtype)
    bounds, _, into = overlap(source.at(line, line.position - step), target)
    taken = Tile(into, _inside(line, bounds, source, line.position - step), source.dtype)
    return sent, taken


def _inside(line: Line, bounds: tuple[Expr, ...], source: Boxes, other: Expr) -> tuple[Expr, ...]:
    """Bounds that are 0 where the other PE is beyond the end of the line."""
    first, *rest = bounds
    return (limited(first, max(1, source.sizes[0]), other + 1, const(line.extent) - other), *rest)


def _words(line: Line, source: Boxes, target: Boxes, step: int) -> int:
    """Words of the longest message in a direction."""
    sent, _ = _messages(line, source, target, step)
    return tile_words(sent, source.grid)


def cycles(line: Line, source: Boxes, target: Boxes, machine: Machine) -> float:
    """Transfers both ways at once, and the copy of what a PE has itself beside them."""
    costs = Costs.of(machine, source.dtype)
    words = [w for w in (_words(line, source, target, step) for step in (1, -1)) if w]
    elements = min(source.elements, target.elements)
    copied = machine.vector.setup + elements / machine.rate("copy", source.dtype)
    if not words:
        return copied
    launch = (
        costs.launch + words[0] * costs.microthread_word
    )  # the others are done while the first words travel
    return launch + max(copied, costs.setup + costs.way(1) + sum(words) * costs.pace) + costs.join
