"""Builds the convolutions of single phases in place of one over a spread image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from .....dialects.affine.expressions import dim_position
from .....dialects.affine.maps import compose_map, map_dims
from .....dialects.host import arith, ir, tensor
from .....dialects.structured import (
    PARALLEL,
    Structured,
    build_generic,
    element_type,
    inline_body,
    structured,
)
from ...bufferization.op_model import is_empty
from ...simplify.reshapes.read_chain import shape_of
from ...simplify.reshapes.views import collapse, expand, open_part
from ...sizes import Mixed
from .phases import OutputPhase, Window
from .spread import SpreadTensor

_Parts = dict[int, OutputPhase]  # number of a window -> the phase of it


@dataclass
class TransposedConvolution:
    """Rewrites one convolution.

    Args:
        view: the convolution; image: number of the operand that was spread out.
        windows: the dimensions along which it was.
    """

    view: Structured
    image: int
    spread: SpreadTensor
    windows: tuple[Window, ...]

    def rewrite(self) -> None:
        """Replaces the operation, together with an elementwise one that alone reads it if that gains something."""
        phases = [window.phases() for window in self.windows]
        after = self._consumer() if any(len(p) > 1 for p in phases) else None
        last = self.view if after is None else after
        with ir.InsertionPoint(last.op), last.op.location:
            used = [p for group in phases for p in group if p.taps]
            source = self._padded(used) if used else self.view.inputs[self.image]
            init = self.view.inits[0]
            whole = all(p.taps for group in phases for p in group)
            result = _empty_like(last.inits[0]) if whole or after is not None else init
            for combination in product(*phases):
                parts = dict(enumerate(combination))
                if after is None and not all(p.taps for p in combination):
                    continue
                value = self._convolution(source, parts)
                if after is not None:
                    value = self._elementwise(after, value, parts)
                result = self._inserted(value, result, parts, last)
            last.op.results[0].replace_all_uses_with(result)
        if after is not None:
            after.op.operation.erase()
        self.view.op.operation.erase()

    # -- the convolution of one phase

    def _padded(self, phases: Sequence[OutputPhase]) -> ir.Value:
        """The source with zeros around it, as far as any phase reads."""
        value = self.spread.build()
        kind = ir.RankedTensorType(value.type)
        low, high = list(self.spread.lows), [0] * kind.rank
        image = shape_of(self.view.inputs[self.image])
        for d, size in enumerate(self.spread.shape):
            whole = image[d]
            if size is None or whole is None:
                continue
            high[d] = whole - size - low[d]
        for window in self.windows:
            reads = [p for p in window.phases() if p.taps]
            d, size = window.image, self.spread.shape[window.image] or 0
            low[d] = max(0, *(-p.first_element for p in reads), 0)
            high[d] = max(0, *(p.first_element + p.elements - size for p in reads), 0)
        self._lows = low
        if not any(low) and not any(high):
            return value
        sizes = [s if s < 0 else s + a + b for s, a, b in zip(kind.shape, low, high, strict=True)]
        pad = tensor.PadOp(ir.RankedTensorType.get(sizes, kind.element_type), value, [], [], low, high)
        block = pad.regions[0].blocks.append(
            *[ir.IndexType.get()] * kind.rank, arg_locs=[pad.location] * kind.rank
        )
        with ir.InsertionPoint(block):
            zero = 0.0 if isinstance(kind.element_type, ir.FloatType) else 0
            tensor.YieldOp(arith.constant(kind.element_type, zero))
        return pad.results[0]

    def _convolution(self, source: ir.Value, parts: _Parts) -> ir.Value:
        """The sums of one phase, shaped as the result is."""
        init = self._init(parts)
        if not all(p.taps for p in parts.values()):
            return self._merged(init, parts)
        loops = _Loops(self.view.iterators, self.windows, parts)
        operands = [self._filter(parts), self._image(source, parts)]
        maps = [self._filter_map(loops), self._image_map(loops, parts)]
        if self.image == 0:
            operands.reverse()
            maps.reverse()
        made = build_generic(
            operands,
            [init],
            [*maps, loops.divided(self.view.init_maps[0])],
            loops.kinds,
            lambda *scalars: inline_body(self.view.body, scalars),
            location=self.view.op.location,
        )
        return self._merged(made.results[0], parts)

    def _image(self, source: ir.Value, parts: _Parts) -> ir.Value:
        """The elements that a phase reads."""
        offsets = [0] * ir.ShapedType(source.type).rank
        sizes: Mixed = [open_part(source, d, 1) if s is None else s for d, s in enumerate(shape_of(source))]
        for number, phase in parts.items():
            d = self.windows[number].image
            offsets[d], sizes[d] = phase.first_element + self._lows[d], phase.elements
        return _slice(source, offsets, sizes, [1] * len(offsets))

    def _image_map(self, loops: _Loops, parts: _Parts) -> ir.AffineMap:
        exprs = [e.compose(loops.renamed) for e in self.view.maps[self.image].results]
        for number, phase in parts.items():
            window = self.windows[number]
            expr = ir.AffineExpr.get_add(
                loops.dim(window.output), ir.AffineExpr.get_mul(loops.dim(window.tap), phase.dilation)
            )
            if phase.is_joint:
                later = ir.AffineExpr.get_floor_div(_low_minus(window, loops.phase(number)), window.step)
                expr = ir.AffineExpr.get_add(expr, ir.AffineExpr.get_mul(later, -1))
                expr = ir.AffineExpr.get_add(expr, ir.AffineExpr.get_constant(-phase.first_element))
            exprs[window.image] = expr
        return ir.AffineMap.get(loops.count, 0, exprs)

    def _filter(self, parts: _Parts) -> ir.Value:
        """The taps of a phase; of several phases, with a dimension in front of the taps that tells which."""
        value, access = self.view.inputs[1 - self.image], self.view.maps[1 - self.image]
        taps = {window.tap: number for number, window in enumerate(self.windows)}
        reads: list[ir.AffineExpr] = []
        sizes: Mixed = []
        for d, expr in enumerate(access.results):
            number = taps.get(dim_position(expr) or 0) if dim_position(expr) in taps else None
            if number is None:
                reads.append(ir.AffineExpr.get_dim(len(sizes)))
                size = shape_of(value)[d]
                sizes.append(open_part(value, d, 1) if size is None else size)
                continue
            phase, window = parts[number], self.windows[number]
            first: ir.AffineExpr = ir.AffineExpr.get_constant(phase.first_tap)
            if phase.is_joint:
                first = ir.AffineExpr.get_mod(
                    _low_minus(window, ir.AffineExpr.get_dim(len(sizes))), window.step
                )
                sizes.append(phase.count)
            tap = ir.AffineExpr.get_mul(ir.AffineExpr.get_dim(len(sizes)), phase.tap_step)
            reads.append(ir.AffineExpr.get_add(tap, first))
            sizes.append(phase.taps)
        rank = len(sizes)
        maps = [ir.AffineMap.get(rank, 0, reads), ir.AffineMap.get_identity(rank)]
        empty = tensor.empty(sizes, element_type(value.type))
        return build_generic([value], [empty], maps, [PARALLEL] * rank, lambda x, _: [x]).results[0]

    def _filter_map(self, loops: _Loops) -> ir.AffineMap:
        return loops.divided(self.view.maps[1 - self.image])

    # -- the result of one phase

    def _init(self, parts: _Parts) -> ir.Value:
        """What the sums of a phase start as, phases told apart by dimensions of their own."""
        init, access = self.view.inits[0], self.view.init_maps[0]
        made = None if isinstance(init.owner, ir.Block) else structured(init.owner)
        outputs = {window.output for window in self.windows}
        dims = {d for d, e in enumerate(access.results) if dim_position(e) in outputs}
        small = self._sliced(init, parts, access, made is not None and _can_shrink(made, dims))
        groups, sizes = self._groups(parts)
        return expand(small, groups, sizes(small)) if len(groups) != sum(map(len, groups)) else small

    def _sliced(self, value: ir.Value, parts: _Parts, access: ir.AffineMap, again: bool) -> ir.Value:
        """The part of a tensor that a phase is, made anew if that is possible."""
        offsets, sizes, steps = self._positions(value, parts, access)
        if not again:
            return _slice(value, offsets, sizes, steps)
        made = structured(value.owner)
        assert made is not None
        empty = tensor.empty(sizes, element_type(value.type))
        return build_generic(
            made.inputs, [empty], made.maps, made.iterators, lambda *s: inline_body(made.body, s)
        ).results[0]

    def _positions(
        self, value: ir.Value, parts: _Parts, access: ir.AffineMap
    ) -> tuple[list[int], Mixed, list[int]]:
        """Offsets, sizes and steps of a phase in a tensor that is accessed by plain iterators of the convolution."""
        rank = ir.ShapedType(value.type).rank
        offsets, steps = [0] * rank, [1] * rank
        sizes: Mixed = [open_part(value, d, 1) if s is None else s for d, s in enumerate(shape_of(value))]
        outputs = {window.output: number for number, window in enumerate(self.windows)}
        for d, expr in enumerate(access.results):
            position = dim_position(expr)
            if position in outputs:
                phase = parts[outputs[position]]
                if not phase.is_joint:
                    offsets[d], sizes[d] = phase.offset, phase.size
                    steps[d] = self.windows[outputs[position]].step
        return offsets, sizes, steps

    def _groups(self, parts: _Parts) -> tuple[list[list[int]], Any]:
        """Which dimensions of a divided result belong together, and a function from a result to its divided sizes."""
        joint = {self.windows[n].output: p for n, p in parts.items() if p.is_joint}
        groups: list[list[int]] = []
        at = 0
        phases: list[OutputPhase | None] = []
        for expr in self.view.init_maps[0].results:
            phase = joint.get(dim_position(expr) or 0) if dim_position(expr) in joint else None
            count = 1 if phase is None else 2
            groups.append(list(range(at, at + count)))
            phases.append(phase)
            at += count

        def sizes(value: ir.Value) -> Mixed:
            result: Mixed = []
            for d, (size, phase) in enumerate(zip(shape_of(value), phases, strict=True)):
                if phase is None:
                    result.append(open_part(value, d, 1) if size is None else size)
                else:
                    result += [phase.size, phase.count]
            return result

        return groups, sizes

    def _merged(self, value: ir.Value, parts: _Parts) -> ir.Value:
        groups, _ = self._groups(parts)
        shape = shape_of(value)
        dynamic = ir.ShapedType.get_dynamic_size()
        sizes: list[int] = []
        for group in groups:
            size = 1
            for d in group:
                known = shape[d]
                size = dynamic if known is None else size * known
            sizes.append(size)
        return collapse(value, groups, ir.RankedTensorType.get(sizes, element_type(value.type)))

    def _inserted(self, value: ir.Value, result: ir.Value, parts: _Parts, last: Structured) -> ir.Value:
        access = self.view.init_maps[0] if last is self.view else self._as_read_by(last, last.init_maps[0])
        offsets, sizes, steps = self._positions(result, parts, access)
        if not any(offsets) and all(n == 1 for n in steps):
            return value
        dynamic = [n for n in sizes if not isinstance(n, int)]
        static = [n if isinstance(n, int) else ir.ShapedType.get_dynamic_size() for n in sizes]
        return tensor.InsertSliceOp(value, result, [], dynamic, [], offsets, static, steps).result

    # -- the elementwise operation behind it

    def _consumer(self) -> Structured | None:
        """The elementwise operation that alone reads the result, if its other operands can be divided like that."""
        result = self.view.op.results[0]
        users = [use.owner for use in result.uses]
        reader = structured(users[0]) if len(users) == 1 else None
        if reader is None or not reader.is_elementwise() or len(reader.inits) != 1:
            return None
        if (
            reader.reads(len(reader.inputs))
            or result in reader.inits
            or reader.op.operation.block != self.view.op.operation.block
        ):
            return None
        own = reader.maps[list(reader.inputs).index(result)]
        plain = all(dim_position(e) is not None for m in reader.maps for e in m.results)
        indexed = any(o.operation.name == "linalg.index" for o in reader.body_operations())
        return reader if plain and own.is_permutation and not indexed else None

    def _as_read_by(self, reader: Structured, access: ir.AffineMap) -> ir.AffineMap:
        """A map of the reader in terms of the convolution's iterators."""
        own = reader.maps[list(reader.inputs).index(self.view.op.results[0])]
        iterators: list[ir.AffineExpr] = [ir.AffineExpr.get_constant(0)] * len(reader.iterators)
        for d, expr in enumerate(own.results):
            iterators[dim_position(expr) or 0] = self.view.init_maps[0].results[d]
        return compose_map(access, ir.AffineMap.get(len(self.view.iterators), 0, iterators))

    def _elementwise(self, reader: Structured, value: ir.Value, parts: _Parts) -> ir.Value:
        """The operation for one phase."""
        result = self.view.op.results[0]
        inputs: list[ir.Value] = []
        for operand, access in zip(reader.inputs, reader.input_maps, strict=True):
            if operand == result:
                inputs.append(value)
            elif isinstance(operand.type, ir.RankedTensorType):
                inputs.append(self._sliced(operand, parts, self._as_read_by(reader, access), False))
            else:
                inputs.append(operand)
        _, sizes, _ = self._positions(reader.inits[0], parts, self._as_read_by(reader, reader.init_maps[0]))
        empty = tensor.empty(sizes, element_type(reader.inits[0].type))
        return build_generic(
            inputs, [empty], reader.maps, reader.iterators, lambda *s: inline_body(reader.body, s)
        ).results[0]


class _Loops:
    """The iterators of a phase's convolution: those of the whole one, joint phases behind their positions."""

    def __init__(self, iterators: Sequence[str], windows: Sequence[Window], parts: _Parts) -> None:
        joint = {windows[n].output: n for n, p in parts.items() if p.is_joint}
        taps = {windows[n].tap: n for n, p in parts.items() if p.is_joint}
        self.kinds: list[str] = []
        self._place: list[int] = []
        self._phases: dict[int, int] = {}
        for iterator, kind in enumerate(iterators):
            self._place.append(len(self.kinds))
            self.kinds.append(kind)
            if iterator in joint:
                self._phases[joint[iterator]] = len(self.kinds)
                self.kinds.append(PARALLEL)
        self.count = len(self.kinds)
        self._divided = {**joint, **taps}
        self._taps = set(taps)
        self.renamed = ir.AffineMap.get(
            self.count, 0, [ir.AffineExpr.get_dim(place) for place in self._place]
        )

    def dim(self, iterator: int) -> ir.AffineExpr:
        return ir.AffineExpr.get_dim(self._place[iterator])

    def phase(self, window: int) -> ir.AffineExpr:
        """The iterator that tells phases apart."""
        return ir.AffineExpr.get_dim(self._phases[window])

    def divided(self, access: ir.AffineMap) -> ir.AffineMap:
        """A map of plain iterators for an operand that has phases as dimensions of their own."""
        exprs: list[ir.AffineExpr] = []
        for expr in access.results:
            position = dim_position(expr)
            assert position is not None, "checked before"
            if position not in self._divided:
                exprs.append(self.dim(position))
                continue
            both = [self.dim(position), self.phase(self._divided[position])]
            exprs += reversed(both) if position in self._taps else both
        return ir.AffineMap.get(self.count, 0, exprs)


def _low_minus(window: Window, phase: ir.AffineExpr) -> ir.AffineExpr:
    """`low - phase`."""
    return ir.AffineExpr.get_add(ir.AffineExpr.get_mul(phase, -1), ir.AffineExpr.get_constant(window.low))


def _can_shrink(made: Structured, dims: set[int]) -> bool:
    """Whether an operation makes the same along some dimensions, so that a smaller tensor can be made like that."""
    if len(made.inits) != 1 or not made.is_elementwise() or made.reads(len(made.inputs)):
        return False
    if any(o.operation.name == "linalg.index" for o in made.body_operations()):
        return False
    loops = {dim_position(e) for d, e in enumerate(made.init_maps[0].results) if d in dims}
    return all(loops.isdisjoint(map_dims(m)) for m in made.input_maps)


def _empty_like(value: ir.Value) -> ir.Value:
    if is_empty(value):
        return value
    sizes: Mixed = [open_part(value, d, 1) if s is None else s for d, s in enumerate(shape_of(value))]
    return tensor.empty(sizes, element_type(value.type))


def _slice(value: ir.Value, offsets: list[int], sizes: Mixed, steps: list[int]) -> ir.Value:
    whole = all(
        isinstance(n, ir.Value) or n == s for n, s in zip(sizes, ir.ShapedType(value.type).shape, strict=True)
    )
    if whole and not any(offsets):
        return value
    dynamic = [n for n in sizes if not isinstance(n, int)]
    static = [n if isinstance(n, int) else ir.ShapedType.get_dynamic_size() for n in sizes]
    kind = ir.RankedTensorType.get(static, element_type(value.type))
    return tensor.ExtractSliceOp(kind, value, [], dynamic, [], offsets, static, steps).result
