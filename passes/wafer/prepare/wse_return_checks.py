"""The pass `wse-return-checks`: what a program asserts of its data becomes results that the host looks at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ....dialects.host import arith, ir, linalg, tensor
from ....dialects.provenance import describe_location
from ....dialects.structured import Structured, structured
from ...infra.pass_base import Pass, PassRun
from ...tensor.checks.division_checks import DIVISION_CHECK
from ...tensor.checks.index_checks import INDEX_CHECK, dimension_of
from ..scalars.splat import scalar_constant
from ..shard.main_function import find_main

CHECKS = "wse.returned_checks"
CHECK = "check"


class ReturnChecks(Pass, name="wse-return-checks", anchor="builtin.module"):
    """Makes results of `@main`, of `wse.kind = "check"`, of what assertions about indices and divisors compare.

    The least and the greatest index, read with their signs, tell whether all are in range; whether a divisor is zero is
    the greatest of ones and zeros. These are reductions that PEs can share, which the greatest one read without a sign
    is not. What they mean is told by the function's attribute `wse.returned_checks`, in order.

        %greatest = linalg.generic {maxui} ins(%ids) outs(%zero)
        %ok = arith.cmpi ult, (tensor.extract %greatest[]), %c10_i64 : i64
        cf.assert %ok, "index out of range" {wse.index_check = "front", wse.dimension = 0}
        return %y
    becomes
        %low = linalg.generic {minsi} ins(%ids) outs(%most)
        %high = linalg.generic {maxsi} ins(%ids) outs(%least)
        return %y, %low, %high
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        main = find_main(op)
        block = main.body.blocks[0]
        asserted = [view for view in block.operations if view.operation.name == "cf.assert"]
        entries, values = [], []
        for check in asserted:
            found = _made(check)
            if found is not None:
                entries.append(_entry(check, found.size))
                values += found.values
                check.operation.erase()
        if entries:
            main.attributes[CHECKS] = ir.ArrayAttr.get(entries)
            _return(main, values)
        run.count("checks", len(entries))


@dataclass(frozen=True)
class _Made:
    """The tensors that a check is read from, and the size that an index has to be below; 0 of a division."""

    values: list[ir.Value]
    size: int


def _made(check: Any) -> _Made | None:
    """What tells whether an assertion holds; None for one of another form."""
    compared = check.operands[0].owner
    if isinstance(compared, ir.Block) or compared.name != "arith.cmpi":
        return None
    left, right = compared.operands
    size = scalar_constant(right)
    view = _reduction(left)
    if view is None or size is None:
        return None
    with ir.InsertionPoint(check), check.location:
        kind = ir.RankedTensorType(view.op.results[0].type).element_type
        if INDEX_CHECK in check.attributes and _combiner(view).name == "arith.maxui":
            bits = ir.IntegerType(kind).width
            ends = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
            low = _rebuilt(view, arith.minsi, ends[1], lambda value: value)
            high = _rebuilt(view, arith.maxsi, ends[0], lambda value: value)
            return _Made([low, high], int(size))
        if DIVISION_CHECK in check.attributes and _combiner(view).name == "arith.minui":
            return _Made([_rebuilt(view, arith.maxsi, 0, _is_zero)], 0)
    return None


def _reduction(value: ir.Value) -> Structured | None:
    """The reduction to one integer that a scalar is read from."""
    owner = value.owner
    if isinstance(owner, ir.Block) or owner.name != "tensor.extract" or len(owner.operands) != 1:
        return None
    made = owner.operands[0].owner
    view = None if isinstance(made, ir.Block) else structured(made.opview)
    if view is None or len(view.inits) != 1 or not isinstance(value.type, ir.IntegerType):
        return None
    return view if _combiner(view) is not None else None


def _combiner(view: Structured) -> Any:
    """The operation that takes one more element into the result, as its first operand; None for another form."""
    owner = view.yielded[0].owner
    if isinstance(owner, ir.Block) or owner.name not in ("arith.maxui", "arith.minui"):
        return None
    return owner if owner.operands[0] == view.body.arguments[len(view.operands) - 1] else None


def _rebuilt(
    view: Structured, combine: Callable[..., ir.Value], start: int, of: Callable[[ir.Value], ir.Value]
) -> ir.Value:
    """The same reduction with another combiner, of what `of` makes of each element."""
    kind = ir.RankedTensorType(view.op.results[0].type).element_type
    init = linalg.fill(arith.constant(kind, start), outs=[tensor.EmptyOp([], kind).result])
    made = view.op.operation.clone()
    made.operands[len(view.operands) - 1] = init
    block = made.regions[0].blocks[0]
    terminator = list(block.operations)[-1]
    old = terminator.operands[0].owner
    with ir.InsertionPoint(old):
        new = combine(old.operands[0], of(old.operands[1]))
    terminator.operands[0] = new
    old.erase()
    return made.results[0]


def _is_zero(value: ir.Value) -> ir.Value:
    equal = arith.cmpi(arith.CmpIPredicate.eq, value, arith.constant(value.type, 0))
    return arith.extui(value.type, equal)


def _entry(check: Any, size: int) -> ir.Attribute:
    """What the host has to know of a check."""
    i64 = ir.IntegerType.get_signless(64)
    of_index = INDEX_CHECK in check.attributes
    kind = ir.StringAttr(check.attributes[INDEX_CHECK]).value if of_index else "division"
    return ir.DictAttr.get(
        {
            "kind": ir.StringAttr.get(kind),
            "dimension": ir.IntegerAttr.get(i64, dimension_of(check) if of_index else -1),
            "size": ir.IntegerAttr.get(i64, size),
            "where": ir.StringAttr.get(describe_location(check.location)),
            "message": check.attributes["msg"],
        }
    )


def _return(main: Any, values: Sequence[ir.Value]) -> None:
    """Adds results to `@main`."""
    terminator = list(main.body.blocks[0].operations)[-1]
    attributes = [ir.DictAttr.get({}) for _ in main.type.results]
    if "res_attrs" in main.attributes:
        attributes = [ir.DictAttr(a) for a in ir.ArrayAttr(main.attributes["res_attrs"])]
    for number, _ in enumerate(values):
        described: dict[str, ir.Attribute] = {
            "wse.kind": ir.StringAttr.get(CHECK),
            "wse.name": ir.StringAttr.get(str(number)),
        }
        attributes.append(ir.DictAttr.get(described))
    results = [*main.type.results, *(v.type for v in values)]
    main.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(main.type.inputs, results))
    main.attributes["res_attrs"] = ir.ArrayAttr.get(attributes)
    with ir.InsertionPoint(terminator), terminator.location:
        ir.Operation.create("func.return", operands=[*terminator.operands, *values])
    terminator.operation.erase()
