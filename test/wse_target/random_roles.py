"""Classes whose PEs have roles: several texts as one, in which PEs choose where they differ."""

from __future__ import annotations

from random_fabric import PE, rectangles

from wse_mlir.wse_target.image import PEClass, StridedRect
from wse_mlir.wse_target.instructions import Choose, Instruction
from wse_mlir.wse_target.quasi_affine import Lookup, Var

Text = tuple[Instruction, ...]


def separate(texts: dict[PE, Text]) -> list[tuple[StridedRect, Text]]:
    """Rectangles of PEs with one text each."""
    same: dict[tuple[int, ...], list[PE]] = {}
    for pe, text in texts.items():
        same.setdefault(tuple(map(id, text)), []).append(pe)
    return [(where, texts[pes[0]]) for pes in same.values() for where in rectangles(pes)]


def in_roles(texts: dict[PE, Text]) -> list[tuple[StridedRect, Text]]:
    """All PEs with one text: what all of them do stands once, and they choose among what stands between.

    Instructions that PEs share are the same objects, in one order everywhere.
    """
    width, height = (max(pe[axis] for pe in texts) + 1 for axis in (0, 1))
    distinct = {tuple(map(id, text)): text for text in texts.values()}
    number = {key: role for role, key in enumerate(distinct)}
    table = tuple(number[tuple(map(id, texts[x, y]))] for y in range(height) for x in range(width))
    role = Lookup("role", table, Var("x") + Var("y") * width)
    return [(StridedRect((0, 0), (width, height)), merged(list(distinct.values()), role))]


def merged(texts: list[Text], role: Lookup) -> Text:
    """One text for several, the number of which `role` tells."""
    shared = set.intersection(*({id(op) for op in text} for text in texts))
    found: list[Instruction] = []
    for stretch in zip(*(_stretches(text, shared) for text in texts), strict=True):
        if any(own for own, _ in stretch):
            found.append(Choose(role, tuple(own for own, _ in stretch)))
        found.extend(stretch[0][1])
    return tuple(found)


def _stretches(text: Text, shared: set[int]) -> list[tuple[Text, Text]]:
    """What stands before each shared instruction, and that; and what is behind the last one."""
    found: list[tuple[Text, Text]] = []
    own: list[Instruction] = []
    for op in text:
        if id(op) in shared:
            found.append((tuple(own), (op,)))
            own = []
        else:
            own.append(op)
    return [*found, (tuple(own), ())]


def as_classes(found: list[tuple[StridedRect, Text]]) -> tuple[PEClass, ...]:
    """PE classes of these texts."""
    return tuple(PEClass(f"class{n}", where, text) for n, (where, text) in enumerate(found))
