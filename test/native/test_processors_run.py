"""Models, compiled for lesser processors than this one, in this process: right answers, and no calls in hot loops."""

import copy
import re

import pytest
import torch
from torch import nn
from zoo import error, family

import wse_mlir
from wse_mlir.frontend.imported import import_model
from wse_mlir.passes.cpu.instruction_sets import architecture
from wse_mlir.passes.cpu.processor import processor
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.passes.infra.timing import Timer
from wse_mlir.runtime.cpu.target import CpuTarget
from wse_mlir.runtime.native.codegen import NativeCode

pytestmark = pytest.mark.skipif(architecture() != "x86_64", reason="names of x86 processors")

PROCESSORS = {
    "sse2": ("x86-64", ""),
    "avx2": ("x86-64-v3", ""),
    "avx2-without-fma-f16c": ("x86-64-v3", "-fma,-f16c"),
    "avx512": ("x86-64-v4", ""),
}
MEMORY = {"malloc", "free", "memset", "memcpy", "memmove"}


class Narrow(nn.Module):
    """What half-precision models are made of: products, normalisation, softmax and activations."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.norm = nn.Linear(24, 33), nn.Linear(33, 17), nn.LayerNorm(33)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.second(self.norm(torch.tanh(self.first(x)) + x.mean())), -1)


def needs_of(processor_name: str) -> tuple[str, str]:
    """Options for one of the processors; skips the test where it cannot run."""
    cpu, features = PROCESSORS[processor_name]
    if reason := processor(cpu, features).runs_here():
        pytest.skip(reason)
    return cpu, features


def native_code(model: nn.Module, args: tuple[torch.Tensor, ...], cpu: str, features: str) -> NativeCode:
    imported = import_model(model.eval(), args)
    CpuTarget().lower(imported, {"cpu": cpu, "features": features}, Timer())
    return NativeCode(imported.module, processor(cpu, features), "'main'", ("main",))


@pytest.mark.parametrize("name", ["mlp", "lenet", "encoder"])
@pytest.mark.parametrize("on", PROCESSORS)
def test_models_compute_the_same_on_every_processor(name: str, on: str) -> None:
    cpu, features = needs_of(on)
    given = family(name)
    eager = copy.deepcopy(given.model)
    compiled = wse_mlir.compile(given.model, given.args, cpu=cpu, features=features)
    assert error(compiled(*given.args), eager(*given.args)) <= 1e-4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("on", PROCESSORS)
def test_narrow_floats_compute_the_same_on_every_processor(dtype: torch.dtype, on: str) -> None:
    cpu, features = needs_of(on)
    model = Narrow().to(dtype).eval().requires_grad_(False)
    x = torch.randn(5, 24).to(dtype)
    assert error(wse_mlir.compile(model, (x,), cpu=cpu, features=features)(x), model(x)) <= 1e-2


@pytest.mark.parametrize("on", PROCESSORS)
def test_bfloat_convolutions_and_kernels_compute_the_same_on_every_processor(on: str) -> None:
    """Partial vectors of every width, masked where the processor can, and kernels that take scalars."""
    cpu, features = needs_of(on)
    layers = (
        nn.Conv2d(3, 20, 3, stride=2),
        nn.BatchNorm2d(20),
        nn.ReLU(),
        nn.Conv2d(20, 7, 1),
        nn.MaxPool2d(2),
    )
    head = (nn.Flatten(), nn.Linear(112, 67), nn.GELU(), nn.Linear(67, 19), nn.Softmax(-1))
    model = nn.Sequential(*layers, *head).bfloat16().eval().requires_grad_(False)
    x = torch.randn(9, 3, 19, 17).bfloat16()
    compiled = wse_mlir.compile(model, (x,), cpu=cpu, features=features, num_threads=2)
    assert error(compiled(x), model(x)) <= 2e-2


class Conversions(nn.Module):
    """Between types for which there are no instructions, or none with the result that PyTorch has."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        narrow, brain, single = x.half(), x.bfloat16(), x.float()
        small = (single.to(torch.uint8), single.to(torch.int8), x.to(torch.int16), narrow.to(torch.uint8))
        return (narrow, brain, narrow.double(), brain.double(), *small, small[0].half(), small[2].bfloat16())


@pytest.mark.parametrize("on", PROCESSORS)
def test_conversions_are_those_of_pytorch(on: str) -> None:
    cpu, features = needs_of(on)
    model, x = Conversions(), torch.arange(37, dtype=torch.float64) * 6.78 + 1e-3  # up to 244
    compiled = wse_mlir.compile(model, (x,), cpu=cpu, features=features)
    for got, wanted in zip(compiled(x), model(x), strict=True):
        assert got.dtype == wanted.dtype
        assert torch.equal(got, wanted)


@pytest.mark.parametrize("on", PROCESSORS)
def test_hot_loops_call_nothing_and_use_what_the_processor_has(on: str) -> None:
    code = native_code(Narrow().half(), (torch.zeros(5, 24).half(),), *PROCESSORS[on])
    assert set(code.needs()) <= MEMORY
    assembly = code.assembly()
    own = set(re.findall(r"^(\w+):", assembly, re.M))
    assert set(re.findall(r"^\s*call\w*\s+(\w+)", assembly, re.M)) <= MEMORY | own
    if on == "sse2":
        assert not re.search(r"%[yz]mm|^\s*v\w+\s", assembly, re.M) and "mulps" in assembly
    elif on == "avx2":
        assert "%zmm" not in assembly and re.search(r"vfmadd\d+ps.*%ymm", assembly)
    elif on == "avx2-without-fma-f16c":
        assert not re.search(r"vfmadd|vcvtph2ps|%zmm", assembly) and "%ymm" in assembly
    else:
        assert re.search(r"vfmadd\d+ps.*%zmm", assembly) and "vcvtph2ps" in assembly


def test_the_host_uses_all_it_has() -> None:
    given = family("mlp")
    assembly = native_code(given.model, given.args, "", "").assembly()
    host = processor()
    register = {512: "%zmm", 256: "%ymm", 128: "%xmm"}[host.vector_bits]
    assert re.search(rf"vfmadd\d+ps.*{register}" if host.has_fma else rf"mulps.*{register}", assembly)


def test_code_for_another_machine_is_refused_before_it_runs() -> None:
    absent = [cpu for cpu in ("sapphirerapids", "bdver4") if processor(cpu).runs_here()]
    assert absent, "no machine has the instructions of both"
    model, x = nn.Linear(4, 4), torch.zeros(1, 4)
    with pytest.raises(CompilerError, match=f"'{absent[0]}' cannot run in this process: it needs"):
        wse_mlir.compile(model, (x,), cpu=absent[0])
    assert native_code(model, (x,), absent[0], "").object().startswith(b"\x7fELF")


def test_an_unknown_processor_is_one_message() -> None:
    with pytest.raises(CompilerError, match="no processor 'x86-64-v9'"):
        wse_mlir.compile(nn.Linear(4, 4), (torch.zeros(1, 4),), cpu="x86-64-v9")
