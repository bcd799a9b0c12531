"""All-gather, reduce-scatter and all-reduce in steps around an interleaved ring."""

from __future__ import annotations

from dataclasses import replace

from .....wse_target.instructions import Vector
from .....wse_target.quasi_affine import Expr, const, maximum, minimum
from ..algorithm import Algorithm, register
from ..fragment import CollectiveRequest, Fragment, TileWalk
from .costs import Costs, largest, tile_words
from .line_program import LineProgram, at_least_one_loop
from .ring import BlockWalk, Ring, gather_steps, reduce_steps, tile_at


def _by_owner(request: CollectiveRequest, ring: Ring, tile: TileWalk) -> BlockWalk:
    """The blocks of a tile that is described for the position whose block it is."""
    return lambda label: tile_at(tile, request.line, ring.position(label))


def _result(request: CollectiveRequest) -> TileWalk:
    if request.result is None:
        raise ValueError("this collective needs a result tile")
    return at_least_one_loop(request.result)


def _copy(into: TileWalk, out: TileWalk) -> Vector:
    return Vector("copy", into.bounds, into.access, (out.access,))


def build_all_gather(request: CollectiveRequest) -> Fragment:
    """Every PE's tile on all PEs of its line.

    `request.result` is the walk over a PE's block in the result, for the position that contributes it.
    """
    program, ring = LineProgram(request.line, request.prefix), Ring(request.line)
    own, result = at_least_one_loop(request.tile), _result(request)
    for position, colours in ring.wire(program, "ring").items():
        if own.access != result.access:
            program.add(position, 0, _copy(result, own))
        if ring.extent > 1:
            blocks = _by_owner(request, ring, result)
            program.add(position, 1, gather_steps(ring, colours, blocks, program.name("step")))
    return program.fragment()


def build_reduce_scatter(request: CollectiveRequest) -> Fragment:
    """The tiles of a line combined, each PE keeping its block.

    `request.tile` is the walk over a block of a PE's contribution, for the position that keeps it; contributions are
    spoilt. A block is combined from the label after its owner's on, around the ring, the owner's last.
    """
    program, ring = LineProgram(request.line, request.prefix), Ring(request.line)
    own, result = at_least_one_loop(request.tile), _result(request)
    for position, colours in ring.wire(program, "ring").items():
        if ring.extent > 1:
            blocks = _by_owner(request, ring, own)
            steps = reduce_steps(ring, colours, blocks, program.name("step"), request.combine)
            program.add(position, 0, steps)
        if own.access != result.access:
            program.add(position, 1, _copy(result, own))
    return program.fragment()


def build_all_reduce(request: CollectiveRequest) -> Fragment:
    """Reduce-scatter and all-gather, in place, of as many blocks as there are PEs."""
    program, ring = LineProgram(request.line, request.prefix), Ring(request.line)
    if ring.extent == 1:
        return program.fragment()
    blocks, _ = _cut(request)
    for position, colours in ring.wire(program, "ring").items():
        steps = reduce_steps(ring, colours, blocks, program.name("reduced"), request.combine)
        program.add(position, 0, steps)
        program.add(position, 1, gather_steps(ring, colours, blocks, program.name("gathered")))
    return program.fragment()


def _cut(request: CollectiveRequest) -> tuple[BlockWalk, int]:
    """A tile in blocks, one a label, along its longest loop; and the words of the largest block."""
    tile, extent = at_least_one_loop(request.tile), request.line.extent
    sizes = [largest((bound,), request.line.grid) for bound in tile.bounds]
    loop = sizes.index(max(sizes))
    size = max(1, -(-sizes[loop] // extent))

    def block(label: Expr) -> TileWalk:
        start = label * size
        left = maximum(0, minimum(size, tile.bounds[loop] - start))
        bounds = tuple(left if i == loop else bound for i, bound in enumerate(tile.bounds))
        offset = tile.access.offset + start * tile.access.strides[loop]
        return TileWalk(replace(tile.access, offset=offset), bounds, tile.dtype)

    return block, tile_words(block(const(0)), request.line.grid)


def _steps(request: CollectiveRequest, words: int, costs: Costs) -> float:
    ring, control = Ring(request.line), request.machine.control
    if ring.extent == 1:
        return 0.0
    return control.branch + (ring.extent - 1) * (ring.step_cycles(words, costs) + control.loop)


def cycles_of_all_gather(request: CollectiveRequest) -> float:
    """P - 1 exchanges of a block, none more than two hops away."""
    stored = Costs.of(request.machine, request.tile.dtype)
    return _steps(request, tile_words(request.tile, request.line.grid), stored)


def cycles_of_reduce_scatter(request: CollectiveRequest) -> float:
    """P - 1 exchanges of a block, none more than two hops away."""
    return _steps(request, tile_words(request.tile, request.line.grid), Costs.of_request(request))


def cycles_of_all_reduce(request: CollectiveRequest) -> float:
    """HPDC24, 2 (P - 1) B / P + 4 P - 6 + 2 (P - 1) (2 T_R + 1), with the machine's own costs of a step."""
    _, words = _cut(request)
    stored = Costs.of(request.machine, request.tile.dtype)
    return _steps(request, words, Costs.of_request(request)) + _steps(request, words, stored)


ALL_GATHER = register(
    Algorithm(
        "ring", "all_gather", "blocks go round an interleaved ring", build_all_gather, cycles_of_all_gather
    )
)
REDUCE_SCATTER = register(
    Algorithm(
        "ring",
        "reduce_scatter",
        "partial blocks go round an interleaved ring",
        build_reduce_scatter,
        cycles_of_reduce_scatter,
    )
)
ALL_REDUCE = register(
    Algorithm(
        "ring",
        "all_reduce",
        "reduce-scatter and all-gather round an interleaved ring",
        build_all_reduce,
        cycles_of_all_reduce,
    )
)
