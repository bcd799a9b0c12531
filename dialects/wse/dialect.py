"""The `wse` dialect object and the base class of its operations."""

from collections.abc import Iterable

from ..host import ext, ir


class Wse(ext.Dialect, name="wse"):
    """Tensors, programs and communication on a wafer-scale engine."""


class Invalid(Exception):
    """What an operation's `check` raises: says what is wrong and what is expected.

    Args:
        at: the operation at fault, when it is another than the one being verified.
    """

    def __init__(self, message: str, *, at: ir.OpView | ir.Operation | None = None) -> None:
        super().__init__(message)
        self.at = at


def require(condition: object, message: str) -> None:
    """Raises `Invalid(message)` unless `condition` holds."""
    if not condition:
        raise Invalid(message)


class Op(Wse.Operation):
    """Base of all operations of the dialect.

    A subclass declares its fields and may define `check`, which raises `Invalid`. Attribute names that the
    operation does not declare are refused, unless they carry a dialect prefix ("wse.note").
    """

    @classmethod
    def verify_invariants(cls, op: ir.OpView) -> bool:
        try:
            cls._check_names(op)
            op.check()  # type: ignore[attr-defined]
        except Invalid as error:
            culprit = (error.at or op).operation
            culprit.location.emit_error(f"'{culprit.name}' op {error}")
            return False
        return True

    @classmethod
    def _check_names(cls, op: ir.OpView) -> None:
        declared = set(cls.attribute_names())
        present = list(op.attributes)
        for name in present:
            expected = ", ".join(cls.attribute_names()) or "none"
            require(name in declared or "." in name, f"has unknown attribute '{name}'; expected: {expected}")
        if cls._ODS_OPERAND_SEGMENTS is not None:
            require("operandSegmentSizes" in present, "requires attribute 'operandSegmentSizes'")

    @classmethod
    def attribute_names(cls) -> list[str]:
        """Names of the attributes that the operation declares, in order."""
        names = [f.name for f in cls._fields if isinstance(f, ext.AttributeDef)]
        return [*names, "operandSegmentSizes"] if cls._ODS_OPERAND_SEGMENTS is not None else names

    def check(self) -> None:
        """Raises `Invalid` when the operation breaks its contract."""


class ReadsAndWrites:
    """Trait: the operation reads and writes memory and the fabric, so it is never removed, merged or moved.

    The effect is on memory as a whole and not on single operands: the order of sends and receives matters
    even where the buffers differ.
    """

    class Effects(ir.MemoryEffectsOpInterface):
        @staticmethod
        def get_effects(op: ir.Operation, effects: ir.MemoryEffectInstancesList) -> None:
            effects.append(ir.MemoryEffect.Read)
            effects.append(ir.MemoryEffect.Write)

    @staticmethod
    def attach(op_name: str) -> None:
        ReadsAndWrites.Effects.attach(op_name)


def listed(names: Iterable[str]) -> str:
    """Names for a message: "'a', 'b'"."""
    return ", ".join(f"'{name}'" for name in names)
