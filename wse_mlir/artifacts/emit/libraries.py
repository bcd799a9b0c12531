"""Objects, shared libraries and executables, by the builder of libraries with a C interface."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from ...compiler.workload import c_identifier
from ...frontend.imported import ImportedModel
from ...passes.infra.timing import Timer
from ..aot.library import LibraryFunction, build_library
from ..aot.library import LibraryKind as LibraryKind
from .kinds import FileKind, Weights
from .request import Artifact, Request
from .stages import StageWatch

MAIN_PROGRAM = Path(__file__).parent.parent / "aot" / "main"


def emit_library(
    imported: Mapping[str, ImportedModel], request: Request, watches: Mapping[str, StageWatch], timer: Timer
) -> list[Artifact]:
    """A library of functions, each named as its model, with its header and weights.

    Raises:
        CompilerError: see `build_library`.
    """
    assert request.out is not None, "libraries are not text"
    functions = [
        LibraryFunction(name, model, watches[name].instrumentation, watches[name].keep)
        for name, model in imported.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        built = build_library(
            functions,
            Path(folder) / request.out.name,
            kind=cast(LibraryKind, request.kind.value),
            name=_program_name(request),
            weights="beside" if request.placed_weights == Weights.BESIDE else "embedded",
            options=request.options,
            debug=request.debug,
            keep=request.keep,
            main=sorted(MAIN_PROGRAM.glob("*.c")) if request.kind == FileKind.EXECUTABLE else (),
            timer=timer,
        )
        made = [Artifact(request.out, "output", built.path.read_bytes(), request.kind == FileKind.EXECUTABLE)]
        if built.header is not None:
            header = request.header or request.out.with_name(built.header.name)
            made.append(Artifact(header, "header", built.header.read_bytes()))
        if built.weights is not None:
            beside = request.out.with_name(built.weights.name)
            made.append(Artifact(beside, "weights", built.weights.read_bytes()))
        return made


def _program_name(request: Request) -> str:
    """A program may be called anything, since nobody sees its symbols; a library gives its name to them."""
    assert request.out is not None, "programs are not text"
    return c_identifier(request.out.name.partition(".")[0]) if request.kind == FileKind.EXECUTABLE else ""
