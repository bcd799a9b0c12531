"""`build_library`: imported models as functions of one native library with a C interface."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

from ...dialects.host import ir
from ...frontend.imported import ImportedModel
from ...frontend.interface import find_main
from ...passes.infra.diagnostics import CompilerError
from ...passes.infra.pass_manager import Instrumentation
from ...passes.infra.timing import Timer
from ...tools.output import check_writable
from .kernels import LibraryKernel, compile_kernel
from .link import Sources, link
from .naming import check_identifier, library_name
from .plan import plan_function
from .toolchain import Toolchain
from .weights import Binding, lay_out

LibraryKind = Literal["shared", "object", "executable"]
WeightsPlace = Literal["embedded", "beside"]
_EMBEDDED_LIMIT = 1 << 30  # bytes; the code reaches its data by offsets of 32 bits with a sign


@dataclass(frozen=True)
class LibraryFunction:
    """A model that becomes a function of a library.

    Attributes:
        name: in the library; an identifier of C.
        imported: its module is consumed.
        instrumentation: watches the passes, see `run_pipeline`.
        keep: receives what comes after the passes, by the name of a file: LLVM IR, assembly, object.
    """

    name: str
    imported: ImportedModel
    instrumentation: Instrumentation | None = None
    keep: Callable[[str, str | bytes], None] | None = None


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
    kind: LibraryKind = "shared",
    weights: WeightsPlace = "embedded",
    name: str = "",
    options: Mapping[str, Any] | None = None,
    debug: bool = False,
    keep: Path | None = None,
    main: Sequence[Path] = (),
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
        main: C sources of a program that uses the library by `wse_get_library()` and `#include "wse_abi.h"`.

    Raises:
        CompilerError: a model cannot be compiled, a name is not an identifier or twice there, there is no C
            compiler or it fails, or a file cannot be written.
    """
    _check_words(kind, weights, main)
    name = name or library_name(out.name.partition(".")[0])
    _check_names(name, [f.name for f in functions])
    header = None if kind == "executable" else out.with_name(f"{name}.h")
    beside = out.with_name(f"{name}.weights") if weights == "beside" else None
    _check_places([out, *filter(None, (header, beside))], keep)
    toolchain, timer = Toolchain.find(), timer or Timer()
    layout, bindings = lay_out([f.imported.arguments for f in functions])
    _check_size(layout.size, weights)
    kernels = [
        _kernel(f, name, bound, options or {}, timer, debug)
        for f, bound in zip(functions, bindings, strict=True)
    ]
    plans = [
        plan_function(f.name, kernel.symbol, kernel.function, bound)
        for f, kernel, bound in zip(functions, kernels, bindings, strict=True)
    ]
    sources = Sources(name, plans, kernels, layout, f"wse-mlir {version('wse-mlir')}", weights, tuple(main))
    with timer.scope("link"), _temporary_folder(out.parent) as folder:
        try:
            link(sources, kind, out.name, folder, toolchain, debug=debug)
        finally:  # what fails to compile or link is what people want to look at
            if keep is not None:
                sources.keep(folder, keep, toolchain.ran)
        for made in filter(None, (beside, header, out)):
            os.replace(folder / made.name, made)
    return Library(name, out, header, beside)


def _check_size(size: int, weights: WeightsPlace) -> None:
    if weights == "embedded" and size > _EMBEDDED_LIMIT:
        raise CompilerError(
            f"the weights have {size / 2**30:.1f} GiB, and at most {_EMBEDDED_LIMIT >> 30} GiB can be embedded",
            hint="keep them in a file beside the library (weights='beside')",
        )


def _kernel(
    function: LibraryFunction,
    library: str,
    bindings: Sequence[Binding | None],
    options: Mapping[str, Any],
    timer: Timer,
    debug: bool,
) -> LibraryKernel:
    for position, binding in enumerate(bindings):
        if binding is not None and binding.kind == "state":
            _change_at_runs(function.imported, position)
    with timer.scope(function.name):
        return compile_kernel(
            function.imported,
            f"{library}__kernel_{function.name}",
            f"{library}_",
            options,
            timer,
            function.instrumentation,
            function.keep,
            debug=debug,
        )


def _change_at_runs(imported: ImportedModel, position: int) -> None:
    """Says that a parameter is none, because another function of the library changes it: nothing is prepared of it."""
    main = find_main(imported.module)
    with imported.context:
        attributes = list(ir.ArrayAttr(main.attributes["arg_attrs"]))
        items = {a.name: a.attr for a in ir.DictAttr(attributes[position])}
        if ir.StringAttr(items["wse.kind"]).value == "parameter":
            attributes[position] = ir.DictAttr.get({**items, "wse.kind": ir.StringAttr.get("input")})
            main.attributes["arg_attrs"] = ir.ArrayAttr.get(attributes)


def _check_words(kind: str, weights: str, main: Sequence[Path]) -> None:
    for word, known, what in (
        (kind, get_args(LibraryKind), "kind"),
        (weights, get_args(WeightsPlace), "weights"),
    ):
        if word not in known:
            raise CompilerError(f"{what}='{word}' is not one of {', '.join(known)}")
    if not sys.platform.startswith("linux") or sys.byteorder != "little":
        raise CompilerError(f"libraries are made for little-endian Linux, and this is {sys.platform}")
    if (kind == "executable") != bool(main):
        raise CompilerError("an executable needs a main program, and nothing else takes one")


def _check_names(library: str, functions: Sequence[str]) -> None:
    check_identifier(library, "a library")
    if not functions:
        raise CompilerError("a library needs at least one function")
    for index, function in enumerate(functions):
        check_identifier(function, "a function")
        if function in functions[:index]:
            raise CompilerError(
                f"two functions have the name '{function}'", hint="give each a name of its own"
            )


def _check_places(files: Sequence[Path], keep: Path | None) -> None:
    for index, file in enumerate(files):
        check_writable(file)
        if file.exists() and not file.is_file():
            raise CompilerError(f"cannot write '{file}': it is not an ordinary file")
        if file in files[:index]:
            raise CompilerError(
                f"two files would have the name '{file}'", hint="give the library another name"
            )
    if keep is not None:
        try:
            keep.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CompilerError(f"cannot write to the folder '{keep}': {error.strerror}") from None


@contextmanager
def _temporary_folder(beside: Path) -> Iterator[Path]:
    """A folder on the same file system as what is built, so that finished files can be moved."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=".wse-", dir=beside))
    except OSError as error:
        raise CompilerError(f"cannot write to the folder '{beside}': {error.strerror}") from None
    try:
        yield folder
    except OSError as error:
        raise CompilerError(f"cannot write '{error.filename or beside}': {error.strerror}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
