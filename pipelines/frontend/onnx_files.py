"""ONNX models, through torch-mlir's importer; weights become arguments before it sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import torch

from ...dialects.host import ir
from ...passes.infra.diagnostics import CompilerError
from .call_interface import CallInterface
from .interface import annotate_main, find_main, read_main
from .lowering import TORCH_PIPELINES, finish_import, run_upstream
from .signature import LITERAL_LIMIT, Argument, Result

if TYPE_CHECKING:
    from .imported import ImportedModel

_ONNX_PIPELINES = ("torch-onnx-to-torch-backend-pipeline", *TORCH_PIPELINES[1:])


def read_onnx(path: str, context: ir.Context, example_args: Sequence[Any] = ()) -> ImportedModel:
    """Imports an ONNX model; its initialisers of 64 elements or more are parameters.

    Args:
        example_args: tensors or arrays whose shapes replace the symbolic dimensions of the model's inputs, if given.

    Raises:
        CompilerError: the `onnx` package is missing, the file is broken, or an operator has no lowering.
    """
    onnx = _require_onnx(path)
    from .imported import ImportedModel

    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf, checker and file errors share no base class
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise CompilerError(f"the ONNX model cannot be read: {reason}", where=path) from error
    inputs = _model_inputs(model)
    _fix_shapes(inputs, example_args)
    parameters = _lift_weights(onnx, model)
    module = _import_graph(onnx, model, path, context)
    try:
        for pipeline in _ONNX_PIPELINES:
            run_upstream(module, pipeline)
        finish_import(module)
    except CompilerError as error:
        error.notes = (*error.notes, f"in {path}")
        raise
    arguments, results = _describe(module, len(inputs), parameters)
    labels = tuple(value.name for value in inputs)
    return ImportedModel(module, CallInterface(arguments, results, input_labels=labels), context)


def _require_onnx(path: str) -> Any:
    try:
        for part in ("checker", "helper", "numpy_helper", "shape_inference"):
            import_module(f"onnx.{part}")
        return import_module("onnx")
    except ImportError as error:
        raise CompilerError(
            "reading ONNX needs the package 'onnx'", where=path, hint="pip install 'wse-mlir[onnx]'"
        ) from error


def _model_inputs(model: Any) -> list[Any]:
    """Inputs without an initialiser: old models declare their weights as inputs too."""
    initialised = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in initialised]


def _fix_shapes(inputs: Sequence[Any], example_args: Sequence[Any]) -> None:
    for value, example in zip(inputs, example_args, strict=False):
        dimensions = value.type.tensor_type.shape.dim
        if len(dimensions) != len(example.shape):
            raise CompilerError(
                f"input '{value.name}' has {len(dimensions)} dimensions, the example has {len(example.shape)}"
            )
        for dimension, size in zip(dimensions, example.shape, strict=True):
            if not dimension.HasField("dim_value"):
                dimension.dim_value = int(size)


def _lift_weights(onnx: Any, model: Any) -> list[tuple[str, torch.Tensor]]:
    """Turns large initialisers and constants into inputs of the graph; returns them by name, in order."""
    graph = model.graph
    for node in [n for n in graph.node if n.op_type == "Constant" and n.attribute[0].name == "value"]:
        tensor = node.attribute[0].t
        if _elements(tensor) >= LITERAL_LIMIT:
            graph.initializer.add().CopyFrom(tensor)
            graph.initializer[-1].name = node.output[0]
            graph.node.remove(node)
    large = [tensor for tensor in graph.initializer if _elements(tensor) >= LITERAL_LIMIT]
    lifted = [(tensor.name, _to_torch(onnx.numpy_helper.to_array(tensor))) for tensor in large]
    declared = {value.name: value for value in graph.input}
    inputs = _model_inputs(model)
    for tensor in large:
        typed = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        inputs.append(declared.get(tensor.name, typed))
        graph.initializer.remove(tensor)
    ordered = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in inputs]
    del graph.input[:]
    graph.input.extend(ordered)
    return lifted


def _elements(tensor: Any) -> int:
    return int(np.prod(tensor.dims, dtype=np.int64))


def _to_torch(array: np.ndarray) -> torch.Tensor:
    array = np.array(array)  # the protobuf's buffer is read-only
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _import_graph(onnx: Any, model: Any, path: str, context: ir.Context) -> ir.Module:
    from torch_mlir.extras import onnx_importer

    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
        info = onnx_importer.ModelInfo(inferred)
        module = info.create_module(context)
        importer = onnx_importer.NodeImporter.define_function(info.main_graph, module.operation)
        importer.import_all()
    except Exception as error:  # the importer raises its own kind, protobuf's and MLIR's
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise CompilerError(f"the ONNX graph cannot be imported: {reason}", where=path) from error
    return module


def _describe(
    module: ir.Module, inputs: int, parameters: Sequence[tuple[str, torch.Tensor]]
) -> tuple[tuple[Argument, ...], tuple[Result, ...]]:
    main = find_main(module)
    main.attributes["sym_name"] = ir.StringAttr.get("main", module.context)
    arguments, results = read_main(module)
    for position, (name, tensor) in enumerate(parameters, start=inputs):
        arguments[position] = replace(arguments[position], kind="parameter", name=name, tensor=tensor)
    annotate_main(module, arguments, results)
    return tuple(arguments), tuple(results)
