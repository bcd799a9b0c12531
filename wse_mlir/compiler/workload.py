"""Models as users hand them to the command line: a Python file, an exported program, or MLIR."""

from __future__ import annotations

import copy
import importlib.util
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from ..passes.infra.diagnostics import CompilerError

if TYPE_CHECKING:
    import torch

    from ..dialects.host import ir
    from ..frontend.imported import ImportedModel

_EXPECTED = "a workload file defines `load()` that returns a wse_mlir.Workload or (model, example_args)"
_NAMED = re.compile(r"([A-Za-z_]\w*)=(.+)", re.DOTALL)


@dataclass
class Workload:
    """A model with inputs to run it on, as a workload file's `load()` returns it.

    Attributes:
        model: what `wse_mlir.compile` takes.
        batches: one tuple of positional arguments per call; all of the same shapes.
        labels: class indices over all batches, for classifiers; accuracy is reported when they are given.
        kwargs: keyword arguments of every call.
        dynamic_shapes: sizes that may differ from call to call, as `torch.export.export` takes them.
    """

    model: Any
    batches: Sequence[tuple[Any, ...]]
    labels: torch.Tensor | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    dynamic_shapes: Any = None

    @property
    def example_args(self) -> tuple[Any, ...]:
        return tuple(self.batches[0])


@dataclass(frozen=True)
class OpenedModel:
    """A model that a command was given, of whatever kind of file.

    Attributes:
        name: of the function that it is compiled to: a C identifier.
        source: the file, with the function if one was named, for messages.
        model: what `wse_mlir.compile` takes: an `nn.Module`, or the path of a model's file.
        batches: one tuple of positional arguments per call; none for model files, see `with_inputs`.
        kwargs / dynamic_shapes / labels: as in `Workload`.
    """

    name: str
    source: str
    model: Any
    batches: Sequence[tuple[Any, ...]] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    dynamic_shapes: Any = None
    labels: torch.Tensor | None = None

    @property
    def example_args(self) -> tuple[Any, ...]:
        """Positional arguments of one call; empty when none are known."""
        return tuple(self.batches[0]) if self.batches else ()

    def imported(self, context: ir.Context | None = None) -> ImportedModel:
        """The model at stage `imported`; see `import_model`."""
        from ..frontend.imported import import_model

        return import_model(
            self.model,
            self.example_args,
            self.kwargs,
            dynamic_shapes=self.dynamic_shapes,
            context=context,
        )

    def with_inputs(self, seed: int = 0, inputs: Literal["normal", "integers"] = "normal") -> OpenedModel:
        """The same model with arguments of one call drawn at random, unless it has batches."""
        if self.batches:
            return self
        from ..compare.reference_check import random_call

        args, kwargs = random_call(self.imported().interface, seed, inputs)
        return replace(self, batches=(args,), kwargs=kwargs)

    def eager(self) -> Callable[..., Any] | None:
        """The model as PyTorch runs it; None for models that are not PyTorch's."""
        if not isinstance(self.model, str):
            return self.model
        if not self.model.endswith(".pt2"):
            return None
        from ..dialects.context import create_context
        from ..frontend.files import read_model_file

        program: Any = read_model_file(self.model, create_context())
        return program.module()


def open_models(texts: Sequence[str]) -> list[OpenedModel]:
    """Opens several models, see `open_model`; a Python file that several of them name is run once.

    What its functions share, such as a layer or a cache, is then the same object in all models.
    """
    ran: dict[Path, ModuleType] = {}
    return [open_model(text, ran) for text in texts]


def fresh_copy(model: Any) -> Any:
    """A copy of a model with state and parameters of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PyTorch's own, when an exported program is copied
        return copy.deepcopy(model)


def open_model(text: str, ran: dict[Path, ModuleType] | None = None) -> OpenedModel:
    """Opens what users name on the command line: `[NAME=]FILE`.

    Args:
        text: a workload file (`FILE.py` or `FILE.py:FUNCTION`, see `load_workload`), or the path of a model's file
            (.pt2, .onnx, .mlir), which is read when it is imported. Without NAME, the function named or the file
            gives the model's name.
        ran: Python files that have been run, which are not run again; gets this one.

    Raises:
        CompilerError: there is no such file, or a workload file is not as expected.
    """
    named = None if Path(text).is_file() else _NAMED.fullmatch(text)
    name, source = (named[1], named[2]) if named else ("", text)
    file, _, function = source.partition(":")
    if file.endswith(".py"):
        made = load_workload(source, ran)
        name = name or c_identifier(function if function not in ("", "load") else Path(file).stem)
        return OpenedModel(
            name, source, made.model, made.batches, made.kwargs, made.dynamic_shapes, made.labels
        )
    if Path(source).is_dir():
        raise CompilerError("this is a folder, expected a model's file", where=source)
    if Path(source).is_symlink() and not Path(source).exists():
        raise CompilerError("this is a symbolic link to a file that is not there", where=source)
    if not Path(source).exists():
        raise CompilerError("no such file", where=source, hint="check the path of the model")
    return OpenedModel(name or c_identifier(Path(source).stem), source, source)


def c_identifier(text: str) -> str:
    """A C identifier like a file's name: a letter, then letters, digits and single underscores."""
    name = re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_")
    return name if name[:1].isalpha() else f"model_{name}".rstrip("_")


def load_workload(path: str, ran: dict[Path, ModuleType] | None = None) -> Workload:
    """Loads a workload file, `FILE.py` or `FILE.py:function`; one that is in `ran` is not run again.

    Raises:
        CompilerError: no such file, the file raises, or it does not define what is expected; the message
            names the line of the user's file.
    """
    file, _, function = path.partition(":")
    if not Path(file).is_file():
        raise CompilerError(f"no file '{file}'", hint=_EXPECTED)
    if not file.endswith(".py"):
        raise CompilerError(f"'{file}' is not a Python file", hint=_EXPECTED)
    ran = {} if ran is None else ran
    key = Path(file).resolve()
    if key not in ran:
        ran[key] = _run_file(Path(file))
    load = getattr(ran[key], function or "load", None)
    if not callable(load):
        raise CompilerError(f"'{file}' does not define {function or 'load'}()", hint=_EXPECTED)
    try:
        made = load()
    except (Exception, SystemExit) as error:
        raise _in_user_file(file, error) from error
    return _as_workload(made, file)


def _run_file(path: Path) -> ModuleType:
    name = _module_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise CompilerError(f"cannot load '{path}' as Python", hint=_EXPECTED)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _in_user_file(str(path), error) from error
    return module


def _module_name(path: Path) -> str:
    """A name that no other module has: a file may be called json.py, and several may be called model.py."""
    first = "wse_workload_" + re.sub(r"\W", "_", path.stem)
    name, number, file = first, 1, str(path)
    while getattr(sys.modules.get(name), "__file__", file) != file:
        number += 1
        name = f"{first}_{number}"
    return name


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


def _in_user_file(file: str, error: BaseException) -> CompilerError:
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
