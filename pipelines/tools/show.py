"""`wse show`: the program that a model becomes on a wafer, for people to read."""

from __future__ import annotations

from ...dialects.wse.printer import print_program
from ...passes.infra.pass_manager import run_pipeline
from ..runtime.wafer import lower, pipeline_text
from ..targets import find_wafer
from ..workload import open_model
from .output import console_beside
from .plan_table import plan_table

_WIDTH = 160  # columns where there is no terminal


def show_plan(path: str, target: str) -> None:
    """Prints what the partitioner chose for each operation, what that costs, and what lost.

    Raises:
        CompilerError: the target is no wafer, or the model cannot be lowered to it.
    """
    find_wafer(target)
    _, choices = lower(open_model(path).imported().module, target, {})
    console_beside(width=_WIDTH).print(plan_table(target, choices))


def show_workload(path: str, target: str) -> None:
    """Prints buffers with their SRAM offsets, colours, routes, and the instructions of each class of PEs.

    Raises:
        CompilerError: the target is no wafer, or the model cannot be lowered to it.
    """
    find_wafer(target)
    module = open_model(path).imported().module
    run_pipeline(module, pipeline_text(target, {}))
    print(print_program(module))
