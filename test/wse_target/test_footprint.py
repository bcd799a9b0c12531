"""SRAM by phase: every buffer that an instruction touches, once, inside loops too."""

from wse_mlir.wse_target.footprint import phase_sram_bytes
from wse_mlir.wse_target.image import PEClass, Program, StridedRect
from wse_mlir.wse_target.instructions import (
    ZERO,
    Access,
    Buffer,
    Join,
    Loop,
    Phase,
    Receive,
    Relay,
    Send,
    Vector,
)
from wse_mlir.wse_target.quasi_affine import const

N = const(4)


def access(name: str) -> Access:
    return Access(name, ZERO, (1,))


def program(*body: object) -> Program:
    buffers = {n: Buffer(n, 0, (size,), "f32") for n, size in (("a", 4), ("b", 8), ("c", 16))}
    where = StridedRect((0, 0), (1, 1))
    return Program("p", (1, 1), (), (), buffers, (PEClass("k", where, tuple(body)),))  # type: ignore[arg-type]


def test_each_buffer_counts_once_in_each_phase() -> None:
    made = program(
        Phase("one"),
        Vector("add", (N,), access("a"), (access("a"), access("b"))),
        Phase("two"),
        Loop("i", N, (Send("red", (N,), access("c")), Receive("red", (N,), access("a")))),
        Join((1,)),
    )
    assert phase_sram_bytes(made) == {"one": 48, "two": 80}


def test_a_relay_touches_its_own_and_its_destination() -> None:
    made = program(Phase("r"), Relay("red", "blue", (N,), access("a"), dst=access("b")))
    assert phase_sram_bytes(made) == {"r": 48}
    assert phase_sram_bytes(program(Relay("red", "blue", (N,), None))) == {"": 0}
