"""LLVM IR as text, in the spelling that the code generator reads.

The MLIR bindings carry a newer LLVM than llvmlite does, and text is what both have in common. They differ in how
floating-point constants are written. Newer LLVM has decimal numbers that are rounded to the constant's type
(`half 9.997550e-02`), `+inf`, `-qnan`, `+nan(0x1)`, `+snan(0x1)` and bits of the type itself (`float f0x3F800000`).
Older LLVM knows none but decimal numbers that are exact, and bits: those of a double for float and double
(`0x3FF0000000000000`), and with a letter for all other types (`half 0xH3C00`). So every constant becomes bits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import llvmlite.binding as llvmlite

from ...dialects.host import ir
from ...dialects.llvm_translation import translate_to_llvm_ir
from ...passes.infra.diagnostics import CompilerError

_ARGUMENTS = "arg_attrs"
_VALUE = r"(?:f0x[0-9A-F]+|-?\d+\.\d+(?:e[+-]?\d+)?|[+-](?:inf|qnan|s?nan\(0x[0-9A-Fa-f]+\)))"
_HAS_VALUE = re.compile(rf"[\s([{{<]{_VALUE}")
_TOKEN = re.compile(
    r'"[^"]*"|;.*'  # strings (LLVM writes a quote in one as \22) and comments
    r"|[%@!#$^][-\w.$]+"  # names
    r"|\b(?P<type>half|bfloat|float|double|fp128|x86_fp80|ppc_fp128)\b"
    rf"|(?<![\w.])(?P<value>{_VALUE})(?![\w.])"
)


class _Format(NamedTuple):
    """A binary floating-point format: sign, biased exponent, fraction.

    Attributes:
        spell: the bits as older LLVM writes them.
    """

    exponent_bits: int
    fraction_bits: int
    spell: Callable[[int], str]

    def sign(self, negative: bool) -> int:
        return negative << (self.exponent_bits + self.fraction_bits)

    @property
    def infinity(self) -> int:
        return ((1 << self.exponent_bits) - 1) << self.fraction_bits

    @property
    def quiet(self) -> int:
        """The bit that tells a quiet NaN from a signalling one."""
        return 1 << (self.fraction_bits - 1)

    def nearest(self, value: Fraction) -> int:
        """Bits of the number nearest to one that is not negative, ties to even; infinity above the largest."""
        lowest = 2 - (1 << (self.exponent_bits - 1))  # the exponent of the smallest normal number
        exponent = max(_exponent(value), lowest)
        steps = round(value / Fraction(2) ** (exponent - self.fraction_bits))
        bits = ((exponent - lowest) << self.fraction_bits) + steps  # the leading bit counts as one exponent
        return min(bits, self.infinity)


def _exponent(value: Fraction) -> int:
    """floor(log2(value)) of a positive number; something below every exponent for 0."""
    if not value:
        return -(1 << 20)
    estimate = value.numerator.bit_length() - value.denominator.bit_length()
    return estimate if Fraction(2) ** estimate <= value else estimate - 1


def _float_as_double(bits: int) -> int:
    """Bits of the double that has the value of a float; a NaN keeps its sign and payload."""
    sign, exponent, fraction = bits >> 31, bits >> 23 & 0xFF, bits & 0x7FFFFF
    if exponent == 0xFF:
        return sign << 63 | 0x7FF << 52 | fraction << 29
    if exponent:
        return sign << 63 | (exponent + 1023 - 127) << 52 | fraction << 29
    return sign << 63 | _FORMATS["double"].nearest(Fraction(fraction, 1 << 149))


_FORMATS = {
    "half": _Format(5, 10, "0xH{:04X}".format),
    "bfloat": _Format(8, 7, "0xR{:04X}".format),
    "float": _Format(8, 23, lambda bits: f"0x{_float_as_double(bits):016X}"),
    "double": _Format(11, 52, "0x{:016X}".format),
    # the lower half comes first
    "fp128": _Format(15, 112, lambda bits: f"0xL{bits & (1 << 64) - 1:016X}{bits >> 64:016X}"),
}


def llvm_ir_text(module: ir.Module | ir.Operation) -> str:
    """The LLVM IR of a module in the llvm dialect, as llvmlite's LLVM reads it.

    Raises:
        CompilerError: it holds a floating-point constant of a type that has no place here.
    """
    with _without_argument_attributes(module):
        return respell_constants(translate_to_llvm_ir(module.operation))


@contextmanager
def _without_argument_attributes(module: ir.Module | ir.Operation) -> Iterator[None]:
    """Hides what we say about arguments: it means nothing to LLVM, and MLIR's translation takes time quadratic in the
    number of arguments that have attributes (10 s for a MobileNet, whose buffers have 2,600 sizes and strides)."""
    hidden = [
        (op, op.attributes[_ARGUMENTS])
        for op in module.operation.regions[0].blocks[0].operations
        if _ARGUMENTS in op.attributes and not _means_something(op.attributes[_ARGUMENTS])
    ]
    for op, _ in hidden:
        del op.attributes[_ARGUMENTS]
    try:
        yield
    finally:
        for op, attributes in hidden:
            op.attributes[_ARGUMENTS] = attributes


def _means_something(attributes: ir.Attribute) -> bool:
    """Whether LLVM is told anything about an argument."""
    return any(
        named.name.startswith("llvm.") for each in ir.ArrayAttr(attributes) for named in ir.DictAttr(each)
    )


def respell_constants(text: str) -> str:
    """Rewrites floating-point constants from the newer spelling to the older one; all else stays as it is.

    Raises:
        CompilerError: a constant's type is x86_fp80 or ppc_fp128.
    """
    return "\n".join(_respell_line(line) if _HAS_VALUE.search(line) else line for line in text.split("\n"))


def read_llvm_ir(text: str, what: str) -> llvmlite.ModuleRef:
    """Parses and verifies LLVM IR.

    Raises:
        CompilerError: LLVM cannot read the text of `what`; shows the line.
    """
    try:
        # In a context of its own: LLVM's shared one keeps the types and constants of all that it has seen.
        module = llvmlite.parse_assembly(text, llvmlite.create_context())
        module.verify()
    except RuntimeError as error:
        raise CompilerError(
            f"LLVM {'.'.join(map(str, llvmlite.llvm_version_info))} could not read the code of {what}",
            notes=(_readable(str(error), text),),
            hint="this is a fault of the compiler, which takes LLVM IR from another version of LLVM: please report "
            "the line above",
        ) from None
    return module


def _readable(said: str, text: str) -> str:
    """LLVM's message on one line, with the line of the text that it is about."""
    place = re.search(r":(\d+):\d+: error: (.*)", said)
    if place is None:
        return " ".join(said.split())
    line = text.split("\n")[int(place[1]) - 1].strip()
    return f"line {place[1]} of the LLVM IR: {place[2]}: {line}"


def _respell_line(line: str) -> str:
    """Every constant has a type before it in its line: the nearest one, for types are repeated in aggregates."""
    kind = ""

    def respell(match: re.Match[str]) -> str:
        nonlocal kind
        kind = match["type"] or kind
        return _older_spelling(kind, match["value"]) if match["value"] else match[0]

    return _TOKEN.sub(respell, line)


@lru_cache(maxsize=4096)
def _older_spelling(kind: str, word: str) -> str:
    given = _FORMATS.get(kind)
    if given is None:
        raise CompilerError(
            f"the model has a constant of LLVM's type {kind or 'unknown'}, which the CPU target does not compute in",
            hint="use f64, f32, f16 or bf16",
        )
    return given.spell(_bits(given, word))


def _bits(given: _Format, word: str) -> int:
    """The bit pattern that a constant in the newer spelling stands for."""
    if word.startswith("f0x"):
        return int(word[3:], 16)
    sign = given.sign(word.startswith("-"))
    if word[-1].isdigit():
        return sign | given.nearest(abs(Fraction(word)))
    if word.endswith("inf"):
        return sign | given.infinity
    payload = int(word[word.index("0x") : -1], 16) if "(" in word else 0
    return sign | given.infinity | (0 if "snan" in word else given.quiet) | payload
