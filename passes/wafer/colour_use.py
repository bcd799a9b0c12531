"""When and where a program uses its colours: what sharing of colours and queues is decided by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...dialects.affine_values import evaluate_affine
from ...dialects.host import ir
from ...dialects.provenance import describe_location
from ...dialects.wse import read
from .executable import TRANSFERS, bodies, program_of, within

Span = tuple[int, int]  # first and last position in a program text
Spans = dict[str, list[Span]]  # by class, ascending


@dataclass
class Use:
    """The use of one colour.

    Attributes:
        spans: by class, first and last operation at the text's top level between which a transfer of it may be
            under way; a transfer on a microthread is until it is joined. A colour that does the work of several, one
            after the other, has a span for each.
        receives / sends: the same, of transfers in one direction only.
        phases: first and last number of the phases it is used in; phase k begins with the text's k-th `wse.phase`.
        words: elements of its longest message.
        places: of the user's model, in order.
    """

    spans: Spans = field(default_factory=dict)
    receives: Spans = field(default_factory=dict)
    sends: Spans = field(default_factory=dict)
    phases: Span = (1 << 30, -1)
    words: int = 0
    places: dict[str, None] = field(default_factory=dict)

    def before(self, other: Use) -> bool:
        """Whether every PE has done its last transfer of this colour before its first one of the other."""
        common = self.spans.keys() & other.spans.keys()
        return all(self.spans[name][-1][1] < other.spans[name][0][0] for name in common)


def apart(left: Spans, right: Spans) -> bool:
    """Whether spans of one class never overlap."""
    return not any(
        a[0] <= b[1] and b[0] <= a[1]
        for name in left.keys() & right.keys()
        for a in left[name]
        for b in right[name]
    )


def colour_uses(module: ir.Operation) -> dict[str, Use]:
    """The use of every colour that some text transfers, in order of first use."""
    reader = _Reader(read.integers(program_of(module).grid))
    for pes, function in bodies(module):
        reader.read(pes.sym_name.value, function.body.blocks[0])
    return reader.found


class _Reader:
    """Reads program texts; what many transfers have in common is worked out once."""

    def __init__(self, grid: tuple[int, ...]) -> None:
        self.found: dict[str, Use] = {}
        self.corners = {0: np.array([0, grid[0] - 1] * 2), 1: np.array([0] * 2 + [grid[1] - 1] * 2)}
        self.lengths: dict[ir.Attribute, int] = {}
        self.places: dict[ir.Attribute, str] = {}

    def read(self, name: str, text: ir.Block) -> None:
        """Adds the transfers of one class's text."""
        operations = list(text.operations)
        ends = transfer_ends(operations)
        phase = 0
        for position, op in enumerate(operations):
            phase += op.operation.name == "wse.phase"
            for inner in within(op):
                if inner.operation.name in TRANSFERS:
                    until = ends(position, read.integer(inner.thread))
                    self._add(name, inner, (position, until), phase)

    def _add(self, name: str, op: Any, span: Span, phase: int) -> None:
        bounds, location = op.attributes["bounds"], op.location
        if bounds not in self.lengths:
            self.lengths[bounds] = _elements(op, self.corners)
        if location.attr not in self.places:
            self.places[location.attr] = describe_location(location)
        for colour, direction in _directions(op):
            use = self.found.setdefault(colour, Use())
            for spans in (use.spans, getattr(use, direction)):
                first, last = spans.get(name, [span])[0]
                spans[name] = [(min(first, span[0]), max(last, span[1]))]
            use.phases = (min(use.phases[0], phase), max(use.phases[1], phase))
            use.words = max(use.words, self.lengths[bounds])
            use.places[self.places[location.attr]] = None


def _directions(op: Any) -> list[tuple[str, str]]:
    """The colours of a transfer, each with the attribute of `Use` that it counts in."""
    if op.operation.name == "wse.relay":
        return [(op.receive.value, "receives"), (op.send.value, "sends")]
    return [(op.colour.value, "sends" if op.operation.name == "wse.send" else "receives")]


def transfer_ends(operations: list[Any]) -> Callable[[int, int], int]:
    """(position, thread) -> position where a transfer that starts there on that thread is known to be over.

    Positions count the operations at a text's top level; a loop is one.
    """
    joins: list[tuple[int, frozenset[int]]] = []
    for position, op in enumerate(operations):
        joined = [read.integers(i.threads) for i in within(op) if i.operation.name == "wse.join"]
        if joined:
            joins.append((position, frozenset(t for threads in joined for t in threads)))

    def end(position: int, thread: int) -> int:
        if thread == 0:
            return position
        return next((at for at, threads in joins if at >= position and thread in threads), len(operations))

    return end


def _elements(op: Any, corners: dict[int, np.ndarray]) -> int:
    """Elements of a transfer's message, the most over the grid's corners; other unknowns count as 0."""
    total = np.ones(4, np.int64)
    for bound in read.maps(op.bounds):
        values = [evaluate_affine(e, lambda symbol: corners.get(symbol.position, 0)) for e in bound.results]
        total = total * np.maximum(np.minimum.reduce(np.broadcast_arrays(*values)), 0)
    return int(total.max())
