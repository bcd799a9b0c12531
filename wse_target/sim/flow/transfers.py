"""Sends, receives and relays: issued once, then advanced whenever what they wait for has changed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import TargetError
from ...image import Access, Receive, Relay, Send, Source
from ..cost import words
from ..kernels import ELEMENTARY
from ..memory import Located, by_bounds
from .state import State

Transfer = Send | Receive | Relay
ISSUED, CLAIMED, PASSED = 1, 2, 3  # stages: waits for a message, has it, (relay) has passed it on


class Transfers:
    """Executes transfers for whole groups of agents; see `streams` for what times mean."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.setup = state.machine.fabric.transfer_setup
        self.relay_latency = state.machine.fabric.relay_latency

    def issue(self, op: Transfer, pc: int, agents: np.ndarray) -> None:
        """Fixes a transfer's parameters; a send puts its message out at once."""
        s, a = self.state, self.state.agents
        pes = agents % s.pes
        bounds = s.bounds(op.bounds, pc, pes)
        a.start[agents] = a.clock[agents]
        a.elements[agents] = bounds.prod(axis=1)
        a.parameters[agents, : bounds.shape[1]] = bounds
        for column, access in enumerate(_accesses(op)):
            if access is not None:
                a.parameters[agents, s.loops + column] = s.evaluate(access.offset, pc, pes)
        a.stage[agents] = ISSUED
        if isinstance(op, Send):
            self._post(op, agents[a.elements[agents] > 0])

    def advance(self, op: Transfer, pc: int, agents: np.ndarray) -> None:
        """Takes issued transfers as far as they can go; the rest waits to be woken."""
        s, a = self.state, self.state.agents
        empty = a.elements[agents] == 0
        if empty.any():
            s.finish(pc, agents[empty], a.start[agents[empty]])
            agents = agents[~empty]
        if not len(agents):
            return
        if isinstance(op, Send):
            self._finish_sends(op, pc, agents)
        elif isinstance(op, Receive):
            fresh = a.stage[agents] == ISSUED
            claimed = self._claim(op.colour, op.source, agents[fresh])
            self._begin_receives(op, claimed)
            self._finish_receives(op, pc, np.sort(np.concatenate([agents[~fresh], claimed])))
        else:
            fresh = agents[a.stage[agents] == ISSUED]
            claimed = self._claim(op.receive, op.source, fresh)
            self._begin_relays(op, claimed)
            passed = self._pass_on(op, np.sort(np.concatenate([agents[a.stage[agents] == CLAIMED]])))
            self._finish_relays(op, pc, np.sort(np.concatenate([passed, agents[a.stage[agents] == PASSED]])))

    # Sends

    def _post(self, op: Send, agents: np.ndarray) -> None:
        if not len(agents):
            return
        s, a = self.state, self.state.agents
        channel = self._outgoing(op.colour, op.source, agents)
        dtype = s.dtypes[op.src.buffer]
        elements = a.elements[agents]
        data = self._contents(op.src, 0, agents)
        count = np.asarray(words(elements, dtype))
        head = a.start[agents] + self.setup
        a.number_out[agents], a.mark[agents] = s.streams.post(
            channel, head, count * 0.0, count, elements, data
        )
        self._wake_receivers(channel)

    def _finish_sends(self, op: Send, pc: int, agents: np.ndarray) -> None:
        s, a = self.state, self.state.agents
        channel = self._outgoing(op.colour, op.source, agents)
        done = s.streams.try_resolve(channel, a.number_out[agents])
        s.block(agents[~done])
        agents, channel = agents[done], channel[done]
        end = s.streams.get("tail", channel, a.number_out[agents])
        self._wake_receivers(channel)
        busy = self.setup + s.streams.get("words", channel, a.number_out[agents]) * s.streams.pace
        self._account(op, agents, busy, end)
        s.finish(pc, agents, end)

    # Receives

    def _claim(self, colour: str, source: Source, agents: np.ndarray) -> np.ndarray:
        """Agents whose next message is under way get it; the others block."""
        s, a = self.state, self.state.agents
        index, pes = s.colour_index[colour], agents % s.pes
        channel = self._incoming(colour, source, agents)
        number = s.streams.received[index, pes]
        there = number < s.streams.sent[channel]
        s.block(agents[~there])
        agents, channel, number = agents[there], channel[there], number[there]
        a.number_in[agents] = number
        s.streams.received[index, pes[there]] += 1
        sent = s.streams.get("elements", channel, number)
        wrong = np.flatnonzero(sent != a.elements[agents])
        if wrong.size:
            at = int(wrong[0])
            raise TargetError(
                f"{s.placement.name(int(agents[at] % s.pes))} receives {int(a.elements[agents[at]])} elements of "
                f"colour '{colour}', but {s.placement.name(int(s.channels.root[channel[at]]))} sends {int(sent[at])}",
                where=source.place,
                hint="the bounds of a send and of its receives must agree",
            )
        a.stage[agents] = CLAIMED
        return agents

    def _begin_receives(self, op: Receive, agents: np.ndarray) -> None:
        if not len(agents):
            return
        s, a = self.state, self.state.agents
        channel, number, delay = self._arrival(op.colour, op.source, agents)
        pace = s.cost.word_cycles(_kind(op.combine), s.dtypes[op.dst.buffer])
        begin = np.maximum(a.start[agents] + self.setup, s.streams.get("head", channel, number) + delay)
        a.mark[agents] = begin + s.streams.get("words", channel, number) * pace
        natural = np.maximum(a.mark[agents], s.streams.get("natural", channel, number) + delay)
        s.streams.register(channel, number, natural - delay)
        s.wake(s.channels.root[channel])

    def _finish_receives(self, op: Receive, pc: int, agents: np.ndarray) -> None:
        if not len(agents):
            return
        s, a = self.state, self.state.agents
        channel, number, delay = self._arrival(op.colour, op.source, agents)
        done = s.streams.get("resolved", channel, number)
        s.block(agents[~done])
        agents, channel, number, delay = agents[done], channel[done], number[done], delay[done]
        end = np.maximum(a.mark[agents], s.streams.get("tail", channel, number) + delay)
        if s.memory is not None:
            for positions, data in s.streams.peek(channel, number):
                self._store(_kind(op.combine), op.dst, 0, agents[positions], data)
        s.streams.take(channel, number)
        pace = s.cost.word_cycles(_kind(op.combine), s.dtypes[op.dst.buffer])
        busy = self.setup + s.streams.get("words", channel, number) * pace
        self._account(op, agents, busy, end)
        s.finish(pc, agents, end)

    # Relays

    def _begin_relays(self, op: Relay, agents: np.ndarray) -> None:
        """Claimed input is combined and put out as a new message, as soon as its first word arrives."""
        if not len(agents):
            return
        s, a = self.state, self.state.agents
        channel, number, delay = self._arrival(op.receive, op.source, agents)
        outgoing = self._outgoing(op.send, op.source, agents)
        count = s.streams.get("words", channel, number)
        begin = np.maximum(a.start[agents] + self.setup, s.streams.get("head", channel, number) + delay)
        a.mark[agents] = begin + count * self._relay_pace(op)
        head = begin + self.relay_latency
        natural = s.streams.get("natural", channel, number) + delay + self.relay_latency
        lasting = np.maximum(count * self._relay_pace(op), natural - head)
        data = self._combine(op, agents, channel, number)
        a.number_out[agents], _ = s.streams.post(outgoing, head, lasting, count, a.elements[agents], data)
        self._wake_receivers(outgoing)

    def _pass_on(self, op: Relay, agents: np.ndarray) -> np.ndarray:
        """Relays whose output is known to leave tell their input's sender when they are done with it."""
        if not len(agents):
            return agents
        s, a = self.state, self.state.agents
        outgoing = self._outgoing(op.send, op.source, agents)
        done = s.streams.try_resolve(outgoing, a.number_out[agents])
        s.block(agents[~done])
        agents, outgoing = agents[done], outgoing[done]
        if not len(agents):
            return agents
        channel, number, delay = self._arrival(op.receive, op.source, agents)
        left = s.streams.get("tail", outgoing, a.number_out[agents])
        a.mark[agents] = np.maximum(a.mark[agents], left - self.relay_latency)
        natural = np.maximum(a.mark[agents], s.streams.get("natural", channel, number) + delay)
        s.streams.register(channel, number, natural - delay)
        a.stage[agents] = PASSED
        self._wake_receivers(outgoing)
        s.wake(s.channels.root[channel])
        return agents

    def _finish_relays(self, op: Relay, pc: int, agents: np.ndarray) -> None:
        agents = np.unique(agents)
        if not len(agents):
            return
        s, a = self.state, self.state.agents
        channel, number, delay = self._arrival(op.receive, op.source, agents)
        done = s.streams.get("resolved", channel, number)
        s.block(agents[~done])
        agents, channel, number, delay = agents[done], channel[done], number[done], delay[done]
        end = np.maximum(a.mark[agents], s.streams.get("tail", channel, number) + delay) + self.relay_latency
        busy = self.setup + s.streams.get("words", channel, number) * self._relay_pace(op)
        s.streams.take(channel, number)
        self._account(op, agents, busy, end)
        s.finish(pc, agents, end)

    def _relay_pace(self, op: Relay) -> float:
        access = op.own or op.dst
        if access is None:
            return self.state.streams.pace
        return self.state.cost.word_cycles(_kind(op.combine), self.state.dtypes[access.buffer])

    def _combine(self, op: Relay, agents: np.ndarray, channel: np.ndarray, number: np.ndarray) -> list[Any]:
        """Contents of a relay's output, also stored where `dst` says."""
        s = self.state
        if s.memory is None:
            return []
        out = []
        for positions, data in s.streams.peek(channel, number):
            for rows, own in (
                self._contents(op.own, 0, agents[positions]) if op.own else [(slice(None), None)]
            ):
                mixed = data[rows]
                if own is not None and op.combine != "store":
                    mixed = ELEMENTARY[op.combine](mixed, own.astype(mixed.dtype, copy=False))
                at = positions[rows]
                out.append((at, mixed))
                if op.dst is not None:
                    self._store("copy", op.dst, 1, agents[at], mixed)
        return out

    # Data, routes, accounts

    def _contents(
        self, access: Access, column: int, agents: np.ndarray
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Elements that an access walks over, as (positions, [positions, elements]) pairs; none when timing only."""
        s, a = self.state, self.state.agents
        if s.memory is None:
            return []
        out = []
        parameters = a.parameters[agents]
        for rows, bounds in by_bounds(parameters[:, : len(access.strides)]):
            pes = (agents % s.pes)[rows]
            data = s.memory.read(Located(access, parameters[rows, s.loops + column]), bounds, pes)
            out.append((np.arange(len(agents))[rows], data.reshape(len(pes), -1).copy()))
        return out

    def _store(self, kind: str, access: Access, column: int, agents: np.ndarray, data: np.ndarray) -> None:
        """Writes [agents, elements] through an access, combining with what is there unless `kind` is "copy"."""
        s, a = self.state, self.state.agents
        assert s.memory is not None
        parameters = a.parameters[agents]
        for rows, bounds in by_bounds(parameters[:, : len(access.strides)]):
            dst = Located(access, parameters[rows, s.loops + column])
            message = data[rows].reshape(-1, *bounds)
            srcs = [message] if kind == "copy" else [dst, message]
            s.memory.apply(s.kernels, kind, (agents % s.pes)[rows], bounds, dst, srcs)

    def _outgoing(self, colour: str, source: Source, agents: np.ndarray) -> np.ndarray:
        s = self.state
        channel = s.channels.outgoing[s.colour_index[colour], agents % s.pes]
        self._need_route(channel, colour, source, agents, "sends on")
        for number in np.unique(channel).tolist() if s.channels.lost else ():
            if number in s.channels.lost:
                raise TargetError(
                    f"wavelets of colour '{colour}' from {s.placement.name(int(s.channels.root[number]))} "
                    f"{s.channels.lost[number]}",
                    where=source.place,
                    hint="the last router of a route must give to its ramp only",
                )
        return channel

    def _incoming(self, colour: str, source: Source, agents: np.ndarray) -> np.ndarray:
        s = self.state
        channel = s.channels.incoming[s.colour_index[colour], agents % s.pes]
        self._need_route(channel, colour, source, agents, "receives")
        return channel

    def _need_route(
        self, channel: np.ndarray, colour: str, source: Source, agents: np.ndarray, verb: str
    ) -> None:
        missing = np.flatnonzero(channel < 0)
        if missing.size:
            s = self.state
            raise TargetError(
                f"{s.placement.name(int(agents[missing[0]] % s.pes))} {verb} colour '{colour}', "
                "for which no route leads there from a sender's ramp",
                where=source.place,
                hint="add the missing `Route`, or restrict the transfer to PEs that have one",
            )

    def _arrival(
        self, colour: str, source: Source, agents: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Channel, message number and delay of the messages that agents have claimed."""
        s = self.state
        channel = self._incoming(colour, source, agents)
        return channel, s.agents.number_in[agents], s.channels.delay[s.colour_index[colour], agents % s.pes]

    def _wake_receivers(self, channel: np.ndarray) -> None:
        s = self.state
        if len(channel):
            at, _ = s.channels.receivers.take(channel)
            s.wake(s.channels.receivers.values[at])

    def _account(self, op: Transfer, agents: np.ndarray, busy: np.ndarray, end: np.ndarray) -> None:
        """Counts a transfer's work, and splits its time on the main thread into moving words and waiting."""
        s, a = self.state, self.state.agents
        if not len(agents):
            return
        s.accounting.add_work(agents % s.pes, op, a.elements[agents])
        if agents[0] < s.pes:
            elapsed = end - a.start[agents]
            moving = np.minimum(busy, elapsed)
            reason = "wait_places" if isinstance(op, Send) else "wait_words"
            s.accounting.add(agents, communication=moving, **{reason: elapsed - moving})


def _accesses(op: Transfer) -> tuple[Access | None, ...]:
    if isinstance(op, Send):
        return (op.src,)
    return (op.dst,) if isinstance(op, Receive) else (op.own, op.dst)


def _kind(combine: str) -> str:
    return "copy" if combine == "store" else combine
