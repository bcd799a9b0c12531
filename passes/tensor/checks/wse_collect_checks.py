"""`wse-collect-checks`: what a program asserts becomes words that its caller reads after a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....dialects.host import arith, func, ir, memref, scf
from ....dialects.provenance import describe_location
from ...infra.diagnostics import PassFailure
from ...infra.pass_base import Pass, PassRun, option
from ..traversal import collect
from .division_checks import DIVISION_CHECK
from .index_checks import INDEX_CHECK, dimension_of

STATUS = "status"
STATUS_WORDS = 3
CHECKS = "wse.checks"


class CollectChecks(Pass, name="wse-collect-checks", anchor="func.func"):
    """Replaces assertions by a status: three words in memory of the caller's, an argument of `wse.kind = "status"`.

    The first is 0, or the number of the first assertion that does not hold, counted from 1; then come the two sides of
    its comparison. What the numbers mean is told by the function's attribute `wse.checks`. Nothing branches: a run
    goes on, and its results mean nothing.

    Before:

        func.func @main(%x: tensor<3xi64>) -> tensor<3xf32> {
          %ok = arith.cmpi ult, %greatest, %c10_i64 : i64
          cf.assert %ok, "index out of range" {wse.index_check = "front", wse.dimension = 0}

    After:

        func.func @main(%x: tensor<3xi64>, %status: memref<3xi64> {wse.kind = "status"}) -> tensor<3xf32>
            attributes {wse.checks = [{kind = "front", dimension = 0, where = "...", message = "..."}]} {
          %ok = arith.cmpi ult, %greatest, %c10_i64 : i64
          ...
          memref.store %first, %status[%c0] : memref<3xi64>  // 1 unless %ok
          memref.store %greatest_or_0, %status[%c1] : memref<3xi64>
          memref.store %c10_or_0, %status[%c2] : memref<3xi64>
    """

    indices: bool = option(True, "whether assertions about indices are kept, or only all others")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        asserted = collect(op, lambda o: o.name == "cf.assert", in_bodies=True)
        kept = [a for a in asserted if self.indices or INDEX_CHECK not in a.attributes]
        for check in asserted:
            if check not in kept:
                check.erase()
        if not kept:
            return
        _refuse_what_has_no_status(op, kept)
        block = op.regions[0].blocks[0]
        checks = _distinct(kept)
        _describe(op, checks)
        status = _add_status(op)
        inner = [c for c in checks if c.op.block != block]
        outer = [c for c in checks if c.op.block == block]
        with op.location:
            if inner:
                with ir.InsertionPoint.at_block_begin(block):
                    _store(status, [_word(0)])
            for check in inner:
                with ir.InsertionPoint(check.op):
                    _store_if_first(status, check)
            with ir.InsertionPoint(list(block.operations)[-1]):
                _store_outer(status, outer, is_begun=bool(inner))
        for check in kept:
            check.erase()
        run.count("checks", len(checks))


@dataclass(frozen=True)
class _Check:
    """An assertion, and its number, from 1."""

    op: ir.Operation
    number: int

    def sides(self) -> list[ir.Value]:
        """The two sides of its comparison as words; zeros where there is none."""
        compared = self.op.operands[0].owner
        if isinstance(compared, ir.Block) or compared.operation.name != "arith.cmpi":
            return [_word(0), _word(0)]
        return [_as_word(v) for v in compared.operation.operands]


def _distinct(asserted: Sequence[ir.Operation]) -> list[_Check]:
    """The assertions whose condition no earlier one has."""
    first: dict[ir.Value, ir.Operation] = {}
    for op in asserted:
        first.setdefault(op.operands[0], op)
    return [_Check(op, number) for number, op in enumerate(first.values(), start=1)]


def _refuse_what_has_no_status(function: ir.Operation, checks: Sequence[ir.Operation]) -> None:
    visibility = function.attributes.get("sym_visibility", None)
    if visibility is not None and ir.StringAttr(visibility).value == "private":
        raise PassFailure(
            checks[0], "an assertion in a private function cannot be reported", hint="run inline before"
        )


def _describe(function: ir.Operation, checks: Sequence[_Check]) -> None:
    i64 = ir.IntegerType.get_signless(64)

    def entry(op: ir.Operation) -> ir.Attribute:
        dimension = dimension_of(op) if INDEX_CHECK in op.attributes else -1
        return ir.DictAttr.get(
            {
                "kind": ir.StringAttr.get(_kind(op)),
                "dimension": ir.IntegerAttr.get(i64, dimension),
                "where": ir.StringAttr.get(describe_location(op.location)),
                "message": op.attributes["msg"],
            }
        )

    function.attributes[CHECKS] = ir.ArrayAttr.get([entry(c.op) for c in checks])


def _kind(op: ir.Operation) -> str:
    if INDEX_CHECK in op.attributes:
        return ir.StringAttr(op.attributes[INDEX_CHECK]).value
    return "division" if DIVISION_CHECK in op.attributes else "assertion"


def _add_status(function: ir.Operation) -> ir.Value:
    main: Any = function.opview
    assert isinstance(main, func.FuncOp)
    kind = ir.MemRefType.get([STATUS_WORDS], ir.IntegerType.get_signless(64))
    attributes = [ir.DictAttr(a) for a in main.arg_attrs] if "arg_attrs" in main.attributes else []
    attributes = attributes or [ir.DictAttr.get({}) for _ in main.type.inputs]
    argument = main.regions[0].blocks[0].add_argument(kind, main.location)
    main.attributes["function_type"] = ir.TypeAttr.get(
        ir.FunctionType.get([*main.type.inputs, kind], main.type.results)
    )
    named: dict[str, ir.Attribute] = {
        "wse.kind": ir.StringAttr.get(STATUS),
        "wse.name": ir.StringAttr.get(STATUS),
    }
    main.arg_attrs = ir.ArrayAttr.get([*attributes, ir.DictAttr.get(named)])
    return argument


def _word(number: int) -> ir.Value:
    return arith.constant(ir.IntegerType.get_signless(64), number)


def _as_word(value: ir.Value) -> ir.Value:
    i64 = ir.IntegerType.get_signless(64)
    if isinstance(value.type, ir.IndexType):
        return arith.index_cast(i64, value)
    if not isinstance(value.type, ir.IntegerType) or value.type.width > 64:
        return _word(0)
    return value if value.type == i64 else arith.extsi(i64, value)


def _store(status: ir.Value, words: Sequence[ir.Value]) -> None:
    for place, word in enumerate(words):
        memref.store(word, status, [arith.constant(ir.IndexType.get(), place)])


def _load(status: ir.Value, place: int) -> ir.Value:
    return memref.load(status, [arith.constant(ir.IndexType.get(), place)])


def _store_if_first(status: ir.Value, check: _Check) -> None:
    """Inside of a loop or a branch: writes where nothing has been reported yet."""
    none = arith.cmpi(arith.CmpIPredicate.eq, _load(status, 0), _word(0))
    true = arith.constant(ir.IntegerType.get_signless(1), 1)
    branch: Any = scf.IfOp(arith.andi(none, arith.xori(check.op.operands[0], true)))
    sides = check.sides
    with ir.InsertionPoint(branch.then_block):
        _store(status, [_word(check.number), *sides()])
        scf.yield_([])


def _store_outer(status: ir.Value, checks: Sequence[_Check], *, is_begun: bool) -> None:
    """At the end of the function: writes the first that does not hold, after those inside of loops."""
    if not checks:
        return
    words = [_word(0)] * STATUS_WORDS
    for check in reversed(checks):
        reported = [_word(check.number), *check.sides()]
        words = [arith.select(check.op.operands[0], w, r) for w, r in zip(words, reported, strict=True)]
    if is_begun:
        before = [_load(status, place) for place in range(STATUS_WORDS)]
        none = arith.cmpi(arith.CmpIPredicate.eq, before[0], _word(0))
        words = [arith.select(none, w, b) for w, b in zip(words, before, strict=True)]
    _store(status, words)
