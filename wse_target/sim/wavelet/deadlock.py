"""Says who waits for whom when nothing can go on, and whose words nobody took."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import TargetError
from ...image import MAIN_THREAD, Join
from ..code import Placement
from .channels import Inbox
from .cores import Core
from .routes import Routes
from .run import Run
from .transfers import Receiving, Relaying, Sending, Transfer

_LONGEST = 8
Agent = tuple[int, int]  # PE and thread


def stuck(cores: Sequence[Core], run: Run) -> TargetError:
    """The error for a program that cannot go on: names the cycle of PEs that wait for each other."""
    agents = [
        (core.pe, thread) for core in cores for thread in (MAIN_THREAD, *core.busy) if _waits(core, thread)
    ]
    waiting = len({pe for pe, _ in agents})
    chain, start = _follow(cores, run, agents[0])
    if start is None:
        head = f"deadlock: {waiting} PEs wait for words or places that never come"
    else:
        chain = chain[start:]
        head = f"deadlock: {waiting} PEs wait, {len(chain)} of them in a cycle"
    if len(chain) > _LONGEST:
        chain = [*chain[:_LONGEST], f"... and {len(chain) - _LONGEST} more"]
    pe, thread = agents[0]
    held = cores[pe].transfer if thread == MAIN_THREAD else cores[pe].threads[thread].transfer
    op = held.op if held else run.code.operations[cores[pe].pc]
    return TargetError(
        f"{head}: {chain[0]}",
        where=op.source.place,  # type: ignore[union-attr]
        notes=tuple(chain[1:]),
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


def _waits(core: Core, thread: int) -> bool:
    return thread != MAIN_THREAD or not core.halted


def _follow(cores: Sequence[Core], run: Run, agent: Agent) -> tuple[list[str], int | None]:
    """Sentences "a waits for b" from an agent on, and where among them the cycle starts that they end in."""
    seen: dict[Agent, int] = {}
    chain: list[str] = []
    following: Agent | None = agent
    while following is not None and following not in seen:
        seen[following] = len(chain)
        text, following = _reason(cores, run, following)
        chain.append(text)
    return chain, None if following is None else seen[following]


def _reason(cores: Sequence[Core], run: Run, agent: Agent) -> tuple[str, Agent | None]:
    """What an agent waits for, and the agent that would have to act."""
    pe, thread = agent
    core = cores[pe]
    name = core.name + (f" thread {thread}" if thread else "")
    transfer = core.threads[thread].transfer if thread else core.transfer
    if transfer is None:
        op = run.code.operations[core.pc]
        threads = op.threads if isinstance(op, Join) else (op.thread,)  # type: ignore[union-attr]
        late = next(t for t in threads if core.threads[t].transfer is not None)
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
        assert isinstance(first, Transfer)
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
    """A PE at whose router words wait that would come to this inbox."""
    for gate in run.routes.gates.values():
        for _, word, _ in gate.held:
            if any(d.inbox is inbox for d in word[0].channel.deliveries):
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
