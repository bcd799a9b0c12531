"""Makes MLIR contexts in which upstream's dialects, torch's and this project's are loaded."""

from . import wse
from .fork_lock import ForkLock, LockOrder
from .host import ir, passmanager, register_torch_dialects
from .plugins import load_plugin_dialects

COMPILING = ForkLock(LockOrder.COMPILE, "compiling")
"""Held by a thread that builds or lowers IR: the bindings crash when two do, even in contexts of their own."""


def create_context(*, allow_unregistered: bool = False) -> ir.Context:
    """Returns a fresh context that knows every dialect the project uses.

    Threading is off: verifiers written in Python hang in a multithreaded context.
    Errors are raised as structured diagnostics instead of being printed. Dialects of installed plugins
    are loaded too (`PluginError` when one is broken).
    """
    context = ir.Context()
    context.enable_multithreading(False)
    context.allow_unregistered_dialects = allow_unregistered
    context.emit_error_diagnostics = False
    register_torch_dialects(context)
    _load_tm_tensor(context)
    wse.load(context)
    load_plugin_dialects(context)
    return context


def _load_tm_tensor(context: ir.Context) -> None:
    """Loads `tm_tensor`, which the bindings cannot register: a pass that depends on it loads it."""
    with context, ir.Location.unknown():
        empty = ir.Module.create()
        passmanager.PassManager.parse("builtin.module(func.func(convert-torch-to-tmtensor))").run(
            empty.operation
        )
