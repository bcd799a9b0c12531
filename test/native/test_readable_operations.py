"""Whatever operation the CPU pipeline lets through to LLVM is readable by llvmlite and becomes an object."""

import pytest

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.cpu.instruction_sets import architecture
from wse_mlir.passes.cpu.processor import processor
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.runtime.native.codegen import NativeCode
from wse_mlir.runtime.native.llvm_text import llvm_ir_text, read_llvm_ir

# fmt: off
UNARY = (
    "absf", "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "ceil", "cos", "cosh", "erf", "erfc", "exp",
    "exp2", "expm1", "floor", "log", "log10", "log1p", "log2", "round", "roundeven", "rsqrt", "sin", "sinh", "sqrt",
    "tan", "tanh", "trunc",
)
BINARY = ("math.atan2", "math.copysign", "math.powf", "arith.addf", "arith.subf", "arith.mulf", "arith.divf",
          "arith.remf", "arith.maximumf", "arith.minimumf", "arith.maxnumf", "arith.minnumf")
INTEGER = ("arith.addi", "arith.subi", "arith.muli", "arith.divsi", "arith.divui", "arith.remsi", "arith.remui",
           "arith.ceildivsi", "arith.floordivsi", "arith.ceildivui", "arith.maxsi", "arith.maxui", "arith.minsi",
           "arith.minui", "arith.andi", "arith.ori", "arith.xori", "arith.shli", "arith.shrsi", "arith.shrui")
COUNTS = ("math.absi", "math.ctlz", "math.cttz", "math.ctpop")
# fmt: on
MEMORY = {"malloc", "free", "memset", "memcpy", "memmove"}


def bodies(floats: str, integers: str) -> str:
    """Every operation once, on values of a type of floats and one of integers that are stored where others see them."""
    lines = [f"%u{i} = math.{name} %x : {floats}" for i, name in enumerate(UNARY)]
    lines += [f"%b{i} = {name} %x, %y : {floats}" for i, name in enumerate(BINARY)]
    lines += [f"%f0 = math.fma %x, %y, %x : {floats}", f"%f1 = arith.negf %x : {floats}"]
    lines += [
        f"%c0 = math.clampf %x to [%y, %y] : {floats}",
        f"%c1 = arith.sitofp %n : {integers} to {floats}",
    ]
    stored = [f"%u{i}" for i in range(len(UNARY))] + [f"%b{i}" for i in range(len(BINARY))]
    stored += ["%f0", "%f1", "%c0", "%c1"]
    lines += [f"%i{i} = {name} %n, %m : {integers}" for i, name in enumerate(INTEGER)]
    lines += [f"%k{i} = {name} %n : {integers}" for i, name in enumerate(COUNTS)]
    lines += [
        f"%t0 = arith.fptosi %x : {floats} to {integers}",
        f"%t1 = arith.fptoui %x : {floats} to {integers}",
    ]
    whole = [f"%i{i}" for i in range(len(INTEGER))] + [f"%k{i}" for i in range(len(COUNTS))] + ["%t0", "%t1"]
    lines += [store(value, position, floats, "%reals") for position, value in enumerate(stored)]
    lines += [store(value, position, integers, "%wholes") for position, value in enumerate(whole)]
    return "\n".join(lines)


def store(value: str, position: int, kind: str, memory: str) -> str:
    """At a place of its own."""
    index = f"%at{memory[1:]}{position} = arith.constant {16 * position} : index\n"
    place = f"{value}, {memory}[%at{memory[1:]}{position}] : memref<4096x{element(kind)}>"
    return index + (f"vector.store {place}, {kind}" if kind.startswith("vector") else f"memref.store {place}")


def element(kind: str) -> str:
    return kind.rsplit("x", 1)[-1].rstrip(">")


def lowered(floats: str, integers: str, cpu: str = "") -> ir.Module:
    text = f"""
func.func @main(%x: {floats}, %y: {floats}, %n: {integers}, %m: {integers},
                %reals: memref<4096x{element(floats)}>, %wholes: memref<4096x{element(integers)}>) {{
{bodies(floats, integers)}
return
}}"""
    module = ir.Module.parse(text)
    stages = {stage.name: stage.text for stage in named_pipeline("cpu").stages}
    expand = stages["expand-math"]
    for name in ("wse-expand-math", "wse-expand-half"):
        expand = expand.replace(name, f"{name}{{cpu={cpu}}}")
    run_pipeline(module, f"builtin.module({expand},{stages['lower-to-llvm']})")
    return module


@pytest.mark.parametrize(
    "floats", ["f32", "f64", "f16", "bf16", "vector<8xf32>", "vector<4xf64>", "vector<8xbf16>"]
)
def test_every_operation_is_readable_and_needs_no_library(floats: str) -> None:
    with create_context():
        module = lowered(floats, integers_like(floats))
        read_llvm_ir(llvm_ir_text(module), "'main'")
        needs = NativeCode(module, processor(), "'main'").needs()
    assert set(needs) <= MEMORY


@pytest.mark.skipif(architecture() != "x86_64", reason="a name of x86 processors")
@pytest.mark.parametrize("floats", ["f16", "bf16", "vector<8xf32>", "vector<4xf64>"])
def test_the_least_processor_needs_no_library_either(floats: str) -> None:
    with create_context():
        module = lowered(floats, integers_like(floats), "x86-64")
        needs = NativeCode(module, processor("x86-64"), "'main'").needs()
    assert set(needs) <= MEMORY


def integers_like(floats: str) -> str:
    return f"{floats[: floats.rindex('x') + 1]}i32>" if floats.startswith("vector") else "i32"
