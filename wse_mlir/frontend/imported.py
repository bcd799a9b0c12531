"""A model as linalg on tensors, with all that is needed to call it: `import_model`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.export import ExportedProgram
from torch_mlir.extras.fx_as_strided import rewrite_as_strided

from ..compiler.versions import check_versions
from ..dialects.context import COMPILING, create_context
from ..dialects.host import ir
from ..passes.infra.diagnostics import CompilerError
from .assertions import assert_scalars
from .call_interface import CallInterface
from .empty_values import drop_empty_values
from .exporting import decompose, export_program
from .files import read_mlir_text, read_model_file
from .fx import LiftingImporter
from .imported_model import ImportedModel
from .interface import annotate_main
from .lowering import finish_import, lower_torch_to_linalg
from .models import Function, as_tensors, is_mlir_text, is_plain_function, print_whole
from .open_reshapes import split_open_reshapes
from .open_sizes import assert_open_sizes
from .plain_views import rewrite_plain_views
from .python_numbers import use_python_operators
from .scans import walk_backwards
from .selections import index_selections
from .signature import Argument, Result, Signature, read_signature
from .training import TrainingStep, export_training_step

__all__ = ["Argument", "ImportedModel", "Result", "import_model"]


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
        model: an `nn.Module` (captured as it stands, in training or evaluation mode), a plain function, an
            `ExportedProgram`, an `ir.Module` (which is left as it is) or its text, or the path of a `.pt2`, `.mlir` or
            `.onnx` file. Tensors may be on the meta device.
        example_args / kwargs: arguments of one call, tensors or NumPy arrays; a module or function needs them, and an
            ONNX model with symbolic sizes.
        dynamic_shapes: as `torch.export.export` takes it.
        context: to create the module in; a fresh one by default.
    Raises:
        CompilerError: the file is none of these, or the model cannot be exported or lowered.
    """
    check_versions()
    with COMPILING:
        return _import(model, example_args, kwargs, dynamic_shapes, context or create_context())


def _import(
    model: Any,
    example_args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
    dynamic_shapes: Any,
    context: ir.Context,
) -> ImportedModel:
    example_args, kwargs = as_tensors(example_args, kwargs)
    if is_mlir_text(model) or isinstance(model, ir.Module):
        # A module of the caller's is left as it is.
        text = model if isinstance(model, str) else print_whole(model)
        return read_mlir_text(text, context)
    if isinstance(model, (str, os.PathLike)):
        model = read_model_file(os.fspath(model), context, example_args)
        if isinstance(model, ImportedModel):
            return model
    if isinstance(model, (torch.jit.ScriptModule, torch.jit.ScriptFunction)):
        raise CompilerError(
            "this is a TorchScript model, which cannot be compiled",
            hint="pass the nn.Module or the function that it was made from",
        )
    if is_plain_function(model):
        model = Function(model)
    if isinstance(model, TrainingStep):
        model = export_training_step(model, example_args, kwargs, dynamic_shapes)
    if isinstance(model, torch.nn.Module):
        model = export_program(model, example_args, kwargs, dynamic_shapes)
    if not isinstance(model, ExportedProgram):
        raise CompilerError(
            f"an object of type {type(model).__name__} is not a model",
            hint="pass an nn.Module, a function, a torch.export.ExportedProgram, an ir.Module, or the path of a "
            ".pt2, .mlir or .onnx file",
        )
    return _import_program(model, context)


def _import_program(program: ExportedProgram, context: ir.Context) -> ImportedModel:
    program, operators = decompose(program)
    # Before the signature is read: an output may be one of the rewritten nodes.
    rewrite_plain_views(program.graph)
    rewrite_as_strided(program.graph)
    split_open_reshapes(program.graph)
    drop_empty_values(program.graph)
    index_selections(program.graph)
    assert_scalars(program.graph)
    assert_open_sizes(program)
    walk_backwards(program.graph)
    use_python_operators(program.graph)
    signature = read_signature(program)
    module = LiftingImporter(context, operators).import_lifted(program, signature)
    lower_torch_to_linalg(module)
    finish_import(module, exported=True)
    annotate_main(module, [a for a, _ in signature.arguments], [r for r, _ in signature.results])
    return _describe_program(program, signature, module, context)


def _describe_program(
    program: ExportedProgram, signature: Signature, module: ir.Module, context: ir.Context
) -> ImportedModel:
    interface = CallInterface(
        tuple(argument for argument, _ in signature.arguments),
        tuple(result for result, _ in signature.results),
        program.call_spec.in_spec,
        program.call_spec.out_spec,
        tuple(node.name for argument, node in signature.arguments if argument.kind == "input"),
        signature.input_constants,
        signature.output_constants,
    )
    return ImportedModel(module, interface, context)
