"""The loops around the register tiles of a contraction.

Each tile runs over the whole reduction. What it reads of the rhs is a panel: all of the reduction times a tile's
columns. Where the whole rhs stays in the second-level cache, rows are outside, and a tile's rows of the lhs are in the
first-level cache for all panels. Where it is larger, panels are outside, so that one panel stays in the second-level
cache for all rows. Splitting the reduction as well gains nothing: a tile reads a panel that is too large for
that cache at some 15 bytes a cycle, which the third level delivers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod

from ....dialects.host import arith, ir, scf
from ..access import element_bits, size_value
from ..parallel_marks import mark_parallel
from ..processor import Processor
from .chain import Chain
from .dot_product import DotProduct
from .flat_operand import index
from .register_tile import RegisterTile
from .tile import Tile
from .tile_memory import Columns

_TYPICAL_TRIP = 128  # of a size that is known only at run time
_SHARE = 0.5  # of the second-level cache, for a rhs that stays there
_READING = 10  # operations of a product in the time that an element of the rhs takes to come from the third-level cache
_MARKED_LEVELS = 2  # loops, from the outermost, whose iterations threads may share


@dataclass(frozen=True)
class _Tiles:
    """What the tile at the current place has; filled from the outermost loop inwards."""

    bases: dict[int, ir.Value]
    rows: dict[int, int]
    columns: Columns | None


class ContractionNest:
    """Emits the nest of a chain at the current insertion point.

    Args:
        threads: that will share the outermost loop.
        number: of the nest among those of its function, see `mark_parallel`.
        dot: for a rhs that lies in groups, the instruction for them.
    """

    def __init__(
        self,
        chain: Chain,
        tile: Tile,
        cpu: Processor,
        threads: int,
        number: int,
        dot: DotProduct | None,
    ) -> None:
        self._chain = chain
        self._tile = tile
        self._number = number
        self._sizes = {i: size_value(chain.view, i) for i, size in enumerate(chain.sizes) if size is None}
        self._cost = _cost(chain)
        self._share = 1.0  # of the cost, in what is being emitted
        self._levels = loop_order(chain, tile, cpu, threads)
        self._emitter = RegisterTile(chain, cpu, self._sizes, dot)

    def emit(self) -> None:
        """Emits all loops."""
        zero = {i: index(0) for i in self._levels if self._chain.sizes[i] == 1}
        levels = [i for i in self._levels if i not in zero]
        self._level(levels, 0, _Tiles(zero, {}, None))

    def _level(self, levels: list[int], depth: int, tiles: _Tiles) -> None:
        if not levels:
            assert tiles.columns is not None, "a column has at least four points"
            self._emitter.emit(tiles.bases, tiles.rows, tiles.columns)
            return
        iterator, *inner = levels

        def body(at: ir.Value, rows: int, columns: Columns | None, looped: bool) -> None:
            bases = {**tiles.bases, iterator: at}
            unrolled = {**tiles.rows, iterator: rows} if rows > 1 else tiles.rows
            self._level(inner, depth + looped, _Tiles(bases, unrolled, columns or tiles.columns))

        if iterator == self._chain.form.column:
            self._columns(iterator, depth, body)
        else:
            self._rows(iterator, depth, body)

    def _rows(self, iterator: int, depth: int, body: Callable[..., None]) -> None:
        step, size = self._tile.rows.get(iterator, 1), self._chain.sizes[iterator]
        if size is not None:
            whole = size - size % step
            self._loop(depth, 0, whole, step, partial(_of_rows, body, step), size)
            rest = size - whole
            if rest:
                with self._part(whole, size, size):
                    body(index(whole), rest, None, False)
            return
        total = self._sizes[iterator]
        start: ir.Value | int = 0
        while step:
            left = total if isinstance(start, int) else arith.subi(total, start)
            stop = arith.subi(total, arith.remui(left, index(step))) if step > 1 else total
            self._loop(depth, start, stop, step, partial(_of_rows, body, step))
            start, step = stop, _half(step)

    def _columns(self, iterator: int, depth: int, body: Callable[..., None]) -> None:
        tile, size = self._tile, self._chain.sizes[iterator]
        full = Columns(tile.vectors, tile.lanes)

        def panel(at: ir.Value, looped: bool) -> None:
            body(at, 1, full, looped)

        if size is not None:
            whole = size - size % tile.width
            self._loop(depth, 0, whole, tile.width, panel, size)
            rest = size - whole
            if rest:
                columns = Columns(-(-rest // tile.lanes), tile.lanes, rest % tile.lanes or None)
                with self._part(whole, size, size):
                    body(index(whole), 1, columns, False)
            return
        total = self._sizes[iterator]
        stop = arith.subi(total, arith.remui(total, index(tile.width)))
        self._loop(depth, 0, stop, tile.width, panel)

        def edge(at: ir.Value, looped: bool) -> None:
            body(at, 1, Columns(1, tile.lanes, arith.subi(total, at)), looped)

        self._loop(depth, stop, total, tile.lanes, edge)

    def _loop(
        self,
        depth: int,
        start: int | ir.Value,
        stop: int | ir.Value,
        step: int,
        body: Callable[[ir.Value, bool], None],
        size: int | None = None,
    ) -> None:
        """Runs `body` over a range, without a loop where there is one step of it, or none.

        Args:
            size: of the iterator, if it is known.
        """
        if isinstance(start, int) and isinstance(stop, int) and stop - start <= step:
            if stop > start:
                with self._part(start, stop, size):
                    body(index(start), False)
            return
        loop = scf.ForOp(index(start), index(stop), index(step))
        with self._part(start, stop, size):
            if depth < _MARKED_LEVELS:
                mark_parallel(loop, self._number, round(self._cost * self._share))
            with ir.InsertionPoint(loop.body):
                body(loop.induction_variable, True)
                scf.YieldOp([])

    @contextmanager
    def _part(self, start: int | ir.Value, stop: int | ir.Value, size: int | None) -> Iterator[None]:
        """What is emitted inside covers a range of an iterator; of an open size, what begins at 0 has all the cost."""
        before = self._share
        if isinstance(start, int) and isinstance(stop, int) and size:
            self._share *= (stop - start) / size
        elif not (isinstance(start, int) and start == 0):
            self._share = 0.0
        yield
        self._share = before


def _cost(chain: Chain) -> int:
    """Of all operations; with few rows, reading the rhs takes longer than they do."""
    rows = prod(_trips(chain.sizes[i]) for i in chain.form.rows)
    operations = 2 * prod(_trips(size) for size in chain.sizes)
    return operations if 2 * rows >= _READING else operations * _READING // (2 * max(rows, 1))


def loop_order(chain: Chain, tile: Tile, cpu: Processor, threads: int) -> list[int]:
    """The parallel iterators, outermost loop first."""
    form, trips = chain.form, [_trips(size) for size in chain.sizes]
    columns = [*(i for i in form.columns if i != form.column), form.column]
    panels = prod(trips[i] for i in columns[:-1]) * -(-trips[form.column] // tile.width)
    row_tiles = prod(-(-trips[i] // tile.rows.get(i, 1)) for i in form.rows)
    bytes_each = max(1, element_bits(chain.view.inputs[form.rhs].type) // 8)
    rhs_bytes = panels * tile.width * prod(trips[i] for i in form.reduction) * bytes_each
    rows_outside = rhs_bytes <= _SHARE * cpu.l2_bytes
    batches = prod(trips[i] for i in form.batch)
    if threads > 1 and batches < threads:  # the outermost loop has to be long enough for all of them
        few = row_tiles if rows_outside else panels
        many = panels if rows_outside else row_tiles
        if few < 2 * threads < many:
            rows_outside = not rows_outside
    inner = [*form.rows, *columns] if rows_outside else [*columns, *form.rows]
    return [*form.batch, *inner]


def _half(step: int) -> int:
    """The largest power of two below a number; 0 below one."""
    return 1 << ((step - 1).bit_length() - 1) if step > 1 else 0


def _trips(size: int | None) -> int:
    return _TYPICAL_TRIP if size is None else size


def _of_rows(body: Callable[..., None], rows: int, at: ir.Value, looped: bool) -> None:
    body(at, rows, None, looped)
