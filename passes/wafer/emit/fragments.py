"""Steps of a program as fragments: what every PE does, and where the instructions come from."""

from collections.abc import Sequence
from dataclasses import replace

from ....wse_target.image import StridedRect
from ....wse_target.instructions import Choose, Instruction, Loop, Source
from ....wse_target.layout.mesh import Mesh
from ..algorithms.fragment import Fragment, RectangleText


def everywhere(mesh: Mesh) -> StridedRect:
    """All PEs of a mesh."""
    return StridedRect((0, 0), (mesh.rect.w, mesh.rect.h))


def on_all(mesh: Mesh, body: Sequence[Instruction]) -> list[Fragment]:
    """Instructions that every PE runs; no fragment when there are none."""
    return [Fragment((RectangleText(everywhere(mesh), tuple(body)),))] if body else []


def with_source(fragment: Fragment, source: Source) -> Fragment:
    """The fragment with `source` on every instruction that does not say where it comes from."""
    parts = tuple(RectangleText(p.where, _stamped(p.body, source)) for p in fragment.parts)
    return replace(fragment, parts=parts)


def _stamped(body: Sequence[Instruction], source: Source) -> tuple[Instruction, ...]:
    stamped: list[Instruction] = []
    for op in body:
        if isinstance(op, Loop):
            stamped.append(replace(op, body=_stamped(op.body, source)))
        elif isinstance(op, Choose):
            stamped.append(replace(op, cases=tuple(_stamped(case, source) for case in op.cases)))
        else:
            stamped.append(op if op.source != Source() else replace(op, source=source))
    return tuple(stamped)
