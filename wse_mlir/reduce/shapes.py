"""Makes static shapes smaller."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .draft import Base
from .strategy import Strategy

Resize = tuple[int, int, bool]  # a size, what becomes of it, and whether numbers outside of types follow

_IN_TYPES = re.compile(r"(?<=[<x\[])\d+(?=x[a-z!?\d*<(])|(?<=[<x])\d+(?= x )")
_ANYWHERE = re.compile(r"(?<![\w%^#@.-])\d+(?![\w.])|" + _IN_TYPES.pattern)


class ShrinkShapes(Strategy[Resize]):
    """Replaces a size by a smaller one wherever it stands in a type; if need be, wherever the number stands.

    Before: `tensor<64x32xf32>` and `tensor<32x64xf32>`; after: `tensor<1x32xf32>` and `tensor<32x1xf32>`. Sizes that
    are equal shrink together, as what belongs together is of equal size; what must not be equal is refused by
    verification or by the predicate.
    """

    name = "shapes"
    grouped = False

    def targets(self, base: Base) -> Sequence[Resize]:
        sizes = sorted({int(size) for size in _IN_TYPES.findall(base.text)} - {0, 1}, reverse=True)
        return [
            (size, smaller, anywhere)
            for size in sizes
            for smaller in sorted({1, 2, size // 2})
            if smaller < size
            for anywhere in (False, True)
        ]

    def candidate(self, base: Base, chosen: Sequence[Resize]) -> str | None:
        text = base.text
        for size, smaller, anywhere in chosen:
            pattern = _ANYWHERE if anywhere else _IN_TYPES
            text = pattern.sub(lambda m, a=size, b=smaller: str(b) if m[0] == str(a) else m[0], text)
        return None if text == base.text else text
