"""Reading of object files: sections and undefined symbols, and files that are none."""

import shutil
import subprocess
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from wse_mlir.passes.cpu.instruction_sets import create_target_machine, initialise
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.runtime.native.object_file import section_names, undefined_symbols

TEXT = """
@table = global [4 x float] zeroinitializer
declare float @expf(float)
declare ptr @malloc(i64)
declare float @unused(float)
define float @f(float %x) { %y = call float @expf(float %x)  %z = frem float %y, %x  ret float %z }
define ptr @g() { %p = call ptr @malloc(i64 8)  ret ptr %p }
define ptr @h() { %p = call ptr @g()  ret ptr %p }
"""


@pytest.fixture(scope="module")
def code() -> bytes:
    initialise()
    return create_target_machine("", "").emit_object(llvm.parse_assembly(TEXT))


def test_undefined_symbols_include_what_the_code_generator_adds(code: bytes) -> None:
    assert undefined_symbols(code) == ("expf", "fmodf", "malloc")


def test_sections(code: bytes) -> None:
    assert {".text", ".bss", ".symtab", ".strtab"} <= set(section_names(code))


@pytest.mark.skipif(shutil.which("nm") is None, reason="nm reads symbols")
def test_symbols_are_those_of_nm(code: bytes, tmp_path: Path) -> None:
    (tmp_path / "code.o").write_bytes(code)
    said = subprocess.run(["nm", "-u", str(tmp_path / "code.o")], capture_output=True, text=True, check=True)
    assert undefined_symbols(code) == tuple(sorted(line.split()[-1] for line in said.stdout.splitlines()))


def test_other_and_cut_off_files_are_refused(code: bytes) -> None:
    for wrong in (b"", b"\x7fELF\x01\x01" + bytes(100), b"MZ" + bytes(100)):
        with pytest.raises(CompilerError, match="not a 64-bit ELF"):
            undefined_symbols(wrong)
    for length in range(len(code)):
        prefix = code[:length]
        with pytest.raises(CompilerError, match="cut off" if length >= 6 else "not a 64-bit ELF"):
            undefined_symbols(prefix)
