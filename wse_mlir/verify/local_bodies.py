"""Linalg operations on tiles of any size, as native functions by upstream's passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..dialects.affine.expressions import dim_position
from ..dialects.host import arith, func, ir, tensor
from ..dialects.structured import Structured, build_generic, clone_into, element_type, structured
from ..passes.infra.diagnostics import CompilerError
from ..passes.wafer.prepare.tables import table_of
from .calls import Arrays
from .completion import ArraySignature, Native, native_functions, signature_of

Shapes = tuple[tuple[int, ...], ...]
Maps = tuple[ir.AffineMap, ...]


@dataclass
class LocalBodies:
    """Functions that compute what `linalg.generic`s do on tiles; ask for all of them, then `link`."""

    context: ir.Context
    names: dict[tuple[int, Shapes, str], str] = field(default_factory=dict)
    functions: dict[str, Native] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.context, ir.Location.unknown():
            self.module = ir.Module.create()
        self.signatures: dict[str, ArraySignature] = {}

    def want(self, number: int, op: Any, shapes: Shapes, maps: Maps) -> None:
        """Makes sure that there is a function for operation `number` on tiles of these shapes, one an operand.

        Args:
            maps: of all operands, from the iterations that are done to positions in tiles.
        """
        key = number, shapes, _key(maps)
        if key in self.names:
            return
        name = self.names[key] = f"op{number}_{len(self.names)}"
        with self.context, op.location, ir.InsertionPoint(self.module.body):
            self.signatures[name] = _declare(name, op, shapes, maps)

    def link(self) -> None:
        """Compiles everything that was asked for."""
        if self.signatures:
            self.functions = native_functions(self.module, self.signatures)

    def call(self, number: int, tiles: Sequence[np.ndarray], maps: Maps, offsets: Sequence[int]) -> Arrays:
        """The results on tiles, one an operand that is a tensor; `offsets` are the first index of every loop."""
        name = self.names[number, tuple(tile.shape for tile in tiles), _key(maps)]
        starts = [np.array(offset, np.int64) for offset in offsets]
        return self.functions[name]([*(np.ascontiguousarray(t) for t in tiles), *starts])


def _key(maps: Maps) -> str:
    return "; ".join(map(str, maps))


def tensor_operands(op: Any) -> list[ir.Value]:
    """The operands that are tensors; others are scalars."""
    return [v for v in op.operation.operands if isinstance(v.type, ir.RankedTensorType)]


def _declare(name: str, op: Any, shapes: Shapes, maps: Maps) -> ArraySignature:
    view = structured(op)
    assert view is not None, "every computation is a linalg.generic from stage 'tensor' on"
    given = tensor_operands(op)
    types = [
        ir.RankedTensorType.get(shape, element_type(v.type)) for v, shape in zip(given, shapes, strict=True)
    ]
    start = ir.RankedTensorType.get([], ir.IntegerType.get_signless(64))
    inits = set(view.inits)
    results = [t for t, v in zip(types, given, strict=True) if v in inits][-len(view.inits) :]
    function = func.FuncOp(name, ir.FunctionType.get([*types, *[start] * len(view.iterators)], results))
    block = function.add_entry_block()
    with ir.InsertionPoint(block):
        mapping: dict[ir.Value, ir.Value] = dict(zip(given, block.arguments, strict=False))
        _clone_scalars(op, mapping)
        index = ir.IndexType.get()
        starts = [arith.index_cast(index, tensor.extract(a, [])) for a in list(block.arguments)[len(given) :]]
        func.ReturnOp(_generic(view, maps, mapping, starts))
    return signature_of(function)


def _generic(
    view: Structured, maps: Maps, mapping: dict[ir.Value, ir.Value], starts: Sequence[ir.Value]
) -> Sequence[ir.Value]:
    """The operation on the values of `mapping`; indices of its loops count from `starts`."""

    def body(*scalars: ir.Value) -> list[ir.Value]:
        inside = {**mapping, **dict(zip(view.body.arguments, scalars, strict=True))}
        for inner in list(view.body.operations)[:-1]:
            clone_into([inner], inside)
            if inner.operation.name == "linalg.index":
                dim = ir.IntegerAttr(inner.operation.attributes["dim"]).value
                here = inside[inner.operation.results[0]]
                inside[inner.operation.results[0]] = arith.addi(here, starts[dim])
            elif inner.operation.name == "tensor.extract":
                _read_tile(view, inner, inside[inner.operation.results[0]].owner, starts)
        return [inside.get(value, value) for value in view.yielded]

    inputs, inits = ([mapping[v] for v in given] for given in (view.inputs, view.inits))
    op = build_generic(inputs, inits, maps, view.iterators, body, location=view.op.location)
    return list(op.results)


def _read_tile(view: Any, extract: Any, clone: Any, starts: Sequence[ir.Value]) -> None:
    """Indices of a table count from where its tile starts, along the dimensions that are loops."""
    position = table_of(extract)
    if position is None:
        return
    with ir.InsertionPoint(clone):
        for dim, expr in enumerate(view.maps[position].results):
            loop = dim_position(expr)
            if loop is not None:
                clone.operands[1 + dim] = arith.subi(clone.operands[1 + dim], starts[loop])


def _clone_scalars(op: Any, mapping: dict[ir.Value, ir.Value]) -> None:
    """Clones the constants outside of the operation that it reads."""

    def visit(inner: ir.Operation) -> ir.WalkResult:
        for value in inner.operands:
            owner = value.owner
            if value in mapping or isinstance(owner, ir.Block) or _is_inside(owner, op.operation):
                continue
            if owner.name != "arith.constant" or isinstance(value.type, ir.RankedTensorType):
                raise CompilerError(f"'{op.operation.name}' reads a value of '{owner.name}' from outside")
            clone_into([owner], mapping)
        return ir.WalkResult.ADVANCE

    op.operation.walk(visit)


def _is_inside(op: Any, outer: ir.Operation) -> bool:
    parent = op.parent
    while parent is not None:
        if parent.operation == outer:
            return True
        parent = parent.operation.parent
    return False
