"""The stages that IR passes through, and what may remain in the IR at each of them.

A contract is checked between the passes of a pipeline, by the pass `wse-check-stage{stage=NAME}`; its
message names the operation, its source line in the user's model and the pass that should have dealt with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..dialects.host import ir
from ..dialects.provenance import describe_location
from ..dialects.wse.annotations import annotation_error
from ..passes.infra.diagnostics import CompilerError, PassFailure
from ..passes.infra.pass_base import Pass, PassRun, option
from ..passes.infra.registry import register_pass

PropertyCheck = Callable[[ir.Operation], str]


@dataclass(frozen=True)
class StageContract:
    """What holds at a stage.

    Attributes:
        name: the stage.
        allowed: dialects ("linalg") and operations ("func.func") that may remain.
        forbidden: operations of allowed dialects that may not.
        established_by: the pass that brings the IR to this stage, named as the one at fault.
        checks: further properties; each returns what is wrong with an operation, or "".
        remedy: what a user can do about an operation that is not allowed.
    """

    name: str
    allowed: frozenset[str]
    established_by: str
    forbidden: frozenset[str] = frozenset()
    checks: tuple[PropertyCheck, ...] = field(default=())
    remedy: str = ""

    def violation(self, op: ir.Operation) -> str:
        """What is wrong with one operation, or ""."""
        dialect = op.name.partition(".")[0]
        if op.name in self.forbidden or not (dialect in self.allowed or op.name in self.allowed):
            return f"'{op.name}' may not remain at the stage '{self.name}'"
        return next((wrong for check in self.checks if (wrong := check(op))), "")


def no_tensors(op: ir.Operation) -> str:
    """Everything lives in memory: no operand or result is a tensor."""
    for value in (*op.operands, *op.results):
        if isinstance(value.type, (ir.RankedTensorType, ir.UnrankedTensorType)):
            return f"'{op.name}' still handles a tensor ({value.type})"
    return ""


def generalised(op: ir.Operation) -> str:
    """Computation is `linalg.generic` alone: passes after this stage look at indexing maps, never at names."""
    if op.name.startswith("linalg.") and op.name not in ("linalg.generic", "linalg.yield", "linalg.index"):
        return f"'{op.name}' is not a linalg.generic"
    return ""


def distributed(op: ir.Operation) -> str:
    """Every linalg operation says how its loops are split, or which algorithm computes it, and where results live."""
    if not op.name.startswith("linalg.") or op.name in ("linalg.yield", "linalg.index"):
        return ""
    way = "wse.iterators" if "wse.algorithm" not in op.attributes else "wse.algorithm"
    missing = [name for name in (way, "wse.layouts") if name not in op.attributes]
    return f"'{op.name}' lacks {' and '.join(missing)}" if missing else ""


_VALUES = frozenset(
    {"builtin", "func", "arith", "math", "tensor", "linalg", "scf", "affine", "complex", "ub"}
)
_CHECKS = frozenset({"cf.assert"})
_BUFFERS = frozenset(
    {"builtin", "func", "arith", "math", "memref", "linalg", "scf", "affine", "vector", "cf", "ub"}
)
_EXECUTABLE = frozenset(
    {
        "builtin.module",
        "func.call",
        "func.func",
        "func.return",
        "scf.for",
        "scf.index_switch",
        "scf.yield",
        "affine.apply",
        "affine.min",
        "affine.max",
        "arith.constant",
        "arith.muli",
        "wse",
    }
)

STAGES: dict[str, StageContract] = {
    contract.name: contract
    for contract in (
        StageContract(
            "imported", _VALUES | _CHECKS, "wse-lower-tm-tensor", remedy="the operator is not supported yet"
        ),
        StageContract("tensor", _VALUES | _CHECKS, "wse-generalize", checks=(generalised,)),
        StageContract("tiled", _VALUES | {"vector"}, "wse-tile"),
        StageContract("bufferized", _BUFFERS, "wse-bufferize", checks=(no_tensors,)),
        StageContract("llvm", frozenset({"builtin.module", "llvm"}), "reconcile-unrealized-casts"),
        StageContract("logical", _VALUES | {"wse"}, "wse-partition", checks=(distributed, annotation_error)),
        StageContract("placed", _VALUES | {"wse"}, "wse-place", checks=(distributed, annotation_error)),
        StageContract("routed", _EXECUTABLE, "wse-route", checks=(no_tensors,)),
        StageContract("executable", _EXECUTABLE, "wse-plan-memory", checks=(no_tensors,)),
    )
}


def stage_contract(name: str) -> StageContract:
    """Looks a stage up.

    Raises:
        CompilerError: there is no such stage.
    """
    if name not in STAGES:
        raise CompilerError(f"there is no stage '{name}'", hint=f"the stages are: {', '.join(STAGES)}")
    return STAGES[name]


def check_stage(module: ir.Module | ir.Operation, contract: StageContract, *, after_pass: str = "") -> None:
    """Checks that everything in `module` is allowed at a stage.

    Args:
        after_pass: the pass that ran last, for the message.

    Raises:
        PassFailure: at the first operation that breaks the contract.
    """
    found: list[tuple[ir.Operation, str]] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        wrong = contract.violation(op.operation)
        if wrong:
            found.append((op.operation, wrong))
            return ir.WalkResult.INTERRUPT
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit, ir.WalkOrder.PRE_ORDER)
    if not found:
        return
    op, wrong = found[0]
    history = f", after pass '{after_pass}'" if after_pass else ""
    message = f"{wrong}{history}; '{contract.established_by}' is to see to that; from {describe_location(op.location)}"
    raise PassFailure(op, message, hint=contract.remedy)


@register_pass
class CheckStage(Pass, name="wse-check-stage", anchor="builtin.module"):
    """Checks that the IR holds only what its stage allows; changes nothing.

    `wse-check-stage{stage=bufferized}` fails if a tensor is left, and names the operation, its line in the
    model and the pass at fault.
    """

    stage: str = option("tensor", "the stage whose contract is checked")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        check_stage(op, stage_contract(self.stage), after_pass=run.previous_pass)
        run.count("stages checked")
