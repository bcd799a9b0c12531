"""What a program is made of: kinds of instructions, and what makes timing hard."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np

from wse_mlir.wse_target.footprint import indices_of
from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.instructions import (
    DTYPE_BYTES,
    Choose,
    Control,
    Instruction,
    Join,
    Loop,
    Phase,
    Relay,
    Send,
    Switch,
    Vector,
    all_instructions,
)
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.sim.code import strided

PE = tuple[int, int]
_STEP = {"north": (0, -1), "east": (1, 0), "south": (0, 1), "west": (-1, 0)}
_BACK = {"east": "west", "west": "east", "south": "north", "north": "south"}


def count(program: Program, machine: Machine) -> Counter[str]:
    """A histogram over a program.

    Per kind of instruction ("Send", "Vector add", "Control task", ...) how many there are in the text, and:
        "contention": links that streams of two colours use in one phase (the phase in which they begin);
        "long": messages longer than what a stream to the nearest of its receivers holds;
        "switches", "microthreads": instructions that switch, transfers that run beside the main thread;
        "indirect": operations that numbers in memory move;
        "unpacked", "empty", "multicast", "wavelet hops": of messages that are sent.
    """
    found: Counter[str] = Counter()
    texts = {id(op): op for c in program.classes for op in all_instructions(c.body)}
    for op in texts.values():
        found[_name(op)] += 1
        found["indirect"] += isinstance(op, Vector) and len(indices_of(op)) > 0
        found["microthreads"] += getattr(op, "thread", 0) > 0
        found["switches"] += isinstance(op, Switch)
        found["tasks"] += isinstance(op, Join) and op.tasks
        found["unpacked"] += isinstance(op, Send) and not op.packed
    streams = _Streams(program, machine)
    for pe_class in program.classes:
        xs, ys = strided(pe_class.where)
        streams.start(len(xs))
        streams.walk(pe_class.body, {"x": xs, "y": ys}, np.arange(len(xs)))
    found.update(streams.found)
    found["contention"] = sum(len(colours) > 1 for colours in streams.users.values())
    return found


def _name(op: Instruction) -> str:
    if isinstance(op, Vector):
        return f"Vector {op.kind}"
    if isinstance(op, Control):
        return f"Control {op.unit}"
    return "Switch rewrite" if isinstance(op, Switch) and op.rewrite else type(op).__name__


class _Streams:
    """Walks through the control flow of classes and notes what is sent."""

    def __init__(self, program: Program, machine: Machine) -> None:
        self.program, self.machine = program, machine
        self.found: Counter[str] = Counter()
        self.users: dict[tuple[str, PE, str], set[str]] = defaultdict(set)
        self.settings: dict[tuple[str, int, PE], tuple[str, set[str]]] = {}
        for route in program.routes:
            for pe in zip(*(v.tolist() for v in strided(route.where)), strict=True):
                self.settings[route.colour, route.position, pe] = route.receive, set(route.send)
        self.traced: dict[tuple[str, int, PE], tuple[list[tuple[PE, str]], list[int]]] = {}

    def start(self, pes: int) -> None:
        """A new class: no phase, no switch."""
        self.phase = ""
        self.pes = pes
        self.positions: dict[str, np.ndarray] = {}

    def walk(self, body: tuple[Instruction, ...], values: dict[str, np.ndarray], active: np.ndarray) -> None:
        """Executes control flow on some PEs of the class; `values` are theirs, `active` their numbers in it."""
        for op in body:
            if isinstance(op, Phase):
                self.phase = op.name
            elif isinstance(op, Loop):
                trips = np.broadcast_to(op.trips.evaluate(values), active.shape)
                for trip in range(int(trips.max(initial=0))):
                    on = trips > trip
                    inside = {name: value[on] for name, value in values.items()}
                    self.walk(op.body, {**inside, op.variable: np.full(on.sum(), trip)}, active[on])
            elif isinstance(op, Choose):
                selected = np.broadcast_to(op.selector.evaluate(values), active.shape)
                for number, case in enumerate(op.cases):
                    on = selected == number
                    inside = {name: value[on] for name, value in values.items()}
                    self.walk(case, inside, active[on])
            elif isinstance(op, Switch):
                self._at(op.colour)[active] = op.position.evaluate(values)
            elif isinstance(op, (Send, Relay)) and len(active):
                self._sent(op, values, active)

    def _at(self, colour: str) -> np.ndarray:
        """Position of a colour on each PE of the class."""
        start = self.program.positions.get(colour, 0)
        return self.positions.setdefault(colour, np.full(self.pes, start))

    def _sent(self, op: Send | Relay, values: dict[str, np.ndarray], active: np.ndarray) -> None:
        colour = op.colour if isinstance(op, Send) else op.send
        elements = np.ones(len(active), np.int64)
        for bound in op.bounds:
            elements = elements * np.maximum(bound.evaluate(values), 0)
        access = op.src if isinstance(op, Send) else op.own or op.dst
        dtype = self.program.buffers[access.buffer].dtype if access else "f32"
        size = DTYPE_BYTES[dtype] if not isinstance(op, Send) or op.packed else 4
        words = -(-elements * size // 4)
        positions = self._at(colour)[active]
        for at in range(len(active)):
            if not words[at]:
                self.found["empty"] += 1
                continue
            links, distances = self._trace(
                colour, int(positions[at]), (int(values["x"][at]), int(values["y"][at]))
            )
            for router, direction in links:
                self.users[self.phase, router, direction].add(colour)
            self.found["wavelet hops"] += len(links) * int(words[at])
            self.found["long"] += int(words[at]) > self._capacity(colour, min(distances, default=0))
            self.found["multicast"] += len(distances) > 1

    def _capacity(self, colour: str, hops: int) -> int:
        queues = self.machine.queues
        depths = max(queues.input), max(queues.output)
        if colour in self.program.queues:
            into, out = self.program.queues[colour]
            depths = queues.input[into], queues.output[out]
        return sum(depths) + hops * self.machine.fabric.router_words

    def _trace(self, colour: str, position: int, root: PE) -> tuple[list[tuple[PE, str]], list[int]]:
        """Links between routers that a stream uses, and hops to each of its receivers."""
        key = colour, position, root
        if key in self.traced:
            return self.traced[key]
        links, distances = [], []
        front = [(root, 0)]
        while front:
            (x, y), hops = front.pop()
            kept = colour, self.program.positions.get(colour, 0), (x, y)
            _, sends = self.settings.get((colour, position, (x, y))) or self.settings[kept]
            for direction in sorted(sends):
                if direction == "ramp":
                    distances.append(hops)
                    continue
                links.append(((x, y), direction))
                dx, dy = _STEP[direction]
                front.append(((x + dx, y + dy), hops + 1))
        self.traced[key] = links, distances
        return self.traced[key]
