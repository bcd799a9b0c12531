"""Single steps of movements: what each needs, costs, and makes PEs do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from ....wse_target.image import StridedRect
from ....wse_target.instructions import DTYPE_BYTES, Combine, Dtype
from ....wse_target.layout.mesh import Mesh
from ....wse_target.layout.tensor_layout import TensorLayout
from ....wse_target.machine import Machine
from ..algorithms.algorithm import Choice, choose
from ..algorithms.collectives import broadcast, neighbours, redistribute, strided, turning
from ..algorithms.collectives.all_reduce import rooted
from ..algorithms.collectives.costs import tile_words
from ..algorithms.collectives.distribution import Boxes
from ..algorithms.fragment import CollectiveRequest, Fragment, Line, RectangleText, Scratch, sequence
from .coverage import line_of
from .tiles import Placed, copy, copy_cycles, is_in_order, owners_along, shared
from .turns import Turn, turn_between, turning_of

Prices = dict[tuple[Any, ...], float]  # predicted cycles of collectives on one machine
StepKind = Literal["copy", "all_gather", "neighbours", "circulate", "all_reduce", "reduce_scatter", "turn"]


@dataclass(frozen=True)
class Step:
    """From one layout to another.

    Attributes:
        axis: the sub-axis that words travel along; "" for a copy.
        choice: of a collective.
        combine: of a reduction.
        across: of a turn: the sub-axis that blocks are bound to in the target, in place of `axis`; see `turns`.
        reach: of an exchange between neighbours: how many PEs away they may be.
        is_first: whether its source is somebody else's, and must stay as it is.
    """

    kind: StepKind
    source: TensorLayout
    target: TensorLayout
    axis: str = ""
    choice: Choice | None = None
    combine: Combine = "add"
    across: str = ""
    reach: int = 1
    is_first: bool = False

    def __str__(self) -> str:
        by = f" by {self.choice}" if self.choice else ""
        within = f" within {self.reach}" if self.reach > 1 else ""
        return f"{self.kind}{within}{f' along {self.axis}' if self.axis else ''}{by}"

    @property
    def spoils(self) -> bool:
        """Whether it works on its source, so that it needs a copy of one that must stay."""
        return self.kind == "reduce_scatter" and self.is_first

    def bytes(self, dtype: Dtype) -> int:
        """Of buffers beside its source and its target."""
        passing = 2 if self.kind == "circulate" else 1 if self.spoils else 0
        if self.kind == "neighbours" and self.reach > 1:
            passing = _passing_tiles(self.source, self.target, self.axis, self.reach)
        return passing * self.source.elements * DTYPE_BYTES[dtype]

    def line(self) -> Line:
        """The lines that it runs along."""
        line = line_of(self.source.mesh, self.axis)
        if self.every > 1:
            return replace(line, length=line.extent * line.stride, stride=1)
        return line

    @property
    def every(self) -> int:
        """PEs that hold copies of one tile, one after the other, of a collective along an outer sub-axis."""
        mesh = self.source.mesh
        stride = mesh.stride(self.axis) if self.axis else 1
        if self.kind not in ("all_gather", "all_reduce") or stride == 1:
            return 1
        if self.kind == "all_gather" and not is_in_order(self.source, self.axis):
            return 1
        return stride if set(inner_names(mesh, self.axis)) <= set(self.source.copied) else 1


def inner_names(mesh: Mesh, name: str) -> list[str]:
    """The sub-axes inside of a line."""
    names = [f.name for f in (mesh.x if mesh.axis_of(name) == "x" else mesh.y)]
    return names[names.index(name.split()[-1]) + 1 :]


def request_of(step: Step, here: Placed, there: Placed, machine: Machine, prefix: str) -> CollectiveRequest:
    """What a collective is asked for."""
    line = step.line()
    if step.kind == "all_reduce":
        return CollectiveRequest(line, there.walk(), machine, prefix, combine=step.combine)
    if step.kind == "reduce_scatter":
        own, placed, spread = shared(there, here, step.axis)
        return CollectiveRequest(
            line, placed, machine, prefix, result=own, combine=step.combine, spread=spread
        )
    own, placed, spread = shared(here, there, step.axis)
    if spread is not None:
        spread = replace(spread, every=step.every)
    return CollectiveRequest(line, own, machine, prefix, result=placed, spread=spread)


def _sample(step: Step, dtype: Dtype) -> tuple[Placed, Placed]:
    return Placed(step.source, "s", dtype), Placed(step.target, "t", dtype)


def colours_of(step: Step) -> int:
    """How many colours a step takes on a line, at least."""
    name = step.choice.algorithm.name if step.choice else step.kind
    middle = 1 if step.choice and step.choice.options.get("middle") else 0
    tree = (1 + middle) * (step.line().extent >> middle).bit_length() + 1
    return {"two_phase": 4 + middle, "neighbours": 4, "tree": tree, "multicast": 1}.get(name, 3)


def sparing(steps: Sequence[Step], machine: Machine) -> list[Step]:
    """Of steps that do the same those that leave half of the colours to what runs beside them, or take fewest."""
    colours = [step.line().stride * colours_of(step) for step in steps]
    most = max(len(machine.usable_colours) // 2, min(colours, default=0))
    return [step for step, number in zip(steps, colours, strict=True) if number <= most]


def refusal(step: Step, dtype: Dtype, machine: Machine) -> str:
    """Why a step cannot be done, "" if it can."""
    if step.kind in ("copy", "turn"):
        return ""
    line, colours = step.line(), colours_of(step)
    if line.stride * colours > len(machine.usable_colours):
        return f"{line.stride} lines that cross need {colours} colours each"
    if step.choice is None:
        return ""
    if step.every > 1 and step.choice.algorithm.name == "ring":
        return "there are copies between the PEs of a ring"
    if step.kind != "all_gather":
        return ""
    return strided.refuses(step.choice, request_of(step, *_sample(step, dtype), machine, "m"))


def price(step: Step, dtype: Dtype, machine: Machine, prices: Prices) -> float:
    """Predicted cycles of a step, infinity where it cannot be done; `prices` are looked up and added to."""
    if step.kind == "copy":
        return copy_cycles(step.source, step.target, dtype, machine)
    shape = _shape(step, dtype)
    if shape not in prices:
        prices[shape] = math.inf if refusal(step, dtype, machine) else _cycles(step, dtype, machine)
    first = step.kind == "all_reduce" or step.spoils
    return prices[shape] + (copy_cycles(step.source, step.source, dtype, machine) if first else 0.0)


def _shape(step: Step, dtype: Dtype) -> tuple[Any, ...]:
    """All that the price of a step depends on, the copy of a source that must stay left out."""
    line, source, target = step.line(), step.source, step.target
    found = (step.kind, step.choice and step.choice.text, step.combine, line.extent, line.stride, step.every,
             dtype, source.elements, target.elements)  # fmt: skip
    if step.kind == "neighbours":
        return (*found, line, step.reach, source.dims, target.dims)
    if step.kind == "circulate":
        return (*found, source.tile_shape, target.tile_shape)
    if step.kind == "turn":
        return (*found, _turn(step))
    # Of blocks without halos some PE has a whole tile.
    found += tuple(dim for layout in (source, target) for dim in layout.dims if not dim.is_plain)
    if step.kind == "all_reduce":  # rings cut the longest dimension
        return (*found, max(source.tile_shape, default=1))
    if step.kind != "all_gather":
        return found
    return (*found, owners_along(source, step.axis), is_in_order(source, step.axis))


def _cycles(step: Step, dtype: Dtype, machine: Machine) -> float:
    here, there = _sample(step, dtype)
    line = step.line()
    slow = strided.slower(machine, line.stride)
    if step.kind == "turn":
        turn = _turn(step)
        sent = there.walk() if turn.share > 1 else here.walk()
        return turning.cycles(line, tile_words(sent, line.grid), dtype, machine, turn.rounds)
    if step.kind == "circulate":
        sizes, wanted = ([max(1, dim.room) for dim in at.dims] for at in (step.source, step.target))
        return redistribute.cycles_of_round(line, sizes, wanted, dtype, slow)
    if step.kind == "neighbours":
        return neighbours.cycles(line, *_boxes(here, there), slow, step.reach)
    assert step.choice is not None
    if step.kind == "all_reduce" and step.every > 1:
        request, spread = _reduction_of_copies(step, here, there, machine, "m")
        far = machine.replace(fabric__hop_latency=machine.fabric.hop_latency * step.every)
        return _reduction(step).cycles(replace(request, machine=far)) + broadcast.cycles(spread)
    return strided.cycles(step.choice, request_of(step, here, there, machine, "m"))


def _turn(step: Step) -> Turn:
    found = turn_between(step.source, step.target, step.axis, step.across)
    assert found is not None, f"{step} is no turn"
    return found


def _reduction(step: Step) -> Choice:
    assert step.choice is not None
    algorithm = choose("reduce", step.choice.algorithm.name).algorithm
    return Choice(algorithm, {name: step.choice.options[name] for name in algorithm.options})


def _reduction_of_copies(
    step: Step, here: Placed, there: Placed, machine: Machine, prefix: str
) -> tuple[CollectiveRequest, CollectiveRequest]:
    """Of PEs that have copies the first ones combine what they have, and send it to all."""
    assert step.choice is not None
    spread = request_of(step, here, there, machine, prefix)
    middle = step.choice.options.get("middle", 0)
    reduction = rooted(replace(spread, line=line_of(step.source.mesh, step.axis)), middle)
    return reduction, replace(spread, root=reduction.root * step.every)


@lru_cache(maxsize=1 << 12)
def _passing_tiles(source: TensorLayout, target: TensorLayout, axis: str, reach: int) -> int:
    """Of an exchange with PEs further away, tiles that are on their way through a PE."""
    step = Step("neighbours", source, target, axis, reach=reach)
    return neighbours.passing_tiles(step.line(), *_boxes(*_sample(step, "f32")), reach)


def _boxes(here: Placed, there: Placed) -> tuple[Boxes, Boxes]:
    """Source and target of a step between layouts that have no dimension in pieces."""
    source, target = here.boxes(), there.boxes()
    assert source is not None and target is not None
    return source, target


def fragment(step: Step, here: Placed, there: Placed, machine: Machine, prefix: str) -> Fragment:
    """What PEs do in a step."""
    rect = step.source.mesh.rect
    grid = (rect.w, rect.h)
    everywhere = StridedRect((0, 0), grid)
    if step.kind == "copy":
        return Fragment((RectangleText(everywhere, copy(here, there, prefix)),))
    if step.kind in ("circulate", "neighbours"):
        boxes, made = _boxes(here, there), list[Fragment]()
        for line in strided.lines_of(step.line()):
            own = f"{prefix}{line.offset}_" if line.stride > 1 else prefix
            if step.kind == "circulate":
                made.append(redistribute.circulate(line, *boxes, own))
            else:
                made.append(neighbours.build(line, *boxes, own, step.reach))
        return strided.together(made)
    if step.kind == "turn":
        how = turning_of(_turn(step), step.source.mesh, step.across, step.axis, here, there, prefix)
        return turning.build(step.line(), how, machine, prefix)
    before: list[Fragment] = []
    if step.kind == "all_reduce":
        before = [
            Fragment((RectangleText(everywhere, copy(here, replace(there, layout=step.source), prefix)),))
        ]
    if step.spoils:
        kept = Placed(step.source, f"{prefix}spoilt", here.dtype)
        scratch = Scratch(kept.buffer, (max(1, step.source.elements),), here.dtype)
        before = [Fragment((RectangleText(everywhere, copy(here, kept, prefix)),), (scratch,))]
        here = kept
    assert step.choice is not None
    if step.kind == "all_reduce" and step.every > 1:
        request, spread = _reduction_of_copies(step, here, there, machine, prefix)
        return sequence([*before, _reduction(step).build(request), broadcast.build(spread)], grid)
    request = request_of(step, here, there, machine, prefix)
    return sequence([*before, strided.build(step.choice, request)], grid)
