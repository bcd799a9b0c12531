"""ONNX models from files: read, checked, and imported as PyTorch's are; large initialisers become parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from ..dialects.host import ir
from ..passes.infra.diagnostics import CompilerError
from ..runtime.arrays import as_tensor
from .call_interface import CallInterface
from .signature import LITERAL_LIMIT

if TYPE_CHECKING:
    from .imported_model import ImportedModel
    from .onnx_models.tracing import Traced

_HINT = "write the node with other operators of the standard, or as a function inside of the model"


def read_onnx(path: str, context: ir.Context, example_args: Sequence[Any] = ()) -> ImportedModel:
    """Imports an ONNX model; its initialisers of 64 elements or more are parameters.

    Args:
        example_args: tensors or arrays whose shapes replace the symbolic dimensions of the model's inputs, if given.
            Where elements of an input decide a shape, they are fixed to those of the example.

    Raises:
        CompilerError: the `onnx` package is missing, the file is broken, or a node has no lowering.
    """
    onnx = _require_onnx(path)
    from .graphs import import_graph
    from .onnx_models.scope import Model
    from .onnx_models.tracing import trace_model

    model = _load(onnx, path)
    _constants_as_initializers(model.graph)
    inputs = _read_inputs(model, path, example_args)
    shared = Model(path, {(f.domain, f.name): f for f in model.functions}, _opsets(model))
    try:
        traced = trace_model(shared, model.graph, inputs, _take_parameters(model.graph, path))
        imported = import_graph(traced.graph, context=context, keep_inputs=True)
    except CompilerError as error:
        error.where = error.where or path
        if path not in f"{error.where}":
            error.notes = (*error.notes, f"in {path}")
        if "torch" in (error.hint or ""):
            error.hint = _HINT
        raise
    return replace(imported, interface=_interface(imported.interface, inputs, traced))


def _require_onnx(path: str) -> Any:
    try:
        for part in ("checker", "helper", "numpy_helper", "defs"):
            import_module(f"onnx.{part}")
        return import_module("onnx")
    except ImportError as error:
        raise CompilerError(
            "reading ONNX needs the package 'onnx'", where=path, hint="pip install 'wse-mlir[onnx]'"
        ) from error


def _load(onnx: Any, path: str) -> Any:
    try:
        model = onnx.load(path)
    except OSError as error:
        raise CompilerError(
            f"the ONNX model cannot be read: {error.strerror or error}", where=path
        ) from error
    except Exception as error:  # protobuf's errors and those about external data share no base class
        beside = "external" in str(error).lower() or "should be stored in" in str(error)
        raise CompilerError(
            f"the ONNX model cannot be read: {_in_one_line(error)}",
            where=path,
            hint="the files that hold its data have to lie beside it: copy them all"
            if beside
            else "the file is cut off, damaged or of another kind: export or copy it again",
        ) from error
    if any(isinstance(text, bytes) for text in _texts(model)):
        raise CompilerError(
            "the ONNX model cannot be read: a name in it is no UTF-8 text",
            where=path,
            hint="the file is damaged: export or copy it again",
        )
    newest = onnx.defs.onnx_opset_version()
    for domain, version in _opsets(model).items():
        if domain == "" and version > newest:
            raise CompilerError(
                f"the ONNX model is of opset {version}, and the package 'onnx' knows opsets up to {newest}",
                where=path,
                hint="pip install --upgrade onnx, or export the model with an older opset",
            )
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        raise CompilerError(
            f"the ONNX model cannot be read: it is not valid, {_in_one_line(error)}", where=path
        ) from error
    return model


def _texts(message: Any) -> Iterator[str | bytes]:
    """All texts of a protobuf message; what is no UTF-8 comes as bytes."""
    for field, value in message.ListFields():
        repeated = (
            list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
        )
        if field.type == field.TYPE_MESSAGE:
            for part in repeated:
                yield from _texts(part)
        elif field.type == field.TYPE_STRING:
            yield from repeated


def _in_one_line(error: Exception) -> str:
    """What an error says on one line; the checker names nodes on lines of their own."""
    words = " ".join(str(error).replace("==> Context: Bad node spec for node.", " in the node").split())
    return words[:240] or type(error).__name__


def _opsets(model: Any) -> dict[str, int]:
    return {"" if o.domain == "ai.onnx" else o.domain: o.version for o in model.opset_import}


def _constants_as_initializers(graph: Any) -> None:
    """Large constants are weights like others."""
    for node in [
        n for n in graph.node if n.op_type == "Constant" and [a.name for a in n.attribute] == ["value"]
    ]:
        tensor = node.attribute[0].t
        if _elements(tensor) >= LITERAL_LIMIT:
            graph.initializer.add().CopyFrom(tensor)
            graph.initializer[-1].name = node.output[0]
            graph.node.remove(node)


def _elements(tensor: Any) -> int:
    return math.prod(tensor.dims)


def _take_parameters(graph: Any, path: str) -> dict[str, tuple[torch.Tensor, torch.dtype]]:
    """Takes the large initialisers out of a graph: by name their elements and element type."""
    from .onnx_models.types import to_tensor
    from .onnx_models.values import Unsupported

    taken: dict[str, tuple[torch.Tensor, torch.dtype]] = {}
    for tensor in [t for t in graph.initializer if _elements(t) >= LITERAL_LIMIT]:
        try:
            taken[tensor.name] = to_tensor(tensor)
        except Unsupported as error:
            raise CompilerError(f"the initializer '{tensor.name}' has {error}", where=path) from error
        graph.initializer.remove(tensor)
    return taken


def _read_inputs(model: Any, path: str, example_args: Sequence[Any]) -> dict[str, Any]:
    """What the model takes, by name; initialisers that old models declare as inputs are left out."""
    initialised = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initialised]
    if not isinstance(example_args, (tuple, list)):
        example_args = (example_args,)
    if example_args and len(example_args) != len(inputs):
        names = ", ".join(f"'{value.name}'" for value in inputs)
        raise CompilerError(
            f"the ONNX model takes {len(inputs)} inputs ({names}), and there are {len(example_args)} examples",
            where=path,
        )
    examples = list(example_args) or [_NONE_GIVEN] * len(inputs)
    return {value.name: _read_input(value, e, path) for value, e in zip(inputs, examples, strict=True)}


_NONE_GIVEN = object()  # in place of an example; None is an optional that is left out


def _read_input(value: Any, example: Any, path: str) -> Any:
    kind = value.type
    name = value.name
    example = np.asarray(example) if isinstance(example, np.generic) else example
    while kind.HasField("optional_type"):
        if example is None:
            return None
        kind = kind.optional_type.elem_type
    if kind.HasField("sequence_type"):
        if not isinstance(example, (list, tuple)):
            raise CompilerError(
                f"the input '{name}' is a sequence, of which only examples tell how long it is",
                where=path,
                hint="give example arguments, with a list of tensors for a sequence",
            )
        inner = kind.sequence_type.elem_type
        return [_tensor_input(f"{name}.{k}", inner, e, path) for k, e in enumerate(example)]
    return _tensor_input(name, kind, example, path)


def _tensor_input(name: str, kind: Any, example: Any, path: str) -> Any:
    from .onnx_models.tracing import TensorInput
    from .onnx_models.types import element_type
    from .onnx_models.values import Unsupported

    if not kind.HasField("tensor_type"):
        raise CompilerError(f"the input '{name}' is neither a tensor nor a sequence of tensors", where=path)
    try:
        dtype = element_type(kind.tensor_type.elem_type)
    except Unsupported as error:
        raise CompilerError(f"the input '{name}' has {error}, which is not supported", where=path) from error
    declared = kind.tensor_type.shape.dim if kind.tensor_type.HasField("shape") else None
    if example is _NONE_GIVEN:
        if declared is None:
            raise CompilerError(
                f"the model does not tell how many dimensions its input '{name}' has",
                where=path,
                hint="give example arguments",
            )
        return TensorInput(name, tuple(_open_size(d, name, k) for k, d in enumerate(declared)), dtype)
    shape = _shape_of(name, example, path)
    _check_shape(name, declared, shape, path)
    return TensorInput(name, shape, dtype, _elements_of(example))


def _open_size(dimension: Any, name: str, position: int) -> int | str:
    if dimension.HasField("dim_value") and dimension.dim_value >= 0:
        return dimension.dim_value
    return dimension.dim_param or f"{name}.{position}"


def _shape_of(name: str, example: Any, path: str) -> tuple[int, ...]:
    if not hasattr(example, "shape"):
        raise CompilerError(
            f"the example of the input '{name}' is a {type(example).__name__}, expected a tensor", where=path
        )
    return tuple(int(size) for size in example.shape)


def _check_shape(name: str, declared: Any, shape: tuple[int, ...], path: str) -> None:
    if declared is None:
        return
    if len(declared) != len(shape):
        raise CompilerError(
            f"input '{name}' has {len(declared)} dimensions, the example has {len(shape)}", where=path
        )
    for position, (dimension, size) in enumerate(zip(declared, shape, strict=True)):
        if dimension.HasField("dim_value") and dimension.dim_value != size:
            raise CompilerError(
                f"dimension {position} of the input '{name}' is {dimension.dim_value}, the example has {size}",
                where=path,
            )


def _elements_of(example: Any) -> torch.Tensor | None:
    """The elements of an example, None where it has none (a tensor on the meta device)."""
    if isinstance(example, torch.Tensor):
        return None if example.is_meta else example.detach().cpu()
    try:
        return as_tensor(example.copy())
    except TypeError:  # of a type that PyTorch has not
        return None


def _interface(imported: CallInterface, inputs: dict[str, Any], traced: Traced) -> CallInterface:
    """How the model is called, by position: with what element types, and which inputs are fixed."""
    leaves, in_spec = pytree.tree_flatten((tuple(inputs.values()), {}))
    constants = {
        k: None if leaf is None else traced.fixed[leaf.name]
        for k, leaf in enumerate(leaves)
        if leaf is None or leaf.name in traced.fixed
    }
    given = [leaf for k, leaf in enumerate(leaves) if k not in constants]
    dtypes = [leaf.dtype for leaf in given]
    arguments = [
        replace(argument, dtype=dtypes[k]) if k < len(dtypes) else argument
        for k, argument in enumerate(imported.arguments)
    ]
    results = [
        result if unsigned is None else replace(result, dtype=unsigned)
        for result, unsigned in zip(imported.results, traced.unsigned, strict=True)
    ]
    return CallInterface(
        tuple(arguments),
        tuple(results),
        in_spec,
        traced.out_spec,
        tuple(leaf.name for leaf in given),
        constants,
        dict.fromkeys(traced.absent),
    )
