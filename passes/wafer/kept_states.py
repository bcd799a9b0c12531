"""States that stay on the PEs between calls: their next values are copied to where the present ones are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...dialects.host import ir
from ...wse_target.image import HostTransfer, Instruction
from .emit_movement import copy
from .emit_tiles import Tile
from .main_function import find_main, result_attributes
from .plan import RESHAPES


@dataclass(frozen=True)
class State:
    """An argument of `@main` and the result that is its next value, by position."""

    argument: int
    result: int


def states_of(
    argument_kinds: Sequence[str],
    arguments: Sequence[str],
    result_kinds: Sequence[str],
    results: Sequence[str],
) -> list[State]:
    """The states of a model, from the kinds and names of its arguments and results."""
    numbers = {
        name: i
        for i, (kind, name) in enumerate(zip(argument_kinds, arguments, strict=True))
        if kind == "state"
    }
    named = enumerate(zip(result_kinds, results, strict=True))
    return [State(numbers[name], i) for i, (kind, name) in named if kind == "state" and name in numbers]


def has_states(module: ir.Operation) -> bool:
    """Whether `@main` has states."""
    main = find_main(module)
    return "state" in result_attributes(main, "kind", "output")


def keep_states(
    states: Sequence[State],
    brought: Mapping[int, Tile],
    returned: Mapping[int, tuple[ir.Value, Tile]],
    scatters: list[HostTransfer],
    gathers: list[HostTransfer],
) -> list[Instruction]:
    """Makes the transfers of states resident that can stay, and returns what every PE does at the end of a call for it.

    A state stays where it is when every PE has the part of the next value that it holds of the present one. It does
    not when another result is read from the same place at the end of the call.

    Args:
        brought / returned: by number of argument and result, tiles that the host fills and that it reads.
    """
    found: dict[State, tuple[Tile, Tile]] = {}
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
    return not isinstance(value.owner, ir.Block) and value.owner.name == "wse.reduce"
