"""Constants of unsigned integers, which torch-mlir takes for signed ones, and refuses, where it lowers them.

    %0 = torch.vtensor.literal(dense<[200, 3]> : tensor<2xui8>) : !torch.vtensor<[2],ui8>
becomes
    %c = arith.constant dense<[200, 3]> : tensor<2xi16>
    %g = linalg.generic ins(%c) outs(tensor.empty) { arith.trunci ... }
    %0 = torch_c.from_builtin_tensor %g
which nothing folds to a constant in torch's type again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..dialects.host import arith, ir, tensor
from ..dialects.structured import PARALLEL, build_generic, replace_op
from ..passes.tensor.traversal import collect
from .elementwise.number import DTYPES, Number, constant
from .torch_tensors import TensorType, converted

# A signed type that holds the numbers; literals of wider types do not come from models.
_WIDER = {"ui8": torch.int16, "ui16": torch.int32, "ui32": torch.int64}
_NUMPY = {torch.int16: np.int16, torch.int32: np.int32, torch.int64: np.int64}


def expand_unsigned_literals(module: ir.Module) -> None:
    """Replaces the literals of unsigned element types in a module in the torch dialect."""
    for op in collect(module.operation, lambda op: op.name == "torch.vtensor.literal"):
        known = TensorType.of(op.results[0].type)
        if known is None or known.element not in _WIDER:
            continue
        with op.location, ir.InsertionPoint(op):
            result = converted(_made(op.attributes["value"], known), op.results[0].type)
        replace_op(op, [result])


def _made(value: Any, known: TensorType) -> ir.Value:
    """The builtin tensor of a literal's elements."""
    dtype, wide = DTYPES[known.element], _WIDER[known.element]
    rank = len(known.shape)
    kind = known.builtin(value.type.context)
    empty = tensor.empty(list(known.shape), kind.element_type)
    identity = ir.AffineMap.get_identity(rank)
    if value.is_splat:
        element = int(value.get_splat_value().value)
        filled = build_generic(
            [], [empty], [identity], [PARALLEL] * rank, lambda _: [constant(element, dtype).value]
        )
        return filled.results[0]
    elements: Any = np.array(value).astype(_NUMPY[wide])
    dense: Any = ir.DenseElementsAttr.get(elements)
    given = arith.ConstantOp(
        ir.RankedTensorType.get(known.shape, ir.IntegerType.get_signless(8 * wide.itemsize)),
        dense,
    ).result
    generic = build_generic(
        [given],
        [empty],
        [identity] * 2,
        [PARALLEL] * rank,
        lambda element, _: [Number(element, wide).to(dtype).value],
    )
    return generic.results[0]
