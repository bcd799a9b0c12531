"""Fragments one after the other in a bounded number of classes.

PEs have *roles*: which part of a fragment they run. Where every combination of roles is a class of its own, there are
as many as the fragments' divisions of the grid have cells. Beyond `MOST_CLASSES` some fragments let their PEs choose:
one part for all PEs, which hold the texts of all its roles and jump to their own. That costs a branch, and code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ....wse_target.footprint import text_bytes
from ....wse_target.image import StridedRect
from ....wse_target.instructions import Choose, Instruction, all_instructions
from ....wse_target.quasi_affine import Expr, Lookup, Var
from .fragment import Fragment, RectangleText, covered, sequence

MOST_CLASSES = 64
MOST_INSTRUCTIONS = 16_000  # in the texts of all classes, about 1 MB of IR

Division = frozenset[frozenset[StridedRect]]  # where each text is run


def in_classes(
    fragments: Sequence[Fragment],
    grid: tuple[int, int],
    most: int = MOST_CLASSES,
    most_instructions: int = MOST_INSTRUCTIONS,
) -> Fragment:
    """As `sequence`, in at most so many parts, and fewer where texts are long.

    Divisions of the grid become classes as long as there is room for them, those first that save the most code.
    """
    longest = sum(max((len(list(all_instructions(p.body))) for p in f.parts), default=0) for f in fragments)
    most = min(most, max(1, most_instructions // max(1, longest)))
    whole = sequence(fragments, grid)
    if len(whole.parts) <= most:
        return whole
    divisions = [_division(fragment) for fragment in fragments]
    saved: dict[Division, int] = {}
    models: dict[Division, Fragment] = {}
    for division, fragment in zip(divisions, fragments, strict=True):
        sizes = [text_bytes(body) for body in dict.fromkeys(part.body for part in fragment.parts)]
        saved[division] = saved.get(division, 0) + sum(sizes) - max(sizes, default=0)
        models.setdefault(division, fragment)
    split: list[Division] = []
    for division in sorted(saved, key=lambda d: -saved[d]):
        chosen = [*split, division]
        if saved[division] and len(sequence([models[d] for d in chosen], grid).parts) <= most:
            split = chosen
    chooser = _Chooser(grid)
    return sequence(
        [
            fragment if division in split else chooser.one_part(fragment)
            for division, fragment in zip(divisions, fragments, strict=True)
        ],
        grid,
    )


def _division(fragment: Fragment) -> Division:
    places: dict[tuple[Instruction, ...], set[StridedRect]] = {}
    for part in fragment.parts:
        places.setdefault(part.body, set()).add(part.where)
    return frozenset(map(frozenset, places.values()))


@dataclass
class _Chooser:
    """Makes one part of several.

    Attributes:
        names: of the tables that say which role a PE has; equal ones are one.
    """

    grid: tuple[int, int]
    names: dict[tuple[int, ...], str] = field(default_factory=dict)

    def one_part(self, fragment: Fragment) -> Fragment:
        """The fragment with a text for all PEs, who choose between those of the parts."""
        everywhere = StridedRect((0, 0), self.grid)
        if not fragment.parts or [part.where for part in fragment.parts] == [everywhere]:
            return fragment
        cases = list(dict.fromkeys(part.body for part in fragment.parts))
        selector = self._selector(fragment, cases)
        return replace(fragment, parts=(RectangleText(everywhere, (Choose(selector, tuple(cases)),)),))

    def _selector(self, fragment: Fragment, cases: list[tuple[Instruction, ...]]) -> Expr:
        """The number of each PE's case, as many as there are for none: by column, by row, or by both."""
        rects = [part.where for part in fragment.parts]
        columns, of_column = self._groups(rects, 0)
        rows, of_row = self._groups(rects, 1)
        roles = np.full((len(rows), len(columns)), len(cases))
        for i, in_row in enumerate(rows):
            for j, in_column in enumerate(columns):
                for index in in_row & in_column:
                    roles[i, j] = cases.index(fragment.parts[index].body)
        if (roles == roles[0]).all():
            return self._table(roles[0][of_column], Var("x"))
        if (roles == roles[:, :1]).all():
            return self._table(roles[:, 0][of_row], Var("y"))
        both = self._table(of_row, Var("y")) * len(columns) + self._table(of_column, Var("x"))
        return self._table(roles.reshape(-1), both)

    def _groups(self, rects: list[StridedRect], axis: int) -> tuple[list[frozenset[int]], np.ndarray]:
        """Sets of rectangles that cover coordinates of an axis, and which of them covers each."""
        found: list[frozenset[int]] = [frozenset()]
        of = np.zeros(self.grid[axis], np.int64)
        for members, covering in covered(rects, self.grid[axis], axis):
            of[members] = len(found)
            found.append(covering)
        used = sorted(set(of.tolist()))
        return [found[k] for k in used], np.searchsorted(used, of)

    def _table(self, entries: np.ndarray, index: Expr) -> Lookup:
        values = tuple(entries.tolist())
        return Lookup(self.names.setdefault(values, f"roles_{len(self.names)}"), values, index)
