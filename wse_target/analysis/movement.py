"""Moves words: from what senders put out and receivers want to what has left and what is taken."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .agents import IDLE, RECEIVING, RELAYING, SENDING, Agents, Budget, Impossible
from .streams import Streams

_LATER, _URGENT = 1, 2


class WordMovement:
    """Brings the marking to rest after something changed."""

    def __init__(
        self, streams: Streams, agents: Agents, budget: Budget, name: Callable[[int], str],
        ended: Callable[[np.ndarray], None],
    ) -> None:  # fmt: skip
        self.streams, self.agents, self._budget, self._name, self._ended = (
            streams,
            agents,
            budget,
            name,
            ended,
        )
        self._urgent: list[np.ndarray] = []  # streams on which something changed for good,
        self._later: list[np.ndarray] = []  # and those on which more may change soon

    @property
    def pending(self) -> bool:
        """Whether something changed."""
        return bool(self._urgent or self._later)

    def touch(self, streams: np.ndarray, *, urgent: bool = True) -> None:
        """Something changed on streams. Counts that still grow wait until nothing else does, which saves rounds."""
        level = _URGENT if urgent else _LATER
        streams = streams[self.streams.touched[streams] < level]
        if len(streams) > 1 and not (streams[1:] > streams[:-1]).all():
            streams = np.unique(streams)
        if len(streams):
            self.streams.touched[streams] = level
            (self._urgent if urgent else self._later).append(streams)

    def supply(self, agents: np.ndarray, count: np.ndarray) -> None:
        """Agents become the senders of a message of `count` words each."""
        streams, a = self.streams, self.agents
        at = a.stream[agents]
        a.out_start[agents] = streams.reserved[at]
        streams.post(at, count, a.elements[agents])
        a.out_end[agents] = streams.reserved[at]
        streams.supplier[at] = agents
        self.touch(at)

    def settle(self) -> None:
        """Moves words on the streams that changed, and on those that this changes, until all are at rest."""
        s = self.streams
        while self.pending:
            streams = self._pick()
            if not len(streams):
                continue
            self._budget.spend(len(streams))
            ports, owner, starts = s.ports(streams)
            self._claim(ports)
            limit = np.where(s.open[ports], s.wanted[ports], s.taken[ports]) + s.capacity[ports]
            room = np.minimum.reduceat(limit, starts)
            s.left[streams] = np.minimum(s.supplied[streams], room)
            come = np.minimum(s.wanted[ports], s.left[streams][owner])
            taken = np.where(s.open[ports], come, s.taken[ports])
            moved = ports[taken > s.taken[ports]]
            s.taken[ports] = taken
            self._upstream(streams, room)
            self._downstream(moved)
            self._finish(streams, ports)

    def _pick(self) -> np.ndarray:
        """Streams to look at next."""
        level, chosen = (_URGENT, self._urgent) if self._urgent else (_LATER, self._later)
        found = np.concatenate(chosen)
        chosen.clear()
        found = found[self.streams.touched[found] == level]
        if level == _LATER:  # one that was urgent in between may be there twice
            found = np.unique(found)
        self.streams.touched[found] = 0
        return found

    def _claim(self, ports: np.ndarray) -> None:
        """Receivers at work learn how long their message is."""
        s, a = self.streams, self.agents
        agents = s.consumer[ports]
        known = s.claimed[ports] < s.posted[s.stream_of[ports]]
        fresh = (agents >= 0) & (a.in_end[agents] < 0) & known
        if not fresh.any():
            return
        ports, agents = ports[fresh], agents[fresh]
        end, elements = s.message(ports)
        wrong = np.flatnonzero(elements != a.elements[agents])
        if len(wrong):
            at = int(wrong[0])
            raise Impossible(
                f"{self._name(int(s.pe_of[ports[at]]))} takes {int(a.elements[agents[at]])} elements, "
                f"but is sent {int(elements[at])}",
                int(agents[at]),
            )
        a.in_start[agents], a.in_end[agents] = s.taken[ports], end
        s.claimed[ports] += 1
        receives = a.stage[agents] == RECEIVING
        s.wanted[ports[receives]] = end[receives]
        relays = agents[~receives]
        if len(relays):
            self.supply(relays, a.in_end[relays] - a.in_start[relays])

    def _upstream(self, streams: np.ndarray, room: np.ndarray) -> None:
        """Relays take what there is room for where they send."""
        s, a = self.streams, self.agents
        agents = s.supplier[streams]
        relays = (agents >= 0) & (a.stage[agents] == RELAYING) & (a.in_end[agents] >= 0)
        agents, room = agents[relays], room[relays]
        if not len(agents):
            return
        ports = a.port[agents]
        space = np.clip(room, a.out_start[agents], a.out_end[agents]) - a.out_start[agents]
        wanted = a.in_start[agents] + space
        grew = wanted > s.wanted[ports]
        ports, wanted, whole = ports[grew], wanted[grew], (wanted == a.in_end[agents])[grew]
        s.wanted[ports] = wanted
        self.touch(s.stream_of[ports[whole]])
        self.touch(s.stream_of[ports[~whole]], urgent=False)

    def _downstream(self, ports: np.ndarray) -> None:
        """Relays put out what they have taken."""
        s, a = self.streams, self.agents
        agents = s.consumer[ports]
        relays = (agents >= 0) & (a.stage[agents] == RELAYING)
        agents, ports = agents[relays], ports[relays]
        if len(agents):
            streams = a.stream[agents]
            s.supplied[streams] = a.out_start[agents] + s.taken[ports] - a.in_start[agents]
            whole = s.supplied[streams] == a.out_end[agents]
            self.touch(streams[whole])
            self.touch(streams[~whole], urgent=False)

    def _finish(self, streams: np.ndarray, ports: np.ndarray) -> None:
        """Transfers all of whose words have passed are over."""
        s, a = self.streams, self.agents
        senders = s.supplier[streams]
        over = (senders >= 0) & (s.left[streams] >= a.out_end[senders]) & (a.stage[senders] != IDLE)
        over &= (a.stage[senders] == SENDING) | (a.in_end[senders] >= 0)
        over &= a.out_end[senders] > a.out_start[senders]  # a relay may not know its message yet
        takers = s.consumer[ports]
        through = (takers >= 0) & (a.stage[takers] == RECEIVING) & (a.in_end[takers] >= 0)
        through &= s.taken[ports] >= a.in_end[takers]
        agents = np.concatenate([senders[over], takers[through]])
        if not len(agents):
            return
        relays = agents[a.stage[agents] == RELAYING]
        s.supplier[streams[over]] = -1
        s.consumer[ports[through]] = -1
        s.consumer[a.port[relays]] = -1
        a.stage[agents] = IDLE
        a.out_start[agents] = a.out_end[agents] = 0
        self._ended(agents)
