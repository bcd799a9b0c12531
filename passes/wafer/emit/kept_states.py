"""States that stay on the PEs between calls: their next values are copied to where the present ones are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ....dialects.host import ir
from ....wse_target.image import HostTransfer
from ....wse_target.instructions import Instruction
from ....wse_target.layout.tensor_layout import TensorLayout
from ..communicate import Movement
from ..shard.cost import CostModel
from ..shard.interface_attributes import argument_attributes, result_attributes
from ..shard.lowering import RESHAPES
from ..shard.main_function import find_main
from ..shard.nodes import dtype_of
from .movement import copy
from .tiles import LocalTile


@dataclass(frozen=True)
class KeptState:
    """An argument of `@main` and the result that is its next value, by position."""

    argument: int
    result: int


def states_of(
    argument_kinds: Sequence[str],
    arguments: Sequence[str],
    result_kinds: Sequence[str],
    results: Sequence[str],
) -> list[KeptState]:
    """The states of a model, from the kinds and names of its arguments and results."""
    numbers = {
        name: i
        for i, (kind, name) in enumerate(zip(argument_kinds, arguments, strict=True))
        if kind == "state"
    }
    named = enumerate(zip(result_kinds, results, strict=True))
    return [KeptState(numbers[name], i) for i, (kind, name) in named if kind == "state" and name in numbers]


def homes(main: Any) -> dict[int, ir.Value]:
    """By number of a result that is the next value of a state, the argument that is its present one."""
    kinds, names = (argument_attributes(main, n, d) for n, d in (("kind", "input"), ("name", "")))
    results = (result_attributes(main, n, d) for n, d in (("kind", "output"), ("name", "")))
    arguments = list(main.body.blocks[0].arguments)
    return {s.result: arguments[s.argument] for s in states_of(kinds, names, *results)}


def way_home(
    value: ir.Value, held: TensorLayout, home: Mapping[TensorLayout, ir.Value], cost: CostModel, free: int
) -> Movement | None:
    """How the next value of a state gets to where its present one is; None where it is there, or has to stay.

    Args:
        held: the layout of the next value.
        home: the present value as it is on the PEs, in all its layouts.
        free: bytes of a PE that nothing else takes at the end of a call.
    """
    brought = [layout for layout, v in home.items() if is_from(v, "wse.scatter")]
    if len(brought) != 1 or brought[0] == held or isinstance(value.owner, ir.Block) or _on_one_pe(value):
        return None
    way = cost.ways.fastest(held, brought[0], dtype_of(value))
    return way if way is not None and way.peak_bytes <= free else None


def is_from(value: ir.Value, name: str) -> bool:
    """Whether an operation of that name gives a value."""
    return not isinstance(value.owner, ir.Block) and value.owner.name == name


def has_states(module: ir.Operation) -> bool:
    """Whether `@main` has states."""
    main = find_main(module)
    return "state" in result_attributes(main, "kind", "output")


def keep_states(
    states: Sequence[KeptState],
    brought: Mapping[int, LocalTile],
    returned: Mapping[int, tuple[ir.Value, LocalTile]],
    scatters: list[HostTransfer],
    gathers: list[HostTransfer],
) -> list[Instruction]:
    """Makes the transfers of states resident that can stay, and returns what every PE does at the end of a call for it.

    A state stays where it is when every PE has the part of the next value that it holds of the present one. It does
    not when another result is read from the same place at the end of the call.

    Args:
        brought / returned: by number of argument and result, tiles that the host fills and that it reads.
    """
    found: dict[KeptState, tuple[LocalTile, LocalTile]] = {}
    for state in states:
        if state.argument not in brought or state.result not in returned:
            continue
        value, new = returned[state.result]
        old = brought[state.argument]
        many = sum(t.tensor == state.argument for t in scatters) + sum(
            t.tensor == state.result for t in gathers
        )
        if many == 2 and old.layout == new.layout and not _on_one_pe(value):
            found[state] = old, new
    read = {(number, tile.buffer) for number, (_, tile) in returned.items()}
    kept = {
        state: pair
        for state, pair in found.items()
        if not any(buffer == pair[0].buffer and number != state.result for number, buffer in read)
    }
    places = {state.result: old for state, (old, _) in kept.items()}
    arguments = {state.argument for state in kept}
    scatters[:] = [replace(t, resident=True) if t.tensor in arguments else t for t in scatters]
    gathers[:] = [
        replace(t, resident=True, access=places[t.tensor].whole()) if t.tensor in places else t
        for t in gathers
    ]
    return [copy(old, new) for old, new in kept.values() if old.buffer != new.buffer]


def _on_one_pe(value: Any) -> bool:
    """Whether a value was reduced to one PE of each line: others hold parts of it."""
    while not isinstance(value.owner, ir.Block) and value.owner.name in RESHAPES:
        value = value.owner.operands[0]
    return is_from(value, "wse.reduce")
