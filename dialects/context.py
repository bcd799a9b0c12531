"""Makes MLIR contexts in which upstream's dialects, torch's and this project's are loaded."""

from torch_mlir.dialects import torch as torch_dialect

from .host import ir


def create_context(*, allow_unregistered: bool = False) -> ir.Context:
    """Returns a fresh context that knows every dialect the project uses.

    Threading is off: verifiers written in Python hang in a multithreaded context.
    Errors are raised as structured diagnostics instead of being printed.
    """
    context = ir.Context()
    context.enable_multithreading(False)
    context.allow_unregistered_dialects = allow_unregistered
    context.emit_error_diagnostics = False
    torch_dialect.register_dialect(context)
    return context
