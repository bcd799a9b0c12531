"""The kinds of files that a model can be compiled to, and how a file's name tells which is meant."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from ...passes.infra.diagnostics import CompilerError


class FileKind(StrEnum):
    """What a file holds."""

    MLIR = "mlir"
    LINALG = "linalg"
    LLVM = "llvm"
    ASM = "asm"
    OBJECT = "object"
    SHARED = "shared"
    EXECUTABLE = "executable"
    SAVED = "saved"

    @property
    def is_text(self) -> bool:
        """Whether people can read it, so that it may go to standard output."""
        return self in (FileKind.MLIR, FileKind.LINALG, FileKind.LLVM, FileKind.ASM)

    @property
    def is_mlir(self) -> bool:
        """Whether it is MLIR at some stage."""
        return self in (FileKind.MLIR, FileKind.LINALG)

    @property
    def is_library(self) -> bool:
        """Whether it holds functions, several if need be, behind the C interface, with their weights."""
        return self in (FileKind.OBJECT, FileKind.SHARED, FileKind.EXECUTABLE)


class Weights(StrEnum):
    """Where the values of parameters and states go."""

    EMBEDDED = "embedded"
    BESIDE = "beside"
    NONE = "none"


SUFFIXES: Mapping[str, FileKind] = {
    ".mlir": FileKind.MLIR,
    ".ll": FileKind.LLVM,
    ".s": FileKind.ASM,
    ".o": FileKind.OBJECT,
    ".so": FileKind.SHARED,
    "": FileKind.EXECUTABLE,
    ".exe": FileKind.EXECUTABLE,
    ".wse": FileKind.SAVED,
}


def choose_kind(kind: FileKind | None, out: Path | None) -> FileKind:
    """The kind that was asked for, or else the one that the file's suffix means.

    Args:
        out: None for standard output.

    Raises:
        CompilerError: the suffix means nothing or another kind, or what is not text would go to standard output.
    """
    if out is None:
        kind = kind or FileKind.MLIR
        if not kind.is_text:
            raise CompilerError(
                f"'{kind}' is not text, so it cannot go to standard output", hint="give -o FILE"
            )
        return kind
    meant = SUFFIXES.get(out.suffix)
    if kind is None and meant is None:
        known = ", ".join(f"{suffix} ({k})" for suffix, k in SUFFIXES.items() if suffix)
        raise CompilerError(
            f"'{out}': a name that ends in '{out.suffix}' does not tell what to make",
            hint=f"add --emit, or use one of {known}, or no suffix for an executable",
        )
    if kind is None:
        return meant or FileKind.EXECUTABLE
    fits = meant is None or meant == kind or (meant.is_mlir and kind.is_mlir) or not out.suffix
    if not fits:
        raise CompilerError(
            f"'{out}' is named like '{meant}', but --emit={kind} is asked for",
            hint="leave --emit out, or choose another suffix",
        )
    return kind
