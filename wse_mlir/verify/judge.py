"""What the IR after a pass computes: it is completed by what is not ours, and run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from ..dialects.context import create_context
from ..dialects.host import ir
from .calls import Arrays, Calls
from .completion import ArraySignature, main_signature, native_functions, operation_names, signature_of
from .isolation import TIME_LIMIT, SendResult, isolated
from .trace import Snapshot

ArrayFunction = Callable[[Sequence[np.ndarray]], Arrays]


@dataclass(frozen=True)
class Verdict:
    """What came of running the IR after a pass.

    Attributes:
        results: of every call; None when there are none.
        crash: how the program crashed while it ran: that is the program's fault.
        unjudged: why nobody can tell what the IR computes: that is nobody's fault.
    """

    results: list[Arrays] | None = None
    crash: str = ""
    unjudged: str = ""


class Completion(Protocol):
    """Makes the IR of some stages runnable; runs in a process of its own."""

    def accepts(self, operations: set[str]) -> bool:
        """Whether IR with operations of these names is for it."""
        ...

    def __call__(self, module: ir.Module) -> ArrayFunction:
        """A function from all arguments of @main to all of its results; consumes the module.

        Raises:
            CompilerError: the IR cannot be completed.
        """
        ...


class Judge:
    """Runs snapshots of one program on the same calls; the same IR is run once.

    Args:
        first: the program's IR on tensors, which tells its signature.
    """

    def __init__(
        self,
        first: Snapshot,
        calls: Calls,
        wafer: Sequence[Completion] = (),
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self._calls = calls
        self._wafer = wafer
        self._limit = time_limit
        self._signature = main_signature(first.module(create_context()))
        self._known: dict[bytes, Verdict] = {}

    def verdict(self, snapshot: Snapshot) -> Verdict:
        """What the snapshot's IR computes."""
        if snapshot.data not in self._known:
            self._known[snapshot.data] = self._run(snapshot)
        return self._known[snapshot.data]

    def _run(self, snapshot: Snapshot) -> Verdict:
        def work(send: SendResult) -> list[Arrays]:
            module = snapshot.module(create_context())
            function = complete_module(module, self._signature, self._calls, self._wafer)
            send("completed")
            return self._calls.run(function)

        outcome = isolated(work, self._limit)
        if outcome.returned:
            return Verdict(outcome.value)
        reason = str(outcome.failure) if outcome.failure else outcome.crash
        return Verdict(crash=reason) if outcome.sent else Verdict(unjudged=reason)


def complete_module(
    module: ir.Module,
    signature: ArraySignature,
    calls: Calls,
    wafer: Sequence[Completion] = (),
    *,
    checked: bool = False,
) -> ArrayFunction:
    """@main of a module of any stage as something that can be called; consumes the module.

    Args:
        signature: of @main on tensors.
        wafer: completions of the stages of a wafer.
        checked: whether an access outside of a buffer ends the process; not on a wafer.

    Raises:
        CompilerError: the IR cannot be completed.
    """
    operations = operation_names(module)
    for completion in wafer:
        if completion.accepts(operations):
            return completion(module)
    return native_main(module, signature, calls, checked=checked)


def native_main(
    module: ir.Module, signature: ArraySignature, calls: Calls, *, checked: bool = False
) -> ArrayFunction:
    """@main of a module of any stage of the CPU's pipeline as native code."""
    main = next(op for op in module.body.operations if _symbol(op) == "main")
    on_tensors = main.operation.name == "func.func" and _takes_tensors(main)
    if on_tensors:  # checks may have come behind the model's results
        signature = replace(signature, results=signature_of(main).results)
    else:  # our bufferization writes states in place
        signature = replace(signature, in_place=_states_in_place(calls))
    return native_functions(module, {"main": signature}, checked=checked)["main"]


def _states_in_place(calls: Calls) -> tuple[int | None, ...]:
    places = {a.name: i for i, a in enumerate(calls.interface.arguments) if a.kind == "state"}
    return tuple(places.get(r.name) if r.kind == "state" else None for r in calls.interface.results)


def _symbol(op: Any) -> str:
    attributes = op.operation.attributes
    return ir.StringAttr(attributes["sym_name"]).value if "sym_name" in attributes else ""


def _takes_tensors(main: Any) -> bool:
    return any(isinstance(t, ir.RankedTensorType) for t in (*main.type.inputs, *main.type.results))
