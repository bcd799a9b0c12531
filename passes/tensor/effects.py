"""Which operations only compute their results, so that an unused one may go."""

from __future__ import annotations

from ...dialects.host import ir

_PURE_PREFIXES = (
    "arith.",
    "math.",
    "complex.",
    "tensor.",
    "affine.apply",
    "affine.min",
    "affine.max",
    "vector.",
)
# These touch memory or may not end, whatever their prefix says.
_EFFECTS = frozenset(
    {
        "vector.transfer_write",
        "vector.transfer_read",
        "vector.store",
        "vector.load",
        "vector.maskedload",
        "vector.maskedstore",
        "vector.gather",
        "vector.scatter",
        "vector.expandload",
        "vector.compressstore",
        "vector.print",
    }
)
_STRUCTURED_CONTROL = frozenset(
    {"scf.for", "scf.if", "scf.yield", "linalg.yield", "linalg.index", "linalg.softmax"}
)


def is_dead(op: ir.Operation) -> bool:
    """Whether an operation has results, no user and no effect."""
    return len(op.results) > 0 and not any(is_used(r) for r in op.results) and has_no_effect(op)


def is_used(value: ir.Value) -> bool:
    """Whether a value has any user."""
    return next(iter(value.uses), None) is not None


def has_no_effect(op: ir.Operation) -> bool:
    """Whether erasing an unused operation changes nothing; what is not known is taken to have effects."""
    name = op.name
    if any(isinstance(v.type, ir.MemRefType | ir.UnrankedMemRefType) for v in op.operands):
        return False
    known = name in _STRUCTURED_CONTROL or (name.startswith(_PURE_PREFIXES) and name not in _EFFECTS)
    if not known and not (name.startswith("linalg.") and len(op.regions)):
        return False
    bodies = (
        inner.operation for region in op.regions for block in region.blocks for inner in block.operations
    )
    return all(has_no_effect(inner) for inner in bodies)
