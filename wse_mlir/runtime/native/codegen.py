"""LLVM, from a module in the llvm dialect to optimised IR, assembly and position-independent objects.

Code that runs in this process and code that is written to files comes from here alike: what is tested by calling it is
what is shipped. LLVM is llvmlite's; the MLIR bindings only translate to LLVM IR.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice

import llvmlite.binding as llvm

from ...dialects.host import ir
from ...passes.cpu.instruction_sets import create_target_machine, run_llvm_passes
from ...passes.cpu.llvm.wse_bare_pointers import BARE
from ...passes.cpu.processor import Processor
from ...passes.infra.diagnostics import CompilerError
from ...passes.infra.pass_manager import Instrumentation, run_pipeline
from .bfloat_moves import move_bfloat_as_integers
from .llvm_text import llvm_ir_text, read_llvm_ir
from .object_file import undefined_symbols
from .packed import packed_entry
from .stack_lifetimes import mark_lifetimes

_LINE_TABLES = (
    "builtin.module(wse-debug-locations,ensure-debug-info-scope-on-llvm-func{emission-kind=LineTablesOnly})"
)


class NativeCode:
    """A module as optimised LLVM IR for one processor.

    Args:
        module: in the llvm dialect; consumed when `debug` is given.
        processor: that the code is for.
        what: names the module in messages.
        entries: functions with `llvm.emit_c_interface` that get a packed entry, see `packed_entry`.
        debug: with line tables that lead from instructions to lines of the user's model.

    Attributes:
        source: LLVM IR before optimisation, as it was given to LLVM.

    Raises:
        CompilerError: LLVM cannot read the module; shows the line.
    """

    def __init__(
        self,
        module: ir.Module,
        processor: Processor,
        what: str,
        entries: tuple[str, ...] = (),
        *,
        debug: bool = False,
    ) -> None:
        self.processor = processor
        if debug:
            run_pipeline(module, _LINE_TABLES, instrumentation=Instrumentation(verify_each=False))
        text = mark_lifetimes(move_bfloat_as_integers(llvm_ir_text(module)))
        self.source = text + "".join(_packed_entry(module, name) for name in entries)
        self._machine = create_target_machine(processor.cpu, processor.features)
        self._module = read_llvm_ir(self.source, what)
        self._module.triple = self._machine.triple
        self._module.data_layout = str(self._machine.target_data)
        if entries:
            self._hide_all_but({packed_entry(name) for name in entries})
        self._optimise()

    def _hide_all_but(self, visible: Collection[str]) -> None:
        """What nobody calls by name can be removed, and does not clash with the names of others.

        What has a loop is not inlined: LLVM took a third longer for one function of all kernels than for the kernels.
        """
        for function in self._module.functions:
            if function.name not in visible and not function.is_declaration:
                function.linkage = "internal"
                if len(list(islice(function.blocks, 2))) > 1:
                    function.add_function_attribute("noinline")

    def _optimise(self) -> None:
        """Level 2, and no vectorisation of straight-line code: `wse-vectorize` leaves none.

        Level 3 and that together doubled the time to compile a ResNet-18, whose code ran no faster.
        """
        options = llvm.create_pipeline_tuning_options(speed_level=2)
        options.loop_vectorization, options.slp_vectorization = True, False
        run_llvm_passes(self._module, self._machine, options)

    def rename(self, names: Mapping[str, str]) -> None:
        """Gives functions that are defined or called other names, so that many objects can be linked together.

        Args:
            names: old name -> new name; any may be absent.
        """
        for function in self._module.functions:
            if new := names.get(function.name):
                function.name = new

    def text(self) -> str:
        """Optimised LLVM IR."""
        return str(self._module)

    def assembly(self) -> str:
        """Assembly in the syntax of the system's assembler."""
        return self._machine.emit_assembly(self._module)

    def object(self) -> bytes:
        """A position-independent object file."""
        return self._machine.emit_object(self._module)

    def needs(self) -> tuple[str, ...]:
        """Symbols that the object must be linked with, sorted: of the C library (malloc, free, memset, memcpy) and
        of its mathematics (expf, ...)."""
        return undefined_symbols(self.object())


def _packed_entry(module: ir.Module, name: str) -> str:
    """A function that takes all its arguments in one block; a call with a hundred arguments costs as one with one.

    A function of bare pointers (see `wse-bare-pointers`) gets those that the descriptors hold. The entry has no debug
    information, and would lose that of a function that is inlined into it.
    """
    functions = {
        ir.StringAttr(op.attributes["sym_name"]).value: op
        for op in module.body.operations
        if "sym_name" in op.attributes
    }
    called = f"_mlir_ciface_{name}"
    is_bare = called not in functions and name in functions and BARE in functions[name].attributes
    if is_bare:
        called = name
    if called not in functions:
        raise CompilerError(f"function '{name}' has no C interface", hint="give it llvm.emit_c_interface")
    count = len(functions[called].regions[0].blocks[0].arguments)
    lines = [f"\ndefine void @{packed_entry(name)}(ptr %block) {{"]
    for index in range(count):
        lines.append(f"  %a{index} = getelementptr ptr, ptr %block, i64 {index}")
        lines.append(f"  %p{index} = load ptr, ptr %a{index}")
        if is_bare:
            lines.append(f"  %d{index} = getelementptr ptr, ptr %p{index}, i64 1")
            lines.append(f"  %q{index} = load ptr, ptr %d{index}")
    passed = ", ".join(f"ptr %{'q' if is_bare else 'p'}{index}" for index in range(count))
    lines += [f"  call void @{called}({passed}) noinline", "  ret void", "}", ""]
    return "\n".join(lines)
