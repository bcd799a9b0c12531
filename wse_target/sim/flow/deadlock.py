"""Says who waits for whom when nothing can go on."""

from __future__ import annotations

import numpy as np

from ...errors import TargetError
from ...image import Join, Receive, Relay, Send, Source
from ..code import Halt
from .state import State
from .transfers import CLAIMED, ISSUED, PASSED

_LONGEST = 8


def stuck(state: State) -> TargetError:
    """The error for a program that cannot go on, or that ended with words left over."""
    blocked = np.flatnonzero(state.agents.blocked)
    if not len(blocked):
        return _left_over(state)
    chain, cycle_start = _follow(state, int(blocked[0]))
    waiting = len(np.unique(blocked % state.pes))
    if cycle_start is None:
        head, notes = f"deadlock: {waiting} PEs wait for words or places that never come", chain
    else:
        head, notes = (
            f"deadlock: {waiting} PEs wait, {len(chain) - cycle_start} of them in a cycle",
            chain[cycle_start:],
        )
    if len(notes) > _LONGEST:
        notes = [*notes[:_LONGEST], f"... and {len(notes) - _LONGEST} more"]
    op = state.code.operations[int(state.agents.pc[blocked[0]])]
    return TargetError(
        f"{head}: {notes[0]}",
        where=(getattr(op, "source", None) or Source()).place,
        notes=tuple(notes[1:]),
        hint="every receive needs a send of its colour, and a long send needs its receivers at work",
    )


def _left_over(state: State) -> TargetError:
    channel = state.streams.left_over()
    if channel is None:
        return TargetError("the program ended with transfers that nobody joined")
    channels = state.channels
    at, _ = channels.receivers.take(np.array([channel]))
    colour = channels.colours[channels.colour[channel]]
    return TargetError(
        f"the program ended with words of colour '{colour}' that {state.placement.name(int(channels.root[channel]))} "
        f"sent and {_some(state, channels.receivers.values[at])} did not take",
        hint="a receive is missing",
    )


def _follow(state: State, agent: int) -> tuple[list[str], int | None]:
    """Sentences "a waits for b" from an agent on, and where among them the cycle starts that they end in."""
    seen: dict[int, int] = {}
    chain: list[str] = []
    while agent not in seen:
        seen[agent] = len(chain)
        text, following = _reason(state, agent)
        chain.append(text)
        if following is None:
            return chain, None
        agent = following
    return chain, seen[agent]


def _reason(state: State, agent: int) -> tuple[str, int | None]:
    """What one blocked agent waits for, and the agent that would have to act."""
    op = state.code.operations[int(state.agents.pc[agent])]
    pe, thread = agent % state.pes, agent // state.pes
    name = state.placement.name(pe) + (f" thread {thread}" if thread else "")
    stage = int(state.agents.stage[agent])
    if isinstance(op, Join) or (stage == 0 and isinstance(op, (Send, Receive, Relay))):
        threads = op.threads if isinstance(op, Join) else (op.thread,)
        late = next(t for t in threads if state.agents.busy[t * state.pes + pe])
        return f"{name} waits for its microthread {late}", late * state.pes + pe
    if isinstance(op, Send) or (isinstance(op, Relay) and stage == CLAIMED):
        colour = op.colour if isinstance(op, Send) else op.send
        late = _late_receivers(state, colour, pe, int(state.agents.number_out[agent]))
        text = f"{name} waits to send colour '{colour}' to {_some(state, late)}"
        return _onwards(state, text, int(late[0]) if len(late) else None)
    if isinstance(op, (Receive, Relay)) and stage in (ISSUED, CLAIMED, PASSED):
        colour = op.colour if isinstance(op, Receive) else op.receive
        channel = state.channels.incoming[state.colour_index[colour], pe]
        root = int(state.channels.root[channel])
        return _onwards(
            state, f"{name} waits to receive colour '{colour}' from {_some(state, np.array([root]))}", root
        )
    return f"{name} waits", None


def _late_receivers(state: State, colour: str, pe: int, number: int) -> np.ndarray:
    """Receivers of a channel that have not come to its message `number`."""
    index = state.colour_index[colour]
    at, _ = state.channels.receivers.take(np.array([state.channels.outgoing[index, pe]]))
    receivers = state.channels.receivers.values[at]
    return receivers[state.streams.received[index, receivers] <= number]


def _onwards(state: State, text: str, pe: int | None) -> tuple[str, int | None]:
    """Adds what the other side is doing when it does not wait."""
    if pe is None:
        return text, None
    blocked = np.flatnonzero(state.agents.blocked.reshape(state.threads, -1)[:, pe])
    if len(blocked):
        return text, int(blocked[0]) * state.pes + pe
    ended = isinstance(state.code.operations[int(state.agents.pc[pe])], Halt)
    return text + (", which has ended" if ended else ", which does not"), None


def _some(state: State, pes: np.ndarray) -> str:
    names = [state.placement.name(int(pe)) for pe in pes[:3]]
    return ", ".join(names) + (f" and {len(pes) - 3} more" if len(pes) > 3 else "")
