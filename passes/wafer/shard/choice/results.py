"""What becomes of an operation's partial results: combined on all PEs, or in blocks along the axes of the sum."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

from .....wse_target.instructions import DTYPE_BYTES, Combine
from .....wse_target.layout.tensor_layout import Partial
from ...communicate import scattered
from ..cost import CostModel
from ..nodes import Option, dtype_of, only_returned, op_result


def with_results(option: Option, op: Any, cost: CostModel) -> Iterator[Option]:
    """Options that combine what an option leaves partial, with what that costs."""
    yield _on_all(option, op, cost)
    if option.loops is not None and len({r.result for r in option.reductions}) == 1:
        yield from _in_blocks(option, op, cost)


def _on_all(option: Option, op: Any, cost: CostModel) -> Option:
    cycles = option.cycles
    for reduction in option.reductions:
        result, given = op_result(op, reduction.result), option.gives[reduction.result]
        cycles += cost.combined(
            given.elements,
            dtype_of(result),
            cast(Combine, reduction.kind),
            given.mesh[reduction.axis].extent,
            everywhere=not only_returned(result),
            stride=given.mesh.stride(reduction.axis),
        )
    return replace(option, cycles=cycles)


def _in_blocks(option: Option, op: Any, cost: CostModel) -> Iterator[Option]:
    """Each axis cuts another dimension of the result, or none; one at least is cut."""
    index = option.reductions[0].result
    whole, dtype = option.gives[index], dtype_of(op_result(op, index))
    partial = tuple(Partial(cast(Combine, r.kind), tuple(r.axis.split())) for r in option.reductions)
    axes = [r.axis for r in option.reductions]
    for chosen in itertools.product((None, *range(len(whole.dims))), repeat=len(axes)):
        dims = {axis: dim for axis, dim in zip(axes, chosen, strict=True) if dim is not None}
        if not dims or len(set(dims.values())) < len(dims):
            continue
        way = scattered(whole, partial, dims, dtype, cost.ways)
        if way is None:
            continue
        size = DTYPE_BYTES[dtype]
        held, left = whole.elements * size, way.target.elements * size  # the result is counted by itself
        yield replace(
            option,
            gives=tuple(way.target if k == index else given for k, given in enumerate(option.gives)),
            cycles=option.cycles + way.cycles,
            scratch=max(option.scratch + held - left, held + way.peak_bytes - left, 0),
            reductions=tuple(sorted(option.reductions, key=lambda r: r.axis not in dims)),
            scattering=way,
        )
