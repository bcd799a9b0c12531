"""`wse-loop-state-in-place`: the next state of a loop is computed where the state is."""

from __future__ import annotations

from ....dialects.host import func, ir, scf
from ....dialects.structured import structured
from ...infra.pass_base import Pass, PassRun


class LoopStateInPlace(Pass, name="wse-loop-state-in-place", anchor="func.func"):
    """Gives a computation whose result a loop carries on the carried tensor as its destination.

    A destination that was empty is not read, so nothing changes but where bufferization may write. Before:

        %r = scf.for ... iter_args(%state = %initial) {
          %empty = tensor.empty()
          %next = linalg.generic ins(%gates, %state) outs(%empty) ...
          scf.yield %next
        }

    After:

        %r = scf.for ... iter_args(%state = %initial) {
          %next = linalg.generic ins(%gates, %state) outs(%state) ...
          scf.yield %next
        }

    Where something still reads the state behind the computation, `wse-bufferize` takes another buffer and copies, as
    it did before.
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        if not isinstance(op.opview, func.FuncOp):
            return
        loops: list[scf.ForOp] = []

        def visit(found: ir.Operation) -> ir.WalkResult:
            if isinstance(found.opview, scf.ForOp):
                loops.append(found.opview)
            return ir.WalkResult.ADVANCE

        op.walk(visit)
        for loop in loops:
            run.count("states in place", _carry(loop))


def _carry(loop: scf.ForOp) -> int:
    *_, terminator = loop.body.operations
    done = 0
    given: set[ir.Value] = set()  # a value that is carried twice has one place
    for state, following in zip(loop.inner_iter_args, list(terminator.operands), strict=True):
        slot = _empty_destination(following, loop.body)
        if slot is None or following in given or following.type != state.type:
            continue
        given.add(following)
        op, number = slot
        op.operands[number] = state
        done += 1
    return done


def _empty_destination(value: ir.Value, body: ir.Block) -> tuple[ir.Operation, int] | None:
    """The computation of a value in the body of a loop, and the operand that is its destination, if that is empty."""
    if isinstance(value.owner, ir.Block):
        return None
    op: ir.Operation = value.owner.operation
    if op.block != body:
        return None
    view = structured(op)
    if view is None or not ir.RankedTensorType(value.type).has_static_shape:
        return None
    number = len(view.inputs) + ir.OpResult(value).result_number
    destination = op.operands[number]
    is_empty = (
        not isinstance(destination.owner, ir.Block) and destination.owner.operation.name == "tensor.empty"
    )
    return (op, number) if is_empty else None
