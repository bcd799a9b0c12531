"""`wse_mlir.opt`: mlir-opt from Python, upstream's and this project's passes mixed."""

from __future__ import annotations

from ..dialects.context import COMPILING, create_context
from ..dialects.host import ir
from ..dialects.parsing import parse_module
from ..passes.infra.pass_manager import Instrumentation, run_pipeline
from . import stages as stages  # makes the pass wse-check-stage known


def opt(
    module_or_text: ir.Module | str, pipeline: str, *, instrumentation: Instrumentation | None = None
) -> ir.Module:
    """Runs a textual pipeline on a module.

    Args:
        module_or_text: a module, which is changed in place, or MLIR text.
        pipeline: e.g. `builtin.module(func.func(wse-fuse),canonicalize)`.
        instrumentation: what to print, measure and check meanwhile.

    Returns:
        The module; it keeps its context alive.

    Raises:
        CompilerError: text or pipeline do not parse, or a pass fails.
    """
    with COMPILING:
        module = module_or_text
        if isinstance(module, str):
            module = parse_module(module, create_context())
        run_pipeline(module, pipeline, instrumentation=instrumentation)
        return module
