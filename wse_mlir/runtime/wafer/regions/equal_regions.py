"""Regions that are the same but for names and places in the model, as those of equal layers, are lowered once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ....dialects.host import ir
from ....dialects.provenance import describe_location
from ....passes.wafer.emit.wse_emit_programs import phase_label
from ....passes.wafer.executable import source_of
from ....passes.wafer.shard.main_function import find_main
from ....wse_target.instructions import Source

_NAME, _KIND = "wse.name", "wse.kind"


class LowersRegion(Protocol):
    """Lowers the module of one region to the executable stage, by the options that are given; also what was weighed."""

    def __call__(self, region: ir.Operation, **given: Any) -> tuple[ir.Operation, list[dict[str, Any]]]: ...


@dataclass(frozen=True)
class LoweredRegion:
    """A region at stage `executable`.

    Attributes:
        module: that of the first region that is the same.
        choices: what the partitioner chose among.
        sources / phases: what instructions of that module come from, and what their phases are called -> the same of
            this region; empty for the first one.
        locations: of this region's sources.
    """

    module: ir.Operation
    choices: list[dict[str, Any]]
    locations: Mapping[Source, ir.Location]
    sources: Mapping[Source, Source] = field(default_factory=dict)
    phases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Places:
    """Of each operation of a region, in order, where in the model it is from."""

    sources: list[Source]
    phases: list[str]
    described: list[str]
    locations: list[ir.Location]

    @staticmethod
    def of(module: ir.Operation) -> _Places:
        operations = list(find_main(module).body.blocks[0].operations)
        return _Places(
            [source_of(op) for op in operations],
            [phase_label(op) for op in operations],
            [describe_location(op.location) for op in operations],
            [op.location for op in operations],
        )


class EqualRegions:
    """Lowers regions, equal ones once.

    Attributes:
        count: how many were lowered.
    """

    def __init__(self, lower_region: LowersRegion) -> None:
        self.count = 0
        self._lower = lower_region
        self._known: dict[tuple[str, str], tuple[LoweredRegion, _Places]] = {}

    def lower(self, module: ir.Operation, *, grid: str = "", within: str = "") -> LoweredRegion:
        """A region with its streams, on a grid, or on the best one within another."""
        places, key = _Places.of(module), (_anonymous(module), grid or f"within {within}")
        locations = dict(zip(places.sources, places.locations, strict=True))
        if key not in self._known:
            self.count += 1
            lowered, choices = self._lower(module, grid=grid, within=within)
            self._known[key] = LoweredRegion(lowered, choices, locations), places
            return self._known[key][0]
        first, there = self._known[key]
        described = dict(zip(there.described, places.described, strict=True))
        choices = [
            {
                name: described.get(value, value) if isinstance(value, str) else value
                for name, value in choice.items()
            }
            for choice in first.choices
        ]
        return replace(
            first,
            choices=choices,
            locations=locations,
            sources=dict(zip(there.sources, places.sources, strict=True)),
            phases=dict(zip(there.phases, places.phases, strict=True)),
        )


def _anonymous(module: ir.Operation) -> str:
    """A region's module as text without locations, and with numbers for the names of its arguments and results."""
    copy = module.clone()
    main, numbers = find_main(copy), dict[str, int]()
    with copy.context:
        for which in ("arg_attrs", "res_attrs"):
            if which in main.attributes:
                described = [_numbered(ir.DictAttr(a), numbers) for a in ir.ArrayAttr(main.attributes[which])]
                main.attributes[which] = ir.ArrayAttr.get(described)
        return str(copy.get_asm(enable_debug_info=False))


def _numbered(described: ir.DictAttr, numbers: dict[str, int]) -> ir.Attribute:
    """What is known of an argument or a result: a state has the number that it has wherever it is named."""
    entries = {entry.name: entry.attr for entry in described}
    if _NAME in entries and _KIND in entries:
        name = ir.StringAttr(entries[_NAME]).value
        number = numbers.setdefault(name, len(numbers))
        entries[_NAME] = ir.StringAttr.get(str(number))
    return ir.DictAttr.get(entries)
