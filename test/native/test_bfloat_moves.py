"""bf16 numbers that are only moved become integers; where something computes with them, all stays."""

from wse_mlir.runtime.native.bfloat_moves import move_bfloat_as_integers
from wse_mlir.runtime.native.llvm_text import read_llvm_ir

MOVES = """
source_filename = "bfloat.py"
@table = private constant [2 x bfloat] [bfloat 0xR3F80, bfloat 0xR8000]
define void @bfloat(ptr %0) {
  %2 = load <2 x bfloat>, ptr %0, align 2
  %3 = bitcast <2 x bfloat> %2 to <2 x i16>
  %4 = shufflevector <2 x bfloat> splat (bfloat 0xR3F80), <2 x bfloat> poison, <2 x i32> zeroinitializer
  store bfloat 0xR0000, ptr %0
  ret void
}"""


def test_moves_are_of_integers() -> None:
    moved = move_bfloat_as_integers(MOVES)
    assert '"bfloat.py"' in moved and "@bfloat(ptr %0)" in moved
    assert "[2 x i16] [i16 16256, i16 32768]" in moved
    assert "%2 = load <2 x i16>, ptr %0, align 2" in moved
    assert "splat (i16 16256), <2 x i16> poison" in moved
    assert "store i16 0, ptr %0" in moved


def test_arithmetic_keeps_the_type() -> None:
    for line in (
        "  %5 = fadd bfloat %4, %4",
        "  %5 = fpext bfloat %4 to float",
        "  %5 = call bfloat @llvm.fabs.bf16(bfloat %4)",
        "  %5 = call bfloat @other(bfloat %4)",
        "declare bfloat @other(bfloat)",
        "  %5 = call bfloat %4(bfloat 0xR0000)",
    ):
        assert move_bfloat_as_integers(f"{MOVES}\n{line}") == f"{MOVES}\n{line}"


MASKED = """
define bfloat @kernel(bfloat %x, ptr %p, <8 x i1> %mask) {
  %a = call <8 x bfloat> @llvm.masked.load.v8bf16.p0(ptr align 2 %p, <8 x i1> %mask, <8 x bfloat> zeroinitializer)
  call void @llvm.masked.store.v8bf16.p0(<8 x bfloat> %a, ptr align 2 %p, <8 x i1> %mask)
  %b = call <8 x i16> @llvm.masked.load.v8i16.p0(ptr align 2 %p, <8 x i1> %mask, <8 x i16> zeroinitializer)
  call void @llvm.masked.store.v8i16.p0(<8 x i16> %b, ptr align 2 %p, <8 x i1> %mask)
  ret bfloat %x
}
define void @main(ptr %p, <8 x i1> %mask) {
  %x = load bfloat, ptr %p
  %y = call bfloat @kernel(bfloat %x, ptr %p, <8 x i1> %mask)
  ret void
}
declare <8 x bfloat> @llvm.masked.load.v8bf16.p0(ptr captures(none), <8 x i1>, <8 x bfloat>)
declare void @llvm.masked.store.v8bf16.p0(<8 x bfloat>, ptr captures(none), <8 x i1>)
declare <8 x i16> @llvm.masked.load.v8i16.p0(ptr captures(none), <8 x i1>, <8 x i16>)
"""


def test_masked_moves_and_calls_of_own_functions_are_of_integers() -> None:
    moved = move_bfloat_as_integers(MASKED)
    assert (
        "bf" not in moved and "define i16 @kernel(i16 %x, " in moved and "call i16 @kernel(i16 %x, " in moved
    )
    assert moved.count("declare <8 x i16> @llvm.masked.load.v8i16.p0(") == 1
    assert moved.count("declare void @llvm.masked.store.v8i16.p0(") == 1
    read_llvm_ir(moved, "the text")
