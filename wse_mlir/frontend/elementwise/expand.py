"""Elementwise operators of torch as `linalg.generic`s, made where tensors still say whether integers have signs.

    %2 = torch.aten.clamp_min %x, %zero : !torch.vtensor<[?,3],si8>, !torch.int -> !torch.vtensor<[?,3],si8>
becomes
    %b = torch_c.to_builtin_tensor %x : ... -> tensor<?x3xi8>
    %g = linalg.generic ins(%b) outs(tensor.empty) { arith.maxsi ... }
    %2 = torch_c.from_builtin_tensor %g
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...dialects.host import arith, cf, ir, tensor
from ...dialects.structured import PARALLEL, build_generic, replace_op
from ...passes.tensor.sizes import constant_index
from ...passes.tensor.traversal import collect
from ..narrow_floats import HALVES
from ..torch_tensors import OPEN, TensorType, converted
from .number import DTYPES, Number, Plain, constant
from .table import CONVERSIONS, REINTERPRETATION, TABLE, Computed

_OPERATOR = "torch.operator"
_CONSTANT = "torch.constant."
_NUMBERS = {
    "!torch.int": ("i64", torch.int64),
    "!torch.float": ("f64", torch.float64),
    "!torch.bool": ("i1", torch.bool),
}
_TRANSPARENT = ("torch.derefine", "torch.prim.NumToTensor.Scalar")
# set on functions that an exporter made
_STRICT = "torch.assume_strict_symbolic_shapes"


class _Unknown(Exception):
    """An operand that is neither a tensor of a known rank and type nor a number."""


@dataclass(frozen=True)
class _Tensor:
    """A tensor operand: the value, its sizes, and its type in PyTorch."""

    value: ir.Value
    shape: tuple[int, ...]
    dtype: torch.dtype


def expand_elementwise(module: ir.Module) -> None:
    """Replaces the operators of `TABLE` in a module in the torch dialect; what has unknown types is left alone."""
    for op in collect(module.operation, _has_rule):
        with op.location, ir.InsertionPoint(op):
            result = _Expansion(op).emit()
        if result is not None:
            replace_op(op, [result])


def _has_rule(op: ir.Operation) -> bool:
    return op.name.startswith("torch.") and _name(op) in TABLE and len(op.results) == 1


def _name(op: ir.Operation) -> str:
    full = ir.StringAttr(op.attributes["name"]).value if op.name == _OPERATOR else op.name
    name = full.removeprefix("torch.")
    return name.removesuffix(".default")


class _Expansion:
    """One operator."""

    def __init__(self, op: ir.Operation) -> None:
        self._op = op
        self._rule = TABLE[_name(op)]

    def emit(self) -> ir.Value | None:
        """The result in torch's type; None, and nothing made, where types are not known."""
        known = TensorType.of(self._op.results[0].type)
        if known is None or known.element not in DTYPES:
            return None
        try:
            arguments = [_argument(value) for value in self._op.operands]
        except _Unknown:
            return None
        tensors = [a for a in arguments if isinstance(a, _Tensor)]
        if not tensors:
            return None
        result = DTYPES[known.element]
        if _name(self._op) in CONVERSIONS and tensors[0].dtype == result:
            return converted(tensors[0].value, self._op.results[0].type)
        reinterpreted = _name(self._op) == REINTERPRETATION
        if reinterpreted and tensors[0].dtype.itemsize != result.itemsize:  # another shape
            return None
        computed = self._computed_in(arguments, result)
        given = [self._number_outside(a) for a in arguments]
        builtin = [_builtin(t) for t in tensors]
        empty, maps = _space(tensors, builtin, len(known.shape), known, strict=_is_strict(self._op))

        def body(*scalars: ir.Value) -> list[ir.Value]:
            elements = iter(scalars)
            operands = []
            for position, argument in enumerate(given):
                if isinstance(argument, _Tensor):
                    argument = Number(next(elements), argument.dtype)
                if position == 0 and isinstance(argument, (bool, int, float)):
                    argument = self._first(argument, computed)
                if computed is not None and isinstance(argument, Number) and position not in self._rule.own:
                    argument = argument.to(computed)
                operands.append(argument)
            made = self._rule.body(*operands)
            return [(made.seen_as(result) if reinterpreted else made.to(result)).value]

        generic = build_generic(builtin, [empty], maps, [PARALLEL] * len(known.shape), body)
        return converted(generic.results[0], self._op.results[0].type)

    def _computed_in(self, arguments: Sequence[Any], result: torch.dtype) -> torch.dtype | None:
        how = self._rule.computed
        if how is Computed.OWN:
            return None
        if how in (Computed.COMMON, Computed.WIDE_COMMON):
            result = _common(arguments[:2])  # what follows are limits and flags
        wide = how in (Computed.WIDE, Computed.WIDE_COMMON) and result in HALVES
        return torch.float32 if wide else result

    def _first(self, number: Plain, computed: torch.dtype | None) -> Number | Plain:
        """A number that comes first, as in `7 // x`, in the type that is computed in."""
        return number if computed is None or 0 in self._rule.own else constant(number, computed)

    @staticmethod
    def _number_outside(argument: Any) -> Any:
        """A number that is not known now, as a builtin scalar before the operation."""
        if not isinstance(argument, ir.Value):
            return argument
        name, dtype = _NUMBERS[str(argument.type)]
        kind = ir.Type.parse(name)
        return Number(ir.Operation.create(f"torch_c.to_{name}", [kind], [argument]).result, dtype)


def _argument(value: ir.Value) -> Any:
    """A `_Tensor`, a plain number, a text, None, or the value of a number that is not known now."""
    owner = value.owner
    while not isinstance(owner, ir.Block) and owner.name in _TRANSPARENT:
        value = owner.operands[0]
        owner = value.owner
    known = TensorType.of(value.type)
    if known is not None:
        if known.element not in DTYPES:
            raise _Unknown
        return _Tensor(value, known.shape, DTYPES[known.element])
    if not isinstance(owner, ir.Block) and owner.name.startswith(_CONSTANT):
        if owner.name == _CONSTANT + "none" or owner.name == _CONSTANT + "device":
            return None
        attribute: Any = owner.attributes["value"]
        return attribute.value
    if str(value.type) not in _NUMBERS:
        raise _Unknown
    return value


def _common(arguments: Sequence[Any]) -> torch.dtype:
    """The type that PyTorch promotes operands to: their ranks count, and plain numbers are weak."""
    examples: list[Any] = []
    for argument in arguments:
        if isinstance(argument, _Tensor):
            shape = (1,) if argument.shape else ()
            examples.append(torch.empty(shape, dtype=argument.dtype, device="meta"))
        elif isinstance(argument, ir.Value):
            examples.append({"!torch.int": 1, "!torch.float": 1.0}.get(str(argument.type), True))
        elif isinstance(argument, (bool, int, float)):
            examples.append(argument)
    if len(examples) == 1:
        return examples[0].dtype
    return torch.result_type(*examples)


def _builtin(operand: _Tensor) -> ir.Value:
    known = TensorType.of(operand.value.type)
    assert known is not None
    return converted(operand.value, known.builtin(operand.value.type.context))


def _is_strict(op: ir.Operation) -> bool:
    """Whether sizes that are not known are equal where they meet: then an exporter has checked it."""
    parent = op.parent
    while parent is not None and parent.name != "func.func":
        parent = parent.parent
    return parent is not None and _STRICT in parent.attributes


def _space(
    tensors: Sequence[_Tensor], values: Sequence[ir.Value], rank: int, result: TensorType, *, strict: bool
) -> tuple[ir.Value, list[ir.AffineMap]]:
    """A destination of the size that the operands are broadcast to, and the maps of all operands and of it."""
    maps = []
    sizes: list[ir.Value | int] = []
    for dim in range(rank):
        sizes.append(_broadcast(tensors, values, dim, rank, strict=strict))
    for operand in tensors:
        first = rank - len(operand.shape)
        places = [
            ir.AffineConstantExpr.get(0) if size == 1 else ir.AffineDimExpr.get(first + d)
            for d, size in enumerate(operand.shape)
        ]
        maps.append(ir.AffineMap.get(rank, 0, places))
    maps.append(ir.AffineMap.get_identity(rank))
    element = ir.RankedTensorType(result.builtin(values[0].type.context)).element_type
    return tensor.empty(sizes, element), maps


def _broadcast(
    tensors: Sequence[_Tensor], values: Sequence[ir.Value], dim: int, rank: int, *, strict: bool
) -> ir.Value | int:
    """The size of a dimension of the result; where it is not known that sizes agree, that is asserted."""
    static, open_sizes = 1, []
    for operand, value in zip(tensors, values, strict=True):
        own = dim - (rank - len(operand.shape))
        if own < 0 or operand.shape[own] == 1:
            continue
        if operand.shape[own] == OPEN:
            open_sizes.append((value, own))
        else:
            static = operand.shape[own]
    if not open_sizes:
        return static
    found = [
        tensor.dim(value, constant_index(own)) for value, own in (open_sizes[:1] if strict else open_sizes)
    ]
    wanted = found[0] if static == 1 else constant_index(static)
    if not strict:
        for size in found[1:] if static == 1 else found:
            same = arith.cmpi(arith.CmpIPredicate.eq, size, wanted)
            cf.assert_(same, "mismatched size for broadcast")
    return wanted if static == 1 else static
