"""Dialects from other packages: entry points of the group `wse_mlir.dialects`.

An entry point is a function `load(context)`, or a class derived from the bindings' `ext.Dialect`.
"""

import functools
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from .host import ext, ir

GROUP = "wse_mlir.dialects"


class PluginError(Exception):
    """An installed plugin's dialect cannot be loaded; the message names the package and the entry point."""


@functools.cache
def _installed() -> tuple[EntryPoint, ...]:
    return tuple(sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)))


def load_plugin_dialects(context: ir.Context) -> None:
    """Loads the dialect of every installed plugin into `context`.

    Raises:
        PluginError: when an entry point cannot be imported or its dialect does not load.
    """
    for point in _installed():
        try:
            load_dialect(point.load(), context)
        except Exception as error:
            package = point.dist.name if point.dist is not None else "an unknown package"
            raise PluginError(
                f"dialect '{point.name}' ({point.value}) of {package} cannot be loaded: {error}"
            ) from error


def load_dialect(entry: Any, context: ir.Context) -> None:
    """Loads a dialect class, or calls a function `load(context)`; loading twice does nothing.

    Raises:
        TypeError: when `entry` is neither.
    """
    if isinstance(entry, type) and issubclass(entry, ext.Dialect):
        if not context.is_dialect_loaded(entry.DIALECT_NAMESPACE):
            with context, ir.Location.unknown():
                entry.load()
        return
    if not callable(entry):
        raise TypeError("expected a function load(context) or a class derived from ext.Dialect")
    entry(context)
