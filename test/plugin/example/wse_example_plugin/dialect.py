"""The dialect `example`, with one operation."""

from wse_mlir.dialects.host import ext, ir


class Example(ext.Dialect, name="example"):
    pass


class MarkOp(Example.Operation, name="mark"):
    pass


def load(context: ir.Context) -> None:
    """Makes the dialect known to a context."""
    if not context.is_dialect_loaded("example"):
        with context, ir.Location.unknown():
            Example.load()
