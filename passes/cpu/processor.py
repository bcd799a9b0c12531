"""What a processor can do, as far as code generation cares; LLVM is asked, nothing is looked up in tables of ours."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import llvmlite.binding as llvm

from ..infra.diagnostics import CompilerError
from .instruction_sets import architecture, create_target_machine, host, instruction_sets, known_names

# Code for these tells what registers and instructions LLVM uses for a processor.
_PROBES = """
define void @add(ptr %p) { %a = load <16 x float>, ptr %p, align 4
  %b = fadd <16 x float> %a, %a  store <16 x float> %b, ptr %p, align 4  ret void }
define void @fma(ptr %p) { %a = load <4 x float>, ptr %p
  %b = call <4 x float> @llvm.fma.v4f32(<4 x float> %a, <4 x float> %a, <4 x float> %a)
  store <4 x float> %b, ptr %p  ret void }
define void @half(ptr %p) { %a = load <4 x half>, ptr %p
  %b = fpext <4 x half> %a to <4 x float>  store <4 x float> %b, ptr %p  ret void }
define void @bf16(ptr %p) { %a = load <16 x float>, ptr %p
  %b = fptrunc <16 x float> %a to <16 x bfloat>  store <16 x bfloat> %b, ptr %p  ret void }
define i32 @short(ptr %p) { %a = load <16 x i8>, ptr %p
  %u = zext <16 x i8> %a to <16 x i32>  %s = sext <16 x i8> %a to <16 x i32>  %m = mul <16 x i32> %u, %s
  %r = call i32 @llvm.vector.reduce.add.v16i32(<16 x i32> %m)  ret i32 %r }
define i32 @long(ptr %p) { %a = load <64 x i8>, ptr %p
  %u = zext <64 x i8> %a to <64 x i32>  %s = sext <64 x i8> %a to <64 x i32>  %m = mul <64 x i32> %u, %s
  %r = call i32 @llvm.vector.reduce.add.v64i32(<64 x i32> %m)  ret i32 %r }
define void @rotate(ptr %p) { %a = load <4 x i32>, ptr %p
  %b = call <4 x i32> @llvm.fshl.v4i32(<4 x i32> %a, <4 x i32> %a, <4 x i32> splat (i32 7))
  store <4 x i32> %b, ptr %p  ret void }
define void @round(ptr %p) { %a = load <4 x float>, ptr %p
  %b = call <4 x float> @llvm.floor.v4f32(<4 x float> %a)  store <4 x float> %b, ptr %p  ret void }
declare <4 x float> @llvm.floor.v4f32(<4 x float>)
declare <4 x float> @llvm.fma.v4f32(<4 x float>, <4 x float>, <4 x float>)
declare <4 x i32> @llvm.fshl.v4i32(<4 x i32>, <4 x i32>, <4 x i32>)
declare i32 @llvm.vector.reduce.add.v16i32(<16 x i32>)
declare i32 @llvm.vector.reduce.add.v64i32(<64 x i32>)
"""
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
# What the calling conventions of 64-bit code are made of: LLVM ends the process when it has to do without.
_NEEDED = ("64bit", "64bit-mode", "sse", "sse2", "fp-armv8", "neon")
_REFUSED = re.compile(r"\+(soft-float|use-soft-float|16bit-mode|32bit-mode|reserve-x\d+)")


@dataclass(frozen=True)
class Processor:
    """A processor and its vector unit.

    Attributes:
        cpu: LLVM's name of it ("znver5", "x86-64-v3"); features: LLVM's switches on top of that ("+avx2,-fma").
        vector_bits: width of the widest vector register that code should use.
        vector_registers: how many of them there are.
        has_fma: fused multiply-add in one instruction; without it an `fma` would be a library call.
        converts_half: f16 <-> f32 in hardware.
        rounds: floor and its like in one instruction; without it they would be library calls.
        has_bf16_dot, has_int8_dot: instructions that add the products of two bf16 to each f32 of a vector, of four
            unsigned and signed bytes to each i32; for vectors of 128 bits up to `vector_bits`.
        l1_bytes, l2_bytes, l3_bytes: data caches that a core can use; l1_ways: lines in a set of the first.
            Read from the operating system for this machine, the defaults here for any other processor.
    """

    cpu: str
    features: str
    vector_bits: int
    vector_registers: int
    has_fma: bool
    converts_half: bool
    l1_bytes: int = 32 << 10
    l1_ways: int = 8
    l2_bytes: int = 512 << 10
    l3_bytes: int = 8 << 20
    rounds: bool = True
    has_bf16_dot: bool = False
    has_int8_dot: bool = False

    def lanes(self, element_bits: int) -> int:
        """Elements of that width in one register, at least 1 and at most 64."""
        return max(1, min(64, self.vector_bits // max(element_bits, 8)))

    def with_vectors(self, bits: int) -> Processor:
        """One with fused multiply-add and registers of that width, as many as x86 has, to look at code for; itself
        when `bits` is 0."""
        if not bits:
            return self
        return Processor(self.cpu, self.features, bits, 32 if bits >= 512 else 16, True, self.converts_half)

    @property
    def requires(self) -> str:
        """Architecture and instruction sets beyond its baseline that code needs: "x86_64: avx avx2 fma".

        To be stored beside the code; `missing_here` checks it, on another machine as well.
        """
        return f"{architecture()}: {' '.join(sorted(instruction_sets(self.cpu, self.features)))}".rstrip()

    def runs_here(self) -> str:
        """Why code for this processor cannot run in this process, as in "it needs amx-tile"; empty if it can."""
        return "" if (self.cpu, self.features) == host() else missing_here(self.requires)


def missing_here(requires: str) -> str:
    """Why code with this `Processor.requires` cannot run in this process; empty if it can.

    Raises:
        CompilerError: the text is not of that form.
    """
    form = re.fullmatch(r"(\w+):((?: \S+)*)", requires)
    if form is None:
        raise CompilerError(f"'{requires}' does not describe a processor")
    if form[1] != architecture():
        return f"it is for {form[1]}, and this process is {architecture()}"
    absent = sorted(set(form[2].split()) - instruction_sets(*host()))
    return f"it needs {', '.join(absent)}, which this machine's {host()[0]} does not offer" if absent else ""


@cache
def processor(cpu: str = "", features: str = "") -> Processor:
    """Describes a processor of the architecture that this process runs on.

    Args:
        cpu: LLVM's name; the one of this machine, with all that it can do, when empty.
        features: comma-separated switches ("+avx2,-avx512f") on top of what the name implies.

    Raises:
        CompilerError: LLVM does not know the name or a feature, or features contradict each other.
    """
    given = _checked_features(features)
    if cpu:
        _check_known(cpu, known_names()[0], "processor", "x86-64, x86-64-v3, haswell, znver4")
        chosen = (cpu, given)
    else:
        chosen = (host()[0], ",".join(filter(None, (host()[1], given))))
    assembly = create_target_machine(*chosen).emit_assembly(
        llvm.parse_assembly(_PROBES, llvm.create_context())
    )
    body = {m[1]: m[2] for m in re.finditer(r"^(\w+):(.*?)\.size", assembly, re.M | re.S)}
    bits = 512 if "%zmm" in body["add"] else 256 if "%ymm" in body["add"] else 128
    many = bits == 512 or "%" not in body["add"]  # AVX-512 and Arm (no % in its registers' names) have 32
    fma = re.search(r"\bvfn?m\w*|\bfmla", body["fma"]) is not None
    half = re.search(r"\bvcvtph2ps|\bfcvtl", body["half"]) is not None
    caches = {} if cpu else caches_here()
    return Processor(
        *chosen,
        *(bits, 32 if many else 16, fma, half),
        **caches,
        rounds=re.search(r"\bv?roundps|\bvrndscaleps|\bfrintm", body["round"]) is not None,
        has_bf16_dot=_has_bf16_dot(body),
        has_int8_dot=_has_int8_dot(body, bits),
    )


def _has_bf16_dot(body: Mapping[str, str]) -> bool:
    """AVX512-BF16 brings a conversion along, one without the prefix that AVX-NE-CONVERT's has; vectors of less than 512
    bits need AVX512-VL, with which short vectors are rotated in one instruction."""
    converts = re.search(r"^\s*vcvtneps2bf16", body["bf16"], re.M) is not None
    return converts and re.search(r"vprold.*%xmm", body["rotate"]) is not None


def _has_int8_dot(body: Mapping[str, str], bits: int) -> bool:
    """AVX512-VNNI, or AVX-VNNI where vectors have at most 256 bits; LLVM knows a dot product when it sees one."""
    short, long = (re.search(rf"vpdpbusd.*%{r}", body[n]) for n, r in (("short", "xmm"), ("long", "zmm")))
    return short is not None and (bits < 512 or long is not None)


@cache
def caches_here() -> dict[str, int]:
    """This machine's caches as fields of `Processor`; what the operating system does not tell is left out."""
    found: dict[str, int] = {}
    for level in sorted(_CACHES.glob("index*")):
        try:
            kind, number, size, ways = (
                (level / name).read_text().strip()
                for name in ("type", "level", "size", "ways_of_associativity")
            )
        except OSError:
            continue
        kibibytes = re.fullmatch(r"(\d+)K", size)
        if kind == "Instruction" or number not in ("1", "2", "3") or kibibytes is None:
            continue
        found[f"l{number}_bytes"] = int(kibibytes[1]) << 10
        if number == "1" and ways.isdigit() and int(ways) > 0:
            found["l1_ways"] = int(ways)
    return found


def _checked_features(features: str) -> str:
    """The switches, without spaces; every one is known, has a sign and no opposite."""
    switches = [part.strip() for part in features.split(",") if part.strip()]
    for switch in switches:
        if switch[0] not in "+-":
            raise CompilerError(
                f"processor feature '{switch}' has no sign", hint=f"write '+{switch}' or '-{switch}'"
            )
        _check_known(switch[1:], known_names()[1], "processor feature", "+avx2, -avx512f")
        if switch in {f"-{name}" for name in _NEEDED} or _REFUSED.fullmatch(switch):
            raise CompilerError(f"'{switch}' is not possible: 64-bit code depends on it", hint="leave it out")
    lost = {s[1:] for s in switches if s[0] == "+"} & {s[1:] for s in switches if s[0] == "-"}
    if switches and not lost and len({s[0] for s in switches}) == 2:
        lost = _switched_off_again(switches)
    if lost:
        names = ", ".join(f"'{name}'" for name in sorted(lost))
        raise CompilerError(
            f"processor features contradict each other: {names} would be switched on and off again",
            hint="leave one of them out",
        )
    return ",".join(switches)


def _switched_off_again(switches: Sequence[str]) -> frozenset[str]:
    """Of '+avx2,-avx': avx2, which depends on avx."""
    wanted = [switch for switch in switches if switch[0] == "+"]
    alone, together = (instruction_sets("", ",".join(part)) for part in (wanted, switches))
    return (alone - together) & {switch[1:] for switch in wanted}


def _check_known(name: str, names: Iterable[str], what: str, examples: str) -> None:
    if name in names:
        return
    near = difflib.get_close_matches(name, sorted(names), n=3)
    hint = f"did you mean {', '.join(near)}?" if near else f"names are LLVM's, such as {examples}"
    raise CompilerError(f"there is no {what} '{name}' for {architecture()}", hint=hint)
