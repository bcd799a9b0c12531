"""What of a contraction's operands stays in which cache while its tiles are computed.

Where the whole rhs stays in the second-level cache, rows are outside, and a tile's rows of the lhs are in the
first-level cache for all panels. Where it is larger, panels are outside, so that one panel stays in the second-level
cache for all rows, and three things keep its multiply-adds from waiting:

* While one panel is computed with, the next one is fetched: its first vectors by the first tile of rows and so on.
  Beside 32 rows that come from memory anew, weights of 64 MB were multiplied 24% faster; beside 128 rows, 5%.
* A panel of a long reduction is read in parts, which all rows go through one after the other: three tenths of the cache
  is what the processor's own prefetching leaves alone. Sums wait in the result in the meantime.
* Rows of a lhs that the third-level cache would not keep are divided into blocks, outside of the panels. Both together
  brought 2048 x 2048 x 2048 from 86% to 94% of the peak.

Where one row meets a rhs that is not packed, rows of the rhs are read from one end to the other, eight of them at once,
and the sums of all columns are in the first-level cache meanwhile: that took two thirds of the time with 2048 x 2048.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ....tensor.access import access_kind, element_bits
from ...processor import Processor
from .chain import Chain
from .flat_operand import Offset
from .packing import panels_of
from .tile import TileShape

_TYPICAL_TRIP = 128  # of a size that is known only at run time
_SHARE = 0.5  # of the second-level cache, for a rhs that stays there
_PART_SHARE = 0.3125  # of the second-level cache, for a part of a panel
_PAIR_SHARE = 0.75  # of that cache, for a panel or part and the next one
_BLOCK_SHARE = 0.125  # of the third-level cache, for a block of rows of the lhs
_FEWEST_PANELS = 4  # that a block of rows is worth a loop for
_LEAST_BALANCE = (
    0.9  # of whole panels among threads, or rows have to be divided as well, which parts cannot be
)
_STEPS_AHEAD = 32  # of the reduction, that a tile of all rows fetches
_FEWEST_ROWS = (
    6  # of such a tile; beside fewer there is time for nothing but reading, which processors do ahead as well
)
_STREAMS = (
    8  # rows of a plain rhs that are read alongside each other: as few as share a set of the first cache
)
_LONGEST_STRIP = 4096  # columns, whose sums stay in the first cache
_MEMORY_SHARE = (
    0.5  # of the third-level cache: so few tiles that each fetches several vectors pays from memory only
)


@dataclass(frozen=True)
class ReductionBlock:
    """Steps of a contraction's only reduction that a tile goes through; the sums of the others wait in the result.

    Attributes:
        steps: how many; None for all.
    """

    start: Offset = 0
    steps: int | None = None
    is_first: bool = True
    is_last: bool = True


@dataclass(frozen=True)
class Ahead:
    """What a tile fetches into the cache for others.

    Attributes:
        vectors: in each step of the reduction.
        number: of the tile, among those that read the same panel: it tells which vectors of the next panel; None
            where there is one tile, which fetches what itself will read some steps later.
        has_next: whether there is another panel.
    """

    vectors: int
    number: Offset | None
    has_next: Offset = 1

    @property
    def steps(self) -> int:
        return _STEPS_AHEAD


@dataclass(frozen=True)
class Blocking:
    """How the loops over a contraction's tiles are arranged.

    Attributes:
        order: the parallel iterators, outermost loop first.
        block: points of the outermost row iterator that go through all panels before the next ones do; 0 for all.
        part: steps of the reduction that all rows go through before the next ones; 0 for all.
        steps: of the reduction in all.
        vectors_ahead: of the next panel, that each step of a tile fetches.
        next_panel: whether these are of the next panel, not of the same one.
        strip: columns for which a part is added up before the next part is; 0 where parts are inside of panels.
    """

    order: tuple[int, ...]
    block: int = 0
    part: int = 0
    steps: int = 0
    vectors_ahead: int = 0
    next_panel: bool = True
    strip: int = 0


@dataclass(frozen=True)
class _Extent:
    """Sizes of a contraction, in what caches hold.

    Attributes:
        trips: points of each iterator; panels, row_tiles: how many there are.
        panel_bytes, lhs_bytes: of a panel, and of the lhs.
    """

    trips: list[int]
    panels: int
    row_tiles: int
    panel_bytes: int
    lhs_bytes: int

    @staticmethod
    def of(chain: Chain, tile: TileShape) -> _Extent:
        form, trips = chain.form, [_TYPICAL_TRIP if size is None else size for size in chain.sizes]
        columns = [i for i in form.columns if i != form.column]
        lhs, rhs = (max(1, element_bits(chain.view.inputs[i].type) // 8) for i in (form.lhs, form.rhs))
        reduced = prod(trips[i] for i in form.reduction)
        return _Extent(
            trips,
            prod(trips[i] for i in columns) * -(-trips[form.column] // tile.width),
            prod(-(-trips[i] // tile.rows.get(i, 1)) for i in form.rows),
            reduced * tile.width * rhs,
            reduced * prod(trips[i] for i in form.rows) * lhs,
        )


def choose_blocking(chain: Chain, tile: TileShape, cpu: Processor, threads: int) -> Blocking:
    """The arrangement that keeps operands in the caches of a processor."""
    form, extent = chain.form, _Extent.of(chain, tile)
    strip = _strip(chain, tile, extent, threads)
    if strip:
        reduction = next(i for i in form.reduction if chain.sizes[i] != 1)
        others = tuple(i for i in form.columns if i != form.column)
        order = (*form.batch, *others, *form.rows, form.column)
        return Blocking(order, part=_STREAMS, steps=chain.sizes[reduction] or 0, strip=strip)
    rows_outside = extent.panels * extent.panel_bytes <= _SHARE * cpu.l2_bytes
    batches = prod(extent.trips[i] for i in form.batch)
    if threads > 1 and batches < threads:  # the outermost loop has to be long enough for all of them
        few = extent.row_tiles if rows_outside else extent.panels
        many = extent.panels if rows_outside else extent.row_tiles
        if few < 2 * threads < many:
            rows_outside = not rows_outside
    columns = (*(i for i in form.columns if i != form.column), form.column)
    if rows_outside:
        return Blocking((*form.batch, *form.rows, *columns))
    order = (*form.batch, *columns, *form.rows)
    sharing = threads if batches < threads else 1
    block = _block(chain, tile, cpu, extent, sharing)
    part, steps = _part(chain, cpu, extent, 1 if block else sharing)
    kept = extent.panel_bytes * part // steps if part else extent.panel_bytes
    ahead, is_next = _ahead(chain, tile, cpu, extent, kept)
    return Blocking(order, block, part, steps, ahead, is_next)


def _strip(chain: Chain, tile: TileShape, extent: _Extent, threads: int) -> int:
    """Columns of a strip, if there is one row and the rows of a plain rhs are long.

    Panels would take a short piece of each of these, too short for processors to read ahead. Beside several rows more
    sums would have to be loaded and stored than that gains.
    """
    form, size = chain.form, chain.sizes[chain.form.column]
    reduction = [i for i in form.reduction if chain.sizes[i] != 1]
    rows = prod(extent.trips[i] for i in form.rows)
    if rows > 1 or panels_of(chain.view, form) is not None or len(reduction) != 1 or size is None:
        return 0
    steps, panels = chain.sizes[reduction[0]], size // tile.width
    if steps is None or steps < 2 * _STREAMS or panels < _FEWEST_PANELS or not _has_place(chain):
        return 0
    shared = threads if prod(extent.trips[i] for i in form.batch) < threads else 1
    count = -(-size // _LONGEST_STRIP)
    count = min(-(-count // shared) * shared, panels)
    return -(-panels // count) * tile.width


def _has_place(chain: Chain) -> bool:
    """Whether sums may wait in memory, vector by vector."""
    place = chain.waiting_place()
    if place is None:
        return False
    return access_kind(place.buffer, place.map(len(chain.sizes)), chain.form.column) == "contiguous"


def _block(chain: Chain, tile: TileShape, cpu: Processor, extent: _Extent, threads: int) -> int:
    """Rows of a block: all blocks but the last one are equally long, and each thread gets as many."""
    rows = [i for i in chain.form.rows if chain.sizes[i] != 1]
    size = chain.sizes[rows[0]] if rows else None
    count = -(-extent.lhs_bytes // int(_BLOCK_SHARE * cpu.l3_bytes))
    if size is None or count < 2 or extent.panels < _FEWEST_PANELS:
        return 0
    tiles = size // tile.rows.get(rows[0], 1)
    count = min(-(-count // threads) * threads, tiles)
    return -(-tiles // count) * tile.rows.get(rows[0], 1) if count > 1 else 0


def _part(chain: Chain, cpu: Processor, extent: _Extent, threads: int) -> tuple[int, int]:
    """Steps of the reduction in a part, 0 for all of them, and in all."""
    panels = panels_of(chain.view, chain.form)
    reduction = [i for i in chain.form.reduction if chain.sizes[i] != 1]
    if panels is None or len(reduction) != 1 or chain.sizes[reduction[0]] is None:
        return 0, 0
    steps = (chain.sizes[reduction[0]] or 0) // (panels.group.size if panels.group is not None else 1)
    count = -(-extent.panel_bytes // int(_PART_SHARE * cpu.l2_bytes))
    shared = -(-extent.panels // threads) * threads
    if count < 2 or extent.row_tiles < 2 or extent.panels < _LEAST_BALANCE * shared:
        return 0, 0
    return (-(-steps // count), steps) if _has_place(chain) else (0, 0)


def _ahead(chain: Chain, tile: TileShape, cpu: Processor, extent: _Extent, kept: int) -> tuple[int, bool]:
    """Vectors that a step fetches, and whether of the next panel.

    Nothing for windows of convolutions, which ran 1 to 4% slower with it.

    Args:
        kept: bytes of a panel, or of a part of one, that all rows read.
    """
    if sum(chain.sizes[i] != 1 for i in chain.form.reduction) != 1:
        return 0, True
    several = extent.row_tiles >= tile.vectors
    if not several and extent.panels * extent.panel_bytes <= _MEMORY_SHARE * cpu.l3_bytes:
        return 0, True
    if extent.row_tiles > 1:
        fits = extent.panels > 1 and 2 * kept <= _PAIR_SHARE * cpu.l2_bytes
        return (-(-tile.vectors // extent.row_tiles) if fits else 0), True
    rows = prod(extent.trips[i] for i in chain.form.rows)
    return (tile.vectors if rows >= _FEWEST_ROWS else 0), False
