"""Data of transfers: what leaves memory with a send, and where it goes. Times play no part here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...instructions import Access, Receive, Relay, Send, Transfer
from ..contents import MessageContents
from ..located import Located
from ..memory import by_bounds
from .lane import ChannelIndex, Lane, Numbers
from .state import Selection, State, listed, size

PayloadPart = tuple[Any, tuple[int, ...], np.ndarray]  # positions in a group, loop bounds, PEs


class Payload:
    """Moves the contents of messages; does nothing when only time is asked for."""

    def __init__(self, state: State) -> None:
        self._state = state
        memory = state.memory
        self.contents = None if memory is None else MessageContents(memory, state.loaded.kernels)
        self.log: list[tuple[Callable[..., None], tuple]] | None = None

    def note(self, action: Callable[..., None], *args: Any) -> None:
        """Remembers what was done with data, to be done again in trips of a loop that repeats; see `periodic`."""
        if self.log is not None:
            self.log.append((action, tuple(a.copy() if isinstance(a, np.ndarray) else a for a in args)))

    def fix(self, op: Transfer, pc: int, thread: int, at: Selection, bounds: list) -> None:
        """Keeps a transfer's loop bounds and places of access as they are when it is issued."""
        if self.contents is None:
            return
        self.note(self.fix, op, pc, thread, at, bounds)
        s = self._state
        parameters = s.agents.parameters[thread]
        for column, bound in enumerate(bounds):
            parameters[at, column] = bound
        for column, access in enumerate(accesses(op)):
            if access is not None:
                parameters[at, s.loops + column] = s.evaluate(access.offset, pc, at)

    def send(
        self, op: Send, lane: Lane, thread: int, at: Selection, channel: ChannelIndex, number: Numbers
    ) -> None:
        """Reads what a group sends."""
        if self.contents is None:
            return
        self.note(self.send, op, lane, thread, at, channel, number)
        for where, bounds, pes in self._parts(op.src, thread, at):
            base = self._base(thread, pes, 0)
            readers = int(lane.fan_out[channel][where].sum())
            batch = self.contents.hold(Located(op.src, base), bounds, pes, readers)
            self._name(lane, channel, number, where, batch, len(pes))

    def receive(
        self, op: Receive, lane: Lane, thread: int, at: Selection, channel: np.ndarray, number: Numbers
    ) -> None:
        """Stores what a group has received."""
        if self.contents is None:
            return
        self.note(self.receive, op, lane, thread, at, channel, number)
        for batch, where, rows in self._batches(lane, channel, number, at):
            for part, bounds, pes in self._parts(op.dst, thread, listed(at)[where]):
                located = Located(op.dst, self._base(thread, pes, 0))
                self.contents.store(batch, rows[part], kind(op.combine), located, bounds, pes)
            self.contents.release(batch, len(rows))

    def relay(
        self, op: Relay, lanes: tuple[Lane, Lane], thread: int, at: Selection,
        channels: tuple[np.ndarray, np.ndarray], numbers: tuple[Numbers, Numbers],
    ) -> None:  # fmt: skip
        """Combines what a group takes with what it has, and passes it on; stores it where `dst` says."""
        contents = self.contents
        if contents is None:
            return
        self.note(self.relay, op, lanes, thread, at, channels, numbers)
        taken, given = lanes
        walk = op.own or op.dst
        for batch, where, rows in self._batches(taken, channels[0], numbers[0], at):
            for part, bounds, pes in self._parts(walk, thread, listed(at)[where]):
                own = None if op.own is None else Located(op.own, self._base(thread, pes, 0))
                positions = where[part]
                readers = int(given.fan_out[channels[1]][positions].sum())
                stores = op.dst is not None
                made = contents.combine(
                    batch, rows[part], kind(op.combine), own, bounds, pes, readers + stores * len(pes)
                )
                self._name(given, channels[1], numbers[1], positions, made, len(pes))
                if op.dst is not None:
                    place = Located(op.dst, self._base(thread, pes, 1))
                    contents.store(made, np.arange(len(pes)), "copy", place, bounds, pes)
                    contents.release(made, len(pes))
            contents.release(batch, len(rows))

    def _base(self, thread: int, pes: np.ndarray, column: int) -> np.ndarray:
        return self._state.agents.parameters[thread][pes, self._state.loops + column]

    def _parts(self, access: Access | None, thread: int, at: Selection) -> Iterator[PayloadPart]:
        """A group split by loop bounds."""
        pes = listed(at)
        loops = len(access.strides) if access is not None else 1
        table = self._state.agents.parameters[thread][at, :loops]
        if access is None:
            table = self._state.agents.elements[thread][at][:, None].astype(np.int64)
        for where, bounds in by_bounds(table):
            positions = np.arange(len(pes)) if isinstance(where, slice) else where
            yield positions, bounds, pes[positions]

    def _name(
        self, lane: Lane, channel: ChannelIndex, number: Numbers, where: np.ndarray, batch: int, count: int
    ) -> None:
        """Says which batch, and which row of it, is a message's contents."""
        channels = channel if isinstance(channel, np.ndarray) else np.arange(channel.start, channel.stop)
        numbers = number[where] if isinstance(number, np.ndarray) else number
        lane.put("batch", channels[where], numbers, batch)
        lane.put("row", channels[where], numbers, np.arange(count))

    def _batches(
        self, lane: Lane, channel: np.ndarray, number: Numbers, at: Selection
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Messages by batch: its number, their positions in the group, and rows in the batch."""
        batches, rows = lane.get("batch", channel, number), lane.get("row", channel, number)
        keys = np.unique(batches).tolist() if (batches != batches[0]).any() else [int(batches[0])]
        for key in keys:
            where = np.flatnonzero(batches == key) if len(keys) > 1 else np.arange(size(at))
            yield key, where, rows[where]


def accesses(op: Transfer) -> tuple[Access | None, ...]:
    """What a transfer reads and writes; a relay's own elements first."""
    if isinstance(op, Send):
        return (op.src,)
    return (op.dst,) if isinstance(op, Receive) else (op.own, op.dst)


def kind(combine: str) -> str:
    """The vector operation that combines what comes with what is there."""
    return "copy" if combine == "store" else combine
