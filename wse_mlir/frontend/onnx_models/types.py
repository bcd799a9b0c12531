"""Element types and tensors of ONNX as PyTorch's."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import torch

from .values import Unsupported

_NAMES = {
    "FLOAT": torch.float32,
    "DOUBLE": torch.float64,
    "FLOAT16": torch.float16,
    "BFLOAT16": torch.bfloat16,
    "BOOL": torch.bool,
    "INT8": torch.int8,
    "INT16": torch.int16,
    "INT32": torch.int32,
    "INT64": torch.int64,
    "UINT8": torch.uint8,
    "UINT16": torch.uint16,
    "UINT32": torch.uint32,
    "UINT64": torch.uint64,
}
_TYPES = {onnx.TensorProto.DataType.Value(name): dtype for name, dtype in _NAMES.items()}
_CODES = {dtype: code for code, dtype in _TYPES.items()}

# Unsigned integers that PyTorch has but few operators of: they are computed in a signed type that holds all their
# values (those of 64 bits in one that holds their bits).
CARRIERS = {torch.uint16: torch.int32, torch.uint32: torch.int64, torch.uint64: torch.int64}
# What such a tensor is in the arguments and results of compiled functions.
SAME_BITS = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}


def element_type(code: int | str) -> torch.dtype:
    """PyTorch's name of an ONNX element type.

    Raises:
        Unsupported: it has none, or none that tensors of the compiler have.
    """
    if isinstance(code, str):  # until version 6 of Cast
        code = onnx.TensorProto.DataType.Value(code) if code in _NAMES else 0
    if code not in _TYPES:
        known = onnx.TensorProto.DataType.values()
        name = onnx.TensorProto.DataType.Name(code) if code in known else str(code)
        raise Unsupported(f"elements of type {name.lower()}")
    return _TYPES[code]


def torch_type(code: int | str) -> torch.dtype:
    """The type that elements of an ONNX type are computed in."""
    dtype = element_type(code)
    return CARRIERS.get(dtype, dtype)


def type_code(dtype: torch.dtype) -> int:
    """ONNX's number of a PyTorch element type."""
    return _CODES[dtype]


def to_tensor(proto: Any, base: str = "") -> tuple[torch.Tensor, torch.dtype]:
    """A constant's elements in the type they are computed in, and their own type.

    Raises:
        Unsupported: of an element type that there is no tensor of.
    """
    dtype = element_type(proto.data_type)
    try:
        array = np.array(onnx.numpy_helper.to_array(proto, base))  # the protobuf's buffer is read-only
    except (TypeError, ValueError) as error:
        raise Unsupported(
            f"elements that do not fill the shape {list(proto.dims)} of '{proto.name}'"
        ) from error
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16), dtype
    return carried(torch.from_numpy(array), dtype), dtype


def carried(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A tensor of bits of an element type, in the type that it is computed in."""
    if dtype not in CARRIERS:
        return tensor
    signed = tensor.view(SAME_BITS[dtype]) if tensor.dtype == dtype else tensor
    return wrapped(signed.to(CARRIERS[dtype]), dtype)


def wrapped(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A result brought back to the range of an unsigned type by which it is carried."""
    if dtype == torch.uint16:
        return tensor & 0xFFFF
    return tensor & 0xFFFFFFFF if dtype == torch.uint32 else tensor
