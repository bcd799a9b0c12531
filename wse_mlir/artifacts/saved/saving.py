"""`Compiled.save`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

from ...compiler.parameter_sources import TensorNames
from ...frontend.call_interface import CallInterface
from .container import write_container
from .programs import SavedProgram, store_program
from .records import InterfaceRecord, ProgramRecord, Record


class ModelRecord(Record):
    """The document of a saved model.

    Blocks are those of the program, "parameter/NAME" for each parameter, and "initial/NAME" and "state/NAME", the
    values at compile time and when saved, for each state.

    Attributes:
        project: version of wse-mlir that wrote it.
        name: of the model in messages.
        target: as it was given to `compile`.
        compilation: the part of the report that calls do not change.
        tensors / temporary: see `TensorNames`.
    """

    project: str
    name: str
    target: str
    interface: InterfaceRecord
    program: ProgramRecord
    compilation: dict[str, JsonValue]
    tensors: dict[str, str]
    temporary: tuple[str, ...]


@dataclass(frozen=True)
class Contents:
    """What is saved of a compiled model; see `ModelRecord`.

    Attributes:
        interface: how it is called.
        parameters: by name, as are the values of states when compiled (`initial`) and now (`state`).
        tensor_names: of the model that was compiled.
    """

    name: str
    target: str
    interface: CallInterface
    program: SavedProgram
    compilation: Mapping[str, Any]
    parameters: Mapping[str, np.ndarray]
    initial: Mapping[str, np.ndarray]
    state: Mapping[str, np.ndarray]
    tensor_names: TensorNames


def save(contents: Contents, path: Path) -> None:
    """See `Compiled.save`."""
    program, blocks = store_program(contents.program)
    record = ModelRecord(
        project=version("wse-mlir"),
        name=contents.name,
        target=contents.target,
        interface=InterfaceRecord.of(contents.interface),
        program=program,
        compilation=json.loads(json.dumps(dict(contents.compilation))),
        tensors=dict(contents.tensor_names.arguments),
        temporary=tuple(sorted(contents.tensor_names.temporary)),
    )
    kinds = {"parameter": contents.parameters, "initial": contents.initial, "state": contents.state}
    arrays = {f"{kind}/{name}": array for kind, named in kinds.items() for name, array in named.items()}
    write_container(path, record.model_dump(mode="json"), {**blocks, **arrays})
