"""Exported programs (`.pt2`) read without running anything that the file holds.

PyTorch's own reader is not used: it unpickles the example inputs and some constants, loads compiled libraries,
evaluates sizes as Python, calls whatever function of PyTorch the file names, and writes the file's names into code that
it executes. Here tensors come from their raw bytes, or from PyTorch's restricted unpickler, and `exported_checks` looks
at every text of the program first. Example inputs and guards are left out: nothing here needs them.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._export.serde import schema, serialize
from torch.export import ExportedProgram, pt2_archive
from torch.export.pt2_archive import constants as places

from ..passes.infra.diagnostics import CompilerError
from .exported_checks import Unsafe, check_payloads, check_program

# PyTorch names none of these publicly; its version is pinned, and tests read what it writes.
_package: Any = pt2_archive._package
_LEGACY = "serialized_exported_program.json"


def read_exported_program(path: str) -> ExportedProgram:
    """The program of a file that `torch.export.save` wrote.

    Raises:
        CompilerError: it is broken, holds no program, or one that cannot be read without running code of the file.
    """
    try:
        with _quietly():
            return _read(path)
    except Unsafe as error:
        raise CompilerError(
            f"this file is not read, because that could run code that is in it: {error}",
            where=path,
            hint="if you trust who wrote it, pass torch.export.load(path) instead of the path",
        ) from None
    except CompilerError as error:
        error.where = error.where or path
        raise
    except Exception as error:
        reason = str(error).strip().split("\n")[0].partition(" This is an internal miniz error")[0]
        raise CompilerError(
            f"the exported program cannot be read: {reason or type(error).__name__}",
            where=path,
            hint=f"write it with torch.export.save of PyTorch {torch.__version__.split('+')[0]}",
        ) from error


@contextmanager
def _quietly() -> Iterator[None]:
    log = logging.getLogger("torch.export")  # prints a trace of what is raised as well
    disabled, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.disabled = disabled


def _read(path: str) -> ExportedProgram:
    with _package.PT2ArchiveReader(path) as archive:
        files = archive.get_file_names()
        name = _model_name(files)
        text = archive.read_bytes(places.MODELS_FILENAME_FORMAT.format(name))
        program = serialize._bytes_to_dataclass(schema.ExportedProgram, text)
        check_program(program)
        weights = _tensors(archive, files, places.WEIGHTS_DIR, places.WEIGHTS_CONFIG_FILENAME_FORMAT, name)
        constants = _tensors(
            archive, files, places.CONSTANTS_DIR, places.CONSTANTS_CONFIG_FILENAME_FORMAT, name
        )
    return serialize.ExportedProgramDeserializer().deserialize(program, weights, constants)


def _model_name(files: list[str]) -> str:
    before, after = places.MODELS_FILENAME_FORMAT.split("{}")
    names = [f[len(before) : -len(after)] for f in files if f.startswith(before) and f.endswith(after)]
    if "model" in names:
        return "model"
    if len(names) == 1:
        return names[0]
    if names:
        raise CompilerError(
            f"the file holds several programs: {', '.join(sorted(names))}",
            hint="write one with torch.export.save",
        )
    hint = "write it with torch.export.save"
    if any(f.startswith(places.AOTINDUCTOR_DIR) for f in files):
        raise CompilerError("the file holds machine code of AOTInductor and no exported program", hint=hint)
    if any(f.endswith(_LEGACY) for f in files):
        raise CompilerError("the exported program was written by an older PyTorch", hint=hint)
    raise CompilerError("the file holds no exported program", hint=hint)


def _tensors(archive: Any, files: list[str], folder: str, config: str, name: str) -> dict[str, torch.Tensor]:
    """Weights or constants by name; those that share memory in the model share it here."""
    if f"{folder}{name}.pt" in files:
        return _unpickled(archive, f"{folder}{name}.pt")
    payloads = _package._load_payload_config(archive, config.format(name))
    check_payloads(payloads)
    shared = _package._build_file_map(archive, payloads, folder)
    found: dict[str, torch.Tensor] = {}
    for key, payload in payloads.config.items():
        if payload.use_pickle:
            found[key] = _unpickled(archive, folder + payload.path_name)
        else:
            found[key] = _strided(shared[payload.path_name], payload)
    return found


def _strided(flat: torch.Tensor, payload: schema.PayloadMeta) -> torch.Tensor:
    meta = payload.tensor_meta
    assert meta is not None, "PyTorch has built its memory from it"
    tensor = torch.as_strided(
        flat.detach(),
        serialize.deserialize_size(meta.sizes),
        serialize.deserialize_stride(meta.strides),
        serialize.deserialize_storage_offset(meta.storage_offset),
    )
    return torch.nn.Parameter(tensor, requires_grad=meta.requires_grad) if payload.is_param else tensor


def _unpickled(archive: Any, file: str) -> Any:
    """What PyTorch's restricted unpickler makes of a file: tensors and plain containers."""
    try:
        return torch.load(io.BytesIO(archive.read_bytes(file)), weights_only=True)
    except Exception:
        raise Unsafe(f"'{file}' is a pickle of something else than tensors") from None
