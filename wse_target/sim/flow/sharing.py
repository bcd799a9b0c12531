"""Links that several streams want at a time: they take turns, word by word.

Each link, ramps included, remembers the last messages that were put on it. When another one comes while they pass,
both are delayed: of two streams that want all of a link, each passes as many words meanwhile as the other, until the
shorter one is through. So a message of W words that meets others is through no earlier than W words and all that it
meets need, where it meets of each other one the lesser of what both still have to pass when they meet. That is exact
for two streams and for streams that begin together; of more streams in turn it counts each pair by itself.

A stream that waits for its receiver holds no link. A message that is longer than its stream's places enters in two
pieces: what finds places, at once; the rest when its receivers have said from when on they take words.

What comes later may still delay a message: its tail counts as known only when the run has come to that time.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np

from ..routing import LINKS, RAMP, Rows
from .lane import ChannelIndex, Lane, Numbers
from .lanes import Lanes
from .state import listed

_KEPT = 4  # messages that a link remembers
_NUMBER_BITS, _LANE_BITS = 12, 32
UP, DOWN, BETWEEN = 0, 1, 2  # kinds of links: ramps up, ramps down, links between routers


@dataclass(frozen=True)
class _Way:
    """Links of one kind that channels pass.

    Attributes:
        at: the links, as a slice where they follow one another.
        owner: index of the channel that passes each; None when each passes one, in order.
        delay: cycles from the sender's core to each.
    """

    links: np.ndarray
    at: ChannelIndex
    owner: np.ndarray | None
    delay: np.ndarray

    @staticmethod
    def of(links: np.ndarray, owner: np.ndarray, delay: np.ndarray, channels: int) -> _Way:
        """The links that `channels` channels pass."""
        in_order = len(owner) == channels and bool((owner == np.arange(channels)).all())
        return _Way(links, _selection(links), None if in_order else owner, delay)

    def by_link(self, of_channels: np.ndarray) -> np.ndarray:
        """Values of channels as values of links."""
        return of_channels if self.owner is None else of_channels[self.owner]

    def latest(self, of_channels: np.ndarray, of_links: np.ndarray) -> np.ndarray:
        """The greatest of a channel's value and those of its links."""
        if self.owner is None:
            return np.maximum(of_channels, of_links)
        found = of_channels.copy()
        np.maximum.at(found, self.owner, of_links)
        return found


class Sharing:
    """The links of all PEs: the ramps up, the ramps down, then links between routers that several colours use.

    Attributes:
        active: whether any two colours can meet.
    """

    def __init__(self, lanes: Lanes, pes: int, pace: float) -> None:
        self._lanes, self._pes, self._pace = lanes, pes, pace
        self.active = len(lanes.colours) > 1
        self._shared = np.zeros(0, np.int64)
        if not self.active:
            return
        links = {name: colour.settings.links().reshape(-1, LINKS) for name, colour in lanes.colours.items()}
        users = np.zeros((lanes.routers_count, LINKS), np.int8)
        for used in links.values():
            users += used
        self._colours = {name for name, used in links.items() if (users[used] > 1).any()}
        self.active = bool(self._colours)
        crowded = np.flatnonzero(users[:, :RAMP].ravel() > 1)  # router * RAMP + direction
        self._shared = np.full(users[:, :RAMP].size, -1)
        self._shared[crowded] = 2 * pes + np.arange(len(crowded))
        count = 2 * pes + len(crowded)
        self.head, self.end = np.zeros((_KEPT, count)), np.full((_KEPT, count), -np.inf)
        self.words, self.met = np.zeros((_KEPT, count), np.int32), np.zeros((_KEPT, count), np.int32)
        self.delay, self.rest = np.zeros((_KEPT, count)), np.zeros((_KEPT, count), np.int32)
        self._busy = [-np.inf, -np.inf, -np.inf]  # latest end on any ramp up, ramp down, link between routers
        self.who = np.zeros((_KEPT, count), np.int64)
        # Lanes of epochs that are over are forgotten, and all that is known of them.
        self._lanes_by_number: WeakValueDictionary[int, Lane] = WeakValueDictionary()
        self._numbers: WeakKeyDictionary[Lane, int] = WeakKeyDictionary()
        self._count = 0
        self._links: WeakKeyDictionary[Lane, tuple[Rows, np.ndarray] | None] = WeakKeyDictionary()
        self._ways: WeakKeyDictionary[Lane, dict[tuple[int, int], tuple[_Way, ...]]] = WeakKeyDictionary()

    def concerns(self, lane: Lane) -> bool:
        """Whether messages of a lane may meet others."""
        return self.active and lane.name in self._colours

    def enter(self, lane: Lane, channel: ChannelIndex, number: Numbers) -> None:
        """Messages are put out; those of their words that find places pass at once."""
        channels = listed(channel)
        slot, _ = lane.slot(channels, number)
        s = lane.slots
        words, head = s["words"][slot, channels], s["head"][slot, channels]
        first = np.minimum(words, lane.fewest[channels])
        stride = (s["natural"][slot, channels] - head) / words
        s["followed"][slot, channels] = first == words
        self._put(lane, channels, number, head, first, head + first * stride, words - first)

    def follow(self, lane: Lane, channel: ChannelIndex, number: Numbers) -> None:
        """The rest of long messages passes, once all their receivers have told when they take words."""
        channels = listed(channel)
        slot, _ = lane.slot(channels, number)
        s = lane.slots
        ready = (s["followed"][slot, channels] == 0) & (s["unposted"][slot, channels] == 0)
        if not ready.any():
            return
        channels, number = channels[ready], number[ready] if isinstance(number, np.ndarray) else number
        slot, _ = lane.slot(channels, number)
        s["followed"][slot, channels] = 1
        words, head, natural = (s[name][slot, channels] for name in ("words", "head", "natural"))
        rest = words - lane.fewest[channels]
        end = np.maximum(natural, s["hold"][slot, channels])
        self._put(
            lane, channels, number, end - rest * (natural - head) / words, rest, end, np.zeros_like(rest)
        )

    def _put(
        self, lane: Lane, channels: np.ndarray, number: Numbers, head: np.ndarray, words: np.ndarray, end: np.ndarray,
        rest: np.ndarray,
    ) -> None:  # fmt: skip
        """Words pass from `head` to `end` (at the sender) if nothing is in their way; `rest` more come later."""
        who, last = self._who(lane, channels, number), end
        for way in self._way(lane, channels):
            late = self._cross(
                way, way.by_link(head) + way.delay, way.by_link(words), way.by_link(last) + way.delay,
                way.by_link(who), way.by_link(rest),
            )  # fmt: skip
            if lane.single or self._kind(way) != DOWN:
                last = way.latest(last, late - way.delay)
        slot, _ = lane.slot(channels, number)
        natural = np.maximum(lane.slots["natural"][slot, channels], last + rest * self._pace)
        lane.slots["natural"][slot, channels] = natural

    def _way(self, lane: Lane, channels: np.ndarray) -> tuple[_Way, ...]:
        """The ramps up, links between routers and ramps down that channels pass; remembered for whole ranges."""
        first, last = int(channels[0]), int(channels[-1])
        if len(channels) == 1 or last - first != len(channels) - 1:
            return self._find_way(lane, channels)
        known = self._ways.setdefault(lane, {})
        if (first, last) not in known:
            known[first, last] = self._find_way(lane, channels)
        return known[first, last]

    def _find_way(self, lane: Lane, channels: np.ndarray) -> tuple[_Way, ...]:
        count, root = len(channels), lane.tree.root[channels]
        ways = [_Way.of(root, np.arange(count), np.zeros(count), count)]
        between = self._between(lane)
        if between is not None:
            at, owner = between[0].take(channels)
            ways.append(_Way.of(between[0].values[at], owner, between[1][at], count))
        at, owner = lane.tree.receivers.take(channels)
        pes = lane.tree.receivers.values[at]
        ways.append(_Way.of(self._pes + pes, owner, lane.tree.delay[pes], count))
        return tuple(ways)

    def _who(self, lane: Lane, channel: np.ndarray, number: Numbers) -> np.ndarray:
        """A number for each message, of its lane, its channel and the last bits of its own number."""
        low = np.asarray(number, np.int64) & ((1 << _NUMBER_BITS) - 1)
        return (self._number(lane) << _LANE_BITS) + (channel.astype(np.int64) << _NUMBER_BITS) + low

    def _number(self, lane: Lane) -> int:
        if lane not in self._numbers:
            self._numbers[lane] = self._count
            self._lanes_by_number[self._count] = lane
            self._count += 1
        return self._numbers[lane]

    def _between(self, lane: Lane) -> tuple[Rows, np.ndarray] | None:
        """Shared links between routers that each channel uses, and cycles to them."""
        if lane not in self._links:
            self._links[lane] = self._trace(lane)
        return self._links[lane]

    def _trace(self, lane: Lane) -> tuple[Rows, np.ndarray] | None:
        if not (self._shared >= 0).any():
            return None
        links, channels, delays = self._lanes.links(lane)
        shared = self._shared[links]
        inside = shared >= 0
        if not inside.any():
            return None
        order = np.argsort(channels[inside], kind="stable")
        start = np.zeros(len(lane.sent) + 1, np.int64)
        np.cumsum(np.bincount(channels[inside], minlength=len(lane.sent)), out=start[1:])
        return Rows(start, shared[inside][order]), delays[inside][order]

    def _kind(self, way: _Way) -> int:
        """Which of the three kinds of links a way is of."""
        return min(int(way.links[0]) // self._pes, BETWEEN) if len(way.links) else UP

    def _cross(
        self, way: _Way, head: np.ndarray, words: np.ndarray, end: np.ndarray, who: np.ndarray, rest: np.ndarray
    ) -> np.ndarray:  # fmt: skip
        """Puts messages on links, none twice on one; times are those at the links. Returns when they are through."""
        kind = self._kind(way)
        met: np.ndarray | int = 0
        free: np.ndarray | int = 0
        if self._busy[kind] > float(head.min(initial=np.inf)):
            ends = self.end[:, way.at]
            late = ends > head
            free = _first_free(ends)
            if late.any():
                met = self._meet(late.nonzero(), way.links, head, words, end)
        through = np.maximum(end, head + (words + met) * self._pace)
        self._busy[kind] = max(self._busy[kind], float(through.max(initial=0.0)))
        slots = free * self.end.shape[1] + way.links
        for table, value in (
            (self.head, head), (self.words, words), (self.met, met), (self.end, through), (self.who, who),
            (self.delay, way.delay), (self.rest, rest),
        ):  # fmt: skip
            if isinstance(free, int):
                table[free][way.at] = value
            else:
                table.reshape(-1)[slots] = value
        return through

    def _meet(
        self, late: tuple[np.ndarray, ...], link: np.ndarray, head: np.ndarray, words: np.ndarray, end: np.ndarray
    ) -> np.ndarray:  # fmt: skip
        """Words that each message has to let pass of those that are on its link; `late` are pairs of the two."""
        kept, place = late
        at = kept * self.end.shape[1] + link[place]
        old, own = self.head.reshape(-1)[at], head[place]
        first = np.maximum(old, own)
        other_left = _left(self.words.reshape(-1)[at], old, self.end.reshape(-1)[at], first)
        left = _left(words[place], own, end[place], first)
        both = np.maximum(np.minimum(np.rint(other_left), np.rint(left)), 0).astype(np.int32)
        self.met.reshape(-1)[at] += both
        self._delay(at)
        return np.bincount(place, weights=both, minlength=len(link)).astype(np.int32)

    def _delay(self, at: np.ndarray) -> None:
        """Messages that were there before, at these places of the tables, have met more."""
        until, rest = self.end.reshape(-1), self.rest.reshape(-1)
        words = self.words.reshape(-1)[at] + self.met.reshape(-1)[at]
        before = until[at]
        end = np.maximum(before, self.head.reshape(-1)[at] + words * self._pace)
        later = end > before
        if not later.any():
            return
        at, end = at[later], end[later]
        for kind in range(3):
            self._busy[kind] = max(self._busy[kind], float(end.max()))
        until[at] = end
        who, tail = self.who.reshape(-1)[at], end - self.delay.reshape(-1)[at] + rest[at] * self._pace
        lanes, link = who >> _LANE_BITS, at % self.end.shape[1]
        down = (link >= self._pes) & (link < 2 * self._pes)
        for number in np.flatnonzero(np.bincount(lanes)).tolist():
            lane = self._lanes_by_number.get(number)
            if lane is None:
                continue
            mine = (lanes == number) & (~down | lane.single)
            message = who[mine] & ((1 << _LANE_BITS) - 1)
            channel, slot = message >> _NUMBER_BITS, (message & ((1 << _NUMBER_BITS) - 1)) % lane.ring
            np.maximum.at(lane.slots["natural"].reshape(-1), slot * len(lane.sent) + channel, tail[mine])

    def arrival(
        self, lane: Lane, pes: ChannelIndex, channel: np.ndarray, number: Numbers
    ) -> np.ndarray | float:
        """When messages are through the ramps down to receivers of multicasts, whose branches advance by themselves."""
        if lane.single or not self.concerns(lane):
            return -np.inf
        who = self._who(lane, channel, number)
        down = np.arange(self._pes, 2 * self._pes)[pes]
        end = self.end[:, down] + self.rest[:, down] * self._pace
        return np.where(self.who[:, down] == who, end, -np.inf).max(axis=0)


def _selection(links: np.ndarray) -> ChannelIndex:
    """Links as a slice where they follow one another."""
    if len(links) and links[-1] - links[0] == len(links) - 1 and (np.diff(links) == 1).all():
        return slice(int(links[0]), int(links[-1]) + 1)
    return links


def _first_free(ends: np.ndarray) -> np.ndarray | int:
    """The row of the least value in each column, the first of several; one number where it is the same in all."""
    first = int(ends[:, 0].argmin()) if ends.shape[1] else 0
    least = ends[first]
    if all((least < row if k < first else least <= row).all() for k, row in enumerate(ends) if k != first):
        return first
    return np.argmin(ends, axis=0)


def _left(words: np.ndarray, head: np.ndarray, end: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Words that are still to pass at a time, of messages that pass evenly."""
    share = (end - time) / np.maximum(end - head, 1e-9)
    return words * np.minimum(share, 1.0)
