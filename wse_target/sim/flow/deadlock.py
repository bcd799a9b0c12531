"""Says who waits for whom when nothing can go on."""

from __future__ import annotations

import numpy as np

from ...errors import TargetError
from ...instructions import MAIN_THREAD, Join, Receive, Relay, Send, Source
from ..code import Halt
from .lane import Lane
from .lanes import Lanes
from .state import State
from .transfers import CLAIMED, ISSUED, PASSED

_LONGEST = 8
ThreadOfPE = tuple[int, int]  # thread, PE


def stuck(state: State, lanes: Lanes) -> TargetError:
    """The error for a program that cannot go on, or that ended with words left over."""
    blocked = np.argwhere(state.agents.blocked)
    if not len(blocked):
        return _left_over(state, lanes)
    first = (int(blocked[0][0]), int(blocked[0][1]))
    chain, cycle_start = _Search(state, lanes).follow(first)
    waiting = len(np.unique(blocked[:, 1]))
    if cycle_start is None:
        head, notes = f"deadlock: {waiting} PEs wait for words or places that never come", chain
    else:
        head, notes = (
            f"deadlock: {waiting} PEs wait, {len(chain) - cycle_start} of them in a cycle",
            chain[cycle_start:],
        )
    if len(notes) > _LONGEST:
        notes = [*notes[:_LONGEST], f"... and {len(notes) - _LONGEST} more"]
    op = state.code.operations[int(state.agents.pc[first])]
    return TargetError(
        f"{head}: {notes[0]}",
        where=(getattr(op, "source", None) or Source()).place,
        notes=tuple(notes[1:]),
        hint="every receive needs a send of its colour, and a long send needs its receivers at work",
    )


def _left_over(state: State, lanes: Lanes) -> TargetError:
    for lane in lanes.all():
        channel = lane.left_over()
        if channel is None:
            continue
        at, _ = lane.tree.receivers.take(np.array([channel]))
        receivers = lane.tree.receivers.values[at]
        late = receivers[lane.received[receivers] < lane.sent[channel]]
        return TargetError(
            f"the program ended with words of colour '{lane.name}' that "
            f"{state.placement.name(int(lane.tree.root[channel]))} sent and "
            f"{_some(state, late if len(late) else receivers)} did not take",
            hint="a receive is missing",
        )
    return TargetError("the program ended with transfers that nobody joined")


class _Search:
    """Follows who waits for whom."""

    def __init__(self, state: State, lanes: Lanes) -> None:
        self.state = state
        self.lanes = lanes

    def follow(self, thread: ThreadOfPE) -> tuple[list[str], int | None]:
        """Sentences "a waits for b" from a thread on, and where among them the cycle starts that they end in."""
        seen: dict[ThreadOfPE, int] = {}
        chain: list[str] = []
        while thread not in seen:
            seen[thread] = len(chain)
            text, following = self._reason(thread)
            chain.append(text)
            if following is None:
                return chain, None
            thread = following
        return chain, seen[thread]

    def _reason(self, waiting: ThreadOfPE) -> tuple[str, ThreadOfPE | None]:
        """What a blocked thread waits for, and the thread that would have to act."""
        state, (thread, pe) = self.state, waiting
        a = state.agents
        op = state.code.operations[int(a.pc[waiting])]
        stage = int(a.stage[waiting])
        name = state.placement.name(pe) + (f" thread {thread}" if thread else "")
        launches = isinstance(op, (Send, Receive, Relay)) and op.thread != thread
        if isinstance(op, Join) or launches:
            threads = op.threads if isinstance(op, Join) else (int(getattr(op, "thread", 0)),)
            late = next(t for t in threads if a.busy[t, pe])
            return f"{name} waits for its microthread {late}", (late, pe)
        if isinstance(op, (Receive, Relay)) and stage == ISSUED and not self._has_words(op, waiting):
            return self._for_words(op.colour if isinstance(op, Receive) else op.receive, name, waiting)
        if isinstance(op, Send) or (isinstance(op, Relay) and stage in (ISSUED, CLAIMED)):
            return self._for_places(op.colour if isinstance(op, Send) else op.send, name, waiting)
        if isinstance(op, (Receive, Relay)) and stage in (CLAIMED, PASSED):
            return self._for_words(op.colour if isinstance(op, Receive) else op.receive, name, waiting)
        return f"{name} waits", None

    def _has_words(self, op: Receive | Relay, waiting: ThreadOfPE) -> bool:
        lane = self._lane(op.colour if isinstance(op, Receive) else op.receive, waiting, incoming=True)
        number = int(self.state.agents.number_in[waiting])
        gate = self.lanes.gate(lane)
        set_ = gate is None or gate[waiting[1]] < np.inf
        return set_ and 0 <= number < int(lane.sent[lane.tree.incoming[waiting[1]]])

    def _lane(self, colour: str, waiting: ThreadOfPE, *, incoming: bool) -> Lane:
        a = self.state.agents
        return self.lanes.lane(colour, int((a.epoch_in if incoming else a.epoch_out)[waiting]))

    def _for_places(self, colour: str, name: str, waiting: ThreadOfPE) -> tuple[str, ThreadOfPE | None]:
        lane, number = self._lane(colour, waiting, incoming=False), int(self.state.agents.number_out[waiting])
        channel = int(lane.tree.outgoing[waiting[1]])
        at, _ = lane.tree.receivers.take(np.array([channel]))
        receivers = lane.tree.receivers.values[at]
        sent = max(int(lane.sent[channel]), 1)
        late = receivers[self._taken(lane, receivers) <= min(number, sent - 1)]
        text = f"{name} waits to send colour '{colour}' to {_some(self.state, late)}"
        return self._onwards(text, int(late[0]) if len(late) else None)

    def _taken(self, lane: Lane, receivers: np.ndarray) -> np.ndarray:
        """Messages that receivers have at least begun to take."""
        a, taken = self.state.agents, lane.received[receivers].copy()
        for thread in range(self.state.threads):
            op_waits = a.blocked[thread][receivers] & (a.stage[thread][receivers] == ISSUED)
            for index in np.flatnonzero(op_waits).tolist():
                op = self.state.code.operations[int(a.pc[thread, receivers[index]])]
                taking = op.colour if isinstance(op, Receive) else getattr(op, "receive", "")
                taken[index] -= taking == lane.name and a.epoch_in[thread, receivers[index]] == lane.epoch
        return taken

    def _for_words(self, colour: str, name: str, waiting: ThreadOfPE) -> tuple[str, ThreadOfPE | None]:
        lane = self._lane(colour, waiting, incoming=True)
        channel = int(lane.tree.incoming[waiting[1]])
        if channel < 0:
            return f"{name} waits to receive colour '{colour}', which no sender reaches it with", None
        root = int(lane.tree.root[channel])
        late = self._late_router(lane, waiting[1], root)
        text = f"{name} waits to receive colour '{colour}' from {self.state.placement.name(root)}"
        if late is not None:
            text += f", whose words wait for {self.state.placement.name(late)} to switch the colour"
            return self._onwards(text, late)
        return self._onwards(text, root)

    def _late_router(self, lane: Lane, pe: int, root: int) -> int | None:
        """The PE nearest to the sender that has not come to the epoch, where that holds words up."""
        gate, times = self.lanes.gate(lane), self.lanes.colours[lane.name].times
        if gate is None or times is None or gate[pe] < np.inf or times.epoch[root] < lane.epoch:
            return None
        late = np.flatnonzero(times.ever & (times.epoch < lane.epoch))
        if not late.size:
            return None
        placement = self.state.placement
        away = np.abs(placement.x[late] - placement.x[root]) + np.abs(placement.y[late] - placement.y[root])
        return int(late[np.argmin(away)])

    def _onwards(self, text: str, pe: int | None) -> tuple[str, ThreadOfPE | None]:
        """Adds what the other side is doing when it does not wait."""
        if pe is None:
            return text, None
        blocked = np.flatnonzero(self.state.agents.blocked[:, pe])
        if len(blocked):
            return text, (int(blocked[0]), pe)
        operation = self.state.code.operations[int(self.state.agents.pc[MAIN_THREAD, pe])]
        return text + (", which has ended" if isinstance(operation, Halt) else ", which does not"), None


def _some(state: State, pes: np.ndarray) -> str:
    names = [state.placement.name(int(pe)) for pe in pes[:3]]
    return ", ".join(names) + (f" and {len(pes) - 3} more" if len(pes) > 3 else "")
