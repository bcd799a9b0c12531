"""Constants of a program as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dialects.host import ir
from ..frontend.interface import torch_dtype
from ..passes.infra.diagnostics import CompilerError
from ..runtime.arrays import numpy_dtype


def constant_array(op: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor of one number, a constant, or one that nobody wrote."""
    element = ir.RankedTensorType(op.operation.results[0].type).element_type
    dtype = _dtype(element)
    if op.operation.name == "tensor.empty":
        return np.zeros(shape, dtype)
    if op.operation.name == "arith.constant":
        return dense_array(op.operation.attributes["value"])
    owner = op.operation.operands[0].owner
    return np.full(shape, owner.attributes["value"].value, dtype)


def _dtype(element: ir.Type) -> np.dtype:
    known = torch_dtype(element)
    dtype = None if known is None else numpy_dtype(known)
    if dtype is None:
        raise CompilerError(f"elements of type {element} cannot be held in an array")
    return dtype


def dense_array(attribute: ir.Attribute) -> np.ndarray:
    """The elements of a dense constant."""
    elements = ir.DenseElementsAttr(attribute)
    shaped = ir.RankedTensorType(elements.type)
    dtype = _dtype(shaped.element_type)
    if elements.is_splat:
        number: Any = elements.get_splat_value()
        return np.full(tuple(shaped.shape), number.value, dtype)
    array = np.array(elements)
    if array.size != int(np.prod(shaped.shape)):
        raise CompilerError("a packed boolean constant cannot be read")
    return array.astype(dtype).reshape(tuple(shaped.shape))
