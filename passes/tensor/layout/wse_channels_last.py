"""`wse-channels-last`: the dimension that shall fill the vector lanes becomes a tensor's innermost one."""

from __future__ import annotations

from ....dialects.host import ir
from ...infra.pass_base import Pass, PassRun
from . import handlers  # noqa: F401  (they register their operations)
from .assignment import LayoutAssignment
from .rewriting import LayoutRewriter


class ChannelsLast(Pass, name="wse-channels-last", anchor="func.func"):
    """Chooses in which order the dimensions of tensors around convolutions lie in memory.

    A convolution reads its image one scalar at a time, so that may lie anyhow, and its filters in vectors over the
    output channels: those should be innermost in the result. Pooling and depthwise convolution want channels innermost
    in their image too. What stands between such operations follows them: elementwise operations, reductions, pads,
    slices, concatenations, reshapes. Indexing maps absorb the change, so nothing is transposed in between;
    loops are put into the order of the result, summed ones as the image lies.

    Before: `%r` is (n, f, y, x)

        %r = linalg.generic {maps = [(n, f, y, x, c, i, j) -> (n, c, y + i, x + j), -> (f, c, i, j), -> (n, f, y, x)]}
            ins(%image, %filter : tensor<1x3x18x18xf32>, tensor<64x3x3x3xf32>) outs(%fill : tensor<1x64x16x16xf32>)

    After: `%r` is (n, y, x, f)

        %r = linalg.generic {maps = [(n, y, x, f, c, i, j) -> (n, c, y + i, x + j), -> (f, c, i, j), -> (n, y, x, f)]}
            ins(%image, %filter : tensor<1x3x18x18xf32>, tensor<64x3x3x3xf32>) outs(%fill : tensor<1x16x16x64xf32>)

    Arguments and results of the function keep their order, and so does what other operations work on: there, and only
    where the order in memory really differs, a `linalg.generic` transposes. The weights of a depthwise convolution are
    transposed to channels last; it is for `wse-split-parameters` to do that once. So is an image of many channels that
    overlapping windows read: every element takes part in several of them.

    A function without convolution or pooling is left alone. Convolutions with windows of one count where they leave
    positions out or have products enough to make up for transposing the function's images and results.
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        if not len(op.regions[0].blocks):
            return
        assignment = LayoutAssignment(op)
        if assignment.convolutions:
            run.count("convolutions and poolings", len(assignment.convolutions))
            LayoutRewriter(assignment, run).rewrite()
