"""`wse-transpose-parameters`: factors of sums lie as the result does, so that vectors of both are contiguous."""

from __future__ import annotations

from ....dialects.affine.maps import distinct_dims
from ....dialects.host import func, ir
from ....dialects.structured import REDUCTION, Structured, rebuild_generic, replace_op, structured
from ...infra.pass_base import Pass, PassRun
from ..layout.order import Order, permuted_map
from ..simplify.reshapes.insertions import transposed
from .known_values import KnownValues


class TransposeParameters(Pass, name="wse-transpose-parameters", anchor="func.func"):
    """Transposes what parameters determine and a sum reads with the summed dimension last, where its result goes on.

    A core that sums over the last dimension of a weight either adds up in one place, waiting for each sum, or steps
    through the weight in strides, which hit the same banks of memory again. With the result's dimensions last it takes
    vectors of both as they lie. The transposition is done once, when parameters are bound (`wse-split-parameters`).

        %y = linalg.generic {maps = [(n, k) -> (k), (n, k) -> (n, k), (n, k) -> (n)]} ins(%x, %w : .., tensor<6x8xf32>)
    becomes
        %t = linalg.generic {maps = [(k, n) -> (n, k), (k, n) -> (k, n)]} ins(%w : tensor<6x8xf32>) -> tensor<8x6xf32>
        %y = linalg.generic {maps = [(n, k) -> (k), (n, k) -> (k, n), (n, k) -> (n)]} ins(%x, %t : .., tensor<8x6xf32>)

    What others read as well stays as it is: a PE would have it twice.
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        function = op.opview
        if not isinstance(function, func.FuncOp) or len(function.regions[0].blocks) != 1:
            return
        known = KnownValues.of(function).values
        for inner in list(function.regions[0].blocks[0].operations):
            view = structured(inner)
            if view is None or REDUCTION not in view.iterators or len(view.inits) != 1:
                continue
            orders = {
                k: order for k, v in enumerate(view.inputs) if v in known and (order := _order(view, k))
            }
            if orders:
                _transpose(view, orders)
                run.count("factors transposed", len(orders))


def _order(view: Structured, operand: int) -> Order | None:
    """The dimensions of an operand with those last that the result has; None where they are, or it is of no use."""
    loops, result = (distinct_dims(view.maps[k].results) for k in (operand, len(view.inputs)))
    kind = ir.RankedTensorType(view.inputs[operand].type)
    if loops is None or result is None or len(loops) != kind.rank or _has_other_readers(view.inputs[operand]):
        return None
    sizes = dict(zip(loops, kind.shape, strict=True))
    wide = [loop for loop in loops if sizes[loop] != 1]
    last = next((loop for loop in reversed(result) if sizes.get(loop, 0) != 1), None)
    if not wide or view.iterators[wide[-1]] != REDUCTION or last not in sizes:
        return None
    kept = [d for d, loop in enumerate(loops) if loop in result]
    return (*(d for d in range(len(loops)) if d not in kept), *kept)


def _has_other_readers(value: ir.Value) -> bool:
    """Whether somebody else reads a value, or what it is a view of."""
    while len(list(value.uses)) == 1:
        if isinstance(value.owner, ir.Block) or len(value.owner.operands) != 1:
            return False
        value = value.owner.operands[0]
    return True


def _transpose(view: Structured, orders: dict[int, Order]) -> None:
    inputs, maps = list(view.inputs), list(view.maps)
    with ir.InsertionPoint(view.op), view.op.location:
        for operand, order in orders.items():
            inputs[operand] = transposed(inputs[operand], order)
            maps[operand] = permuted_map(maps[operand], order)
        made = rebuild_generic(view, inputs=inputs, maps=maps)
    replace_op(view.op, list(made.results))
