"""`wse show`: the program that a model becomes on a wafer, for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..compiler.targets import check_options, find_wafer
from ..compiler.workload import open_model
from ..dialects.host import ir
from ..dialects.wse.printer import print_program
from ..frontend.imported import ImportedModel
from ..runtime.wafer.options import is_in_parts
from ..runtime.wafer.parts.counts import cut_into, with_enough_programs
from ..runtime.wafer.parts.lowering import SINCE, in_parts
from ..runtime.wafer.parts.report import parts_report
from ..runtime.wafer.target import LoweredModule, lower
from .output import console_beside
from .parts_text import parts_text
from .plan_table import plan_table

_WIDTH = 160  # columns where there is no terminal


def show_plan(path: str, target: str, options: Mapping[str, Any]) -> None:
    """Prints what the partitioner chose for each operation, what that costs, and what lost.

    Raises:
        CompilerError: the target is no wafer, or the model cannot be lowered to it with these options of the target.
    """
    shown, told = _lowered(path, target, options)
    console = console_beside(width=_WIDTH)
    for program in shown:
        named = f"{target}, {program.name}" if program.name else target
        for title, choices in _by_region(named, program.choices):
            console.print(plan_table(title, choices))
    if told:
        console.print(told, markup=False)


def _by_region(title: str, choices: Sequence[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """What was weighed for a program, for each of its regions apart."""
    regions = list(dict.fromkeys(choice.get("region") for choice in choices))
    for region in regions or [None]:
        own = [choice for choice in choices if choice.get("region") == region]
        yield title if region is None else f"{title}, region {region}", own


def show_workload(path: str, target: str, options: Mapping[str, Any]) -> None:
    """Prints buffers with their SRAM offsets, colours, routes, and the instructions of each class of PEs.

    Raises:
        CompilerError: the target is no wafer, or the model cannot be lowered to it with these options of the target.
    """
    shown, told = _lowered(path, target, options)
    for program in shown:
        print(f"// {program.name}\n" if program.name else "", end="")
        print(print_program(program.module))
    if told:
        print(told)


@dataclass(frozen=True)
class _Shown:
    """A program on the wafer, and what was weighed for it; the name is that of a part, and else empty."""

    name: str
    module: ir.Operation
    choices: list[dict[str, Any]]


def _shown(name: str, lowered: LoweredModule) -> _Shown:
    return _Shown(name, lowered.module, lowered.choices)


def _lowered(path: str, target: str, options: Mapping[str, Any]) -> tuple[list[_Shown], str]:
    """The programs that a model becomes on a wafer, and what is said of their parts."""
    check_options(find_wafer(target), options)
    imported = open_model(path).imported()
    return with_enough_programs(options, lambda asked: _lowered_as_asked(imported, target, asked))


def _lowered_as_asked(
    imported: ImportedModel, target: str, options: Mapping[str, Any]
) -> tuple[list[_Shown], str]:
    """`_lowered` with a number of programs that is known."""
    found = in_parts(imported, target, options) if is_in_parts(options) else None
    if found is None:
        return [_shown("", lower(imported.module, target, options))], ""
    on_wafer = [part for part in found.parts if part.on_wafer]
    with cut_into(len(on_wafer), options):
        shown = [
            _shown(part.name, lower(part.model.module, target, options, since=SINCE)) for part in on_wafer
        ]
    return shown, parts_text(parts_report(found.parts, found.operators))
