"""What a library's functions take and return, as the generated C describes it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

from ...frontend.call_interface import CallInterface
from ...frontend.signature import Argument, Result
from ...passes.infra.diagnostics import CompilerError
from ...runtime.cpu.program import CpuFunction
from ...runtime.cpu.provisions import Provisions
from .weights import Binding

MAX_RANK = 16  # WSE_MAX_RANK

# Element type -> its constant in the C interface, and the type of its elements in C.
C_TYPES: dict[torch.dtype, tuple[str, str]] = {
    torch.bool: ("WSE_BOOL", "uint8_t"),
    torch.uint8: ("WSE_UINT8", "uint8_t"),
    torch.int8: ("WSE_INT8", "int8_t"),
    torch.int16: ("WSE_INT16", "int16_t"),
    torch.int32: ("WSE_INT32", "int32_t"),
    torch.int64: ("WSE_INT64", "int64_t"),
    torch.float16: ("WSE_FLOAT16", "uint16_t"),
    torch.bfloat16: ("WSE_BFLOAT16", "uint16_t"),
    torch.float32: ("WSE_FLOAT32", "float"),
    torch.float64: ("WSE_FLOAT64", "double"),
}


@dataclass(frozen=True)
class TensorPlan:
    """A tensor of a function.

    Attributes:
        shape: -1 for open sizes; symbols: names of the open sizes, "" for others.
        slot: where a parameter or state is stored, see `weights`.
        is_written: an input that the model changes.
    """

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    symbols: tuple[str, ...] = ()
    slot: int = -1
    is_written: bool = False

    def __post_init__(self) -> None:
        if self.dtype not in C_TYPES:
            name = str(self.dtype).removeprefix("torch.")
            raise CompilerError(
                f"'{self.name}' has elements of type {name}, which the C interface has no name for",
                hint="convert them inside of the model, or use a saved model (.wse)",
            )


@dataclass(frozen=True)
class ArgumentSource:
    """Where an argument of the kernel comes from or a result goes to: "input", "output", "parameter", "state",
    "status", "prepared" or "arena", and the position among those."""

    kind: str
    index: int


@dataclass(frozen=True)
class FunctionPlan:
    """A function of a library.

    Attributes:
        kernel: symbol of the compiled code.
        arguments / results: of the kernel, in order.
        returns: the kernel allocates its results.
        provisions: what the kernel takes besides tensors of the model.
    """

    name: str
    kernel: str
    inputs: tuple[TensorPlan, ...]
    outputs: tuple[TensorPlan, ...]
    states: tuple[TensorPlan, ...]
    parameters: tuple[TensorPlan, ...]
    arguments: tuple[ArgumentSource, ...]
    results: tuple[ArgumentSource, ...]
    returns: bool
    provisions: Provisions

    @property
    def prepare(self) -> str:
        """Symbol of the function that prepares tensors; empty when there are none."""
        return prepare_symbol(self.kernel) if self.provisions.prepare else ""

    @property
    def is_static(self) -> bool:
        """Whether all sizes are known, so that it can be called with plain pointers."""
        return not any(-1 in tensor.shape for tensor in (*self.inputs, *self.outputs))


def prepare_symbol(kernel: str) -> str:
    """The symbol of the function that prepares tensors for a kernel."""
    return f"{kernel}__prepare"


def plan_function(
    name: str, kernel: str, function: CpuFunction, bindings: Sequence[Binding | None]
) -> FunctionPlan:
    """Describes a compiled function whose parameters and states are bound to `bindings`.

    Raises:
        CompilerError: a tensor has more dimensions than the C interface allows.
    """
    interface = function.interface
    tensors: dict[str, list[TensorPlan]] = {"input": [], "output": [], "parameter": [], "state": []}
    arguments: list[ArgumentSource] = []
    written = {r.name for r in interface.results if r.kind == "state"}
    for argument, binding in zip(interface.arguments, bindings, strict=True):
        kind = binding.kind if binding else "input"
        arguments.append(ArgumentSource(kind, len(tensors[kind])))
        tensors[kind].append(_tensor(argument, binding, interface, len(tensors["input"]), written))
    arguments += [ArgumentSource("status", 0)] if function.provisions.checks else []
    arguments += [ArgumentSource("prepared", i) for i in range(len(function.provisions.prepared))]
    arguments += [] if function.provisions.arena_bytes is None else [ArgumentSource("arena", 0)]
    results = list(_results(function, tensors["output"]))
    for tensor in (t for group in tensors.values() for t in group):
        if len(tensor.shape) > MAX_RANK:
            raise CompilerError(
                f"'{tensor.name}' of '{name}' has {len(tensor.shape)} dimensions, more than {MAX_RANK}"
            )
    return FunctionPlan(
        name,
        kernel,
        tuple(tensors["input"]),
        tuple(tensors["output"]),
        tuple(tensors["state"]),
        tuple(tensors["parameter"]),
        tuple(arguments),
        tuple(results),
        function.returns,
        function.provisions,
    )


def _tensor(
    argument: Argument, binding: Binding | None, interface: CallInterface, position: int, written: set[str]
) -> TensorPlan:
    symbols = argument.symbols or tuple("" for _ in argument.shape)
    if binding is not None:
        return TensorPlan(argument.name, argument.dtype, argument.shape, symbols, binding.slot)
    labels = interface.input_labels
    label = labels[position] if position < len(labels) else f"input{position}"
    return TensorPlan(label, argument.dtype, argument.shape, symbols, is_written=argument.name in written)


def _results(function: CpuFunction, outputs: list[TensorPlan]) -> Iterator[ArgumentSource]:
    """Where the kernel's results go; appends the outputs. What is written in place is none of the kernel's results."""
    interface = function.interface
    inputs = {a.name: i for i, a in enumerate(interface.inputs)}
    names = output_names(interface)
    for result, kind in zip(interface.results, function.outputs, strict=True):
        if result.kind == "output":
            shape, _ = _known(result, kind)
            yield ArgumentSource("output", len(outputs))
            outputs.append(TensorPlan(names[len(outputs)], result.dtype, shape, tuple("" for _ in shape)))
        elif kind is not None:
            yield ArgumentSource("input", inputs[result.name])


def _known(result: Result, kind: Any) -> Any:
    assert kind is not None, f"output {result.name} is handed out"
    return kind


def output_names(interface: CallInterface) -> list[str]:
    """Names of the outputs: keys of dictionaries that the model returns, else positions; "output" for a lone one."""
    count = sum(r.kind == "output" for r in interface.results)
    if interface.out_spec is None:
        paths: list[tuple[str, ...]] = [(str(i),) for i in range(count)]
    else:
        flat = enumerate(_paths(interface.out_spec))
        paths = [path for i, path in flat if i not in interface.output_constants]
    names = ["_".join(path) for path in paths]
    return [f"output{name}" if name[:1].isdigit() else name or "output" for name in names]


def _paths(spec: pytree.TreeSpec) -> Iterator[tuple[str, ...]]:
    """The way to each leaf."""
    if spec.is_leaf():
        yield ()
        return
    by_name = spec.type in (dict, OrderedDict)
    keys = [str(key) for key in spec.context] if by_name else [str(i) for i in range(spec.num_children)]
    for key, child in zip(keys, spec.children(), strict=True):
        for path in _paths(child):
            yield (key, *path)
