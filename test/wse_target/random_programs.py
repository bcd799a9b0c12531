"""Random programs: determinate, free of deadlock by construction (`random_builder`), small enough to count wavelets.

`random_program(seed)` gives a program for a machine, with inputs; `features` counts what it is made of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from random_builder import LENGTH, MOST, SLOTS, Builder
from random_compute import compute, control
from random_features import count
from random_patterns import (
    chain,
    contended,
    halving,
    line_flow,
    path_flow,
    plane_flow,
    rounds,
    selector,
    shift,
)
from random_roles import as_classes, in_roles, separate

from wse_mlir.wse_target.image import HostTransfer, Program, ScalarSpec, StridedRect, TensorSpec
from wse_mlir.wse_target.instructions import DTYPE_BYTES, Access, Buffer, Send, all_instructions
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import Var, const
from wse_mlir.wse_target.scalars import bound, values_of
from wse_mlir.wse_target.sim.kernels import NUMPY_DTYPE

_SIDES = (2, 2, 3, 3, 4, 4, 5, 6, 7, 8, 8, 11, 16)
_PATTERNS: dict[Callable[[Builder], object], int] = {
    line_flow: 3, path_flow: 3, plane_flow: 2, contended: 5, shift: 3, chain: 3, rounds: 4, halving: 2, selector: 2,
}  # fmt: skip


@dataclass(frozen=True)
class RandomProgram:
    """A program, the machine that it is for, and an array for each of its arguments."""

    program: Program
    machine: Machine
    inputs: list[np.ndarray]

    @property
    def scalars(self) -> dict[str, int]:
        """The values that the inputs give to the program's scalars."""
        return values_of(self.program, dict(enumerate(self.inputs)))


def random_program(seed: int, *, small: bool = False) -> RandomProgram:
    """The program number `seed`; the same one each time. `small` ones have few PEs and few steps."""
    random = np.random.default_rng(seed)
    machine = random_machine(random)
    width, height = (int(random.choice(_SIDES[:6] if small else _SIDES)) for _ in range(2))
    whole = random.permutation(["i8", "i16", "i32"])[: random.integers(1, 3)]
    half = random.permutation(["f16", "bf16"])[: random.integers(0, 3)]
    budget = float(random.integers(100, 600) if small else random.integers(600, 4500))
    b = Builder(random, width, height, machine, ["f32", *half.tolist(), *whole.tolist()], budget)
    with b.choosing_apart():
        b.scalars = ["s"] if b.chance(0.15) else []
    made: list = []
    for number in range(int(random.integers(2, 5) if small else random.integers(4, 13))):
        b.phase(f"step{number}")
        _step(b, made)
        if b.chance(0.4):
            b.join()
    b.join()
    program = assemble(b, f"random{seed}")
    return RandomProgram(program, machine, [_values(random, spec) for spec in program.arguments])


def random_machine(random: np.random.Generator) -> Machine:
    """The numbers of a machine that comes with the project, some of them replaced."""
    values: dict[str, object] = {"grid__width": 16, "grid__height": 16}
    if random.random() < 0.3:
        values["queues__input"] = random.integers(1, 9, size=8).tolist()
        values["queues__output"] = random.integers(1, 9, size=int(random.integers(4, 9))).tolist()
    if random.random() < 0.2:
        values["fabric__hop_latency"] = float(random.integers(1, 6))
    if random.random() < 0.2:
        values["fabric__cycles_per_wavelet"] = float(random.choice([1.0, 1.5, 2.0]))
    return load_machine(str(random.choice(["tiny", "wse2", "wse3"]))).replace(**values)


def _step(b: Builder, made: list) -> None:
    """Some communication, old or new, with work around it."""
    for _ in range(b.between(1, 3)):
        if b.chance(0.5):
            _work(b)
        if b.budget <= 0:
            continue
        fresh = not made or (b.chance(0.75) and b.colours_left() > 4)
        if fresh:
            made.append(_new(b))
        pattern = made[-1] if fresh else b.pick(made)
        if b.chance(0.2):
            b.join()
            trips, b.budget = b.between(0, 3), b.budget / 3
            with b.loop(const(trips)):
                pattern.run(b)
            b.budget = max(b.budget, 0) * 3 if trips > 1 else b.budget
        else:
            pattern.run(b)


def _new(b: Builder):
    """A pattern of communication with colours of its own."""
    names = list(_PATTERNS)
    weights = np.array([_PATTERNS[name] for name in names], float)
    make = names[int(b.random.choice(len(names), p=weights / weights.sum()))]
    if make is selector and max(b.width, b.height) < 3:
        make = contended
    return make(b)


def _work(b: Builder) -> None:
    """Vector operations and scalar code on some PEs, in loops or not, of different length from PE to PE."""
    some = b.everywhere() if b.chance(0.5) else [pe for pe in b.everywhere() if b.chance(0.5)]
    for _ in range(b.between(1, 3)):
        if b.chance(0.25):
            with b.loop(b.expression(4)):
                compute(b, some)
                if b.chance(0.4):
                    with b.loop(b.expression(3)):
                        compute(b, some)
                        control(b, some)
        else:
            compute(b, some)
        if b.chance(0.4):
            control(b, some)


def assemble(b: Builder, name: str) -> Program:
    """Classes of PEs with the same text, buffers, host transfers."""
    with b.choosing_apart(1):
        arrange = in_roles if b.chance(0.2) else separate
    classes = as_classes(arrange({pe: tuple(body) for pe, body in b.bodies.items()}))
    buffers: dict[str, Buffer] = {}
    offset = 0
    for kind, dtype in [("m", d) for d in b.dtypes] + [("t", d) for d in b.dtypes] + [("m", "i1")]:
        size = LENGTH * (SLOTS if kind == "m" and dtype != "i1" else 1)
        buffers[f"{kind}_{dtype}"] = Buffer(f"{kind}_{dtype}", offset, (size,), dtype)  # type: ignore[arg-type]
        offset += -(-size * DTYPE_BYTES[dtype] // 8) * 8
    whole = StridedRect((0, 0), (b.width, b.height))
    specs, moves = [], []
    for number, buffer in enumerate(buffers.values()):
        (size,) = buffer.shape
        specs.append(TensorSpec(buffer.name, (b.height, b.width, size), buffer.dtype))
        bounds, origin = (const(1), const(1), const(size)), (Var("y"), Var("x"), const(0))
        moves.append(HostTransfer(number, whole, bounds, origin, Access(buffer.name, const(0), (0, 0, 1))))
    sent = [ScalarSpec(s, len(specs) + i, 0, MOST) for i, s in enumerate(b.scalars)]
    arguments = (*specs, *(TensorSpec(scalar.name, (), "i32") for scalar in sent))
    return Program(
        name, (b.width, b.height), arguments, tuple(specs), buffers, classes,
        dict(zip(b.colours, b.machine.usable_colours, strict=False)), tuple(b.routes), tuple(moves), tuple(moves),
        queues=_queues(b), positions=b.positions, scalars=tuple(sent),
    )  # fmt: skip


def _queues(b: Builder) -> dict[str, tuple[int, int]]:
    """Queues for some of the colours: no two colours have one queue on one PE."""
    if b.chance(0.4):
        return {}
    inputs, outputs = len(b.machine.queues.input), len(b.machine.queues.output)
    taken_in: list[set] = [set() for _ in range(inputs)]
    taken_out: list[set] = [set() for _ in range(outputs)]
    queues = {}
    for colour, (senders, takers) in b.ends.items():
        free_in = [q for q in range(inputs) if not taken_in[q] & takers]
        free_out = [q for q in range(outputs) if not taken_out[q] & senders]
        if free_in and free_out and b.chance(0.8):
            queues[colour] = (b.pick(free_in), b.pick(free_out))
            taken_in[queues[colour][0]] |= takers
            taken_out[queues[colour][1]] |= senders
    return queues


def _values(random: np.random.Generator, spec: TensorSpec) -> np.ndarray:
    if not spec.shape:
        return np.array(random.integers(MOST + 1), np.int32)
    if spec.dtype == "i1":
        return random.random(spec.shape) < 0.5
    if spec.dtype.startswith("i"):
        return random.integers(-20, 21, spec.shape).astype(NUMPY_DTYPE[spec.dtype])
    return random.normal(size=spec.shape).astype(NUMPY_DTYPE[spec.dtype])


def features(case: RandomProgram) -> Counter[str]:
    """What a program has, see `random_features.count`; "counted": transfers whose length the host sends."""
    found = count(bound(case.program, case.scalars), case.machine)
    texts = {id(op): op for c in case.program.classes for op in all_instructions(c.body)}
    found["counted"] = sum(
        any(name.startswith("$") for b in op.bounds for name in b.variables())
        for op in texts.values()
        if isinstance(op, Send)
    )
    return found
