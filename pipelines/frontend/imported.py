"""A model as linalg on tensors, with all that is needed to call it: `import_model` and `ImportedModel`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree
from torch_mlir.extras.fx_as_strided import rewrite_as_strided

from ...dialects.context import create_context
from ...dialects.host import ir
from ...passes.infra.diagnostics import CompilerError
from .exporting import decompose, export_program
from .fx import LiftingImporter
from .interface import annotate_main
from .lowering import finish_import, lower_torch_to_linalg
from .signature import Argument, Result, Signature, read_signature

__all__ = ["Argument", "ImportedModel", "Result", "import_model"]


@dataclass
class ImportedModel:
    """A model at stage `imported`, and the structure of its calls.

    Attributes:
        module: holds `func.func @main` on builtin tensors; see docs/architecture.md.
        arguments / results: of @main, in order.
        context: that the module lives in.
        in_spec / out_spec: trees of `(args, kwargs)` and of the returned value; None for a model from an `.mlir`
            file, which takes its inputs by position and returns a tensor or a tuple.
        input_labels: the name in the model's own signature of each input, for messages.
        input_constants / output_constants: flat positions that are Python values and not tensors.
    """

    module: ir.Module
    arguments: tuple[Argument, ...]
    results: tuple[Result, ...]
    context: ir.Context
    in_spec: pytree.TreeSpec | None = None
    out_spec: pytree.TreeSpec | None = None
    input_labels: tuple[str, ...] = ()
    input_constants: Mapping[int, Any] = field(default_factory=dict)
    output_constants: Mapping[int, Any] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[Argument, ...]:
        """The arguments that are given at each call."""
        return tuple(a for a in self.arguments if a.kind == "input")

    def flatten_inputs(
        self, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None
    ) -> list[torch.Tensor]:
        """The tensors of a call in the order of the "input" arguments; NumPy arrays are taken without a copy.

        Raises:
            CompilerError: wrong structure, shape or dtype; names the argument.
        """
        leaves, spec = pytree.tree_flatten((tuple(args), self._ordered(kwargs or {})))
        tensors = [leaf for i, leaf in enumerate(leaves) if i not in self.input_constants]
        if len(tensors) != len(self.inputs) or (self.in_spec is not None and spec != self.in_spec):
            raise CompilerError(
                f"the model takes {self._describe_inputs()}, but the call has {_count(len(tensors), 'tensor')}",
                hint="call it as in the example arguments that it was compiled with",
            )
        for position, expected in self.input_constants.items():
            if leaves[position] != expected:
                raise CompilerError(
                    f"a Python value was {expected!r} when the model was compiled and is {leaves[position]!r} now",
                    hint="pass it as a 0-d tensor to make it an input, or compile again",
                )
        checked = [self._checked(i, leaf) for i, leaf in enumerate(tensors)]
        self._check_equal_sizes(checked)
        return checked

    def _check_equal_sizes(self, tensors: Sequence[torch.Tensor]) -> None:
        """Sizes that had one name when the model was exported must be equal: compiled code relies on it."""
        known: dict[str, tuple[int, str]] = {}
        for position, (argument, tensor) in enumerate(zip(self.inputs, tensors, strict=True)):
            for dim, symbol in enumerate(argument.symbols):
                if not symbol:
                    continue
                here = f"dimension {dim} of argument {position} ('{self._label(position)}')"
                size, first = known.setdefault(symbol, (tensor.shape[dim], here))
                if tensor.shape[dim] != size:
                    raise CompilerError(
                        f"{here} is {tensor.shape[dim]}, but must equal {first}, which is {size}",
                        hint="they have the same size in the example arguments and in dynamic_shapes",
                    )

    def unflatten_outputs(self, outputs: Sequence[Any]) -> Any:
        """The value that the model returns, from its "output" results in order (state results are not among them)."""
        remaining = iter(outputs)
        count = len(outputs) + len(self.output_constants)
        constants = self.output_constants
        leaves = [constants[i] if i in constants else next(remaining) for i in range(count)]
        if self.out_spec is not None:
            return pytree.tree_unflatten(leaves, self.out_spec)
        return leaves[0] if len(leaves) == 1 else tuple(leaves)

    def _ordered(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Keyword arguments in the order of the example's, since a dict's order is part of its structure."""
        if self.in_spec is None:
            return dict(kwargs)
        names = [name for name in self.in_spec.child(1).context if name in kwargs]
        return {name: kwargs[name] for name in [*names, *(k for k in kwargs if k not in names)]}

    def _describe_inputs(self) -> str:
        listed = ", ".join(f"{self._label(i)}: {_describe(a)}" for i, a in enumerate(self.inputs))
        return f"{_count(len(self.inputs), 'tensor')} ({listed})" if listed else "no tensors"

    def _label(self, position: int) -> str:
        return self.input_labels[position] if position < len(self.input_labels) else str(position)

    def _checked(self, position: int, leaf: Any) -> torch.Tensor:
        expected = self.inputs[position]
        name = f"argument {position} ('{self._label(position)}')"
        if isinstance(leaf, np.ndarray):
            leaf = torch.from_numpy(leaf)
        if not isinstance(leaf, torch.Tensor):
            raise CompilerError(f"{name} is a {type(leaf).__name__}, expected a tensor {_describe(expected)}")
        fits = len(leaf.shape) == len(expected.shape) and all(
            want in (-1, got) for want, got in zip(expected.shape, leaf.shape, strict=True)
        )
        if not fits:
            raise CompilerError(
                f"{name} has shape {list(leaf.shape)}, expected {_sizes(expected)}",
                hint="shapes are fixed when a model is compiled; dynamic_shapes= leaves dimensions open",
            )
        if leaf.dtype != expected.dtype:
            raise CompilerError(
                f"{name} must have dtype {_dtype(expected.dtype)}, but has {_dtype(leaf.dtype)}",
                hint=f"convert it with .to(torch.{_dtype(expected.dtype)})",
            )
        return leaf


def import_model(
    model: Any,
    example_args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    dynamic_shapes: Any = None,
    context: ir.Context | None = None,
) -> ImportedModel:
    """Imports a model to linalg on tensors.

    Args:
        model: an `nn.Module` (captured as it stands, in training or evaluation mode), an `ExportedProgram`, or
            the path of a `.pt2`, `.mlir` or `.onnx` file. Tensors may be on the meta device.
        example_args / kwargs: arguments of one call; a module needs them, and an ONNX model with symbolic sizes.
        dynamic_shapes: as `torch.export.export` takes it.
        context: to create the module in; a fresh one by default.
    Raises:
        CompilerError: the file is none of these, or the model cannot be exported or lowered.
    """
    context = context or create_context()
    if isinstance(model, (str, os.PathLike)):
        from .files import read_model_file

        model = read_model_file(os.fspath(model), context, example_args)
        if isinstance(model, ImportedModel):
            return model
    if isinstance(model, torch.nn.Module):
        model = export_program(model, example_args, kwargs, dynamic_shapes)
    if not isinstance(model, ExportedProgram):
        raise CompilerError(
            f"a {type(model).__name__} is not a model",
            hint="pass an nn.Module, a torch.export.ExportedProgram, or the path of a .pt2, .mlir or .onnx file",
        )
    return _import_program(model, context)


def _import_program(program: ExportedProgram, context: ir.Context) -> ImportedModel:
    program, operators = decompose(program)
    rewrite_as_strided(
        program.graph
    )  # before the signature is read: an output may be one of the rewritten nodes
    signature = read_signature(program)
    module = LiftingImporter(context, operators).import_lifted(program, signature)
    lower_torch_to_linalg(module)
    finish_import(module)
    annotate_main(module, [a for a, _ in signature.arguments], [r for r, _ in signature.results])
    return _describe_program(program, signature, module, context)


def _describe_program(
    program: ExportedProgram, signature: Signature, module: ir.Module, context: ir.Context
) -> ImportedModel:
    return ImportedModel(
        module,
        tuple(argument for argument, _ in signature.arguments),
        tuple(result for result, _ in signature.results),
        context,
        program.call_spec.in_spec,
        program.call_spec.out_spec,
        tuple(node.name for argument, node in signature.arguments if argument.kind == "input"),
        signature.input_constants,
        signature.output_constants,
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _dtype(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _describe(argument: Argument) -> str:
    return f"{_dtype(argument.dtype)}{_sizes(argument)}"


def _sizes(argument: Argument) -> str:
    return f"[{', '.join('?' if size < 0 else str(size) for size in argument.shape)}]"
