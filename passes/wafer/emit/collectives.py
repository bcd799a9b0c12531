"""Collectives as fragments of the library: the algorithm that an operation names, or the cheapest one."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ....dialects.wse import read
from ....wse_target.errors import CompilerError
from ....wse_target.footprint import text_bytes
from ....wse_target.layout.tensor_layout import TensorLayout
from ....wse_target.machine import Machine
from ...infra.diagnostics import PassFailure
from ..algorithms import fragment
from ..algorithms.algorithm import Choice, algorithms, choose
from ..algorithms.collectives import strided
from ..algorithms.fragment import CollectiveRequest, Fragment, Line, Spread
from ..communicate import Movement, Ways, emit_steps, forced
from ..communicate.coverage import line_of
from ..shard.nodes import dtype_of
from .fragments import on_all
from .movement import copy, in_place
from .tiles import LocalTile, TileBuffers, loop_indices

IN_PLACE = ("wse.reduce", "wse.broadcast", "wse.all_reduce")
COLLECTIVES = (
    *IN_PLACE,
    "wse.all_gather",
    "wse.reduce_scatter",
    "wse.shift",
    "wse.halo_exchange",
    "wse.redistribute",
    "wse.transpose_distribution",
)


@dataclass(frozen=True)
class Collectives:
    """Emits the collectives of a program on one machine.

    Attributes:
        brief: how scarce program text is, see `wse-emit-programs`.
        cheapest: what was chosen for collectives of one shape: pricing trees over a whole wafer takes seconds.
    """

    tiles: TileBuffers
    machine: Machine
    brief: int = 0
    cheapest: dict[tuple[Any, ...], Choice] = field(default_factory=dict)

    @cached_property
    def ways(self) -> Ways:
        """Ways between layouts on the machine."""
        return Ways(self.machine, self.brief > 0)

    def emit(self, op: Any, hint: str, prefix: str) -> list[Fragment]:
        """The fragments of a collective; `hint` names its buffer, `prefix` what the library makes for it."""
        emitters = {
            "wse.all_gather": self._all_gather,
            "wse.reduce_scatter": self._reduce_scatter,
            "wse.shift": self._shift,
            "wse.halo_exchange": self._halo_exchange,
            "wse.redistribute": self._redistribute,
            "wse.transpose_distribution": self._redistribute,
        }
        return emitters.get(op.operation.name, self._in_place)(op, hint, prefix)

    def line(self, axis: str) -> Line:
        """The lines of the grid along a sub-axis."""
        return line_of(self.tiles.mesh, axis)

    def broadcast(self, op: Any, tile: LocalTile, axis: str, prefix: str) -> Fragment:
        """`tile` of each line's first PE on all of its PEs, for an operation that is no collective itself."""
        request = CollectiveRequest(self.line(axis), self.tiles.walk(tile), self.machine, prefix)
        return self._built(op, "broadcast", "", request)

    def _built(self, op: Any, operation: str, text: str, request: CollectiveRequest) -> Fragment:
        """See `build`; of collectives of one shape the cheapest algorithm is looked for once."""
        tile = request.tile
        shape = (operation, request.line, tile.bounds, tile.dtype, request.combine, request.root)
        if not text and shape not in self.cheapest:
            self.cheapest[shape] = cheapest(op, operation, request, brief=self.brief)
        return build(op, operation, text or str(self.cheapest[shape]), request)

    def _in_place(self, op: Any, hint: str, prefix: str) -> list[Fragment]:
        _check_root_is_known(op)
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
        return [*on_all(self.tiles.mesh, copies), self._built(op, operation, op.algorithm.value, request)]

    def _all_gather(self, op: Any, hint: str, prefix: str) -> list[Fragment]:
        """Every PE's block at its place in the whole."""
        source = self.tiles.by_value[op.input]
        target = self.tiles.new(op.result, read.layout(op.layout, op.result.type), hint)
        own, placed = self._walk(source), self._block_in(target, source, op)
        dim = read.integer(op.dim)
        spread = Spread(self._walk(target), dim, source.shape[dim])
        request = CollectiveRequest(
            self.line(op.axis.value), own, self.machine, prefix, result=placed, spread=spread
        )
        return [self._built(op, "all_gather", op.algorithm.value, request)]

    def _reduce_scatter(self, op: Any, hint: str, prefix: str) -> list[Fragment]:
        """The combined block of every PE; contributions are spoilt, hence copied when something else reads them."""
        source = self.tiles.by_value[op.input]
        copies = []
        if len(list(op.input.uses)) > 1:
            kept = source
            source = self.tiles.like(source, hint)
            copies = [copy(source, kept)]
        target = self.tiles.new(op.result, read.layout(op.layout, op.result.type), hint)
        request = CollectiveRequest(
            self.line(op.axis.value),
            self._block_in(source, target, op),
            self.machine,
            prefix,
            result=self._walk(target),
            combine=op.kind.value,
        )
        built = self._built(op, "reduce_scatter", op.algorithm.value, request)
        return [*on_all(self.tiles.mesh, copies), built]

    def _shift(self, op: Any, hint: str, prefix: str) -> list[Fragment]:
        """Every PE gets a whole block of another: blocks have to be of one size."""
        axis, source = op.axis.value, self.tiles.by_value[op.input]
        dim, extent = source.layout.dim_of(axis), self.tiles.mesh[axis].extent
        if dim is not None and source.sizes[dim] % extent:
            raise PassFailure(
                op,
                f"a shift of {source.sizes[dim]} elements over {extent} PEs, whose blocks differ",
                hint="choose a grid that divides the dimension",
            )
        target = self.tiles.new(op.result, source.layout, hint)
        request = CollectiveRequest(
            self.line(axis),
            self._walk(source),
            self.machine,
            prefix,
            result=self._walk(target),
            distance=read.integer(op.distance),
            wrap=bool(read.integer(op.wrap)),
        )
        return [build(op, "shift", "", request)]

    def _redistribute(self, op: Any, hint: str, prefix: str) -> list[Fragment]:
        """Every PE gets its tile of the new layout by the steps that the operation names, or the fastest ones."""
        before = read.layout(op.source_layout, op.input.type)
        return self._moved(op, before, read.layout(op.layout, op.result.type), hint, prefix)

    def _halo_exchange(self, op: Any, hint: str, prefix: str) -> list[Fragment]:
        """Every PE gets its block with margins that others hold, the nearest ones if they have them."""
        blocks = read.layout(op.layout, op.input.type)
        widths = zip(blocks.dims, read.integers(op.low), read.integers(op.high), strict=True)
        dims = tuple(replace(d, before=d.before + low, after=d.after + high) for d, low, high in widths)
        return self._moved(op, blocks, replace(blocks, dims=dims), hint, prefix)

    def _moved(
        self, op: Any, before: TensorLayout, after: TensorLayout, hint: str, prefix: str
    ) -> list[Fragment]:
        source, way = self.tiles.by_value[op.input], self._way(op, before, after)
        if not way.steps and len(list(op.input.uses)) == 1:
            self.tiles.by_value[op.result] = LocalTile(source.buffer, after)
            return []
        target = self.tiles.new(op.result, after, hint)
        return emit_steps(way, source.buffer, target.buffer, prefix)

    def _way(self, op: Any, before: TensorLayout, after: TensorLayout) -> Movement:
        texts = read.strings(op.attributes["steps"]) if "steps" in op.attributes else ()
        dtype = dtype_of(op.input)
        ways = [] if texts else self.ways.between(before, after, dtype)
        if ways:
            return ways[0]
        spoils = bool(before.partial) and len(list(op.input.uses)) == 1
        try:
            return forced(before, after, dtype, self.machine, texts, spoils=spoils)
        except CompilerError as error:
            raise PassFailure(op, error.message, hint=error.hint) from error

    def _walk(self, tile: LocalTile) -> fragment.TileWalk:
        """A loop for each dimension."""
        return fragment.TileWalk(tile.whole(), tile.bounds(), self.tiles.buffers[tile.buffer].dtype)

    def _block_in(self, whole: LocalTile, block: LocalTile, op: Any) -> fragment.TileWalk:
        """The walk over the PE's own block, laid out as `block`, inside of what is whole along the operation's axis."""
        dim = read.integer(op.dim)
        indices = loop_indices(len(whole.shape))
        indices[dim] = indices[dim] + self.tiles.mesh.coordinate(op.axis.value) * block.shape[dim]
        dtype = self.tiles.buffers[whole.buffer].dtype
        return fragment.TileWalk(whole.at(indices, len(indices)), block.bounds(), dtype)


def _check_root_is_known(op: Any) -> None:
    """What is reduced to another PE than the first is read by a broadcast from there alone."""
    root = read.integer(op.root) if op.operation.name == "wse.reduce" else 0
    readers = [use.owner for use in op.result.uses]
    if root and not all(
        r.operation.name == "wse.broadcast" and r.axis == op.axis and r.root == op.root for r in readers
    ):
        raise PassFailure(
            op,
            f"leaves its result on PE {root} of each line, where only a broadcast from there finds it",
            hint="reduce to root 0, or use wse.all_reduce",
        )


def build(op: Any, operation: str, text: str, request: Any) -> Any:
    """What the algorithm `text` (default: the cheapest that can) makes of a request.

    Raises:
        PassFailure: there is no such algorithm, or it cannot serve the request.
    """
    choice = _named(op, operation, text) if text else cheapest(op, operation, request)
    refusal = _refusal(choice, request)
    if refusal:
        raise PassFailure(op, f"algorithm '{choice}' cannot do this {operation}: {refusal}")
    return strided.build(choice, request) if isinstance(request, CollectiveRequest) else choice.build(request)


def _refusal(choice: Choice, request: Any) -> str:
    """Why an algorithm cannot serve a request of a collective or a product, "" if it can."""
    return (
        strided.refuses(choice, request)
        if isinstance(request, CollectiveRequest)
        else choice.refuses(request)
    )


def _named(op: Any, operation: str, text: str) -> Choice:
    try:
        return choose(operation, text)
    except CompilerError as error:
        raise PassFailure(op, error.message, hint=error.hint) from error


def cheapest(op: Any, operation: str, request: Any, *, brief: int = 0) -> Choice:
    """The algorithm that takes the fewest cycles; where text shall be `brief` a byte of it counts as one, and colours
    are left to others.
    """
    able, refusals = [], []
    for choice in (c for algorithm in algorithms(operation) for c in algorithm.choices()):
        reason = _refusal(choice, request)
        (refusals if reason else able).append(f"{choice}: {reason}" if reason else choice)
    if not able:
        raise PassFailure(
            op, f"no algorithm can do this {operation}; {'; '.join(refusals) or 'there is none'}"
        )

    if not brief:
        return min(able, key=lambda choice: choice.cycles(request))
    made = [(choice, _fragment_of(choice, request)) for choice in able]
    few = max(_colours_of_one(request), min(len(fragment.colours) for _, fragment in made))

    def price(choice: Choice, fragment: Fragment) -> float:
        sizes = _texts_of(fragment)
        return choice.cycles(request) + (sum(sizes) if brief > 1 else max(sizes, default=0))

    sparing = [pair for pair in made if len(pair[1].colours) <= few]
    return min(sparing, key=lambda pair: price(*pair))[0]


def _colours_of_one(request: Any) -> int:
    """How many colours one operation may take where they are scarce: what runs beside it needs as many."""
    return len(request.machine.usable_colours) // 2


def _fragment_of(choice: Choice, request: Any) -> Fragment:
    """What an algorithm makes of a request."""
    is_collective = isinstance(request, CollectiveRequest)
    return strided.build(choice, request) if is_collective else choice.build(request).fragment


def _texts_of(made: Fragment) -> list[int]:
    """Bytes of its texts, one for each role."""
    return [text_bytes(body) for body in dict.fromkeys(part.body for part in made.parts)]
