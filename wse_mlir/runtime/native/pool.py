"""The thread pool of compiled code, as an object file.

It is written in C (`pool.c`) and kept as LLVM IR for each architecture (`make pool`): there need not be a C compiler
where models are compiled, and one text then serves this process and libraries alike. In this process there is one pool
for all models.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ...passes.cpu.instruction_sets import architecture
from ...passes.infra.diagnostics import CompilerError
from .llvm_text import read_llvm_ir
from .packed import POOL_RUN
from .runtime_objects import object_of

POOL_STOP = "wse_pool_stop"  # void (void); ends the workers
MAX_THREADS = 256  # for which the pool has room

_HERE = Path(__file__).parent


# A library's workers end before its code goes away.
_AT_UNLOADING = (
    "@llvm.global_dtors = appending global [1 x { i32, ptr, ptr }]"
    f" [{{ i32, ptr, ptr }} {{ i32 65535, ptr @{POOL_STOP}, ptr null }}]\n"
)


@cache
def pool_object(prefix: str = "") -> bytes:
    """A position-independent object file with the two functions; it needs the C library and POSIX threads.

    Args:
        prefix: of the functions' names, for a library that has a pool of its own; it stops when it is unloaded.

    Raises:
        CompilerError: nobody has told what the architecture's instructions are.
    """
    made = _HERE / f"pool_{architecture()}.ll"
    if not made.exists():
        raise CompilerError(f"there is no thread pool for {architecture()}", hint="use num_threads=1")
    text = made.read_text() + (_AT_UNLOADING if prefix else "")
    module = read_llvm_ir(text, "the thread pool")
    for name in (POOL_RUN, POOL_STOP):
        function = module.get_function(name)
        function.name, function.visibility = f"{prefix}{name}", "hidden" if prefix else "default"
    return object_of(module)
