"""The LLVM IR of the thread pool is what `make pool` makes of `pool.c`, without a word of where it was made."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from wse_mlir.passes.cpu.instruction_sets import architecture

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "wse_mlir/runtime/native"
MAKE_POOL = ROOT / ".ci/make_pool.py"
ARCHITECTURES = ("x86_64", "aarch64")


@pytest.mark.skipif(find_spec("ziglang") is None, reason="ziglang is not installed; `make setup` installs it")
def test_the_text_is_made_of_the_source(tmp_path: Path) -> None:
    subprocess.run([sys.executable, MAKE_POOL, "--out", tmp_path], check=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert sorted(made) == sorted(f"pool_{name}.ll" for name in ARCHITECTURES)
    for name, text in made.items():
        assert (NATIVE / name).read_text() == text, f"{name} is not what pool.c says: run `make pool`"


def test_without_the_compiler_one_line_says_so() -> None:
    """`-S` hides the packages of this environment."""
    done = subprocess.run([sys.executable, "-S", MAKE_POOL], capture_output=True, text=True)
    said = "make_pool: there is no package 'ziglang'; `make setup` installs it\n"
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_text_is_for_every_processor_and_system(name: str) -> None:
    """It names neither, and LLVM makes code of it for the architecture's least processor."""
    text = (NATIVE / f"pool_{name}.ll").read_text()
    assert not re.search(r"target|source_filename|clang|/home|/tmp|\"", text.replace('!"fpcr"', ""))
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(f"{name}-unknown-linux-musl")
    module = llvm.parse_assembly(text, llvm.create_context())
    module.verify()
    assembly = target.create_target_machine(reloc="pic", codemodel="small").emit_assembly(module)
    waits = {"x86_64": "\tpause", "aarch64": "\tyield"}
    assert waits[name] in assembly and "wse_pool_run:" in assembly


def test_the_benchmark_of_the_pool_runs() -> None:
    """Beside another text: here the same one."""
    command = [sys.executable, ROOT / "bench/thread_pool.py", "--rounds", "1"]
    command += ["--beside", NATIVE / f"pool_{architecture()}.ll"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["microseconds", "a", "loop", "this", "least", "other", "least"] and len(rows) >= 6
