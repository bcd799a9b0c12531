"""`wse show`: the program that a model becomes on a wafer, for people to read."""

from __future__ import annotations

from ...dialects.wse.printer import print_program
from ...passes.infra.pass_manager import run_pipeline
from ..runtime.wafer import pipeline_text
from ..targets import find_wafer
from ..workload import open_model


def show_workload(path: str, target: str) -> None:
    """Prints buffers with their SRAM offsets, colours, routes, and the instructions of each class of PEs.

    Raises:
        CompilerError: the target is no wafer, or the model cannot be lowered to it.
    """
    find_wafer(target)
    module = open_model(path).imported().module
    run_pipeline(module, pipeline_text(target, {}))
    print(print_program(module))
