"""The one place where the MLIR bindings are imported.

Everything else takes them from here, so that another package that carries the upstream bindings can
take the place of torch-mlir's wheel by editing this file alone.
"""

import functools
import importlib
from typing import TYPE_CHECKING, Any

from torch_mlir import ir, passmanager

if TYPE_CHECKING:
    from torch_mlir import execution_engine, rewrite
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
    "register_torch_dialects",
    "register_upstream_passes",
    "rewrite",
    "scf",
    "tensor",
    "transform",
    "vector",
]

_OUTSIDE_DIALECTS = ("execution_engine", "rewrite")


def __getattr__(name: str) -> Any:
    """Imports a module of the bindings when it is first asked for: most programs need few of the large ones."""
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    package = "torch_mlir" if name in _OUTSIDE_DIALECTS else "torch_mlir.dialects"
    module = importlib.import_module(f"{package}.{name}")
    globals()[name] = module
    return module


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


def register_torch_dialects(context: ir.Context) -> None:
    """Makes torch's and StableHLO's dialects known to a context, without the Python classes of their operations."""
    from torch_mlir._mlir_libs import _stablehlo
    from torch_mlir._mlir_libs._torchMlir import register_dialect

    register_dialect(context)
    _stablehlo.register_dialect(context, False)
