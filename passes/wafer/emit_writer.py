"""Writes steps as the program text of one class of PEs."""

from collections.abc import Sequence
from typing import Any

from ...dialects.host import arith, func, ir, scf
from ...dialects.wse import build
from .emit_classes import ClassOfPEs
from .emit_steps import (
    Access,
    AllGatherStep,
    Bound,
    BroadcastStep,
    Located,
    LoopStep,
    PhaseStep,
    ReduceStep,
    Step,
    Tile,
    VectorStep,
    buffers_of,
    coordinate,
    local_bound,
    loop_indices,
)
from .layout_rules import Grid


def colour(axis: str, direction: str, parity: int | None = None) -> str:
    """Name of a virtual colour: `x_low0` runs towards smaller x, sent by PEs at even x."""
    return f"{axis}_{direction}" if parity is None else f"{axis}_{direction}{parity}"


def declare_colours(axis: str) -> None:
    """Declares the five colours that all traffic along `axis` shares.

    Neighbours send on colours of different parity, so that a PE never takes from and sends on one colour. What
    a colour does is kept as `wse.line`, `wse.towards` ("low", "high", or "all" for multicasts from the line's
    first PE) and `wse.parity` of its senders: routes follow from these.
    """
    for towards, parity in (("low", 0), ("low", 1), ("high", 0), ("high", 1), ("all", 0)):
        name = colour(axis, "cast") if towards == "all" else colour(axis, towards, parity)
        op = build.colour(name)
        op.attributes["wse.line"] = ir.StringAttr.get(axis)
        op.attributes["wse.towards"] = ir.StringAttr.get(towards)
        op.attributes["wse.parity"] = build.i64(parity)


class ClassWriter:
    """Writes the function that the PEs of one class run."""

    def __init__(self, pes: ClassOfPEs, grid: Grid, types: dict[str, ir.Type]) -> None:
        self.pes = pes
        self.grid = grid
        self.types = types
        self.memrefs: dict[str, ir.Value] = {}
        self.symbols: list[ir.Value] = []

    def write(self, name: str, steps: Sequence[Located], where: ir.InsertionPoint, at: ir.Location) -> Any:
        """Creates `func.func @name` with the steps' program text."""
        index = ir.IndexType.get()
        with where, at:
            function = func.FuncOp(name, ([index, index], []))
            block = function.add_entry_block()
        self.symbols = list(block.arguments)
        with ir.InsertionPoint(block):
            self._get_buffers(steps, at)
            for located in steps:
                with located.location:
                    self.step(located.step)
            with at:
                func.ReturnOp([])
        return function

    def _get_buffers(self, steps: Sequence[Located], at: ir.Location) -> None:
        names = dict.fromkeys(name for located in steps for name in buffers_of(located.step))
        with at:
            self.memrefs = {name: build.get_buffer(name, self.types[name]) for name in names}

    def step(self, step: Step) -> None:
        """Writes one step at the current insertion point."""
        if isinstance(step, VectorStep):
            self.vector(step)
        elif isinstance(step, ReduceStep):
            self.reduce(step)
        elif isinstance(step, BroadcastStep):
            self.broadcast(step)
        elif isinstance(step, AllGatherStep):
            self.all_gather(step)
        elif isinstance(step, LoopStep):
            self.loop(step.trips, lambda: [self.step(inner) for inner in step.body])
        elif isinstance(step, PhaseStep):
            build.phase(step.label)

    # Maps

    def access(self, access: Access, loops: int) -> tuple[ir.Value, ir.AffineMap]:
        """The memref of an access and its map."""
        return self.memrefs[access.buffer], ir.AffineMap.get(loops, len(self.symbols), list(access.indices))

    def bounds(self, bounds: Sequence[Bound]) -> list[ir.AffineMap]:
        """Loop bounds as maps."""
        return [ir.AffineMap.get(0, len(self.symbols), list(b)) for b in bounds]

    def loop(self, trips: Bound, body: Any) -> None:
        """An `scf.for` over `trips`, whose variable is a further symbol to what `body` writes."""
        zero, one = (arith.ConstantOp(ir.IndexType.get(), v).result for v in (0, 1))
        amap = ir.AffineMap.get(0, len(self.symbols), list(trips))
        upper = ir.Operation.create(
            "affine.min",
            results=[ir.IndexType.get()],
            operands=self.symbols,
            attributes={"map": ir.AffineMapAttr.get(amap)},
        ).result
        loop = scf.ForOp(zero, upper, one)
        self.symbols.append(loop.induction_variable)
        with ir.InsertionPoint(loop.body):
            body()
            scf.YieldOp([])
        self.symbols.pop()

    # Steps

    def vector(self, step: VectorStep) -> None:
        """One `wse.vector`."""
        loops = len(step.bounds)
        accesses = [self.access(a, loops) for a in (step.dst, *step.srcs) if isinstance(a, Access)]
        memrefs = iter(accesses[1:])
        sources = [next(memrefs)[0] if isinstance(s, Access) else s for s in step.srcs]
        maps = [amap for _, amap in accesses]
        build.vector(step.kind, accesses[0][0], sources, self.bounds(step.bounds), maps, self.symbols)

    def own_tile(self, tile: Tile) -> tuple[list[ir.AffineMap], tuple[ir.Value, ir.AffineMap]]:
        """Bounds and access of a walk over the PE's own part of a tile."""
        bounds = self.bounds(tile.bounds(self.grid))
        return bounds, self.access(tile.at(loop_indices(len(tile.shape))), len(bounds))

    def reduce(self, step: ReduceStep) -> None:
        """A chain from the line's last PE to its first: each adds its part to the stream that passes."""
        place = self.pes.on(step.axis)
        bounds, own = self.own_tile(step.tile)
        sent = colour(step.axis, "low", place.parity)
        taken = colour(step.axis, "low", 1 - place.parity)
        if place.last:
            build.send(sent, own[0], bounds, own[1], self.symbols)
        elif place.first:
            build.receive(taken, own[0], bounds, own[1], self.symbols, combine=step.kind)
        elif self.grid.extent(step.axis) > 1:
            build.relay(taken, sent, bounds, self.symbols, own=own, combine=step.kind)

    def broadcast(self, step: BroadcastStep) -> None:
        """One multicast from the line's first PE."""
        place = self.pes.on(step.axis)
        bounds, own = self.own_tile(step.tile)
        name = colour(step.axis, "cast")
        if place.first:
            build.send(name, own[0], bounds, own[1], self.symbols)
        elif self.grid.extent(step.axis) > 1:
            build.receive(name, own[0], bounds, own[1], self.symbols)

    def all_gather(self, step: AllGatherStep) -> None:
        """Blocks travel up the line, then down it; every PE keeps what passes."""
        place, last = self.pes.on(step.axis), self.grid.extent(step.axis) - 1
        if last == 0:
            return
        here = coordinate(step.axis)
        arrived = ir.AffineExpr.get_symbol(len(self.symbols))
        self._travel(step, "high", not place.first, not place.last, (here,), here - arrived - 1)
        remaining: Bound = (here * -1 + last,)
        self._travel(step, "low", not place.last, not place.first, remaining, here + arrived + 1)

    def _travel(
        self,
        step: AllGatherStep,
        direction: str,
        takes: bool,
        passes_on: bool,
        trips: Bound,
        block: ir.AffineExpr,
    ) -> None:
        place = self.pes.on(step.axis)
        sent = colour(step.axis, direction, place.parity)
        taken = colour(step.axis, direction, 1 - place.parity)
        if passes_on:
            bounds, own = self.own_tile(step.source)
            build.send(sent, own[0], bounds, own[1], self.symbols)
        if not takes:
            return

        def keep() -> None:
            bounds, target = self.block_of(step, block)
            if passes_on:
                build.relay(taken, sent, bounds, self.symbols, dst=target)
            else:
                build.receive(taken, target[0], bounds, target[1], self.symbols)

        self.loop(trips, keep)

    def block_of(
        self, step: AllGatherStep, block: ir.AffineExpr
    ) -> tuple[list[ir.AffineMap], tuple[ir.Value, ir.AffineMap]]:
        """Bounds and access of the place in the target where block number `block` goes."""
        source, dim = step.source, step.dim
        bounds = list(source.bounds(self.grid))
        bounds[dim] = local_bound(source.sizes[dim], step.axis, self.grid, block)
        indices = loop_indices(len(bounds))
        indices[dim] = indices[dim] + block * self.grid.block(source.sizes[dim], step.axis)
        return self.bounds(bounds), self.access(step.target.at(indices), len(bounds))
