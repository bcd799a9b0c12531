"""`load`: a compiled model from the file that `Compiled.save` wrote."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from ...compiler.compiled import Compiled
from ...compiler.parameter_sources import TensorNames
from ...frontend.call_interface import CallInterface
from ...frontend.signature import Argument
from ...passes.infra.diagnostics import CompilerError
from ...runtime.arrays import as_tensor, numpy_dtype, parameters_of
from .container import Container
from .ownership import exposure
from .programs import check_surroundings, load_program, restore_program
from .saving import ModelRecord


def load(path: str | os.PathLike[str], *, trusted: bool = False) -> Compiled:
    """A compiled model from a file that `compiled.save(path)` wrote; the model's Python source is not needed.

    Parameters are mapped from the file and not copied, so it must not be changed while the model is in use
    (replacing it, as `save` does, is fine). The state is what it was when the model was saved; `reset()` brings back
    what it was when the model was compiled. The file holds machine code: load none that you would not execute.

    Args:
        trusted: load it although others could have written it: by default the file, and every folder on the way to
            it, must be such that only this user and root can write to them. See docs/security.md.

    Raises:
        CompilerError: there is no such file, it is damaged or of another version of wse-mlir, others could have
            written it, or this machine cannot run it; says what was found, what is needed and what to do.
    """
    started = time.perf_counter()
    container = Container(Path(os.fspath(path)))
    exposed = "" if trusted else exposure(path, container.status)
    if exposed:
        raise CompilerError(
            f"this holds machine code and is not loaded, because others could have written it: {exposed}",
            where=str(path),
            hint="copy it to a folder of your own, or, if you trust everybody who could, load(path, trusted=True)",
        )
    _check_version(container)
    try:
        record = ModelRecord.model_validate_json(json.dumps(container.document))
        interface = _with_data(record.interface.interface(), container)
        check_surroundings(record.target, record.program, container)
        program = restore_program(record.program, container, interface)
    except (ValidationError, ValueError) as error:
        raise container.damaged("its description cannot be read") from error
    except CompilerError as error:
        error.where = error.where or str(path)
        raise
    executable = load_program(program, parameters_of(interface))
    seconds = time.perf_counter() - started
    compilation = {**record.compilation, "loaded": {"file": str(path), "seconds": seconds}}
    names = TensorNames(record.tensors, frozenset(record.temporary))
    compiled = Compiled(
        None, interface, executable, record.target, compilation, name=record.name, tensor_names=names
    )
    for argument in interface.arguments:
        if argument.kind == "state":
            compiled.state[argument.name].copy_(as_tensor(_array(argument, container, "state")))
    return compiled


def _check_version(container: Container) -> None:
    found, here = container.document.get("project"), version("wse-mlir")
    if found != here:
        raise CompilerError(
            f"this was saved by wse-mlir {found}, and this is wse-mlir {here}",
            where=str(container.path),
            hint="compile and save the model again with this version",
        )


def _with_data(interface: CallInterface, container: Container) -> CallInterface:
    """The same with the parameters, and the states at compile time."""
    kinds = {"parameter": "parameter", "state": "initial"}
    return replace(
        interface,
        arguments=tuple(
            replace(a, tensor=as_tensor(_array(a, container, kinds[a.kind]))) if a.kind in kinds else a
            for a in interface.arguments
        ),
    )


def _array(argument: Argument, container: Container, kind: str) -> np.ndarray:
    dtype = numpy_dtype(argument.dtype)
    assert dtype is not None, "records have such types alone"
    return container.array(f"{kind}/{argument.name}", argument.shape, dtype)
