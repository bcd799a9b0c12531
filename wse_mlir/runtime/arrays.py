"""PyTorch tensors as NumPy arrays and back, on the same memory."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import torch

from ..frontend.call_interface import CallInterface
from ..passes.infra.diagnostics import CompilerError

_BF16 = np.dtype(ml_dtypes.bfloat16)

_NUMPY_OF: dict[torch.dtype, np.dtype] = {
    torch.float16: np.dtype(np.float16),
    torch.bfloat16: _BF16,
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
    torch.bool: np.dtype(np.bool_),
    torch.uint8: np.dtype(np.uint8),
    torch.int8: np.dtype(np.int8),
    torch.int16: np.dtype(np.int16),
    torch.int32: np.dtype(np.int32),
    torch.int64: np.dtype(np.int64),
    torch.uint16: np.dtype(np.uint16),
    torch.uint32: np.dtype(np.uint32),
    torch.uint64: np.dtype(np.uint64),
}
TORCH_DTYPES = tuple(_NUMPY_OF)  # element types that arrays can have


def numpy_dtype(dtype: torch.dtype) -> np.dtype | None:
    """NumPy's name of an element type; None for types that arrays cannot hold."""
    return _NUMPY_OF.get(dtype)


# MLIR's integers have no sign: compiled code returns signed ones of the same bits.
_SIGNED = {
    torch.uint8: np.dtype(np.int8),
    torch.uint16: np.dtype(np.int16),
    torch.uint32: np.dtype(np.int32),
    torch.uint64: np.dtype(np.int64),
}


def is_unsigned(dtype: torch.dtype) -> bool:
    """Whether compiled code returns elements of this type as signed ones of the same bits."""
    return dtype in _SIGNED


def without_sign(dtype: torch.dtype) -> np.dtype | None:
    """NumPy's type of what compiled code returns for an element type; None for types that arrays cannot hold."""
    return _SIGNED.get(dtype, _NUMPY_OF.get(dtype))


def as_signed(array: np.ndarray) -> np.ndarray:
    """MLIR's integers have no sign, the simulator's have: the same bytes."""
    return array.view(f"i{array.itemsize}") if array.dtype.kind == "u" else array


def as_array(tensor: torch.Tensor) -> np.ndarray:
    """The tensor's elements as a C-contiguous array; shares memory unless the tensor is not contiguous."""
    tensor = tensor.detach().resolve_neg().contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(_BF16)
    return tensor.numpy()


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """The array as a tensor on the same memory; a read-only array is copied, for tensors can be written."""
    if not array.flags.writeable:
        array = array.copy()
    if array.dtype == _BF16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def parameters_of(interface: CallInterface) -> list[np.ndarray]:
    """The values of the parameters, in order, without copies."""
    return [as_array(a.tensor) for a in interface.arguments if a.kind == "parameter" and a.tensor is not None]


def tensor_if_array(leaf: Any) -> Any:
    """A NumPy array as a tensor on the same memory, a scalar of NumPy's as a 0-d one; anything else as it is.

    Raises:
        CompilerError: tensors have no such element type or layout.
    """
    if isinstance(leaf, np.generic):
        leaf = np.asarray(leaf)
    if not isinstance(leaf, np.ndarray):
        return leaf
    try:
        return as_tensor(leaf)
    except TypeError:
        raise CompilerError(
            f"a NumPy array of dtype {leaf.dtype} is not an input that a model can have",
            hint="convert it with .astype",
        ) from None
    except ValueError:
        raise CompilerError(
            f"a NumPy array of strides {leaf.strides} and dtype {leaf.dtype.str} cannot become a tensor",
            hint=f"copy it first: np.array(x, '{leaf.dtype.name}', order='C')",
        ) from None
