"""Names, features and instruction sets of processors, as LLVM knows them, and what may run in this process."""

import subprocess
import sys
from pathlib import Path

import pytest

from wse_mlir.passes.cpu.instruction_sets import architecture, host, instruction_sets, known_names
from wse_mlir.passes.cpu.processor import missing_here, processor
from wse_mlir.passes.infra.diagnostics import CompilerError

x86 = pytest.mark.skipif(architecture() != "x86_64", reason="names of x86 processors")

# The levels of the x86-64 psABI, https://gitlab.com/x86-psABIs/x86-64-ABI (section 3.1.1), in LLVM's names
LEVEL_2 = {"crc32", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3"}  # CRC32 comes with SSE4.2
LEVEL_3 = LEVEL_2 | {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"}
LEVEL_4 = LEVEL_3 | {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}


@x86
@pytest.mark.parametrize(
    ("cpu", "sets"),
    [
        ("x86-64", set()),
        ("x86-64-v2", LEVEL_2),
        ("x86-64-v3", LEVEL_3),
        ("x86-64-v4", LEVEL_4),
        ("i686", set()),
    ],
)
def test_instruction_sets_are_those_of_the_psabi(cpu: str, sets: set[str]) -> None:
    assert instruction_sets(cpu, "") == sets
    assert processor(cpu).requires == f"x86_64: {' '.join(sorted(sets))}".rstrip()


@x86
def test_features_add_and_remove_with_what_depends_on_them() -> None:
    assert instruction_sets("x86-64-v3", "-fma,-f16c") == LEVEL_3 - {"fma", "f16c"}
    assert instruction_sets("x86-64", "+avx2") == LEVEL_2 - {"crc32", "popcnt"} | {"avx", "avx2"}
    assert not {name for name in instruction_sets(*host()) if name.startswith("avx")} & set(
        processor("", "-avx").requires.split()
    )


@x86
@pytest.mark.parametrize(
    ("cpu", "features", "bits", "registers", "fma", "half"),
    [
        ("x86-64", "", 128, 16, False, False),
        ("x86-64-v3", "", 256, 16, True, True),
        ("x86-64-v3", "-fma,-f16c", 256, 16, False, False),
        ("x86-64-v4", "", 512, 32, True, True),
        ("znver5", "", 512, 32, True, True),
        ("x86-64", " +avx2 , +f16c", 256, 16, False, True),
    ],
)
def test_vector_units(cpu: str, features: str, bits: int, registers: int, fma: bool, half: bool) -> None:
    found = processor(cpu, features)
    assert (found.vector_bits, found.vector_registers) == (bits, registers)
    assert (found.has_fma, found.converts_half) == (fma, half)


def test_this_machine_runs_its_own_code_and_the_baseline() -> None:
    assert processor().runs_here() == ""
    assert missing_here(processor().requires) == ""
    assert missing_here(f"{architecture()}:") == ""


@x86
def test_a_processor_that_this_machine_is_not_is_refused_by_its_instruction_sets() -> None:
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    flags = next(line for line in cpuinfo if line.startswith("flags")).split()
    present = instruction_sets(*host())
    assert {"avx2", "fma", "f16c", "avx512f", "avx512bw"} & present == {
        "avx2", "fma", "f16c", "avx512f", "avx512bw"
    } & set(flags)  # fmt: skip
    absent = next(name for name in ("amx-tile", "xop", "fma4") if name not in present)
    needed, _ = processor("x86-64", f"+{absent}").runs_here().split(", which this machine's")
    assert needed.startswith("it needs ") and absent in needed.removeprefix("it needs ").split(", ")
    for cpu in ("x86-64-v3", "sapphirerapids", "bdver4", "znver5"):
        assert (processor(cpu).runs_here() == "") == (instruction_sets(cpu, "") <= present)


def test_another_architecture_is_refused() -> None:
    assert "this process is" in missing_here("sparcv9: vis3")
    with pytest.raises(CompilerError, match="does not describe a processor"):
        missing_here("something else")


@pytest.mark.parametrize(
    ("cpu", "features", "message"),
    [
        ("haswel", "", "no processor 'haswel'.*\n.*did you mean haswell"),
        ("nonsense-9", "", "no processor 'nonsense-9'"),
        ("help", "", "no processor 'help'"),
        ("", "+help", "no processor feature 'help'"),
        ("", "+avx22", "no processor feature 'avx22'.*\n.*did you mean avx2"),
        ("", "avx2", "'avx2' has no sign.*\n.*'\\+avx2' or '-avx2'"),
        ("", "+", "no processor feature ''"),
        ("x86-64", "+avx2,-avx2", "'avx2' would be switched on and off again"),
        ("x86-64", "+avx2,-avx", "'avx2' would be switched on and off again"),
        ("x86-64", "-sse2", "'-sse2' is not possible"),
        ("x86-64", "+soft-float", "'\\+soft-float' is not possible"),
    ],
)
@x86
def test_mistakes_are_explained(cpu: str, features: str, message: str) -> None:
    with pytest.raises(CompilerError, match=message):
        processor(cpu, features)


@x86
def test_llvm_survives_every_processor_and_feature_that_is_accepted() -> None:
    program = """
from wse_mlir.passes.cpu.instruction_sets import known_names
from wse_mlir.passes.cpu.processor import CompilerError, processor
cpus, features = known_names()
for cpu in sorted(cpus):
    processor(cpu)
for switch in sorted(sign + name for name in features for sign in "+-"):
    try:
        processor("x86-64-v3", switch)
    except CompilerError as error:
        print(switch, error)
print(len(cpus), len(features))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *refused, counts = done.stdout.strip().splitlines()
    assert [int(count) for count in counts.split()] == [len(names) for names in known_names()]
    assert [line.split()[0] for line in refused if "is not possible" in line] == [
        "+16bit-mode", "+32bit-mode", "+soft-float", "-64bit", "-64bit-mode", "-sse", "-sse2",
    ]  # fmt: skip
