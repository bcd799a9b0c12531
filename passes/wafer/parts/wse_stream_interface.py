"""The pass `wse-stream-interface`: what a region takes from its neighbour and hands on as operations."""

from __future__ import annotations

from typing import Any

from ....dialects.host import ir
from ....dialects.wse import build
from ...infra.diagnostics import PassFailure
from ...infra.pass_base import Pass, PassRun, option
from ..shard.interface_attributes import argument_attributes, result_attributes
from ..shard.main_function import find_main
from .interfaces import STREAM


class StreamInterface(Pass, name="wse-stream-interface", anchor="builtin.module"):
    """Puts `wse.stream_in` behind arguments of `@main` that are streams, and `wse.stream_out` in front of such results.

        func.func @main(%x: tensor<4x8xf32> {wse.kind = "stream"}) -> (tensor<4x8xf32> {wse.kind = "stream"}) {
          %y = linalg.generic {exp} ins(%x) ..
          return %y
    becomes, with rows=0
        func.func @main(%x: tensor<4x8xf32> {wse.kind = "stream"}) -> (tensor<4x8xf32> {wse.kind = "stream"}) {
          %0 = wse.stream_in %x {rows = 0}
          %y = linalg.generic {exp} ins(%0) ..
          %1 = wse.stream_out %y
          return %1
    """

    rows: tuple[int, ...] = option(
        (),
        "for each such argument the dimension that the neighbour's rows have blocks of; -1: each has all",
        least=-1,
    )

    def run(self, op: ir.Operation, run: PassRun) -> None:
        main = find_main(op)
        block = main.body.blocks[0]
        arguments = zip(block.arguments, argument_attributes(main, "kind", "input"), strict=True)
        taken = [argument for argument, kind in arguments if kind == STREAM]
        if len(taken) != len(self.rows):
            raise PassFailure(
                main,
                f"@main takes {len(taken)} streams, and rows says where {len(self.rows)} are",
                hint="give a dimension, or -1, for each of them",
            )
        first = block.operations[0]
        with op.context:
            for argument, rows in zip(taken, self.rows, strict=True):
                with ir.InsertionPoint(first), argument.location:
                    arrived = build.stream_in(argument, rows)
                made: Any = arrived.owner
                argument.replace_all_uses_except(arrived, made.operation)
            terminator = list(block.operations)[-1]
            for position, kind in enumerate(result_attributes(main, "kind", "output")):
                if kind == STREAM:
                    with ir.InsertionPoint(terminator), terminator.location:
                        terminator.operation.operands[position] = build.stream_out(
                            terminator.operands[position]
                        )
                    run.count("streams that go out")
        run.count("streams that come in", len(taken))
