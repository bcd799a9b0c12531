"""Matched communication: streams over trees, chains of relays, roots and partners that switches change."""

from __future__ import annotations

from dataclasses import dataclass

from random_builder import COMBINES, Builder, Message
from random_compute import control, delay
from random_fabric import PE, Tree, routes, straight, tree

from wse_mlir.wse_target.instructions import Relay, Switch
from wse_mlir.wse_target.quasi_affine import Expr, Lookup, Var, const, maximum, minimum


@dataclass(frozen=True)
class Line:
    """Lines of PEs along an axis that all do the same: positions base, base + 1, ... on each of `others`."""

    axis: str
    base: int
    count: int
    others: tuple[int, ...]

    def at(self, position: int, other: int) -> PE:
        along = self.base + position
        return (along, other) if self.axis == "x" else (other, along)

    def pes(self, positions: range | list[int]) -> list[PE]:
        return [self.at(p, other) for other in self.others for p in positions]

    def trees(self, root: int, takers: list[int]) -> list[Tree]:
        """On every line a stream from one position to others, which may lie on both sides."""
        found = []
        for other in self.others:
            start, ends = self.at(root, other), [self.at(t, other) for t in takers]
            found.append(tree(start, [straight(start, end) for end in ends], ends))
        return found

    @property
    def across(self) -> str:
        """The coordinate that is the same on a whole line."""
        return "y" if self.axis == "x" else "x"


def random_line(b: Builder, least: int = 2) -> Line:
    """Some lines of some length along the axis that has room for it."""
    axes = [axis for axis, extent in (("x", b.width), ("y", b.height)) if extent >= least]
    axis = b.pick(axes)
    extent, across = (b.width, b.height) if axis == "x" else (b.height, b.width)
    count = b.between(least, extent)
    base = b.below(extent - count + 1)
    step, first = b.between(1, 3), b.below(across)
    others = tuple(range(first, across, step))[: b.between(1, 8)]
    return Line(axis, base, count, others)


@dataclass
class Flow:
    """One colour: streams from roots to takers, on routes that stay."""

    colour: str
    trees: list[Tree]
    across: str | None = None

    def run(self, b: Builder, *, long: bool = False, wish: float = 0.4) -> None:
        """One message; `long` ones find their receivers late, `wish` is the share of microthreads."""
        b.ready([self.colour])
        roots = [one.root for one in self.trees]
        takers = [taker for one in self.trees for taker in one.takers]
        hops = sum(one.hops for one in self.trees)
        m = b.message(hops, long=long, along=self.across, packed=b.chance(0.8))
        if long or b.chance(0.3):
            delay(b, takers)
        elif b.chance(0.3):
            delay(b, roots)
        out = b.thread(roots, [self.colour], [m.source], wish)
        into = b.thread(takers, [self.colour], [m.target], wish)
        b.emit(roots, b.send(self.colour, m, out))
        b.emit(takers, b.receive(self.colour, m, into))


def line_flow(b: Builder) -> Flow:
    """A multicast, a message to a neighbour or something between on all lines."""
    line = random_line(b)
    root = b.below(line.count)
    takers = [p for p in range(line.count) if p != root and b.chance(0.5)]
    takers = takers or [root - 1 if root else root + 1]
    trees = line.trees(root, takers)
    return Flow(b.colour(trees), trees, line.across)


def path_flow(b: Builder) -> Flow:
    """One sender anywhere, one receiver anywhere and some on the way: along x, then y."""
    start, goal = b.pick(b.bodies), b.pick(b.bodies)
    if start == goal:
        goal = b.pick(pe for pe in b.bodies if pe != start)
    path = straight(start, goal)
    trees = [tree(start, [path], [*(pe for pe in path[1:-1] if b.chance(0.3)), goal])]
    return Flow(b.colour(trees), trees)


def plane_flow(b: Builder) -> Flow:
    """A multicast to a rectangle: along a row, and from it into columns."""
    root = b.pick(b.bodies)
    columns = b.random.permutation(b.width)[: b.between(1, 4)].tolist()
    rows = b.random.permutation(b.height)[: b.between(1, 3)].tolist()
    ends = [(x, y) for x in columns for y in rows if (x, y) != root]
    ends = ends or [b.pick(pe for pe in b.bodies if pe != root)]
    trees = [tree(root, [straight(root, end) for end in ends], ends)]
    return Flow(b.colour(trees), trees)


@dataclass
class Contended:
    """Streams of several colours that want the same links at the same time."""

    flows: list[Flow]

    @property
    def colour(self) -> str:
        return self.flows[0].colour

    def run(self, b: Builder) -> None:
        """All of them in one step, at different times and of different lengths."""
        for flow in self.flows:
            if b.budget > 0:
                flow.run(b, wish=0.7, long=b.chance(0.25))
        if b.chance(0.6):
            b.join()


def contended(b: Builder) -> Contended:
    """Streams over the middle of a line, all in one direction."""
    line = random_line(b)
    flows = []
    back = b.chance(0.5)
    middle = b.between(1, line.count - 1)
    for _ in range(min(b.between(2, 4), b.colours_left())):
        start, end = b.below(middle), b.between(middle, line.count - 1)
        trees = line.trees(end, [start]) if back else line.trees(start, [end])
        flows.append(Flow(b.colour(trees), trees, line.across))
    return Contended(flows)


@dataclass
class Shift:
    """Every PE of a line to its neighbour: PEs at odd and even positions send on colours of their own."""

    flows: list[Flow]

    @property
    def colour(self) -> str:
        return self.flows[0].colour

    def run(self, b: Builder) -> None:
        """All at once on microthreads, or one parity after the other."""
        wish = b.pick([0.0, 0.9])
        for flow in self.flows:
            flow.run(b, wish=wish)
        if b.chance(0.7):
            b.join()


def shift(b: Builder) -> Shift:
    """A shift by one place, upwards or downwards."""
    line = random_line(b)
    step = b.pick([1, -1])
    flows = []
    for parity in (0, 1):
        senders = [p for p in range(parity, line.count, 2) if 0 <= p + step < line.count]
        trees = [t for p in senders for t in line.trees(p, [p + step])]
        if trees:
            flows.append(Flow(b.colour(trees), trees, line.across))
    return Shift(flows)


@dataclass
class Chain:
    """Relays along lines, each adding its own; two alternating colours."""

    line: Line
    order: list[int]
    names: list[str]

    @property
    def colour(self) -> str:
        return self.names[0]

    def run(self, b: Builder) -> None:
        """The last PE sends, all between relay, the first receives."""
        b.ready(self.names)
        line, order = self.line, self.order
        m = b.message((len(order) - 1) * len(line.others), along=line.across, long=b.chance(0.2))
        last = len(order) - 1
        thread = b.thread(line.pes(order), self.names, [m.source, m.target], 0.4)
        b.emit(line.pes([order[0]]), b.send(self.names[0], m, thread))
        for parity in (0, 1):
            inside = [order[i] for i in range(1, last) if i % 2 == parity]
            if not inside:
                continue
            own = b.walk(m.source, b.strides(m.bounds)) if b.chance(0.8) else None
            dst = b.walk(m.target, b.strides(m.bounds)) if b.chance(0.4) else None
            combine = b.pick(COMBINES[1:])
            relay = Relay(self.names[1 - parity], self.names[parity], m.bounds, own, combine, dst, thread)
            b.emit(line.pes(inside), relay)
        if b.chance(0.3):
            delay(b, line.pes([order[last]]))
        b.emit(line.pes([order[last]]), b.receive(self.names[1 - last % 2], m, thread))


def chain(b: Builder) -> Chain:
    """A chain over a whole line, towards either end."""
    line = random_line(b)
    order = list(range(line.count))
    if b.chance(0.5):
        order.reverse()
    names = []
    for parity in (0, 1):
        pairs = zip(order[parity::2], order[parity + 1 :: 2], strict=False)
        trees = [t for sender, taker in pairs for t in line.trees(sender, [taker])]
        if trees:
            names.append(b.colour(trees))
    return Chain(line, order, names)


@dataclass
class Rounds:
    """One colour whose root moves from PE to PE along the line, as in SUMMA: `Switch` before or after each round."""

    line: Line
    name: str
    count: int
    order: tuple[int, ...]
    rewrite: bool
    before: bool

    @property
    def colour(self) -> str:
        return self.name

    def run(self, b: Builder) -> None:
        """Position p < count is the root of round p; one program text for all PEs of the lines."""
        b.ready([self.name])
        line, n = self.line, self.count
        hops = n * (line.count - 1) * len(line.others)
        m = b.message(hops, packed=b.chance(0.8))
        place: Expr = Var(line.axis) - line.base
        pes = line.pes(range(line.count))
        root = maximum(minimum(const(n) - place, 1), 0)
        with b.loop(minimum(place, n)) as k:
            self._round(b, pes, m, Var(k), sends=False)
        with b.loop(root):
            self._round(b, pes, m, place, sends=True)
        with b.loop(maximum(const(n - 1) - place, 0)) as k:
            self._round(b, pes, m, place + 1 + Var(k), sends=False)

    def _round(self, b: Builder, pes: list[PE], m: Message, number: Expr, *, sends: bool) -> None:
        if self.before:
            b.emit(pes, Switch(self.name, self._position(number), self.rewrite))
        thread = b.thread(pes, [self.name], [m.source, m.target], 0.3)
        op = b.send(self.name, m, thread) if sends else b.receive(self.name, m, thread)
        b.emit(pes, op)
        if b.chance(0.4):
            control(b, pes)
        if thread:
            b.join(b.open[-1:])
        if not self.before:
            b.emit(pes, Switch(self.name, self._position((number + 1) % self.count), self.rewrite))

    def _position(self, number: Expr) -> Expr:
        if self.order == tuple(range(self.count)):
            return number
        return Lookup(f"order_{self.name}", self.order, number)


def rounds(b: Builder) -> Rounds:
    """As many rounds as the switch has positions, or more of them with rewritten routes."""
    line = random_line(b)
    rewrite = b.chance(0.4)
    count = min(line.count, 8 if rewrite else b.machine.fabric.switch_positions)
    order = tuple(b.random.permutation(count).tolist()) if b.chance(0.3) else tuple(range(count))
    before = b.chance(0.5)
    name: str | None = None
    for number in range(count):
        trees = line.trees(number, [p for p in range(line.count) if p != number])
        name = b.colour(trees, order[number], name)
    assert name is not None
    b.positions[name] = -1 if before else order[0]
    return Rounds(line, name, count, order, rewrite, before)


@dataclass
class Halving:
    """A tree reduction on one colour: partners are twice as far apart in each round."""

    line: Line
    name: str
    stages: list[tuple[list[int], list[int]]]

    @property
    def colour(self) -> str:
        return self.name

    def run(self, b: Builder) -> None:
        """Every PE of the lines switches before each round; those without a part in it to no route."""
        b.ready([self.name])
        line = self.line
        m = b.message(line.count * len(self.stages) * len(line.others), packed=b.chance(0.8))
        for number, (senders, takers) in enumerate(self.stages):
            span = 1 << number
            routed = {p - i for p in senders for i in range(span + 1)}
            b.emit(line.pes(sorted(routed)), Switch(self.name, const(number)))
            b.emit(line.pes([p for p in range(line.count) if p not in routed]), Switch(self.name, const(-1)))
            b.emit(line.pes(senders), b.send(self.name, m, 0))
            b.emit(line.pes(takers), b.receive(self.name, m, 0))


def halving(b: Builder) -> Halving:
    """A binary tree towards the low end."""
    line = random_line(b)
    stages: list[tuple[list[int], list[int]]] = []
    name: str | None = None
    span = 1
    while span < line.count and len(stages) < b.machine.fabric.switch_positions:
        senders = list(range(span, line.count, 2 * span))
        trees = [t for p in senders for t in line.trees(p, [p - span])]
        name = b.colour(trees, len(stages), name)
        stages.append((senders, [p - span for p in senders]))
        span *= 2
    assert name is not None
    b.positions[name] = -1
    return Halving(line, name, stages)


@dataclass
class Selector:
    """One sender, two receivers on one path: the nearer one's switch says who is served."""

    sender: list[PE]
    near: list[PE]
    far: list[PE]
    name: str
    hops: int

    @property
    def colour(self) -> str:
        return self.name

    def run(self, b: Builder) -> None:
        """A message to the nearer one, a switch, a message to the farther one, and back."""
        b.ready([self.name])
        both = [*self.sender, *self.near]
        for position, takers in ((1, self.near), (0, self.far)):
            m = b.message(self.hops, packed=b.chance(0.8))
            b.emit(self.sender, b.send(self.name, m, 0))
            b.emit(takers, b.receive(self.name, m, 0))
            b.emit(both, Switch(self.name, const(position)))


def selector(b: Builder) -> Selector:
    """On lines of three or more; the farther receiver and the PEs between never switch, and have one setting."""
    line = random_line(b, 3)
    near, last = b.between(1, line.count - 2), line.count - 1
    close, distant = line.trees(0, [near]), line.trees(0, [last])
    name = b.colour(close)
    b.routes += routes(name, [_part(one, line, [0, near]) for one in distant], 1)
    b.routes += routes(name, [_part(one, line, list(range(near + 1, last + 1))) for one in distant])
    b.ends[name][1].update(line.pes([last]))
    sender, nearer, farther = line.pes([0]), line.pes([near]), line.pes([last])
    return Selector(sender, nearer, farther, name, last * len(line.others))


def _part(whole: Tree, line: Line, positions: list[int]) -> Tree:
    """The settings of some routers only."""
    kept = {pe for pe in line.pes(positions) if pe in whole.takes}
    return Tree(whole.root, [], {pe: whole.takes[pe] for pe in kept}, {pe: whole.gives[pe] for pe in kept})
