"""Captures a module as an exported program and decomposes it into operators that torch-mlir lowers."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import sysconfig
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode
from torch.fx.proxy import TracerBase
from torch.utils import _pytree as pytree

from ..dialects.provenance import Provenance
from ..passes.infra.diagnostics import CompilerError, shown
from .composite_kernels import composites_kept
from .decompositions import decomposition_table
from .margin_losses import own_margin_losses
from .provenance import is_torch_file, operators_by_name
from .quantised import quantised_decompositions
from .recurrent_layers import recurrent_decompositions, steps_untraced

_UNKNOWN_CLASS = re.compile(r"Found <class '(?:.*\.)?(\w+)'> in output, which is not a known type")
# They log pages about what is raised as well.
_TALKATIVE = ("torch.fx.experimental.symbolic_shapes", "torch._subclasses.fake_tensor", "torch.export._trace")
_STANDARD_LIBRARY = sysconfig.get_path("stdlib") + os.sep


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
    if isinstance(dynamic_shapes, (str, bytes)):
        raise CompilerError(
            f"dynamic_shapes is {shown(dynamic_shapes)}, no structure of sizes",
            hint="give it the structure of the arguments, as in ({0: torch.export.Dim('batch')},)",
        )
    if not isinstance(args, tuple):
        args = tuple(args) if isinstance(args, list) else (args,)
    args, kwargs = _told_apart(args, dict(kwargs or {}))
    try:
        return _captured(model, args, kwargs, dynamic_shapes)
    except Exception as error:
        raise CompilerError(
            f"PyTorch could not export the model: {_reason(error)}",
            where=_user_line(error),
            hint=_hint(error, dynamic_shapes),
        ) from error


def _captured(
    model: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], dynamic_shapes: Any
) -> ExportedProgram:
    """The model as it runs; or as its code says, where it makes Python numbers of what only data tells.

    `int(x)` has to return a number when it runs, and has none to return. Where it is read, it is the tensor's item.
    """
    try:
        return _exported(model, args, kwargs, dynamic_shapes, strict=False)
    except GuardOnDataDependentSymNode:
        with suppress(Exception):
            return _exported(model, args, kwargs, dynamic_shapes, strict=True)
        raise


def _exported(
    model: torch.nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    dynamic_shapes: Any,
    *,
    strict: bool,
) -> ExportedProgram:
    with warnings.catch_warnings(), _all_user_frames(), _without_torch_dumps(), steps_untraced():
        warnings.simplefilter("ignore")
        return torch.export.export(model, args, kwargs, dynamic_shapes=dynamic_shapes, strict=strict)


def _told_apart(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments among which no tensor is there twice: PyTorch would take two inputs for one."""
    leaves, spec = pytree.tree_flatten((args, kwargs))
    seen: set[int] = set()
    for place, leaf in enumerate(leaves):
        if isinstance(leaf, torch.Tensor) and id(leaf) in seen:
            leaves[place] = leaf.detach().requires_grad_(leaf.requires_grad)
        seen.add(id(leaf))
    return pytree.tree_unflatten(leaves, spec)


def _hint(error: Exception, dynamic_shapes: Any) -> str:
    unknown = _UNKNOWN_CLASS.search(str(error))
    if unknown is not None:
        return f"return tensors in tuples, lists and dicts, or call torch.export.register_dataclass({unknown[1]})"
    hint = "the example arguments must fit forward(), and its control flow must not depend on tensor values"
    if dynamic_shapes is None:
        return hint
    return f"{hint}; dynamic_shapes must have the structure of the arguments, and open no size that forward() fixes"


@contextmanager
def _without_torch_dumps() -> Iterator[None]:
    """Keeps PyTorch from printing half an exported graph before the error that is reported; all else is printed."""
    logs = [logging.getLogger(name) for name in _TALKATIVE]
    disabled = [log.disabled for log in logs]
    for log in logs:
        log.disabled = True
    printed, dump = io.StringIO(), ""
    try:
        with redirect_stderr(printed):
            yield
    except Exception as error:
        dump = f"{getattr(error, 'partial_fx_graph', '')}\n"
        raise
    finally:
        for log, before in zip(logs, disabled, strict=True):
            log.disabled = before
        text = printed.getvalue()
        sys.stderr.write(text.replace(dump, "") if dump.strip() else text)


@contextmanager
def _all_user_frames() -> Iterator[None]:
    """Lets PyTorch record every frame of the user's code and not only those of functions named `forward`.

    The hook is PyTorch's own but not public; where it is missing, lines in helper functions are reported as
    those of the `forward` that calls them.
    """
    hook = "_filter_traceback_frames"
    original = getattr(TracerBase, hook, None)
    if original is None:
        yield
        return

    def keep_user_frames(_: TracerBase, summary: traceback.StackSummary) -> traceback.StackSummary:
        first = next((i for i, frame in enumerate(summary) if frame.name == "forward"), len(summary))
        kept = [frame for frame in summary[first:] if not is_torch_file(frame.filename)]
        return traceback.StackSummary.from_list(kept)

    setattr(TracerBase, hook, keep_user_frames)
    try:
        yield
    finally:
        setattr(TracerBase, hook, original)


def decompose(program: ExportedProgram) -> tuple[ExportedProgram, dict[str, str]]:
    """Decomposes into the operators that torch-mlir lowers.

    Returns:
        The program, and the operators by node name before decomposition (for `node_provenance`).
    """
    operators = operators_by_name(program.graph)
    try:
        with warnings.catch_warnings(), own_margin_losses(), composites_kept():
            warnings.simplefilter("ignore")
            table = decomposition_table() | recurrent_decompositions() | quantised_decompositions()
            return program.run_decompositions(table), operators
    except CompilerError:  # a decomposition refuses what it is given
        raise
    except Exception as error:
        raise CompilerError(
            f"PyTorch could not decompose the exported model: {_reason(error)}", where=_user_line(error)
        ) from error


def _reason(error: Exception) -> str:
    text = str(error).split(" If this type holds tensors")[0]  # PyTorch's advice is for its own callers
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return f"{type(error).__name__} without a word"
    first = lines[0].split(" For more information")[0]
    detail = f" {lines[1][2:].split('. ')[0]}" if len(lines) > 1 and lines[1].startswith("- ") else ""
    return f"{type(error).__name__}: {first}{detail}"


def _user_line(error: Exception) -> str:
    """The innermost frame of the traceback that is the user's code, i.e. neither PyTorch's nor this package's."""
    package = __name__.split(".")[0]
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        module = frame.f_globals.get("__name__", "")
        if is_torch_file(file) or module.split(".")[0] in (package, "torch") or _is_standard_library(file):
            continue
        place = str(Provenance(file=file, line=line))
    return place


def _is_standard_library(file: str) -> bool:
    return file.startswith(_STANDARD_LIBRARY) and "-packages" not in file
