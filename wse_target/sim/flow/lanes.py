"""All lanes of a program: which one a PE's transfer belongs to, made when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

import numpy as np

from ..engine import Loaded
from ..routing import RAMP, RouterSettings, Tree, trace
from .epochs import REPETITION, Positions, SwitchTimes, switches
from .lane import Lane, places
from .loads import LinkSums
from .state import Selection, ThreadStates, listed, pick, uniform

Used = tuple[Tree, np.ndarray]  # channels that messages were sent on


class Colour:
    """What is known of a colour throughout a run. `times` and `positions` are None when no PE switches it."""

    def __init__(self, loaded: Loaded, name: str, routers: np.ndarray) -> None:
        program = loaded.program
        self.name = name
        self.settings = RouterSettings(program, name)
        self.places = places(loaded.machine, program.queues.get(name))
        self.positions: Positions | None = None
        self.times: SwitchTimes | None = None
        if any(switches(c.body, name) for c in program.classes):
            self.positions = Positions(program, name)
            self.times = SwitchTimes(self.positions.switched, routers)
        self.initial = program.positions.get(name, 0)
        self.lanes: dict[int, Lane] = {}
        self.skipped: dict[int, int] = {}  # epochs of trips that were not run, by repetition
        self.taking: dict[int, int] = {}  # epoch that a PE which never switches receives from
        # Receives of such PEs, by PE: that were issued, and that know their message; they get to know it in that order.
        self.asked, self.served = (np.zeros(len(routers), np.int64) for _ in range(2))
        self.threads: tuple[set[int], set[int]] = (set(), set())

    @property
    def switched(self) -> bool:
        """Whether some PE switches it."""
        return self.times is not None


class Lanes:
    """The lanes of all colours, and the words that went over links.

    Attributes:
        colours: by name.
        routers: index of each PE's router in the grid.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        placement = loaded.placement
        self.routers = placement.y * placement.width + placement.x
        self.colours = {name: Colour(loaded, name, self.routers) for name in loaded.program.colours}
        self._trees = {}
        self._loads = LinkSums(placement)
        self._gone: list[Used] = []  # of lanes that were forgotten since `take_used`
        self._counts: WeakKeyDictionary[Lane, np.ndarray] = WeakKeyDictionary()  # messages sent until then

    def reset(self) -> None:
        """Nothing is under way, no PE has switched anything."""
        self._loads = LinkSums(self._loaded.placement)
        self._gone.clear()
        for colour in self.colours.values():
            colour.lanes.clear()
            colour.skipped.clear()
            colour.taking.clear()
            colour.asked[:] = colour.served[:] = 0
            if colour.positions is not None:
                colour.times = SwitchTimes(colour.positions.switched, self.routers)

    @property
    def routers_count(self) -> int:
        """Routers of the grid."""
        return self._loaded.placement.at.size

    def lane(self, name: str, epoch: int = 0) -> Lane:
        """The lane of a colour in an epoch."""
        colour = self.colours[name]
        found = colour.lanes.get(epoch)
        if found is None:
            found = colour.lanes[epoch] = self._make(colour, epoch)
        return found

    def _make(self, colour: Colour, epoch: int) -> Lane:
        key = (colour.name, epoch % REPETITION)
        tree = self._trees.get(key)
        if tree is None:
            skipped = colour.skipped.get(epoch // REPETITION, 0)
            positions = colour.positions.at(epoch + skipped) if colour.positions else colour.initial
            tree = trace(
                colour.settings.at(positions), colour.name, self._loaded.machine, self._loaded.placement
            )
            if key[1] == 0:
                self._trees[key] = tree
        lane = Lane(colour.name, epoch, tree, self._loaded.machine, colour.places, colour.threads)
        lane.gate_stale = colour.switched
        return lane

    def gate(self, lane: Lane) -> np.ndarray | None:
        """See `Lane.gate`, brought up to date."""
        times = self.colours[lane.name].times
        if lane.gate_stale and times is not None:
            lane.gate, lane.gate_stale = times.gates(lane.epoch, lane.tree), False
        return lane.gate

    def epoch(self, name: str, at: Selection) -> np.ndarray | int:
        """Epochs that PEs are in."""
        times = self.colours[name].times
        return 0 if times is None else times.epoch[at]

    def split(self, name: str, epochs: np.ndarray, at: Selection) -> Iterator[tuple[Lane, Selection]]:
        """The lanes that PEs in these epochs use, with the PEs of each; `epochs` is by PE."""
        if self.colours[name].times is None:
            yield self.lane(name), at
            return
        of = epochs[at]
        if not len(of):
            return
        if uniform(of):
            yield self.lane(name, int(of[0])), at
            return
        for epoch in np.unique(of).tolist():
            yield self.lane(name, int(epoch)), pick(at, of == epoch)

    def mixed(self, name: str) -> bool:
        """Whether some PEs switch a colour and others do not; the others receive from one epoch after the other."""
        times = self.colours[name].times
        return times is not None and not times.ever.all()

    def switching(self, name: str, at: Selection) -> Selection:
        """Receivers that take words of the epoch that they are in: those that switch the colour, or all."""
        return pick(at, self.colours[name].times.ever[at]) if self.mixed(name) else at  # type: ignore[union-attr]

    def line_up(self, name: str, numbers: np.ndarray, at: Selection) -> None:
        """Receives are issued whose messages are not yet known: their `numbers` say which of their PE's they are."""
        colour = self.colours[name]
        numbers[at] = -1 - colour.asked[at]
        if self.mixed(name):
            colour.asked[at] += ~colour.times.ever[at]  # type: ignore[union-attr]

    def lined_up(self, name: str, at: Selection) -> Selection:
        """PEs with further receives whose messages are not yet known."""
        colour = self.colours[name]
        return pick(at, colour.asked[at] > colour.served[at])

    def follow(self, name: str, agents: ThreadStates, thread: int, at: Selection) -> np.ndarray:
        """Lets receivers that never switch the colour go on to the epoch that their next message is of.

        They take what is of their epoch, and go on when its sender is past it. A sender that never switches stays in
        its epoch: then they go on when there are words of a later one.

        Returns:
            Which of the threads have a message under way.
        """
        colour = self.colours[name]
        assert colour.times is not None
        pes, epochs, numbers = listed(at), agents.epoch_in[thread], agents.number_in[thread]
        found = numbers[pes] >= 0
        last = max(colour.lanes, default=0)
        for index in np.flatnonzero(~found & (-1 - numbers[pes] == colour.served[pes])).tolist():
            pe = int(pes[index])
            while True:
                epoch = int(colour.taking.get(pe, 0))
                lane = self.lane(name, epoch)
                channel = int(lane.tree.incoming[pe])
                if channel >= 0 and lane.received[pe] < lane.sent[channel]:
                    epochs[pe], numbers[pe] = epoch, lane.received[pe]
                    lane.received[pe] += 1
                    colour.served[pe] += 1
                    found[index] = True
                    break
                following = self._following(colour, epoch, last)
                if following is None or (
                    channel >= 0 and not self._past(colour, lane, channel, pe, following)
                ):
                    break
                colour.taking[pe] = following
        return found

    def _following(self, colour: Colour, epoch: int, last: int) -> int | None:
        """The next epoch that something was sent in."""
        later = [e for e in colour.lanes if e > epoch]
        return min(later) if later and epoch < last else None

    def _past(self, colour: Colour, lane: Lane, channel: int, pe: int, following: int) -> bool:
        """Whether nothing more comes on a channel of an epoch."""
        assert colour.times is not None
        root = int(lane.tree.root[channel])
        if colour.times.ever[root]:
            return bool(colour.times.epoch[root] > lane.epoch and lane.issued[channel] == lane.sent[channel])
        later = colour.lanes[following]
        other = int(later.tree.incoming[pe])
        return other >= 0 and bool(later.sent[other] > later.received[pe])

    def switch(self, name: str, at: Selection, clock: np.ndarray, epoch: int | None = None) -> list[Lane]:
        """PEs come to their next epoch (or to a given one); returns the lanes that this may set going."""
        times = self.colours[name].times
        assert times is not None
        before = times.epoch[at].copy()
        touched = []
        for old in [int(before[0])] if uniform(before) else np.unique(before).tolist():
            new = old + 1 if epoch is None else epoch
            which = before == old
            times.note(new, pick(at, which), clock[which])
            for number in (old, new):
                lane = self.colours[name].lanes.get(number)
                if lane is not None:
                    lane.gate_stale = lane.gate_stale or number == new
                    touched.append(lane)
        self._retire(name)
        return touched

    def _retire(self, name: str) -> None:
        """Forgets lanes that all PEs are past and that nothing is under way in."""
        colour = self.colours[name]
        assert colour.times is not None
        if len(colour.lanes) < 4:
            return
        if not colour.times.ever.all():
            return  # PEs that never switch may still come to take from any of them
        least = int(colour.times.epoch.min())
        for epoch in [e for e in colour.lanes if e < least]:
            if colour.lanes[epoch].left_over() is None:
                lane = colour.lanes.pop(epoch)
                self._loads.add(lane)
                self._gone += self._used(lane)
                colour.times.forget(epoch)

    def skip_epochs(self, epochs: dict[str, int], cycles: np.ndarray) -> None:
        """So many epochs of each switched colour, all that all PEs come to in some trips, pass without being run.

        Those to come have the settings of as many later, and all times are so many `cycles` later, by PE.
        """
        for name, count in epochs.items():
            colour = self.colours[name]
            assert colour.times is not None
            repetition = int(colour.times.epoch.max()) // REPETITION
            colour.skipped[repetition] = colour.skipped.get(repetition, 0) + count
            colour.times.advance(cycles)
            for lane in colour.lanes.values():
                lane.gate_stale = True
        for lane in self.all():
            lane.advance(1, cycles[lane.tree.root], np.zeros(len(lane.sent), np.int64))

    def take_used(self) -> list[Used]:
        """Where words went since this was called last."""
        used, self._gone = self._gone, []
        for lane in self.all():
            used += self._used(lane)
            self._counts[lane] = lane.sent.copy()
        return used

    def _used(self, lane: Lane) -> list[Used]:
        channels = np.flatnonzero(lane.sent != self._counts.get(lane, 0))
        return [(lane.tree, channels)] if channels.size else []

    def add_words(self, words: np.ndarray) -> None:
        """Words that went over links in trips that were not run, by router * LINKS + link."""
        self._loads.add_words(words)

    def all(self) -> Iterator[Lane]:
        """All lanes that are not forgotten."""
        for colour in self.colours.values():
            yield from colour.lanes.values()

    def links(self, lane: Lane) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Links between routers (router * RAMP + direction) that a lane uses, the channel on each, and cycles to it."""
        channel, path, gives = lane.tree.by_router()
        links, channels, delays = [], [], []
        for direction in range(RAMP):
            at = np.flatnonzero((gives & (1 << direction) > 0) & (channel >= 0))
            links.append(at * RAMP + direction)
            channels.append(channel[at])
            delays.append(path[at])
        return np.concatenate(links), np.concatenate(channels), np.concatenate(delays)

    def link_words(self) -> np.ndarray:
        """Words that went over each link, by router * LINKS + link."""
        loads = self._loads.copy()
        for lane in self.all():
            loads.add(lane)
        return loads.total()
