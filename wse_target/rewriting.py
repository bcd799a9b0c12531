"""Program text with parts of it replaced: expressions, accesses and instructions are trees of frozen dataclasses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from .quasi_affine import Binary, binary


@dataclass
class TextRewriting:
    """Replaces parts of trees; what holds none of them is shared with the original.

    Attributes:
        change: what takes the place of a part; None leaves it, and what is inside of it is looked at.
    """

    change: Callable[[Any], Any]
    _known: dict[int, tuple[Any, Any]] = field(default_factory=dict)

    def __call__(self, item: Any) -> Any:
        """An instruction, a transfer, an expression or a tuple of them, rewritten."""
        if not isinstance(item, tuple) and not is_dataclass(item):
            return item
        if id(item) not in self._known:
            changed = self.change(item)
            self._known[id(item)] = item, self._inside(item) if changed is None else changed
        return self._known[id(item)][1]

    def _inside(self, item: Any) -> Any:
        if isinstance(item, Binary):
            left, right = self(item.left), self(item.right)
            return item if left is item.left and right is item.right else binary(item.operator, left, right)
        if isinstance(item, tuple):
            made = tuple(self(part) for part in item)
            return item if all(a is b for a, b in zip(made, item, strict=True)) else made
        changed = {f.name: self(getattr(item, f.name)) for f in fields(item)}
        changed = {name: new for name, new in changed.items() if new is not getattr(item, name)}
        return replace(item, **changed) if changed else item
