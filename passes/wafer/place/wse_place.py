"""The pass `wse-place`: gives the program its rectangle on the fabric."""

from collections.abc import Iterator
from typing import Any

from ....dialects.host import ir
from ....dialects.wse import LayoutAttr, build, read
from ....wse_target.layout.rectangle import Rect
from ....wse_target.layout.text import moved_text
from ....wse_target.machine_file import load_machine
from ...infra.diagnostics import PassFailure
from ...infra.pass_base import Pass, PassRun, option
from ..shard.main_function import find_main


class Place(Pass, name="wse-place", anchor="builtin.module"):
    """Moves every layout of `@main` to one place among the PEs that the machine gives to programs.

        layout = #wse.layout<"[y:4/2, -] on x:8; y:4 at (0, 0)">
    becomes, with origin=2,1
        layout = #wse.layout<"[y:4/2, -] on x:8; y:4 at (2, 1)">
    """

    origin: tuple[int, ...] = option((0, 0), "column and row of the rectangle's first PE", least=0)

    def run(self, op: ir.Operation, run: PassRun) -> None:
        main = find_main(op)
        if "wse.rect" not in main.attributes:
            raise PassFailure(main, "@main is not distributed", hint="run wse-partition first")
        if len(self.origin) != 2:
            raise PassFailure(main, "the origin is not a column and a row", hint="e.g. origin=2,1")
        rect = read.rect(main.attributes["wse.rect"])
        placed = Rect(self.origin[0], self.origin[1], rect.w, rect.h)
        machine = ir.StringAttr(main.attributes["wse.machine"]).value
        width, height = load_machine(machine).grid
        if not Rect(0, 0, width, height).contains(placed):
            raise PassFailure(
                main,
                f"a rectangle of {placed} leaves the {width} x {height} PEs of machine '{machine}'",
                hint="choose another origin or a smaller grid",
            )
        main.attributes["wse.rect"] = build.rect(placed)
        for inner in main.body.blocks[0].operations:
            for name, attribute in _layouts(inner):
                inner.attributes[name] = _moved(attribute, placed)
                run.count("layouts placed")


def _layouts(op: Any) -> Iterator[tuple[str, ir.Attribute]]:
    for name in ("layout", "source_layout", "wse.layouts", "wse.iterators"):
        if name in op.attributes:
            yield name, op.attributes[name]


def _moved(attribute: ir.Attribute, rect: Rect) -> ir.Attribute:
    if isinstance(attribute, LayoutAttr):
        return LayoutAttr.get(
            ir.StringAttr.get(moved_text(read.string(attribute.params[0]), rect.x0, rect.y0))
        )
    return ir.ArrayAttr.get([_moved(a, rect) for a in ir.ArrayAttr(attribute)])
