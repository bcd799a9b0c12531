"""What a processor can do, as far as code generation cares; LLVM is asked, nothing is looked up in tables of ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm

from ..infra.diagnostics import CompilerError
from ..infra.native_errors import captured_stderr

# Code for these tells what registers and instructions LLVM uses for a processor.
_PROBES = """
define void @add(ptr %p) { %a = load <16 x float>, ptr %p, align 4
  %b = fadd <16 x float> %a, %a  store <16 x float> %b, ptr %p, align 4  ret void }
define void @fma(ptr %p) { %a = load <4 x float>, ptr %p
  %b = call <4 x float> @llvm.fma.v4f32(<4 x float> %a, <4 x float> %a, <4 x float> %a)
  store <4 x float> %b, ptr %p  ret void }
define void @half(ptr %p) { %a = load <4 x half>, ptr %p
  %b = fpext <4 x half> %a to <4 x float>  store <4 x float> %b, ptr %p  ret void }
declare <4 x float> @llvm.fma.v4f32(<4 x float>, <4 x float>, <4 x float>)
"""


@dataclass(frozen=True)
class Processor:
    """A processor and its vector unit.

    Attributes:
        cpu: LLVM's name of it ("znver5", "x86-64-v3"); features: LLVM's switches on top of that ("+avx2,-fma").
        vector_bits: width of the widest vector register that code should use.
        vector_registers: how many of them there are.
        has_fma: fused multiply-add in one instruction; without it an `fma` would be a library call.
        converts_half: f16 <-> f32 in hardware.
    """

    cpu: str
    features: str
    vector_bits: int
    vector_registers: int
    has_fma: bool
    converts_half: bool

    def lanes(self, element_bits: int) -> int:
        """Elements of that width in one register, at least 1 and at most 64."""
        return max(1, min(64, self.vector_bits // max(element_bits, 8)))


@cache
def processor(cpu: str = "", features: str = "") -> Processor:
    """Describes a processor of the architecture that this process runs on.

    Args:
        cpu: LLVM's name; the one of this machine, with all that it can do, when empty.
        features: comma-separated switches ("+avx2,-avx512f") on top of what the name implies.

    Raises:
        CompilerError: LLVM does not know the name or a feature.
    """
    own = "" if cpu else llvm.get_host_cpu_features().flatten()
    cpu = cpu or llvm.get_host_cpu_name()
    features = ",".join(part for part in (own, features) if part)
    assembly = target_machine(cpu, features).emit_assembly(llvm.parse_assembly(_PROBES))
    body = {m[1]: m[2] for m in re.finditer(r"^(add|fma|half):(.*?)\.size", assembly, re.M | re.S)}
    bits = 512 if "%zmm" in body["add"] else 256 if "%ymm" in body["add"] else 128
    many = bits == 512 or "%" not in body["add"]  # AVX-512 and Arm (no % in its registers' names) have 32
    fma = re.search(r"\bvfn?m\w*|\bfmla", body["fma"]) is not None
    half = re.search(r"\bvcvtph2ps|\bfcvtl", body["half"]) is not None
    return Processor(cpu, features, bits, 32 if many else 16, fma, half)


def target_machine(cpu: str, features: str) -> llvm.TargetMachine:
    """LLVM's code generator for a processor: position independent, optimised.

    Raises:
        CompilerError: LLVM does not know the processor or a feature.
    """
    _initialise()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    with captured_stderr() as said:
        machine = target.create_target_machine(
            cpu=cpu, features=features, opt=3, reloc="pic", codemodel="small"
        )
    unknown = re.search(r"'([^']*)' is not a recognized (processor|feature)", said.text)
    if unknown is None:
        return machine
    if unknown[2] == "processor":
        raise CompilerError(
            f"there is no processor '{unknown[1]}'",
            hint="names are LLVM's, such as x86-64, x86-64-v3, haswell, skylake-avx512, znver4",
        )
    raise CompilerError(
        f"there is no processor feature '{unknown[1]}'", hint="features are LLVM's, written '+avx2,-avx512f'"
    )


@cache
def _initialise() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
