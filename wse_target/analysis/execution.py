"""Untimed execution: all threads go as far as they can, whole groups of PEs at a time, without data.

Control flow depends on coordinates and trips only, and programs are determinate with queues that only delay. Hence one
execution stands for all: what it completes is completed in any time, and where it gets stuck, every other one does.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

import numpy as np

from ..image import Program
from ..instructions import MAIN_THREAD, Join, Receive, Relay, Send, Switch, Transfer
from ..machine import Machine
from ..quasi_affine import Const, Expr
from ..sim.code import Branch, Code, Halt, Jump, LoopBegin, LoopEnd, Operation, Placement, alike
from ..sim.cost import words
from .agents import IDLE, ISSUED, RECEIVING, RELAYING, SENDING, Agents, Budget, Impossible
from .lines import Barrier
from .movement import WordMovement
from .nets import Net, Routing
from .streams import Streams

_RELEVANT = (Send, Receive, Relay, Join, Switch, Barrier)
_UNROUTED = "for which no route leads there"


class Execution:
    """The state of all threads; agent = thread * PEs + PE.

    Attributes:
        blocked: main threads that wait for a microthread.
        halted: whether a PE came to the end.
        counters / trips: of the loops that a PE is in, by slot.
        epoch: by colour, of those that are switched.
        races: why the program is not determinate, "" as long as nothing is known of that.
        restless: whether something was under way at a barrier where everything should have been at rest.
    """

    def __init__(
        self, program: Program, machine: Machine, placement: Placement, code: Code, work: int
    ) -> None:
        self.program, self.placement, self.code = program, placement, code
        self.routing = Routing(program, machine, placement, code)
        self.streams = Streams()
        self.pes = placement.count
        self.threads = 1 + max((t for op in code.operations for t in _threads(op)), default=MAIN_THREAD)
        self.agents = Agents.make(self.pes * self.threads)
        self.budget = Budget(work)
        self._words = WordMovement(self.streams, self.agents, self.budget, placement.name, self._end)
        self.races = ""
        self.restless = False
        self.blocked = np.zeros(self.pes, bool)
        self.halted = np.zeros(self.pes, bool)
        self.counters, self.trips = (np.zeros((self.pes, max(code.depth, 1)), np.int64) for _ in range(2))
        self.epoch = {c: np.zeros(self.pes, np.int64) for c in self.routing.switched}
        self._skip, self._alike = _skips(code), alike(code, in_time=False)
        self._steps = np.zeros(self.pes, np.int64)  # who is behind goes first: groups stay together
        self._heap: list[tuple[int, int]] = []
        self._ready: dict[int, list[np.ndarray]] = {}
        self._waiting: list[tuple[int, np.ndarray]] = []  # transfers whose turn has not come
        self._at_barrier: list[tuple[int, np.ndarray]] = []
        self._rested: tuple[tuple[int, ...], int] | None = None  # the last trip that left nothing under way
        self._moved_gates: set[str] = set()
        self._shut: list[Net] = []  # nets with ports that words do not get to yet

    def run(self) -> None:
        """Goes on until nothing moves.

        Raises:
            Impossible, TooMuchWork
        """
        for entry, (first, last) in zip(self.code.entry, self.placement.ranges, strict=True):
            self._push(entry, np.arange(first, last))
        while True:
            while self._heap:
                _, pc = heapq.heappop(self._heap)
                if pc not in self._ready:
                    continue
                agents = np.sort(np.concatenate(self._ready.pop(pc)))
                self.budget.spend(len(agents))
                self._execute(pc, agents)
            if self._words.pending:
                self._words.settle()
                self._retry()  # before anything newer has its turn
            elif not self._open_gates() and not self._retry() and not self._pass_barrier():
                return

    def _push(self, pc: int, agents: np.ndarray) -> None:
        """PEs go on at `pc`, or at what there is first behind it that can wait or be waited for."""
        if len(agents):
            pc = int(self._skip[pc])
            self.agents.pc[agents] = pc
            self._enqueue(int(self._alike[pc]), agents)

    def _proceed(self, agents: np.ndarray) -> None:
        """PEs go on behind their operations, which may be those of several classes."""
        self._push_all(agents, self.agents.pc[agents] + 1)

    def _push_all(self, agents: np.ndarray, goals: np.ndarray) -> None:
        """Each PE goes on at a place of its own."""
        if not len(agents):
            return
        goals = self._skip[goals]
        self.agents.pc[agents] = goals
        goals = self._alike[goals]
        if (goals == goals[0]).all():
            self._enqueue(int(goals[0]), agents)
            return
        for pc in np.flatnonzero(np.bincount(goals)).tolist():  # few values: far faster than `unique`
            self._enqueue(pc, agents[goals == pc])

    def _enqueue(self, pc: int, agents: np.ndarray) -> None:
        self._steps[agents] += 1
        heapq.heappush(self._heap, (int(self._steps[agents].min()), pc))
        self._ready.setdefault(pc, []).append(agents)

    def _pass_barrier(self) -> bool:
        """Lets PEs go on that all wait at a barrier; whether they do."""
        waiting, self._at_barrier = self._at_barrier, []
        if sum(len(agents) for _, agents in waiting) < self.pes:
            return False
        self._skip_trips([pc for pc, _ in waiting])
        if any(self._barrier(pc).rest for pc, _ in waiting) and not self._rests():
            self.restless = True
        for _, agents in waiting:
            self._proceed(agents)
        return True

    def _barrier(self, pc: int) -> Barrier:
        op = self.code.operations[pc]
        assert isinstance(op, Barrier)
        return op

    def _rests(self) -> bool:
        """Whether nothing is under way, and all PEs that switch a colour are in one epoch of it."""
        if self.streams.untaken().size or self.agents.stage.any():
            return False
        epochs = (self.epoch[colour][switched] for colour, switched in self.routing.switched.items())
        return all(not len(found) or bool((found == found[0]).all()) for found in epochs)

    def _skip_trips(self, pcs: list[int]) -> None:
        """Ends a loop at whose end everything was at rest after this trip and the one before.

        Its trips are all alike, so each of those to come takes that state to itself.
        """
        barriers = [self._barrier(pc) for pc in pcs]
        if not all(op.repeats for op in barriers) or self.streams.untaken().size or self.agents.stage.any():
            return
        slots = [self.code.variables[pc][op.repeats] for pc, op in zip(pcs, barriers, strict=True)]
        trip = int(self.counters[0, slots[0]])
        if len(set(slots)) == 1 and self._rested == (tuple(sorted(pcs)), trip - 1):
            self.counters[:, slots[0]] = self.trips[:, slots[0]] - 1
        self._rested = tuple(sorted(pcs)), trip

    # Main threads

    def _execute(self, pc: int, agents: np.ndarray) -> None:
        op = self.code.operations[pc]
        if isinstance(op, Halt):
            self.halted[agents] = True
        elif isinstance(op, LoopBegin):
            self.counters[agents, op.slot] = 0
            trips = self.evaluate(op.trips, pc, agents)
            self.trips[agents, op.slot] = trips
            self._push(pc + 1, agents[trips > 0])
            self._push(op.exit, agents[trips <= 0])
        elif isinstance(op, LoopEnd):
            self.counters[agents, op.slot] += 1
            again = self.counters[agents, op.slot] < self.trips[agents, op.slot]
            self._push(op.start, agents[again])
            self._push(pc + 1, agents[~again])
        elif isinstance(op, Branch):
            selected = self.evaluate(op.selector, pc, agents)
            for number, target in enumerate(op.targets):
                self._push(target, agents[selected == number])
            self._push(op.exit, agents[(selected < 0) | (selected >= len(op.targets))])
        elif isinstance(op, Jump):
            self._push(op.target, agents)
        elif isinstance(op, Switch):
            self.epoch[op.colour][agents] += 1
            self._moved_gates.add(op.colour)
            self._proceed(agents)
        elif isinstance(op, Join):
            busy = np.zeros(len(agents), bool)
            for thread in op.threads:
                busy |= self.agents.stage[agents + thread * self.pes] != IDLE
            self.blocked[agents[busy]] = True
            self._proceed(agents[~busy])
        elif isinstance(op, Barrier):
            self._at_barrier.append((pc, agents))
        elif isinstance(op, (Send, Receive, Relay)):
            self._launch(op, pc, agents)

    def _launch(self, op: Transfer, pc: int, pes: np.ndarray) -> None:
        """Begins a transfer on its thread; waits while a microthread still has another one."""
        agents = pes + op.thread * self.pes
        if op.thread != MAIN_THREAD:
            free = self.agents.stage[agents] == IDLE
            self.blocked[pes[~free]] = True
            pes, agents = pes[free], agents[free]
            self.agents.pc[agents] = self.agents.pc[pes]
            self._proceed(pes)
        elements = np.ones(len(pes), np.int64)
        for bound in op.bounds:
            elements = elements * np.maximum(self.evaluate(bound, pc, pes), 0)
        if op.thread == MAIN_THREAD:
            self._proceed(pes[elements == 0])
        agents = agents[elements > 0]
        if len(agents):
            self.agents.stage[agents] = ISSUED
            self.agents.elements[agents] = elements[elements > 0]
            self._issue(op, pc, agents)

    def evaluate(self, expr: Expr, pc: int, pes: np.ndarray) -> np.ndarray:
        """An expression on a group of PEs, with their loop counters."""
        if isinstance(expr, Const):
            return np.full(len(pes), expr.value)
        names, scope = expr.variables(), self.code.variables[pc]
        values = {name: self.counters[pes, scope[name]] for name in names & scope.keys()}
        places = {"x": self.placement.x, "y": self.placement.y}
        values |= {name: places[name][pes] for name in names & places.keys()}
        return np.broadcast_to(np.asarray(expr.evaluate(values), np.int64), pes.shape)

    # Transfers

    def _issue(self, op: Transfer, pc: int, agents: np.ndarray) -> bool:
        """Begins transfers whose turn it is; the others wait. Whether any could begin."""
        ready = np.ones(len(agents), bool)
        if isinstance(op, (Receive, Relay)):
            colour = op.colour if isinstance(op, Receive) else op.receive
            self.agents.port[agents] = self._ports(colour, agents)
            ready &= self.agents.port[agents] >= 0
            ready[ready] &= self.streams.consumer[self.agents.port[agents[ready]]] < 0
        if isinstance(op, (Send, Relay)):
            colour = op.colour if isinstance(op, Send) else op.send
            self.agents.stream[agents] = self._outgoing(colour, agents)
            ready &= self.streams.supplier[self.agents.stream[agents]] < 0
        if not ready.all():
            self._waiting.append((pc, agents[~ready]))
        agents = agents[ready]
        if not len(agents):
            return False
        streams = self.streams
        if isinstance(op, Send):
            self.agents.stage[agents] = SENDING
            dtype = self.program.buffers[op.src.buffer].dtype
            self._words.supply(agents, np.asarray(words(self.agents.elements[agents], dtype, op.packed)))
            at = self.agents.stream[agents]
            streams.supplied[at] = streams.reserved[at]
        else:
            self.agents.stage[agents] = RECEIVING if isinstance(op, Receive) else RELAYING
            ports = self.agents.port[agents]
            self.agents.in_end[agents] = -1
            streams.consumer[ports] = agents
            if isinstance(op, Relay):
                streams.supplier[self.agents.stream[agents]] = (
                    agents  # its turn, though the message is not known yet
                )
            self._words.touch(streams.stream_of[ports])
        return True

    def _net(self, colour: str, epoch: int) -> tuple[Net, int, int]:
        net = self.routing.net(colour, epoch)
        if not self.streams.knows(net):
            opened = self.routing.open_ports(net, self.epoch.get(colour, np.zeros(0)))
            self.streams.add(net, opened)
            if not opened.all():
                self._shut.append(net)
        return net, *self.streams.numbers(net)

    def _outgoing(self, colour: str, agents: np.ndarray) -> np.ndarray:
        """Streams that agents send on."""
        pes = agents % self.pes
        epochs = self.epoch[colour][pes] if colour in self.epoch else np.zeros(len(pes), np.int64)
        found = np.full(len(pes), -1)
        for epoch in np.unique(epochs).tolist():
            net, first, _ = self._net(colour, epoch)
            at = epochs == epoch
            local = net.outgoing[pes[at]]
            sends = f"sends on colour '{colour}'"
            self._refuse(local < 0, agents[at], f"{sends}, for which no route begins there")
            self._refuse(net.lost[local], agents[at], f"{sends}, whose words do not get to where PEs are")
            found[at] = first + local
        return found

    def _ports(self, colour: str, agents: np.ndarray) -> np.ndarray:
        """Ports that agents receive at, -1 where it is not yet known."""
        pes = agents % self.pes
        if colour not in self.epoch:
            net, _, first = self._net(colour, 0)
            self._refuse(net.incoming[pes] < 0, agents, f"receives colour '{colour}', {_UNROUTED}")
            return first + net.incoming[pes]
        found = np.full(len(pes), -1)
        own = self.routing.switched[colour][pes]
        for epoch in np.unique(self.epoch[colour][pes[own]]).tolist():
            net, _, first = self._net(colour, epoch)
            at = own & (self.epoch[colour][pes] == epoch)
            local = net.incoming[pes[at]]
            self._refuse(local < 0, agents[at], f"receives colour '{colour}', {_UNROUTED}")
            found[at] = first + local
        if not own.all():
            found[~own] = self._heard(colour, pes[~own])
        return found

    def _refuse(self, wrong: np.ndarray, agents: np.ndarray, what: str) -> None:
        if wrong.any():
            agent = int(agents[wrong][0])
            raise Impossible(f"{self.placement.name(agent % self.pes)} {what}", agent)

    def _heard(self, colour: str, pes: np.ndarray) -> np.ndarray:
        """Ports with words for PEs that keep their setting while others switch: the earliest epoch's."""
        found, roots = np.full(len(pes), -1), np.full(len(pes), -1)
        streams = self.streams
        for epoch in reversed(range(1 + len(self.routing.chosen(colour)))):
            net, _, first = self._net(colour, epoch)
            local = net.incoming[pes]
            at = np.flatnonzero(local >= 0)
            ports = first + local[at]
            there = streams.open[ports] & (streams.claimed[ports] < streams.posted[streams.stream_of[ports]])
            at, local = at[there], local[at][there]
            sender = net.root[net.stream[local]]
            if ((roots[at] >= 0) & (roots[at] != sender)).any():
                self.races = f"words of colour '{colour}' come to a PE from two senders, in either order"
            found[at], roots[at] = first + local, sender
        return found

    def _retry(self) -> bool:
        """Transfers whose turn had not come are tried again; whether one could begin."""
        waiting, self._waiting = self._waiting, []
        started = [self._issue(self._transfer(pc), pc, agents) for pc, agents in waiting]
        return any(started)

    def _transfer(self, pc: int) -> Transfer:
        op = self.code.operations[pc]
        assert isinstance(op, (Send, Receive, Relay))
        return op

    def _open_gates(self) -> bool:
        """Ports that words get to now that routers were switched; whether there are any."""
        moved, self._moved_gates = self._moved_gates, set()
        shut, self._shut = self._shut, []
        opened = False
        for net in shut:
            if net.colour in moved:
                _, first = self.streams.numbers(net)
                ports = np.arange(first, first + len(net.pe))
                now = self.routing.open_ports(net, self.epoch[net.colour])
                fresh = ports[now & ~self.streams.open[ports]]
                if len(fresh):
                    self.streams.open[fresh] = opened = True
                    self._words.touch(self.streams.stream_of[fresh])
            if not self.streams.all_open(net):
                self._shut.append(net)
        return opened

    # Ends

    def _end(self, agents: np.ndarray) -> None:
        """Main threads go on behind their transfers, and where they waited for a microthread."""
        mains = agents[agents < self.pes]
        self._push_all(mains, self.agents.pc[mains] + 1)
        pes = np.unique(agents[agents >= self.pes] % self.pes)
        pes = pes[self.blocked[pes]]
        self.blocked[pes] = False
        self._push_all(pes, self.agents.pc[pes])


def _threads(op: Operation) -> Iterable[int]:
    return op.threads if isinstance(op, Join) else (getattr(op, "thread", MAIN_THREAD),)


def _skips(code: Code) -> np.ndarray:
    """For each operation the first one from there on that can wait or be waited for, or leads to one that can."""
    relevant = np.array([isinstance(op, _RELEVANT) for op in code.operations], np.int64)
    before = np.concatenate([[0], np.cumsum(relevant)])
    found = np.arange(len(code) + 1)
    for pc in reversed(range(len(code))):
        op = code.operations[pc]
        if isinstance(op, Jump):
            found[pc] = found[op.target]
        elif isinstance(op, (LoopBegin, Branch)):
            found[pc] = pc if before[op.exit] > before[pc] else found[op.exit]
        elif not isinstance(op, (*_RELEVANT, LoopEnd, Halt)):
            found[pc] = found[pc + 1]
    return found
