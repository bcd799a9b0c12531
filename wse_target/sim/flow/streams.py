"""Messages under way: per channel a ring of messages in order, with times as (head, tail) pairs.

A message is what one send puts out. Times, in cycles:
  head     when its first word leaves the sender's core;
  natural  when its last word would leave if receivers never held it up;
  tail     when its last word leaves. A stalled stream holds only `capacity` words, so the last word leaves no
           earlier than the word `capacity` places before it was taken: tail = max(natural, release of that word).
  release  when the slowest receiver is done, less the delay to it: the time as the sender sees it.

Simplifications: within a message words are evenly spaced; streams that meet on a link pass one after the other, in the
order in which the engine comes to them (nearly that of time), which takes as long in all as taking turns; a message
that is held up does not hold its links, since one blocked colour does not block another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...machine import Machine
from ..routing import LINKS, Channels

_FIELDS = {
    "head": np.float64, "natural": np.float64, "tail": np.float64, "release": np.float64,
    "resolved": np.bool_, "words": np.int64, "end": np.int64, "elements": np.int64,
    "unposted": np.int64, "untaken": np.int64, "batch": np.int64, "row": np.int64,
}  # fmt: skip


@dataclass
class _Batch:
    """Contents of the messages that were sent together, kept until all receivers have taken them."""

    data: np.ndarray
    readers: int


class Streams:
    """All messages between the PEs, and the occupancy of the links.

    Attributes:
        sent: messages sent, by channel.
        received: messages received, by [colour, PE].
        link_free: when each link is free again.
        link_words: words that went over each link.
    """

    def __init__(self, channels: Channels, machine: Machine, routers: int, pes: int) -> None:
        self.channels = channels
        self.capacity = machine.stream_capacity
        self.pace = machine.fabric.cycles_per_wavelet
        count = len(channels.root)
        self.fan_out = np.diff(channels.receivers.start)
        self.sent = np.zeros(count, np.int64)
        self.sent_words = np.zeros(count, np.int64)
        self.received = np.zeros((len(channels.colours), pes), np.int64)
        self.link_free = np.zeros(routers * LINKS)
        self.link_words = np.zeros(routers * LINKS, np.int64)
        self.ring = 4
        self.slots = {name: np.zeros((count, self.ring), dtype) for name, dtype in _FIELDS.items()}
        self._batches: dict[int, _Batch] = {}
        self._next_batch = 0

    def rewind(self) -> None:
        """Time starts at 0 again; nothing is under way."""
        self.link_free[:] = 0
        self.link_words[:] = 0
        self.sent[:] = self.sent_words[:] = self.received[:] = 0
        for column in self.slots.values():
            column[:] = 0

    def post(
        self,
        channel: np.ndarray,
        head: np.ndarray,
        lasting: np.ndarray,
        words: np.ndarray,
        elements: np.ndarray,
        data: list[tuple[np.ndarray, np.ndarray]],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Puts one message on each of the given channels, all of one colour and none twice: they share no link.

        Args:
            head: earliest time of each first word; links that are taken delay it.
            lasting: least time between head and natural tail.
            data: (positions into `channel`, contents [positions, elements]) pairs; empty when timing only.

        Returns:
            Numbers of the messages on their channels, and heads.
        """
        end = self.sent_words[channel] + words
        self._make_room(channel, end)
        number = self.sent[channel]
        slot = number % self.ring
        head = self._occupy(channel, head, words)
        values = {
            "head": head, "natural": head + np.maximum(lasting, words * self.pace), "tail": 0.0, "release": -np.inf,
            "resolved": False, "words": words, "end": end, "elements": elements,
            "unposted": self.fan_out[channel], "untaken": self.fan_out[channel], "batch": -1, "row": 0,
        }  # fmt: skip
        for name, value in values.items():
            self.slots[name][channel, slot] = value
        for rows, contents in data:
            self._keep(channel[rows], slot[rows], contents)
        self.sent[channel] += 1
        self.sent_words[channel] = end
        return number, head

    def get(self, name: str, channel: np.ndarray, number: np.ndarray) -> np.ndarray:
        """One field of messages that are under way."""
        return self.slots[name][channel, number % self.ring]

    def _keep(self, channel: np.ndarray, slot: np.ndarray, contents: np.ndarray) -> None:
        number, self._next_batch = self._next_batch, self._next_batch + 1
        self._batches[number] = _Batch(contents, int(self.fan_out[channel].sum()))
        self.slots["batch"][channel, slot] = number
        self.slots["row"][channel, slot] = np.arange(len(channel))

    def _make_room(self, channel: np.ndarray, end: np.ndarray) -> None:
        """Doubles the rings when a slot is needed whose message is not taken, or still says when words were taken."""
        while True:
            slot = self.sent[channel] % self.ring
            old = self.sent[channel] >= self.ring
            needed = self.slots["end"][channel, slot] >= end - self.capacity
            if not np.any(old & (needed | (self.slots["untaken"][channel, slot] > 0))):
                return
            grown = {name: np.zeros((len(c), 2 * self.ring), c.dtype) for name, c in self.slots.items()}
            for back in range(self.ring):
                number = np.maximum(self.sent - 1 - back, 0)
                rows = np.arange(len(number))
                for name, column in self.slots.items():
                    grown[name][rows, number % (2 * self.ring)] = column[rows, number % self.ring]
            self.slots, self.ring = grown, 2 * self.ring

    def _occupy(self, channel: np.ndarray, head: np.ndarray, words: np.ndarray) -> np.ndarray:
        """Waits for all links of the trees, takes them for the messages' words, returns the heads."""
        at, owner = self.channels.links.take(channel)
        links, delay = self.channels.links.values[at], self.channels.link_delay[at]
        late = self.link_free[links] - delay
        first = np.searchsorted(owner, np.arange(len(channel)))
        head = np.maximum(head, np.maximum.reduceat(late, first))
        busy = words * self.pace
        self.link_free[links] = (head + busy)[owner] + delay
        self.link_words[links] += words[owner]
        return head

    def try_resolve(self, channel: np.ndarray, number: np.ndarray) -> np.ndarray:
        """Sets the tails of messages for which it is known when enough words were taken; returns which have one."""
        s = self.slots
        slot = number % self.ring
        resolved: np.ndarray = s["resolved"][channel, slot].astype(bool)
        todo = np.flatnonzero(~resolved)
        if not todo.size:
            return resolved
        channel, slot = channel[todo], slot[todo]
        natural = s["natural"][channel, slot]
        word = (
            s["end"][channel, slot] - self.capacity
        )  # number of the word whose taking frees a place for the last
        holder, after = self._holder(channel, slot, word)
        held = word > 0
        known = ~held | (s["unposted"][channel, holder] == 0)
        taken = np.maximum(
            s["release"][channel, holder], s["tail"][channel, holder]
        )  # an earlier one may have waited
        release = taken - after * self.pace
        tail = np.where(held, np.maximum(natural, release), natural)
        s["tail"][channel[known], slot[known]] = tail[known]
        s["resolved"][channel[known], slot[known]] = True
        resolved[todo] = known
        return resolved

    def _holder(
        self, channel: np.ndarray, slot: np.ndarray, word: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Slot of the message that contains a channel's `word`, and how many words of it come after."""
        s = self.slots
        holder = slot.copy()
        for _ in range(self.ring):
            before = s["end"][channel, holder] - s["words"][channel, holder]
            earlier = (word > 0) & (word <= before)
            if not earlier.any():
                break
            holder[earlier] = (holder[earlier] - 1) % self.ring
        return holder, s["end"][channel, holder] - word

    def register(self, channel: np.ndarray, number: np.ndarray, release: np.ndarray) -> None:
        """A receiver of each message tells when it would be done with it (several may be of one channel)."""
        s, slot = self.slots, number % self.ring
        np.maximum.at(s["release"], (channel, slot), release)
        np.subtract.at(s["unposted"], (channel, slot), 1)

    def peek(self, channel: np.ndarray, number: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Contents of messages as (positions, [positions, elements]) pairs."""
        batch, row = self.get("batch", channel, number), self.get("row", channel, number)
        groups = []
        for key in np.unique(batch):
            positions = np.flatnonzero(batch == key)
            groups.append((positions, self._batches[int(key)].data[row[positions]]))
        return groups

    def take(self, channel: np.ndarray, number: np.ndarray) -> None:
        """A receiver of each message is done with it."""
        slot = number % self.ring
        np.subtract.at(self.slots["untaken"], (channel, slot), 1)
        keys, counts = np.unique(self.slots["batch"][channel, slot], return_counts=True)
        for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
            if key < 0:
                continue
            batch = self._batches[key]
            batch.readers -= count
            if batch.readers == 0:
                del self._batches[key]

    def left_over(self) -> int | None:
        """A channel with words that nobody took, or None."""
        pending = np.flatnonzero((self.slots["untaken"] > 0).any(axis=1))
        return int(pending[0]) if pending.size else None
