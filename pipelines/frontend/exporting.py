"""Captures a module as an exported program and decomposes it into operators that torch-mlir lowers."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.export import ExportedProgram

from ...dialects.provenance import Provenance
from ...passes.infra.diagnostics import CompilerError
from .decompositions import decomposition_table
from .provenance import is_torch_file, operators_by_name


def export_program(
    model: torch.nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
    dynamic_shapes: Any = None,
) -> ExportedProgram:
    """Captures `model` as it stands (training or evaluation mode) with `torch.export`.

    Raises:
        CompilerError: the model cannot be captured; names the user's own line and torch's reason.
    """
    if not isinstance(args, tuple):
        args = tuple(args) if isinstance(args, list) else (args,)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.export(
                model, args, dict(kwargs or {}), dynamic_shapes=dynamic_shapes, strict=False
            )
    except Exception as error:
        raise CompilerError(
            f"PyTorch could not export the model: {_reason(error)}",
            where=_user_line(error),
            hint="the example arguments must fit forward(), and its control flow must not depend on tensor values",
        ) from error


def decompose(program: ExportedProgram) -> tuple[ExportedProgram, dict[str, str]]:
    """Decomposes into the operators that torch-mlir lowers.

    Returns:
        The program, and the operators by node name before decomposition (for `node_provenance`).
    """
    operators = operators_by_name(program.graph)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return program.run_decompositions(dict(decomposition_table())), operators
    except Exception as error:
        raise CompilerError(
            f"PyTorch could not decompose the exported model: {_reason(error)}", where=_user_line(error)
        ) from error


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _user_line(error: Exception) -> str:
    """The innermost frame of the traceback that is the user's code, i.e. neither PyTorch's nor this package's."""
    package = __name__.split(".")[0]
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        module = frame.f_globals.get("__name__", "")
        if is_torch_file(file) or module.split(".")[0] in (package, "torch") or file.startswith("<"):
            continue
        place = str(Provenance(file=file, line=line))
    return place
