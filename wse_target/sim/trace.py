"""Events as a trace that chrome://tracing and Perfetto show: a process a PE, a track a thread.

The format counts in microseconds; here one microsecond stands for one cycle.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..instructions import MAIN_THREAD, Join, Receive, Relay, Send, Source, Switch, Vector
from .code import Code, Placement
from .recording import Events, operation_name, phases_by_counter


def chrome_trace(events: Events, code: Code, placement: Placement, note: str = "") -> dict[str, Any]:
    """The trace as the object that a `.json` file of the trace event format holds.

    Operations that take no time are left out. Events name their layer, source line, phase, and the PE that decided
    their end where it was another one.

    Args:
        note: said in the file, e.g. that events are missing.
    """
    columns = (events.pc, events.thread, events.pe, events.begin, events.end, events.cause)
    phases = phases_by_counter(code)
    rows = [
        _event(code, placement, phases, *row)
        for row in zip(*(c.tolist() for c in columns), strict=True)
        if row[4] > row[3]
    ]
    other = {"unit": "1 us stands for 1 cycle", **({"note": note} if note else {})}
    return {
        "traceEvents": [*_names(events, placement), *sorted(rows, key=lambda r: r["ts"])],
        "displayTimeUnit": "ns",
        "otherData": other,
    }


def _event(
    code: Code, placement: Placement, phases: list[int], pc: int, thread: int, pe: int, begin: float, end: float,
    cause: int,
) -> dict[str, Any]:  # fmt: skip
    op = code.operations[pc]
    phase, of_phase = code.phases[phases[pc]]
    source = getattr(op, "source", Source())
    source = source if source.place else of_phase
    facts = {
        "phase": phase,
        "layer": source.module_path,
        "source": source.location,
        "operator": source.operator,
        "decided by": placement.name(cause) if cause not in (pe, -1) else "",
    }
    return {
        "name": _title(op),
        "cat": _category(op),
        "ph": "X",
        "ts": begin,
        "dur": end - begin,
        "pid": pe,
        "tid": thread,
        "args": {name: value for name, value in facts.items() if value},
    }


def _title(op: object) -> str:
    match op:
        case Send(colour=colour) | Receive(colour=colour) | Switch(colour=colour):
            return f"{operation_name(op)} {colour}"
        case Relay(receive=receive, send=send):
            return f"relay {receive} -> {send}"
    return operation_name(op)


def _category(op: object) -> str:
    match op:
        case Vector():
            return "compute"
        case Send() | Receive() | Relay():
            return "communication"
        case Join() | Switch():
            return "synchronisation"
    return "control"


def _names(events: Events, placement: Placement) -> Iterator[dict[str, Any]]:
    """Names of the processes and their tracks, PEs in the order of their coordinates."""
    for pe in np.unique(events.pe).tolist():
        order = int(placement.y[pe]) * placement.width + int(placement.x[pe])
        yield _metadata("process_name", pe, 0, {"name": placement.name(pe)})
        yield _metadata("process_sort_index", pe, 0, {"sort_index": order})
        for thread in np.unique(events.thread[events.pe == pe]).tolist():
            name = "main thread" if thread == MAIN_THREAD else f"microthread {thread}"
            yield _metadata("thread_name", pe, thread, {"name": name})


def _metadata(name: str, pe: int, thread: int, args: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "ph": "M", "pid": pe, "tid": thread, "args": args}
