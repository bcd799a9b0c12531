"""Executes a program without time, PE by PE and message by message: what data every engine must end with.

Queues hold everything here, so a program that gets stuck would get stuck on any machine. Follows docs/simulator.md and
`wse_target/instructions.py` alone; shares no code with the engines but the meaning of elementary operations.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wse_mlir.wse_target.image import Program, StridedRect
from wse_mlir.wse_target.instructions import (
    Access,
    Choose,
    Instruction,
    Join,
    Loop,
    Receive,
    Relay,
    Send,
    Switch,
    Transfer,
    Vector,
)
from wse_mlir.wse_target.kinds import COMPARISONS
from wse_mlir.wse_target.quasi_affine import Expr
from wse_mlir.wse_target.scalars import bound, values_of
from wse_mlir.wse_target.sim.arithmetic import ELEMENTARY, NUMPY_DTYPE, convert, fma

PE = tuple[int, int]
Values = dict[str, int]
_STEP = {"north": (0, -1), "east": (1, 0), "south": (0, 1), "west": (-1, 0)}


class StuckError(Exception):
    """Nobody can go on, or words were left over."""


def execute(program: Program, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The results of a program whose host transfers move whole buffers to and from a tensor [y, x, elements].

    Raises:
        StuckError: threads wait for ever, or words were not taken.
    """
    program = bound(program, values_of(program, dict(enumerate(inputs))))
    run = _Execution(program)
    for transfer in program.scatters:
        for x, y in _pes(transfer.where):
            run.memory[x, y][transfer.access.buffer][:] = inputs[transfer.tensor][y, x]
    run.finish()
    width, height = program.grid
    return [
        np.array([[run.memory[x, y][g.access.buffer] for x in range(width)] for y in range(height)])
        for g in program.gathers
    ]


@dataclass
class _Router:
    """One colour at one PE: its settings so far, one for each epoch, and messages that wait for the next."""

    switches: bool
    settings: list[int]
    parked: list[tuple[int, np.ndarray]] = field(default_factory=list)


class _Execution:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.memory: dict[PE, dict[str, np.ndarray]] = {}
        self.routes: dict[tuple[str, int, PE], set[str]] = defaultdict(set)
        self.routers: dict[tuple[str, PE], _Router] = {}
        self.queues: dict[tuple[str, PE], deque[np.ndarray]] = defaultdict(deque)
        self.threads: dict[tuple[PE, int], Iterator[None]] = {}
        self.moves = 0
        for route in program.routes:
            for pe in _pes(route.where):
                self.routes[route.colour, route.position, pe] |= set(route.send)
        for pe_class in program.classes:
            for pe in _pes(pe_class.where):
                reached = _reached(pe_class.body, {"x": pe[0], "y": pe[1]})
                switched = {op.colour for op in reached if isinstance(op, Switch)}
                self.memory[pe] = {
                    name: np.zeros(b.shape, NUMPY_DTYPE[b.dtype]) for name, b in program.buffers.items()
                }
                for colour in program.colours:
                    start = [program.positions.get(colour, 0)]
                    self.routers[colour, pe] = _Router(colour in switched, start)
                self.threads[pe, 0] = self._run(pe, pe_class.body, {"x": pe[0], "y": pe[1]})

    def finish(self) -> None:
        """Takes all threads as far as they go, until nothing moves."""
        before = -1
        while self.moves > before and self.threads:
            before = self.moves
            for key, steps in list(self.threads.items()):
                if next(steps, "over") == "over":
                    del self.threads[key]
                    self.moves += 1
        left = [key for key, queue in self.queues.items() if queue]
        left += [key for key, router in self.routers.items() if router.parked]
        if self.threads or left:
            raise StuckError(f"threads {list(self.threads)[:4]}, words {left[:4]}")

    def _run(self, pe: PE, body: Iterable[Instruction], values: Values) -> Iterator[None]:
        """The main thread; yields whenever it has to wait."""
        for op in body:
            self.moves += 1
            if isinstance(op, Loop):
                for trip in range(int(op.trips.evaluate(values))):
                    yield from self._run(pe, op.body, {**values, op.variable: trip})
            elif isinstance(op, Choose):
                selected = int(op.selector.evaluate(values))
                if 0 <= selected < len(op.cases):
                    yield from self._run(pe, op.cases[selected], values)
            elif isinstance(op, Vector):
                self._vector(pe, op, values)
            elif isinstance(op, Switch):
                self._switch(pe, op.colour, int(op.position.evaluate(values)))
            elif isinstance(op, Join):
                while any((pe, thread) in self.threads for thread in op.threads):
                    yield
            elif isinstance(op, (Send, Receive, Relay)):
                while op.thread and (pe, op.thread) in self.threads:
                    yield
                steps = self._transfer(pe, op, dict(values))
                if op.thread:
                    self.threads[pe, op.thread] = steps
                else:
                    yield from steps

    def _transfer(self, pe: PE, op: Transfer, values: Values) -> Iterator[None]:
        bounds = _bounds(op.bounds, values)
        if not np.prod(bounds):
            return
        if isinstance(op, Send):
            self._deliver(op.colour, pe, self._read(pe, op.src, bounds, values).ravel())
            return
        colour = op.colour if isinstance(op, Receive) else op.receive
        while not self.queues[colour, pe]:
            yield
        self.moves += 1
        data = self.queues[colour, pe].popleft()
        assert data.size == np.prod(bounds), f"{pe} takes {bounds} of {colour}, which has {data.size}"
        if isinstance(op, Receive):
            place = self._view(pe, op.dst, bounds, values)
            place[...] = _combine(op.combine, place, data.reshape(bounds))
            return
        if op.own is not None:
            own = self._read(pe, op.own, bounds, values).ravel()
            data = _combine(op.combine, data, own) if op.combine != "store" else data
        if op.dst is not None:
            self._view(pe, op.dst, bounds, values)[...] = data.reshape(bounds)
        self._deliver(op.send, pe, data)

    def _deliver(self, colour: str, root: PE, data: np.ndarray) -> None:
        self._pass(colour, root, len(self.routers[colour, root].settings) - 1, data)

    def _pass(self, colour: str, pe: PE, epoch: int, data: np.ndarray) -> None:
        """A message of an epoch comes to a router."""
        router = self.routers[colour, pe]
        if router.switches and epoch >= len(router.settings):
            router.parked.append((epoch, data))
            return
        position = router.settings[epoch if router.switches else 0]
        for direction in self.routes[colour, position, pe]:
            if direction == "ramp":
                self.queues[colour, pe].append(data)
            else:
                dx, dy = _STEP[direction]
                self._pass(colour, (pe[0] + dx, pe[1] + dy), epoch, data)

    def _switch(self, pe: PE, colour: str, position: int) -> None:
        router = self.routers[colour, pe]
        router.settings.append(position)
        parked, router.parked = router.parked, []
        for epoch, data in parked:
            self._pass(colour, pe, epoch, data)

    # Memory

    def _view(self, pe: PE, access: Access, bounds: tuple[int, ...], values: Values) -> np.ndarray:
        flat = self.memory[pe][access.buffer][int(access.offset.evaluate(values)) :]
        strides = [s * flat.itemsize for s in access.strides]
        last = sum(s * (n - 1) for s, n in zip(access.strides, bounds, strict=True))
        assert last < len(flat), f"{access} leaves its buffer"
        return np.lib.stride_tricks.as_strided(flat, bounds, strides)

    def _read(self, pe: PE, access: Access, bounds: tuple[int, ...], values: Values) -> np.ndarray:
        return self._view(pe, access, bounds, values).copy()

    def _vector(self, pe: PE, op: Vector, values: Values) -> None:
        bounds = _bounds(op.bounds, values)
        if not np.prod(bounds):
            return
        if any(a.indices for a in (op.dst, *op.srcs) if isinstance(a, Access)):
            self._indirect(pe, op, bounds, values)
            return
        dst = self._view(pe, op.dst, bounds, values)
        srcs = [self._view(pe, s, bounds, values) if isinstance(s, Access) else s for s in op.srcs]
        with np.errstate(all="ignore"):
            if 0 not in op.dst.strides and not any(
                s.buffer == op.dst.buffer for s in op.srcs if isinstance(s, Access)
            ):
                dst[...] = _element(op.kind, dst, srcs, dst.dtype)
                return
            for at in np.ndindex(bounds):
                parts = [s[at] if isinstance(s, np.ndarray) else s for s in srcs]
                dst[at] = _element(op.kind, dst[at], parts, dst.dtype, at[-1])

    def _indirect(self, pe: PE, op: Vector, bounds: tuple[int, ...], values: Values) -> None:
        """One element after the other; iterations that have a place nowhere are left out."""
        for at in np.ndindex(bounds):
            places = [
                self._place(pe, a, at, values) if isinstance(a, Access) else 0 for a in (op.dst, *op.srcs)
            ]
            if None in places:
                continue
            memories = [
                self.memory[pe][a.buffer] if isinstance(a, Access) else None for a in (op.dst, *op.srcs)
            ]
            parts = [
                source if memory is None else memory[place]
                for source, memory, place in zip(op.srcs, memories[1:], places[1:], strict=True)
            ]
            target = memories[0]
            assert target is not None
            with np.errstate(all="ignore"):
                target[places[0]] = _element(op.kind, target[places[0]], parts, target.dtype)

    def _place(self, pe: PE, access: Access, at: tuple[int, ...], values: Values) -> int | None:
        """Number of an iteration's element in its buffer, None where an index has no place on the PE."""
        place = int(access.offset.evaluate(values)) + int(np.dot(access.strides, at))
        for index in access.indices:
            numbers = self._place(pe, index.numbers, at, values)
            position = int(self.memory[pe][index.numbers.buffer][numbers]) - int(
                index.origin.evaluate(values)
            )
            if not 0 <= position < int(index.size.evaluate(values)):
                return None
            place += index.stride * position
        return place


def _element(kind: str, dst: Any, srcs: list[Any], dtype: np.dtype, column: int | None = None) -> Any:
    """The operation on single elements, or on arrays of independent ones."""
    sources = [np.asarray(s) if isinstance(s, (np.ndarray, np.generic)) else s for s in srcs]
    if kind in COMPARISONS:
        dtype = next(s.dtype for s in sources if isinstance(s, np.ndarray))
    typed = [convert(s, dtype) if isinstance(s, np.ndarray) else np.asarray(s, dtype) for s in sources]
    if kind == "select":
        return np.where(sources[0], typed[1], typed[2])
    if kind == "fma":
        return fma(np.asarray(dst), *typed)
    if kind == "iota":
        count = np.arange(dst.shape[-1]) if column is None else np.asarray(column)
        return typed[0] + count.astype(dtype)
    return ELEMENTARY[kind](*typed)


def _combine(kind: str, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return new if kind == "store" else ELEMENTARY[kind](old, new.astype(old.dtype))


def _bounds(bounds: tuple[Expr, ...], values: Values) -> tuple[int, ...]:
    return tuple(max(int(b.evaluate(values)), 0) for b in bounds)


def _reached(body: Iterable[Instruction], values: Values) -> Iterator[Instruction]:
    """The instructions that a PE may come to; all cases of what trips choose."""
    for op in body:
        yield op
        if isinstance(op, Loop):
            yield from _reached(op.body, values)
        elif isinstance(op, Choose):
            known = op.selector.variables() <= values.keys()
            selected = int(op.selector.evaluate(values)) if known else None
            for number, case in enumerate(op.cases):
                if selected in (None, number):
                    yield from _reached(case, values)


def _pes(where: StridedRect) -> list[PE]:
    (bx, by), (w, h), (sx, sy) = where.base, where.extent, where.step
    return [(bx + sx * i, by + sy * j) for j in range(h) for i in range(w)]
