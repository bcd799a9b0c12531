"""What single receivers of multicasts tell of messages, where they have places for different numbers of words.

Word k of a channel leaves no earlier than *every* receiver r, with places for C(r) words, took word k - C(r): a far
receiver has more places on its way, and lets the sender go on for longer than a near one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..routing import Tree


@dataclass(frozen=True)
class Messages:
    """Messages of some channels, one of each: where they are in the rings, and their words."""

    channel: np.ndarray
    number: np.ndarray
    end: np.ndarray  # the channel's words up to and with the message's


class Branches:
    """Per receiver and message: when it took the last word at its own pace, and until when it holds that up.

    Attributes:
        most: the most places that a receiver of a channel has, by channel.
    """

    def __init__(self, tree: Tree, capacity: np.ndarray, most: np.ndarray, ring: int) -> None:
        """`capacity`: words that a stream to a PE holds, by PE."""
        self._tree, self._capacity, self.most = tree, capacity, most
        self._number = np.full((ring, len(tree.incoming)), -1, np.int64)
        self._mark, self._hold = np.zeros(self._number.shape), np.zeros(self._number.shape)

    def register(self, pes: np.ndarray, number: np.ndarray | int, mark: np.ndarray, hold: np.ndarray) -> None:
        """Receivers tell of their messages."""
        slot = np.broadcast_to(np.asarray(number) % len(self._number), pes.shape)
        for table, value in ((self._number, number), (self._mark, mark), (self._hold, hold)):
            table[slot, pes] = value

    def grow(self) -> None:
        """The rings become twice as long."""
        old = (self._number, self._mark, self._hold)
        self._number, self._mark, self._hold = (
            np.full((2 * len(t), t.shape[1]), t.dtype.type(-1)) for t in old
        )
        for row in range(len(old[0])):
            pes = np.flatnonzero(old[0][row] >= 0)
            self.register(pes, old[0][row, pes], old[1][row, pes], old[2][row, pes])

    def advance(self, shift: np.ndarray) -> None:
        """All times are later by `shift`, by channel."""
        pes = np.flatnonzero(self._tree.incoming >= 0)
        for table in (self._mark, self._hold):
            table[:, pes] += shift[self._tree.incoming[pes]]

    def release(
        self, asked: Messages, slots: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """When every receiver took the word that frees a place for the last one of each message.

        Returns:
            Whether that is known; the time, as the sender sees it; and whether a message before decides it.
        """
        ring = len(self._number)
        at, owner = self._tree.receivers.take(asked.channel)
        pes = self._tree.receivers.values[at]
        channel, number = asked.channel[owner], asked.number[owner].copy()
        word = asked.end[owner] - self._capacity[pes]
        wanted = word > 0
        for _ in range(ring):
            slot = number % ring
            back = wanted & (word <= slots["end"][slot, channel] - slots["words"][slot, channel])
            if not back.any():
                break
            number[back] -= 1
        slot, own = number % ring, number == asked.number[owner]
        told = self._number[slot, pes] == number
        known = ~wanted | (told & (own | (slots["stage"][slot, channel] != 0)))
        words = np.maximum(slots["words"][slot, channel], 1)
        stride = (slots["natural"][slot, channel] - slots["head"][slot, channel]) / words
        taken = np.maximum(self._mark[slot, pes], slots["tail"][slot, channel] + self._tree.delay[pes])
        earlier = taken - (slots["end"][slot, channel] - word) * stride
        time = np.where(wanted, np.where(own, self._hold[slot, pes], earlier), -np.inf)
        return _combine(len(asked.channel), owner, known, time, wanted & ~own)


def _combine(
    count: int, owner: np.ndarray, known: np.ndarray, time: np.ndarray, before: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What all receivers of a message say together."""
    release = np.full(count, -np.inf)
    np.maximum.at(release, owner, time)
    decides = np.zeros(count, bool)
    decides[owner[before & (time >= release[owner])]] = True
    return np.bincount(owner, ~known, count) == 0, release, decides
