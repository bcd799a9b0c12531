"""What `compile` and `load` return: a compiled model that is called like the model itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch.utils import _pytree as pytree

from ..dialects.fork_lock import ForkLock, LockOrder
from ..frontend.call_interface import CallInterface
from ..frontend.models import is_mlir_text, is_plain_function
from ..passes.infra.diagnostics import CompilerError
from ..runtime.arrays import (
    as_array,
    as_tensor,
    is_unsigned,
    numpy_dtype,
    parameters_of,
    tensor_if_array,
)
from ..runtime.executable import Executable
from .parameter_sources import TensorNames
from .states import States
from .stream import InputQueue

if TYPE_CHECKING:
    from ..runtime.cpu.direct_call import DirectCall


class Compiled:
    """A compiled model; call it as the model itself.

    Tensors in give tensors out, NumPy arrays in give NumPy arrays out. Parameters are taken as they are when the
    model is compiled: weights are packed, and what depends on them alone is computed. After an optimizer's step
    on the model, or when a parameter's tensor was replaced, call `update_parameters`; calls before that may see
    the new values of some parameters and the old ones of others.

    Any number of threads may call it, and each gets the answer to its own arguments. Calls run at the same time, except
    on a wafer, of which there is one, and if the model has state, which each call reads and writes as a whole. `reset`,
    `update_parameters` and `save` wait for such calls, and a fork of the process does; a forked process may go on
    calling, with a state of its own.
    """

    def __init__(
        self,
        model: Any,
        interface: CallInterface,
        executable: Executable,
        target: str,
        compilation: Mapping[str, Any],
        *,
        name: str = "",
        tensor_names: TensorNames | None = None,
    ) -> None:
        """
        Args:
            model: what `update_parameters` reads; None for a model from a file.
            interface: with the values of parameters and states.
            executable: with the parameters bound.
            compilation: the part of the report that calls do not change, ready for JSON.
            name: of the model in messages; that of the model's class when not given.
            tensor_names: what the model's tensors are; read from the model when not given.
        """
        self.target = target
        self.name = name or _name_of(model)
        self._model = model
        self._interface = interface
        self._executable = executable
        self._compilation = compilation
        self._parameters = parameters_of(interface)
        self._tensor_names = tensor_names or TensorNames.of(model, interface.arguments)
        self._turn = ForkLock(LockOrder.CALL, f"in a call of {self.name}")
        self._states = States(interface.arguments, executable)
        self._calls_take_turns = executable.calls_take_turns or bool(self._states)
        self._outputs = sum(r.kind == "output" for r in interface.results)
        # MLIR's integers have no sign: the same bytes are signed until somebody says otherwise.
        self._unsigned = [
            (i, str(numpy_dtype(r.dtype))) for i, r in enumerate(interface.results) if is_unsigned(r.dtype)
        ]
        self._direct = _direct_call(interface, executable, list(self._states.arrays.values()))
        self._out_form = _out_form(interface)
        self._input_positions = {a.name: i for i, a in enumerate(interface.inputs)}

    def __repr__(self) -> str:
        outputs = ", ".join(
            str(r.dtype).removeprefix("torch.") for r in self._interface.results[: self._outputs]
        )
        states = f", {len(self._states)} states" if self._states else ""
        return (
            f"<{self.name} compiled for {self.target}: ({self._interface.listed_inputs}) -> ({outputs}), "
            f"{sum(a.nbytes for a in self._parameters) / 2**20:.1f} MiB of parameters{states}>"
        )

    @property
    def interface(self) -> CallInterface:
        """What the model takes and returns, and its parameters and states."""
        return self._interface

    @property
    def report(self) -> dict[str, Any]:
        """What is known about the compilation and the call that ended last, ready for JSON; times are in seconds."""
        return {"target": self.target, **self._compilation, **self._executable.report}

    @property
    def state(self) -> dict[str, torch.Tensor]:
        """The live buffers that the model mutates, by name; each call updates them in place.

        Read them while no other thread calls: a call that runs may have written some. On a wafer they are brought from
        the device when they are asked for, and again after each call while somebody has them.
        """
        with self._turn:
            return self._states.tensors()

    def reset(self) -> None:
        """Gives the state the values that it had when the model was compiled."""
        with self._turn:
            self._states.reset()

    def update_parameters(self, source: Any = None) -> None:
        """Takes the parameters from a model or a state dict as they are now, and prepares them again.

        Calls that begin afterwards see the new ones. Tensors that need no preparation are read where they are at every
        call, so do not write into a state dict that was given. States are left as they are: see `state`, `reset`.

        Args:
            source: a module or `ExportedProgram` with parameters and buffers of the same names, or a state dict;
                the model that was compiled when not given. A model that was loaded or compiled from a file has
                none, and needs it.

        Raises:
            CompilerError: names are unknown or missing, tensors that were tied differ, or a shape or dtype is another;
                nothing was changed then.
        """
        source = self._model if source is None else source
        if source is None or isinstance(source, (str, os.PathLike)):
            raise CompilerError(
                "this was loaded from a file, so there is no model to take parameters from",
                hint="give one, or a state dict: compiled.update_parameters(model)",
            )
        with self._turn:
            names = (a.name for a in self._interface.arguments if a.kind == "parameter")
            present = dict(zip(names, map(as_tensor, self._parameters), strict=True))
            try:
                tensors = self._tensor_names.values(source, self._interface.arguments, present)
            except CompilerError as error:
                error.where = error.where or self.name
                raise
            arrays = list(map(as_array, tensors))
            self._executable.bind(arrays)
            self._parameters = arrays

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model to a file: code, parameters, and the initial and the present state.

        `wse_mlir.load` reads it, in another process and without the model's Python source; see
        docs/saving-and-caching.md. Parameters are written as they are now.

        Raises:
            CompilerError: the file cannot be written, or arguments or results have a structure that cannot be
                stored; nothing half-written is left.
        """
        from ..artifacts.saved.saving import Contents, save

        names = [a.name for a in self._interface.arguments if a.kind == "parameter"]
        with self._turn:
            contents = Contents(
                self.name,
                self.target,
                self._interface,
                self._executable.program,
                self._compilation,
                dict(zip(names, self._parameters, strict=True)),
                self._states.initial,
                self._states.present(),
                self._tensor_names,
            )
            save(contents, Path(path))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the model once.

        Raises:
            CompilerError: structure, shape or dtype of the arguments is not that of the example.
            CheckFailed: an index is out of range, or something else does not hold that the model relies on.
            OutOfMemory: there is not enough for this call. After these two, states may have been written: see `reset`.
        """
        if self._calls_take_turns:
            with self._turn:
                return self._call(args, kwargs)
        return self._call(args, kwargs)

    def stream(self, inputs: Iterable[Any]) -> Iterator[Any]:
        """Runs the model on inputs that follow each other; yields what calls of it return, in order.

        On a wafer the next input begins while PEs are busy with those before, most of all where the model has several
        regions (see docs/regions.md); the entry "stream" of `report` then says how long an input takes and how soon
        the next one is through. Elsewhere inputs are called one after another. Inputs are taken ahead of their turn.

        Args:
            inputs: for each call the tuple of its arguments, a mapping of arguments by name, or the only argument.

        Raises:
            CompilerError: an input is none that the model takes, `inputs` raises, or a state of the model does not stay
                on the PEs. What came before is yielded first, and stays valid.
            CheckFailed: as a call.
        """
        queue = InputQueue(inputs, self._flatten)
        run = getattr(self._executable, "stream", None)
        for window in queue.windows():
            if run is None:
                for tensors, numpy_out in window:
                    with self._turn:
                        outputs = self._run(tensors)
                    yield self._given_back(outputs, numpy_out)
                continue
            with self._turn, self._states.in_a_call():
                states = self._states.arrays.values()
                results = run([[*map(as_array, tensors), *states] for tensors, _ in window])
            for (_, numpy_out), outputs in zip(window, results, strict=True):
                yield self._given_back(self._signed_as_declared(outputs), numpy_out)
        if queue.failure is not None:
            raise queue.failure

    def _call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if self._direct is not None and not kwargs:
            outputs = self._direct(args)
            if outputs is not None:
                return self._unflatten(outputs)
        tensors, numpy_out = self._flatten(args, kwargs)
        return self._given_back(self._run(tensors), numpy_out)

    def _run(self, tensors: Sequence[torch.Tensor]) -> list[np.ndarray]:
        """The outputs of a call; the next state is kept."""
        with self._states.in_a_call():
            results = self._executable.run([*map(as_array, tensors), *self._states.arrays.values()])
        results = self._signed_as_declared(results)
        if len(results) > self._outputs:
            self._keep_state(results[self._outputs :], tensors)
        return results[: self._outputs]

    def _signed_as_declared(self, results: list[np.ndarray]) -> list[np.ndarray]:
        for position, dtype in self._unsigned:
            if position < len(results):
                results[position] = results[position].view(dtype)
        return results

    def _given_back(self, outputs: list[np.ndarray], numpy_out: bool) -> Any:
        return self._interface.unflatten_outputs(outputs if numpy_out else list(map(as_tensor, outputs)))

    def _unflatten(self, outputs: list[Any]) -> Any:
        """The model's value of its outputs; the usual forms without the cost of building trees."""
        if self._out_form == "tensor":
            return outputs[0]
        if self._out_form == "tuple":
            return tuple(outputs)
        return self._interface.unflatten_outputs(outputs)

    def _flatten(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Sequence[torch.Tensor], bool]:
        """The tensors of a call, and whether it is one on NumPy arrays."""
        leaves = pytree.tree_leaves((args, kwargs))
        numpy_out = any(isinstance(x, np.ndarray) for x in leaves)
        numpy_out = numpy_out and not any(isinstance(x, torch.Tensor) for x in leaves)
        if any(isinstance(x, np.ndarray) for x in leaves):
            args, kwargs = pytree.tree_map(tensor_if_array, (args, kwargs))
        return self._located(args, kwargs, numpy_out), numpy_out

    def _located(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], from_numpy: bool
    ) -> list[torch.Tensor]:
        """The flat inputs; a mistake in them is reported as one of a call of the model's class."""
        try:
            return self._interface.flatten_inputs(args, kwargs, from_numpy=from_numpy)
        except CompilerError as error:
            error.where = error.where or self.name
            raise

    def _keep_state(self, values: Sequence[np.ndarray], inputs: Sequence[torch.Tensor]) -> None:
        """Stores the next state, and writes back inputs that the model mutates."""
        results = [r for r in self._interface.results if r.kind == "state"]
        for result, value in zip(results, values, strict=True):
            if result.name in self._states.arrays:
                array = self._states.arrays[result.name]
                if value is not array:
                    np.copyto(array, value)
            else:
                inputs[self._input_positions[result.name]].detach().copy_(as_tensor(value))


def _name_of(model: Any) -> str:
    if isinstance(model, str):
        return "module" if is_mlir_text(model) else model
    if is_plain_function(model):
        return getattr(model, "__qualname__", type(model).__name__)
    return f"{type(model).__name__}.forward"


def _direct_call(
    interface: CallInterface, executable: Executable, states: Sequence[np.ndarray]
) -> DirectCall | None:
    """The quick way for a model that takes its tensors by position; None where a call has more structure."""
    inputs = interface.inputs
    spec = pytree.tree_structure((tuple(range(len(inputs))), {}))
    if interface.input_constants or interface.in_spec != spec or any(-1 in a.shape for a in inputs):
        return None
    return executable.direct_call(states)


def _out_form(interface: CallInterface) -> Literal["tensor", "tuple", "tree"]:
    """How the model returns its tensors."""
    outputs = [r for r in interface.results if r.kind == "output"]
    if interface.output_constants or interface.out_spec is None or any(r.number for r in outputs):
        return "tree"
    if interface.out_spec == pytree.tree_structure(0):
        return "tensor"
    return "tuple" if interface.out_spec == pytree.tree_structure(tuple(range(len(outputs)))) else "tree"
