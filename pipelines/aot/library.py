"""`build_library`: imported models as functions of one native library with a C interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...passes.infra.pass_manager import Instrumentation
from ...passes.infra.timing import Timer
from ..frontend.imported import ImportedModel

Kind = Literal["shared", "object", "executable"]
Weights = Literal["embedded", "beside"]


@dataclass(frozen=True)
class LibraryFunction:
    """A model that becomes a function of a library.

    Attributes:
        name: in the library; an identifier of C.
        imported: its module is consumed.
        instrumentation: watches the passes, see `run_pipeline`.
    """

    name: str
    imported: ImportedModel
    instrumentation: Instrumentation | None = None


@dataclass(frozen=True)
class Library:
    """The files of a library that was built.

    Attributes:
        name: prefix of its symbols.
        path: the shared object, relocatable object or executable.
        header: `NAME.h`; None for an executable.
        weights: the file with the weights, `NAME.weights`; None when they are embedded.
    """

    name: str
    path: Path
    header: Path | None
    weights: Path | None


def build_library(
    functions: Sequence[LibraryFunction],
    out: Path,
    *,
    kind: Kind = "shared",
    weights: Weights = "embedded",
    name: str = "",
    options: Mapping[str, Any] | None = None,
    debug: bool = False,
    keep: Path | None = None,
    main: Path | None = None,
    timer: Timer | None = None,
) -> Library:
    """Compiles models to one library, with a C header beside it; all files appear at the end, or none.

    Parameters and states that several functions share (the same storage, for parameters also the same values)
    are stored once.

    Args:
        functions: at least one, with different names.
        out: path of the library; the header and, if asked for, the weights go into the same folder.
        kind: "shared" object, one relocatable "object", or "executable" (then `main` is its main program).
        weights: in the library's read-only data, or in a file beside it, which is mapped when it is opened.
        name: prefix of the library's symbols; from the name of `out` when empty.
        options: the CPU target's (`cpu`, `features`).
        debug: with debug information: the model's source lines in compiled functions.
        keep: a folder that gets the generated sources, LLVM IR, objects and the commands that were run.
        main: C source with `main` that uses the library by `wse_get_library()` and `#include "wse_abi.h"`.

    Raises:
        CompilerError: a model cannot be compiled, a name is not an identifier or twice there, there is no C
            compiler or it fails, or a file cannot be written.
    """
    raise NotImplementedError
