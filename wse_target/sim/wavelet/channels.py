"""Channels: the words of one sender, colour and epoch on their way to the inboxes of all their receivers.

A word may leave when each receiver has a place for it. Places are counted as credits: a receiver starts with as many
as its stream can hold, a word that leaves uses one, and a word that is taken gives one back from that time on.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from .fabric import CALL, OutputPort, RouterNode, Word


class Message:
    """What one send or relay puts out.

    Attributes:
        packed: whether narrow elements share words.
        size: elements a word, at least one.
        held: longest time that a word of it waited for a router's setting.
    """

    __slots__ = ("channel", "elements", "held", "packed", "size", "words")

    def __init__(self, channel: Channel, elements: int, words: int, packed: bool) -> None:
        self.channel = channel
        self.elements = elements
        self.words = words
        self.packed = packed
        self.size = -(-elements // words)
        self.held = 0.0


class Outgoing(Protocol):
    """A send or relay in a channel's queue."""

    def begin(self, time: float) -> None:
        """Its turn has come; what was before it is through at `time`."""
        ...

    def proceed(self, time: float) -> None:
        """A place that it waits for is free from `time` on."""
        ...

    def left(self, now: float) -> None: ...


class Incoming(Protocol):
    """A receive or relay in an inbox's queue."""

    def take(self, time: float, word: Word, delivery: Delivery) -> bool:
        """Takes a word that arrived at `time`, unless it cannot be taken yet."""
        ...


class Delivery:
    """The end of a channel at one receiver.

    Attributes:
        credits: times from which on there is a place, one for each free place.
    """

    __slots__ = ("channel", "credits", "inbox")

    def __init__(self, channel: Channel, inbox: Inbox, capacity: int) -> None:
        self.channel = channel
        self.inbox = inbox
        self.credits: deque[float] = deque([0.0]) * capacity

    def arrive(self, now: float, word: Word) -> None:
        """A word has come down the ramp."""
        inbox = self.inbox
        if inbox.pending or not inbox.queue or not inbox.queue[0].take(now, word, self):
            inbox.pending.append((now, word, self))

    def taken(self, time: float) -> None:
        """A place is free from `time` on."""
        self.credits.append(time)
        channel = self.channel
        if channel.starved:
            channel.starved = False
            channel.queue[0].proceed(time)


class Inbox:
    """Words that have arrived at a core, and the transfers that take them, one after the other."""

    __slots__ = ("colour", "epoch", "pe", "pending", "queue")
    kind = CALL

    def __init__(self, pe: int, colour: str, epoch: int | None) -> None:
        self.pe = pe
        self.colour = colour
        self.epoch = epoch
        self.pending: deque[tuple[float, Word, Delivery]] = deque()
        self.queue: deque[Incoming] = deque()

    def fire(self, now: float, word: None) -> None:
        """The transfers take what they can of the words that are there."""
        self.drain()

    def drain(self) -> None:
        """As `fire`, at once."""
        pending, queue = self.pending, self.queue
        while pending and queue and queue[0].take(*pending[0]):
            pending.popleft()


class Channel:
    """All words of one sender and colour in one epoch.

    Attributes:
        entry / relayed: where words of sends and of relays begin; senders are told when a word has left.
        queue: sends and relays in order of issue; the first one has its turn.
        starved: whether that one waits for a place.
        holder: PE that was the last to free the place that was used last.
    """

    __slots__ = ("colour", "deliveries", "entry", "epoch", "holder", "pe", "queue", "relayed", "starved")

    def __init__(self, pe: int, colour: str, epoch: int) -> None:
        self.pe = pe
        self.colour = colour
        self.epoch = epoch
        self.entry, self.relayed = RouterNode(), RouterNode()
        self.deliveries: list[Delivery] = []
        self.queue: deque[Outgoing] = deque()
        self.starved = False
        self.holder = pe

    def begin_at(self, up: OutputPort, beside: OutputPort) -> None:
        """Sets the ramp up from the core, once with and once without a report of words that left."""
        up.sender = self
        self.entry.branches, self.relayed.branches = [up], [beside]

    def left(self, now: float) -> None:
        """See `fabric.Sender`."""
        self.queue[0].left(now)

    def credit(self) -> float | None:
        """Time from which on every receiver has a place for one more word, which is used up; None: not known yet."""
        latest = 0.0
        deliveries = self.deliveries
        for delivery in deliveries:
            if not delivery.credits:
                self.starved = True
                return None
        for delivery in deliveries:
            time = delivery.credits.popleft()
            if time > latest:
                latest, self.holder = time, delivery.inbox.pe
        return latest

    def slowest(self) -> list[int]:
        """PEs that have no place for another word."""
        return [d.inbox.pe for d in self.deliveries if not d.credits]

    def finish(self, time: float) -> None:
        """The first transfer of the queue is through at `time`; the next one has its turn."""
        self.queue.popleft()
        if self.queue:
            self.queue[0].begin(time)
