"""`wse show`: the program that a model becomes on a wafer, for people to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dialects.host import ir
from ...dialects.wse.printer import print_program
from ..runtime.wafer import lower
from ..targets import check_options, find_wafer
from ..workload import open_model
from .output import console_beside
from .plan_table import plan_table

_WIDTH = 160  # columns where there is no terminal


def show_plan(path: str, target: str, options: Mapping[str, str]) -> None:
    """Prints what the partitioner chose for each operation, what that costs, and what lost.

    Raises:
        CompilerError: the target is no wafer, or the model cannot be lowered to it with these options of the target.
    """
    _, choices = _lowered(path, target, options)
    console_beside(width=_WIDTH).print(plan_table(target, choices))


def show_workload(path: str, target: str, options: Mapping[str, str]) -> None:
    """Prints buffers with their SRAM offsets, colours, routes, and the instructions of each class of PEs.

    Raises:
        CompilerError: the target is no wafer, or the model cannot be lowered to it with these options of the target.
    """
    module, _ = _lowered(path, target, options)
    print(print_program(module))


def _lowered(path: str, target: str, options: Mapping[str, str]) -> tuple[ir.Operation, list[dict[str, Any]]]:
    check_options(find_wafer(target), options)
    return lower(open_model(path).imported().module, target, options)
