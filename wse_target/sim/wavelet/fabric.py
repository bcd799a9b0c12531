"""Routers and links: the queue of events, and links that pass words, colour by colour in turn.

An event is the arrival of a word at a router, the end of a link's word while others wait for the link, or a call of
something else at its time. Events of one time happen in the order in which they were scheduled, which makes runs
reproducible. Times are those at which a word is *complete*: a word that left its core at t has passed the link there.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from itertools import count
from typing import Any, Protocol

ROUTER, LINK, CALL = 0, 1, 2
CLOSE = 1e-9  # cycles by which sums of the same numbers may differ
Word = tuple[Any, Any]  # the message that a wavelet is of, and the elements it carries


class EventTarget(Protocol):
    """What an event concerns. Those of kind CALL have a method `fire(now, word)`."""

    kind: int


class Link:
    """A link of one direction. Each colour that waits has a queue; colours take turns in order of their numbers."""

    __slots__ = ("free", "last", "queues", "waiting", "words")
    kind = LINK

    def __init__(self) -> None:
        self.free = 0.0
        self.words = 0
        self.waiting = 0
        self.last = 0
        self.queues: dict[int, deque[tuple[OutputPort, Word]]] = {}

    def enqueue(self, branch: OutputPort, word: Word) -> None:
        """A word waits for the link."""
        queue = self.queues.get(branch.colour)
        if queue is None:
            queue = self.queues[branch.colour] = deque()
        queue.append((branch, word))
        self.waiting += 1

    def choose(self) -> tuple[OutputPort, Word]:
        """Takes the first word of the colour whose turn it is: the next number after the colour that passed last."""
        queues = self.queues
        later = [colour for colour in queues if colour > self.last]
        colour = min(later or queues)
        queue = queues[colour]
        chosen = queue.popleft()
        if not queue:
            del queues[colour]
        self.waiting -= 1
        return chosen


class Receiver(Protocol):
    """Where the ramp down to a core ends."""

    def arrive(self, now: float, word: Word) -> None: ...


class Sender(Protocol):
    """What wants to know that its word has left the core."""

    def left(self, now: float) -> None: ...


class OutputPort:
    """One way out of a router (or of a core) for the words of a channel.

    Attributes:
        latency: cycles from the link to what follows.
        router / receiver: what follows: the next router's node, or the core at the end of the ramp.
        sender: told when words have passed; only at a core's ramp.
    """

    __slots__ = ("colour", "latency", "link", "receiver", "router", "sender")

    def __init__(self, colour: int, link: Link, latency: float) -> None:
        self.colour = colour
        self.link = link
        self.latency = latency
        self.router: RouterNode | None = None
        self.receiver: Receiver | None = None
        self.sender: Sender | None = None


class Gate:
    """The setting of one colour on a router whose PE switches it.

    Attributes:
        chosen: epoch that the PE's program has come to; it may be ahead of the events.
        epoch: epoch that the router is in.
        held: words that came before the router was in their epoch, with the time since when.
    """

    __slots__ = ("_fabric", "chosen", "epoch", "held", "pe")
    kind = CALL

    def __init__(self, fabric: Fabric, pe: int) -> None:
        self._fabric = fabric
        self.pe = pe
        self.chosen = self.epoch = 0
        self.held: list[tuple[RouterNode, Word, float]] = []

    def choose(self, epoch: int, time: float) -> None:
        """The PE's program begins an epoch at `time`."""
        self.chosen = epoch
        self._fabric.schedule(time, self, epoch)

    def fire(self, now: float, epoch: int) -> None:
        """The router comes to the epoch: words that wait for it go on, in the order in which they came."""
        self.epoch = epoch
        held, self.held = self.held, []
        for node, word, since in held:
            if node.epoch <= epoch:
                word[0].held = max(word[0].held, now - since)
                self._fabric.enter(now, node, word)
            else:
                self.held.append((node, word, since))


class RouterNode:
    """A router as words of one channel see it: where they go on to, and the gate they wait at, if any."""

    __slots__ = ("branches", "epoch", "gate")
    kind = ROUTER

    def __init__(self, gate: Gate | None = None, epoch: float = 0) -> None:
        self.branches: list[OutputPort] = []
        self.gate = gate
        self.epoch = epoch


class Fabric:
    """The events and the time. `pace` is the cycles a link takes for a word."""

    def __init__(self, pace: float) -> None:
        self.pace = pace
        self._heap: list[tuple[float, int, Any, Any]] = []
        self._number = count()

    def schedule(self, time: float, target: EventTarget, word: Any = None) -> None:
        """Something happens to `target` at a time that is not over."""
        heappush(self._heap, (time, next(self._number), target, word))

    def run(self) -> None:
        """Until nothing happens any more."""
        heap, enter = self._heap, self.enter
        while heap:
            now, _, target, word = heappop(heap)
            kind = target.kind
            if kind == ROUTER:
                enter(now, target, word)
            elif kind == LINK:
                branch, word = target.choose()
                self._cross(now, branch, word)
                if target.waiting:
                    heappush(heap, (target.free, next(self._number), target, None))
            else:
                target.fire(now, word)

    def enter(self, now: float, node: RouterNode, word: Word) -> None:
        """A word is at a router: it waits for the router's epoch, then takes each link, or waits for it."""
        gate = node.gate
        if gate is not None:
            if gate.epoch < node.epoch:
                gate.held.append((node, word, now))
                return
            node.gate = None
        for branch in node.branches:
            link = branch.link
            if link.waiting:
                link.enqueue(branch, word)
            elif link.free > now + CLOSE:
                link.enqueue(branch, word)
                heappush(self._heap, (link.free, next(self._number), link, None))
            else:
                self._cross(now, branch, word)

    def _cross(self, now: float, branch: OutputPort, word: Word) -> None:
        link = branch.link
        link.free = now + self.pace
        link.words += 1
        link.last = branch.colour
        router = branch.router
        if router is not None:
            heappush(self._heap, (now + branch.latency, next(self._number), router, word))
        else:
            branch.receiver.arrive(now + branch.latency, word)  # type: ignore[union-attr]
        if branch.sender is not None:
            branch.sender.left(now)
