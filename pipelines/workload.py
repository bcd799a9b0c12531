"""Models as users hand them to the command line: a Python file, an exported program, or MLIR."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..passes.infra.diagnostics import CompilerError

if TYPE_CHECKING:
    import torch

_EXPECTED = "a workload file defines `load()` that returns a wse_mlir.Workload or (model, example_args)"


@dataclass
class Workload:
    """A model with inputs to run it on, as a workload file's `load()` returns it.

    Attributes:
        model: what `wse_mlir.compile` takes.
        batches: one tuple of positional arguments per call; all of the same shapes.
        labels: class indices over all batches, for classifiers; accuracy is reported when they are given.
    """

    model: Any
    batches: Sequence[tuple[Any, ...]]
    labels: torch.Tensor | None = None

    @property
    def example_args(self) -> tuple[Any, ...]:
        return tuple(self.batches[0])


def load_workload(path: str) -> Workload:
    """Loads a workload file, `FILE.py` or `FILE.py:function`.

    Raises:
        CompilerError: no such file, the file raises, or it does not define what is expected; the message
            names the line of the user's file.
    """
    file, _, function = path.partition(":")
    if not Path(file).is_file():
        raise CompilerError(f"no file '{file}'", hint=_EXPECTED)
    if not file.endswith(".py"):
        raise CompilerError(f"'{file}' is not a Python file", hint=_EXPECTED)
    load = getattr(_run_file(Path(file)), function or "load", None)
    if not callable(load):
        raise CompilerError(f"'{file}' does not define {function or 'load'}()", hint=_EXPECTED)
    try:
        made = load()
    except Exception as error:
        raise _in_user_file(file, error) from error
    return _as_workload(made, file)


def _run_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise CompilerError(f"cannot load '{path}' as Python", hint=_EXPECTED)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _in_user_file(str(path), error) from error
    return module


def _as_workload(made: Any, file: str) -> Workload:
    if isinstance(made, Workload):
        if not made.batches:
            raise CompilerError(
                f"the workload of '{file}' has no batches", hint="give at least one tuple of inputs"
            )
        return made
    if isinstance(made, tuple) and len(made) == 2 and isinstance(made[1], tuple):
        return Workload(made[0], [made[1]])
    raise CompilerError(f"load() of '{file}' returned {type(made).__name__}", hint=_EXPECTED)


def _in_user_file(file: str, error: Exception) -> CompilerError:
    """The user's own exception as one message at the last line of their file that it passed through."""
    full = str(Path(file).resolve())
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if str(Path(frame.filename).resolve()) == full
    ]
    if isinstance(error, SyntaxError) and error.lineno:
        lines = [error.lineno]
    where = f"{file}:{lines[-1]}" if lines else file
    return CompilerError(f"{type(error).__name__}: {error}", where=where)
