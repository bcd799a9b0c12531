"""A model's compiled code as an object file that can be linked with others: the kernel of a library's function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...frontend.imported import ImportedModel
from ...passes.infra.pass_manager import Instrumentation
from ...passes.infra.timing import Timer
from ...runtime.cpu.program import CpuFunction
from ...runtime.cpu.target import CpuTarget
from ...runtime.native.codegen import NativeCode, packed_entry
from ...runtime.native.packed import POOL_RUN
from .plan import prepare_symbol

# Functions that compiled code calls and a library answers itself: of the C library, see runtime/memory.c, and of the
# thread pool, of which each library has its own.
_ANSWERED = ("malloc", "free", POOL_RUN)


@dataclass(frozen=True)
class LibraryKernel:
    """Compiled code of one function.

    Attributes:
        symbol: its symbol that others see, besides `prepare_symbol` of it where tensors are prepared.
        function: how it is called.
        code: a position-independent object file.
        llvm_ir: optimised LLVM IR that it was made of.
    """

    symbol: str
    function: CpuFunction
    code: bytes
    llvm_ir: str


def compile_kernel(
    imported: ImportedModel,
    symbol: str,
    prefix: str,
    options: Mapping[str, Any],
    timer: Timer,
    instrumentation: Instrumentation | None,
    keep: Callable[[str, str | bytes], None] | None = None,
    *,
    debug: bool,
) -> LibraryKernel:
    """Compiles a model; consumes its module.

    Args:
        symbol: that the kernel gets.
        prefix: of the functions that take the place of the C library's.
        keep: receives LLVM IR, assembly and object, by the name of a file.
        debug: keep the model's source lines.
    """
    function = CpuTarget().lower_to_llvm(imported, options, timer, instrumentation)
    with timer.scope("codegen"):
        entry = function.entry
        code = NativeCode(imported.module, function.processor, f"'{entry}'", function.entries, debug=debug)
        names = {name: f"{prefix}_{name}" for name in _ANSWERED}
        names |= {packed_entry(name): prepare_symbol(symbol) for name in function.provisions.entries}
        code.rename({packed_entry(entry): symbol, **names})
        kernel = LibraryKernel(symbol, function, code.object(), code.text())
        if keep is not None:
            keep("optimised.ll", kernel.llvm_ir)
            keep("code.s", code.assembly())
            keep("code.o", kernel.code)
        return kernel
