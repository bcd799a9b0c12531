"""Operators of PyTorch's quantisation (`quantized_decomposed`), as PyTorch's own kernels compute them: they are Python.

torch-mlir knows none that work by tokens, and of those by channels reads zero points without a sign as if they had one.
It knows those with one scale and one zero point for all of a tensor, and makes products of integers of them, and those
by groups, whose kernels look whether numbers are NaN.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch

_KERNELS = "torch.ao.quantization.fx._decomposed"
_OPERATORS = (
    "quantize_per_channel",
    "dequantize_per_channel",
    "quantize_per_token",
    "dequantize_per_token",
    "choose_qparams_per_token",
    "choose_qparams_per_token_asymmetric",
    "_choose_qparams_per_token_asymmetric_impl",
)


def quantised_decompositions() -> dict[Any, Callable[..., Any]]:
    """Entries of the decomposition table; none as long as nobody has imported what defines the operators."""
    kernels = sys.modules.get(_KERNELS)
    if kernels is None:
        return {}
    operators = torch.ops.quantized_decomposed
    table = {getattr(operators, name).default: getattr(kernels, name) for name in _OPERATORS}
    return table | {torch.ops.aten._assert_tensor_metadata.default: _not_asserted}


def _not_asserted(*_: Any, **__: Any) -> None:
    """What the exporter says of scales is the type that is declared, which is not what their kernel returns."""
