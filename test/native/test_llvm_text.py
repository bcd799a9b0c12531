"""LLVM IR from the MLIR bindings, read by llvmlite: constants of every type keep every bit."""

import ctypes
import struct
from fractions import Fraction

import llvmlite.binding as llvmlite
import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.cpu.instruction_sets import initialise
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.runtime.cpu.jit import NativeModule
from wse_mlir.runtime.native.llvm_text import llvm_ir_text, read_llvm_ir, respell_constants

BITS = {"f16": 16, "bf16": 16, "f32": 32, "f64": 64, "f128": 128}
EXPONENT_BITS = {"f16": 5, "bf16": 8, "f32": 8, "f64": 11, "f128": 15}


def patterns(kind: str) -> st.SearchStrategy[int]:
    """Bit patterns, with many special ones: zeros, denormals, infinities, NaN with payloads, short decimals."""
    bits, fraction = BITS[kind], BITS[kind] - 1 - EXPONENT_BITS[kind]
    top = ((1 << EXPONENT_BITS[kind]) - 1) << fraction
    sign = st.sampled_from([0, 1 << (bits - 1)])
    small = st.integers(0, (1 << fraction) - 1)
    special = st.sampled_from(
        [0, 1, 1 << fraction, top - 1, top, top | 1 << (fraction - 1), top | 1, top - 1]
    )
    return st.one_of(
        st.integers(0, (1 << bits) - 1),
        st.builds(int.__or__, sign, special),
        st.builds(lambda s, payload: s | top | payload, sign, small),
        st.builds(int.__or__, sign, small),
        *([_decimals(kind)] if kind != "f128" else []),
    )


def _decimals(kind: str) -> st.SearchStrategy[int]:
    """Numbers with few decimal digits: newer LLVM writes them as such."""
    numbers = st.builds(lambda n, e: n / 10**e, st.integers(-9999, 9999), st.integers(0, 4))
    if kind == "bf16":
        return numbers.map(lambda x: struct.unpack("<I", struct.pack("<f", x))[0] >> 16)
    kinds = {"f16": ("<e", "<H"), "f32": ("<f", "<I"), "f64": ("<d", "<Q")}[kind]
    return numbers.map(lambda x: struct.unpack(kinds[1], struct.pack(kinds[0], x))[0])


def stored(operations: str, size: int) -> bytes:
    """What a function in the llvm dialect stores at its pointer %p."""
    text = f"llvm.func @f(%p: !llvm.ptr) {{\n{operations}\nllvm.return\n}}"
    with create_context(), ir.Location.unknown():
        module = read_llvm_ir(llvm_ir_text(ir.Module.parse(text)), "'f'")
    initialise()
    machine = llvmlite.Target.from_default_triple().create_target_machine(opt=0, reloc="pic")
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    packed = read_llvm_ir(str(module).replace("@f(", "@wse_packed_f("), "'f'")
    buffer = ctypes.create_string_buffer(size)
    NativeModule(machine.emit_object(packed), ("f",), "'f'").entry("f")(ctypes.addressof(buffer))
    return buffer.raw


def scalar_constants(kind: str, values: list[int]) -> str:
    lines = []
    for index, bits in enumerate(values):
        lines += [
            f"%i{index} = llvm.mlir.constant({index} : i64) : i64",
            f"%a{index} = llvm.getelementptr %p[%i{index}] : (!llvm.ptr, i64) -> !llvm.ptr, {kind}",
            f"%c{index} = llvm.mlir.constant(0x{bits:0{BITS[kind] // 4}X} : {kind}) : {kind}",
            f"llvm.store %c{index}, %a{index} : {kind}, !llvm.ptr",
        ]
    return "\n".join(lines)


def as_bytes(kind: str, values: list[int]) -> bytes:
    return b"".join(value.to_bytes(BITS[kind] // 8, "little") for value in values)


@pytest.mark.parametrize("kind", BITS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_scalar_constants_keep_every_bit(kind: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(patterns(kind), min_size=60, max_size=60))
    expected = as_bytes(kind, values)
    assert stored(scalar_constants(kind, values), len(expected)) == expected


@pytest.mark.parametrize("kind", ["f16", "bf16", "f32", "f64"])
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_vectors_splats_and_arrays_keep_every_bit(kind: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(patterns(kind), min_size=16, max_size=16))
    size = BITS[kind] // 8
    digits = as_bytes(kind, values).hex().upper()
    splat = as_bytes(kind, values[:1])
    text = f"""
    %c = llvm.mlir.constant(dense<"0x{digits}"> : vector<16x{kind}>) : vector<16x{kind}>
    llvm.store %c, %p {{alignment = 1 : i64}} : vector<16x{kind}>, !llvm.ptr
    %s = llvm.mlir.constant(dense<"0x{splat.hex().upper()}"> : vector<8x{kind}>) : vector<8x{kind}>
    %sp = llvm.getelementptr %p[{16 * size}] : (!llvm.ptr) -> !llvm.ptr, i8
    llvm.store %s, %sp {{alignment = 1 : i64}} : vector<8x{kind}>, !llvm.ptr
    %a = llvm.mlir.constant(dense<"0x{digits}"> : tensor<16x{kind}>) : !llvm.array<16 x {kind}>
    %ap = llvm.getelementptr %p[{24 * size}] : (!llvm.ptr) -> !llvm.ptr, i8
    llvm.store %a, %ap {{alignment = 1 : i64}} : !llvm.array<16 x {kind}>, !llvm.ptr"""
    expected = as_bytes(kind, values) + splat * 8 + as_bytes(kind, values)
    assert stored(text, len(expected)) == expected


def test_every_half_and_bfloat_keeps_its_bits() -> None:
    for kind in ("f16", "bf16"):
        every = np.arange(1 << 16, dtype=np.uint16).tobytes()
        text = f"""
        %c = llvm.mlir.addressof @table : !llvm.ptr
        %n = llvm.mlir.constant({len(every)} : i64) : i64
        "llvm.intr.memcpy"(%p, %c, %n) <{{isVolatile = false}}> : (!llvm.ptr, !llvm.ptr, i64) -> ()
        llvm.return
        }}
        llvm.mlir.global constant @table(dense<"0x{every.hex().upper()}"> : tensor<65536x{kind}>)
            : !llvm.array<65536 x {kind}>
        llvm.func @unused() {{"""
        assert stored(text, len(every)) == every


@given(st.integers(0, 10**7), st.integers(-330, 310))
@example(1, -45)
@example(99999999, 308)
@example(0, 0)
def test_decimals_are_rounded_to_the_nearest(digits: int, exponent: int) -> None:
    word = f"{digits}.0e{exponent:+d}"
    assert (
        respell_constants(f" %1 = fadd double %0, {word}")
        == f" %1 = fadd double %0, 0x{_bits_of(float(word)):016X}"
    )
    for kind, dtype in (("half", np.float16), ("bfloat", ml_dtypes.bfloat16)):
        bits = int(respell_constants(f"{kind} {word}").split("0x")[1][1:], 16)
        with np.errstate(invalid="ignore"):  # the pattern above infinity is a signalling NaN
            around = np.array([max(bits - 1, 0), bits, bits + 1], np.uint16).view(dtype).astype(float)
        assert not np.isnan(around[1])
        if np.isfinite(around[2]):
            errors = [abs(Fraction(number) - Fraction(word)) for number in around]
            assert errors[1] == min(errors)


def _bits_of(value: float) -> int:
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def test_rounding_to_a_narrow_type_happens_once() -> None:
    # halfway between the halves 1 and 1 + 2^-10, plus less than a double can add: rounded twice it would be 1
    assert respell_constants("half 1.00048828125000000000000000000001") == "half 0xH3C01"
    assert respell_constants("half 1.00048828125") == "half 0xH3C00"
    assert respell_constants("float -1.000000e-45") == "float 0xB6A0000000000000"
    assert respell_constants("half 6.552000e+04") == "half 0xH7C00"


@pytest.mark.parametrize(
    "line",
    [
        '@s = constant [12 x i8] c"float +inf\\00\\00", align 1',
        'source_filename = "double 1.500000e+00.py"',
        "; float 1.500000e+00",
        "call void @float.1.5(i32 1)",
        "%half = add i64 %1, 0",
        'target triple = "x86_64-unknown-linux-gnu"',
        "br i1 %5, label %6, label %7, !prof !1",
    ],
)
def test_all_else_stays_as_it_is(line: str) -> None:
    assert respell_constants(line) == line


def test_the_nearest_type_counts() -> None:
    assert respell_constants("{ float, half } { float 1.0, half +inf }") == (
        "{ float, half } { float 0x3FF0000000000000, half 0xH7C00 }"
    )
    assert respell_constants('call double @"half"(float +inf, double -qnan)') == (
        'call double @"half"(float 0x7FF0000000000000, double 0xFFF8000000000000)'
    )


def test_types_that_no_model_computes_in_are_refused() -> None:
    with pytest.raises(CompilerError, match="x86_fp80"):
        respell_constants("store x86_fp80 1.000000e+00, ptr %0")


def test_unreadable_text_is_one_message_with_its_line() -> None:
    text = "define void @f() {\n  call void @g(i32 novel(7) 1)\n  ret void\n}\n" + "; much more\n" * 1000
    with pytest.raises(CompilerError) as caught:
        read_llvm_ir(text, "'f'")
    message = str(caught.value)
    assert "line 2 of the LLVM IR" in message and "call void @g(i32 novel(7) 1)" in message
    assert "please report" in message and len(message.splitlines()) <= 4
    with pytest.raises(CompilerError, match="could not read the code of 'f'"):
        read_llvm_ir("define i32 @f() {\n  %1 = add i32 %2, 1\n  %2 = add i32 %1, 1\n  ret i32 %1\n}", "'f'")
