"""Decides what the arguments and results of @main are, from the signature of an exported program."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import (
    ConstantArgument,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    SymBoolArgument,
    SymFloatArgument,
    SymIntArgument,
    TensorArgument,
)
from torch.fx import Node

from ..passes.infra.diagnostics import CompilerError
from .provenance import node_provenance
from .python_numbers import number_as_tensor

LITERAL_LIMIT = 64  # constants of fewer elements become `arith.constant`, others are bound at run time

_NUMBERS = (SymIntArgument, SymFloatArgument, SymBoolArgument)
_INPUT_MUTATIONS = (OutputKind.BUFFER_MUTATION, OutputKind.PARAMETER_MUTATION, OutputKind.USER_INPUT_MUTATION)


@dataclass(frozen=True)
class Argument:
    """One argument of @main.

    Attributes:
        kind: "input" is given at each call, "parameter" is bound once, "state" lives between calls.
        name: position among the tensor inputs ("0"), or the parameter's or buffer's name ("fc1.weight").
        shape: sizes; -1 where the size is known only at the call.
        dtype: PyTorch's element type.
        symbols: per dimension the exporter's expression for a size that is known only at the call ("s0",
            "2*s0"), "" for static ones; empty when nothing is known about them.
        tensor: value of a parameter or first value of a state, the model's own storage and not a copy;
            None for inputs, and where the model lives on the meta device or in an `.mlir` file.
    """

    kind: Literal["input", "parameter", "state"]
    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    symbols: tuple[str, ...] = field(default=(), compare=False, kw_only=True)
    tensor: torch.Tensor | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Result:
    """One result of @main; a state result has the name of the argument whose next value it is.

    Attributes:
        dtype: what the model returns, which the IR alone does not say: its integers have no sign.
        number: the model returns the only element as a Python number.
    """

    kind: Literal["output", "state"]
    name: str
    dtype: torch.dtype
    number: bool = False


@dataclass
class Signature:
    """What each node of an exported graph is in @main.

    Attributes:
        arguments: inputs, then parameters, then state, each with its placeholder.
        results: outputs, then state, each with the node that computes it.
        literals: placeholders of values that become constants: small tensors, Python numbers, None.
        aliases: placeholders of tensors that another argument binds already (tied weights).
        input_constants: per flat input of the model the Python value it is specialised to; tensors are absent.
        output_constants: per flat output the Python value it always is (None, a number); tensors are absent.
    """

    arguments: list[tuple[Argument, Node]] = field(default_factory=list)
    results: list[tuple[Result, Node]] = field(default_factory=list)
    literals: list[tuple[Node, Any]] = field(default_factory=list)
    aliases: list[tuple[Node, Node]] = field(default_factory=list)
    input_constants: dict[int, Any] = field(default_factory=dict)
    output_constants: dict[int, Any] = field(default_factory=dict)


def read_signature(program: ExportedProgram) -> Signature:
    """Sorts the placeholders and outputs of a program into arguments, results, literals and aliases."""
    signature = Signature()
    nodes = {node.name: node for node in program.graph.nodes}
    mutated = {s.target for s in program.graph_signature.output_specs if s.kind in _INPUT_MUTATIONS}
    inputs = _read_inputs(program.graph_signature.input_specs, nodes, signature)
    parameters: list[tuple[Argument, Node]] = []
    states: list[tuple[Argument, Node]] = []
    binders: dict[int, Node] = {}
    for spec in program.graph_signature.input_specs:
        if spec.kind == InputKind.USER_INPUT:
            continue
        node, tensor = _placeholder(spec, nodes), _tensor_of(program, spec)
        if spec.target in mutated:
            states.append((_argument("state", str(spec.target), node, tensor), node))
        elif not node.users:
            continue
        elif spec.kind == InputKind.CONSTANT_TENSOR and _is_small(tensor):
            signature.literals.append((node, tensor))
        elif id(tensor) in binders:
            signature.aliases.append((node, binders[id(tensor)]))
        else:
            binders[id(tensor)] = node
            parameters.append((_argument("parameter", str(spec.target), node, tensor), node))
    signature.arguments = [*inputs, *parameters, *states]
    names = {node.name: argument.name for argument, node in inputs}
    _read_outputs(program.graph_signature.output_specs, nodes, names, signature)
    return signature


def _read_inputs(
    specs: list[InputSpec], nodes: dict[str, Node], signature: Signature
) -> list[tuple[Argument, Node]]:
    inputs: list[tuple[Argument, Node]] = []
    flat = (spec for spec in specs if spec.kind == InputKind.USER_INPUT)
    for position, spec in enumerate(flat):
        if isinstance(spec.arg, ConstantArgument):
            signature.input_constants[position] = spec.arg.value
            if spec.arg.name in nodes:
                signature.literals.append((nodes[spec.arg.name], spec.arg.value))
            continue
        node = _placeholder(spec, nodes)
        inputs.append((_argument("input", str(len(inputs)), node, None), node))
    return inputs


def _read_outputs(
    specs: list[OutputSpec], nodes: dict[str, Node], input_names: dict[str, str], signature: Signature
) -> None:
    states: list[tuple[Result, Node]] = []
    for spec in specs:
        if spec.kind == OutputKind.USER_OUTPUT:
            position = len(signature.results) + len(signature.output_constants)
            if isinstance(spec.arg, ConstantArgument):
                signature.output_constants[position] = spec.arg.value
            else:
                node, number = nodes[str(spec.arg.name)], isinstance(spec.arg, _NUMBERS)
                node = number_as_tensor(node) if number else node
                result = Result("output", str(len(signature.results)), node.meta["val"].dtype, number)
                signature.results.append((result, node))
        elif spec.kind in _INPUT_MUTATIONS:
            target = str(spec.target)
            name = input_names.get(target, target)
            node = nodes[spec.arg.name]
            states.append((Result("state", name, node.meta["val"].dtype), node))
        else:
            raise CompilerError(
                f"the exported program has an output of kind {spec.kind.name.lower()}",
                hint="export the forward computation alone, without a loss or a token",
            )
    signature.results += states


def _placeholder(spec: InputSpec, nodes: dict[str, Node]) -> Node:
    if not isinstance(spec.arg, TensorArgument):
        what = getattr(spec.arg, "name", spec.kind.name.lower())
        if spec.kind.name == "TOKEN" and what in nodes and nodes[what].users:
            effect = next(iter(nodes[what].users))
            raise CompilerError(
                f"operator '{effect.args[1]}' does more than compute its results, which is not supported",
                where=str(node_provenance(effect, {})),
                hint="write it with other operators; a print or a check of values belongs outside of the model",
            )
        raise CompilerError(
            f"argument '{what}' is not a tensor",
            hint="pass a 0-d tensor, or a Python number that stays the same",
        )
    return nodes[spec.arg.name]


def _tensor_of(program: ExportedProgram, spec: InputSpec) -> torch.Tensor:
    target = str(spec.target)
    if target in program.state_dict:
        return program.state_dict[target]
    constant = program.constants[target]
    if not isinstance(constant, torch.Tensor):
        raise CompilerError(f"'{target}' is a script object, which cannot be compiled")
    return constant


def _is_small(tensor: torch.Tensor) -> bool:
    return tensor.numel() < LITERAL_LIMIT and not tensor.is_meta


def _argument(
    kind: Literal["input", "parameter", "state"], name: str, node: Node, tensor: torch.Tensor | None
) -> Argument:
    value = node.meta["val"]
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    symbols = tuple("" if isinstance(size, int) else str(size) for size in value.shape)
    has_data = tensor is not None and not tensor.is_meta
    data = tensor.detach() if has_data and tensor is not None else None
    return Argument(kind, name, shape, value.dtype, data, symbols=symbols)
