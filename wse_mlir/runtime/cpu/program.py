"""A program for the CPU: native code that can be stored, and what runs it. No MLIR: it was needed to get here only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ...frontend.call_interface import CallInterface
from ...passes.cpu.processor import Processor
from ...passes.infra.diagnostics import CompilerError
from ..arena import empty_array
from ..arrays import without_sign
from .direct_call import ContiguousType, DirectCall
from .jit import JitFunction, NativeModule
from .provisions import NO_PROVISIONS, ArrayType, Preparation, Provisions


def is_dynamic(types: Sequence[ArrayType]) -> bool:
    """Whether a size is known only at run time."""
    return any(-1 in shape for shape, _ in types)


@dataclass(frozen=True)
class CpuFunction:
    """How a compiled @main is called.

    Attributes:
        entry: the function's name.
        interface: of the model, without data.
        results: shape, with -1 for sizes that are known only at run time, and element type of each result.
        processor: that the code is for.
        states_in_place: states that are written in place are arguments, and not among the outputs.
        provisions: what else it takes.
    """

    entry: str
    interface: CallInterface
    results: tuple[ArrayType, ...]
    processor: Processor
    states_in_place: bool = True
    provisions: Provisions = NO_PROVISIONS

    @property
    def entries(self) -> tuple[str, ...]:
        """The functions of the code that are called."""
        return (self.entry, *self.provisions.entries)

    @property
    def returns(self) -> bool:
        """Whether outputs are returned, since callers cannot know how much to allocate:
        `@main(arguments..., provisions...) -> (outputs...)`; else they are the last arguments:
        `@main(arguments..., provisions..., outputs...)`."""
        return is_dynamic(self.results)

    @property
    def outputs(self) -> tuple[ArrayType | None, ...]:
        """Per result what the function hands out; None for a state that it writes in place."""
        states = {a.name for a in self.interface.arguments if a.kind == "state"}
        return tuple(
            None if self.states_in_place and r.kind == "state" and r.name in states else kind
            for r, kind in zip(self.interface.results, self.results, strict=True)
        )


@dataclass(frozen=True)
class CpuProgram:
    """Native code of a function and how to call it: everything but the parameters, so that it can be stored.

    Attributes:
        code: a position-independent object file, with the packed entries of the function and of what it comes with.
    """

    code: bytes
    function: CpuFunction


def check_runs_here(processor: Processor) -> None:
    """Refuses code that would end the process with an illegal instruction.

    Raises:
        CompilerError: names the instruction sets that are missing.
    """
    reason = processor.runs_here()
    if reason:
        raise CompilerError(
            f"code for '{processor.cpu}' cannot run in this process: {reason}",
            hint="leave the options cpu and features out, or write the code to a file and run it on such a machine",
        )


class CpuExecutable:
    """A program linked into this process, whose parameters are bound without a copy.

    What the function needs of the parameters in another form is prepared when they are bound. Temporary memory is kept
    for as many calls as there were at the same time.

    Raises:
        CompilerError: this machine cannot run the code, or it cannot be linked.
    """

    calls_take_turns = False
    held_states: frozenset[str] = frozenset()  # they are where the caller has them

    def __init__(self, program: CpuProgram, parameters: Sequence[np.ndarray]) -> None:
        function, provisions = program.function, program.function.provisions
        check_runs_here(function.processor)
        arguments, results = function.interface.arguments, function.interface.results
        states = {a.name: i for i, a in enumerate(arguments) if a.kind == "state"}
        self.program = program
        self._types = function.outputs
        self._given = [i for i, a in enumerate(arguments) if a.kind != "parameter"]
        self._state_of = [self._given.index(states[r.name]) if r.name in states else -1 for r in results]
        self._parameters = [i for i, a in enumerate(arguments) if a.kind == "parameter"]
        outputs = [(len(shape), dtype) for shape, dtype in filter(None, self._types)]
        self._returns = function.returns
        ranks = [len(a.shape) for a in arguments] + provisions.ranks
        self._first_output = len(ranks)
        ranks += [] if self._returns else [rank for rank, _ in outputs]
        native = NativeModule(program.code, function.entries, f"'{function.entry}'")
        status = len(arguments) if provisions.checks else None
        self._function = JitFunction(
            native,
            function.entry,
            ranks,
            outputs if self._returns else [],
            status,
            provisions.checks,
            provisions.allocations,
        )
        self._native = native
        self._first_provided = len(arguments) + bool(provisions.checks)
        if provisions.arena_bytes is not None:
            self._function.give_memory(self._first_output - 1, provisions.arena_bytes)
        self.report: dict[str, Any] = {"memory": _memory(provisions)}
        self.bind(parameters)

    def bind(self, parameters: Sequence[np.ndarray]) -> None:
        """Takes the parameters from these arrays, for calls that begin from now on: what is computed from them alone is
        computed now, the others are read where they are."""
        bound = dict(zip(self._parameters, parameters, strict=True))
        provisions = self.program.function.provisions
        if provisions.prepare:
            preparation = Preparation(self._native, provisions, [array.ndim for array in parameters])
            preparation.run(parameters)
            bound |= enumerate(preparation.arrays, start=self._first_provided)
        self._function.bind(bound)

    def read_state(self, name: str) -> np.ndarray:
        """See `Executable.read_state`: it holds none."""
        raise KeyError(name)

    def write_state(self, name: str, value: np.ndarray) -> None:
        """See `Executable.write_state`: it holds none."""
        raise KeyError(name)

    def direct_call(self, states: Sequence[np.ndarray]) -> DirectCall | None:
        """See `Executable.direct_call`; there is one if all sizes are known and the model changes no input."""
        interface = self.program.function.interface
        inputs = [i for i in self._given if interface.arguments[i].kind == "input"]
        changes_input = any(
            kind is not None and r.kind == "state"
            for kind, r in zip(self._types, interface.results, strict=True)
        )
        kinds = [
            ContiguousType(tuple(interface.arguments[i].shape), interface.arguments[i].dtype) for i in inputs
        ]
        own_types = all(
            kind is None or kind[1] == without_sign(r.dtype)
            for kind, r in zip(self._types, interface.results, strict=True)
        )
        if self._returns or changes_input or not own_types or any(-1 in kind.shape for kind in kinds):
            return None
        held = [i for i in self._given if i not in inputs]
        self._function.bind(dict(zip(held, states, strict=True)))
        made = [
            ContiguousType(kind[0], r.dtype)
            for kind, r in zip(self._types, interface.results, strict=True)
            if kind is not None
        ]
        return DirectCall(
            self._function,
            list(zip(inputs, kinds, strict=True)),
            list(enumerate(made, start=self._first_output)),
        )

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Runs once; see `Executable.run`."""
        given = list(zip(self._given, inputs, strict=True))
        if self._returns:
            outputs = self._function(given)
        else:
            outputs = [empty_array(*kind) for kind in self._types if kind is not None]
            self._function([*given, *enumerate(outputs, start=self._first_output)])
        remaining = iter(outputs)
        return [
            inputs[state] if kind is None else next(remaining)
            for kind, state in zip(self._types, self._state_of, strict=True)
        ]


def _memory(provisions: Provisions) -> dict[str, int]:
    """Bytes that an executable keeps for its calls."""
    prepared = sum(prod(shape) * dtype.itemsize for shape, dtype in provisions.prepared)
    return {"prepared_bytes": prepared, "arena_bytes": provisions.arena_bytes or 0}
