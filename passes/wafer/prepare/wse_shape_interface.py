"""The pass `wse-shape-interface`: arguments and results of `@main` have the shapes that its operations see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dialects.host import ir, tensor
from ....dialects.structured import replace_op
from ...infra.pass_base import Pass, PassRun
from ..shard.main_function import find_main

HOST_TYPE = "wse.host_type"  # of an argument or result that the host has in another shape
_RESHAPES = (tensor.ExpandShapeOp, tensor.CollapseShapeOp)
_ATTRIBUTES = {"argument": "arg_attrs", "result": "res_attrs"}


class ShapeInterface(Pass, name="wse-shape-interface", anchor="builtin.module"):
    """Takes reshapes of arguments and results out of `@main`: the host sees its arrays in another shape for free.

    An argument that is read in one other shape alone has that shape, and so has a result that is reshaped last. What
    the host has is kept as `wse.host_type`: parameters can then be laid out as operations split their dimensions.

        func.func @main(%w: tensor<32x8xf32>) {
          %0 = tensor.expand_shape %w [[0, 1], [2]] output_shape [4, 8, 8] : tensor<32x8xf32> into tensor<4x8x8xf32>
    becomes
        func.func @main(%w: tensor<4x8x8xf32> {wse.host_type = tensor<32x8xf32>}) {
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        main = find_main(op)
        block, before = main.body.blocks[0], main.type
        for argument in block.arguments:
            while _take_over(argument):
                run.count("reshapes of arguments left to the host")
        terminator = list(block.operations)[-1]
        for position in range(len(terminator.operands)):
            while isinstance(reshape := terminator.operands[position].owner, _RESHAPES):
                terminator.operation.operands[position] = reshape.src
                if not any(True for _ in reshape.result.uses):
                    reshape.operation.erase()
                run.count("reshapes of results left to the host")
        types = [a.type for a in block.arguments], [v.type for v in terminator.operands]
        main.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(*types))
        for what, old, new in (("argument", before.inputs, types[0]), ("result", before.results, types[1])):
            _note(main, what, old, new)


def _take_over(argument: ir.Value) -> bool:
    """Gives an argument the shape that all its readers see it in, if they are reshapes to one."""
    readers = [use.owner.opview for use in argument.uses]
    if not all(isinstance(reader, _RESHAPES) for reader in readers):
        return False
    kinds = {reader.results[0].type for reader in readers}
    if len(kinds) != 1:
        return False
    argument.set_type(kinds.pop())
    for reader in readers:
        replace_op(reader, [argument])
    return True


def _note(main: Any, what: str, before: Sequence[ir.Type], now: Sequence[ir.Type]) -> None:
    """Keeps the types that the host's arrays have, where these are others now."""
    where = _ATTRIBUTES[what]
    if list(before) == list(now):
        return
    known = list(ir.ArrayAttr(main.attributes[where])) if where in main.attributes else []
    known += [ir.DictAttr.get({})] * (len(now) - len(known))
    described = []
    for old, new, attributes in zip(before, now, map(ir.DictAttr, known), strict=True):
        entries = {entry.name: entry.attr for entry in attributes}
        changed = {} if old == new else {HOST_TYPE: ir.TypeAttr.get(old)}
        described.append(ir.DictAttr.get(changed | entries))
    main.attributes[where] = ir.ArrayAttr.get(described)


def host_shapes(main: Any, what: str, count: int) -> list[tuple[int, ...]]:
    """The shapes of the host's arrays for each "argument" or "result" of `@main`; () where they are the same."""
    where = _ATTRIBUTES[what]
    known = ir.ArrayAttr(main.attributes[where]) if where in main.attributes else ()
    shapes: list[tuple[int, ...]] = [()] * count
    for position, attributes in enumerate(map(ir.DictAttr, known)):
        if HOST_TYPE in attributes:
            shapes[position] = tuple(ir.RankedTensorType(ir.TypeAttr(attributes[HOST_TYPE]).value).shape)
    return shapes
