"""Messages of one colour in one epoch: per channel a ring of messages in order, with times as (head, tail) pairs.

A message is what one send or relay puts out. Times, in cycles, are those at the sender's core:
  head     when its first word begins to leave;
  natural  when its last word has left if receivers never hold it up;
  tail     when its last word has left. Word k of a channel leaves no earlier than a receiver with places for C words
           took word k - C; see `branches` for receivers of one channel that differ in C.
  early    how many words leave before receivers hold the message up, at its natural pace; the others follow at that
           pace after the hold. A relay that cannot pass words on has still taken those that found places further on.
  release  when the slowest receiver took the last word.

Simplification: words are evenly spaced between head and tail; what holds a message up holds it between its first
words, which are on their way, and the others, which follow at their natural pace.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ...machine import Machine
from ..routing import Tree
from .branches import Branches, Messages
from .state import Selection, quick, uniform

ChannelIndex = slice | np.ndarray  # channels
StreamThreads = tuple[set[int], set[int]]
Numbers = int | np.ndarray  # of messages, one for all or one for each channel
_FIELDS = {
    "head": np.float64, "natural": np.float64, "tail": np.float64, "hold": np.float64, "mark": np.float64,
    "words": np.int32, "early": np.int32, "end": np.int64, "elements": np.int32,
    "followed": np.int8, "unposted": np.int32, "untaken": np.int32,
    "stage": np.int8, "batch": np.int32, "row": np.int32,
}  # fmt: skip
OPEN, RESOLVED = 0, 1  # whether the tail is known


def places(machine: Machine, queues: tuple[int, int] | None) -> int:
    """Words that the queues at both ends of a stream hold; the deepest ones for a colour that has none."""
    if queues is None:
        return max(machine.queues.input) + max(machine.queues.output)
    return machine.queues.input[queues[0]] + machine.queues.output[queues[1]]


class Lane:
    """The messages of a colour in an epoch.

    Attributes:
        tree: where they go.
        capacity: words that a stream to a PE holds, by receiver.
        fewest: the least of them, by channel.
        sent / sent_words: messages and words sent, by channel.
        issued: messages that sends were issued for, by channel; they leave in that order.
        skipped_words: words of messages that were accounted for without being sent; see `advance`.
        received: messages that receives were issued for, by PE.
        latest: tail of the last message, by channel; infinite while it is not known.
        in_threads / out_threads: threads that have waited for words or for places of the colour.
        gate: earliest time at which the first word can have left for a receiver that finds all routers set, by PE;
            None where routers are never switched.
    """

    def __init__(
        self, name: str, epoch: int, tree: Tree, machine: Machine, queue_places: int, threads: StreamThreads
    ) -> None:
        self.name, self.epoch, self.tree = name, epoch, tree
        self.pace = pace = machine.fabric.cycles_per_wavelet
        count, roots = len(tree.root), len(tree.roots)
        fan_out = np.bincount(tree.owner, minlength=roots).astype(np.int32)
        self.single = bool((fan_out == 1).all())
        self.fan_out = tree.channels(fan_out)
        capacity = queue_places + tree.end_hops * machine.fabric.router_words
        self.capacity = tree.pes(capacity)
        fewest = np.full(roots, np.iinfo(np.int32).max, np.int32)
        np.minimum.at(fewest, tree.owner, capacity)
        self.fewest = tree.channels(fewest)
        reach = np.full(roots, -np.inf)
        np.maximum.at(reach, tree.owner, tree.end_delay)
        self.reach = tree.channels(reach)
        # The stream with the longest round trip for its places sets the pace; its places are those of that pace.
        gap, window = np.zeros(roots), np.zeros(roots, np.int32)
        np.maximum.at(gap, tree.owner, (tree.end_delay + pace) / capacity)
        at_worst = (tree.end_delay + pace) / capacity >= gap[tree.owner]
        np.maximum.at(window, tree.owner, np.where(at_worst, capacity, 0))
        self.window, self.round_trip = tree.channels(window), tree.channels(gap * window)
        self.throttled = bool((gap > pace).any())
        self.sent, self.sent_words = np.zeros(count, np.int32), np.zeros(count, np.int64)
        self.skipped_words = np.zeros(count, np.int64)
        self.issued, self.latest = np.zeros(count, np.int32), np.full(count, -np.inf)
        self.received = np.zeros(len(tree.incoming), np.int32)
        self.in_threads, self.out_threads = threads
        self.gate: np.ndarray | None = None
        self.gate_stale = False
        self.ring = 2
        self.slots = {name: np.zeros((self.ring, count), dtype) for name, dtype in _FIELDS.items()}
        self.branches = None
        if (capacity > fewest[tree.owner]).any():
            most = np.zeros(roots, np.int32)
            np.maximum.at(most, tree.owner, capacity)
            self.branches = Branches(tree, self.capacity, tree.channels(most), self.ring)

    def slot(self, channel: ChannelIndex, number: Numbers) -> tuple[Numbers, ChannelIndex]:
        """Places of messages in the rings, ready for indexing."""
        if isinstance(number, np.ndarray):
            if uniform(number):
                return int(number[0]) % self.ring if len(number) else 0, channel
            if isinstance(channel, slice):
                channel = np.arange(channel.start, channel.stop)
        return number % self.ring, channel

    def get(self, name: str, channel: ChannelIndex, number: Numbers) -> np.ndarray:
        """One field of messages that are under way."""
        return self.slots[name][self.slot(channel, number)]

    def put(self, name: str, channel: ChannelIndex, number: Numbers, value: np.ndarray | float) -> None:
        """Sets a field of messages that are under way."""
        self.slots[name][self.slot(channel, number)] = value

    def post(
        self,
        channel: ChannelIndex,
        head: np.ndarray,
        lasting: np.ndarray | float,
        words: np.ndarray | int,
        elements: np.ndarray | int,
    ) -> Numbers:
        """Puts one message on each of the given channels, none twice; returns their numbers.

        Args:
            lasting: least time between head and natural tail.
        """
        end = self.sent_words[channel] + words
        self._make_room(channel, end)
        number: Numbers = self.sent[channel].copy()
        if uniform(number):
            number = int(number[0])
        (slot, channel), fan_out = self.slot(channel, number), self.fan_out[channel]
        values = {
            "head": head, "natural": head + np.maximum(lasting, self._leaving(channel, words)), "hold": -np.inf,
            "mark": -np.inf, "words": words, "early": words, "end": end, "elements": elements, "unposted": fan_out,
            "untaken": fan_out, "stage": OPEN, "batch": -1,
        }  # fmt: skip
        for name, value in values.items():
            self.slots[name][slot, channel] = value
        self.sent[channel] += 1
        self.sent_words[channel] = end
        self.latest[channel] = np.inf
        return number

    def _leaving(self, channel: ChannelIndex, words: np.ndarray | int) -> np.ndarray | float:
        """Cycles in which words leave when all receivers take them at once: a window of words each round trip."""
        plain = words * self.pace
        if not self.throttled:
            return plain
        rounds, last = np.divmod(np.maximum(np.asarray(words) - 1, 0), self.window[channel])
        return np.maximum(plain, rounds * self.round_trip[channel] + (last + 1) * self.pace)

    def _make_room(self, channel: ChannelIndex, end: np.ndarray) -> None:
        """Doubles the rings when a slot is needed whose message is not taken, or still says when words were taken."""
        places = self.fewest if self.branches is None else self.branches.most
        while True:
            number = self.sent[channel]
            at = self.slot(channel, number)
            needed = self.slots["end"][at] >= end - places[channel]
            needed |= self.slots["untaken"][at] > 0
            if not (needed & (number >= self.ring)).any():
                return
            grown = {name: np.zeros((2 * self.ring, c.shape[1]), c.dtype) for name, c in self.slots.items()}
            rows = np.arange(len(self.sent))
            for back in range(self.ring):
                numbers = np.maximum(self.sent - 1 - back, 0)
                for name, column in self.slots.items():
                    grown[name][numbers % (2 * self.ring), rows] = column[numbers % self.ring, rows]
            self.slots, self.ring = grown, 2 * self.ring
            if self.branches is not None:
                self.branches.grow()

    def register(
        self,
        channel: ChannelIndex,
        number: Numbers,
        hold: np.ndarray,
        mark: np.ndarray,
        early: np.ndarray,
        pes: ChannelIndex,
    ) -> None:
        """A receiver of each message tells how it takes the words.

        Args:
            hold: until when it holds up the last word.
            mark: when it would be done at its own pace.
            early: words that may leave before it holds anything up.
        """
        slot, channel = self.slot(channel, number)
        if self.branches is not None:
            self.branches.register(np.arange(len(self.tree.incoming))[pes], number, mark, hold)
        if self.single:
            self.slots["hold"][slot, channel] = hold
            self.slots["mark"][slot, channel] = mark
            self.slots["early"][slot, channel] = early
            self.slots["unposted"][slot, channel] = 0
            return
        channel = np.arange(len(self.sent))[channel]
        for name, value, most in (
            ("hold", hold, np.maximum),
            ("mark", mark, np.maximum),
            ("early", early, np.minimum),
        ):
            if isinstance(slot, int):
                most.at(self.slots[name][slot], channel, value)
            else:
                most.at(self.slots[name], (slot, channel), value)
        self._count_down("unposted", slot, channel)

    def try_resolve(self, channel: ChannelIndex, number: Numbers) -> np.ndarray:
        """Finds tails of messages for which it is known when enough words were taken; returns which have one."""
        slot, channel = self.slot(channel, number)
        stage = self.slots["stage"][slot, channel]
        if (stage == RESOLVED).all():
            return np.ones(len(stage), bool)
        s = self.slots
        if self.branches is not None:
            known, tail = self._by_branches(self.branches, channel, number)
            self._settle(slot, channel, known, tail, stage)
            return known | (stage == RESOLVED)
        end, words = s["end"][slot, channel], s["words"][slot, channel]
        natural = s["natural"][slot, channel]
        word = end - self.fewest[channel]  # number of the word whose taking frees a place for the last one
        own = word > end - words
        known = (word <= 0) | (own & (s["unposted"][slot, channel] == 0))
        tail = np.where(own, np.maximum(natural, s["hold"][slot, channel]), natural)
        if not (known | own).all():
            earlier = np.flatnonzero(~known & ~own)
            listed = np.arange(len(self.sent))[channel][earlier]
            slots = np.broadcast_to(slot, stage.shape)[earlier]
            known[earlier], release = self._earlier(listed, slots, word[earlier])
            tail[earlier] = np.maximum(natural[earlier], release)
            held = known[earlier] & (release > natural[earlier])
            s["early"][slots[held], listed[held]] = 0
        self._settle(slot, channel, known, tail, stage)
        return known | (stage == RESOLVED)

    def _settle(
        self, slot: Numbers, channel: ChannelIndex, known: np.ndarray, tail: np.ndarray, stage: np.ndarray
    ) -> None:
        """Tails that have become known."""
        s, todo = self.slots, known & (stage == OPEN)
        if todo.all():
            s["tail"][slot, channel] = self.latest[channel] = tail
            s["stage"][slot, channel] = RESOLVED
        elif todo.any():
            s["tail"][slot, channel] = np.where(todo, tail, s["tail"][slot, channel])
            s["stage"][slot, channel] = np.where(todo, RESOLVED, stage)
            self.latest[channel] = np.where(todo, tail, self.latest[channel])

    def _by_branches(
        self, branches: Branches, channel: ChannelIndex, number: Numbers
    ) -> tuple[np.ndarray, np.ndarray]:
        """Whether tails of multicasts are known whose receivers have different places, and the tails."""
        listed = np.arange(len(self.sent))[channel]
        numbers = np.broadcast_to(np.asarray(number, np.int64), listed.shape)
        slots = numbers % self.ring
        asked = Messages(listed, numbers, self.slots["end"][slots, listed])
        known, release, before = branches.release(asked, self.slots)
        natural = self.slots["natural"][slots, listed]
        held = known & before & (release > natural)
        self.slots["early"][slots[held], listed[held]] = 0
        return known, np.maximum(natural, release)

    def resolved(self, channel: ChannelIndex, number: Numbers) -> np.ndarray:
        """Whether the tails of messages are known."""
        return self.get("stage", channel, number) == RESOLVED

    @cached_property
    def _all_receivers(self) -> Selection:
        return quick(np.flatnonzero(self.tree.incoming >= 0))

    def receivers_of(self, channel: ChannelIndex) -> Selection:
        """Receivers of channels."""
        if isinstance(channel, slice) and channel.stop - channel.start == len(self.sent):
            return self._all_receivers
        if self.single:
            return quick(np.sort(self.tree.receivers.values[channel]))
        at, _ = self.tree.receivers.take(np.arange(len(self.sent))[channel])
        return quick(np.sort(self.tree.receivers.values[at]))

    def first_receiver(self, channel: ChannelIndex) -> np.ndarray:
        """One receiver of each channel."""
        return self.tree.receivers.values[self.tree.receivers.start[:-1][channel]]

    def _earlier(
        self, channel: np.ndarray, slot: np.ndarray, word: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Whether it is known when words of earlier messages were taken, and when."""
        s, holder = self.slots, slot.copy()
        for _ in range(self.ring):
            before = s["end"][holder, channel] - s["words"][holder, channel]
            back = word <= before
            if not back.any():
                break
            holder[back] = (holder[back] - 1) % self.ring
        known = (s["unposted"][holder, channel] == 0) & (s["stage"][holder, channel] == RESOLVED)
        head, natural = s["head"][holder, channel], s["natural"][holder, channel]
        release = np.maximum(s["mark"][holder, channel], s["tail"][holder, channel] + self.reach[channel])
        stride = (natural - head) / np.maximum(s["words"][holder, channel], 1)
        return known, release - (s["end"][holder, channel] - word) * stride

    def take(self, channel: np.ndarray, number: Numbers) -> None:
        """A receiver of each message is done with it."""
        slot, _ = self.slot(channel, number)
        if self.single:
            self.slots["untaken"][slot, channel] = 0
        else:
            self._count_down("untaken", slot, channel)

    def _count_down(self, name: str, slot: Numbers, channel: np.ndarray) -> None:
        if isinstance(slot, int):
            self.slots[name][slot] -= np.bincount(channel, minlength=len(self.sent)).astype(np.int32)
        else:
            np.subtract.at(self.slots[name], (slot, channel), 1)

    def advance(self, times: int, shift: np.ndarray, words: np.ndarray) -> None:
        """As much again happens `times` times as did in the last while, in which clocks moved on by `shift`.

        Args:
            shift / words: by channel; cycles, and words that were sent.
        """
        self.skipped_words += times * words
        self.latest += times * shift
        for name in ("head", "natural", "tail", "hold", "mark"):
            self.slots[name] += times * shift
        if self.branches is not None:
            self.branches.advance(times * shift)

    def left_over(self) -> int | None:
        """A channel with words that nobody took, or None."""
        pending = np.flatnonzero((self.slots["untaken"] > 0).any(axis=0))
        return int(pending[0]) if pending.size else None
