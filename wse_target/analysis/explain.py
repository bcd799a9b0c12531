"""Says in words who waits for whom when an untimed execution is stuck; in the style of the simulator's own messages."""

from __future__ import annotations

import numpy as np

from ..instructions import Join, Receive, Relay, Send, Source
from .agents import IDLE, ISSUED, RECEIVING, RELAYING, SENDING
from .execution import Execution

_LONGEST = 8


def waiting(run: Execution) -> tuple[str, tuple[str, ...], str]:
    """What is wrong, the sentences of the cycle (or of the chain that leads nowhere), and a source line.

    Empty when nobody waits and nothing is left over.
    """
    stuck = np.flatnonzero(~run.halted)
    if not len(stuck):
        micro = np.flatnonzero(run.agents.stage[run.pes :] != IDLE)
        if not len(micro):
            return _left_over(run)
        stuck = micro + run.pes
    chain, start = _follow(run, int(stuck[0]))
    count = len(np.unique(stuck % run.pes))
    if start is None:
        head = f"{count} PEs wait for words or places that never come"
    else:
        chain = chain[start:]
        head = f"{count} PEs wait, {len(chain)} of them in a cycle"
    op = run.code.operations[int(run.agents.pc[stuck[0]])]
    if len(chain) > _LONGEST:
        chain = [*chain[:_LONGEST], f"... and {len(chain) - _LONGEST} more"]
    return head, tuple(chain), (getattr(op, "source", None) or Source()).place


def _left_over(run: Execution) -> tuple[str, tuple[str, ...], str]:
    ports = run.streams.untaken()
    if not len(ports):
        return "", (), ""
    streams = run.streams
    net, sender = _net(run, int(streams.stream_of[ports[0]]))
    left = f"words of colour '{net.colour}' are left over"
    return (
        left,
        (f"{run.placement.name(int(streams.pe_of[ports[0]]))} does not take what {sender} sends",),
        "",
    )


def _net(run: Execution, stream: int):
    net = run.streams.nets[int(run.streams.net_of_stream[stream])]
    first, _ = run.streams.numbers(net)
    return net, run.placement.name(int(net.root[stream - first]))


def _follow(run: Execution, agent: int) -> tuple[list[str], int | None]:
    """Sentences "a waits for b" from an agent on, and where among them the cycle starts that they end in."""
    seen: dict[int, int] = {}
    chain: list[str] = []
    while agent not in seen:
        seen[agent] = len(chain)
        text, following = _reason(run, agent)
        chain.append(text)
        if following is None:
            return chain, None
        agent = following
    return chain, seen[agent]


def _reason(run: Execution, agent: int) -> tuple[str, int | None]:
    """What one agent waits for, and the agent that would have to act."""
    op = run.code.operations[int(run.agents.pc[agent])]
    pe, thread = agent % run.pes, agent // run.pes
    name = run.placement.name(pe) + (f" thread {thread}" if thread else "")
    stage = int(run.agents.stage[agent])
    if stage == IDLE and isinstance(op, (Join, Send, Receive, Relay)):
        threads = op.threads if isinstance(op, Join) else (op.thread,)
        late = next(t for t in threads if run.agents.stage[t * run.pes + pe] != IDLE)
        return f"{name} waits for its microthread {late}", late * run.pes + pe
    if stage == ISSUED:
        return _turn(run, agent, op, name)
    if stage == SENDING or (
        stage == RELAYING and run.agents.in_end[agent] >= 0 and _starved_of_room(run, agent)
    ):
        return _room(run, agent, name)
    if stage in (RECEIVING, RELAYING):
        return _words(run, agent, name)
    return f"{name} waits", None


def _turn(run: Execution, agent: int, op: object, name: str) -> tuple[str, int | None]:
    """A transfer that waits for another one of its PE on the same colour, or for words from anybody."""
    streams = run.streams
    others = [int(streams.consumer[run.agents.port[agent]])] if run.agents.port[agent] >= 0 else []
    others += [int(streams.supplier[run.agents.stream[agent]])] if run.agents.stream[agent] >= 0 else []
    busy = next((other for other in others if other >= 0), None)
    if busy is None:
        colour = op.receive if isinstance(op, Relay) else getattr(op, "colour", "")
        return f"{name} waits to receive colour '{colour}', which nobody sends it", None
    return f"{name} waits for its {_thread(busy // run.pes)}, which uses the same colour", busy


def _thread(number: int) -> str:
    return f"microthread {number}" if number else "main thread"


def _starved_of_room(run: Execution, agent: int) -> bool:
    """Whether a relay has taken all that it can put out, and there is more to take."""
    streams, port = run.streams, int(run.agents.port[agent])
    return (
        bool(streams.wanted[port] < run.agents.in_end[agent]) and streams.taken[port] == streams.wanted[port]
    )


def _room(run: Execution, agent: int, name: str) -> tuple[str, int | None]:
    streams, stream = run.streams, int(run.agents.stream[agent])
    ports = np.arange(streams.first_port[stream], streams.first_port[stream + 1])
    limit = (
        np.where(streams.open[ports], streams.wanted[ports], streams.taken[ports]) + streams.capacity[ports]
    )
    late = streams.pe_of[ports[limit <= streams.left[stream]]]
    net, _ = _net(run, stream)
    text = f"{name} waits to send colour '{net.colour}' to {_some(run, late)}"
    return _onwards(run, text, int(late[0]) if len(late) else None, net.colour)


def _words(run: Execution, agent: int, name: str) -> tuple[str, int | None]:
    streams, port = run.streams, int(run.agents.port[agent])
    stream = int(streams.stream_of[port])
    net, sender = _net(run, stream)
    first, _ = streams.numbers(net)
    root = int(net.root[stream - first])
    text = f"{name} waits to receive colour '{net.colour}' from {sender}"
    if not streams.open[port] and streams.left[stream] > streams.taken[port]:
        switched = run.routing.switched[net.colour]
        late = np.flatnonzero(switched & (run.epoch[net.colour] < net.epoch))
        text = f"{name} waits for routers to be switched to epoch {net.epoch} of colour '{net.colour}'"
        return _onwards(run, f"{text}, as that of {_some(run, late[:1])}", int(late[0]), net.colour)
    return _onwards(run, text, root, net.colour)


def _onwards(run: Execution, text: str, pe: int | None, colour: str) -> tuple[str, int | None]:
    """Adds what the other side is doing when it does not wait."""
    if pe is None:
        return text, None
    agents = np.arange(run.threads) * run.pes + pe
    at_work = [int(a) for a in agents[1:] if run.agents.stage[a] != IDLE]
    using = [a for a in at_work if colour in _colours(run.code.operations[int(run.agents.pc[a])])]
    if using:
        return text, using[0]
    if not run.halted[pe]:
        return text, pe
    return f"{text}, which {'does not' if at_work else 'has ended'}", None


def _colours(op: object) -> tuple[str, ...]:
    return (op.receive, op.send) if isinstance(op, Relay) else (getattr(op, "colour", ""),)


def _some(run: Execution, pes: np.ndarray) -> str:
    names = [run.placement.name(int(pe)) for pe in pes[:3]]
    return ", ".join(names) + (f" and {len(pes) - 3} more" if len(pes) > 3 else "")
