"""`wse-tile`: structured operations become loops over tiles."""

from collections.abc import Sequence
from typing import Any, Literal

from ....dialects.host import ir, scf
from ....dialects.structured import REDUCTION, replace_op
from ...infra.diagnostics import PassFailure
from ...infra.pass_base import Pass, PassRun, option
from ..bufferization.op_model import is_linalg, reads_init
from ..traversal import collect
from .tiling.index_math import IndexOrValue, as_value, tile_extent
from .tiling.producers import Slicer
from .tiling.tiles import Slice, Tileable, operand_slice, put_slice, refusal, take_slice, tile_op, tileable


class Tile(Pass, name="wse-tile", anchor="func.func"):
    """Tiles every structured linalg operation, generic or named, on tensors or memrefs.

    Before:

        %r = linalg.matmul ins(%a, %b : tensor<16x64xf32>, tensor<64x32xf32>)
                           outs(%c : tensor<16x32xf32>) -> tensor<16x32xf32>

    After `wse-tile{sizes=8,16,0}`:

        %r = scf.for %i = %c0 to %c16 step %c8 iter_args(%o = %c) -> (tensor<16x32xf32>) {
          %s = scf.for %j = %c0 to %c32 step %c16 iter_args(%p = %o) -> (tensor<16x32xf32>) {
            %at = tensor.extract_slice %a[%i, 0] [8, 64] [1, 1] : ...
            %bt = tensor.extract_slice %b[0, %j] [64, 16] [1, 1] : ...
            %ct = tensor.extract_slice %p[%i, %j] [8, 16] [1, 1] : ...
            %rt = linalg.matmul ins(%at, %bt : ...) outs(%ct : tensor<8x16xf32>) -> tensor<8x16xf32>
            %q = tensor.insert_slice %rt into %p[%i, %j] [8, 16] [1, 1] : ...
            scf.yield %q : tensor<16x32xf32>
          }
          scf.yield %s : tensor<16x32xf32>
        }

    Where a size does not divide the dimension, the last tile is cut short by an `affine.min`. A tile as
    large as its dimension makes no loop. Tiling a reduction accumulates in the destination, so it needs
    `loops=for`. Operations that the pass puts into its own loops are not tiled again.
    """

    sizes: tuple[int, ...] = option(
        (), "tile size of each iterator, outermost first; 0 or missing is the whole", least=0
    )
    loops: Literal["for", "forall"] = option("for", "nested scf.for, or one scf.forall with parallel tiles")
    fuse_producers: bool = option(
        False, "compute producers tile by tile inside the loops where nothing is redone"
    )
    only: tuple[str, ...] = option((), "names of the operations to tile, e.g. linalg.matmul; all if empty")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        if any(size < 0 for size in self.sizes):
            raise PassFailure(
                op, f"tile sizes cannot be negative: {self.sizes}", hint="0 leaves an iterator whole"
            )
        if any(size >= 2**63 for size in self.sizes):
            raise PassFailure(op, "a tile size does not fit an index", hint="0 leaves an iterator whole")
        fused: list[ir.Operation] = []
        # Consumers first, so that their producers can move into their loops.
        for candidate in reversed(collect(op, is_linalg)):
            if candidate in fused or (self.only and candidate.name not in self.only):
                continue
            view = tileable(candidate)
            if view is None:
                run.remark(candidate, f"'{candidate.name}' has no indexing maps, it is left whole")
                continue
            fused += self._tile(view, run)
        for producer in fused:  # consumers come before their producers
            if not any(True for _ in producer.results[0].uses):
                producer.erase()

    def _tile(self, view: Tileable, run: PassRun) -> list[ir.Operation]:
        """Tiles one operation; returns the producers that moved into its loops."""
        requested = self.sizes[: view.rank]
        if not any(requested):
            return []
        with view.op.location, ir.InsertionPoint(view.op):
            extents = view.loop_sizes()
            sizes = {d: t for d, t in enumerate(requested) if t and _worthwhile(t, extents[d])}
            reason = refusal(view, list(sizes))
            if reason is None and any(extents[d] is None for d in sizes):
                reason = "an iterator's size is given by no operand"
            if reason is not None:
                run.remark(view.op, f"'{view.op.name}' is not tiled: {reason}")
                return []
            if not sizes:
                return []
            reductions = [d for d in sizes if view.iterators[d] == REDUCTION]
            if reductions and self.loops == "forall":
                raise PassFailure(
                    view.op,
                    f"iterator {reductions[0]} of '{view.op.name}' is a reduction and cannot be split by scf.forall",
                    hint="use loops=for, or tile size 0 for this iterator",
                )
            fuse = self.fuse_producers and view.on_tensors
            builder = _Builder(view, Slicer(view, run, fuse, list(sizes)), sizes, extents, bool(reductions))
            results = builder.forall() if self.loops == "forall" else builder.nest()
        run.count("operations tiled")
        replace_op(view.op, results)
        return builder.slicer.fused


def _worthwhile(tile: int, extent: IndexOrValue | None) -> bool:
    return not isinstance(extent, int) or tile < extent


class _Builder:
    """Builds the loops around one tile of one operation."""

    def __init__(
        self,
        view: Tileable,
        slicer: Slicer,
        sizes: dict[int, int],
        extents: Sequence[IndexOrValue | None],
        reduces: bool,
    ) -> None:
        self.view, self.slicer, self.sizes, self.extents = view, slicer, sizes, extents
        self.inits = [view.op.operands[p] for p in view.init_positions()]
        # The operation that makes an init's old contents, when it can run on each tile just before it is used.
        self.init_producers: list[Tileable | None] = [None] * len(self.inits)
        if slicer.fuse and not reduces:
            self._take_over_inits()

    def _take_over_inits(self) -> None:
        for number, init in enumerate(self.inits):
            producer = self.slicer.producer(init, recomputed=False)
            window = self.view.access(self.view.init_positions()[number])
            covered = {a.plain_dim() for a in window if a is not None}
            if producer is None or not all(d in covered for d in self.sizes):
                continue
            target = producer.op.operands[producer.init_positions()[0]]
            if not reads_init(producer.op, 0) and target.type == init.type:
                self.init_producers[number] = producer
                self.inits[number] = target

    def nest(self) -> list[ir.Value]:
        """Nested `scf.for`, the first tiled iterator outermost; returns the results."""
        carried = self.inits if self.view.on_tensors else []
        return self._loop(list(self.sizes), {}, carried)

    def _loop(
        self, remaining: list[int], offsets: dict[int, IndexOrValue], carried: list[ir.Value]
    ) -> list[ir.Value]:
        if not remaining:
            return self._sequential_tile(offsets, carried)
        iterator, *inner = remaining
        extent = self._extent(iterator)
        loop = scf.ForOp(as_value(0), as_value(extent), as_value(self.sizes[iterator]), carried)
        with ir.InsertionPoint(loop.body):
            body_offsets = {**offsets, iterator: loop.induction_variable}
            scf.YieldOp(self._loop(inner, body_offsets, list(loop.inner_iter_args)))
        return list(loop.results)

    def _extent(self, iterator: int) -> IndexOrValue:
        extent = self.extents[iterator]
        if extent is None:
            raise PassFailure(self.view.op, f"the size of iterator {iterator} is given by no operand")
        return extent

    def _sequential_tile(self, offsets: dict[int, IndexOrValue], carried: list[ir.Value]) -> list[ir.Value]:
        targets = carried or self.inits
        results, windows = self._tile(offsets, targets)
        merged = []
        for tile, whole, window in zip(results, targets, windows, strict=False):
            inserted = tile if window is None else put_slice(tile, whole, window)
            merged.append(inserted)
        return merged

    def forall(self) -> list[ir.Value]:
        """One `scf.forall` over all tiled iterators; returns the results."""
        carried = self.inits if self.view.on_tensors else []
        bounds = [self._extent(d) for d in self.sizes]
        loop = scf.ForallOp([0] * len(bounds), bounds, list(self.sizes.values()), carried)
        with ir.InsertionPoint(loop.body):
            offsets: dict[int, IndexOrValue] = dict(zip(self.sizes, loop.induction_variables, strict=True))
            shared = list(loop.inner_iter_args)
            results, windows = self._tile(offsets, shared or self.inits)
            terminator: Any = scf.InParallelOp()
        with ir.InsertionPoint(terminator.block):
            # Buffers are written where they are: nothing is shared.
            for tile, whole, window in zip(results, shared, windows, strict=False):
                put_slice(tile, whole, window or _everything(whole), parallel=True)
        return list(loop.results)

    def _tile(
        self, offsets: dict[int, IndexOrValue], targets: Sequence[ir.Value]
    ) -> tuple[list[ir.Value], list[Slice | None]]:
        """One tile; returns its results and where each belongs (None: the whole destination)."""
        view = self.view
        starts: list[IndexOrValue] = [offsets.get(d, 0) for d in range(view.rank)]
        sizes: list[IndexOrValue | None] = list(self.extents)
        for iterator, tile in self.sizes.items():
            sizes[iterator] = tile_extent(starts[iterator], tile, self._extent(iterator))
        first = view.init_positions()[0]
        operands = [self.slicer.operand(p, starts, sizes) for p in range(first)]
        windows: list[Slice | None] = []
        for number, position in enumerate(view.init_positions()):
            window = operand_slice(view, position, list(self.sizes), starts, sizes)
            windows.append(window)
            target = targets[number]
            tile = target if window is None else take_slice(target, window)
            operands.append(self._initialised(number, position, tile, window))
        return list(tile_op(view, operands, starts).results), windows

    def _initialised(self, number: int, position: int, tile: ir.Value, window: Slice | None) -> ir.Value:
        """The destination's tile with the contents that the operation expects."""
        producer = self.init_producers[number]
        if producer is None or window is None:
            return tile
        loops = self.slicer.follows(self.view, position, self.slicer.own_loops())
        return self.slicer.compute(producer, window, loops, tile)


def _everything(whole: ir.Value) -> Slice:
    shape = ir.ShapedType(whole.type).shape
    return Slice((0,) * len(shape), tuple(shape))
