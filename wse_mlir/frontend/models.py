"""What users give as a model besides modules and files: functions, MLIR as text or as a module, NumPy examples."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from ..dialects.host import ir
from ..runtime.arrays import tensor_if_array


class Function(torch.nn.Module):
    """A plain function as a module; tensors and modules that it refers to become its constants."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.forward = _with_signature(function)


def _with_signature(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function in a form that the exporter can ask for its arguments."""
    if isinstance(function, (types.FunctionType, types.MethodType, functools.partial)):
        return function
    if isinstance(call := getattr(function, "__call__", None), types.MethodType):  # noqa: B004
        return call

    def forward(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return forward


def is_mlir_text(model: Any) -> bool:
    """Whether this is MLIR itself, and not a file's path."""
    return isinstance(model, str) and ("\n" in model or "func.func" in model)


def print_whole(module: ir.Module) -> str:
    """A module's text with all of its data and places."""
    text: Any = module.operation.get_asm(
        enable_debug_info=True, large_elements_limit=None, large_resource_limit=None
    )
    return text


def is_plain_function(model: Any) -> bool:
    """Whether this can be called, and is no class and nothing that PyTorch has a name for."""
    if isinstance(model, (type, torch.nn.Module, ExportedProgram, torch.jit.ScriptFunction, ir.Module)):
        return False
    return callable(model)


def as_tensors(args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> tuple[Any, dict[str, Any]]:
    """Example arguments with tensors in the place of NumPy's arrays and scalars.

    Raises:
        CompilerError: no tensor can have an array's element type.
    """
    return pytree.tree_map(tensor_if_array, (args, dict(kwargs or {})))
