"""The model's source lines as debug information of compiled code."""

from __future__ import annotations

from ...dialects.host import ir


def attach_source_lines(module: ir.Module, entry: str) -> None:
    raise NotImplementedError
