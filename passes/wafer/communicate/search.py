"""The search for ways from one layout of a tensor to another.

From a layout the next step is found by what the target lacks: partial values are combined, whole or in blocks;
dimensions of which every PE has enough are cut to what it keeps; sub-axes along which blocks differ are gathered, or
tiles pass along them and every PE takes its part. Dimensions that are right already are left alone. All of that is
tried, and the ways that are best in cycles or in bytes are kept.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from ....wse_target.instructions import DTYPE_BYTES, Dtype
from ....wse_target.layout.dimension import Dimension
from ....wse_target.layout.mesh import Mesh
from ....wse_target.layout.tensor_layout import Partial, TensorLayout
from ....wse_target.layout.text import layout_text
from ....wse_target.machine import Machine
from ..algorithms.algorithm import Choice, choose
from .coverage import MOST_REACH, covers, reach_of
from .steps import Prices, Step, inner_names, price, sparing
from .texts import Texts, text_of
from .tiles import as_one, cut_along, gathered, has_equal_pieces, is_stretch, stripped
from .turns import turn_between

MOST_STEPS = 8
End = tuple[float, int, tuple[Step, ...]]  # cost, bytes and steps of a way
Priced = tuple[float, int, Step]  # cost and bytes of a step
Onward = dict[TensorLayout, list[Priced]]  # steps from layouts towards one target
_COLOURS = (6, 12)  # of gatherings
_FEW_COLOURS = 4  # of those whose text shall be short


class Search:
    """All ways to a target that are better than others in cost or in bytes; or those whose steps are told.

    Attributes:
        texts: what is known of bytes of text, each of which counts as a cycle; None where these are not scarce.
        onward: what is known of steps towards the target that are not a way's first; ways have most of them in common.
    """

    def __init__(
        self,
        target: TensorLayout,
        dtype: Dtype,
        machine: Machine,
        prices: Prices,
        told: tuple[str, ...] = (),
        *,
        spoils: bool = False,
        texts: Texts | None = None,
        onward: Onward | None = None,
    ) -> None:
        self.onward = {} if onward is None else onward
        self.spoils = spoils
        self.texts = texts
        self.told = told
        self.goal = target
        self.target = stripped(target)
        self.dtype: Dtype = dtype
        self.machine = machine
        self.prices = prices
        self.ends: list[End] = []
        self.best: list[tuple[float, int]] = []  # cost and bytes of the ends
        self._known: dict[TensorLayout, list[tuple[float, int]]] = {}

    def fastest(self, source: TensorLayout) -> End | None:
        """Cost, bytes and steps of the cheapest way; of equals the one that needs least memory."""
        count = itertools.count()  # ways are found in one order, whatever layouts compare like
        open_ways: list[tuple[float, int, int, TensorLayout, tuple[Step, ...]]] = [(0.0, 0, 0, source, ())]
        done: set[TensorLayout] = set()
        while open_ways:
            cycles, peak, _, here, steps = heapq.heappop(open_ways)
            if here == self.target:
                return cycles, peak, steps
            if here in done or len(steps) == MOST_STEPS:
                continue
            done.add(here)
            for more, needed, step in self.following(here, is_first=not steps):
                if step.target not in done and more < math.inf:
                    way = (cycles + more, max(peak, needed), next(count), step.target, (*steps, step))
                    heapq.heappush(open_ways, way)
        return None

    def follow(self, here: TensorLayout, steps: tuple[Step, ...], cycles: float, peak: int) -> None:
        """Goes on from a layout that was reached; `cycles` are what the way there costs."""
        best = self._known.setdefault(here, [])
        if not self.told and any(c <= cycles and b <= peak for c, b in (*best, *self.best)):
            return
        best.append((cycles, peak))
        if here == self.target:
            if len(steps) >= len(self.told):
                self.ends.append((cycles, peak, steps))
                self.best.append((cycles, peak))
            return
        if len(steps) == (len(self.told) or MOST_STEPS):
            return
        if self.told:
            possible = self.priced(
                told_steps(self.next_steps(here), self.told[len(steps)]), is_first=not steps
            )
        else:
            possible = self.following(here, is_first=not steps)
        for more, needed, step in sorted(possible, key=lambda found: found[0]):
            if more < math.inf:
                self.follow(step.target, (*steps, step), cycles + more, max(peak, needed))

    def following(self, here: TensorLayout, *, is_first: bool) -> list[Priced]:
        """Steps from a layout that lead towards the target, those of a way's source or others."""
        if is_first:
            return self.priced(self.next_steps(here), is_first=True)
        if here not in self.onward:
            self.onward[here] = self.priced(self.next_steps(here), is_first=False)
        return self.onward[here]

    def priced(self, steps: Iterable[Step], *, is_first: bool) -> list[Priced]:
        """Steps with what they cost; a way's first one leaves its source as it is, unless that may be spoilt."""
        if is_first:
            steps = (replace(step, is_first=not self.spoils) for step in steps)
        return [(self.cost(step), bytes_needed(step, self.dtype, begins=is_first), step) for step in steps]

    def price(self, step: Step) -> float:
        """Predicted cycles of a step, infinity if it cannot be done; worked out once for all searches."""
        key = (step.kind, step.source, step.target, step.axis, step.choice and step.choice.text, step.combine,
               step.across, step.spoils, self.dtype)  # fmt: skip
        found = self.prices.get(key)
        if found is None:
            found = self.prices[key] = price(step, self.dtype, self.machine, self.prices)
        return found

    def cost(self, step: Step) -> float:
        """The price of a step, with its text where that counts."""
        price = self.price(step)
        if self.texts is None or price == math.inf:
            return price
        return price + text_of(step, self.dtype, self.machine, self.texts)

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
        for name in here.mesh.lines[len(here.mesh.names) :]:
            one = as_one(here, name)
            if one is not here and any(name in dim.axes for dim in self._differing(one)):
                yield from self.along(here, name)

    def _differing(self, here: TensorLayout) -> list[Dimension]:
        return [dim for dim, wanted in zip(here.dims, self.target.dims, strict=True) if dim != wanted]

    def refined(self, here: TensorLayout) -> TensorLayout:
        """The target's dimensions wherever every PE has enough, and their sub-axes are free."""
        found = here
        for number, (dim, wanted) in enumerate(zip(here.dims, self.target.dims, strict=True)):
            if dim == wanted or not covers(here.mesh, dim, wanted):
                continue
            dims = (*found.dims[:number], wanted, *found.dims[number + 1 :])
            changed = TensorLayout(found.mesh, dims, found.partial, found.is_resident)
            if _are_apart(changed) or not changed.problem():
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
        """Blocks along one axis, of which there are copies along the other, become the target's along that."""
        mesh, copied = here.mesh, set(here.copied)
        for number, (dim, wanted) in enumerate(zip(here.dims, self.target.dims, strict=True)):
            free = copied.intersection(wanted.axes)
            if dim == wanted or not free or not dim.axes:
                continue
            turned = replace(here, dims=(*here.dims[:number], wanted, *here.dims[number + 1 :]))
            for name, across in itertools.product(mesh.lines, repeat=2):
                if mesh.axis_of(name) == mesh.axis_of(across) or not free.issuperset(across.split()):
                    continue
                if mesh.stride(name) > 1 or mesh[name].order != "line":
                    continue
                if turn_between(here, turned, name, across):
                    yield Step("turn", here, turned, name, across=across)

    def along(self, here: TensorLayout, name: str) -> Iterator[Step]:
        """Blocks that differ along a line: all of them everywhere, or what a PE wants of them."""
        whole, number, place = gathered(here, name)
        wanted = self.refined(whole)
        if has_equal_pieces(here.dims[number]):
            gatherings = [
                step
                for choice in _gatherings(here, name, self.machine, brief=self.texts is not None)
                if self.price(step := Step("all_gather", here, whole, name, choice)) < math.inf
            ]
            yield from gatherings or self.inside(here, name)
        yield from self.circulated(here, whole, wanted, name)
        yield from self.exchanged(here, whole, wanted, name, number, place)

    def exchanged(
        self,
        here: TensorLayout,
        whole: TensorLayout,
        wanted: TensorLayout,
        name: str,
        number: int,
        place: int,
    ) -> Iterator[Step]:
        """What PEs want of those near to them on their line, a digit of one of its dimensions."""
        source, here = here, as_one(here, name)
        dim = here.dims[number]
        if wanted == whole or _in_pieces(here, wanted) or dim.before or dim.after:
            return
        if here.mesh[name].order != "line" or len(dim.digits[place].axes) > 1 or not is_stretch(dim, place):
            return
        pairs = list(zip(here.dims, wanted.dims, strict=True))
        if not all(covers(here.mesh, have, want) for k, (have, want) in enumerate(pairs) if k != number):
            return
        reach = reach_of(here.mesh, name, *pairs[number], MOST_REACH)
        if reach is not None:
            yield Step("neighbours", source, wanted, name, reach=max(1, reach))

    def circulated(
        self, here: TensorLayout, whole: TensorLayout, wanted: TensorLayout, name: str
    ) -> Iterator[Step]:
        """What a PE wants of all tiles along a sub-axis, which would be `whole` together; all where nothing else is."""
        can_gather = all(has_equal_pieces(dim) for dim in as_one(here, name).dims if name in dim.axes)
        if not can_gather and _in_pieces(wanted):
            wanted = whole
        if (wanted != whole or not can_gather) and not _in_pieces(here, wanted):
            yield Step("circulate", here, wanted, name)

    def inside(self, here: TensorLayout, name: str) -> Iterator[Step]:
        """Where too many lines cross: blocks along inner sub-axes are gathered, so that there are copies of them."""
        for inner in inner_names(here.mesh, name):
            if any(inner in dim.axes and has_equal_pieces(dim) for dim in here.dims):
                whole, *_ = gathered(here, inner)
                for choice in _gatherings(here, inner, self.machine, brief=self.texts is not None):
                    yield Step("all_gather", here, whole, inner, choice)

    def reductions(self, here: TensorLayout) -> Iterator[Step]:
        """One line less over which values are partial."""
        first, *rest = here.partial
        for name in (*first.axes, *_together(here.mesh, first.axes)):
            left = tuple(n for n in first.axes if n not in name.split())
            partial = (Partial(first.kind, left), *rest) if left else tuple(rest)
            whole = replace(here, partial=partial)
            choices = all_reductions(here.mesh[name].extent)
            able = [Step("all_reduce", here, whole, name, choice, first.kind) for choice in choices]
            able = able if self.texts is None else sparing(able, self.machine)
            steps = [step for step in able if self.price(step) < math.inf]
            yield from steps or self.inside(here, name)
            for number, (dim, wanted) in enumerate(zip(here.dims, self.target.dims, strict=True)):
                if wanted == dim or wanted != cut_along(here.mesh, dim, name):
                    continue
                dims = (*here.dims[:number], wanted, *here.dims[number + 1 :])
                for choice in scatterings():
                    kept = replace(whole, dims=dims)
                    yield Step("reduce_scatter", here, kept, name, choice, first.kind)


def bytes_needed(step: Step, dtype: Dtype, *, begins: bool) -> int:
    """Bytes that a step needs; of a movement's first one beside its source."""
    held = 0 if begins else step.source.elements
    return (held + step.target.elements) * DTYPE_BYTES[dtype] + step.bytes(dtype)


def told_steps(possible: Iterable[Step], text: str) -> Iterator[Step]:
    """Those steps that a text of `Movement.texts` tells of; collectives by any algorithm that it names."""
    what, _, where = text.partition(" to ")
    plain, _, choice = what.partition(" by ")
    seen: set[Step] = set()
    for step in possible:
        bare = replace(step, choice=None)
        if str(bare) != plain or bool(step.choice) != bool(choice) or bare in seen:
            continue
        seen.add(bare)
        if where in ("", tensor_text(step.target)):
            yield replace(step, choice=choose(step.kind, choice)) if choice else step


def tensor_text(layout: TensorLayout) -> str:
    """A layout's text without its mesh."""
    tensor, _, rest = layout_text(layout).partition(" on ")
    return tensor + "".join(rest.partition(", partial ")[1:])


def _are_apart(layout: TensorLayout) -> bool:
    """Whether no sub-axis is named twice: dimensions that are sound by themselves are so together then."""
    named = [name for dim in layout.dims for name in dim.axes]
    named += [name for partial in layout.partial for name in partial.axes]
    return len(set(named)) == len(named)


def _in_pieces(*layouts: TensorLayout) -> bool:
    return any(dim.pieces for layout in layouts for dim in layout.dims)


def _together(mesh: Mesh, axes: Sequence[str]) -> list[str]:
    """The line of all of some sub-axes, if they follow each other."""
    return [line for line in mesh.joined(axes) if " " in line and set(line.split()) == set(axes)]


@lru_cache(maxsize=1 << 10)
def _choices(operation: str, names: tuple[str, ...]) -> list[Choice]:
    return [choose(operation, name) for name in names]


def all_reductions(extent: int) -> list[Choice]:
    """Algorithms whose plans are made at once, with few colours: over an end of the line, over its middle, round it."""
    group, half = max(1, math.isqrt(extent)), max(1, math.isqrt(extent // 2))
    ends = ("chain", f"two_phase{{group={group}}}", "tree")
    middle = ("chain{middle=1}", f"two_phase{{group={half} middle=1}}")
    return _choices("all_reduce", (*ends, *middle, "ring"))


def scatterings() -> list[Choice]:
    """Algorithms that combine partial values in blocks."""
    return _choices("reduce_scatter", ("ring",))


def _gatherings(here: TensorLayout, name: str, machine: Machine, *, brief: bool) -> list[Choice]:
    """Algorithms for a gathering whose colours suffice on all lines that cross; text grows with colours."""
    probe = Step("all_gather", here, here, name)
    lines = probe.line().stride
    most = len(machine.usable_colours) // lines
    numbers = {min(n, most) for n in ((_FEW_COLOURS, *_COLOURS) if brief else _COLOURS)}
    names = [f"multicast{{colours={n}}}" for n in sorted(numbers) if n >= 1]
    return _choices("all_gather", (*names, *(("ring",) if most >= 3 else ())))
