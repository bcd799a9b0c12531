"""Runs functions natively through this project's bufferization and upstream's scalar lowering."""

import numpy as np

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.runtime.cpu.jit import compile_function

LOWER = (
    "func.func(convert-linalg-to-loops,scf-forall-to-for),expand-strided-metadata,lower-affine,"
    "func.func(llvm-request-c-wrappers),convert-scf-to-cf,convert-math-to-llvm,convert-arith-to-llvm,"
    "convert-index-to-llvm,finalize-memref-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,reconcile-unrealized-casts"
)


def run_natively(
    text: str, arrays: list[np.ndarray], passes: str = "wse-bufferize", name: str = "main"
) -> None:
    """Runs function `name` of the module, lowered by `passes`, on arrays that are its memrefs, in order.

    Outputs are the last arrays, written in place.
    """
    with create_context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        run_pipeline(module, f"builtin.module({passes},{LOWER})")
        function = compile_function(module, name, [a.ndim for a in arrays])
        function(list(enumerate(arrays)))
