"""What random programs are put together from: a global sequence of steps, and each PE's part of it.

Why no program gets stuck: every transfer belongs to one place in the global sequence, at which all its ends are
executed or launched, and microthreads are joined at later places. The first place that is not over therefore always
goes on, even if queues held no word at all. A thread, colour or piece of memory that a microthread uses is left alone
until its join.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from random_fabric import PE, Tree, routes

from wse_mlir.wse_target.image import Route
from wse_mlir.wse_target.instructions import (
    MAIN_THREAD,
    Access,
    Instruction,
    Join,
    Loop,
    Phase,
    Receive,
    Send,
    Source,
)
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.quasi_affine import Const, Expr, Lookup, Scalar, Var, const, maximum, minimum

SLOTS, LENGTH, SLACK = 9, 64, 8  # pieces of each buffer; their elements, of which an offset may skip SLACK
WORDS = {"f32": 1.0, "i32": 1.0, "f16": 0.5, "bf16": 0.5, "i16": 0.5, "i8": 0.25}
MOST = 3  # values of scalars are from 0 to this
COMBINES = ("store", "add", "max", "min", "mul")
Slot = tuple[str, int]


@dataclass(frozen=True)
class Message:
    """What one transfer moves, from a piece of one buffer to another."""

    dtype: str
    bounds: tuple[Expr, ...]
    source: Slot
    target: Slot
    packed: bool = True


@dataclass(frozen=True)
class Open:
    """A microthread that is not joined yet."""

    thread: int
    pes: frozenset[PE]
    colours: frozenset[str]
    slots: frozenset[Slot]


@dataclass
class Builder:
    """A program that grows step by step.

    Attributes:
        budget: wavelet-hops that may still be spent.
        variables: loop variables in scope, each below SLACK / 2.
        scalars: numbers that the host sends, each from 0 to MOST.
        further: for choices that others do not depend on, and for choices that those do not depend on, either.
    """

    random: np.random.Generator
    width: int
    height: int
    machine: Machine
    dtypes: list[str]
    budget: float
    bodies: dict[PE, list[Instruction]] = field(init=False)
    colours: list[str] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    ends: dict[str, tuple[set[PE], set[PE]]] = field(default_factory=dict)
    open: list[Open] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    scalars: list[str] = field(default_factory=list)
    names: int = 0
    further: list[np.random.Generator] = field(init=False)

    def __post_init__(self) -> None:
        self.further = self.random.spawn(2)
        self.bodies = {(x, y): [] for y in range(self.height) for x in range(self.width)}

    # Choices

    def chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    @contextmanager
    def choosing_apart(self, which: int = 0) -> Iterator[None]:
        """Choices of the `further` ones: what is chosen afterwards stays what it would be without."""
        outside, self.random = self.random, self.further[which]
        yield
        self.random = outside

    def below(self, bound: int) -> int:
        return int(self.random.integers(bound))

    def between(self, low: int, high: int) -> int:
        """A number from low to high, both included."""
        return int(self.random.integers(low, high + 1))

    def pick(self, options: Iterable):
        listed = list(options)
        return listed[self.below(len(listed))]

    def name(self, stem: str) -> str:
        self.names += 1
        return f"{stem}{self.names}"

    def expression(self, below: int) -> Expr:
        """Something from 0 to below - 1 that depends on the PE, a table or a loop's trip."""
        x, y = Var("x"), Var("y")
        options: list[Expr] = [
            const(self.below(below)), x % below, (x + y * 3) % below, minimum(y, below - 1), (x + y) // 2 % below,
            maximum(const(below - 1) - x, 0),
            Lookup(self.name("table"), tuple(self.below(below) for _ in range(4)), x % 4),
        ]  # fmt: skip
        options += [Var(v) % below for v in self.variables]
        options += [(Scalar(s) + x) % below for s in self.scalars]
        return self.pick(options)

    # Memory

    def slot(self, dtype: str, but: Slot | None = None) -> Slot:
        """A piece of memory that no microthread uses, another one than `but`."""
        busy = {slot for one in self.open for slot in one.slots} | {but}
        return self.pick(s for s in ((dtype, i) for i in range(SLOTS)) if s not in busy)

    def free_slots(self, dtype: str) -> int:
        return SLOTS - len({s for one in self.open for s in one.slots if s[0] == dtype})

    def walk(self, slot: Slot, strides: tuple[int, ...], skip: bool = True) -> Access:
        """An access from the start of a piece or, with `skip`, from a few elements on that depend on the PE."""
        offset = self.expression(SLACK) if skip and self.chance(0.4) else const(0)
        return Access(f"m_{slot[0]}", offset + slot[1] * LENGTH, strides)

    def strides(self, bounds: tuple[Expr, ...]) -> tuple[int, ...]:
        """A walk without repetition over a nest of loops that fits a piece: in order, transposed or with gaps."""
        if len(bounds) == 1:
            fits = isinstance(bounds[0], Const) and 2 * bounds[0].value <= LENGTH - SLACK
            return (2 if fits and self.chance(0.3) else 1,)
        rows, columns = (bound.value for bound in bounds if isinstance(bound, Const))
        return self.pick([(columns, 1), (1, rows)])

    def message(
        self, hops: int, *, long: bool = False, along: str | None = None, packed: bool = True
    ) -> Message:
        """A message that costs `hops` wavelet-hops a word; its length may depend on the coordinate `along`."""
        dtype = self.pick(d for d in self.dtypes if self.free_slots(d) >= 4)
        packed = packed or WORDS[dtype] == 1.0
        most = int(min(self.budget / max(hops, 1) / (WORDS[dtype] if packed else 1), LENGTH - SLACK))
        count = max(most - self.below(8), 1) if long else self.below(max(min(most, 24), 1)) + 1
        self.budget -= hops * count * (WORDS[dtype] if packed else 1)
        if along and self.chance(0.3):
            bounds: tuple[Expr, ...] = (maximum(const(count) - Var(along) * self.between(1, 3), 0),)
        elif self.scalars and self.chance(0.4):
            bounds = (minimum(const(count), Scalar(self.pick(self.scalars)) * 5 + 1),)
        elif count % 2 == 0 and self.chance(0.25):
            bounds = (const(2), const(count // 2))
        else:
            bounds = (const(count),)
        return Message(dtype, bounds, source := self.slot(dtype), self.slot(dtype, but=source), packed)

    # Code

    def emit(self, pes: Iterable[PE], *body: Instruction) -> None:
        """Appends one and the same text to the code of several PEs."""
        for pe in pes:
            self.bodies[pe].extend(body)

    def everywhere(self) -> list[PE]:
        return list(self.bodies)

    def thread(self, pes: Iterable[PE], colours: Iterable[str], slots: Iterable[Slot], wish: float) -> int:
        """The main thread or, with probability `wish`, a microthread that `join` closes."""
        pes = frozenset(pes)
        used = {one.thread for one in self.open if one.pes & pes}
        free = [t for t in range(1, self.machine.queues.microthreads + 1) if t not in used]
        if not free or not self.chance(wish) or len(self.open) >= 5:
            return MAIN_THREAD
        thread = self.pick(free)
        self.open.append(Open(thread, pes, frozenset(colours), frozenset(slots)))
        return thread

    def join(self, chosen: Iterable[Open] | None = None) -> None:
        """Joins the given microthreads, all of them when none are given."""
        chosen = list(self.open if chosen is None else chosen)
        by_threads: dict[tuple[int, ...], list[PE]] = {}
        for pe in self.bodies:
            threads = tuple(one.thread for one in chosen if pe in one.pes)
            if threads:
                by_threads.setdefault(threads, []).append(pe)
        tasks = self.chance(0.4)
        for threads, pes in by_threads.items():
            self.emit(pes, Join(threads, tasks=tasks))
        self.open = [one for one in self.open if one not in chosen]

    def ready(self, colours: Iterable[str]) -> None:
        """Joins what still uses one of these colours."""
        wanted = set(colours)
        users = [one for one in self.open if one.colours & wanted]
        if users:
            self.join(users)

    def phase(self, name: str) -> None:
        source = Source(f"layer{self.below(3)}", f"model.py:{self.names}", "random")
        self.emit(self.everywhere(), Phase(name, source))

    @contextmanager
    def loop(self, trips: Expr) -> Iterator[str]:
        """What is emitted inside becomes a loop's body, on the PEs that have any; its microthreads are joined in it."""
        outside, before = self.bodies, list(self.open)
        variable = self.name("k")
        self.bodies = {pe: [] for pe in outside}
        self.variables.append(variable)
        yield variable
        self.variables.pop()
        self.join([one for one in self.open if one not in before])
        made: dict[tuple[int, ...], Loop] = {}
        for pe, body in self.bodies.items():
            if body:
                key = tuple(map(id, body))
                outside[pe].append(made.setdefault(key, Loop(variable, trips, tuple(body))))
        self.bodies = outside

    # Colours

    def colours_left(self) -> int:
        return len(self.machine.usable_colours) - len(self.colours)

    def colour(self, trees: list[Tree], position: int | None = None, name: str | None = None) -> str:
        """A new colour (or another position of `name`) with these routes."""
        if name is None:
            name = self.name("c")
            self.colours.append(name)
            self.ends[name] = (set(), set())
        self.routes += routes(name, trees, position or 0)
        self.ends[name][0].update(one.root for one in trees)
        self.ends[name][1].update(taker for one in trees for taker in one.takers)
        return name

    def send(self, colour: str, m: Message, thread: int) -> Send:
        source = self.walk(m.source, self.strides(m.bounds))
        return Send(colour, m.bounds, source, thread, packed=m.packed)

    def receive(self, colour: str, m: Message, thread: int) -> Receive:
        target = self.walk(m.target, self.strides(m.bounds))
        return Receive(colour, m.bounds, target, self.pick(COMBINES[:3] * 3 + COMBINES), thread)
