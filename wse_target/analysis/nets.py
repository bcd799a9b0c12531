"""Routes as streams and ports, colour by colour and epoch by epoch, over the whole grid at once.

A *stream* is what one PE sends of a colour in one epoch; it has a *port* at each PE that its routes lead to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..image import Program
from ..instructions import Switch, all_instructions
from ..machine import Machine
from ..roles import switching
from ..sim.code import Branch, Code, Halt, LoopBegin, Placement, strided

_STEP = ((0, -1), (1, 0), (0, 1), (-1, 0))  # north, east, south, west; the ramp is direction 4
_DIRECTIONS = ("north", "east", "south", "west", "ramp")
_RAMP, _NONE, _NEVER = 4, -1, -2


@dataclass(frozen=True)
class Net:
    """All streams of one colour in one epoch.

    Attributes:
        root: sending PE by stream.
        outgoing: stream by PE, -1 where it cannot send.
        incoming: port by PE, -1 where nothing can come from. Ports are ordered by stream.
        stream / pe / capacity: of each port; the capacity is in words, as docs/simulator.md defines it.
        lost: streams whose words leave the routes, or come to where no PE has a program, or to nobody.
        parent: router before each router on its way from the root, itself at a root; -1 off the routes.
    """

    colour: str
    epoch: int
    root: np.ndarray
    outgoing: np.ndarray
    incoming: np.ndarray
    stream: np.ndarray
    pe: np.ndarray
    capacity: np.ndarray
    lost: np.ndarray
    parent: np.ndarray


class Routing:
    """Makes nets when they are asked for.

    Attributes:
        switched: by colour, the PEs that switch it; colours that nobody switches are not in it.
    """

    def __init__(self, program: Program, machine: Machine, placement: Placement, code: Code) -> None:
        self._program, self._machine, self._placement = program, machine, placement
        self._routers = placement.width * placement.height
        self._router = placement.y * placement.width + placement.x  # by PE
        self._nets: dict[tuple[str, int], Net] = {}
        self._settings: dict[str, dict[int, tuple[np.ndarray, np.ndarray]]] = {}
        self._code = code
        self._chosen: dict[str, list[np.ndarray]] = {}
        self.switched = _switched(program, placement)

    def net(self, colour: str, epoch: int) -> Net:
        """The streams of a colour in an epoch."""
        key = (colour, epoch if colour in self.switched else 0)
        if key not in self._nets:
            self._nets[key] = self._trace(*key)
        return self._nets[key]

    def chosen(self, colour: str) -> list[np.ndarray]:
        """Positions that each PE chooses for a switched colour, in each epoch from 1 on."""
        if colour not in self._chosen:
            self._chosen[colour] = _positions(self._placement, self._code, colour)
        return self._chosen[colour]

    def open_ports(self, net: Net, epochs: np.ndarray) -> np.ndarray:
        """Which ports words can get to, when PEs have come to these epochs of the colour."""
        if net.epoch == 0 or net.colour not in self.switched:
            return np.ones(len(net.pe), bool)
        late = np.zeros(self._routers, bool)
        late[self._router] = self.switched[net.colour] & (epochs < net.epoch)
        up = np.where(net.parent >= 0, net.parent, np.arange(self._routers))
        for _ in range(self._routers.bit_length()):
            late |= late[up]
            up = up[up]
        return ~late[self._router[net.pe]]

    def _trace(self, colour: str, epoch: int) -> Net:
        takes, gives, never = self._at(colour, epoch)
        parent, lost_at = self._parents(takes, gives, never)
        root, hops = _roots(parent, takes == _RAMP)
        sources = np.flatnonzero((takes == _RAMP) & (self._placement.at >= 0))
        number = np.full(self._routers, _NONE)
        number[sources] = np.arange(len(sources))
        stream_at = np.where(root >= 0, number[root], _NONE)
        ends = gives[:, _RAMP] & (stream_at >= 0)
        lost_at |= ends & (self._placement.at < 0)
        ends = np.flatnonzero(ends & (self._placement.at >= 0))
        ends = ends[np.argsort(stream_at[ends], kind="stable")]
        pes, at = self._placement.count, self._placement.at
        outgoing, incoming = np.full(pes, _NONE), np.full(pes, _NONE)
        outgoing[at[sources]] = np.arange(len(sources))
        incoming[at[ends]] = np.arange(len(ends))
        lost = np.zeros(len(sources), bool)
        lost[stream_at[lost_at & (stream_at >= 0)]] = True
        lost |= np.bincount(stream_at[ends], minlength=len(sources)) == 0
        queues, named = self._machine.queues, self._program.queues.get(colour)
        depths = max(queues.input) + max(queues.output)
        if named:
            depths = queues.input[named[0]] + queues.output[named[1]]
        capacity = depths + hops[ends] * self._machine.fabric.router_words
        return Net(
            colour, epoch, at[sources], outgoing, incoming, stream_at[ends], at[ends], capacity, lost, parent
        )

    def _at(self, colour: str, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Direction that each router takes from, directions it gives to, and routers that never come to the epoch."""
        by_position = self._settings.get(colour)
        if by_position is None:
            by_position = self._settings[colour] = self._read(colour)
        position = np.full(self._routers, self._program.positions.get(colour, 0))
        if epoch:
            chosen = self.chosen(colour)[epoch - 1]
            position[self._router] = np.where(self.switched[colour], chosen, position[self._router])
        takes, gives = np.full(self._routers, _NONE), np.zeros((self._routers, 5), bool)
        for number, (takes_there, gives_there) in by_position.items():
            here = position == number
            takes[here], gives[here] = takes_there[here], gives_there[here]
        return takes, gives, position == _NEVER

    def _read(self, colour: str) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for route in self._program.routes:
            if route.colour == colour:
                if route.position not in found:
                    found[route.position] = (
                        np.full(self._routers, _NONE),
                        np.zeros((self._routers, 5), bool),
                    )
                takes, gives = found[route.position]
                xs, ys = strided(route.where)
                at = ys * self._placement.width + xs
                takes[at] = _DIRECTIONS.index(route.receive)
                for direction in route.send:
                    gives[at, _DIRECTIONS.index(direction)] = True
        return found

    def _parents(
        self, takes: np.ndarray, gives: np.ndarray, never: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Router before each router on its way, and routers that give words to one that does not take them."""
        width, height = self._placement.width, self._placement.height
        here = np.arange(self._routers)
        y, x = np.divmod(here, width)
        parent, lost = np.where(takes == _RAMP, here, _NONE), np.zeros(self._routers, bool)
        for direction, (dx, dy) in enumerate(_STEP):
            inside = (x + dx >= 0) & (x + dx < width) & (y + dy >= 0) & (y + dy < height)
            there = np.where(inside, here + dy * width + dx, here)
            back = (direction + 2) % 4
            taken = inside & (takes[there] == back)
            passed = gives[:, direction] & taken
            parent[there[passed]] = here[passed]
            lost |= gives[:, direction] & ~taken & ~(inside & never[there])
        return parent, lost


def _roots(parent: np.ndarray, is_root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Root of each router's tree, -1 without one, and hops from it; pointers are doubled."""
    up = np.where(parent >= 0, parent, np.arange(len(parent)))
    hops = (parent >= 0) & ~is_root
    hops = hops.astype(np.int64)
    for _ in range(len(parent).bit_length()):
        hops += hops[up]
        above = up[up]
        if (above == up).all():
            break
        up = above
    return np.where(is_root[up] & (parent >= 0), up, _NONE), hops


def _bodies(placement: Placement, code: Code) -> Iterator[tuple[int, int, np.ndarray]]:
    """First operation, `Halt` and PEs of each class."""
    halts = [pc for pc, op in enumerate(code.operations) if isinstance(op, Halt)]
    for entry, end, (first, last) in zip(code.entry, halts, placement.ranges, strict=True):
        yield entry, end, np.arange(first, last)


def _switched(program: Program, placement: Placement) -> dict[str, np.ndarray]:
    switched: dict[str, np.ndarray] = {}
    for pe_class, (first, last) in zip(program.classes, placement.ranges, strict=True):
        for colour in {op.colour for op in all_instructions(pe_class.body) if isinstance(op, Switch)}:
            found = switched.setdefault(colour, np.zeros(placement.count, bool))
            found[first:last] = switching(pe_class, colour).ravel()
    return switched


def _positions(placement: Placement, code: Code, colour: str) -> list[np.ndarray]:
    chosen: list[np.ndarray] = []
    count = np.zeros(placement.count, np.int64)  # epochs so far
    for entry, end, pes in _bodies(placement, code):
        if _switches(code, entry, end, colour):
            _walk(
                code, (entry, end), colour, pes, {"x": placement.x[pes], "y": placement.y[pes]}, count, chosen
            )
    return chosen


def _switches(code: Code, pc: int, end: int, colour: str) -> bool:
    return any(isinstance(op, Switch) and op.colour == colour for op in code.operations[pc:end])


def _walk(
    code: Code, stretch: tuple[int, int], colour: str, pes: np.ndarray, values: dict[str, np.ndarray],
    count: np.ndarray, chosen: list[np.ndarray],
) -> None:  # fmt: skip
    """Executes the loops and switches of a stretch of code on a group of PEs."""
    pc, end = stretch
    while pc < end and len(pes):
        op = code.operations[pc]
        if isinstance(op, LoopBegin):
            stop = op.exit - 1
            if _switches(code, pc, stop, colour):
                trips = np.broadcast_to(op.trips.evaluate(values), pes.shape)
                name = next(n for n, slot in code.variables[pc + 1].items() if slot == op.slot)
                for trip in range(int(trips.max())):
                    on = trips > trip
                    inside = {n: v[on] for n, v in values.items()}
                    inside[name] = np.full(int(on.sum()), trip)
                    _walk(code, (pc + 1, stop), colour, pes[on], inside, count, chosen)
            pc = op.exit
            continue
        if isinstance(op, Branch):
            if _switches(code, pc, op.exit, colour):
                selected = np.broadcast_to(op.selector.evaluate(values), pes.shape)
                for number, case in enumerate(op.stretches()):
                    on = selected == number
                    inside = {n: v[on] for n, v in values.items()}
                    _walk(code, case, colour, pes[on], inside, count, chosen)
            pc = op.exit
            continue
        if isinstance(op, Switch) and op.colour == colour:
            number = count[pes]
            while len(chosen) <= int(number.max()):
                chosen.append(np.full(len(count), _NEVER))
            position = np.broadcast_to(op.position.evaluate(values), pes.shape)
            for epoch in np.unique(number).tolist():
                at = number == epoch
                chosen[epoch][pes[at]] = position[at]
            count[pes] += 1
        pc += 1
