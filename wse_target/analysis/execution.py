"""Untimed execution: all threads go as far as they can, whole groups of PEs at a time, without data.

Control flow depends on coordinates and trips only, and programs are determinate with queues that only delay. Hence one
execution stands for all: what it completes is completed in any time, and where it gets stuck, every other one does.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

import numpy as np

from ..image import MAIN_THREAD, Join, Program, Receive, Relay, Send, Switch
from ..machine import Machine
from ..quasi_affine import Const, Expr
from ..sim.code import Code, Halt, LoopBegin, LoopEnd, Operation, Placement
from ..sim.cost import words
from .nets import Net, Routing
from .streams import Streams

Transfer = Send | Receive | Relay
_RELEVANT = (Send, Receive, Relay, Join, Switch)
_UNROUTED = "for which no route leads there"
IDLE, ISSUED, SENDING, RECEIVING, RELAYING = range(5)


class Impossible(Exception):
    """A transfer that no engine would carry out; says why."""


class TooMuchWork(Exception):
    """The bound on work is exceeded."""


class Execution:
    """The state of all threads; agent = thread * PEs + PE.

    Attributes:
        pc: operation of each agent; a microthread's is its transfer's.
        stage: IDLE, or what an agent does with its transfer.
        blocked: main threads that wait for a microthread.
        port / stream: that the agent's transfer uses, -1 where none.
        in_start, in_end, out_start, out_end: its words; `in_end` is -1 while its message is unknown.
        halted: whether a PE came to the end.
    """

    def __init__(
        self, program: Program, machine: Machine, placement: Placement, code: Code, work: int
    ) -> None:
        self.program, self.placement, self.code = program, placement, code
        self.routing = Routing(program, machine, placement, code)
        self.streams = Streams()
        self.pes = placement.count
        self.threads = 1 + max((t for op in code.operations for t in _threads(op)), default=MAIN_THREAD)
        count = self.pes * self.threads
        self.pc, self.stage, self.in_start, self.out_start, self.out_end = (
            np.zeros(count, np.int64) for _ in range(5)
        )
        self.port, self.stream, self.in_end = (np.full(count, -1) for _ in range(3))
        self.elements = np.zeros(count, np.int64)
        self.blocked = np.zeros(self.pes, bool)
        self.halted = np.zeros(self.pes, bool)
        self.counters, self.trips = (np.zeros((self.pes, max(code.depth, 1)), np.int64) for _ in range(2))
        self.epoch = {c: np.zeros(self.pes, np.int64) for c in self.routing.switched}
        self._next = np.array([_following(code, pc) for pc in range(len(code))])
        self._heap: list[int] = []
        self._ready: dict[int, list[np.ndarray]] = {}
        self._dirty: list[np.ndarray] = []
        self._waiting: list[tuple[int, np.ndarray]] = []  # transfers whose turn has not come
        self._moved_gates: set[str] = set()
        self._shut: list[Net] = []  # nets with ports that words do not get to yet
        self._work = work

    def run(self) -> None:
        """Goes on until nothing moves.

        Raises:
            Impossible, TooMuchWork
        """
        for entry, (first, last) in zip(self.code.entry, self.placement.ranges, strict=True):
            self._push(int(self._next[entry - 1]) if entry else _skip(self.code, 0), np.arange(first, last))
        while True:
            while self._heap:
                pc = heapq.heappop(self._heap)
                agents = np.sort(np.concatenate(self._ready.pop(pc)))
                self._spend(len(agents))
                self._execute(pc, agents)
            if self._dirty:
                self._settle()
                self._retry()  # before anything newer has its turn
            elif not self._open_gates() and not self._retry():
                return

    def _spend(self, amount: int) -> None:
        self._work -= 20 + amount  # a group costs something, however small
        if self._work < 0:
            raise TooMuchWork

    def _push(self, pc: int, agents: np.ndarray) -> None:
        if len(agents):
            self.pc[agents] = pc
            if pc not in self._ready:
                heapq.heappush(self._heap, pc)
                self._ready[pc] = []
            self._ready[pc].append(agents)

    # Main threads

    def _execute(self, pc: int, agents: np.ndarray) -> None:
        op = self.code.operations[pc]
        if isinstance(op, Halt):
            self.halted[agents] = True
        elif isinstance(op, LoopBegin):
            self.counters[agents, op.slot] = 0
            trips = self.evaluate(op.trips, pc, agents)
            self.trips[agents, op.slot] = trips
            self._push(int(self._next[pc]), agents[trips > 0])
            self._push(_skip(self.code, op.exit), agents[trips <= 0])
        elif isinstance(op, LoopEnd):
            self.counters[agents, op.slot] += 1
            again = self.counters[agents, op.slot] < self.trips[agents, op.slot]
            self._push(_skip(self.code, op.start), agents[again])
            self._push(int(self._next[pc]), agents[~again])
        elif isinstance(op, Switch):
            self.epoch[op.colour][agents] += 1
            self._moved_gates.add(op.colour)
            self._push(int(self._next[pc]), agents)
        elif isinstance(op, Join):
            busy = np.zeros(len(agents), bool)
            for thread in op.threads:
                busy |= self.stage[agents + thread * self.pes] != IDLE
            self.blocked[agents[busy]] = True
            self._push(int(self._next[pc]), agents[~busy])
        elif isinstance(op, (Send, Receive, Relay)):
            self._launch(op, pc, agents)

    def _launch(self, op: Transfer, pc: int, pes: np.ndarray) -> None:
        """Begins a transfer on its thread; waits while a microthread still has another one."""
        agents = pes + op.thread * self.pes
        if op.thread != MAIN_THREAD:
            free = self.stage[agents] == IDLE
            self.blocked[pes[~free]] = True
            pes, agents = pes[free], agents[free]
            self._push(int(self._next[pc]), pes)
        elements = np.ones(len(pes), np.int64)
        for bound in op.bounds:
            elements = elements * np.maximum(self.evaluate(bound, pc, pes), 0)
        if op.thread == MAIN_THREAD:
            self._push(int(self._next[pc]), pes[elements == 0])
        agents = agents[elements > 0]
        if len(agents):
            self.pc[agents] = pc
            self.stage[agents] = ISSUED
            self.elements[agents] = elements[elements > 0]
            self._issue(op, pc, agents)

    def evaluate(self, expr: Expr, pc: int, pes: np.ndarray) -> np.ndarray:
        """An expression on a group of PEs, with their loop counters."""
        if isinstance(expr, Const):
            return np.full(len(pes), expr.value)
        values = {name: self.counters[pes, slot] for name, slot in self.code.variables[pc].items()}
        values |= {"x": self.placement.x[pes], "y": self.placement.y[pes]}
        return np.broadcast_to(np.asarray(expr.evaluate(values), np.int64), pes.shape)

    # Transfers

    def _issue(self, op: Transfer, pc: int, agents: np.ndarray) -> bool:
        """Begins transfers whose turn it is; the others wait. Whether any could begin."""
        ready = np.ones(len(agents), bool)
        if isinstance(op, (Receive, Relay)):
            colour = op.colour if isinstance(op, Receive) else op.receive
            self.port[agents] = self._ports(colour, agents)
            ready &= self.port[agents] >= 0
            ready[ready] &= self.streams.consumer[self.port[agents[ready]]] < 0
        if isinstance(op, (Send, Relay)):
            colour = op.colour if isinstance(op, Send) else op.send
            self.stream[agents] = self._outgoing(colour, agents)
            ready &= self.streams.supplier[self.stream[agents]] < 0
        if not ready.all():
            self._waiting.append((pc, agents[~ready]))
        agents = agents[ready]
        if not len(agents):
            return False
        streams = self.streams
        if isinstance(op, Send):
            self.stage[agents] = SENDING
            dtype = self.program.buffers[op.src.buffer].dtype
            self._supply(agents, np.asarray(words(self.elements[agents], dtype, op.packed)))
            at = self.stream[agents]
            streams.supplied[at] = streams.reserved[at]
        else:
            self.stage[agents] = RECEIVING if isinstance(op, Receive) else RELAYING
            ports = self.port[agents]
            self.in_end[agents] = -1
            streams.consumer[ports] = agents
            if isinstance(op, Relay):
                streams.supplier[self.stream[agents]] = (
                    agents  # its turn, though the message is not known yet
                )
            self._dirty.append(streams.stream_of[ports])
        return True

    def _supply(self, agents: np.ndarray, count: np.ndarray) -> None:
        """Agents become the senders of a message of `count` words each."""
        streams, at = self.streams, self.stream[agents]
        self.out_start[agents] = streams.reserved[at]
        streams.post(at, count, self.elements[agents])
        self.out_end[agents] = streams.reserved[at]
        streams.supplier[at] = agents
        self._dirty.append(at)

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
            self._refuse(local < 0, pes[at], f"sends on colour '{colour}', for which no route begins there")
            self._refuse(
                net.lost[local], pes[at], f"sends on colour '{colour}', whose words leave the routes"
            )
            found[at] = first + local
        return found

    def _ports(self, colour: str, agents: np.ndarray) -> np.ndarray:
        """Ports that agents receive at, -1 where it is not yet known."""
        pes = agents % self.pes
        if colour not in self.epoch:
            net, _, first = self._net(colour, 0)
            self._refuse(net.incoming[pes] < 0, pes, f"receives colour '{colour}', {_UNROUTED}")
            return first + net.incoming[pes]
        found = np.full(len(pes), -1)
        own = self.routing.switched[colour][pes]
        for epoch in np.unique(self.epoch[colour][pes[own]]).tolist():
            net, _, first = self._net(colour, epoch)
            at = own & (self.epoch[colour][pes] == epoch)
            local = net.incoming[pes[at]]
            self._refuse(local < 0, pes[at], f"receives colour '{colour}', {_UNROUTED}")
            found[at] = first + local
        if not own.all():
            found[~own] = self._heard(colour, pes[~own])
        return found

    def _refuse(self, wrong: np.ndarray, pes: np.ndarray, what: str) -> None:
        if wrong.any():
            raise Impossible(f"{self.placement.name(int(pes[wrong][0]))} {what}")

    def _heard(self, colour: str, pes: np.ndarray) -> np.ndarray:
        """Ports with words for PEs that keep their setting while others switch: the earliest epoch's."""
        found = np.full(len(pes), -1)
        streams = self.streams
        for epoch in reversed(range(self.routing.epochs[colour])):
            net, _, first = self._net(colour, epoch)
            local = net.incoming[pes]
            at = np.flatnonzero(local >= 0)
            ports = first + local[at]
            there = streams.open[ports] & (streams.claimed[ports] < streams.posted[streams.stream_of[ports]])
            found[at[there]] = ports[there]
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
                    self._dirty.append(self.streams.stream_of[fresh])
            if not self.streams.all_open(net):
                self._shut.append(net)
        return opened

    # Words

    def _settle(self) -> None:
        """Moves words on the streams that changed, and on those that this changes, until all are at rest."""
        s = self.streams
        while self._dirty:
            dirty = np.unique(np.concatenate(self._dirty))
            self._dirty = []
            self._spend(len(dirty))
            at, owner, starts = s.ports(dirty)
            self._claim(at)
            limit = np.where(s.open[at], s.wanted[at], s.taken[at]) + s.capacity[at]
            room = np.minimum.reduceat(limit, starts)
            s.left[dirty] = np.minimum(s.supplied[dirty], room)
            taken = np.where(s.open[at], np.minimum(s.wanted[at], s.left[dirty][owner]), s.taken[at])
            moved = at[taken > s.taken[at]]
            s.taken[at] = taken
            self._upstream(dirty, room)
            self._downstream(moved)
            self._finish(dirty, at)

    def _claim(self, ports: np.ndarray) -> None:
        """Receivers at work learn how long their message is."""
        s = self.streams
        agents = s.consumer[ports]
        known = s.claimed[ports] < s.posted[s.stream_of[ports]]
        fresh = (agents >= 0) & (self.in_end[agents] < 0) & known
        if not fresh.any():
            return
        ports, agents = ports[fresh], agents[fresh]
        end, elements = s.message(ports)
        wrong = np.flatnonzero(elements != self.elements[agents])
        if len(wrong):
            at = int(wrong[0])
            raise Impossible(
                f"{self.placement.name(int(agents[at] % self.pes))} takes {int(self.elements[agents[at]])} elements, "
                f"but is sent {int(elements[at])}"
            )
        self.in_start[agents], self.in_end[agents] = s.taken[ports], end
        s.claimed[ports] += 1
        receives = self.stage[agents] == RECEIVING
        s.wanted[ports[receives]] = end[receives]
        relays = agents[~receives]
        if len(relays):
            self._supply(relays, self.in_end[relays] - self.in_start[relays])

    def _upstream(self, dirty: np.ndarray, room: np.ndarray) -> None:
        """Relays take what there is room for where they send."""
        s = self.streams
        agents = s.supplier[dirty]
        relays = (agents >= 0) & (self.stage[agents] == RELAYING) & (self.in_end[agents] >= 0)
        agents, room = agents[relays], room[relays]
        if not len(agents):
            return
        space = np.clip(room, self.out_start[agents], self.out_end[agents]) - self.out_start[agents]
        ports = self.port[agents]
        grew = self.in_start[agents] + space > s.wanted[ports]
        s.wanted[ports] = np.maximum(s.wanted[ports], self.in_start[agents] + space)
        if grew.any():
            self._dirty.append(s.stream_of[ports[grew]])

    def _downstream(self, ports: np.ndarray) -> None:
        """Relays put out what they have taken."""
        s = self.streams
        agents = s.consumer[ports]
        relays = (agents >= 0) & (self.stage[agents] == RELAYING)
        agents, ports = agents[relays], ports[relays]
        if len(agents):
            streams = self.stream[agents]
            s.supplied[streams] = self.out_start[agents] + s.taken[ports] - self.in_start[agents]
            self._dirty.append(streams)

    def _finish(self, streams: np.ndarray, ports: np.ndarray) -> None:
        """Transfers all of whose words have passed are over."""
        s = self.streams
        senders = s.supplier[streams]
        over = (senders >= 0) & (s.left[streams] >= self.out_end[senders]) & (self.stage[senders] != IDLE)
        over &= (self.stage[senders] == SENDING) | (self.in_end[senders] >= 0)
        over &= self.out_end[senders] > self.out_start[senders]
        takers = s.consumer[ports]
        through = (takers >= 0) & (self.stage[takers] == RECEIVING) & (self.in_end[takers] >= 0)
        through &= s.taken[ports] >= self.in_end[takers]
        agents = np.concatenate([senders[over], takers[through]])
        if len(agents):
            relays = agents[self.stage[agents] == RELAYING]
            s.supplier[streams[over]] = -1
            s.consumer[ports[through]] = -1
            s.consumer[self.port[relays]] = -1
            self._end(agents)

    def _end(self, agents: np.ndarray) -> None:
        """Main threads go on behind their transfers, and where they waited for a microthread."""
        self.stage[agents] = IDLE
        self.out_end[agents] = self.out_start[agents] = 0
        mains = agents[agents < self.pes]
        self._push_all(mains, self._next[self.pc[mains]])
        pes = np.unique(agents[agents >= self.pes] % self.pes)
        pes = pes[self.blocked[pes]]
        self.blocked[pes] = False
        self._push_all(pes, self.pc[pes].copy())

    def _push_all(self, agents: np.ndarray, goals: np.ndarray) -> None:
        for pc in np.unique(goals).tolist():
            self._push(pc, agents[goals == pc])


def _threads(op: Operation) -> Iterable[int]:
    return op.threads if isinstance(op, Join) else (getattr(op, "thread", MAIN_THREAD),)


def _skip(code: Code, pc: int) -> int:
    """The first operation from `pc` on that can wait or be waited for."""
    while True:
        op = code.operations[pc]
        if isinstance(op, LoopBegin):
            if any(isinstance(inner, _RELEVANT) for inner in code.operations[pc : op.exit]):
                return pc
            pc = op.exit
        elif isinstance(op, (*_RELEVANT, LoopEnd, Halt)):
            return pc
        else:
            pc += 1


def _following(code: Code, pc: int) -> int:
    return _skip(code, pc + 1) if pc + 1 < len(code) else pc
