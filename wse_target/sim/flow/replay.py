"""Trips of a loop with data and without times: what all PEs do in them, as a few kernel calls a trip.

The trips of a loop that is known to repeat only move and compute data. Its body has no loops, so that in a trip each
PE executes each operation once. Operations of several classes that one kernel can do are one *step*; what is sent goes
from the sender's memory straight to the receiver's.

Steps come in another order than the engine came to the operations in. That is right only if it makes no difference:
where two operations touch the same byte of a PE in some trip, and one of them writes it, their order must be kept.
Programs for which that, or anything else here, does not hold have no `Replay`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from ...instructions import DTYPE_BYTES, Access, Control, Join, Receive, Send, Vector
from ...quasi_affine import Const, Expr
from ..arithmetic import operand_dtypes
from ..code import LoopEnd
from ..kernels import KernelKey, KernelOperand, Walk
from ..located import reach_of
from ..memory import signature_of
from ..walks import common_nest, meets_itself
from .lane import Lane
from .payload import kind
from .state import Selection, State, listed, size, uniform
from .steps import AccessTrips, KernelStep, OperandPiece, Places, Touch, Unfit

Log = Sequence[tuple[Callable[..., None], tuple]]
_MOST = 1 << 22  # places of one access, over trips and PEs of a class, that are looked at


class Replay:
    """The trips of a loop, ready to be run on the data; see `replay`."""

    def __init__(self, state: State, steps: Sequence[KernelStep], trips: int) -> None:
        assert state.memory is not None
        self._calls = []
        for step in steps:
            operands = []
            for parts in zip(*step.pieces, strict=True):
                pieces = [part for part in parts if isinstance(part, OperandPiece)]
                operands.append(Places(state.memory, pieces, trips) if pieces else parts[0])
            kernel = state.loaded.kernels.kernel(step.signature)
            count = sum(len(pieces[0].pes) for pieces in step.pieces if isinstance(pieces[0], OperandPiece))
            self._calls.append((kernel, count, operands))

    def trip(self, number: int) -> None:
        """Runs one trip, counted from the one that comes next."""
        for kernel, count, operands in self._calls:
            kernel(count, [o.at(number) if isinstance(o, Places) else o for o in operands])


def replay(state: State, log: Log, where: Sequence[tuple[int, Selection]], trips: int) -> Replay | None:
    """The next trips of loops, or None when they must be run operation by operation.

    Args:
        log: what was done with data in the last trip, in order; see `Payload.note`.
        where: the ends of loops at which all PEs are, nothing being under way.
    """
    try:
        return Replay(state, _Builder(state, log, where, trips).steps(), trips)
    except Unfit:
        return None


class _Builder:
    """Finds the steps of a trip."""

    def __init__(self, state: State, log: Log, where: Sequence[tuple[int, Selection]], trips: int) -> None:
        assert state.memory is not None
        self.state, self.memory, self.trips = state, state.memory, trips
        self.ranges = state.placement.ranges
        self.starts = np.array([first for first, _ in self.ranges])
        self.when: dict[int, np.ndarray] = {}  # by operation's identity, for the PEs of its class
        self.lanes: dict[int, Lane] = {}
        self._read(log)
        self.bodies: dict[int, tuple[range, int]] = {}  # program counters and loop slot, by class
        for pc, at in where:
            self._body(pc, at)
        self.found: dict[tuple, KernelStep] = {}
        self.touches: list[list[Touch]] = [[] for _ in self.ranges]
        self.sends: dict[tuple[int, str], tuple[Send, Touch]] = {}
        self.taken: dict[tuple, object] = {}  # operation of a class in a step

    def _read(self, log: Log) -> None:
        """Notes at which position of the log each PE executed each operation."""
        for position, (action, args) in enumerate(log):
            if action.__name__ == "fix":
                continue
            op, at = args[0], args[2 if isinstance(args[0], Vector) else 3]
            if not isinstance(op, (Vector, Send, Receive)):
                raise Unfit
            if isinstance(op, (Send, Receive)) and self.lanes.setdefault(id(op), args[1]) is not args[1]:
                raise Unfit
            pes = listed(at)
            first, last = self.ranges[self._class_of(pes[:1])[0]]
            when = self.when.setdefault(id(op), np.full(last - first, -1))
            if pes[-1] >= last or (when[pes - first] >= 0).any():
                raise Unfit
            when[pes - first] = position

    def _class_of(self, pes: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.starts, pes, side="right") - 1

    def _body(self, end: int, at: Selection) -> None:
        """The class that is at the end of a loop."""
        loop, index = self.state.code.operations[end], int(self._class_of(listed(at)[:1])[0])
        first, last = self.ranges[index]
        if not isinstance(loop, LoopEnd) or (size(at), int(listed(at)[0])) != (last - first, first):
            raise Unfit
        self.bodies[index] = range(loop.start, end), loop.slot

    def steps(self) -> list[KernelStep]:
        """All steps of a trip in order."""
        if len(self.bodies) != len(self.ranges):
            raise Unfit
        operations = self.state.code.operations
        work = [(c, pc, operations[pc]) for c, (body, _) in sorted(self.bodies.items()) for pc in body]
        for index, pc, op in work:
            if isinstance(op, Send):
                self._send(index, pc, op)
            elif not isinstance(op, (Receive, Vector, Control, Join)):
                raise Unfit
        for index, pc, op in work:
            if isinstance(op, Vector) and all(self._bounds(op)):
                self._compute(index, pc, op)
            elif isinstance(op, Receive) and all(self._bounds(op)):
                self._move(index, pc, op)
        # As early as the sends, or as late as the receives: what overwrites its source next suits the one, what sends
        # the outcome of this trip's arithmetic the other.
        for order in (0, 1):
            found = sorted(self.found.values(), key=lambda step: step.position[order])
            for number, step in enumerate(found):
                step.index = number
            try:
                self._check()
                return found
            except Unfit:
                if order:
                    raise
        return []

    def _check(self) -> None:
        for touches in self.touches:
            for a, b in combinations([t for t in touches if t.steps], 2):
                if a.writes or b.writes:
                    b.must_follow(a)

    def _bounds(self, op: Vector | Send | Receive) -> tuple[int, ...]:
        bounds = tuple(max(b.value, 0) for b in op.bounds if isinstance(b, Const))
        if len(bounds) < len(op.bounds):
            raise Unfit
        return bounds

    def _place(self, index: int, pc: int, access: Access, bounds: tuple[int, ...]) -> AccessTrips:
        if access.indices:
            raise Unfit  # what it touches depends on data
        base = self._base(index, pc, access.offset)
        buffer = self.memory.buffers[access.buffer]
        least, most = reach_of(access.strides, bounds)
        if base.min() + least < 0 or base.max() + most >= self.memory.counts[access.buffer]:
            raise Unfit  # the engine says what is wrong
        width = DTYPE_BYTES[buffer.dtype]
        low, high = (buffer.offset + (base + end) * width for end in (least, most + 1))
        return AccessTrips(access, bounds, base, low, high)

    def _base(self, index: int, pc: int, expr: Expr) -> np.ndarray:
        """An expression for all trips, [trips, rows, columns] or 1 in place of each."""
        first, last = self.ranges[index]
        values: dict[str, Any] = {name: axis[None] for name, axis in self.state.axes[first][2].items()}
        for name, slot in self.state.code.variables[pc].items():
            counter = self.state.counters[slot][first:last]
            if not uniform(counter):
                raise Unfit
            values[name] = np.asarray(int(counter[0]))
            if slot == self.bodies[index][1]:
                values[name] = values[name] + np.arange(self.trips)[:, None, None]
        shape = np.broadcast_shapes(*(np.shape(values[name]) for name in expr.variables()))
        if np.prod(shape, dtype=np.int64) > _MOST:
            raise Unfit
        found = np.asarray(expr.evaluate(values), np.int64)
        return found.reshape((1,) * (3 - found.ndim) + found.shape)

    def _positions(self, op: object) -> np.ndarray:
        when = self.when.get(id(op))
        if when is None or (when < 0).any():
            raise Unfit
        return when

    def _piece(
        self, index: int, place: AccessTrips, chosen: np.ndarray | slice = slice(None)
    ) -> OperandPiece:
        first, last = self.ranges[index]
        rows, columns = (self.state.axes[first][2][name].size for name in ("y", "x"))
        return OperandPiece(place, np.arange(first, last)[chosen], (rows, columns), chosen)

    def _step(self, op: object, index: int, key: tuple, signature: KernelKey) -> KernelStep:
        """The step that an operation is part of; two operations of one class are never in the same."""
        again = 0
        while (index, *key, again) in self.taken and self.taken[index, *key, again] is not op:
            again += 1
        self.taken[index, *key, again] = op
        return self.found.setdefault((*key, again), KernelStep(signature))

    def _send(self, index: int, pc: int, op: Send) -> None:
        bounds = self._bounds(op)
        if not all(bounds):
            return
        if (index, op.colour) in self.sends:
            raise Unfit  # which message is which would have to be counted
        place = self._place(index, pc, op.src, bounds)
        touch = Touch(op, place, False, self._positions(op), [])
        self.sends[index, op.colour] = op, touch
        self.touches[index].append(touch)

    def _compute(self, index: int, pc: int, op: Vector) -> None:
        bounds, when, memory = self._bounds(op), self._positions(op), self.memory
        dst = self._place(index, pc, op.dst, bounds)
        srcs = [self._place(index, pc, s, bounds) if isinstance(s, Access) else s for s in op.srcs]
        places = [src for src in srcs if isinstance(src, AccessTrips)]
        own = tuple(isinstance(src, AccessTrips) and _same(dst, src) for src in srcs)
        dependent = meets_itself(op.dst.strides, bounds) or any(
            isinstance(src, AccessTrips) and not mine and dst.meets(src)
            for src, mine in zip(srcs, own, strict=True)
        )
        dtypes = [memory.dtype(s.access) if isinstance(s, AccessTrips) else "" for s in srcs]
        wanted = operand_dtypes(op.kind, memory.dtype(op.dst), dtypes)
        walks, pieces = [memory.walk(op.dst)], [self._piece(index, dst)]
        operands: list[OperandPiece | KernelOperand] = list(pieces)
        for src, mine, dtype in zip(srcs, own, wanted, strict=True):
            if isinstance(src, AccessTrips):
                operands.append(self._piece(index, dst if mine else src))
                walks.append(memory.walk(src.access))
            else:
                operand, walk = memory.number(src, dtype, bounds)
                operands.append(operand)
                walks.append(walk)
        numbers = tuple(repr(src) for src in srcs if not isinstance(src, AccessTrips))
        buffers = tuple(p.access.buffer for p in (dst, *places))
        signature = signature_of(op.kind, bounds, tuple(walks), own, dependent)
        step = self._step(op, index, (signature, buffers, numbers), signature)
        step.add(operands, when, when)
        self.touches[index] += [Touch(op, p, p is dst, when, [step]) for p in (dst, *places)]

    def _move(self, index: int, pc: int, op: Receive) -> None:
        """What PEs of a class receive with an operation, by class of the senders."""
        bounds, when = self._bounds(op), self._positions(op)
        dst = self._place(index, pc, op.dst, bounds)
        lane, (first, last) = self.lanes[id(op)], self.ranges[index]
        senders = lane.tree.root[lane.tree.incoming[first:last]]
        classes = self._class_of(senders)
        steps: list[KernelStep] = []
        for other in np.unique(classes).tolist():
            send, touch = self.sends.get((other, op.colour), (None, None))
            if send is None or touch is None or self.lanes[id(send)] is not lane:
                raise Unfit
            chosen = np.flatnonzero(classes == other)
            signature = self._move_signature(op, touch.place, dst)
            buffers = op.dst.buffer, send.src.buffer
            step = self._step(op, index, (signature, op.combine, *buffers), signature)
            there = senders[chosen] - self.ranges[other][0]
            into, out_of = self._piece(index, dst, chosen), self._piece(other, touch.place, there)
            own = [into] * (op.combine != "store")
            step.add([into, *own, out_of], touch.when[there], when[chosen])
            touch.steps.append(step)
            steps.append(step)
        self.touches[index].append(Touch(op, dst, True, when, steps))

    def _move_signature(self, op: Receive, src: AccessTrips, dst: AccessTrips) -> KernelKey:
        nest = common_nest(src.bounds, src.access.strides, dst.bounds, dst.access.strides)
        if nest is None:
            raise Unfit
        bounds, theirs, mine = nest
        into = Walk(self.memory.dtype(op.dst), mine)
        out_of = Walk(self.memory.dtype(src.access), theirs)
        combined = op.combine != "store"
        walks, own = ((into, into, out_of), (True, False)) if combined else ((into, out_of), (False,))
        return signature_of(kind(op.combine), bounds, walks, own, meets_itself(mine, bounds))


def _same(a: AccessTrips, b: AccessTrips) -> bool:
    """Whether two accesses are one, iteration by iteration."""
    alike = (a.access.buffer, a.access.strides) == (b.access.buffer, b.access.strides)
    return alike and bool((a.base == b.base).all())
