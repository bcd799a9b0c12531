"""Sends, receives and relays under way, word by word; times as in docs/simulator.md, "The machine model"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ...errors import TargetError
from ...instructions import Receive, Relay, Send, Transfer
from ..arithmetic import ELEMENTARY
from .channels import Channel, Delivery, Inbox, Message
from .fabric import CALL, Word
from .run import Run


class Owner(Protocol):
    """The core that a transfer belongs to: where it is, and who is told that the transfer is over."""

    run: Run
    pe: int
    pc: int
    clock: float

    def ended(self, transfer: RunningTransfer, now: float) -> None:
        """The transfer is over."""
        ...


class RunningTransfer:
    """What every transfer has.

    Attributes:
        begun: time of issue.
        last: time at which its last word so far left or was taken.
        pace: least cycles from word to word.
        done: words that left or were taken, of `total`.
        cause: PE that decided when the last word left or was taken.
        places: cycles that it waited for places.
        message: what the words belong to, None when nothing has come yet.
        bounds / bases: trip counts, and offset of the destination.
    """

    kind = CALL

    def __init__(self, core: Owner, op: Transfer, elements: int) -> None:
        self.core = core
        self.op = op
        self.pc = core.pc
        self.begun = self.last = core.clock
        self.ready = core.clock + core.run.machine.fabric.transfer_setup
        self.elements = elements
        self.pace = 0.0
        self.done = self.total = 0
        self.cause = core.pe
        self.places = 0.0
        self.message: Message | None = None
        self._paces: Sequence[float] = ()
        self.bounds: tuple[int, ...] = ()
        self.bases: tuple[int, ...] = ()

    def finish(self, end: float) -> None:
        """It is over at `end`, which is not over yet."""
        self.last = end
        self.core.run.fabric.schedule(end, self)

    def fire(self, now: float, word: Any) -> None:
        """The end has come: the thread goes on."""
        self.core.ended(self, now)

    def _begin(self, message: Message) -> None:
        """The first word of a message has come."""
        if message.elements != self.elements:
            names = self.core.run.placement.name
            assert not isinstance(self.op, Send)
            colour = self.op.receive if isinstance(self.op, Relay) else self.op.colour
            raise TargetError(
                f"{names(self.core.pe)} receives {self.elements} elements of colour '{colour}', but "
                f"{names(message.channel.pe)} sends {message.elements}",
                where=self.op.source.place,
                hint="the bounds of a send and of its receives must agree",
            )
        self.message = message
        self.total = message.words
        self.pace = self._paces[message.packed]

    def _time(self, arrived: float, word: Word) -> float:
        """Earliest time to take a word: one pace after the one before, the first one from when it began to come."""
        message = self.message
        if message is None:
            self._begin(word[0])
            begins = arrived - self.core.run.fabric.pace
            if begins > self.ready:
                self.cause = word[0].channel.pe
                return begins + self.pace
            return max(self.ready + self.pace, arrived)
        if message is not word[0]:
            raise self._mixed(message, word[0])
        time = self.last + self.pace
        if arrived > time:
            self.cause = message.channel.pe
            return arrived
        return time

    def _mixed(self, message: Message, other: Message) -> TargetError:
        names = self.core.run.placement.name
        return TargetError(
            f"words of colour '{message.channel.colour}' from {names(message.channel.pe)} and "
            f"{names(other.channel.pe)} mix at {names(self.core.pe)}",
            where=self.op.source.place,
            hint="switch the receiver's router, too, between messages of different senders",
        )


class Sending(RunningTransfer):
    """A send: a word leaves when the ramp passes it, the next one a pace later if all receivers have places."""

    def __init__(self, core: Owner, op: Send, channel: Channel, words: list[Word], pace: float) -> None:
        message: Message = words[0][0]
        super().__init__(core, op, message.elements)
        self.message = message
        self.pace = pace
        self.total = message.words
        self.channel = channel
        self._words = words
        self._earliest = self.ready + pace
        channel.queue.append(self)
        if channel.queue[0] is self:
            self._leave()

    def begin(self, time: float) -> None:
        """See `channels.Outgoing`."""
        self._earliest = max(self._earliest, time + self.pace)
        self._leave()

    def proceed(self, time: float) -> None:
        """See `channels.Outgoing`."""
        self._leave()

    def _leave(self) -> None:
        """The next word leaves as soon as it may."""
        channel, time = self.channel, self._earliest
        credit = channel.credit()
        if credit is None:
            return
        if credit > time:
            self.places += credit - time
            self.cause = channel.holder
            time = credit
        self.core.run.fabric.schedule(time, channel.entry, self._words[self.done])

    def left(self, now: float) -> None:
        """A word has passed the ramp."""
        self.done += 1
        self._earliest = now + self.pace
        if self.done < self.total:
            self._leave()
        else:
            self.channel.finish(now)
            self.finish(now)


class Receiving(RunningTransfer):
    """A receive; what it took is stored when it is over. `paces` are for messages that are not packed, and packed."""

    def __init__(self, core: Owner, op: Receive, inbox: Inbox, elements: int, paces: Sequence[float]) -> None:
        super().__init__(core, op, elements)
        self.op: Receive = op
        self._paces = paces
        self.inbox = inbox
        self.parts: list[np.ndarray] = []
        inbox.queue.append(self)

    def take(self, time: float, word: Word, delivery: Delivery) -> bool:
        """See `channels.Incoming`."""
        self.last = last = self._time(time, word)
        self.parts.append(word[1])
        self.done += 1
        if self.done == self.total:
            self.inbox.queue.popleft()
            self.finish(last)
        delivery.taken(last)
        return True


class Relaying(RunningTransfer):
    """A relay: takes a word when there is a place for it further on, and puts it out a little later."""

    def __init__(
        self, core: Owner, op: Relay, inbox: Inbox, channel: Channel, elements: int, paces: Sequence[float]
    ) -> None:
        super().__init__(core, op, elements)
        self.op: Relay = op
        self._paces = paces
        self.inbox = inbox
        self.channel = channel
        self.own: np.ndarray | None = None
        self.parts: list[np.ndarray] = []
        self._latency = core.run.machine.fabric.relay_latency
        self._out: Message | None = None
        inbox.queue.append(self)
        channel.queue.append(self)

    def begin(self, time: float) -> None:
        """See `channels.Outgoing`."""
        self.ready = max(self.ready, time)
        self.core.run.fabric.schedule(time, self.inbox)

    def proceed(self, time: float) -> None:
        """See `channels.Outgoing`. An event of its own: chains of relays may be long."""
        self.core.run.fabric.schedule(time, self.inbox)

    def left(self, now: float) -> None:
        """Nobody waits for a relay's words to leave."""

    def take(self, time: float, word: Word, delivery: Delivery) -> bool:
        """See `channels.Incoming`."""
        channel = self.channel
        if channel.queue[0] is not self:
            return False
        credit = channel.credit()
        if credit is None:
            return False
        taken = self._time(time, word)
        if credit > taken:
            self.places += credit - taken
            self.cause = channel.holder
            taken = credit
        self.last = taken
        self.core.run.fabric.schedule(taken + self._latency, channel.relayed, self._combined(word))
        self.done += 1
        if self.done == self.total:
            self.inbox.queue.popleft()
            channel.finish(taken + self._latency)
            self.finish(taken + self._latency)
        delivery.taken(taken)
        return True

    def _combined(self, word: Word) -> Word:
        """The word that goes out: the elements that came, each combined with the PE's own."""
        message = word[0]
        if self._out is None:
            self._out = Message(self.channel, message.elements, message.words, message.packed)
        part = word[1]
        if part is not None:
            if self.own is not None and self.op.combine != "store":
                first, last = elements_of(message, self.done)
                mine = self.own[first:last].astype(part.dtype, copy=False)
                part = ELEMENTARY[self.op.combine](part, mine)
            self.parts.append(part)
        return self._out, part


def elements_of(message: Message, word: int) -> tuple[int, int]:
    """First and one past the last element that a word carries; of an element's two words the second carries it."""
    if message.words > message.elements:
        return word // 2, (word + 1) // 2
    size = message.size
    return word * size, (word + 1) * size
