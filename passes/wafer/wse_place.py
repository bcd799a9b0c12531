"""The pass `wse-place`: gives the program its rectangle on the fabric."""

from collections.abc import Iterator
from typing import Any

from ...dialects.host import ir
from ...dialects.wse import LayoutAttr, build, read
from ...wse_target.layout import Rect
from ...wse_target.machine import load_machine
from ..infra.diagnostics import PassFailure
from ..infra.pass_base import Pass, PassRun, option
from .main_function import find_main


class Place(Pass, name="wse-place", anchor="builtin.module"):
    """Moves every layout of `@main` to one place among the PEs that the machine gives to programs.

        layout = #wse.layout<["y", ""], #wse.rect<0, 0, 8, 4>>
    becomes, with origin=2,1
        layout = #wse.layout<["y", ""], #wse.rect<2, 1, 8, 4>>
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
    for name in ("layout", "source_layout", "wse.layouts"):
        if name in op.attributes:
            yield name, op.attributes[name]


def _moved(attribute: ir.Attribute, rect: Rect) -> ir.Attribute:
    if isinstance(attribute, ir.ArrayAttr):
        return ir.ArrayAttr.get([_moved(a, rect) for a in attribute])
    axes, _ = LayoutAttr(attribute).params
    return LayoutAttr.get(axes, build.rect(rect))
