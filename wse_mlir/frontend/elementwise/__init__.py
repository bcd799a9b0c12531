"""Elementwise operators, lowered here by PyTorch's definitions: of NaN and infinities, signs, and all integer types.

torch-mlir knows most of them, but not their edges: it loses NaN in minima and maxima, takes bytes for signed, and
divides integers as floats. Graphs of PyTorch and of ONNX and files in its torch dialect all meet there, where element
types still have signs; there the operators of `table.TABLE` become `linalg.generic`s, before torch-mlir's own
conversion sees them.
"""

from .expand import expand_elementwise
from .table import TABLE

__all__ = ["TABLE", "expand_elementwise"]
