"""Refuses tensors of kinds and element types that compiled code does not have, before torch-mlir sees them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.fx import Node

from ..passes.infra.diagnostics import CompilerError
from ..runtime.arrays import numpy_dtype

# The host has arrays of them, which ONNX models need; arithmetic on them is not PyTorch's.
_NOT_COMPUTED = (torch.uint16, torch.uint32, torch.uint64)
_HINT = "use dense tensors of floats of 16 to 64 bits, signed integers, uint8 or bool"


def check_tensors(node: Node, subject: str, where: Callable[[Node], str]) -> None:
    """Checks what a node computes, or the tensor that it stands for.

    Args:
        subject: what messages call the node, such as "input 'x'" or "operator 'aten.to_sparse'".
        where: gives its place in the user's source.

    Raises:
        CompilerError: a tensor is complex, sparse, or of elements that nothing is computed with (uint16, float8).
    """
    value = node.meta.get("val")
    for tensor in value if isinstance(value, (tuple, list)) else (value,):
        if not isinstance(tensor, torch.Tensor):
            continue
        if tensor.is_complex():
            computed = node.op == "call_function"
            what = "computes with complex numbers, which are" if computed else "is a complex tensor, which is"
            hint = "keep real and imaginary parts in two tensors"
            raise CompilerError(f"{subject} {what} not supported", where=where(node), hint=hint)
        if tensor.layout != torch.strided:
            layout = str(tensor.layout).removeprefix("torch.")
            message = f"{subject} is a {layout} tensor, which is not supported"
            raise CompilerError(message, where=where(node), hint=_HINT)
        if numpy_dtype(tensor.dtype) is None or tensor.dtype in _NOT_COMPUTED:
            message = f"{subject} has elements of type {tensor.dtype}, which is not supported"
            raise CompilerError(message, where=where(node), hint=_HINT)
