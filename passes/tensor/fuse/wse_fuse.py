"""`wse-fuse`: chains of `linalg.generic` become one, each intermediate tensor a scalar in its body."""

from __future__ import annotations

from ....dialects.host import ir
from ...infra.pass_base import Pass, PassRun, option
from ..traversal import tensor_blocks
from .block_fusion import BlockFusion, FusionPolicy
from .reshape_moves import move_reshapes


class Fuse(Pass, name="wse-fuse", anchor="func.func"):
    """Fuses elementwise producers into the generics that read them, over arbitrary indexing maps.

    A producer whose loops are all parallel and whose result is written by a permutation of them is evaluated
    inside its consumer (elementwise, reduction or contraction): its maps are composed with the consumer's. Fills
    and splat constants become scalars; transposes and broadcasts become maps; unread inits become `tensor.empty`;
    equal inputs are merged and unread ones dropped; reshapes in between move out of the chain. The whole tree of
    producers is planned first and built once.

        %e = linalg.generic {maps = [(i, j) -> (i, j), (i, j) -> (j, i)]} ins(%x) outs(%t0) { math.exp }
        %r = linalg.generic {maps = [(i, j) -> (j, i), (i, j) -> (i)]}    ins(%e) outs(%t1) { arith.addf }
    becomes
        %r = linalg.generic {maps = [(i, j) -> (i, j), (i, j) -> (i)]} ins(%x) outs(%t1) { math.exp, arith.addf }

    Not fused, with a remark: a reduction into anything (its value is complete only after its loops); a result
    with several users unless evaluating it again is cheap (`recompute-ops`) or all users lie later and
    the operation can yield it as a second result; into a contraction, which evaluates its operands many times, anything
    beyond `contraction-ops` operations; whatever would leave a loop without a trip count.
    """

    recompute_ops: int = option(
        4, "most scalar operations that may be evaluated again for another user", least=0
    )
    recompute_inputs: int = option(
        8, "most inputs as large as the result that may be read again for another user", least=0
    )
    max_uses: int = option(3, "most users for which a cheap result is evaluated again", least=0)
    contraction_ops: int = option(
        0, "most scalar operations evaluated inside a contraction, convolution or pooling; 0: copies only"
    )
    multi_result: bool = option(True, "let an elementwise operation yield an absorbed result that others use")
    move_reshapes: bool = option(
        True, "move reshapes out of elementwise chains, so that they do not cut them"
    )
    max_body: int = option(256, "most scalar operations in one fused body", least=1)

    def run(self, op: ir.Operation, run: PassRun) -> None:
        policy = FusionPolicy(
            recompute_ops=self.recompute_ops,
            recompute_inputs=self.recompute_inputs,
            max_uses=self.max_uses,
            contraction_ops=self.contraction_ops,
            multi_result=self.multi_result,
            max_body=self.max_body,
        )
        for block in tensor_blocks(op):
            first = PassRun(run.pass_name)
            BlockFusion(block, policy, first).run()
            run.statistics.update(first.statistics)
            if self.move_reshapes and move_reshapes(block, run):
                BlockFusion(block, policy, run).run()
            else:
                run.remarks.items += first.remarks.items
