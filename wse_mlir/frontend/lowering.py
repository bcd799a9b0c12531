"""Torch dialect -> linalg on tensors, and the check of what stage `imported` may hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..dialects.host import ir, passmanager
from ..dialects.provenance import describe_location, read_location
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.pass_base import PassRun
from ..passes.tensor.algebra.wse_guard_arc_tangents import GuardArcTangents
from ..passes.tensor.checks.wse_check_divisions import CheckDivisions
from ..passes.tensor.checks.wse_check_indices import CheckIndices
from ..passes.tensor.loops.wse_lower_tm_tensor import LowerTmTensor
from .cleanup import clean_up, order_comparisons
from .elementwise import TABLE, expand_elementwise
from .extreme_positions import find_unordered
from .inferred_sizes import compute_inferred_sizes
from .scans import expand_scans
from .unsigned_literals import expand_unsigned_literals

# The pipeline of torch-mlir that resolves shapes and dtypes, and decomposes what linalg has no words for.
_RESOLVE = "torchdynamo-export-to-torch-backend-pipeline"
# What torch-mlir computes of quantised operators and of shapes, as long as all are operators of torch.
_SIMPLIFY = "func.func(torch-fuse-quantized-ops,torch-scalarize-shapes)"
_LEGALISE = "torch-backend-to-linalg-on-tensors-backend-pipeline"
IMPORTED_DIALECTS = frozenset({"affine", "builtin", "func", "linalg", "tensor", "arith", "math", "scf"})
IMPORTED_OPERATIONS = frozenset({"cf.assert"})

_watcher: ContextVar[Callable[[ir.Module], None] | None] = ContextVar("_watcher", default=None)
_OPERATOR = re.compile(r'name = "(?:torch\.)?([\w.]+)"|torch\.((?:aten|prims?|torchvision)[\w.]*)')
_HINT = "write it with other operators; `torch.library` can register a decomposition of a custom one"


def lower_torch_to_linalg(module: ir.Module) -> None:
    """Lowers a module in the torch dialect to linalg on tensors, in place.

    Raises:
        CompilerError: an operator has no lowering; names it, the module that calls it and the user's line.
    """
    expand_elementwise(module)  # while numbers that become tensors are still numbers
    run_upstream(module, f"{_RESOLVE}{{backend-legal-ops={','.join(TABLE)}}}")
    run_upstream(module, _SIMPLIFY)
    compute_inferred_sizes(module)
    expand_elementwise(module)  # and what others were decomposed into
    expand_scans(module)
    expand_unsigned_literals(module)
    run_upstream(module, _LEGALISE)
    order_comparisons(module)


@contextmanager
def imports_shown_to(see: Callable[[ir.Module], None]) -> Iterator[None]:
    """Inside of the block, `see` is called with every module as torch-mlir leaves it; it must leave it as it is."""
    token = _watcher.set(see)
    try:
        yield
    finally:
        _watcher.reset(token)


def finish_import(module: ir.Module, *, exported: bool = False) -> None:
    """Checks indices and divisors, lowers `tm_tensor`, cleans up, and checks the contract of stage `imported`.

    Args:
        exported: PyTorch's exporter has checked how sizes that are left open depend on each other.
    """
    see = _watcher.get()
    if see is not None:
        see(module)
    with module.context:
        CheckIndices().run(module.operation, PassRun(CheckIndices.name))
        CheckDivisions().run(module.operation, PassRun(CheckDivisions.name))
        LowerTmTensor().run(module.operation, PassRun(LowerTmTensor.name))
        GuardArcTangents().run(module.operation, PassRun(GuardArcTangents.name))
        find_unordered(module)
        clean_up(module, sizes_agree=exported)
        run_upstream(module, "canonicalize,cse")
    check_imported(module)


def run_upstream(module: ir.Module, pipeline: str) -> None:
    """Runs upstream passes; a failure becomes a `CompilerError` about the model, not about IR."""
    try:
        with module.context:
            passmanager.PassManager.parse(f"builtin.module({pipeline})").run(module.operation)
    except ir.MLIRError as error:
        raise _explain(error, module) from error


def check_imported(module: ir.Module) -> None:
    """Raises `CompilerError` for the first operation or type that stage `imported` may not hold."""
    offender: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        if _is_foreign(op):
            offender.append(op)
            return ir.WalkResult.INTERRUPT
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    if not offender:
        return
    op = offender[0]
    where = describe_location(op.location)
    operator = read_location(op.location).operator or op.name
    if op.name.startswith("ml_program."):
        raise CompilerError(
            f"operator '{operator}' draws random numbers, which compiled functions do not",
            where=where,
            hint="call model.eval() to switch dropout off, or pass the random tensor as an input",
        )
    if _has_complex(op):
        raise CompilerError(
            f"operator '{operator}' computes with complex numbers, which are not supported",
            where=where,
            hint="keep real and imaginary parts in two tensors",
        )
    narrow = _narrow_float(op)
    if narrow:
        raise CompilerError(
            f"operator '{operator}' computes with elements of type {narrow}, which are not supported",
            where=where,
            hint="floats of 8 bits and less: keep them as float16, bfloat16 or float32",
        )
    raise CompilerError(f"operator '{operator}' leaves '{op.name}' after import", where=where, hint=_HINT)


def _is_foreign(op: ir.Operation) -> bool:
    if op.name == "ml_program.global":  # what reads it is reported, since that has a place in the model
        return False
    known = op.name.partition(".")[0] in IMPORTED_DIALECTS or op.name in IMPORTED_OPERATIONS
    return not known or _has_complex(op) or bool(_narrow_float(op))


def _element_types(op: ir.Operation) -> list[ir.Type]:
    """Those of the operation's results and of the arguments of its blocks."""
    values = [*op.results, *(a for region in op.regions for block in region.blocks for a in block.arguments)]
    return [t.element_type if isinstance(t := v.type, ir.RankedTensorType) else t for v in values]


def _has_complex(op: ir.Operation) -> bool:
    return any(isinstance(t, ir.ComplexType) for t in _element_types(op))


def _narrow_float(op: ir.Operation) -> str:
    """The name of a float type of 8 bits or less, "" if there is none."""
    return next((str(t) for t in _element_types(op) if isinstance(t, ir.FloatType) and t.width <= 8), "")


def _left_behind(module: ir.Module) -> ir.Operation | None:
    """The first operator on tensors that a pipeline of torch-mlir's has left as it was when it failed."""
    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        makes_tensor = any(str(result.type).startswith("!torch.vtensor") for result in op.results)
        if makes_tensor and (
            op.name == "torch.operator" or op.name.startswith(("torch.aten.", "torch.prims."))
        ):
            found.append(op)
            return ir.WalkResult.INTERRUPT
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    return found[0] if found else None


def _explain(error: ir.MLIRError, module: ir.Module) -> CompilerError:
    diagnostics: list[Any] = list(error.error_diagnostics)
    if not diagnostics:
        return CompilerError("the model could not be lowered to linalg", notes=(str(error).split("\n")[0],))
    first = diagnostics[0]
    named = _OPERATOR.search(first.message)
    operator = next((g for g in named.groups() if g), "") if named else ""
    provenance = read_location(first.location)
    reason = first.message.split(": %", 1)[0].split("\n")[0]
    notes = (f"torch-mlir says: {reason}",)
    if not operator and "'torch.constant." in reason and (left := _left_behind(module)) is not None:
        # torch-mlir stops at a constant, whose only fault is that an operator that it does not know reads it.
        is_known = left.name != "torch.operator"
        name = left.name if is_known else ir.StringAttr(left.attributes["name"]).value
        operator, provenance, notes = name.removeprefix("torch."), read_location(left.location), ()
    named_operator = operator or provenance.operator
    subject = f"operator '{named_operator}'" if named_operator else "this operation"
    if operator and provenance.operator and not operator.startswith(provenance.operator):
        subject += f" (from '{provenance.operator}')"
    where = str(provenance) if provenance.is_known else ""
    return CompilerError(f"{subject} has no lowering to linalg", where=where, hint=_HINT, notes=notes)
