"""How far words can get: the marking of all streams and ports, without time.

Counts are of words, from the beginning of a stream. Words may leave a sender up to `capacity` before what each receiver
takes; a receiver at work takes a whole message, a relay what it can pass on. Counts only grow, and what is possible now
stays possible: the order of updates does not matter, and neither does time.
"""

from __future__ import annotations

import numpy as np

from .nets import Net

_RING = 2


_BY_STREAM = (
    "supplied",
    "left",
    "reserved",
    "posted",
    "supplier",
    "touched",
    "net_of_stream",
    "ends",
    "elements",
)
_BY_PORT = ("taken", "wanted", "claimed", "consumer", "capacity", "stream_of", "pe_of", "open")


def _with_room(array: np.ndarray, count: int) -> np.ndarray:
    """The array, made longer if it has fewer than `count` entries; further ones to come are seldom copied."""
    if len(array) >= count:
        return array
    longer = np.zeros((max(count, 2 * len(array)), *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer


class Streams:
    """The marking.

    By stream:
        supplied: words that its sender has put out or, for a relay, may put out.
        left: words that have left the sender.
        reserved: words of all its messages so far.
        posted: number of its messages so far.
        supplier: agent that sends at present, or -1.
        touched: 0, or how urgently it is to be looked at.
    By port:
        taken / wanted: words that the receiver has taken, and that it would take if they came.
        claimed: number of the messages that receivers have begun to take.
        consumer: agent that receives at present, or -1.
        open: whether words of the epoch get there.
    """

    def __init__(self) -> None:
        self.nets: list[Net] = []
        self._first: dict[tuple[str, int], tuple[int, int]] = {}
        self._streams = self._ports = 0  # how many there are; arrays may be longer
        self.supplied, self.left, self.reserved, self.posted, self.supplier, self.net_of_stream = (
            np.zeros(0, np.int64) for _ in range(6)
        )
        self.ends, self.elements = (np.zeros((0, _RING), np.int64) for _ in range(2))
        self.touched = np.zeros(0, np.int8)
        self.first_port = np.zeros(1, np.int64)
        self.taken, self.wanted, self.claimed, self.consumer = (np.zeros(0, np.int64) for _ in range(4))
        self.capacity, self.stream_of, self.pe_of = (np.zeros(0, np.int64) for _ in range(3))
        self.open = np.zeros(0, bool)

    def knows(self, net: Net) -> bool:
        """Whether a net was added."""
        return (net.colour, net.epoch) in self._first

    def numbers(self, net: Net) -> tuple[int, int]:
        """First stream and first port of a net."""
        return self._first[net.colour, net.epoch]

    def all_open(self, net: Net) -> bool:
        """Whether words get to all ports of a net."""
        _, first = self.numbers(net)
        return bool(self.open[first : first + len(net.pe)].all())

    def add(self, net: Net, opened: np.ndarray) -> None:
        """Adds a net; `opened` says which of its ports words get to at present."""
        first, first_port = self._streams, self._ports
        self._first[net.colour, net.epoch] = first, first_port
        self._streams, self._ports = first + len(net.root), first_port + len(net.pe)
        for name in _BY_STREAM:
            setattr(self, name, _with_room(getattr(self, name), self._streams))
        for name in _BY_PORT:
            setattr(self, name, _with_room(getattr(self, name), self._ports))
        self.first_port = _with_room(self.first_port, self._streams + 1)
        streams, ports = slice(first, self._streams), slice(first_port, self._ports)
        counts = np.bincount(net.stream, minlength=len(net.root))
        self.first_port[first + 1 : self._streams + 1] = first_port + np.cumsum(counts)
        self.net_of_stream[streams], self.supplier[streams] = len(self.nets), -1
        self.consumer[ports], self.open[ports] = -1, opened
        self.stream_of[ports], self.pe_of[ports] = first + net.stream, net.pe
        self.capacity[ports] = net.capacity
        self.nets.append(net)

    def ports(self, streams: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ports of streams together, for each the index of its stream in `streams`, and where each stream's begin."""
        counts = self.first_port[streams + 1] - self.first_port[streams]
        ends = np.cumsum(counts)
        owner = np.repeat(np.arange(len(streams)), counts)
        inside = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
        return self.first_port[streams][owner] + inside, owner, ends - counts

    def post(self, streams: np.ndarray, words: np.ndarray, elements: np.ndarray) -> None:
        """The next message of each stream begins."""
        self._make_room(streams)
        self.reserved[streams] += words
        slot = self.posted[streams] % self.ends.shape[1]
        self.ends[streams, slot] = self.reserved[streams]
        self.elements[streams, slot] = elements
        self.posted[streams] += 1

    def _make_room(self, streams: np.ndarray) -> None:
        """Doubles the rings when a message would take the place of one that is not claimed everywhere."""
        ring = self.ends.shape[1]
        full = streams[self.posted[streams] >= ring]
        if not len(full):
            return
        at, owner, _ = self.ports(full)
        if (self.claimed[at] > self.posted[full][owner] - ring).all():
            return
        for name in ("ends", "elements"):
            old = getattr(self, name)
            new = np.zeros((len(old), 2 * ring), np.int64)
            for back in range(1, ring + 1):
                number = np.maximum(self.posted - back, 0)
                rows = np.arange(len(old))
                new[rows, number % (2 * ring)] = old[rows, number % ring]
            setattr(self, name, new)

    def message(self, ports: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """End (in words of the stream) and elements of the message that each port claims next."""
        streams = self.stream_of[ports]
        slot = self.claimed[ports] % self.ends.shape[1]
        return self.ends[streams, slot], self.elements[streams, slot]

    def untaken(self) -> np.ndarray:
        """Ports with words that nobody has begun to take."""
        claimed, streams = self.claimed[: self._ports], self.stream_of[: self._ports]
        return np.flatnonzero(claimed < self.posted[streams])
