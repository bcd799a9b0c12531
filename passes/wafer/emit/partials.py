"""Reductions of which every PE holds just one element: its part of the result is there before anything is computed."""

from math import prod
from typing import Any

from ....dialects.affine.expressions import dim_position
from ....dialects.host import ir
from ....dialects.structured import PARALLEL, REDUCTION
from ....wse_target.layout.tensor_layout import TensorLayout
from ..scalars.splat import splat_of
from ..scalars.values import Operand
from ..shard.interface_attributes import arguments_named
from ..shard.nodes import analyse


def partial_in_place(op: Any, loops: TensorLayout, main: Any) -> ir.Value | None:
    """The operand whose tile is the operation's partial result as it stands, None when there is none.

    That takes a plain reduction from its neutral number, one element along each reduced dimension on every PE, the
    kept dimensions in order, and an operand that nothing else reads and that no later call needs.
    """
    compute = analyse(op)
    view, found = compute.view, compute.accumulations[0]
    if len(view.inputs) != 1 or len(view.inits) != 1 or found is None or found.value != Operand(0):
        return None
    reduced = [i for i, kind in enumerate(view.iterators) if kind == REDUCTION]
    single = all(prod(d.extent for d in loops.dims[i].digits) == loops.dims[i].size for i in reduced)
    kept = [dim_position(e) for e in view.maps[0].results]
    in_order = [i for i in kept if i is not None and view.iterators[i] == PARALLEL]
    if not reduced or not single or not compute.neutral_inits():
        return None
    if None in kept or in_order != [dim_position(e) for e in view.init_maps[0].results]:
        return None
    value = view.inputs[0]
    if splat_of(value) is not None:  # which no tile holds
        return None
    return value if len(list(value.uses)) == 1 and not _stays(value, main) else None


def _stays(value: ir.Value, main: Any) -> bool:
    """Whether a value is on the device for more than one call, as parameters and constants are."""
    owner = value.owner
    if isinstance(owner, ir.Block):
        return True
    if owner.name != "wse.scatter" or not isinstance(owner.operands[0].owner, ir.Block):
        return False
    return arguments_named(main)[ir.BlockArgument(owner.operands[0]).arg_number] != "input"
