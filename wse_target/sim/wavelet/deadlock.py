"""Says who waits for whom when nothing can go on, and whose words nobody took."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import TargetError
from ...instructions import MAIN_THREAD, Join, Receive, Relay, Send, Source
from ..code import Placement
from .channels import Inbox
from .cores import Core
from .routes import Routes
from .run import Run
from .transfers import Receiving, Relaying, RunningTransfer, Sending

_LONGEST = 8
Agent = tuple[int, int]  # PE and thread


def stuck(cores: Sequence[Core], run: Run) -> TargetError:
    """The error for a program that cannot go on: names the cycle of PEs that wait for each other."""
    agents = [(core.pe, MAIN_THREAD) for core in cores if not core.halted]
    agents += [(core.pe, thread) for core in cores for thread in core.busy]
    waiting = len({pe for pe, _ in agents})
    chain, start = _follow(cores, run, agents[0])
    if start is None:
        head = f"deadlock: {waiting} PEs wait for words or places that never come"
    else:
        chain = dict(list(chain.items())[start:])
        head = f"deadlock: {waiting} PEs wait, {len({pe for pe, _ in chain})} of them in a cycle"
    notes = list(chain.values())
    if len(notes) > _LONGEST:
        notes = [*notes[:_LONGEST], f"... and {len(notes) - _LONGEST} more"]
    transfer = _transfer(cores, agents[0])
    op = transfer.op if transfer else run.code.operations[cores[agents[0][0]].pc]
    return TargetError(
        f"{head}: {notes[0]}",
        where=getattr(op, "source", Source()).place,
        notes=tuple(notes[1:]),
        hint="every receive needs a send of its colour, and a long send needs its receivers at work",
    )


def left_over(routes: Routes, placement: Placement) -> None:
    """Raises `TargetError` when words are left that nobody took."""
    late = [(word[0].channel, i.pe) for i in routes.inboxes.values() for _, word, _ in i.pending]
    late += [(word[0].channel, gate.pe) for gate in routes.gates.values() for _, word, _ in gate.held]
    if late:
        channel, pe = late[0]
        raise TargetError(
            f"the program ended with words of colour '{channel.colour}' that {placement.name(channel.pe)} "
            f"sent and {placement.name(pe)} did not take",
            hint="a receive or a switch is missing",
        )


def _transfer(cores: Sequence[Core], agent: Agent) -> RunningTransfer | None:
    pe, thread = agent
    return cores[pe].threads[thread].transfer if thread else cores[pe].transfer


def _follow(cores: Sequence[Core], run: Run, agent: Agent) -> tuple[dict[Agent, str], int | None]:
    """Sentences "a waits for b" from an agent on, and where among them the cycle starts that they end in."""
    chain: dict[Agent, str] = {}
    following: Agent | None = agent
    while following is not None and following not in chain:
        agent = following
        chain[agent] = ""
        chain[agent], following = _reason(cores, run, agent)
    return chain, None if following is None else list(chain).index(following)


def _reason(cores: Sequence[Core], run: Run, agent: Agent) -> tuple[str, Agent | None]:
    """What an agent waits for, and the agent that would have to act."""
    pe, thread = agent
    core, transfer = cores[pe], _transfer(cores, agent)
    name = core.name + (f" thread {thread}" if thread else "")
    if transfer is None:
        op = run.code.operations[core.pc]
        assert isinstance(op, (Join, Send, Receive, Relay))
        threads = op.threads if isinstance(op, Join) else (op.thread,)
        late = next(t for t in threads if core.thread(t).transfer is not None)
        return f"{name} waits for its microthread {late}", (pe, late)
    if isinstance(transfer, Sending) or (isinstance(transfer, Relaying) and transfer.channel.starved):
        return _sends(cores, transfer, name)
    assert isinstance(transfer, (Receiving, Relaying))
    return _receives(cores, run, transfer, name)


def _sends(cores: Sequence[Core], transfer: Sending | Relaying, name: str) -> tuple[str, Agent | None]:
    channel = transfer.channel
    late = channel.slowest()
    names = ", ".join(cores[pe].name for pe in late[:3])
    names += f" and {len(late) - 3} more" if len(late) > 3 else ""
    text = f"{name} waits to send colour '{channel.colour}' to {names}"
    return _onwards(cores, text, late[0] if late else None)


def _receives(
    cores: Sequence[Core], run: Run, transfer: Receiving | Relaying, name: str
) -> tuple[str, Agent | None]:
    inbox = transfer.inbox
    if inbox.queue[0] is not transfer:
        first = inbox.queue[0]
        assert isinstance(first, RunningTransfer)
        text = f"{name} waits to receive colour '{inbox.colour}' after its own thread {first.op.thread}"
        return text, (inbox.pe, first.op.thread)
    gate = _held(run, inbox)
    if gate is not None:
        text = f"{name} waits to receive colour '{inbox.colour}', held up by the router of "
        return _onwards(cores, text + cores[gate].name, gate)
    root = run.routes.root(inbox.pe, inbox.colour, inbox.epoch or 0)
    if root is None:
        return f"{name} waits to receive colour '{inbox.colour}'", None
    text = f"{name} waits to receive colour '{inbox.colour}' from {cores[root].name}"
    return _onwards(cores, text, root)


def _held(run: Run, inbox: Inbox) -> int | None:
    """A PE at whose router words wait that would come to this inbox, or on to nobody knows where."""
    for gate in run.routes.gates.values():
        for _, word, _ in gate.held:
            channel = word[0].channel
            ends = [delivery.inbox for delivery in channel.deliveries]
            if inbox in ends or (not ends and channel.colour == inbox.colour):
                return gate.pe
    return None


def _onwards(cores: Sequence[Core], text: str, pe: int | None) -> tuple[str, Agent | None]:
    """Adds what the other side is doing when it does not wait."""
    if pe is None:
        return text, None
    if cores[pe].halted:
        busy = cores[pe].busy
        return (text, (pe, busy[0])) if busy else (text + ", which has ended", None)
    return text, (pe, MAIN_THREAD)
