"""Partial values that nobody else reads, combined in blocks: each PE gets a part of the sum."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from ....wse_target.instructions import Dtype
from ....wse_target.layout.tensor_layout import Partial, TensorLayout
from .movement import Movement
from .search import all_reductions, bytes_needed, scatterings
from .steps import Step, sparing
from .tiles import cut_along
from .ways import Ways


def scattered(
    whole: TensorLayout, partial: tuple[Partial, ...], dims: Mapping[str, int], dtype: Dtype, ways: Ways
) -> Movement | None:
    """Combines a value that is partial over sub-axes, and leaves it in blocks along some of them.

    The source of the movement is `whole` with the partial values, those that are scattered first.

    Args:
        partial: each over sub-axes that follow each other on one grid axis.
        dims: by such a line which dimension is cut; partial values along others are combined on all PEs.

    Returns:
        None where a dimension has not as many indices as blocks need, or no algorithm can do it.
    """
    order = sorted(partial, key=lambda p: " ".join(p.axes) not in dims)
    source = here = whole.with_partial(*order)
    steps: list[Step] = []
    cycles, peak = 0.0, 0
    for number, part in enumerate(order):
        axis = " ".join(part.axes)
        there = here.with_partial(*order[number + 1 :])
        if axis in dims:
            cut = cut_along(here.mesh, here.dims[dims[axis]], axis)
            if cut is None:
                return None
            there = replace(
                there, dims=tuple(cut if d == dims[axis] else dim for d, dim in enumerate(here.dims))
            )
        choices = scatterings() if axis in dims else all_reductions(here.mesh[axis].extent)
        kind = "reduce_scatter" if axis in dims else "all_reduce"
        able = [Step(kind, here, there, axis, choice, part.kind) for choice in choices]
        able = sparing(able, ways.machine) if ways.brief else able
        step = min(able, key=lambda s: ways.price(s, dtype))
        cycles += ways.price(step, dtype)
        peak = max(peak, bytes_needed(step, dtype, begins=not number))
        steps.append(step)
        here = there
    if cycles == math.inf or here.problem():
        return None
    return Movement(source, here, dtype, ways.machine, tuple(steps), cycles, peak)
