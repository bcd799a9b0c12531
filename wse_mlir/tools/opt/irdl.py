"""Dialects as IRDL: loading others' files, exporting this project's."""

from __future__ import annotations

from pathlib import Path

from ...dialects.host import ir, irdl
from ...dialects.nesting import check_nesting
from ...passes.infra.diagnostics import CompilerError


def load_irdl_file(path: str, context: ir.Context) -> None:
    """Makes the dialects that an IRDL file defines known to a context.

    Raises:
        CompilerError: the file cannot be read, is not valid IRDL, or defines a dialect that exists already.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise CompilerError(f"cannot open IRDL file '{path}': {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CompilerError(f"IRDL file '{path}' is not text: byte {error.start} is not UTF-8") from None
    check_nesting(text, path)
    try:
        with context:
            module = ir.Module.parse(text, context)
            irdl.load_dialects(module)  # pyright: ignore[reportAttributeAccessIssue]: absent from its stub
    except (ir.MLIRError, RuntimeError, ValueError) as error:
        diagnostics = getattr(error, "error_diagnostics", None)
        detail = diagnostics[0].message if diagnostics else str(error)
        raise CompilerError(f"IRDL file '{path}': {detail}") from None


def dump_irdl() -> str:
    """The IRDL text of this project's dialect, for other tools' `--irdl-file`."""
    from ...dialects.wse import irdl_text

    return irdl_text()
