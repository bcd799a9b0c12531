"""Builds a convolution as products of transformed tiles and filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from ....dialects.host import arith, ir, tensor
from ....dialects.structured import PARALLEL, REDUCTION, build_generic, hand_on_attributes
from ...tensor.simplify.reshapes.views import collapse, expand
from .choice import tiles_along
from .combination import transform
from .epilogue import Elementwise, consumer, initial
from .image_convolution import ImageConvolution
from .interpolation import Interpolation, Matrix

_F32 = ir.F32Type.get


@dataclass
class Rewriting:
    """Rewrites one convolution.

    Tensors of tiles have the dimensions (images, rows of tiles, tiles of a row, channels); those of values have one
    more in front, the place in a tile.
    """

    conv: ImageConvolution
    points: Interpolation

    def __post_init__(self) -> None:
        tile = self.points.tile
        conv = self.conv
        self._grid = [tiles_along(size, tile) for size in conv.extent]
        self._outer = [*(conv.sizes[i] for i in conv.batch), *self._grid]
        self._exact = all(size % tile == 0 for size in conv.extent)

    def rewrite(self) -> bool:
        """Replaces the operation, together with what alone reads it where tiles fill the image; False leaves it."""
        conv = self.conv
        start = initial(conv)
        if isinstance(start, Elementwise):
            varies = any(start.varies(k) for k in range(len(start.view.inputs)))
            start = conv.view.inits[0] if varies else start
        if isinstance(start, ir.Value) and not self._exact:
            return False
        after = consumer(conv) if self._exact else None
        last = conv.view if after is None else after[0].view
        with conv.view.op.location, ir.InsertionPoint(conv.view.op):
            products = self._products(self._image_values(self._padded(self._image())), self._filter_values())
        with last.op.location, ir.InsertionPoint(last.op):
            result = self._result(products, start, after)
            number = 0 if after is None else after[0].number
            last.op.results[number].replace_all_uses_with(result)
        if after is not None:
            last.op.operation.erase()
        conv.view.op.operation.erase()
        return True

    # -- images

    def _image(self) -> ir.Value:
        """The images with channels innermost."""
        conv = self.conv
        value = conv.view.inputs[conv.image]
        wanted = (*conv.batch, *conv.spatial, conv.channel)
        subscripts = [str(e) for e in conv.view.maps[conv.image].results]
        owner = {f"d{i}" for i in wanted}
        held = [next(int(d[1:]) for d in text.split(" + ") if d in owner) for text in subscripts]
        if held == list(wanted):
            return value
        rank = len(wanted)
        sizes = [ir.RankedTensorType(value.type).shape[held.index(i)] for i in wanted]
        source = ir.AffineMap.get(rank, 0, [ir.AffineExpr.get_dim(wanted.index(i)) for i in held])
        maps = [source, ir.AffineMap.get_identity(rank)]
        return build_generic(
            [value], [tensor.empty(sizes, _F32())], maps, [PARALLEL] * rank, lambda x, _: [x]
        ).results[0]

    def _padded(self, image: ir.Value) -> ir.Value:
        """The images with zeros behind them that fill the last tiles."""
        kind = ir.RankedTensorType(image.type)
        batch, overlap = len(self.conv.batch), self.points.taps - 1
        high = [0] * kind.rank
        for d, count in enumerate(self._grid, batch):
            high[d] = count * self.points.tile + overlap - kind.shape[d]
        if not any(high):
            return image
        sizes = [size + more for size, more in zip(kind.shape, high, strict=True)]
        pad = tensor.PadOp(ir.RankedTensorType.get(sizes, _F32()), image, [], [], [0] * kind.rank, high)
        index, here = ir.IndexType.get(), ir.Location.current
        block = pad.regions[0].blocks.append(*[index] * kind.rank, arg_locs=[here] * kind.rank)
        with ir.InsertionPoint(block):
            tensor.YieldOp(arith.constant(_F32(), 0.0))
        return pad.results[0]

    def _image_values(self, image: ir.Value) -> ir.Value:
        """(values, tiles, channels): B^T d B of every tile d, as one tensor."""
        points, rank = self.points, len(self._outer) + 1
        maps = [self._positions(rank, i, j) for i, j in product(range(points.size), repeat=2)]
        shape = [*self._outer, self.conv.channels]

        def body(*scalars: ir.Value) -> list[ir.Value]:
            return _square(points.image, points.image_groups, points.size, scalars)

        count = len(maps)
        made = build_generic(
            [image] * count,
            [tensor.empty(shape, _F32()) for _ in maps],
            [*maps, *[ir.AffineMap.get_identity(rank)] * count],
            [PARALLEL] * rank,
            body,
        )
        joined: ir.Value = tensor.empty([count, *shape], _F32())
        for k, value in enumerate(made.results):
            joined = _insert(value, joined, [k, *[0] * rank], [1, *shape], [1] * (rank + 1))
        return collapse(joined, self._groups(), self._type(count, self.conv.channels))

    def _positions(self, rank: int, i: int, j: int) -> ir.AffineMap:
        """Where position (i, j) of every tile lies in an image."""
        exprs: list[ir.AffineExpr] = [ir.AffineExpr.get_dim(d) for d in range(rank)]
        batch = len(self.conv.batch)
        for d, within in ((batch, i), (batch + 1, j)):
            scaled = ir.AffineExpr.get_mul(exprs[d], self.points.tile)
            exprs[d] = ir.AffineExpr.get_add(scaled, ir.AffineExpr.get_constant(within))
        return ir.AffineMap.get(rank, 0, exprs)

    # -- products

    def _filter_values(self) -> ir.Value:
        """(values, channels, filters): G g G^T of every filter g, which parameters determine."""
        conv, size = self.conv, self.points.size
        matrix = _dense(self.points.filter)
        i, j, c, f, a, b = (ir.AffineExpr.get_dim(d) for d in range(6))
        loops = {conv.channel: c, conv.feature: f, conv.taps[0]: a, conv.taps[1]: b}
        access = conv.view.maps[1 - conv.image].results
        reads = [loops[ir.AffineDimExpr(e).position] for e in access]
        zeros = _zeros([size, size, conv.channels, conv.features])
        made = build_generic(
            [conv.view.inputs[1 - conv.image], matrix, matrix],
            [zeros],
            [ir.AffineMap.get(6, 0, dims) for dims in (reads, [i, a], [j, b], [i, j, c, f])],
            [PARALLEL] * 4 + [REDUCTION] * 2,
            lambda w, g, h, sum_: [arith.addf(sum_, arith.mulf(w, arith.mulf(g, h)))],
        )
        kind = ir.RankedTensorType.get([size * size, conv.channels, conv.features], _F32())
        return collapse(made.results[0], [[0, 1], [2], [3]], kind)

    def _products(self, image: ir.Value, filters: ir.Value) -> ir.Value:
        """(values, tiles, filters): for each place in a tile the product of a matrix of tiles and one of filters."""
        conv = self.conv
        count, tiles = ir.RankedTensorType(image.type).shape[:2]
        p, t, f, c = (ir.AffineExpr.get_dim(d) for d in range(4))
        made = build_generic(
            [image, filters],
            [_zeros([count, tiles, conv.features])],
            [ir.AffineMap.get(4, 0, dims) for dims in ([p, t, c], [p, c, f], [p, t, f])],
            [PARALLEL] * 3 + [REDUCTION],
            lambda x, w, sum_: [arith.addf(sum_, arith.mulf(x, w))],
        )
        hand_on_attributes(conv.view.op, made)
        return made.results[0]

    # -- results

    def _result(
        self, products: ir.Value, start: Elementwise | ir.Value | None, after: tuple[Elementwise, int] | None
    ) -> ir.Value:
        """A^T m A of every tile, and what is computed of it, written to where it lies in the image."""
        points, rank, tile = self.points, len(self._outer) + 1, self.points.tile
        count = points.size**2
        shape = [*self._outer, self.conv.features]
        values = expand(products, self._groups(), [count, *shape])
        operands = _Operands(self, rank)
        for k in range(count):
            dims = [ir.AffineExpr.get_constant(k), *(ir.AffineExpr.get_dim(d) for d in range(rank))]
            operands.add(values, ir.AffineMap.get(rank, 0, dims))
        begun = operands.take(start, -1) if start is not None else None
        finished = operands.take(after[0], after[1]) if after is not None else None

        def body(*scalars: ir.Value) -> list[ir.Value]:
            sums = _square(points.result, points.result_groups, points.size, scalars[:count])
            if begun is not None:
                sums = [arith.addf(s, x) for s, x in zip(sums, begun.emit(scalars, None), strict=True)]
            return sums if finished is None else finished.emit(scalars, sums)

        kind = _F32() if after is None else after[0].view.op.results[after[0].number].type.element_type
        made = build_generic(
            operands.values,
            [tensor.empty(shape, kind) for _ in range(tile * tile)],
            [*operands.maps, *[ir.AffineMap.get_identity(rank)] * (tile * tile)],
            [PARALLEL] * rank,
            body,
        )
        return self._assembled(made.results, kind)

    def _assembled(self, pieces: Sequence[ir.Value], kind: ir.Type) -> ir.Value:
        """The result of which each piece has one position of every tile."""
        tile, conv, batch = self.points.tile, self.conv, len(self.conv.batch)
        outer, features = self._outer[:batch], conv.features
        whole = [*outer, *(n * tile for n in self._grid), features]
        result: ir.Value = tensor.empty(whole, kind)
        for (i, j), piece in zip(product(range(tile), repeat=2), pieces, strict=True):
            offsets = [*[0] * batch, i, j, 0]
            steps = [*[1] * batch, tile, tile, 1]
            result = _insert(piece, result, offsets, [*self._outer, features], steps)
        if self._exact:
            return result
        sizes = [*outer, *conv.extent, features]
        ones, zeros = [1] * len(sizes), [0] * len(sizes)
        cut = ir.RankedTensorType.get(sizes, kind)
        return tensor.ExtractSliceOp(cut, result, [], [], [], zeros, sizes, ones).result

    def _groups(self) -> list[list[int]]:
        """Which dimensions of a tensor of values are one when it is a stack of matrices."""
        last = len(self._outer) + 1
        return [[0], list(range(1, last)), [last]]

    def _type(self, count: int, channels: int) -> ir.Type:
        tiles = 1
        for size in self._outer:
            tiles *= size
        return ir.RankedTensorType.get([count, tiles, channels], _F32())


class _Operands:
    """The operands of the operation that makes results."""

    def __init__(self, rewriting: Rewriting, rank: int) -> None:
        self.values: list[ir.Value] = []
        self.maps: list[ir.AffineMap] = []
        tile = rewriting.points.tile
        self._places = [rewriting._positions(rank, i, j) for i, j in product(range(tile), repeat=2)]
        self._rank = rank

    def add(self, value: ir.Value, amap: ir.AffineMap) -> int:
        """The number of a further operand."""
        self.values.append(value)
        self.maps.append(amap)
        return len(self.values) - 1

    def take(self, source: Elementwise | ir.Value, without: int) -> _Stage:
        """Reads what an elementwise operation does, but for one operand, once for each place where that differs."""
        stage = _Stage(source, without, [{} for _ in self._places])
        if isinstance(source, ir.Value):
            for k, place in enumerate(self._places):
                stage.numbers[k][0] = self.add(source, place)
            return stage
        for operand, value in enumerate(source.view.inputs):
            if operand == without or not source.view.reads(operand):
                continue
            if source.varies(operand):
                for k, place in enumerate(self._places):
                    stage.numbers[k][operand] = self.add(value, source.operand_map(operand, place))
            else:
                number = self.add(value, source.operand_map(operand, self._places[0]))
                for numbers in stage.numbers:
                    numbers[operand] = number
        return stage


@dataclass
class _Stage:
    """What is read before or after the sums.

    Attributes:
        numbers: for each place in a tile, which operand of the new operation stands for which of the old one.
    """

    source: Elementwise | ir.Value
    without: int
    numbers: list[dict[int, int]]

    def emit(self, scalars: Sequence[ir.Value], sums: Sequence[ir.Value] | None) -> list[ir.Value]:
        """Its value at each place, of the sums there if it reads them."""
        source = self.source
        if isinstance(source, ir.Value):
            return [scalars[numbers[0]] for numbers in self.numbers]
        shared: dict[ir.Value, ir.Value] = {}
        found: list[ir.Value] = []
        for k, numbers in enumerate(self.numbers):
            given = {operand: scalars[number] for operand, number in numbers.items()}
            if sums is not None:
                given[self.without] = sums[k]
            found.append(source.emit(given, shared))
        return found


def _square(
    matrix: Matrix, groups: list[list[int]], size: int, scalars: Sequence[ir.Value]
) -> list[ir.Value]:
    """The transform of a square that is given and returned row after row."""
    rows = [scalars[k * size : (k + 1) * size] for k in range(size)]
    return [value for row in transform(matrix, groups, rows) for value in row]


def _insert(
    value: ir.Value, into: ir.Value, offsets: list[int], sizes: list[int], steps: list[int]
) -> ir.Value:
    return tensor.InsertSliceOp(value, into, [], [], [], offsets, sizes, steps).result


def _zeros(shape: Sequence[int]) -> ir.Value:
    rank = len(shape)
    maps = [ir.AffineMap.get(rank, 0, []), ir.AffineMap.get_identity(rank)]
    zero = arith.constant(_F32(), 0.0)
    empty = tensor.empty(list(shape), _F32())
    return build_generic([zero], [empty], maps, [PARALLEL] * rank, lambda x, _: [x]).results[0]


def _dense(matrix: Matrix) -> ir.Value:
    kind: Any = ir.RankedTensorType.get([len(matrix), len(matrix[0])], _F32())
    numbers = [ir.FloatAttr.get(_F32(), float(x)) for row in matrix for x in row]
    return arith.constant(kind, ir.DenseElementsAttr.get(numbers, kind))
