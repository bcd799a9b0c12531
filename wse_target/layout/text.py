"""Layouts as text: `[xo:8/16 *2/8 xi:4/2, -, y:4/8 halo 1,1] on xo:8 xi:4; y:4 at (0, 0)`.

A dimension is `-` where it is whole; else its digits, outermost first, as `sub-axis:pieces/pitch`. `*` stands for a
local digit, `(x+y)` for the sum of two, `(x+t)` for one that rotates. `cut LOW..HIGH` and `halo BEFORE,AFTER` follow
where a dimension has them.
"""

from __future__ import annotations

import functools
import math
import re
from typing import get_args

from ..errors import TargetError
from ..instructions import Combine
from .dimension import Digit, Dimension
from .mesh import Mesh, SubAxis
from .rectangle import Rect
from .tensor_layout import TIME, Partial, TensorLayout

_LAYOUT = re.compile(
    r"\[(?P<dims>[^\]]*)\] on (?P<x>[^;]*); (?P<y>.*?) at \((?P<x0>\d+), (?P<y0>\d+)\)(?P<rest>.*)"
)
_PLACE = re.compile(r" at \(\d+, \d+\)")
_DIGIT = re.compile(r"(?P<where>\*|\w+|\([\w+]+\)):?(?P<extent>\d+)/(?P<pitch>\d+)")
_RANGE = re.compile(r" cut (-?\d+)\.\.(-?\d+)")
_HALO = re.compile(r" halo (-?\d+),(-?\d+)")
_FACTOR = re.compile(r"([A-Za-z]\w*):(\d+)( ring)?")
_PARTIAL = re.compile(r", partial (\w+) over ([\w ]+)")
RESIDENT = ", resident"


def layout_text(layout: TensorLayout) -> str:
    """A layout as a person reads it; `parse_layout` is the way back."""
    dims = ", ".join(dimension_text(dim) for dim in layout.dims)
    partial = "".join(f", partial {p.kind} over {' '.join(p.axes)}" for p in layout.partial)
    return f"[{dims}] on {layout.mesh}{partial}{RESIDENT if layout.is_resident else ''}"


def moved_text(text: str, x0: int, y0: int) -> str:
    """The text of the same layout on a mesh that begins at another PE."""
    return _PLACE.sub(f" at ({x0}, {y0})", text, count=1)


def dimension_text(dim: Dimension) -> str:
    """A dimension of a layout's text."""
    text = " ".join(_digit_text(digit) for digit in dim.digits) or "-"
    if (dim.low, dim.high) != (0, dim.size):
        text += f" cut {dim.low}..{dim.high}"
    return text + (f" halo {dim.before},{dim.after}" if dim.before or dim.after else "")


def _digit_text(digit: Digit) -> str:
    terms = [*digit.axes, *([TIME] if digit.rotates else [])]
    where = f"({'+'.join(terms)})" if len(terms) > 1 or digit.rotates else "".join(terms)
    return f"{where}:{digit.extent}/{digit.pitch}" if where else f"*{digit.extent}/{digit.pitch}"


@functools.lru_cache(4096)
def parse_layout(text: str, shape: tuple[int, ...]) -> TensorLayout:
    """The layout that a text tells, of a tensor of that shape.

    Raises:
        TargetError: it is no such text, or no layout of that shape; says which part.
    """
    found = _LAYOUT.fullmatch(text.strip())
    if found is None:
        raise TargetError(f"'{text}' is no layout", hint="as in [x:4/8, -] on x:4; y:2 at (0, 0)")
    parts = [part.strip() for part in found["dims"].split(", ")] if found["dims"].strip() else []
    if len(parts) != len(shape):
        raise TargetError(f"'{text}' has {len(parts)} dimensions, the tensor has {len(shape)}")
    dims = tuple(_parse_dimension(part, size) for part, size in zip(parts, shape, strict=True))
    partial, resident = _parse_rest(found["rest"])
    x, y = _parse_factors(found["x"]), _parse_factors(found["y"])
    layout = TensorLayout(_mesh(x, y, int(found["x0"]), int(found["y0"])), dims, partial, resident)
    if problem := layout.problem():
        raise TargetError(f"'{text}': {problem}")
    return layout


def _parse_dimension(text: str, size: int) -> Dimension:
    rest, (low, high) = _taken(_RANGE, f" {text}", (0, size))
    rest, (before, after) = _taken(_HALO, rest, (0, 0))
    words = [] if rest.strip() == "-" else rest.split()
    return Dimension(size, tuple(_parse_digit(word) for word in words), low, high, before, after)


def _taken(pattern: re.Pattern[str], text: str, otherwise: tuple[int, int]) -> tuple[str, tuple[int, int]]:
    """Text without what a pattern finds, and the two numbers of that."""
    found = pattern.search(text)
    if found is None:
        return text, otherwise
    return text[: found.start()] + text[found.end() :], (int(found[1]), int(found[2]))


def _parse_digit(word: str) -> Digit:
    found = _DIGIT.fullmatch(word)
    if found is None:
        raise TargetError(f"'{word}' is no digit of a layout", hint="as in x:4/8, *2/16 or (x+t):4/8")
    terms = [t for t in found["where"].strip("()*").split("+") if t]
    axes = tuple(t for t in terms if t != TIME)
    return Digit(int(found["extent"]), int(found["pitch"]), axes, TIME in terms)


def _parse_factors(text: str) -> tuple[SubAxis, ...]:
    found = tuple(SubAxis(m[1], int(m[2]), "ring" if m[3] else "line") for m in _FACTOR.finditer(text))
    if " ".join(map(str, found)) != text:
        raise TargetError(f"'{text}' are no sub-axes", hint="as in xo:8 xi:4 ring")
    return found


def _mesh(x: tuple[SubAxis, ...], y: tuple[SubAxis, ...], x0: int, y0: int) -> Mesh:
    width, height = (math.prod(f.extent for f in factors) for factors in (x, y))
    try:
        return Mesh(Rect(x0, y0, width, height), x, y)
    except ValueError as error:
        raise TargetError(str(error)) from None


def _parse_rest(text: str) -> tuple[tuple[Partial, ...], bool]:
    resident = text.endswith(RESIDENT)
    text = text.removesuffix(RESIDENT)
    found = [Partial(_kind(m[1]), tuple(m[2].split())) for m in _PARTIAL.finditer(text)]
    if _PARTIAL.sub("", text):
        raise TargetError(
            f"'{text}' is no part of a layout's text", hint="as in ', partial add over x, resident'"
        )
    return tuple(found), resident


def _kind(word: str) -> Combine:
    if word not in get_args(Combine):
        raise TargetError(f"nothing is combined by '{word}'", hint=f"by {', '.join(get_args(Combine))}")
    return word  # type: ignore[return-value]
