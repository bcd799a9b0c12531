"""The one place where the MLIR bindings are imported.

Everything else takes them from here, so that another package that carries the upstream bindings can
take the place of torch-mlir's wheel by editing this file alone.
"""

from torch_mlir import ir, passmanager, rewrite
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
    "ext",
    "func",
    "ir",
    "irdl",
    "linalg",
    "llvm",
    "math",
    "memref",
    "passmanager",
    "rewrite",
    "scf",
    "tensor",
    "transform",
    "vector",
]
