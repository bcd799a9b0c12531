"""Sends, receives and relays: issued once, then advanced whenever what they wait for has changed."""

from __future__ import annotations

import numpy as np

from ...errors import TargetError
from ...instructions import MAIN_THREAD, Receive, Relay, Send, Source, Transfer
from ..cost import TimingModel, words
from .checks import need_way_in, need_way_out
from .lane import ChannelIndex, Lane
from .lanes import Lanes
from .payload import Payload, accesses, kind
from .sharing import Sharing
from .state import WINDOW, Selection, State, listed, pick, product, quick, size, uniform, union

ISSUED, CLAIMED, PASSED = 1, 2, 3  # waits for a message (a send: for its turn), has it, has passed it on


class Transfers:
    """Executes transfers for whole groups of threads; see `lane` for what times mean."""

    def __init__(self, state: State, lanes: Lanes, cost: TimingModel) -> None:
        self.state = state
        self.lanes = lanes
        self.cost = cost
        self.payload = Payload(state)
        self.sharing = Sharing(lanes, state.pes, state.machine.fabric.cycles_per_wavelet)
        fabric = state.machine.fabric
        self.setup, self.relay_latency = fabric.transfer_setup, fabric.relay_latency
        self.pace = fabric.cycles_per_wavelet

    def words(self, op: Transfer, elements: np.ndarray | int) -> np.ndarray | int:
        """Words of a transfer, as far as its own operands tell."""
        return words(elements, self._dtype(op), getattr(op, "packed", True))

    def _dtype(self, op: Transfer) -> str:
        access = next((a for a in accesses(op) if a is not None), None)
        return "f32" if access is None else self.state.dtypes[access.buffer]

    def issue(self, op: Transfer, pc: int, thread: int, at: Selection, bounds: list) -> None:
        """Fixes a transfer's parameters, and its place among the messages of its channels."""
        s, a = self.state, self.state.agents
        elements = product(bounds)
        a.start[thread][at] = a.clock[thread][at]
        a.elements[thread][at] = elements
        a.stage[thread][at] = ISSUED
        self.payload.fix(op, pc, thread, at, bounds)
        if not np.any(elements):
            return
        if isinstance(elements, np.ndarray):
            at = pick(at, elements > 0)
        if not isinstance(op, Receive):
            name = op.send if isinstance(op, Relay) else op.colour
            a.epoch_out[thread][at] = self.lanes.epoch(name, at)
            for lane, part in self.lanes.split(name, a.epoch_out[thread], at):
                need_way_out(lane, s.placement, op.source, part)
                channel = self._channels(lane.tree.outgoing, part)
                a.number_out[thread][part] = lane.issued[channel]
                lane.issued[channel] += 1
        if not isinstance(op, Send):
            name = op.receive if isinstance(op, Relay) else op.colour
            a.epoch_in[thread][at] = self.lanes.epoch(name, at)
            own = self.lanes.switching(name, at)
            self.lanes.line_up(name, a.number_in[thread], at)
            for lane, part in self.lanes.split(name, a.epoch_in[thread], own):
                need_way_in(lane, s.placement, op.source, part)
                a.number_in[thread][part] = lane.received[part]
                lane.received[part] += 1
        s.accounting.add_work(at, op, a.elements[thread][at])

    def advance(self, op: Transfer, pc: int, thread: int, at: Selection) -> None:
        """Takes issued transfers as far as they can go; the rest waits to be woken."""
        s, a = self.state, self.state.agents
        elements = a.elements[thread][at]
        if not elements.all():
            empty = pick(at, elements == 0)
            s.finish(thread, empty, a.start[thread][empty])
            at = pick(at, elements > 0)
        if not size(at):
            return
        if isinstance(op, Send):
            for lane, part in self.lanes.split(op.colour, a.epoch_out[thread], at):
                self._send(op, lane, pc, thread, part)
            return
        name = op.colour if isinstance(op, Receive) else op.receive
        if self.lanes.mixed(name):
            found = self.lanes.follow(name, a, thread, at)
            waiting = self.lanes.colours[name].threads[0]
            at = self._only(waiting, thread, at, found)
            for other in waiting:  # the next receive of the same PE
                s.wake(other, self.lanes.lined_up(name, at))
        for lane, part in self.lanes.split(name, a.epoch_in[thread], at):
            if isinstance(op, Receive):
                self._receive(op, lane, pc, thread, part)
                continue
            for given, piece in self.lanes.split(op.send, a.epoch_out[thread], part):
                self._relay(op, lane, given, pc, thread, piece)

    def _by_stage(self, thread: int, at: Selection, stage: int) -> tuple[Selection | None, Selection | None]:
        """The threads that are at a stage, and the others."""
        is_at = self.state.agents.stage[thread][at] == stage
        if is_at.all():
            return at, None
        return (pick(at, is_at), pick(at, ~is_at)) if is_at.any() else (None, at)

    def _in_turn(self, lane: Lane, thread: int, at: Selection) -> Selection:
        """Threads whose message is the next one of its channel, the one before being over; the others block."""
        channel = self._channels(lane.tree.outgoing, at)
        turn = self.state.agents.number_out[thread][at] == lane.sent[channel]
        return self._only(lane.out_threads, thread, at, turn & (lane.latest[channel] < np.inf))

    def _only(self, waiting: set[int], thread: int, at: Selection, go_on: np.ndarray) -> Selection:
        """Threads that go on; the others block, until what they wait for wakes them."""
        if go_on.all():
            return at
        self.state.block(thread, pick(at, ~go_on))
        waiting.add(thread)
        return pick(at, go_on)

    # Sends

    def _send(self, op: Send, lane: Lane, pc: int, thread: int, at: Selection) -> None:
        a = self.state.agents
        fresh, posted = self._by_stage(thread, at, ISSUED)
        if fresh is not None:
            fresh = self._in_turn(lane, thread, fresh)
            if size(fresh):
                self._post(op, lane, thread, fresh)
                posted = fresh if posted is None else union([fresh, posted])
        posted = None if posted is None else self._awake(lane, thread, posted)
        if posted is None:
            return
        channel, number = self._channels(lane.tree.outgoing, posted), a.number_out[thread][posted]
        done = lane.try_resolve(channel, number)
        posted = self._only(lane.out_threads, thread, posted, done)
        channel, number = self._channels(lane.tree.outgoing, posted), number[done]
        if size(posted):
            end = lane.get("tail", channel, number)
            self._wake_receivers(lane, channel)
            self._wake_senders(lane, channel)
            busy = self.setup + lane.get("words", channel, number) * self.pace
            self._end(op, pc, thread, posted, end, {"wait_places": busy}, lane, channel)

    def _post(self, op: Send, lane: Lane, thread: int, at: Selection) -> None:
        a = self.state.agents
        channel = self._channels(lane.tree.outgoing, at)
        elements = a.elements[thread][at]
        if uniform(elements):
            elements = int(elements[0])
        count = self.words(op, elements)
        head = np.maximum(a.start[thread][at] + self.setup, lane.latest[channel])
        pace = self.cost.word_cycles("copy", self._dtype(op), op.packed)
        number = lane.post(channel, head, count * pace, count, elements)
        if self.sharing.concerns(lane):
            self.sharing.enter(lane, channel, number)
        self.payload.send(op, lane, thread, at, channel, number)
        a.stage[thread][at] = CLAIMED
        self._wake_receivers(lane, channel)

    def _awake(self, lane: Lane, thread: int, at: Selection) -> Selection | None:
        """Of threads whose messages may meet others on links, those whose last word's time has come; others sleep."""
        if not self.sharing.concerns(lane):
            return at
        number = self.state.agents.number_out[thread][at]
        channel = self._channels(lane.tree.outgoing, at)
        self.sharing.follow(lane, channel, number)
        until = np.maximum(lane.get("natural", channel, number), lane.get("hold", channel, number))
        later = until > self.state.now + WINDOW
        if not later.any():
            return at
        self.state.sleep(thread, pick(at, later), until[later])
        return None if later.all() else pick(at, ~later)

    # Receives

    def _claim(self, colour: str, lane: Lane, source: Source, thread: int, at: Selection) -> Selection:
        """Threads whose message is under way, and whose routers are set, have it; the others block."""
        s, a = self.state, self.state.agents
        channel, number = lane.tree.incoming[at], a.number_in[thread][at]
        there = number < lane.sent[channel]
        gate = self.lanes.gate(lane)
        if gate is not None:
            there &= gate[at] < np.inf
        lane.in_threads.add(thread)
        if not there.all():
            s.block(thread, pick(at, ~there))
            at = pick(at, there)
            channel, number = channel[there], number[there]
        if not size(at):
            return at
        sent, wanted = lane.get("elements", channel, number), a.elements[thread][at]
        if (sent != wanted).any():
            first = int(np.flatnonzero(sent != wanted)[0])
            name = s.placement.name
            raise TargetError(
                f"{name(int(listed(at)[first]))} receives {int(wanted[first])} elements of colour '{colour}', "
                f"but {name(int(lane.tree.root[channel[first]]))} sends {int(sent[first])}",
                where=source.place,
                hint="the bounds of a send and of its receives must agree",
            )
        a.stage[thread][at] = CLAIMED
        return at

    def _arrival(self, lane: Lane, thread: int, at: Selection) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """When a transfer can begin to take words, when the last one can come at the sender's natural pace, and how
        long it has waited for routers."""
        a = self.state.agents
        channel, number = lane.tree.incoming[at], a.number_in[thread][at]
        delay = lane.tree.delay[at]
        ready = a.start[thread][at] + self.setup
        head = lane.get("head", channel, number)
        gate = self.lanes.gate(lane)
        if gate is None:
            return np.maximum(ready, head + delay), lane.get("natural", channel, number) + delay, np.zeros(1)
        begin = np.maximum(ready, head + delay)
        late = np.maximum(begin, gate[at] + delay)
        return late, lane.get("natural", channel, number) + delay, late - begin

    def _register(
        self, lane: Lane, thread: int, at: Selection, begin: np.ndarray, mark: np.ndarray,
        pace: np.ndarray | float, prompt: np.ndarray,
    ) -> None:  # fmt: skip
        """Tells the sender how the receiver takes the words: `prompt` ones from `begin` on, the last one at `mark`."""
        a = self.state.agents
        channel, number = lane.tree.incoming[at], a.number_in[thread][at]
        count, capacity = lane.get("words", channel, number), lane.capacity[at]
        more = count - capacity
        if (more > 0).any():
            late = np.where(more <= prompt, begin + more * pace, mark - capacity * pace)
            hold = np.where(more > 0, late, -np.inf)
            in_time = lane.get("head", channel, number) + lane.tree.delay[at] + capacity * self.pace
            early = np.minimum(count, capacity + np.where(begin <= in_time, prompt, 0))
        else:
            hold, early = np.full(len(more), -np.inf), count
        lane.register(channel, number, hold, mark, early, at)
        if lane.out_threads:
            self._wake_senders(lane, channel)

    def _arrived(
        self, lane: Lane, thread: int, at: Selection
    ) -> tuple[Selection, np.ndarray, np.ndarray, np.ndarray] | None:
        """Of PEs that take messages those whose last word's time is known, channel and number, and when they end."""
        a = self.state.agents
        channel, number = lane.tree.incoming[at], a.number_in[thread][at]
        done = lane.resolved(channel, number)
        at = self._only(lane.in_threads, thread, at, done)
        channel, number = channel[done], number[done]
        if not size(at):
            return None
        end = np.maximum(a.mark[thread][at], lane.get("tail", channel, number) + lane.tree.delay[at])
        return at, channel, number, end

    def _receive(self, op: Receive, lane: Lane, pc: int, thread: int, at: Selection) -> None:
        fresh, rest = self._by_stage(thread, at, ISSUED)
        if fresh is not None:
            fresh = self._claim(op.colour, lane, op.source, thread, fresh)
            if size(fresh):
                self._begin_receives(op, lane, thread, fresh)
                rest = fresh if rest is None else union([fresh, rest])
        if rest is None:
            return
        arrived = self._arrived(lane, thread, rest)
        if arrived is None:
            return
        at, channel, number, end = arrived
        self.payload.receive(op, lane, thread, at, channel, number)
        lane.take(channel, number)
        pace = self.cost.word_cycles(kind(op.combine), self._dtype(op))
        busy = self.setup + lane.get("words", channel, number) * pace
        self._end(op, pc, thread, at, end, {"wait_words": busy}, lane, channel)

    def _begin_receives(self, op: Receive, lane: Lane, thread: int, at: Selection) -> None:
        a = self.state.agents
        begin, _, waited = self._arrival(lane, thread, at)
        pace = self.cost.word_cycles(kind(op.combine), self._dtype(op))
        count = lane.get("words", lane.tree.incoming[at], a.number_in[thread][at])
        number = a.number_in[thread][at]
        through = self.sharing.arrival(lane, at, lane.tree.incoming[at], number)
        a.mark[thread][at] = mark = np.maximum(begin + count * pace, through)
        a.held[thread][at] = waited
        self._register(lane, thread, at, begin, mark, pace, count)

    # Relays

    def _relay(self, op: Relay, lane: Lane, given: Lane, pc: int, thread: int, at: Selection) -> None:
        """A relay puts out a message when its first word comes; it is through when it is known when words leave."""
        fresh, rest = self._by_stage(thread, at, ISSUED)
        if fresh is not None:
            fresh = self._in_turn(given, thread, fresh)
            fresh = self._claim(op.receive, lane, op.source, thread, fresh) if size(fresh) else fresh
            if size(fresh):
                self._begin_relays(op, lane, given, thread, fresh)
                rest = fresh if rest is None else union([fresh, rest])
        if rest is None:
            return
        claimed, passed = self._by_stage(thread, rest, CLAIMED)
        if claimed is not None:
            claimed = self._pass_on(op, lane, given, thread, claimed)
            if size(claimed):
                passed = claimed if passed is None else union([claimed, passed])
        if passed is not None:
            self._finish_relays(op, lane, pc, thread, passed)

    def _relay_pace(self, op: Relay) -> float:
        combines = op.own is not None and op.combine != "store"
        return self.cost.word_cycles(op.combine if combines else "copy", self._dtype(op))

    def _begin_relays(self, op: Relay, lane: Lane, given: Lane, thread: int, at: Selection) -> None:
        a = self.state.agents
        channel, number = lane.tree.incoming[at], a.number_in[thread][at]
        outgoing = self._channels(given.tree.outgoing, at)
        begin, natural, waited = self._arrival(lane, thread, at)
        begin = np.maximum(begin, given.latest[outgoing] - self.relay_latency)
        count = lane.get("words", channel, number)
        busy = count * self._relay_pace(op)
        a.mark[thread][at] = begin + busy
        a.held[thread][at] = waited
        made = given.post(
            outgoing, begin + self.relay_latency, np.maximum(busy, natural - begin), count, a.elements[thread][at]
        )  # fmt: skip
        if self.sharing.concerns(given):
            self.sharing.enter(given, outgoing, made)
        listed_out = given.tree.outgoing[at]
        self.payload.relay(op, (lane, given), thread, at, (channel, listed_out), (number, made))
        self._wake_receivers(given, outgoing)

    def _pass_on(self, op: Relay, lane: Lane, given: Lane, thread: int, at: Selection) -> Selection:
        """Relays whose output is known to leave tell their input's sender when they are done with it."""
        a, awake = self.state.agents, self._awake(given, thread, at)
        if awake is None:
            return np.zeros(0, np.int64)
        at = awake
        outgoing, made = self._channels(given.tree.outgoing, at), a.number_out[thread][at]
        done = given.try_resolve(outgoing, made)
        at = self._only(given.out_threads, thread, at, done)
        outgoing, made = self._channels(given.tree.outgoing, at), made[done]
        if not size(at):
            return at
        head, natural = given.get("head", outgoing, made), given.get("natural", outgoing, made)
        left, count = given.get("tail", outgoing, made), given.get("words", outgoing, made)
        mark = np.maximum(a.mark[thread][at], left - self.relay_latency)
        a.mark[thread][at] = mark
        pace, prompt = (natural - head) / count, given.get("early", outgoing, made)
        self._register(lane, thread, at, head - self.relay_latency, mark, pace, prompt)
        a.stage[thread][at] = PASSED
        self._wake_receivers(given, outgoing)
        self._wake_senders(given, outgoing)
        return at

    def _finish_relays(self, op: Relay, lane: Lane, pc: int, thread: int, at: Selection) -> None:
        arrived = self._arrived(lane, thread, at)
        if arrived is None:
            return
        at, channel, number, end = arrived
        busy = self.setup + lane.get("words", channel, number) * self._relay_pace(op)
        lane.take(channel, number)
        self._end(op, pc, thread, at, end + self.relay_latency, {"wait_words": busy}, lane, channel)

    # Routes, accounts

    def _channels(self, of: np.ndarray, at: Selection) -> ChannelIndex:
        """Channels of PEs, as a slice where they follow one another."""
        return quick(of[at]) if isinstance(at, slice) else of[at]

    def _wake_receivers(self, lane: Lane, channel: ChannelIndex) -> None:
        if lane.in_threads:
            pes = lane.receivers_of(channel)
            for thread in lane.in_threads:
                self.state.wake(thread, pes)

    def _wake_senders(self, lane: Lane, channel: ChannelIndex) -> None:
        if lane.out_threads:
            roots = lane.tree.root[channel]
            if not isinstance(channel, slice):
                roots = np.sort(roots) if lane.single else np.unique(roots)
            for thread in lane.out_threads:
                self.state.wake(thread, quick(roots))

    def _end(
        self, op: Transfer, pc: int, thread: int, at: Selection, end: np.ndarray, busy: dict[str, np.ndarray],
        lane: Lane, channel: ChannelIndex,
    ) -> None:  # fmt: skip
        """A transfer is over; on the main thread its time is split into moving words and waiting for them."""
        s, a = self.state, self.state.agents
        start = a.start[thread][at]
        if thread == MAIN_THREAD:
            ((reason, moves),) = busy.items()
            elapsed = end - start
            moving = np.minimum(moves, elapsed)
            waiting = elapsed - moving
            held = np.minimum(a.held[thread][at], waiting) if reason == "wait_words" else 0.0
            s.accounting.add(at, communication=moving, wait_switch=held, **{reason: waiting - held})
        if s.loaded.recorder is not None:
            pes = listed(at)
            other = lane.tree.root[channel] if not isinstance(op, Send) else lane.first_receiver(channel)
            waited = end - start > busy[next(iter(busy))] + 1e-9
            s.loaded.recorder.record(pc, thread, pes, start, end, np.where(waited, other, pes))
        s.finish(thread, at, end)
