"""`wse-expand-copies`: copies between buffers as loops, for there is no runtime library to call."""

from __future__ import annotations

from typing import Any

from ....dialects.affine.maps import identity_maps
from ....dialects.host import ir
from ....dialects.structured import PARALLEL, build_generic
from ...infra.pass_base import Pass, PassRun
from ...infra.patterns import Pattern, PatternSet


class ExpandCopies(Pass, name="wse-expand-copies", anchor="func.func"):
    """Rewrites `memref.copy` as a `linalg.generic` that yields its input.

    LLVM lowers a copy between strided buffers to a call of a runtime library that does not exist here.

    Before:
        memref.copy %a, %b : memref<4xf32> to memref<4xf32, strided<[2]>>
    After:
        linalg.generic {iterator_types = ["parallel"]} ins(%a) outs(%b) { linalg.yield %in }
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        patterns = PatternSet(Pattern("memref.copy", _expand))
        run.count("copies expanded", patterns.apply(op)["_expand"])


def _expand(op: Any, rewriter: Any) -> bool:
    source, destination = op.operands
    types = (source.type, destination.type)
    if not all(isinstance(t, ir.MemRefType) for t in types):
        return False
    rank = ir.ShapedType(source.type).rank
    build_generic(
        [source], [destination], identity_maps(rank, 2), [PARALLEL] * rank, lambda value, _old: [value]
    )
    rewriter.erase_op(op)
    return True
