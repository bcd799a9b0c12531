"""What the processor this process runs on can do, as far as code generation cares."""

import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class HostCpu:
    """The host's vector unit.

    Attributes:
        vector_bits: width of its widest usable vector register.
        vector_registers: how many of them there are.
        has_fma: fused multiply-add in one instruction; without it an `fma` would be a library call.
        converts_half: f16 <-> f32 in hardware.
    """

    vector_bits: int
    vector_registers: int
    has_fma: bool
    converts_half: bool

    def lanes(self, element_bits: int) -> int:
        """Elements of that width in one register, at least 1 and at most 64."""
        return max(1, min(64, self.vector_bits // max(element_bits, 8)))


def _flags() -> frozenset[str]:
    """The feature words that the operating system lists for the first core; empty when it lists none."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        name, _, words = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(words.split())
    return frozenset()


@cache
def host_cpu() -> HostCpu:
    """Describes this machine; assumes the architecture's baseline where nothing is known."""
    flags = _flags()
    if platform.machine() in ("aarch64", "arm64"):
        return HostCpu(vector_bits=128, vector_registers=32, has_fma=True, converts_half=True)
    fma = "fma" in flags
    half = "f16c" in flags
    if "avx512f" in flags and "avx512vl" in flags:
        return HostCpu(vector_bits=512, vector_registers=32, has_fma=fma, converts_half=half)
    if "avx" in flags:
        return HostCpu(vector_bits=256, vector_registers=16, has_fma=fma, converts_half=half)
    return HostCpu(vector_bits=128, vector_registers=16, has_fma=fma, converts_half=half)
