"""Parses MLIR text; what is wrong with it becomes one located message."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from ..wse_target.errors import CompilerError
from .host import ir
from .nesting import check_nesting

# Locations inside a raised error are not given their class, hence are read as text: loc("-":1:14)
_PLACE = re.compile(r":(\d+):(\d+)\)$")

Parsed = TypeVar("Parsed")


def parse_module(text: str, context: ir.Context, *, file: str = "<text>") -> ir.Module:
    """Parses a module.

    Args:
        file: what messages call the text.

    Raises:
        CompilerError: the text is not valid IR, or nested too deep; `where` is FILE:LINE:COLUMN.
    """
    check_nesting(text, file)
    return parsed(lambda: ir.Module.parse(text, context), file)


def parse_module_file(path: str, context: ir.Context, text: str) -> ir.Module:
    """Parses a file; locations name it.

    Args:
        text: what the file holds; any text for bytecode.

    Raises:
        CompilerError: as `parse_module`.
    """
    check_nesting(text, path)
    return parsed(lambda: ir.Module.parseFile(path, context), path)


def parsed(parse: Callable[[], Parsed], file: str) -> Parsed:
    """What `parse` returns.

    Raises:
        CompilerError: as `parse_module`.
    """
    try:
        return parse()
    except ir.MLIRError as error:
        diagnostics = list(error.error_diagnostics)
        message = diagnostics[0].message.split("\n")[0] if diagnostics else "it is not valid IR"
        place = _PLACE.search(str(diagnostics[0].location)) if diagnostics else None
        where = f"{file}:{place[1]}:{place[2]}" if place else file
        raise CompilerError(f"this cannot be parsed as MLIR: {message}", where=where) from error
