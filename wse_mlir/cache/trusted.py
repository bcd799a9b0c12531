"""What is known by the versions of packages alone: functions and classes of PyTorch and of the standard library.

They are trusted as long as they are what their package defines, and do not depend on the world outside of the model.
"""

from __future__ import annotations

import functools
import importlib
import sys
import types
from pathlib import Path
from typing import Any

import torch

from .fingerprint import Unknown

_STANDARD = (
    "abc", "builtins", "cmath", "collections", "collections.abc", "contextlib", "dataclasses", "enum", "functools",
    "itertools", "math", "numbers", "operator", "types", "typing", "warnings", "_collections", "_collections_abc",
    "_functools", "_operator", "_warnings", "_abc", "_weakref",
)  # fmt: skip
# Parts of PyTorch that read files, devices, random state or settings, or run code that is given to them.
_OUTSIDE = (
    "torch.accelerator", "torch.backends", "torch.cpu", "torch.cuda", "torch.distributed", "torch.hub", "torch.library",
    "torch.monitor", "torch.mps", "torch.mtia", "torch.multiprocessing", "torch.package", "torch.profiler",
    "torch.random", "torch.serialization", "torch.storage", "torch.utils.data", "torch.utils.cpp_extension",
    "torch.utils.model_zoo", "torch.xpu", "torch._dynamo", "torch._inductor",
)  # fmt: skip
_OUTSIDE_NAMES = {
    "from_file", "initial_seed", "seed", "get_rng_state", "get_num_threads", "get_num_interop_threads", "get_file_path",
    "compile",
}  # fmt: skip
# Builtins that reach what the digest does not see, or that differ from process to process.
FORBIDDEN = {
    "__import__", "breakpoint", "compile", "dir", "eval", "exec", "globals", "hash", "id", "input", "locals",
    "memoryview", "open", "vars",
}  # fmt: skip
_PATCHABLE = ("torch", "torch.nn.functional", "torch.nn.init", "torch.nn.modules.module")
_TYPING_FILES = ("typing.py", "typing_extensions.py")


@functools.cache
def _torch_folder() -> str:
    return str(Path(torch.__file__).parent) + "/"


@functools.cache
def _standard_files() -> frozenset[str]:
    modules = (importlib.import_module(name) for name in _STANDARD)
    return frozenset(m.__file__ for m in modules if getattr(m, "__file__", None))  # type: ignore[misc]


def is_trusted_module(name: str | None) -> bool:
    """Whether functions and classes of that module are trusted.

    Raises:
        Unknown: it is a part of PyTorch that depends on more than its arguments.
    """
    name = name or ""
    if any(name == part or name.startswith(part + ".") for part in _OUTSIDE):
        raise Unknown(f"something of {name}")
    return name in _STANDARD or name == "torch" or name.startswith("torch.")


def is_trusted_code(function: types.FunctionType) -> bool:
    """Whether a function's code is that of PyTorch or of the trusted part of the standard library."""
    file = function.__code__.co_filename
    if not file.startswith(_torch_folder()):
        return file in _standard_files()
    is_trusted_module(function.__module__)
    if function.__name__ in _OUTSIDE_NAMES:
        raise Unknown(f"{function.__module__}.{function.__qualname__}")
    return True


def check_builtin_name(name: str, module: str | None) -> None:
    """Raises `Unknown` for a function written in C that depends on more than its arguments."""
    if (module in (None, "builtins") and name in FORBIDDEN) or name in _OUTSIDE_NAMES:
        raise Unknown(f"the function {name}")


def is_trusted_class(cls: type) -> bool:
    """Whether a class is one of those packages, found under its own name, with its own methods."""
    if not is_trusted_module(cls.__module__):
        return False
    found: Any = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is not cls and cls.__module__ != "builtins":
        return False
    for name, value in vars(cls).items():
        if not _is_packaged(value):
            raise Unknown(f"{cls.__qualname__}.{name}, which was replaced")
    return True


def check_unpatched() -> None:
    """Raises `Unknown` when functions that PyTorch's layers call were replaced by somebody else's."""
    namespaces: list[tuple[str, Any]] = [(name, sys.modules[name]) for name in _PATCHABLE]
    for place, namespace in [*namespaces, ("torch.Tensor", torch.Tensor)]:
        for name, value in vars(namespace).items():
            if not _is_packaged(value):
                raise Unknown(f"{place}.{name}, which was replaced")


def _is_packaged(value: Any) -> bool:
    """Whether this is no function, or one whose code lies in PyTorch or the standard library or was generated there."""
    function = value
    if isinstance(value, (staticmethod, classmethod)):
        function = value.__func__
    elif isinstance(value, property):
        function = value.fget
    elif isinstance(value, functools.partial):
        return False
    if not isinstance(function, types.FunctionType):
        return True
    file = function.__code__.co_filename
    return (
        file.startswith((_torch_folder(), "<")) or file in _standard_files() or file.endswith(_TYPING_FILES)
    )
