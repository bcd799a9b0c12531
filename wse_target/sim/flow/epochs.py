"""Settings that PEs switch: which position every router is in, in each epoch, and when its PE came to it.

Positions are quasi-affine, so no data decide them: an epoch's settings are known before its PEs have come to it. They
are found epoch by epoch, for as many as the run needs at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...image import PEClass, Program
from ...instructions import Choose, Instruction, Loop, Switch, all_instructions
from ...quasi_affine import Expr
from ...roles import switching
from ..routing import UNKNOWN, Tree
from .state import Selection

_NEVER = 1 << 60  # as the epoch of PEs that switch nothing
REPETITION = 1 << 32  # epochs from one repetition to the next, more than any program has


def switches(body: tuple[Instruction, ...], colour: str) -> bool:
    """Whether code switches a colour."""
    return any(isinstance(op, Switch) and op.colour == colour for op in all_instructions(body))


class Positions:
    """Positions of a colour's routers by epoch of one repetition."""

    def __init__(self, program: Program, colour: str) -> None:
        self.colour = colour
        self.initial = program.positions.get(colour, 0)
        width, height = program.grid
        self._shape = (height, width)
        self._classes = [c for c in program.classes if switches(c.body, colour)]
        self.switched = np.zeros(self._shape, bool)
        for pe_class in self._classes:
            self.switched[_block(pe_class)] = switching(pe_class, colour)
        self._walks: list[Iterator[tuple[np.ndarray, np.ndarray | None]]] = []
        self._counts: list[np.ndarray] = []
        self._pending: dict[int, np.ndarray] = {}
        self._restart()

    def _restart(self) -> None:
        self._walks = [_walk(c.body, self.colour, _axes(c)) for c in self._classes]
        self._counts = [np.where(self.switched[_block(c)], 0, _NEVER) for c in self._classes]
        self._pending = {}
        self._asked = 0

    def at(self, epoch: int) -> np.ndarray | int:
        """Positions in an epoch, [height, width] or one for all; `UNKNOWN` on PEs that never come to it."""
        epoch %= REPETITION
        if epoch == 0:
            return self.initial
        if epoch < self._asked:
            self._restart()
        self._asked = epoch
        for index, pe_class in enumerate(self._classes):
            while int(self._counts[index].min()) < epoch and (found := next(self._walks[index], None)):
                self._note(index, pe_class, *found)
        for old in [e for e in self._pending if e < epoch]:
            del self._pending[old]
        return self._grid(epoch)

    def _grid(self, epoch: int) -> np.ndarray:
        if epoch not in self._pending:
            grid = np.full(self._shape, self.initial, np.int32)
            grid[self.switched] = UNKNOWN
            self._pending[epoch] = grid
        return self._pending[epoch]

    def _note(self, index: int, pe_class: PEClass, positions: np.ndarray, mask: np.ndarray | None) -> None:
        """One more `Switch` that a class's PEs, those of the mask, come to."""
        counts = self._counts[index]
        counts += 1 if mask is None else mask
        first, last = int(counts.min()), int(counts.max())
        if mask is None and first == last:
            self._grid(first)[_block(pe_class)] = positions
            return
        chosen = np.ones_like(counts, bool) if mask is None else np.broadcast_to(mask, counts.shape)
        positions = np.broadcast_to(positions, counts.shape)
        for epoch in np.unique(counts[chosen]).tolist():
            at = chosen & (counts == epoch)
            self._grid(epoch)[_block(pe_class)][at] = positions[at]


def _block(pe_class: PEClass) -> tuple[slice, slice]:
    (bx, by), (w, h), (sx, sy) = pe_class.where.base, pe_class.where.extent, pe_class.where.step
    return slice(by, by + sy * h, sy), slice(bx, bx + sx * w, sx)


def _axes(pe_class: PEClass) -> dict:
    (bx, by), (w, h), (sx, sy) = pe_class.where.base, pe_class.where.extent, pe_class.where.step
    return {"x": (bx + sx * np.arange(w))[None, :], "y": (by + sy * np.arange(h))[:, None], "shape": (h, w)}


def _walk(
    body: tuple[Instruction, ...], colour: str, values: dict, mask: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Positions at each `Switch` of a colour in order of execution, and which PEs execute it (None: all)."""
    for op in body:
        if isinstance(op, Switch) and op.colour == colour:
            yield _evaluate(op.position, values, mask), mask
        elif isinstance(op, Loop) and switches(op.body, colour):
            trips = _evaluate(op.trips, values, mask)
            for trip in range(int(trips.max(initial=0))):
                inside = mask
                if int(trips.min()) <= trip:
                    inside = np.broadcast_to(trips > trip, values["shape"])
                    inside = inside if mask is None else mask & inside
                yield from _walk(op.body, colour, {**values, op.variable: trip}, inside)
        elif isinstance(op, Choose):
            selected = _evaluate(op.selector, values, mask)
            for number, case in enumerate(op.cases):
                if switches(case, colour):
                    inside = np.broadcast_to(selected == number, values["shape"])
                    yield from _walk(case, colour, values, inside if mask is None else mask & inside)


def _evaluate(expr: Expr, values: dict, mask: np.ndarray | None) -> np.ndarray:
    """Value of an expression on PEs of a class; 0 where the mask does not hold, and it may have none."""
    if mask is None:
        return np.asarray(expr.evaluate(values))
    inside = {name: np.broadcast_to(values[name], mask.shape)[mask] for name in ("x", "y")}
    found = np.zeros(mask.shape, np.int64)
    found[mask] = expr.evaluate({**values, **inside})
    return found


class SwitchTimes:
    """When PEs came to the epochs of one colour."""

    def __init__(self, switched: np.ndarray, routers: np.ndarray) -> None:
        self.ever = switched.reshape(-1)[routers]  # by PE
        self._routers = routers
        self._shape = switched.shape
        self._of_routers = switched.reshape(-1)
        self._times: dict[int, np.ndarray] = {}
        self.epoch = np.zeros(len(routers), np.int64)

    def note(self, epoch: int, at: Selection, clock: np.ndarray) -> None:
        """PEs came to an epoch."""
        self.epoch[at] = epoch
        if epoch not in self._times:
            self._times[epoch] = np.where(self._of_routers, np.inf, -np.inf)
        self._times[epoch][self._routers[at]] = clock

    def advance(self, cycles: np.ndarray) -> None:
        """All times are later, by so much for each PE."""
        for times in self._times.values():
            times[self._routers] += cycles

    def forget(self, epoch: int) -> None:
        """Nothing is under way in an epoch any more."""
        self._times.pop(epoch, None)

    def gates(self, epoch: int, tree: Tree) -> np.ndarray:
        """Earliest time at which a word can have left its sender to find all routers set, by receiving PE."""
        if epoch == 0:
            return np.full(len(self._routers), -np.inf)
        times = self._times.get(epoch)
        if times is None:
            times = np.where(self._of_routers, np.inf, -np.inf)
        small = tree.routers.takes.shape
        latest = times.reshape(self._shape) - tree.path.reshape(small)
        if small == self._shape and min(small) > 1:
            found = _along_pointers(latest.ravel(), tree.parent)
        else:
            found = _along_lines(latest, tree.parent, columns=small[1] == 1).ravel()
        return found[self._routers]


def _along_lines(latest: np.ndarray, parent: np.ndarray, *, columns: bool) -> np.ndarray:
    """Running maximum from each root to both sides, in rows whose trees are all alike (or columns)."""
    lines = latest.T if columns else latest
    found = lines.copy()
    steps = parent - np.arange(len(parent))
    for root in np.flatnonzero((parent >= 0) & (steps == 0)).tolist():
        end = root + 1
        while end < len(parent) and steps[end] == -1:
            end += 1
        first = root
        while first > 0 and steps[first - 1] == 1:
            first -= 1
        np.maximum.accumulate(lines[:, root:end], axis=1, out=found[:, root:end])
        if first < root:
            part = np.maximum.accumulate(lines[:, root : first - 1 if first else None : -1], axis=1)
            found[:, first : root + 1] = part[:, ::-1]
            found[:, root:end] = np.maximum.accumulate(lines[:, root:end], axis=1)
    return found.T if columns else found


def _along_pointers(latest: np.ndarray, parent: np.ndarray) -> np.ndarray:
    """Maximum over the path from the root, by doubling pointers."""
    found, up = latest.copy(), np.where(parent >= 0, parent, np.arange(len(parent)))
    while True:
        found = np.maximum(found, found[up])
        following = up[up]
        if (following == up).all():
            return found
        up = following
