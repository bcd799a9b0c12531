"""A distributed program's meaning: every value is the tiles that PEs hold, and communication moves tiles.

This is what `wse-partition` and `wse-place` are judged by: what they forget to bring together stays apart here, as on
the wafer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from ..dialects.host import ir
from ..dialects.structured import structured
from ..dialects.wse import read
from ..passes.infra.diagnostics import CompilerError
from ..passes.wafer.prepare.tables import extracts, table_of
from ..passes.wafer.shard.loops import loops_of
from ..passes.wafer.shard.operand_layouts import operand_layouts
from ..wse_target.layout.mesh import Mesh
from ..wse_target.layout.tensor_layout import TensorLayout
from ..wse_target.layout.text import layout_text
from .calls import Arrays
from .constants import constant_array, dense_array
from .local_bodies import LocalBodies, tensor_operands
from .spread import (
    PE,
    DistributedTensor,
    Value,
    assembled,
    block,
    extent,
    gathered,
    has_work,
    indices,
    local_map,
    reshaped,
)

MOST_PES = 4096  # of a grid whose PEs are followed one by one

_COMBINE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "add": np.add,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
}
_RELAYOUTS = ("wse.redistribute", "wse.all_gather", "wse.transpose_distribution")
_ON_TILES = ("tensor.extract_slice", "tensor.insert_slice", "tensor.concat")
_RESHAPES = ("tensor.expand_shape", "tensor.collapse_shape")
_KNOWN = frozenset(
    {
        "wse.scatter", "wse.gather", "wse.all_reduce", "wse.reduce", "wse.broadcast", "wse.reduce_scatter",
        "wse.shift", "linalg.generic", "linalg.fill", "tensor.empty", "arith.constant", "func.return",
        *_RELAYOUTS, *_ON_TILES, *_RESHAPES,
    }
)  # fmt: skip


class Spmd:
    """Completion of the stages `logical` and `placed`; see `judge.Completion`."""

    def accepts(self, operations: set[str]) -> bool:
        return bool(operations & {"wse.scatter", "wse.gather"}) and "wse.program" not in operations

    def __call__(self, module: ir.Module) -> Callable[[Sequence[np.ndarray]], Arrays]:
        return Interpreter(module).run


class Interpreter:
    """Runs @main of a module at stage `logical` or `placed`.

    Raises:
        CompilerError: an operation is not known here, or the grid is too large to follow every PE.
    """

    def __init__(self, module: ir.Module) -> None:
        self.module = module
        self.main = next(op for op in module.body.operations if op.operation.name == "func.func")
        self.operations = list(self.main.regions[0].blocks[0].operations)
        for op in self.operations:
            if op.operation.name not in _KNOWN:
                raise CompilerError(f"'{op.operation.name}' has no meaning on tiles here")
        self.rect = read.rect(self.main.operation.attributes["wse.rect"])
        if self.rect.size > MOST_PES:
            raise CompilerError(f"{self.rect.size} PEs are too many to follow one by one")
        self.bodies = LocalBodies(module.context)
        self.needed: dict[ir.Operation, list[TensorLayout]] = {}
        for number, op in enumerate(self.operations):
            if op.operation.name == "linalg.generic":
                for pe in self.wanted(op):
                    shapes = tuple(shape for shape, _ in self.parts(op, pe))
                    if has_work(self.loops(op, pe)):
                        self.bodies.want(number, op, shapes, self.maps(op, pe))
        self.bodies.link()

    def run(self, arguments: Sequence[np.ndarray]) -> Arrays:
        """The results of @main, for all of its arguments."""
        block = self.main.regions[0].blocks[0]
        known: dict[ir.Value, Value] = dict(
            zip(block.arguments, [*arguments, *self.constants()], strict=True)
        )
        for number, op in enumerate(self.operations):
            values = [known[v] for v in tensor_operands(op)]
            if op.operation.name == "func.return":
                return [gathered(value) for value in values]
            for result, value in zip(op.operation.results, self.step(number, op, values), strict=True):
                known[result] = value
        raise AssertionError("a function ends in func.return")

    def constants(self) -> Arrays:
        """Values of the arguments that `wse-partition` made of dense constants."""
        if "arg_attrs" not in self.main.operation.attributes:
            return []
        described = map(ir.DictAttr, ir.ArrayAttr(self.main.operation.attributes["arg_attrs"]))
        return [dense_array(d["wse.value"]) for d in described if "wse.value" in d]

    def pes(self) -> Iterator[PE]:
        return ((x, y) for y in range(self.rect.h) for x in range(self.rect.w))

    # Operations

    def step(self, number: int, op: Any, values: list[Value]) -> Sequence[Value]:
        """The results of one operation."""
        name, operation = op.operation.name, op.operation
        kind = operation.results[0].type
        if not isinstance(kind, ir.RankedTensorType):
            return [np.zeros(0)]  # scalars are constants, which bodies have for themselves
        shape = tuple(kind.shape)
        if name == "linalg.generic":
            return self.generic(number, op, values)
        if name in ("tensor.empty", "linalg.fill", "arith.constant"):
            return [constant_array(op, shape)]
        if name == "wse.gather":
            return [gathered(self.laid_out(op, values[0], self.layout(op, op.layout)))]
        if name == "wse.scatter":
            return [self.spread(gathered(values[0]), self.layout(op, op.layout))]
        if name in _RELAYOUTS or name == "wse.reduce_scatter":
            before = self.layout(op, op.source_layout)
            source = replace(self.laid_out(op, values[0], before), layout=before)
            source = self.combined(op, source) if name == "wse.reduce_scatter" else source
            return [self.relaid(self.summed(source), self.layout(op, op.layout))]
        if name.startswith("wse."):
            layout = self.layout(op, op.layout)
            return [replace(self.along(op, self.laid_out(op, values[0], layout)), layout=layout)]
        return [self.on_tiles(op, values, shape)]

    def layout(self, op: Any, attribute: ir.Attribute) -> TensorLayout:
        """What an operation says of its operand or its result, which are of one type."""
        return read.layout(attribute, op.operation.results[0].type)

    def generic(self, number: int, op: Any, values: list[Value]) -> list[Value]:
        view = structured(op)
        assert view is not None
        layouts = read.layouts(op)
        tiles: list[dict[PE, np.ndarray]] = [{} for _ in layouts]
        whole = "wse.iterators" not in op.attributes
        wholes = [gathered(value) for value in values] if whole else []
        tensors = tensor_operands(op)
        tables = {table_of(extract) for extract in extracts(op)}
        reads = [view.reads(k) or k in tables for k, v in enumerate(view.operands) if v in tensors]
        for pe in self.wanted(op):
            parts = self.parts(op, pe)
            given = wholes or [
                self.part(op, value, layout, pe) if read_by_body else _like(value, shape)
                for value, (shape, layout), read_by_body in zip(values, parts, reads, strict=True)
            ]
            loops = self.loops(op, pe)
            results = given[-len(tiles) :]
            if has_work(loops):
                starts = [start for start, _ in loops]
                results = self.bodies.call(number, given, self.maps(op, pe), starts)
            for held, result in zip(tiles, results, strict=True):
                held[pe] = result
        shapes = [tuple(ir.RankedTensorType(r.type).shape) for r in op.results]
        if whole:
            return [self.spread(t[0, 0], layout) for t, layout in zip(tiles, layouts, strict=True)]
        return [DistributedTensor(s, a, t) for s, a, t in zip(shapes, layouts, tiles, strict=True)]

    def wanted(self, op: Any) -> Iterator[PE]:
        """The PEs that compute an operation; the library computes its products as a whole."""
        return self.pes() if "wse.iterators" in op.attributes else iter([(0, 0)])

    def parts(self, op: Any, pe: PE) -> list[tuple[tuple[int, ...], TensorLayout]]:
        """Shape and layout of the part of every tensor operand that a PE needs."""
        if op.operation not in self.needed:
            self.needed[op.operation] = self.layouts_needed(op)
        return [(extent(layout, pe), layout) for layout in self.needed[op.operation]]

    def layouts_needed(self, op: Any) -> list[TensorLayout]:
        """The layout that every tensor operand has to have; of one that nobody reads, any."""
        view = structured(op)
        assert view is not None
        split = "wse.iterators" in op.attributes
        known = operand_layouts(view, loops_of(op)) if split else [None] * len(view.operands)
        tensors = [(k, v) for k, v in enumerate(view.operands) if isinstance(v.type, ir.RankedTensorType)]
        whole = {
            k: TensorLayout.whole(ir.RankedTensorType(v.type).shape, Mesh.of(self.rect)) for k, v in tensors
        }
        return [known[k] or whole[k] for k, _ in tensors]

    def loops(self, op: Any, pe: PE) -> tuple[tuple[int, int], ...]:
        """The first index of every loop on a PE, and one past the last."""
        if "wse.iterators" in op.attributes:
            return loops_of(op).tile_range(*pe)
        view = structured(op)
        assert view is not None
        return tuple((0, size) for size in view.fixed_sizes())

    def maps(self, op: Any, pe: PE) -> tuple[ir.AffineMap, ...]:
        """The maps of all operands, from iterations that a PE does to positions in the tiles that it holds."""
        view = structured(op)
        assert view is not None
        if "wse.iterators" not in op.attributes:
            return view.maps
        starts = [start for start, _ in self.loops(op, pe)]
        parts = iter(self.parts(op, pe))
        found = []
        for value, amap in zip(view.operands, view.maps, strict=True):
            layout = next(parts)[1] if isinstance(value.type, ir.RankedTensorType) else None
            firsts = [0] * len(amap.results)
            if layout is not None:
                firsts = [int(first[0]) if len(first) else 0 for first in indices(layout, pe)]
            found.append(local_map(amap, starts, firsts))
        return tuple(found)

    def part(self, op: Any, value: Value, layout: TensorLayout, pe: PE) -> np.ndarray:
        """What a PE reads of an operand."""
        if isinstance(value, np.ndarray):
            return value[block(layout, pe)]
        if value.layout.dims == layout.dims:
            return value.tiles[pe]
        number = _uniform(value)
        if number is None:
            raise _misplaced(op, value.layout, layout)
        return np.full(extent(layout, pe), number)

    # Movement

    def spread(self, value: np.ndarray, layout: TensorLayout) -> DistributedTensor:
        tiles = {pe: value[block(layout, pe)] for pe in self.pes()}
        return DistributedTensor(value.shape, layout, tiles)

    def laid_out(self, op: Any, value: Value, layout: TensorLayout) -> DistributedTensor:
        """`value`, which the operation says is laid out like that."""
        if isinstance(value, np.ndarray):
            return self.spread(value, layout)
        if value.layout.dims != layout.dims:
            raise _misplaced(op, value.layout, layout)
        return value

    def relaid(self, source: DistributedTensor, layout: TensorLayout) -> DistributedTensor:
        """Every PE's block of `layout`."""
        tiles = {pe: source.seen_from(pe)[block(layout, pe)] for pe in self.pes()}
        return DistributedTensor(source.shape, layout, tiles)

    def line(self, op: Any, source: DistributedTensor, pe: PE) -> list[PE]:
        """The PEs on a PE's line along the operation's axis."""
        return source.layout.mesh.line(op.axis.value, *pe)

    def combined(self, op: Any, source: DistributedTensor) -> DistributedTensor:
        """Parts of a result combined along the operation's axis, on every PE."""
        return self.combined_along(source, op.axis.value, op.kind.value)

    def summed(self, source: DistributedTensor) -> DistributedTensor:
        """Parts of a value combined along all axes that it is partial over."""
        for partial in source.layout.partial:
            for axis in partial.axes:
                source = self.combined_along(source, axis, partial.kind)
        return replace(source, layout=source.layout.with_partial())

    def combined_along(self, source: DistributedTensor, axis: str, kind: str) -> DistributedTensor:
        """Parts of a value combined along an axis, on every PE."""
        mesh = source.layout.mesh
        tiles = {
            pe: reduce(_COMBINE[kind], [source.tiles[p] for p in mesh.line(axis, *pe)]) for pe in self.pes()
        }
        return DistributedTensor(source.shape, source.layout, tiles)

    def along(self, op: Any, source: DistributedTensor) -> DistributedTensor:
        """A collective that leaves the layout as it is."""
        name = op.operation.name
        tiles = dict(source.tiles)
        if name in ("wse.all_reduce", "wse.reduce"):
            combined = self.combined(op, source).tiles
            root = read.integer(op.root) if name == "wse.reduce" else None
            for pe in self.pes():
                if root is None or pe == self.line(op, source, pe)[root]:
                    tiles[pe] = combined[pe]
        elif name == "wse.broadcast":
            root = read.integer(op.root)
            tiles = {pe: source.tiles[self.line(op, source, pe)[root]] for pe in self.pes()}
        else:
            tiles = {pe: self.shifted(op, source, pe) for pe in self.pes()}
        return DistributedTensor(source.shape, source.layout, tiles)

    def shifted(self, op: Any, source: DistributedTensor, pe: PE) -> np.ndarray:
        line = self.line(op, source, pe)
        position = line.index(pe) - read.integer(op.distance)
        if read.integer(op.wrap):
            return source.tiles[line[position % len(line)]]
        inside = 0 <= position < len(line)
        return source.tiles[line[position]] if inside else np.zeros_like(source.tiles[pe])

    def on_tiles(self, op: Any, values: list[Value], shape: tuple[int, ...]) -> Value:
        """Reshapes and slices, which every PE does with what it holds."""
        is_reshape = op.operation.name in _RESHAPES
        if "wse.layouts" not in op.attributes:  # of known numbers
            known = [gathered(value) for value in values]
            everything = [np.arange(n) for n in shape]
            return known[0].reshape(shape) if is_reshape else assembled(op, known, everything, (0, 0))
        (layout,) = read.layouts(op)
        if not is_reshape:
            tiles = {pe: assembled(op, values, indices(layout, pe), pe) for pe in self.pes()}
            return DistributedTensor(shape, layout, tiles)
        value = values[0]
        if isinstance(value, np.ndarray):
            return self.spread(value.reshape(shape), layout)
        return DistributedTensor(
            shape, layout, {pe: reshaped(op, value.tiles[pe], layout, pe) for pe in self.pes()}
        )


def _like(value: Value, shape: tuple[int, ...]) -> np.ndarray:
    """A tile for an operand that nobody reads."""
    some = next(iter(value.tiles.values())) if isinstance(value, DistributedTensor) else value
    return np.zeros(shape, some.dtype)


def _uniform(value: DistributedTensor) -> Any:
    """The number that every PE holds everywhere, so that it does not matter which part; None when there is none."""
    first = next((tile.flat[0] for tile in value.tiles.values() if tile.size), None)
    if first is None:
        return None
    wanted = first.tobytes()
    same = (tile.tobytes() == wanted * tile.size for tile in value.tiles.values())
    return first if all(same) else None


def _misplaced(op: Any, found: TensorLayout, needed: TensorLayout) -> CompilerError:
    return CompilerError(
        f"'{op.operation.name}' takes an operand laid out as {layout_text(needed)} that is laid out as "
        f"{layout_text(found)}"
    )
