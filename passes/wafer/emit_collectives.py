"""Collectives as fragments of the library: the algorithm that an operation names, or the cheapest one."""

from dataclasses import dataclass
from typing import Any

from ...dialects.wse import read
from ...wse_target.errors import CompilerError
from ...wse_target.image import Vector
from ...wse_target.machine import Machine
from ...wse_target.quasi_affine import Var
from ..infra.diagnostics import PassFailure
from .emit_fragments import on_all
from .emit_gather import gather_blocks
from .emit_movement import in_place
from .emit_tiles import Tile, Tiles, loop_indices
from .library.algorithm import Choice, algorithms, choose
from .library.fragment import CollectiveRequest, Fragment, Line

IN_PLACE = ("wse.reduce", "wse.broadcast", "wse.all_reduce")
COLLECTIVES = (*IN_PLACE, "wse.all_gather")


@dataclass(frozen=True)
class Collectives:
    """Emits the collectives of a program on one machine."""

    tiles: Tiles
    machine: Machine

    def emit(self, op: Any, hint: str, prefix: str) -> list[Fragment]:
        """The fragments of a collective; `hint` names its buffer, `prefix` what the library makes for it."""
        if op.operation.name in IN_PLACE:
            return self._in_place(op, hint, prefix)
        return self._all_gather(op, hint, prefix)

    def line(self, axis: Any) -> Line:
        """The lines of the grid along an axis."""
        return Line(axis, (self.tiles.grid.width, self.tiles.grid.height))

    def broadcast(self, op: Any, tile: Tile, axis: str, prefix: str) -> Fragment:
        """`tile` of each line's first PE on all of its PEs, for an operation that is no collective itself."""
        request = CollectiveRequest(self.line(axis), self.tiles.walk(tile), self.machine, prefix)
        return build(op, "broadcast", "", request)

    def _in_place(self, op: Any, hint: str, prefix: str) -> list[Fragment]:
        tile, copies = in_place(op, self.tiles, hint)
        request = CollectiveRequest(
            self.line(op.axis.value),
            self.tiles.walk(tile),
            self.machine,
            prefix,
            combine=op.kind.value if "kind" in op.attributes else "add",
            root=read.integer(op.root) if "root" in op.attributes else 0,
        )
        operation = op.operation.name.removeprefix("wse.")
        return [*on_all(self.tiles.grid, copies), build(op, operation, op.algorithm.value, request)]

    def _all_gather(self, op: Any, hint: str, prefix: str) -> list[Fragment]:
        """The PE's own block is put in place, then the others' arrive."""
        tiles, axis, dim = self.tiles, op.axis.value, read.integer(op.dim)
        source = tiles.by_value[op.input]
        target = tiles.new(op.result, read.layout(op.layout).axes, hint)
        indices = loop_indices(len(target.shape))
        indices[dim] = indices[dim] + Var(axis) * source.shape[dim]
        placed = target.at(indices, len(indices))
        own = Vector("copy", source.bounds(tiles.grid), placed, (source.whole(),))
        return [
            *on_all(tiles.grid, [own]),
            gather_blocks(self.line(axis), source, target, dim, tiles, prefix),
        ]


def build(op: Any, operation: str, text: str, request: Any) -> Any:
    """What the algorithm `text` (default: the cheapest that can) makes of a request.

    Raises:
        PassFailure: there is no such algorithm, or it cannot serve the request.
    """
    choice = _named(op, operation, text) if text else _cheapest(op, operation, request)
    refusal = choice.refuses(request)
    if refusal:
        raise PassFailure(op, f"algorithm '{choice}' cannot do this {operation}: {refusal}")
    return choice.build(request)


def _named(op: Any, operation: str, text: str) -> Choice:
    try:
        return choose(operation, text)
    except CompilerError as error:
        raise PassFailure(op, error.message, hint=error.hint) from error


def _cheapest(op: Any, operation: str, request: Any) -> Choice:
    able, refusals = [], []
    for algorithm in algorithms(operation):
        choice = Choice(algorithm, dict(algorithm.options))
        reason = choice.refuses(request)
        (refusals if reason else able).append(f"{choice}: {reason}" if reason else choice)
    if not able:
        raise PassFailure(
            op, f"no algorithm can do this {operation}; {'; '.join(refusals) or 'there is none'}"
        )
    return min(able, key=lambda choice: choice.cycles(request))
