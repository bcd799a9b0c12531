"""Rings along lines: exchanges in which every PE sends to the next one while it takes from the one before.

Interleaved rings go out over the even positions and back over the odd ones, so that neighbours on the ring are never
more than two hops apart. A PE's number on the ring is its *label*; it sends to the label one higher, modulo the extent.
Sends and receives of a step run beside each other on microthreads, so that a ring of full queues cannot arise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from .....wse_target.instructions import Access, Combine, Instruction, Join, Loop, Receive, Send
from .....wse_target.layout.mesh import ring_label, ring_position
from .....wse_target.quasi_affine import Binary, Expr, Lookup, Var, binary, const
from ..fragment import Line, TileWalk
from .costs import Costs
from .line_program import LineProgram
from .wires import Edge, colour_edges

BlockWalk = Callable[[Expr], TileWalk]  # label -> walk over the block that belongs to it


def substitute(expr: Expr, values: Mapping[str, Expr]) -> Expr:
    """The expression with variables replaced."""
    if isinstance(expr, Var):
        return values.get(expr.name, expr)
    if isinstance(expr, Binary):
        return binary(expr.operator, substitute(expr.left, values), substitute(expr.right, values))
    if isinstance(expr, Lookup):
        return replace(expr, index=substitute(expr.index, values))
    return expr


def tile_at(tile: TileWalk, line: Line, position: Expr) -> TileWalk:
    """The walk that a tile's expressions describe for another position of the line."""
    values = {line.axis: line.coordinate(position)}
    access = replace(tile.access, offset=substitute(tile.access.offset, values))
    return TileWalk(access, tuple(substitute(b, values) for b in tile.bounds), tile.dtype)


@dataclass(frozen=True)
class Ring:
    """A ring on every line.

    Attributes:
        interleaved: if not, labels are positions, and the way back crosses the whole line.
        backwards: whether each PE sends to the label one lower instead.
        closed: whether the last label sends to the first.
    """

    line: Line
    interleaved: bool = True
    backwards: bool = False
    closed: bool = True

    @property
    def extent(self) -> int:
        return self.line.extent

    @property
    def label(self) -> Expr:
        """The PE's own label."""
        return ring_label(self.line.position, self.extent) if self.interleaved else self.line.position

    def position(self, label: Expr) -> Expr:
        """Position of the PE with a label."""
        return ring_position(label, self.extent) if self.interleaved else label

    def upstream(self, steps: Expr | int) -> Expr:
        """Label that is so many steps before the PE's own."""
        label = self.label + steps if self.backwards else self.label - steps
        return label % self.extent if self.closed else label

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """(source, target) positions."""
        return _edges(self.extent, self.interleaved, self.backwards, self.closed)

    @cached_property
    def longest(self) -> int:
        """Hops between the neighbours that are farthest apart."""
        return max((abs(a - b) for a, b in self.edges), default=0)

    def wire(self, program: LineProgram, name: str) -> dict[int, tuple[str, str]]:
        """Sets the routes; returns the (sending, receiving) colour of each position, "" for none."""
        sends, receives = dict[int, str](), dict[int, str]()
        for (source, target), number in zip(self.edges, colour_edges(self.edges), strict=True):
            colour = program.name(f"{name}{number}")
            program.wires.connect(colour, source, target)
            sends[source] = receives[target] = colour
        return {p: (sends.get(p, ""), receives.get(p, "")) for p in range(self.extent)}

    def step_cycles(self, words: int, costs: Costs) -> float:
        """Of one exchange of so many words."""
        launches = 2 * (costs.launch + words * costs.microthread_word)
        return launches + costs.setup + costs.way(self.longest) + words * costs.combine + costs.join


@lru_cache(maxsize=1 << 10)
def _edges(extent: int, interleaved: bool, backwards: bool, closed: bool) -> tuple[Edge, ...]:
    at = list(range(extent))
    if interleaved:
        at = [int(ring_position(label, extent).evaluate({})) for label in at]
    pairs = list(zip(at, at[1:] + at[:1], strict=True))[: None if closed else -1]
    if extent == 1:
        return ()
    return tuple((b, a) if backwards else (a, b) for a, b in pairs)


def exchange(
    colours: tuple[str, str], out: TileWalk, into: TileWalk, combine: Combine = "store"
) -> tuple[Instruction, ...]:
    """One step of a PE; an end of an open ring leaves out what it has no neighbour for."""
    body: list[Instruction] = []
    if colours[0]:
        body.append(Send(colours[0], out.bounds, out.access, thread=1))
    if colours[1]:
        body.append(Receive(colours[1], into.bounds, into.access, combine, thread=2))
    return (*body, Join(tuple(op.thread for op in body if isinstance(op, (Send, Receive)))))


def reduce_steps(
    ring: Ring, colours: tuple[str, str], blocks: BlockWalk, step: str, combine: Combine
) -> Loop:
    """Afterwards the block of a PE's own label is combined over the ring: first the next label's, its own last."""
    k = Var(step)
    out, into = blocks(ring.upstream(k + 1)), blocks(ring.upstream(k + 2))
    return Loop(step, const(ring.extent - 1), exchange(colours, out, into, combine))


def gather_steps(ring: Ring, colours: tuple[str, str], blocks: BlockWalk, step: str) -> Loop:
    """Afterwards every PE has the blocks of all labels, each PE having had its own."""
    k = Var(step)
    out, into = blocks(ring.upstream(k)), blocks(ring.upstream(k + 1))
    return Loop(step, const(ring.extent - 1), exchange(colours, out, into))


def contiguous(buffer: str, offset: Expr, shape: tuple[int, ...]) -> Access:
    """A row-major walk over a buffer of a shape."""
    strides = [1]
    for size in reversed(shape[1:]):
        strides.insert(0, strides[0] * size)
    return Access(buffer, offset, tuple(strides))
