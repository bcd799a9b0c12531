"""When and where a program uses its colours: what sharing of colours and queues is decided by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....dialects.affine.expressions import evaluate_affine
from ....dialects.host import ir
from ....dialects.provenance import describe_location
from ....dialects.wse import read
from ....wse_target.image import StridedRect
from ..executable import (
    CHOICE,
    TRANSFERS,
    TextOperation,
    bodies,
    instructions,
    is_stretch,
    operations,
    program_of,
    steps,
    symbols,
    within,
)
from ..index_values import IndexValues

Span = tuple[int, int]  # first and last position in a program text
RoleGroup = tuple[str, int]  # PEs of one class that have all their roles in common
Spans = dict[RoleGroup, list[Span]]  # by group, ascending


@dataclass
class Use:
    """The use of one colour.

    Attributes:
        spans: by group, first and last position of `executable.steps` between which a transfer of it may be
            under way; a transfer on a microthread is until it is joined. A colour that does the work of several, one
            after the other, has a span for each.
        receives / sends: the same, of transfers in one direction only, and with a span for each: of a text that PEs
            with several roles share, each runs the transfers of one.
        phases: first and last number of the phases it is used in; phase k begins with the text's k-th `wse.phase`.
        loops: first and last phase of each loop over phases that it is used in.
        outside: whether it is used outside of such loops.
        words: elements of its longest message.
        places: of the user's model, in order.
    """

    spans: Spans = field(default_factory=dict)
    receives: Spans = field(default_factory=dict)
    sends: Spans = field(default_factory=dict)
    phases: Span = (1 << 30, -1)
    loops: set[Span] = field(default_factory=set)
    outside: bool = False
    words: int = 0
    places: dict[str, None] = field(default_factory=dict)

    @property
    def loop(self) -> Span | None:
        """The one loop outside of which it is not used."""
        return next(iter(self.loops)) if len(self.loops) == 1 and not self.outside else None

    @property
    def life(self) -> Span:
        """First and last phase between which it keeps its number; of a loop that it also lives outside of all."""
        spans = [self.phases] if self.loop else [self.phases, *self.loops]
        return min(span[0] for span in spans), max(span[1] for span in spans)

    def before(self, other: Use) -> bool:
        """Whether every PE has done its last transfer of this colour before its first one of the other."""
        common = self.spans.keys() & other.spans.keys()
        return all(self.spans[name][-1][1] < other.spans[name][0][0] for name in common)


def apart(left: Spans, right: Spans) -> bool:
    """Whether spans of one group never overlap."""
    return not any(
        a[0] <= b[1] and b[0] <= a[1]
        for name in left.keys() & right.keys()
        for a in left[name]
        for b in right[name]
    )


def colour_uses(module: ir.Operation) -> dict[str, Use]:
    """The use of every colour that some text transfers, in order of first use."""
    tables = {t.sym_name.value: np.array(read.integers(t.values)) for t in symbols(module, "wse.table")}
    reader = _Reader(read.integers(program_of(module).grid), tables)
    for pes, function in bodies(module):
        reader.read(pes.sym_name.value, read.strided_rect(pes.where), function.body.blocks[0])
    return reader.found


class _Reader:
    """Reads program texts; what many transfers have in common is worked out once."""

    def __init__(self, grid: tuple[int, ...], tables: dict[str, np.ndarray]) -> None:
        self.tables = tables
        self.found: dict[str, Use] = {}
        self.corners = {0: np.array([0, grid[0] - 1] * 2), 1: np.array([0] * 2 + [grid[1] - 1] * 2)}
        self.lengths: dict[ir.Attribute, int] = {}
        self.places: dict[ir.Attribute, str] = {}

    def read(self, name: str, where: StridedRect, text: ir.Block) -> None:
        """Adds the transfers of one class's text."""
        order = steps(text)
        ends = transfer_ends(order)
        moments = _Moments(order)
        roles = self._roles(where, list(instructions(text)))
        groups = np.arange(max((len(r) for r in roles.values() if r is not None), default=1))
        phases = np.cumsum([step.op.operation.name == "wse.phase" for step in order]).tolist()
        for position, step in enumerate(order):
            loop = step.loop and (phases[step.loop[0]] + 1, phases[step.loop[1]])
            for inner, on, part in _parts(step.op, roles, groups):
                if inner.operation.name in TRANSFERS:
                    thread = read.integer(inner.thread)
                    span = _span(step, position, ends(position, thread))
                    finer = moments.span(step, position, span, part, thread)
                    when = phases[position], loop
                    self._add([(name, group) for group in on.tolist()], inner, (span, finer), when)

    def _roles(self, where: StridedRect, text: list[Any]) -> Roles:
        """For each choice, the role of each group of PEs; None where a loop's variable decides it."""
        (bx, by), (w, h), (sx, sy) = where.base, where.extent, where.step
        x, y = np.meshgrid(bx + sx * np.arange(w), by + sy * np.arange(h))
        values = IndexValues(self.tables, (x.ravel(), y.ravel()))
        choices = [op for op in text if op.operation.name == CHOICE]
        chosen = {op.operation: values.of(op.operation.operands[0]) for op in choices}
        known = [np.broadcast_to(v, (w * h,)) for v in chosen.values() if v is not None]
        if not known:
            return chosen
        columns = iter(np.unique(np.stack(known), axis=1))
        return {op: None if value is None else next(columns) for op, value in chosen.items()}

    def _add(
        self, groups: list[RoleGroup], op: Any, under_way: tuple[Span, Span], when: tuple[int, Span | None]
    ) -> None:
        """Adds a transfer; `under_way` are its spans, the second one in the positions of `_Moments`."""
        bounds, location = op.attributes["bounds"], op.location
        if bounds not in self.lengths:
            self.lengths[bounds] = _elements(op, self.corners)
        if location.attr not in self.places:
            self.places[location.attr] = describe_location(location)
        for colour, direction in _directions(op):
            use = self.found.setdefault(colour, Use())
            span, finer = under_way
            at_a_time: Spans = getattr(use, direction)
            for group in groups:
                first, last = use.spans.get(group, [span])[0]
                use.spans[group] = [(min(first, span[0]), max(last, span[1]))]
                at_a_time[group] = _with_span(at_a_time.get(group, []), finer)
            phase, loop = when
            use.phases = (min(use.phases[0], phase), max(use.phases[1], phase))
            use.outside |= loop is None
            use.loops |= {loop} if loop else set()
            use.words = max(use.words, self.lengths[bounds])
            use.places[self.places[location.attr]] = None


# Of an operation in a case of a choice: the threads that each operation of the case joins, and its place among them.
CasePlace = tuple[list[frozenset[int]], int] | None


class _Moments:
    """Positions of a text in which each operation of a choice's cases has its own.

    A step has one position, a choice as many as its longest case has operations.
    """

    def __init__(self, order: Sequence[TextOperation]) -> None:
        sizes = [max([1, *map(len, _texts(s.op))]) if _is_choice(s.op) else 1 for s in order]
        sizes.append(1)  # the end: what nobody joins is under way until then
        self.begins = [0, *np.cumsum(sizes).tolist()]

    def span(self, step: TextOperation, position: int, span: Span, part: CasePlace, thread: int) -> Span:
        """Where a transfer of the step `position` may be under way that is so within the steps of `span`."""
        first = self.begins[span[0]]
        last = self.begins[span[1] + 1] - 1
        # What goes round a loop meets what is in front of it in its case.
        goes_round = step.loop is not None and span[1] > step.loop[1]
        if part is None or goes_round:
            return first, last
        joins, at = part
        over = _over(joins, at, thread)
        return first + at, last if over is None else first + over


def _over(joins: list[frozenset[int]], at: int, thread: int) -> int | None:
    """Which operation of a case a transfer is over with that its operation `at` launches; None for none of them."""
    if thread == 0:
        return at
    return next((k for k in range(at + 1, len(joins)) if thread in joins[k]), None)


def _is_choice(op: Any) -> bool:
    return op.operation.name == CHOICE


def _texts(op: Any) -> list[list[Any]]:
    """The operations in each region of an operation."""
    return [[o for block in region.blocks for o in operations(block)] for region in op.operation.regions]


Roles = dict[ir.Operation, np.ndarray | None]


def _parts(op: Any, roles: Roles, groups: np.ndarray) -> Iterator[tuple[Any, np.ndarray, CasePlace]]:
    """A step's operation and all inside of it, each with the groups of PEs that run it, and its part of a choice."""
    if not _is_choice(op):
        yield from ((inner, on, None) for inner, on in _on_groups(op, roles, groups))
        return
    for on, text in _cases(op, roles, groups):
        joins = [_joined(within(part)) for part in text]
        for at, part in enumerate(text):
            yield from ((inner, which, (joins, at)) for inner, which in _on_groups(part, roles, on))


def _on_groups(op: Any, roles: Roles, groups: np.ndarray) -> Iterator[tuple[Any, np.ndarray]]:
    """An operation and all that is inside of it, each with the groups of PEs that run it."""
    yield op, groups
    if not is_stretch(op):  # what is inside of one has positions of its own
        for on, text in _cases(op, roles, groups):
            for inner in text:
                yield from _on_groups(inner, roles, on)


def _cases(op: Any, roles: Roles, groups: np.ndarray) -> Iterator[tuple[np.ndarray, list[Any]]]:
    """The texts in an operation that some group runs, each with the groups that do."""
    cases = roles.get(op.operation) if _is_choice(op) else None
    for number, text in enumerate(_texts(op), -1 if _is_choice(op) else 0):
        on = groups if cases is None else groups[cases[groups] == number]
        if len(on):
            yield on, text


def _with_span(spans: list[Span], span: Span) -> list[Span]:
    """Ascending spans with another one, those that it overlaps being one with it."""
    before = [other for other in spans if other[1] < span[0]]
    behind = [other for other in spans if other[0] > span[1]]
    met = [span, *(other for other in spans if other[0] <= span[1] and span[0] <= other[1])]
    return [*before, (min(first for first, _ in met), max(last for _, last in met)), *behind]


def _span(step: TextOperation, position: int, until: int) -> Span:
    """Positions between which a transfer may be under way: from begin to end of a loop that it is not joined in."""
    if step.loop is None or until <= step.loop[1]:
        return position, until
    return step.loop[0], until


def _directions(op: Any) -> list[tuple[str, str]]:
    """The colours of a transfer, each with the attribute of `Use` that it counts in."""
    if op.operation.name == "wse.relay":
        return [(op.receive.value, "receives"), (op.send.value, "sends")]
    return [(op.colour.value, "sends" if op.operation.name == "wse.send" else "receives")]


def transfer_ends(order: list[TextOperation]) -> Callable[[int, int], int]:
    """(position, thread) -> position where a transfer that starts there on that thread is known to be over.

    Positions are those of `executable.steps`.
    """
    joins: list[tuple[int, frozenset[int]]] = []
    chosen: dict[
        int, frozenset[int]
    ] = {}  # by position of a choice, threads that each case which launches them joins
    for position, step in enumerate(order):
        if step.op.operation.name == CHOICE:
            cases = [list(instructions(region.blocks[0])) for region in step.op.operation.regions]
            left = [_launched(case) - _joined(case) for case in cases]
            chosen[position] = frozenset().union(*map(_joined, cases)).difference(*left)
        elif joined := _joined(step.inside):
            joins.append((position, joined))

    def end(position: int, thread: int) -> int:
        if thread == 0 or thread in chosen.get(position, ()):
            return position
        return next((at for at, threads in joins if at >= position and thread in threads), len(order))

    return end


def _joined(operations: Iterable[Any]) -> frozenset[int]:
    joins = (op for op in operations if op.operation.name == "wse.join")
    return frozenset(thread for op in joins for thread in read.integers(op.threads))


def _launched(operations: Iterable[Any]) -> frozenset[int]:
    return frozenset(read.integer(op.thread) for op in operations if op.operation.name in TRANSFERS) - {0}


def _elements(op: Any, corners: dict[int, np.ndarray]) -> int:
    """Elements of a transfer's message, the most over the grid's corners; other unknowns count as 0."""
    total = np.ones(4, np.int64)
    for bound in read.maps(op.bounds):
        values = [evaluate_affine(e, lambda symbol: corners.get(symbol.position, 0)) for e in bound.results]
        total = total * np.maximum(np.minimum.reduce(np.broadcast_arrays(*values)), 0)
    return int(total.max())
