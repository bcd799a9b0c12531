"""Values of a function that parameters and constants determine, so that they are known before any call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod

from ....dialects.host import func, ir
from ....dialects.structured import outer_operands
from ..bufferization.arena import element_bytes
from ..effects import has_no_effect
from ..uniform import uniform_scalar

PARAMETER = "parameter"
PREPARED = "prepared"

# A prepared tensor has at most so many times the size of what it is made of: broadcasts are made where they are used.
_GROWTH = 2

# They take no time worth saving, and every function can have its own.
_FREE = frozenset({"arith.constant", "tensor.empty"})


@dataclass
class KnownValues:
    """The part of a function's entry block that does not depend on inputs or states.

    Attributes:
        parameters: positions of the arguments that are parameters.
        values: what is known, parameters included.
        computed: operations that compute known values, in order.
        free: operations that do so at no cost: constants, `tensor.empty`, fills. They depend on no parameter.
    """

    parameters: list[int]
    values: set[ir.Value] = field(default_factory=set)
    computed: list[ir.Operation] = field(default_factory=list)
    free: list[ir.Operation] = field(default_factory=list)

    @staticmethod
    def of(function: func.FuncOp) -> KnownValues:
        """Those of a function with one block."""
        block = function.regions[0].blocks[0]
        known = KnownValues(arguments_of_kind(function, PARAMETER))
        known.values.update(block.arguments[k] for k in known.parameters)
        for view in list(block.operations)[:-1]:
            op = view.operation
            if not has_no_effect(op) or not all(v in known.values for v in outer_operands(op)):
                continue
            known.values.update(op.results)
            (known.free if _is_free(op) else known.computed).append(op)
        return known


def _is_free(op: ir.Operation) -> bool:
    return op.name in _FREE or (len(op.results) == 1 and uniform_scalar(op.results[0]) is not None)


def arguments_of_kind(function: ir.OpView, kind: str) -> list[int]:
    """Positions of the arguments that have this `wse.kind`."""
    if "arg_attrs" not in function.attributes:
        return []
    found = enumerate(ir.DictAttr(a) for a in ir.ArrayAttr(function.attributes["arg_attrs"]))
    return [k for k, a in found if "wse.kind" in a and ir.StringAttr(a["wse.kind"]).value == kind]


def is_kept_small(size: int, sources: Iterable[int]) -> bool:
    """Whether a tensor is not much larger than the largest of those that it is made of."""
    return size <= _GROWTH * max(sources, default=0)


def static_bytes(kind: ir.Type) -> int | None:
    """Bytes of a tensor of static shape; None for everything else."""
    if not isinstance(kind, ir.RankedTensorType) or not kind.has_static_shape:
        return None
    return prod(kind.shape) * element_bytes(kind.element_type)
