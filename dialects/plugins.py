"""Dialects from outside: entry points of the group `wse_mlir.dialects`, and what `register_dialect` is given.

A dialect is a class derived from the bindings' `ext.Dialect`, an object with a method `load(context)`, or a
function `load(context)`.
"""

import functools
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..wse_target.errors import CompilerError
from .host import ext, ir

GROUP = "wse_mlir.dialects"
_registered: list[Any] = []


class PluginError(CompilerError):
    """A plugin's dialect cannot be loaded; the message names the entry point and its package."""


def register_dialect(dialect: Any) -> None:
    """Has `dialect` loaded into every context made from now on; registering twice does nothing.

    Raises:
        PluginError: when it is none of the forms that a dialect may have.
    """
    if not (callable(dialect) or hasattr(dialect, "load")):
        raise PluginError(
            f"{dialect!r} is no dialect: expected a class derived from ext.Dialect, an object with "
            f"load(context), or a function load(context)"
        )
    if dialect not in _registered:
        _registered.append(dialect)


def load_plugin_dialects(context: ir.Context) -> None:
    """Loads the dialects of installed plugins, then the registered ones, into `context`.

    Raises:
        PluginError: when an entry point cannot be imported or a dialect does not load.
    """
    for point in _installed():
        try:
            load_dialect(point.load(), context)
        except Exception as error:
            package = point.dist.name if point.dist is not None else "an unknown package"
            raise PluginError(
                f"dialect '{point.name}' ({point.value}) of {package} cannot be loaded: {error}"
            ) from error
    for dialect in _registered:
        try:
            load_dialect(dialect, context)
        except Exception as error:
            name = getattr(dialect, "__name__", type(dialect).__name__)
            raise PluginError(f"dialect '{name}' cannot be loaded: {error}") from error


@functools.cache
def _installed() -> tuple[EntryPoint, ...]:
    return tuple(sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)))


def load_dialect(dialect: Any, context: ir.Context) -> None:
    """Loads one dialect; a class derived from `ext.Dialect` that is loaded already is left alone."""
    if isinstance(dialect, type) and issubclass(dialect, ext.Dialect):
        if not context.is_dialect_loaded(dialect.DIALECT_NAMESPACE):
            with context, ir.Location.unknown():
                dialect.load()
    elif hasattr(dialect, "load"):
        dialect.load(context)
    else:
        dialect(context)
