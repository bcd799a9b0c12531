"""Masks in lanes: places are compared in 32 bits, and bits are read as bytes."""

from __future__ import annotations

from math import prod
from typing import Any

from ....dialects.affine.maps import identity_maps
from ....dialects.host import arith, ir, tensor
from ....dialects.structured import (
    Structured,
    build_generic,
    clone_into,
    element_type,
    rebuild_generic,
    replace_op,
)

_LARGEST = 1 << 30  # of numbers that are added and compared in 32 bits
_FEWEST_READS = 4  # of each bit, for which it is worth while to make it a byte first

BoundedIndex = tuple[ir.Value, int, int]  # a number in 32 bits, and the least and the most that it is


def compare_in_32_bits(view: Structured) -> None:
    """Makes comparisons of 64-bit numbers that are made of indices and constants comparisons of 32-bit ones."""
    sizes = view.loop_sizes()
    for op in view.body_operations():
        if op.operation.name != "arith.cmpi" or str(op.operands[0].type) != "i64":
            continue
        with ir.InsertionPoint(op), op.location:
            sides = [_narrow(v, sizes) for v in op.operands]
            if sides[0] is None or sides[1] is None:
                continue
            new = arith.CmpIOp(op.attributes["predicate"], sides[0][0], sides[1][0])
        op.result.replace_all_uses_with(new.result)
        op.operation.erase()


def _narrow(value: ir.Value, sizes: tuple[int | None, ...]) -> BoundedIndex | None:
    """The same number in 32 bits, if it is known to fit."""
    if isinstance(value.owner, ir.Block):
        return None
    op: Any = value.owner
    i32 = ir.IntegerType.get_signless(32)
    if op.name == "arith.constant":
        number = ir.IntegerAttr(op.attributes["value"]).value
        if abs(number) > _LARGEST:
            return None
        return arith.constant(i32, number), number, number
    if op.name == "arith.index_cast":
        return _narrow_index(op.operands[0], sizes)
    if op.name not in ("arith.addi", "arith.subi"):
        return None
    left, right = (_narrow(v, sizes) for v in op.operands)
    if left is None or right is None:
        return None
    (a, low, high), (b, least, most) = left, right
    if op.name == "arith.subi":
        low, high, made = low - most, high - least, arith.subi(a, b)
    else:
        low, high, made = low + least, high + most, arith.addi(a, b)
    return (made, low, high) if low >= -_LARGEST and high <= _LARGEST else None


def _narrow_index(value: ir.Value, sizes: tuple[int | None, ...]) -> BoundedIndex | None:
    owner: Any = value.owner
    if isinstance(owner, ir.Block) or owner.name != "linalg.index":
        return None
    size = sizes[ir.IntegerAttr(owner.attributes["dim"]).value]
    if size is None or size > _LARGEST:
        return None
    return arith.index_cast(ir.IntegerType.get_signless(32), value), 0, max(size - 1, 0)


def read_bytes(view: Structured, widened: dict[ir.Value, ir.Value]) -> None:
    """Makes bytes of the bits that an operation reads again and again; another one takes its place.

    Args:
        widened: what has been made bytes already.
    """
    sizes = view.loop_sizes()
    chosen = [k for k, value in enumerate(view.inputs) if view.reads(k) and _is_read_often(value, sizes)]
    if not chosen:
        return
    inputs = list(view.inputs)
    for k in chosen:
        if inputs[k] not in widened:
            widened[inputs[k]] = _bytes(inputs[k])
        inputs[k] = widened[inputs[k]]

    def body(*scalars: ir.Value) -> list[ir.Value]:
        mapping: dict[ir.Value, Any] = dict(zip(view.body.arguments, scalars, strict=True))
        for k in chosen:
            none = arith.constant(scalars[k].type, 0)
            mapping[view.body.arguments[k]] = arith.cmpi(arith.CmpIPredicate.ne, scalars[k], none)
        clone_into(view.body_operations(), mapping)
        return [mapping.get(v, v) for v in view.yielded]

    with ir.InsertionPoint(view.op), view.op.location:
        op = rebuild_generic(view, inputs, body=body)
    replace_op(view.op, op.results)


def _is_read_often(value: ir.Value, sizes: tuple[int | None, ...]) -> bool:
    """Whether a value is a tensor of bits, of known size, each of which is read several times."""
    if not isinstance(value.type, ir.RankedTensorType) or str(element_type(value.type)) != "i1":
        return False
    if not value.type.has_static_shape or any(size is None for size in sizes):
        return False
    return prod(s or 0 for s in sizes) >= _FEWEST_READS * prod(value.type.shape)


def _bytes(bits: ir.Value) -> ir.Value:
    """0 or 1 in bytes, made behind what makes the bits."""
    kind = ir.RankedTensorType(bits.type)
    byte = ir.IntegerType.get_signless(8)
    if isinstance(bits.owner, ir.Block):
        ip, location = ir.InsertionPoint.at_block_begin(bits.owner), ir.Location.unknown()
    else:
        owner: Any = bits.owner
        ip, location = ir.InsertionPoint.after(owner), owner.location
    with ip, location:
        empty = tensor.empty(kind.shape, byte)
        op = build_generic(
            [bits],
            [empty],
            identity_maps(kind.rank, 2),
            ["parallel"] * kind.rank,
            lambda bit, _: [arith.extui(byte, bit)],
            location=location,
        )
    return op.results[0]
