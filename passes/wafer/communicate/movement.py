"""Ways from one layout of a tensor to another, with what they cost; the planner's choice and the emission of it.

A way is a sequence of steps between layouts. From a layout the next one is found by what the target lacks: partial
values are combined, whole or in blocks; dimensions of which every PE has enough are cut to what it keeps; sub-axes
along which blocks differ are gathered, or tiles pass along them and every PE takes its part. Dimensions that are right
already are left alone. All of that is tried, and the ways that are best in cycles or in bytes are kept.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from ....wse_target.image import DTYPE_BYTES, Dtype, Instruction, Loop, Receive, Relay
from ....wse_target.layout.dimension import Dimension
from ....wse_target.layout.tensor_layout import Partial, TensorLayout
from ....wse_target.machine import Machine
from ..library.algorithm import Choice, choose
from ..library.fragment import Fragment, Scratch, sequence
from .coverage import covers, neighbours_cover
from .steps import Prices, Step, cycles, fragment, inner_names, refusal
from .tiles import Placed, gathered, has_equal_pieces, is_stretch, rooms, stripped

MOST_STEPS = 8


@dataclass(frozen=True)
class Movement:
    """A way from one layout to another.

    Attributes:
        steps: none where every PE's tile is as it shall be.
        cycles: predicted.
        peak_bytes: most that a PE needs at a time beside the source's buffer, the target's included.
    """

    source: TensorLayout
    target: TensorLayout
    dtype: Dtype
    machine: Machine
    steps: tuple[Step, ...]
    cycles: float
    peak_bytes: int

    @cached_property
    def _sample(self) -> Fragment:
        return emit(self, "source", "target", "sample_")

    @property
    def colours(self) -> int:
        """Colours that it needs, those of all steps together: steps that follow each other may share some."""
        return len(self._sample.colours)

    @property
    def queues(self) -> int:
        """Input queues that a PE needs at a time: its transfers on microthreads, or the one on the main thread."""
        threads = {
            op.thread
            for part in self._sample.parts
            for op in _instructions(part.body)
            if isinstance(op, Receive | Relay)
        }
        return max(1, len(threads - {0})) if threads else 0

    @property
    def code(self) -> int:
        """Instructions of the longest text."""
        return max((sum(1 for _ in _instructions(part.body)) for part in self._sample.parts), default=0)

    def __str__(self) -> str:
        steps = ", ".join(map(str, self.steps)) or "nothing"
        return f"{steps}: {self.cycles:.0f} cycles, {self.peak_bytes} bytes"


def _instructions(body: tuple[Instruction, ...]) -> Iterator[Instruction]:
    for op in body:
        if isinstance(op, Loop):
            yield from _instructions(op.body)
        yield op


def movements(
    source: TensorLayout,
    target: TensorLayout,
    dtype: Dtype,
    machine: Machine,
    prices: Prices | None = None,
) -> list[Movement]:
    """Ways from one layout to another, the fastest first; each one is better than those before it in bytes.

    None where no PEs together have what the target wants: indices that a slice cut off, other meshes, blocks that
    rotate, partial values that were none.

    Args:
        prices: what is known of collectives on this machine, for later calls to look up.
    """
    if problem(source, target):
        return []
    search = _Search(target, dtype, machine, {} if prices is None else prices)
    search.follow(stripped(source), (), 0.0, 0)
    found: list[Movement] = []
    for price, peak, steps in sorted(search.ends, key=lambda end: end[:2]):
        if not found or peak < found[-1].peak_bytes:
            found.append(Movement(source, target, dtype, machine, steps, price, peak))
    return found


def problem(source: TensorLayout, target: TensorLayout) -> str:
    """Why a value cannot move between two layouts at all, "" if it may."""
    if source.mesh != target.mesh:
        return f"it is on {source.mesh}, and shall be on {target.mesh}"
    if source.shape != target.shape:
        return f"it has shape {list(source.shape)}, and shall have {list(target.shape)}"
    if any(digit.rotates for layout in (source, target) for dim in layout.dims for digit in dim.digits):
        return "its blocks rotate"
    left = source.partial[len(source.partial) - len(target.partial) :]
    return "" if left == target.partial else "it shall have partial values that it does not have"


class _Search:
    """All ways to a target that are better than others in cycles or in bytes."""

    def __init__(self, target: TensorLayout, dtype: Dtype, machine: Machine, prices: Prices) -> None:
        self.target = stripped(target)
        self.dtype: Dtype = dtype
        self.machine = machine
        self.prices = prices
        self.ends: list[tuple[float, int, tuple[Step, ...]]] = []
        self._known: dict[TensorLayout, list[tuple[float, int]]] = {}

    def follow(self, here: TensorLayout, steps: tuple[Step, ...], price: float, peak: int) -> None:
        """Goes on from a layout that was reached."""
        best = self._known.setdefault(here, [])
        if any(p <= price and b <= peak for p, b in best):
            return
        best.append((price, peak))
        if here == self.target:
            self.ends.append((price, peak, steps))
            return
        if len(steps) == MOST_STEPS:
            return
        for step in self.next_steps(here):
            step = replace(step, is_first=not steps)
            if refusal(step, self.dtype, self.machine):
                continue
            held = 0 if not steps else step.source.elements * DTYPE_BYTES[self.dtype]
            needed = held + step.target.elements * DTYPE_BYTES[self.dtype] + step.bytes(self.dtype)
            more = cycles(step, self.dtype, self.machine, self.prices)
            self.follow(step.target, (*steps, step), price + more, max(peak, needed))

    def next_steps(self, here: TensorLayout) -> Iterator[Step]:
        """Steps from a layout that lead towards the target."""
        refined = self.refined(here)
        if refined.dims == self.target.dims and refined.partial == self.target.partial:
            yield Step("copy", here, refined)
            return
        if refined.elements < here.elements:
            yield Step("copy", here, refined)
        yield from self.without_halos(here)
        if len(here.partial) > len(self.target.partial):
            yield from self.reductions(here)
        yield from self.turns(here)
        for name in here.mesh.names:
            if any(name in dim.axes for dim in self._differing(here)):
                yield from self.along(here, name)

    def _differing(self, here: TensorLayout) -> list[Dimension]:
        return [dim for dim, wanted in zip(here.dims, self.target.dims, strict=True) if dim != wanted]

    def refined(self, here: TensorLayout) -> TensorLayout:
        """The target's dimensions wherever every PE has enough, and their sub-axes are free."""
        found = here
        for number, (dim, wanted) in enumerate(zip(here.dims, self.target.dims, strict=True)):
            if dim == wanted or not covers(here.mesh, dim, wanted):
                continue
            changed = replace(found, dims=(*found.dims[:number], wanted, *found.dims[number + 1 :]))
            if not changed.problem():
                found = changed
        return found

    def without_halos(self, here: TensorLayout) -> Iterator[Step]:
        """Neighbours' indices are left out before blocks move."""
        dims = tuple(
            replace(dim, before=0, after=0) if dim != wanted and min(dim.before, dim.after) >= 0 else dim
            for dim, wanted in zip(here.dims, self.target.dims, strict=True)
        )
        if dims != here.dims:
            yield Step("copy", here, replace(here, dims=dims))

    def turns(self, here: TensorLayout) -> Iterator[Step]:
        """Blocks along one axis, of which there are copies along the other, become blocks along that."""
        mesh = here.mesh
        for name, across in itertools.permutations(mesh.names, 2):
            old, new = mesh[name], mesh[across]
            if (
                mesh.axis_of(name) == mesh.axis_of(across)
                or across not in here.copied
                or mesh.stride(name) > 1
            ):
                continue
            if old.extent != new.extent or old.order != "line" or not any(name in d.axes for d in here.dims):
                continue
            turned = replace(here, dims=tuple(_renamed(dim, name, across) for dim in here.dims))
            if any(a == c != b for a, b, c in zip(turned.dims, here.dims, self.target.dims, strict=True)):
                yield Step("turn", here, turned, name, across=across)

    def along(self, here: TensorLayout, name: str) -> Iterator[Step]:
        """Blocks that differ along a sub-axis: all of them everywhere, or what a PE wants of them."""
        whole, number, place = gathered(here, name)
        dim = here.dims[number]
        if not has_equal_pieces(dim):
            yield from self.circulated(here, whole, name)
            return
        gatherings = [
            step
            for choice in _gatherings(here, name, self.machine)
            if not refusal(step := Step("all_gather", here, whole, name, choice), self.dtype, self.machine)
        ]
        yield from gatherings or self.inside(here, name)
        yield from self.circulated(here, whole, name)
        wanted = self.refined(whole)
        if wanted == whole or _in_pieces(here, wanted):
            return
        if dim.is_plain and is_stretch(dim, place) and len(dim.digits[place].axes) == 1:
            others = zip(here.dims, wanted.dims, strict=True)
            if here.mesh[name].order == "line" and all(
                neighbours_cover(here.mesh, name, have, want)
                if k == number
                else covers(here.mesh, have, want)
                for k, (have, want) in enumerate(others)
            ):
                yield Step("neighbours", here, wanted, name)

    def circulated(self, here: TensorLayout, whole: TensorLayout, name: str) -> Iterator[Step]:
        """What a PE wants of all tiles along a sub-axis, which would be `whole` together; all where nothing else is."""
        wanted = self.refined(whole)
        can_gather = all(has_equal_pieces(dim) for dim in here.dims if name in dim.axes)
        if not can_gather and _in_pieces(wanted):
            wanted = whole
        if (wanted != whole or not can_gather) and not _in_pieces(here, wanted):
            yield Step("circulate", here, wanted, name)

    def inside(self, here: TensorLayout, name: str) -> Iterator[Step]:
        """Where too many lines cross: blocks along inner sub-axes are gathered, so that there are copies of them."""
        for inner in inner_names(here.mesh, name):
            if any(inner in dim.axes and has_equal_pieces(dim) for dim in here.dims):
                whole, *_ = gathered(here, inner)
                for choice in _gatherings(here, inner, self.machine):
                    yield Step("all_gather", here, whole, inner, choice)

    def reductions(self, here: TensorLayout) -> Iterator[Step]:
        """One sub-axis less over which values are partial."""
        first, *rest = here.partial
        for name in first.axes:
            left = tuple(n for n in first.axes if n != name)
            partial = (Partial(first.kind, left), *rest) if left else tuple(rest)
            whole = replace(here, partial=partial)
            steps = [
                step
                for choice in _choices("all_reduce", _reductions(here.mesh[name].extent))
                if not refusal(
                    step := Step("all_reduce", here, whole, name, choice, first.kind),
                    self.dtype,
                    self.machine,
                )
            ]
            yield from steps or self.inside(here, name)
            for number, (dim, wanted) in enumerate(zip(here.dims, self.target.dims, strict=True)):
                blocks = wanted.is_plain and not dim.pieces and wanted.digits[-1:]
                if (
                    not blocks
                    or blocks[0].axes != (name,)
                    or replace(wanted, digits=wanted.digits[:-1]) != dim
                ):
                    continue
                dims = (*here.dims[:number], wanted, *here.dims[number + 1 :])
                for choice in _choices("reduce_scatter", ("ring",)):
                    kept = replace(whole, dims=dims)
                    yield Step("reduce_scatter", here, kept, name, choice, first.kind)


def _in_pieces(*layouts: TensorLayout) -> bool:
    return any(dim.pieces for layout in layouts for dim in layout.dims)


def _renamed(dim: Dimension, old: str, new: str) -> Dimension:
    """A dimension whose digits are bound to another sub-axis."""
    digits = tuple(replace(d, axes=tuple(new if n == old else n for n in d.axes)) for d in dim.digits)
    return replace(dim, digits=digits)


def _choices(operation: str, names: tuple[str, ...]) -> list[Choice]:
    return [choose(operation, name) for name in names]


def _reductions(extent: int) -> tuple[str, ...]:
    """Algorithms whose plans are made at once, with few colours."""
    return ("chain", f"two_phase{{group={max(1, math.isqrt(extent))}}}", "tree", "ring")


def _gatherings(here: TensorLayout, name: str, machine: Machine) -> list[Choice]:
    """Algorithms for a gathering whose colours suffice on all lines that cross."""
    probe = Step("all_gather", here, here, name)
    lines = probe.line().stride
    most = len(machine.usable_colours) // lines
    found = [
        choose("all_gather", f"multicast{{colours={n}}}") for n in {min(12, most), min(6, most)} if n >= 1
    ]
    return [*found, *(_choices("all_gather", ("ring",)) if most >= 3 else [])]


def emit(movement: Movement, source: str, target: str, prefix: str) -> Fragment:
    """The fragment that moves a value from one buffer to another; names of what it makes begin with `prefix`.

    A movement without steps needs none if the target may be the source's buffer.
    """
    rect, dtype = movement.source.mesh.rect, movement.dtype
    whole = stripped(movement.source), stripped(movement.target)
    here = Placed(whole[0], source, dtype, rooms(movement.source))
    last = Placed(whole[1], target, dtype, rooms(movement.target))
    steps = movement.steps or (Step("copy", *whole),)
    made: list[Fragment] = []
    for number, step in enumerate(steps):
        own = f"{prefix}{number}_"
        there = last
        if number < len(steps) - 1:
            there = Placed(step.target, f"{own}tile", dtype)
            made.append(Fragment((), (Scratch(there.buffer, (max(1, step.target.elements),), dtype),)))
        made.append(fragment(step, here, there, movement.machine, own))
        here = there
    return sequence(made, (rect.w, rect.h))
