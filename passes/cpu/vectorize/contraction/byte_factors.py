"""Bytes as factors of products: what number they stand for, modulo 2^32, which is all that sums in i32 need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .....dialects.host import ir
from ....tensor.contraction.factors import FactorStep

_FLIP = -128  # 128 in an i8


@dataclass(frozen=True)
class Byte:
    """The number `widen(flip(x)) + offset` for a byte x in memory.

    Attributes:
        is_signed: whether the sign is extended when it is widened.
        is_flipped: whether the first bit is inverted before that.
        offset: minus the zero point.
    """

    is_signed: bool
    is_flipped: bool = False
    offset: int = 0

    def unsigned(self) -> Byte:
        """The same number, widened without a sign: a signed byte is its flip less 128."""
        return Byte(False, not self.is_flipped, self.offset - 128) if self.is_signed else self

    def signed(self) -> Byte:
        """The same number, widened with its sign: an unsigned byte is its flip plus 128."""
        return self if self.is_signed else Byte(True, not self.is_flipped, self.offset + 128)

    def steps(self, element: ir.Type) -> tuple[FactorStep, ...]:
        """How to compute it as a wider integer."""
        flips = (_flip_step(),) if self.is_flipped else ()
        offset = (FactorStep("arith.addi", element, self.offset),) if self.offset else ()
        return (*flips, FactorStep("arith.extsi" if self.is_signed else "arith.extui", element), *offset)


def byte_of(steps: Sequence[FactorStep]) -> Byte | None:
    """What steps that begin at a byte compute; None when they do something else.

    They may lead to integers of more than 32 bits: only the first 32 count.
    """
    rest = list(steps)
    flips = 0
    while rest and rest[0] in (_flip_step(), _flip_step("arith.addi"), _flip_step("arith.subi")):
        rest.pop(0)
        flips += 1
    if not rest or rest[0].name not in ("arith.extsi", "arith.extui") or not _is_wide(rest[0]):
        return None
    widening, *rest = rest
    offset = 0
    for step in rest:
        if step.constant is None:
            if step.name != "arith.extsi":
                return None
        elif step.name == "arith.addi":
            offset += step.constant
        elif step.name == "arith.subi":
            offset -= step.constant
        else:
            return None
    return Byte(widening.name == "arith.extsi", flips % 2 == 1, offset)


def flip(value: ir.Value) -> ir.Value:
    """A byte, or a vector of them, with its first bit inverted."""
    return _flip_step().emit(value)


def _flip_step(name: str = "arith.xori") -> FactorStep:
    return FactorStep(name, ir.IntegerType.get_signless(8), _FLIP)


def _is_wide(step: FactorStep) -> bool:
    """Whether it leads to 32 bits or more, in which no small offset is lost."""
    return isinstance(step.element, ir.IntegerType) and step.element.width >= 32
