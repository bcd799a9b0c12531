"""`wse-unroll-loops`: loops over computations on tensors are written out, for targets that have no loops."""

from __future__ import annotations

from ....dialects.host import arith, ir, scf
from ....dialects.structured import clone_into, replace_op
from ...infra.pass_base import Pass, PassRun, option


class UnrollLoops(Pass, name="wse-unroll-loops"):
    """Writes out the iterations of an `scf.for` that holds `linalg` operations and whose bounds are constants.

    A processing element's program is placed as a whole, so that its steps have to be known. Before:

        %h = scf.for %i = %c0 to %c2 step %c1 iter_args(%s = %h0) {
          %xi = tensor.extract_slice %x[%i, 0] [1, 64] [1, 1]
          %next = linalg.generic ins(%xi, %s) ...
          scf.yield %next
        }

    After (`canonicalize` makes the offsets constants):

        %x0 = tensor.extract_slice %x[%c0, 0] [1, 64] [1, 1]
        %h1 = linalg.generic ins(%x0, %h0) ...
        %x1 = tensor.extract_slice %x[%c1, 0] [1, 64] [1, 1]
        %h = linalg.generic ins(%x1, %h1) ...

    Loops without `linalg` operations, loops on buffers and loops of more iterations than `trips` stay.
    """

    trips: int = option(4096, "most iterations that are written out", least=0)

    def run(self, op: ir.Operation, run: PassRun) -> None:
        while loop := self._next(op.operation):  # an outer loop first, whose copies hold inner ones
            _unroll(loop)
            run.count("loops written out")

    def _next(self, root: ir.Operation) -> scf.ForOp | None:
        found: list[scf.ForOp] = []

        def visit(op: ir.Operation) -> ir.WalkResult:
            view = op.opview
            if not isinstance(view, scf.ForOp) or not self._applies(view):
                return ir.WalkResult.ADVANCE
            found.append(view)
            return ir.WalkResult.INTERRUPT

        root.walk(visit, ir.WalkOrder.PRE_ORDER)
        return found[0] if found else None

    def _applies(self, loop: scf.ForOp) -> bool:
        iterations = _iterations(loop)
        return (
            iterations is not None
            and len(iterations) <= self.trips
            and any(isinstance(result.type, ir.RankedTensorType) for result in loop.results)
            and _holds_linalg(loop.operation)
        )


def _iterations(loop: scf.ForOp) -> range | None:
    """The values of the induction variable, if they are known."""
    numbers = [_constant(bound) for bound in list(loop.operands)[:3]]
    if any(number is None for number in numbers):
        return None
    lower, upper, step = (int(number or 0) for number in numbers)
    return range(lower, upper, step) if step > 0 else None


def _constant(value: ir.Value) -> int | None:
    if isinstance(value.owner, ir.Block) or value.owner.name != "arith.constant":
        return None
    return ir.IntegerAttr(value.owner.attributes["value"]).value


def _holds_linalg(op: ir.Operation) -> bool:
    return any(
        below.operation.name.startswith("linalg.") or _holds_linalg(below.operation)
        for region in op.regions
        for block in region.blocks
        for below in block.operations
    )


def _unroll(loop: scf.ForOp) -> None:
    iterations = _iterations(loop)
    assert iterations is not None
    carried: list[ir.Value] = list(loop.operands)[3:]
    *body, terminator = loop.body.operations
    with loop.location, ir.InsertionPoint(loop):
        for iteration in iterations:
            place = arith.ConstantOp(loop.induction_variable.type, iteration).result
            values = dict(zip(loop.body.arguments, [place, *carried], strict=True))
            clone_into(body, values)
            carried = [values.get(v, v) for v in terminator.operands]
    replace_op(loop, carried)
