"""`wse-read-bytes`: bits that are read again and again are kept as bytes."""

from __future__ import annotations

from ....dialects.host import ir
from ....dialects.structured import structured
from ...infra.pass_base import Pass, PassRun
from ...tensor.traversal import tensor_blocks
from .lanes import read_bytes


class ReadBytes(Pass, name="wse-read-bytes", anchor="func.func"):
    """Makes bytes of bits, once, where an operation reads each of them several times: of bytes there are vectors.

        %r = linalg.generic {maps = [(i, j) -> (j), ...]} ins(%bits, %x : tensor<6xi1>, ...) { select }
    becomes
        %bytes = linalg.generic ins(%bits : tensor<6xi1>) outs(%e : tensor<6xi8>) { extui }
        %r = linalg.generic {maps = [(i, j) -> (j), ...]} ins(%bytes, %x : tensor<6xi8>, ...) { cmpi ne 0, select }
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for block in tensor_blocks(op):
            widened: dict[ir.Value, ir.Value] = {}
            for inner in list(block.operations):
                view = structured(inner)
                if view is not None and len(view.op.results):
                    read_bytes(view, widened)
            run.count("tensors of bits made bytes", len(widened))
