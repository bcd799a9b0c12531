"""The `wse` dialect object and the base class of its operations."""

import functools
from collections.abc import Iterable, Sequence

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

    A subclass declares its fields and may define `check`, which raises `Invalid`. Before it runs, the fields are
    known to be there and of the declared kind: verifiers written in Python run ahead of IRDL's own. Attribute
    names that the operation does not declare are refused, unless they carry a dialect prefix ("wse.note").
    """

    @classmethod
    @functools.cache
    def attribute_kinds(cls) -> dict[str, type]:
        """The declared attributes: name -> class."""
        return {f.name: f.constraint for f in cls._fields if isinstance(f, ext.AttributeDef)}

    @classmethod
    def verify_invariants(cls, op: ir.OpView) -> bool:
        try:
            with op.context:  # a caller may print or verify from outside of it
                cls.check_all(op)
        except Invalid as error:
            culprit = (error.at or op).operation
            culprit.location.emit_error(f"'{culprit.name}' op {error}")
            return False
        return True

    @classmethod
    def check_all(cls, op: ir.OpView) -> None:
        """Raises `Invalid` when a field is missing or of another kind than declared, or `check` does."""
        cls._check_attributes(op)
        cls._check_values(op)
        op.check()  # type: ignore[attr-defined]

    @classmethod
    def _check_attributes(cls, op: ir.OpView) -> None:
        present, declared = op.attributes, cls.attribute_kinds()
        for name in present:
            known = name in declared or "." in name
            if not known and (name != SEGMENTS or cls._ODS_OPERAND_SEGMENTS is None):
                expected = ", ".join(declared) or "none"
                raise Invalid(f"has unknown attribute '{name}'; expected: {expected}")
        for name, kind in declared.items():
            require(name in present, f"requires attribute '{name}'")
            if not isinstance(present[name], kind):
                wanted = f"#{kind.attr_name}"  # type: ignore[attr-defined]
                raise Invalid(f"expects attribute '{name}' to be {wanted}, got {present[name]}")

    @classmethod
    def _check_values(cls, op: ir.OpView) -> None:
        operands = [f for f in cls._fields if isinstance(f, ext.OperandDef)]
        results = [f for f in cls._fields if isinstance(f, ext.ResultDef)]
        sizes = _segment_sizes(op, operands) if cls._ODS_OPERAND_SEGMENTS else [1] * len(operands)
        _check_types("operand", op.operands, operands, sizes)
        _check_types("result", op.results, results, [1] * len(results))

    def check(self) -> None:
        """Raises `Invalid` when the operation breaks its contract."""


SEGMENTS = "operandSegmentSizes"


def _segment_sizes(op: ir.OpView, fields: list[ext.OperandDef]) -> list[int]:
    """How many values each operand field has."""
    names = ", ".join(f.name for f in fields)
    require(SEGMENTS in op.attributes, f"requires attribute '{SEGMENTS}': the number of values for {names}")
    attribute = op.attributes[SEGMENTS]
    if not isinstance(attribute, ir.DenseI32ArrayAttr) or len(attribute) != len(fields):
        raise Invalid(f"expects '{SEGMENTS}' to be {len(fields)} 32-bit integers, for {names}")
    sizes = list(attribute)
    for field, size in zip(fields, sizes, strict=True):
        if field.variadicity == ext.Variadicity.single:
            require(size == 1, f"has {size} values for operand '{field.name}'; expected one")
        elif field.variadicity == ext.Variadicity.optional:
            require(size in (0, 1), f"has {size} values for operand '{field.name}'; expected one or none")
        else:
            require(size >= 0, f"has {size} values for operand '{field.name}'")
    return sizes


def _check_types(
    what: str, values: Iterable[ir.Value], fields: Sequence[ext.FieldDef], sizes: list[int]
) -> None:
    kinds = [field for field, size in zip(fields, sizes, strict=True) for _ in range(size)]
    types = [value.type for value in values]
    require(len(types) == len(kinds), f"has {len(types)} {what}s; expected {len(kinds)}")
    for type_, field in zip(types, kinds, strict=True):
        if not isinstance(type_, field.constraint):
            raise Invalid(f"has {what} '{field.name}' of {type_}; expected !{field.constraint.type_name}")


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
        """Attaches the trait to an operation of the current context."""
        ReadsAndWrites.Effects.attach(op_name)


def listed(names: Iterable[str]) -> str:
    """Names for a message: "'a', 'b'"."""
    return ", ".join(f"'{name}'" for name in names)
