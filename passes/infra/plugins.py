"""Plugins: modules from outside that add passes and dialects.

Installed packages announce theirs through entry points (`wse_mlir.passes`, `wse_mlir.dialects`,
`wse_mlir.targets`); a file or module that is named on the command line is loaded by `load_plugin`. Such a
module may call `register_pass` and `register_dialect`, or just define subclasses of `Pass` and of
`ext.Dialect`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from ...dialects.host import ext
from ...dialects.plugins import register_dialect
from .diagnostics import CompilerError
from .pass_base import Pass
from .registry import find_pass, has_pass, register_pass


def load_plugin(name: str) -> ModuleType:
    """Loads a plugin from a Python file or an importable module and registers what it defines.

    Args:
        name: a path that ends in `.py`, or a module's dotted name.

    Raises:
        CompilerError: there is no such file or module, it fails to import, or a pass's name is taken.
    """
    if not name.strip(".") or name.startswith("."):
        raise CompilerError(f"'{name}' is neither a Python file nor a module's name")
    module = _load_file(Path(name)) if name.endswith(".py") else _load_module(name)
    for value in list(vars(module).values()):
        if _is_pass_of(value, module) and not _is_registered(value):
            register_pass(value)
    for value in list(vars(module).values()):
        if _is_dialect_of(value, module):
            register_dialect(value)
    return module


def _is_pass_of(value: object, module: ModuleType) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, Pass)
        and bool(value.name)
        and value.__module__ == module.__name__
    )


def _is_dialect_of(value: object, module: ModuleType) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, ext.Dialect)
        and value is not ext.Dialect
        and hasattr(value, "DIALECT_NAMESPACE")
        and value.__module__ == module.__name__
    )


def _is_registered(cls: type[Pass]) -> bool:
    return has_pass(cls.name) and find_pass(cls.name) is cls


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise CompilerError(f"cannot load plugin '{path}': no such file")
    identity = str(path.resolve())
    module_name = f"wse_plugin_{path.stem}_{abs(hash(identity)):x}"
    for loaded in list(sys.modules.values()):
        if getattr(loaded, "__wse_plugin__", None) == identity:
            return loaded
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        raise _import_failed(str(path), error) from error
    vars(module)["__wse_plugin__"] = identity
    return module


def _load_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise CompilerError(
                f"cannot load plugin '{name}': there is no such module",
                hint="name a Python file (ending in .py) or a module that can be imported",
            ) from None
        raise _import_failed(name, error) from error
    except (Exception, SystemExit) as error:
        raise _import_failed(name, error) from error


def _import_failed(name: str, error: BaseException) -> CompilerError:
    if isinstance(error, CompilerError):
        return error
    if isinstance(error, SystemExit):
        return CompilerError(f"plugin '{name}' ends the process when it is imported")
    at = f" at line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
    return CompilerError(f"plugin '{name}' cannot be imported: {type(error).__name__}{at}: {error}")
