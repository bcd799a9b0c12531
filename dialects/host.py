"""The one place where the MLIR bindings are imported.

Everything else takes them from here, so that another package that carries the upstream bindings can
take the place of torch-mlir's wheel by editing this file alone.
"""

import functools

from torch_mlir import execution_engine, ir, passmanager, rewrite
from torch_mlir.dialects import (
    affine,
    arith,
    bufferization,
    builtin,
    cf,
    ext,
    func,
    irdl,
    linalg,
    llvm,
    math,
    memref,
    scf,
    tensor,
    transform,
    vector,
)

__all__ = [
    "affine",
    "arith",
    "bufferization",
    "builtin",
    "cf",
    "execution_engine",
    "ext",
    "find_dialects_in",
    "func",
    "ir",
    "irdl",
    "linalg",
    "llvm",
    "math",
    "memref",
    "passmanager",
    "register_upstream_passes",
    "rewrite",
    "scf",
    "tensor",
    "transform",
    "vector",
]


@functools.cache
def find_dialects_in(package: str) -> None:
    """Tells the bindings that `package` holds modules named as the dialects that they define.

    Without it they try to import `torch_mlir.dialects.NAME` at each operation of a dialect defined elsewhere.
    """
    from torch_mlir._mlir_libs._mlir import globals

    globals.append_dialect_search_prefix(package)


@functools.cache
def register_upstream_passes() -> None:
    """Registers the passes that the bindings do not register when they are imported (StableHLO's)."""
    from torch_mlir._mlir_libs import _stablehlo

    _stablehlo.register_stablehlo_passes()
