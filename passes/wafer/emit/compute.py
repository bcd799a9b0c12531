"""The local part of a `linalg.generic` as vector operations: one per elementary operation of its body.

A value of the body is kept for the iterators it depends on and no others. Reductions that may be done in any order
accumulate into the result; others (running sums) run the reduction's loops one step at a time, with vector operations
over the parallel iterators inside.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from ....dialects.affine.expressions import dim_position
from ....dialects.host import ir
from ....dialects.structured import PARALLEL, REDUCTION
from ....wse_target.instructions import DTYPE_BYTES, Access, Dtype, Instruction, Loop, Vector
from ....wse_target.layout.tensor_layout import NOW, TensorLayout
from ....wse_target.machine import Machine
from ....wse_target.quasi_affine import Const, Var, const
from ...infra.diagnostics import PassFailure
from ..scalars.constant_folding import known_comparison
from ..scalars.reduction_form import OWNED, Accumulation
from ..scalars.splat import splat_of
from ..scalars.values import ElementaryOp, IteratorValue, Operand, ScalarValue, Temp
from ..shard.indirect import GATHER, gather_order, moving
from ..shard.nodes import Compute, analyse, op_result
from ..shard.operand_layouts import operand_layouts
from ..shard.owned import owned_indices, owned_loops
from ..shard.scatters import Scatter, scatter_loops, scatter_of, written_indices
from .indirect import at_numbers, gathered
from .movement import copy, fill
from .nests import VectorNest
from .positions import positions_in_tile, stride_of
from .tiles import LocalTile, TileBuffers
from .value_places import ScalarSource, ValuePlaces
from .write.expressions import row_major_pitches


class ComputeEmitter:
    """Emits one operation."""

    def __init__(
        self,
        op: Any,
        loops: TensorLayout,
        tiles: TileBuffers,
        hint: str,
        machine: Machine,
        changed: ir.Value | None = None,
    ) -> None:
        """
        Args:
            machine: for which loops are ordered.
            changed: an init whose tile becomes the result's, if it lies as the result does.
        """
        self.compute: Compute = analyse(op)
        self.view = self.compute.view
        self.loops = loops
        self.tiles = tiles
        self.hint = hint
        self.machine = machine
        self.changed = changed
        self.steps: list[Instruction] = []
        self.depends = self.compute.dependencies()
        self.needed = operand_layouts(self.view, loops)
        self.order = self._canonical_order()
        results = [self._result_tile(r) for r in range(len(self.view.inits))]
        self.values = ValuePlaces(self.compute, loops, tiles, self.needed, results)
        self.accumulated = self.compute.accumulated()

    def run(self) -> list[Instruction]:
        """The instructions of every PE, in program order."""
        self._prepare_indices()
        self._initialise()
        looped = self.compute.looped(self.depends, self.loops.tile_shape)
        self._emit_looped([i for i in self.order if i in looped], self.compute.serial)
        return self.steps

    # What goes where

    def _canonical_order(self) -> list[int]:
        """Iterators outermost first: as the first result's dimensions, then other parallel ones, then reductions."""
        positions = (dim_position(e) for e in self.view.init_maps[0].results)
        first = [p for p in positions if p is not None and self.view.iterators[p] == PARALLEL]
        parallel = [i for i, k in enumerate(self.view.iterators) if k == PARALLEL and i not in first]
        return first + parallel + [i for i, k in enumerate(self.view.iterators) if k == REDUCTION]

    def _result_tile(self, r: int) -> LocalTile | None:
        if not self.compute.used[r]:
            return None
        result = op_result(self.view.op, r)
        layout = self.needed[len(self.view.inputs) + r]
        assert layout is not None, "results are written by plain maps"
        held = None if self.changed is None else self.tiles.by_value.get(self.changed)
        if held is not None and held.layout == layout:
            self.tiles.by_value[result] = held
            return held
        return self.tiles.new(result, layout, self.hint)

    def _homes(self, *, serial: bool) -> dict[int, int]:
        """Temporaries that are computed straight into a result: temporary -> result.

        A value that repeats in a result is not, if the body goes on with it: there it has fewer loops. Neither is a
        running value, for later operations of a step may want the one before.
        """
        homes: dict[int, int] = {}
        read = {o.index for op in self.compute.body.ops for o in op.operands if isinstance(o, Temp)}
        for r, yielded in enumerate(self.compute.body.yielded):
            if not isinstance(yielded, Temp) or self.values.results[r] is None or r in self.accumulated:
                continue
            if serial and self.compute.starts_from_init(r):
                continue
            loops = {dim_position(e) for e in self.view.init_maps[r].results} - {None}
            if yielded.index not in read or loops <= self.depends[yielded.index]:
                homes.setdefault(yielded.index, r)
        return homes

    def _vector(self, kind: str, loops: Sequence[int], dst: Access, srcs: Sequence[ScalarSource]) -> None:
        bounds = tuple(self.values.bound(i) for i in loops)
        split = {name for i in {*loops, *self.values.looped} for name in self.loops.dims[i].axes}
        mesh = self.loops.mesh
        copies = math.prod(mesh[name].extent for name in mesh.names if name not in split)
        self.steps.append(Vector(kind, bounds, dst, tuple(srcs), copies=copies))

    # Before the body

    def _prepare_indices(self) -> None:
        """A vector of 0, 1, ... (plus where the PE's block starts) for each iterator whose value the body uses."""
        read = (o for op in self.compute.body.ops for o in written_indices(self.view, op))
        used = {o.dim for o in read if isinstance(o, IteratorValue)}
        used |= {y.dim for y in self.compute.body.yielded if isinstance(y, IteratorValue)}
        for iterator in sorted(used):
            tile = self.tiles.scratch(f"{self.hint}_index", (self.values.block(iterator),), "i32")
            start: ScalarSource = 0
            if self.loops.dims[iterator].axes:
                start = self._start(iterator)
            self.steps.append(Vector("iota", (self.values.bound(iterator),), tile.whole(), (start,)))
            self.values.indices[iterator] = tile

    def _start(self, iterator: int) -> Access:
        """The first index of the PE's block: the blocks' sizes added up as often as there are blocks before."""
        dim = self.loops.dims[iterator]
        origin = self.tiles.scratch(f"{self.hint}_start", (), "i32").at([], 0)
        self.steps.append(Vector("fill", (), origin, (dim.low - dim.before,)))
        total = Access(origin.buffer, origin.offset, (0,))
        for digit in dim.digits:
            before = (self.loops.value_of(digit, NOW),)
            self.steps.append(Vector("add", before, total, (total, digit.pitch)))
        if dim.low < dim.before:
            self.steps.append(Vector("max", (), origin, (origin, 0)))
        return total

    def _initialise(self) -> None:
        """Reductions start from their inits, and so does what is changed in places."""
        for r, tile in enumerate(self.values.results):
            if tile is None or not self.compute.starts_from_init(r):
                continue
            init = self.view.inits[r]
            number = splat_of(init)
            if number is not None:
                self.steps.append(fill(tile, number))
            elif init not in self.tiles.by_value:
                raise PassFailure(self.view.op, "a reduction starts from a tensor that nothing has filled")
            elif self.tiles.by_value[init] is not tile:
                self.steps.append(copy(tile, self.tiles.by_value[init]))

    # The body

    def _emit_looped(self, looped: Sequence[int], serial: bool) -> None:
        """The body as vector operations, in loops over `looped`."""
        self.values.looped = {i: Var(f"i{i}") for i in looped}
        outside, self.steps = self.steps, []
        self._emit_body(self._homes(serial=serial))
        self._copy_yields()
        body = tuple(self.steps)
        for iterator in reversed(looped):
            body = (Loop(f"i{iterator}", self.values.bound(iterator), body),)
        self.steps = [*outside, *body]

    def _emit_body(self, homes: dict[int, int]) -> None:
        products = {a.product for a in self.accumulated.values() if a.product is not None}
        sums = {a.at: (r, a) for r, a in self.accumulated.items()}
        for index, op in enumerate(self.compute.body.ops):
            if index in products:
                continue
            scatter = scatter_of(self.view, op)
            if index in sums:
                self._accumulate(*sums[index])
            elif scatter is not None:
                self._scatter(index, scatter)
            else:
                self._elementary(index, op, homes)

    def _accumulate(self, r: int, found: Accumulation) -> None:
        result = self.values.results[r]
        if result is None:
            return
        op = self.compute.body.ops[found.at]
        if op.kind in OWNED:
            self._owned(op, result)
            return
        values = found.factors or (found.value,)
        loops = self._best_order(r, values, op, fused=bool(found.factors))
        dst = self.values.access(result, self.view.init_maps[r], loops)
        sources = [self.values.source(v, loops) for v in values]
        if found.factors:
            self._vector("fma", loops, dst, sources)
        else:
            self._vector(found.kind, loops, dst, [dst, *sources])

    def _elementary(self, index: int, op: ElementaryOp, homes: dict[int, int]) -> None:
        loops = [i for i in self.order if i in self.depends[index] and i not in self.values.looped]
        result = self.values.results[homes[index]] if index in homes else None
        if result is not None:
            amap = self.view.init_maps[homes[index]]
            positions = [dim_position(e) for e in amap.results]
            if None not in positions:
                loops = [p for p in positions if p is not None]
                free = [p for p in loops if p not in self.values.looped]
                nest = self._nest(op, free, {i: stride_of(amap, i, result.shape) for i in free})
                self._operation(op, nest, self.values.access(result, amap, nest))
                self.values.places[index] = (result, tuple(loops))
                return
        tile = self._reusable(index, op, loops) or self.tiles.scratch(
            f"{self.hint}_{op.kind}", tuple(self.values.block(i) for i in loops), op.dtype
        )
        nest = self._nest(op, loops, dict(zip(loops, row_major_pitches(tile.shape), strict=True)))
        self._operation(op, nest, tile.at([self.values.index(i, nest) for i in loops], len(nest)))
        self.values.places[index] = (tile, tuple(loops))

    def _operation(self, op: ElementaryOp, nest: Sequence[int], dst: Access) -> None:
        """One operation of the body over a nest of loops."""
        if op.kind != GATHER:
            sources = [self.values.source(o, nest) for o in op.operands]
            known = known_comparison(op.kind, sources)
            if known is None:
                self._vector(op.kind, nest, dst, sources)
            else:
                self._vector("fill", nest, dst, [known])
            return
        table, *indices = op.operands
        assert isinstance(table, Operand)
        base = self.values.operand(table.position, nest)
        assert isinstance(base, Access)
        tile = self.tiles.by_value[self.view.operands[table.position]]
        read = gathered(tile, base, indices, lambda value: self.values.source(value, nest))
        self._vector("copy", nest, dst, [read])

    def _scatter(self, index: int, scatter: Scatter) -> None:
        """Elements of the result are changed where numbers hit one that the PE has."""
        result = self.values.results[0]
        assert result is not None
        outer, row = scatter_loops(self.view, scatter, self.depends)
        nest = [*outer, *self._arranged(row)]
        places = [p for p in map(dim_position, self.view.init_maps[0].results) if p is not None]
        along = [
            const(0) if d in scatter.indices else self.values.index(p, nest) for d, p in enumerate(places)
        ]
        numbers = {d: self._numbers(value, nest) for d, value in scatter.indices.items()}
        dst = at_numbers(result, result.at(along, len(nest)), numbers)
        value = self.values.source(scatter.value, nest)
        if scatter.kind == "copy":
            self._vector("copy" if isinstance(value, Access) else "fill", nest, dst, [value])
        else:
            self._vector(scatter.kind, nest, dst, [dst, value])
        self.values.places[index] = (result, tuple(places))

    def _owned(self, op: ElementaryOp, result: LocalTile) -> None:
        """Elements of a table are read where numbers are places that the PE has."""
        table = op.operands[1]
        assert isinstance(table, Operand)
        outer, row = owned_loops(self.view, op, self.depends)
        nest = [*outer, *self._arranged(row)]
        tile, amap = self.tiles.by_value[self.view.operands[table.position]], self.view.maps[table.position]
        along = positions_in_tile(
            amap, self.loops, tile.layout, lambda i: self.values.index(i, nest) if i in nest else const(0)
        )
        numbers = {d: self._numbers(value, nest) for d, value in owned_indices(self.view, op).items()}
        read = at_numbers(tile, tile.at(along, len(nest)), numbers)
        self._vector("copy", nest, self.values.access(result, self.view.init_maps[0], nest), [read])

    def _numbers(self, value: ScalarValue, nest: Sequence[int]) -> Access:
        """Indices in memory."""
        source = self.values.source(value, nest)
        if isinstance(source, Access):
            return source
        place = self.tiles.scratch(f"{self.hint}_at", (), "i32").at([], len(nest))
        self.steps.append(Vector("fill", (), replace(place, strides=()), (source,)))
        return place

    def _nest(self, op: ElementaryOp, loops: list[int], written: Mapping[int, int]) -> list[int]:
        """The loops of an operation in the order that costs least; `written`: how far each goes in the result."""
        if op.kind != GATHER:
            return self._cheapest(self._arranged(loops), (written, op.dtype), op.operands, op.kind, op.dtype)
        moved = moving(op, [self.compute.iterators_of(o, self.depends) for o in op.operands])
        return gather_order(loops, moved)

    def _reusable(self, index: int, op: ElementaryOp, loops: list[int]) -> LocalTile | None:
        """The tile of an operand that nothing reads afterwards, for an update in place."""
        if op.kind == GATHER:  # which reads indices, not elements, from there
            return None
        later = {o for other in self.compute.body.ops[index + 1 :] for o in other.operands}
        later |= set(self.compute.body.yielded)
        owned = {tile.buffer for tile in self.values.results if tile is not None}
        for operand in op.operands:
            if not isinstance(operand, Temp) or operand in later:
                continue
            tile, iterators = self.values.places[operand.index]
            if iterators == tuple(loops) and self.tiles.dtype(tile) == op.dtype and tile.buffer not in owned:
                return tile
        return None

    def _copy_yields(self) -> None:
        """Results that are no operation's own destination: copies of operands, numbers, or of a shared value."""
        for r in self.compute.copied():
            tile = self.values.results[r]
            yielded = self.compute.body.yielded[r]
            if tile is None:
                continue
            if isinstance(yielded, Temp) and self.values.places[yielded.index][0] is tile:
                continue
            amap = self.view.init_maps[r]
            positions = map(dim_position, amap.results)
            loops = [p for p in positions if p is not None and p not in self.values.looped]
            source = self.values.source(yielded, loops)
            dst = self.values.access(tile, amap, loops)
            self._vector("copy" if isinstance(source, Access) else "fill", loops, dst, [source])

    # Order of loops

    def _best_order(
        self, r: int, values: Sequence[ScalarValue], op: ElementaryOp, *, fused: bool
    ) -> list[int]:
        """All iterators in the order that takes the machine least; of equal ones the last dimension innermost."""
        free = [i for i in self.order if i not in self.values.looped]
        last = {i: sum(self.values.stride(v, i) in (0, 1) for v in values) for i in free}
        init = Operand(len(self.view.inputs) + r)
        written = {i: self.values.stride(init, i) for i in free}, self.values.dtype(init)
        kind = "fma" if fused else op.kind
        return self._cheapest(sorted(free, key=last.__getitem__), written, values, kind, op.dtype)

    def _cheapest(
        self,
        loops: Sequence[int],
        written: tuple[Mapping[int, int], str],
        values: Sequence[ScalarValue],
        kind: str,
        dtype: str,
    ) -> list[int]:
        """Loops in the order that takes the machine least; of equal ones the given one.

        Args:
            written: how far each loop goes in what is written, and the type of its elements; values: what is read.
        """
        read = [v for v in values if isinstance(v, (Operand, Temp))]
        accesses = [({i: self.values.stride(v, i) for i in loops}, self.values.dtype(v)) for v in read]
        sized = [(strides, DTYPE_BYTES[cast(Dtype, each)]) for strides, each in (written, *accesses)]
        rates = self.machine.rate(kind, dtype), self.machine.rate_into_one(kind, dtype)
        uneven = frozenset(i for i in loops if not isinstance(self.values.bound(i), Const))
        nest = VectorNest({i: self.values.block(i) for i in loops}, sized, *rates, uneven)
        return nest.cheapest(loops, self.machine)

    def _arranged(self, loops: Sequence[int]) -> list[int]:
        """The innermost loop stays; of the others the longest goes next to it, for further maps cost more than rows.

        Those of one trip go outermost, where PEs that have none of it do nothing.
        """
        short = [i for i in loops if self.values.block(i) <= 1]
        long = [i for i in loops if self.values.block(i) > 1]
        return short + sorted(long[:-1], key=self.values.block) + long[-1:]
