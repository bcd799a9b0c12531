"""What parameters determine: the host computes it when they are bound, and loads it like them.

`wse-split-parameters` moves it into a function beside `@main`, which is compiled for the CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...dialects.host import func, ir
from ...frontend.call_interface import CallInterface
from ...frontend.imported import ImportedModel
from ...frontend.interface import read_main
from ...passes.infra.timing import Timer
from ...passes.wafer.shard.main_function import find_main
from ..cpu.program import CpuExecutable, CpuProgram
from ..cpu.target import CpuTarget


def take_preparation(module: ir.Operation) -> ImportedModel | None:
    """The function that prepares tensors as a model whose inputs are the parameters; `module` is without it then."""
    main = find_main(module)
    if "wse.prepare" not in main.attributes:
        return None
    name = ir.FlatSymbolRefAttr(main.attributes["wse.prepare"]).value
    functions = (op for op in module.regions[0].blocks[0].operations if isinstance(op, func.FuncOp))
    function = next(f for f in functions if f.name.value == name)
    model = as_model(function, module.context, without=("arg_attrs", "res_attrs"))
    function.operation.erase()
    for attribute in ("wse.prepare", "wse.prepared"):
        del main.attributes[attribute]
    return model


def as_model(function: func.FuncOp, context: ir.Context, without: Sequence[str] = ()) -> ImportedModel:
    """A copy of a function as the `@main` of a module of its own.

    Args:
        without: attributes of the function that the copy is not to have.
    """
    with context, function.location:
        module = ir.Module.create()
        copy: Any = function.operation.clone(ir.InsertionPoint(module.body))
        copy.attributes["sym_name"] = ir.StringAttr.get("main")
        for name in {"sym_visibility", *without}.intersection(a for a in copy.attributes):
            del copy.attributes[name]
        arguments, results = read_main(module)
    return ImportedModel(module, CallInterface(tuple(arguments), tuple(results)), context)


def compile_preparation(model: ImportedModel | None, timer: Timer) -> CpuProgram | None:
    """The preparation for this machine's CPU; None where nothing is prepared."""
    return None if model is None else CpuTarget().program(model, {}, timer)


def prepare(program: CpuProgram | None, parameters: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The tensors that are made of these parameters, which are those of the model in order."""
    return [] if program is None else CpuExecutable(program, ()).run(parameters)
