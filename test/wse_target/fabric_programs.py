"""Small fabric programs written by hand, for the simulator's tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wse_mlir.wse_target.image import HostTransfer, PEClass, Program, Route, StridedRect, TensorSpec
from wse_mlir.wse_target.instructions import (
    Access,
    Buffer,
    Instruction,
    Phase,
    Receive,
    Relay,
    Send,
    Source,
    Vector,
)
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import Expr, Var, const

X, Y = Var("x"), Var("y")


def ints(*values: int | Expr) -> tuple[Expr, ...]:
    return tuple(v if isinstance(v, Expr) else const(v) for v in values)


def access(buffer: str, *strides: int, offset: int | Expr = 0) -> Access:
    return Access(buffer, offset if isinstance(offset, Expr) else const(offset), strides)


def rect(x: int, y: int, w: int, h: int, sx: int = 1, sy: int = 1) -> StridedRect:
    return StridedRect((x, y), (w, h), (sx, sy))


def textbook_machine(pes: int = 512) -> Machine:
    """Hop 1, one wavelet a cycle, T_R 2, no setup, copies for nothing: the machine of the published formulas."""
    return load_machine("tiny").replace(
        grid__width=pes, grid__height=pes, fabric__transfer_setup=0.0, control__join=0.0, control__launch=0.0,
        control__microthread_word=0.0, control__loop=0.0, control__branch=0.0, vector__setup=0.0,
        rates__add={"default": 4.0}, rates__copy={"default": 1e9},
    )  # fmt: skip


def row_program(
    width: int,
    words: int,
    classes: Sequence[PEClass],
    routes: Sequence[Route],
    colours: Sequence[str],
    *,
    height: int = 1,
    dtype: str = "f32",
    name: str = "row",
) -> Program:
    """Each PE of a width x height grid holds `words` elements of argument 0 in "a" and of result 0 in "r"."""
    size = {"f32": 4, "f16": 2}[dtype]
    shape = (height, width, words)
    everywhere = rect(0, 0, width, height)
    block = ints(1, 1, words), ints(Y, X, 0)
    return Program(
        name, (width, height), (TensorSpec("a", shape, dtype),), (TensorSpec("r", shape, dtype),),
        {"a": Buffer("a", 0, (words,), dtype), "r": Buffer("r", -(-words * size // 8) * 8, (words,), dtype)},
        tuple(classes), {c: i for i, c in enumerate(colours)}, tuple(routes),
        scatters=(HostTransfer(0, everywhere, *block, access("a", 0, 0, 1)),),
        gathers=(HostTransfer(0, everywhere, *block, access("r", 0, 0, 1)),),
    )  # fmt: skip


def copy_own(words: int) -> Vector:
    return Vector("copy", ints(words), access("r", 1), (access("a", 1),))


def broadcast(width: int, words: int, height: int = 1) -> Program:
    """PE 0 of each row sends "a" to all PEs of the row, which keep it in "r"."""
    send = Send("b", ints(words), access("a", 1))
    take = Receive("b", ints(words), access("r", 1))
    classes = [
        PEClass("root", rect(0, 0, 1, height), (Phase("broadcast"), send, copy_own(words))),
        PEClass("leaf", rect(1, 0, width - 1, height), (Phase("broadcast"), take)),
    ]
    routes = [Route("b", rect(0, 0, 1, height), "ramp", ("east",))]
    if width > 2:
        routes.append(Route("b", rect(1, 0, width - 2, height), "west", ("ramp", "east")))
    routes.append(Route("b", rect(width - 1, 0, 1, height), "west", ("ramp",)))
    return row_program(width, words, classes, routes, ["b"], height=height, name="broadcast")


def chain_reduce(width: int, words: int, height: int = 1, *, dtype: str = "f32") -> Program:
    """Rows are summed towards PE 0 by relays, with two alternating colours; the other PEs keep their own."""
    source = Source("model.sum", "model.py:7", "aten.sum")
    n, own = ints(words), access("a", 1)
    odd, even = "odd", "even"  # a PE at odd x sends on "odd"
    sends = {1: odd, 0: even}

    def leaf(x: int) -> tuple[Instruction, ...]:
        return Phase("reduce", source), Send(sends[x % 2], n, own, source=source), copy_own(words)

    def middle(parity: int) -> tuple[Instruction, ...]:
        relay = Relay(sends[1 - parity], sends[parity], n, own, source=source)
        return Phase("reduce", source), relay, copy_own(words)

    root = (Phase("reduce", source), copy_own(words), Receive(odd, n, access("r", 1), "add", source=source))
    classes = [PEClass("root", rect(0, 0, 1, height), root)]
    classes.append(PEClass("leaf", rect(width - 1, 0, 1, height), leaf(width - 1)))
    routes = []
    for parity in (0, 1):
        first = 2 if parity == 0 else 1
        count = len(range(first, width - 1, 2))
        if count:
            classes.append(PEClass(f"middle{parity}", rect(first, 0, count, height, 2), middle(parity)))
        senders, takers = range(first, width, 2), range(first - 1, width - 1, 2)
        routes.append(Route(sends[parity], rect(first, 0, len(senders), height, 2), "ramp", ("west",)))
        routes.append(Route(sends[parity], rect(first - 1, 0, len(takers), height, 2), "east", ("ramp",)))
    routes = [r for r in routes if r.where.extent[0] > 0]
    return row_program(width, words, classes, routes, [odd, even], height=height, dtype=dtype, name="chain")


def values(program: Program, seed: int = 0) -> np.ndarray:
    spec = program.arguments[0]
    return (
        np.random.default_rng(seed)
        .normal(size=spec.shape)
        .astype({"f32": np.float32, "f16": np.float16}[spec.dtype])
    )


def star_reduce(width: int, words: int) -> Program:
    """Every PE of a row sends its tile, on its own colour, to PE 0, which adds them one after the other."""
    n = ints(words)
    takes = (Receive(f"c{x}", n, access("r", 1), "add") for x in range(1, width))
    classes = [PEClass("root", rect(0, 0, 1, 1), (copy_own(words), *takes))]
    routes = []
    for x in range(1, width):
        classes.append(
            PEClass(f"pe{x}", rect(x, 0, 1, 1), (Send(f"c{x}", n, access("a", 1)), copy_own(words)))
        )
        routes.append(Route(f"c{x}", rect(x, 0, 1, 1), "ramp", ("west",)))
        if x > 1:
            routes.append(Route(f"c{x}", rect(1, 0, x - 1, 1), "east", ("west",)))
        routes.append(Route(f"c{x}", rect(0, 0, 1, 1), "east", ("ramp",)))
    return row_program(width, words, classes, routes, [f"c{x}" for x in range(1, width)], name="star")


def two_phase_reduce(width: int, words: int, group: int) -> Program:
    """Chains in groups of `group` PEs of a row, then a chain over the groups' first PEs, towards PE 0."""
    n, own = ints(words), access("a", 1)
    classes, routes = [], []

    def hop(colour: str, start: int, end: int) -> None:
        routes.append(Route(colour, rect(start, 0, 1, 1), "ramp", ("west",)))
        if start - end > 1:
            routes.append(Route(colour, rect(end + 1, 0, start - end - 1, 1), "east", ("west",)))
        routes.append(Route(colour, rect(end, 0, 1, 1), "east", ("ramp",)))

    for x in range(width):
        number, place = divmod(x, group)
        inner, outer = (f"i{place % 2}", f"i{(place + 1) % 2}"), (f"g{number % 2}", f"g{(number + 1) % 2}")
        body: list[Instruction] = [copy_own(words)]
        if place:
            hop(inner[0], x, x - 1)
            body.append(Send(inner[0], n, own) if place == group - 1 else Relay(inner[1], inner[0], n, own))
        elif group > 1:
            body.append(Receive("i1", n, access("r", 1), "add"))
        if not place and number:
            hop(outer[0], x, x - group)
            total = access("r", 1)
            body.append(
                Send(outer[0], n, total) if x + group == width else Relay(outer[1], outer[0], n, total)
            )
        elif not place:
            body.append(Receive("g1", n, access("r", 1), "add"))
        classes.append(PEClass(f"pe{x}", rect(x, 0, 1, 1), tuple(body)))
    return row_program(width, words, classes, routes, ["i0", "i1", "g0", "g1"], name="two_phase")
