"""The loops around the register tiles of a contraction, in the order and the blocks that `blocking` chooses."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import prod

from .....dialects.host import arith, ir, scf
from ....tensor.access import size_value
from ...parallel.marks import mark_parallel
from ...processor import Processor
from .blocking import Ahead, ReductionBlock, choose_blocking
from .chain import Chain
from .dot_product import DotProduct
from .flat_operand import Offset, add, index, multiply
from .register_tile import RegisterTile
from .tile import TileShape
from .tile_memory import Columns

_TYPICAL_TRIP = 128  # of a size that is known only at run time
_READING = 10  # operations of a product in the time that an element of the rhs takes to come from the third-level cache
_MARKED_LEVELS = 3  # loops, from the outermost, whose iterations threads may share
# Levels that are no iterators: blocks of rows, parts of the reduction, strips of columns
_BLOCKS, _PARTS, _STRIPS = -1, -2, -3
_WHOLE = ReductionBlock()


@dataclass(frozen=True)
class _Tiles:
    """What the tile at the current place has; filled from the outermost loop inwards.

    Attributes:
        block: the points of a row iterator that the loop over it has, where it is divided into blocks.
        strip: the same of the columns.
        has_next: whether there is another panel behind this one.
    """

    bases: dict[int, ir.Value]
    rows: dict[int, int]
    columns: Columns | None
    block: tuple[ir.Value | int, ir.Value | int] = (0, 0)
    strip: tuple[ir.Value | int, ir.Value | int] = (0, 0)
    part: ReductionBlock = _WHOLE
    has_next: Offset = 1


class ContractionNest:
    """Emits the nest of a chain at the current insertion point.

    Args:
        threads: that will share the outermost loops.
        number: of the nest among those of its function, see `mark_parallel`.
        dot: for a rhs that lies in groups, the instruction for them.
    """

    def __init__(
        self,
        chain: Chain,
        tile: TileShape,
        cpu: Processor,
        threads: int,
        number: int,
        dot: DotProduct | None,
    ) -> None:
        self._chain = chain
        self._tile = tile
        self._number, self._shared = number, threads > 1
        self._sizes = {i: size_value(chain.view, i) for i, size in enumerate(chain.sizes) if size is None}
        self._cost = _cost(chain)
        self._share = 1.0  # of the cost, in what is being emitted
        self._blocking = choose_blocking(chain, tile, cpu, threads)
        rows = [i for i in chain.form.rows if chain.sizes[i] != 1]
        self._blocked = (
            rows[0] if self._blocking.block else _BLOCKS
        )  # the iterator that is divided into blocks
        self._emitter = RegisterTile(chain, cpu, self._sizes, dot)

    def emit(self) -> None:
        """Emits all loops."""
        form, order = self._chain.form, self._blocking.order
        zero = {i: index(0) for i in order if self._chain.sizes[i] == 1}
        levels = [i for i in order if i not in zero]
        if self._blocking.strip:
            levels[levels.index(form.column) :] = [_STRIPS, _PARTS, form.column]
        elif self._blocking.part:
            levels.insert(levels.index(form.column) + 1, _PARTS)
        if self._blocking.block:
            levels.insert(sum(i in form.batch for i in levels), _BLOCKS)
        self._level(levels, 0, _Tiles(zero, {}, None))

    def _level(self, levels: list[int], depth: int, tiles: _Tiles) -> None:
        if not levels:
            assert tiles.columns is not None, "a column has at least four points"
            self._emitter.emit(tiles.bases, tiles.rows, tiles.columns, tiles.part, self._ahead(tiles))
            return
        iterator, *inner = levels
        if iterator == _BLOCKS:
            self._blocks(inner, depth, tiles)
        elif iterator == _PARTS:
            self._parts(inner, depth, tiles)
        elif iterator == _STRIPS:
            self._strips(inner, depth, tiles)
        elif iterator == self._chain.form.column:
            self._columns(inner, depth, tiles)
        else:
            self._rows(levels, depth, tiles)

    def _blocks(self, levels: list[int], depth: int, tiles: _Tiles) -> None:
        """Blocks of the outermost row iterator; what is left of a tile goes through all panels by itself."""
        iterator, block = self._blocked, self._blocking.block
        step, size = self._tile.rows.get(iterator, 1), self._chain.sizes[iterator]
        assert size is not None, "blocks have known sizes"
        whole = size - size % step

        def body(at: ir.Value, looped: bool) -> None:
            end = arith.addi(at, index(block))
            stop = end if whole % block == 0 else arith.minui(end, index(whole))
            self._level(levels, depth + looped, replace(tiles, block=(at, stop)))

        self._loop(depth, 0, whole, block, body, size)
        if size > whole:
            with self._part(whole, size, size):
                others = [i for i in levels if i != iterator]
                self._level(others, depth, _with_row(tiles, iterator, index(whole), size - whole))

    def _strips(self, levels: list[int], depth: int, tiles: _Tiles) -> None:
        """Strips of columns; those behind the last whole panel go through the reduction at once."""
        tile, strip, size = self._tile, self._blocking.strip, self._chain.sizes[self._chain.form.column]
        assert size is not None, "strips have known sizes"
        whole = size - size % tile.width

        def body(at: ir.Value, looped: bool) -> None:
            end = arith.addi(at, index(strip))
            stop = end if whole % strip == 0 else arith.minui(end, index(whole))
            self._level(levels, depth + looped, replace(tiles, strip=(at, stop)))

        self._loop(depth, 0, whole, strip, body, size)
        self._last_columns(levels[2:], depth, tiles, whole, size)

    def _parts(self, levels: list[int], depth: int, tiles: _Tiles) -> None:
        """All rows for the first steps of the reduction, then for the next ones; threads cannot share these."""
        steps, total = self._blocking.part, self._blocking.steps
        if tiles.columns is not None and tiles.columns.width < self._tile.width:
            self._level(levels, depth, tiles)
            return
        last = (total - 1) // steps

        def emit(start: Offset, number: int) -> None:
            length = steps if number < last else total - last * steps
            part = ReductionBlock(start, length, number == 0, number == last)
            self._level(levels, _MARKED_LEVELS, replace(tiles, part=part))

        emit(0, 0)
        if last == 2:
            emit(steps, 1)
        elif last > 2:
            loop = scf.ForOp(index(steps), index(last * steps), index(steps))
            with ir.InsertionPoint(loop.body):
                emit(loop.induction_variable, 1)
                scf.YieldOp([])
        emit(last * steps, last)

    def _ahead(self, tiles: _Tiles) -> Ahead | None:
        """What the tile at the current place fetches; those at the edges are few."""
        vectors, columns = self._blocking.vectors_ahead, tiles.columns
        if (
            not vectors
            or columns is None
            or columns.width < self._tile.width
            or tiles.rows != self._tile.rows
        ):
            return None
        if not self._blocking.next_panel:
            return Ahead(vectors, None)
        number: Offset = 0
        for i in (i for i in self._chain.form.rows if self._chain.sizes[i] != 1):
            step, size = self._tile.rows.get(i, 1), self._chain.sizes[i]
            base: Offset = tiles.bases[i]
            if i == self._blocked:
                base = arith.subi(tiles.bases[i], index(tiles.block[0]))
            place = arith.divui(base, index(step)) if step > 1 else base
            number = add(multiply(number, -(-(size or 1) // step)), place)
        return Ahead(vectors, number, tiles.has_next)

    def _rows(self, levels: list[int], depth: int, tiles: _Tiles) -> None:
        iterator, *inner = levels
        step, size = self._tile.rows.get(iterator, 1), self._chain.sizes[iterator]

        def body(rows: int, at: ir.Value, looped: bool) -> None:
            self._level(inner, depth + looped, _with_row(tiles, iterator, at, rows))

        if iterator == self._blocked:
            self._loop(depth, *tiles.block, step, partial(body, step))
            return
        if size is not None:
            whole = size - size % step
            self._loop(depth, 0, whole, step, partial(body, step), size)
            self._loop(depth, whole, size, size - whole, partial(body, size - whole), size)
            return
        total = self._sizes[iterator]
        start: ir.Value | int = 0
        while step:
            left = total if isinstance(start, int) else arith.subi(total, start)
            stop = arith.subi(total, arith.remui(left, index(step))) if step > 1 else total
            self._loop(depth, start, stop, step, partial(body, step))
            start, step = stop, _half(step)

    def _columns(self, levels: list[int], depth: int, tiles: _Tiles) -> None:
        tile, iterator = self._tile, self._chain.form.column
        size = self._chain.sizes[iterator]

        def body(at: ir.Value, columns: Columns, looped: bool, has_next: Offset) -> None:
            bases = {**tiles.bases, iterator: at}
            self._level(
                levels, depth + looped, replace(tiles, bases=bases, columns=columns, has_next=has_next)
            )

        def panel(end: ir.Value | int, at: ir.Value, looped: bool) -> None:
            has_next: Offset = 1
            if self._blocking.vectors_ahead and self._blocking.next_panel:
                behind = arith.addi(at, index(tile.width))
                has_next = arith.cmpi(arith.CmpIPredicate.ult, behind, index(end))
            body(at, Columns(tile.vectors, tile.lanes), looped, has_next)

        if size is not None and self._blocking.strip:
            self._loop(depth, *tiles.strip, tile.width, partial(panel, size))
            return
        if size is not None:
            whole = size - size % tile.width
            self._loop(depth, 0, whole, tile.width, partial(panel, size), size)
            self._last_columns(levels, depth, tiles, whole, size)
            return
        total = self._sizes[iterator]
        stop = arith.subi(total, arith.remui(total, index(tile.width)))
        self._loop(depth, 0, stop, tile.width, partial(panel, total))

        def edge(at: ir.Value, looped: bool) -> None:
            body(at, Columns(1, tile.lanes, arith.subi(total, at)), looped, 1)

        self._loop(depth, stop, total, tile.lanes, edge)

    def _last_columns(self, levels: list[int], depth: int, tiles: _Tiles, whole: int, size: int) -> None:
        """The columns behind the last whole panel, if there are any."""
        lanes, rest = self._tile.lanes, size - whole
        columns = Columns(-(-rest // lanes), lanes, rest % lanes or None)

        def body(at: ir.Value, looped: bool) -> None:
            bases = {**tiles.bases, self._chain.form.column: at}
            self._level(levels, depth + looped, replace(tiles, bases=bases, columns=columns, has_next=1))

        self._loop(depth, whole, size, rest, body, size)

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

        What is one of several parts has a loop for threads, who share it with them.

        Args:
            size: of the iterator, if it is known.
        """
        if isinstance(start, int) and isinstance(stop, int) and stop - start <= step:
            if stop <= start:
                return
            if not self._shared or depth >= _MARKED_LEVELS or stop - start == size:
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


def _half(step: int) -> int:
    """The largest power of two below a number; 0 below one."""
    return 1 << ((step - 1).bit_length() - 1) if step > 1 else 0


def _trips(size: int | None) -> int:
    return _TYPICAL_TRIP if size is None else size


def _with_row(tiles: _Tiles, iterator: int, at: ir.Value, rows: int) -> _Tiles:
    """The tiles whose first point is `at`, with so many points, along a row iterator."""
    several = {**tiles.rows, iterator: rows} if rows > 1 else tiles.rows
    return replace(tiles, bases={**tiles.bases, iterator: at}, rows=several)
