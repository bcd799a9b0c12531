"""What `compile` asks the cache: a model before it is exported, then its IR, and what to keep.

Two kinds of entries. A *program* is compiled code; its key is a digest of the imported IR. A *model* is how a model is
called and the key of its program; its own key is a digest of the Python objects, so that a model that was seen before
needs no export. Weights are in neither: they come from the user's model.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import ValidationError

from ..artifacts.saved.container import Container
from ..artifacts.saved.programs import SavedProgram, restore_program, store_program
from ..artifacts.saved.records import InterfaceRecord, ProgramRecord, Record
from ..compiler.parameter_sources import tensors_of
from ..compiler.targets import CPU, Target
from ..frontend.call_interface import CallInterface
from ..frontend.signature import Argument
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.timing import Timer
from ..runtime.arrays import as_array, as_tensor, numpy_dtype
from .fingerprint import Unknown
from .folder import CacheFolder
from .models import model_key
from .versions import toolchain

if TYPE_CHECKING:
    from ..frontend.imported import ImportedModel


class _ProgramEntry(Record):
    key: str
    program: ProgramRecord


class _ModelEntry(Record):
    """`stored` are the arguments whose tensors no attribute of the model holds, as blocks of their names."""

    key: str
    program_key: str
    interface: InterfaceRecord
    stored: tuple[str, ...]


class CacheLookup:
    """One compilation's questions to a cache; without a folder all answers are "not there".

    Attributes:
        report: what was asked and found, ready for JSON: "outcome" ("hit", "miss" or "off"), "key" of the hit
            ("model" or "ir"), "why" there is no model key, "seconds", "remarks".
    """

    def __init__(self, folder: CacheFolder | None, target: Target, options: Mapping[str, Any]) -> None:
        self._folder = folder
        self._locations = bool(options.get("debug")) or target.name != CPU
        self._model_key = self._program_key = ""
        self._surroundings: tuple[str, ...] = ()
        self.report: dict[str, Any] = {"outcome": "off"}
        if folder is None:
            return
        self.report = {
            "outcome": "miss",
            "folder": str(folder.path),
            "seconds": 0.0,
            "remarks": folder.remarks,
        }
        with self._timed():
            identity = target.identity(options)
            versions = "" if _replaced_pipeline() else toolchain()
        if not versions:
            folder.remark("it is not used: this process runs another compiler than the one that is installed")
            self._folder, self.report["outcome"] = None, "off"
        self._surroundings = (versions, identity)

    def by_model(
        self, model: Any, args: Sequence[Any], kwargs: Mapping[str, Any] | None, dynamic_shapes: Any
    ) -> tuple[CallInterface, SavedProgram] | None:
        """The interface, with the model's tensors, and the program of a model that was compiled before."""
        if self._folder is None:
            return None
        with self._timed():
            try:
                if not isinstance(model, torch.nn.Module):
                    raise Unknown("a model that is no nn.Module")
                self._model_key = model_key(model, args, kwargs, dynamic_shapes, self._surroundings)
            except Unknown as reason:
                self.report["why"] = f"not understood: {reason}"
                return None
            except Exception as error:  # whatever code of the user's objects raises when they are looked at
                self.report["why"] = f"not understood: {type(error).__name__}: {error}"
                return None
            found = self._folder.read("model", self._model_key)
            read = found and self._read(found, "model", lambda: self._read_model(found, model))
            if read:
                self.report |= {"outcome": "hit", "key": "model"}
            return read or None

    def by_ir(self, imported: ImportedModel) -> SavedProgram | None:
        """The program of the same IR that was compiled before."""
        if self._folder is None:
            return None
        with self._timed():
            self._program_key = _program_key(imported, self._surroundings, locations=self._locations)
            program = self._program(self._program_key, imported.interface)
            if program is not None:
                self.report |= {"outcome": "hit", "key": "ir"}
            return program

    def keep(self, model: Any, interface: CallInterface, program: SavedProgram) -> None:
        """Keeps what was compiled after `by_model` and `by_ir` found nothing."""
        if self._folder is None:
            return
        with self._timed():
            if self.report["outcome"] == "miss":
                record, blocks = store_program(program)
                self._folder.write(
                    "program", self._program_key, {"program": record.model_dump(mode="json")}, blocks
                )
            if self._model_key:
                self._keep_model(self._folder, model, interface)

    def _keep_model(self, folder: CacheFolder, model: Any, interface: CallInterface) -> None:
        try:
            record = InterfaceRecord.of(interface)
        except CompilerError as error:
            self.report["why"] = error.message
            return
        stored = {
            a.name: as_array(a.tensor)
            for a in interface.arguments
            if a.tensor is not None and not _is_same(_attribute(model, a.name), a.tensor)
        }
        document = {
            "program_key": self._program_key,
            "interface": record.model_dump(mode="json"),
            "stored": list(stored),
        }
        folder.write("model", self._model_key, document, stored)

    def _read_model(self, entry: Container, model: Any) -> tuple[CallInterface, SavedProgram] | None:
        record = _ModelEntry.model_validate_json(json.dumps(entry.document))
        interface = record.interface.interface()
        arguments = tuple(_with_tensor(a, model, entry, a.name in record.stored) for a in interface.arguments)
        interface = replace(interface, arguments=arguments)
        program = self._program(record.program_key, interface)
        return None if program is None else (interface, program)

    def _program(self, key: str, interface: CallInterface) -> SavedProgram | None:
        assert self._folder is not None, "asked before"
        entry = self._folder.read("program", key)
        if entry is None:
            return None
        return self._read(
            entry,
            "program",
            lambda: restore_program(
                _ProgramEntry.model_validate_json(json.dumps(entry.document)).program, entry, interface
            ),
        )

    def _read(self, entry: Container, kind: str, read: Any) -> Any:
        """What `read` returns; an entry that cannot be read is removed."""
        assert self._folder is not None, "asked before"
        try:
            return read()
        except (ValidationError, ValueError, CompilerError) as error:
            reason = error.message if isinstance(error, CompilerError) else "its description cannot be read"
            self._folder.discard(kind, entry.document["key"], reason)
            return None

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.report["seconds"] += time.perf_counter() - started


def cached_program(
    folder: CacheFolder | None,
    target: Target,
    imported: ImportedModel,
    options: Mapping[str, Any],
    timer: Timer,
) -> tuple[SavedProgram, dict[str, Any]]:
    """The program of imported IR, from the cache or compiled and kept, and the cache's report.

    For graphs that are imported by other ways than `compile`'s; see `Target.program` for the arguments and errors.
    """
    lookup = CacheLookup(folder, target, options)
    program = lookup.by_ir(imported) or target.program(imported, options, timer)
    lookup.keep(None, imported.interface, program)
    return program, lookup.report


def _program_key(imported: ImportedModel, surroundings: Sequence[str], *, locations: bool) -> str:
    """A digest of the IR and of what the program keeps of the interface."""
    plain = replace(
        imported.interface,
        in_spec=None,
        out_spec=None,
        input_constants={},
        output_constants={},
        input_labels=(),
    )
    digest = hashlib.sha256(
        "\0".join([*surroundings, InterfaceRecord.of(plain).model_dump_json(), ""]).encode()
    )
    digest.update(str(imported.module.operation.get_asm(enable_debug_info=locations)).encode())
    return digest.hexdigest()


def _replaced_pipeline() -> bool:
    """Whether somebody replaced a named pipeline; passes of others have no version."""
    named: Any = sys.modules.get(f"{__package__.rpartition('.')[0]}.named")  # type: ignore[union-attr]
    return named is not None and any(
        named.NAMED_PIPELINES.get(p.name) is not p for p in (named.CPU, named.WAFER)
    )


def _attribute(model: Any, name: str) -> Any:
    """The tensor of that name in the model, whatever kind of attribute it is."""
    found = tensors_of(model).get(name)
    if found is None:
        for part in name.split("."):
            model = getattr(model, part, None)
        found = model
    return found


def _is_same(found: Any, tensor: torch.Tensor) -> bool:
    """Whether these are the same elements in memory."""
    return (
        isinstance(found, torch.Tensor)
        and found.data_ptr() == tensor.data_ptr()
        and (found.shape, found.stride(), found.dtype) == (tensor.shape, tensor.stride(), tensor.dtype)
    )


def _with_tensor(argument: Argument, model: Any, entry: Container, is_stored: bool) -> Argument:
    if argument.kind == "input":
        return argument
    if is_stored:
        dtype: np.dtype | None = numpy_dtype(argument.dtype)
        assert dtype is not None, "records have such types alone"
        return replace(argument, tensor=as_tensor(entry.array(argument.name, argument.shape, dtype)))
    found = _attribute(model, argument.name)
    if (
        not isinstance(found, torch.Tensor)
        or tuple(found.shape) != argument.shape
        or found.dtype != argument.dtype
    ):
        raise ValueError(f"the model has no {argument.name}")
    return replace(argument, tensor=found.detach())
