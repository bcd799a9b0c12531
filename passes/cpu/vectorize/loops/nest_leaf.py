"""The memory accesses of one straight piece of code inside of a loop nest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .....dialects.affine.expressions import emit_affine, is_plain, used_dims
from .....dialects.affine.linear import linear_offset
from .....dialects.affine.maps import depends_on
from .....dialects.constants import zeros
from .....dialects.host import arith, ir, memref, vector
from .....dialects.structured import Structured
from ....tensor.access import access_kind
from ..vector_body import Point, vector_of
from .loop_schedule import LoopSchedule
from .register_transpose import transpose
from .schedule_choice import is_transposed
from .shuffled_load import LaneSteps, evaluate, find_steps

LoadKey = tuple[int, tuple[Any, ...]]
OperandKind = Literal["uniform", "contiguous", "scattered", "transposed"]


@dataclass(frozen=True)
class LeafOperand:
    """A buffer or scalar, the map to its subscripts, and how it is accessed along the vectorised iterator.

    Attributes:
        steps: how the lanes' elements lie, if they lie near each other.
    """

    value: ir.Value
    map: ir.AffineMap
    kind: OperandKind
    steps: LaneSteps | None = None


def operands_of(view: Structured, schedule: LoopSchedule) -> list[LeafOperand]:
    """The operands of an operation, inputs before inits."""
    count = len(view.inputs)
    pairs = list(zip(view.operands, view.maps, strict=True))
    sizes = view.loop_sizes()
    return [operand_of(value, amap, schedule, k < count, sizes) for k, (value, amap) in enumerate(pairs)]


def operand_of(
    value: ir.Value,
    amap: ir.AffineMap,
    schedule: LoopSchedule,
    is_input: bool = False,
    sizes: Sequence[int | None] = (),
) -> LeafOperand:
    if schedule.vector is None:
        return LeafOperand(value, amap, "uniform")
    kind: OperandKind = access_kind(value, amap, schedule.vector)
    if kind == "scattered" and is_input and is_transposed(value, amap, schedule):
        kind = "transposed"
    if kind == "scattered" and is_input:
        steps = find_steps(value, amap, schedule.vector, sizes[schedule.vector], schedule.width)
        return LeafOperand(value, amap, kind, steps)
    return LeafOperand(value, amap, kind)


class Leaf:
    """One body of a nest: where it stands, how many lanes it has, and what it has loaded already.

    There are no stores between its loads.

    Args:
        bases: index of the tile's first point, per iterator.
        width: lanes of the vectorised iterator here.
        mask: which lanes count; all of them when None.
        valid: how many lanes count, when that is known.
        loads: values that were loaded outside and do not change here.
        across_points: points of `schedule.across` in this body.
    """

    def __init__(
        self,
        operands: Sequence[LeafOperand],
        schedule: LoopSchedule,
        bases: Mapping[int, ir.Value],
        width: int,
        mask: ir.Value | None = None,
        valid: int | None = None,
        loads: Mapping[LoadKey, ir.Value] | None = None,
        across_points: int = 0,
    ) -> None:
        self.operands, self.schedule = operands, schedule
        self.bases, self.width, self.mask = bases, width, mask
        self.lanes = width if valid is None else valid
        self.loads: dict[LoadKey, ir.Value] = dict(loads or {})
        self.across_points = across_points
        self._indices: dict[tuple[int, int], ir.Value] = {}
        self._bases: dict[str, ir.Value] = {}

    def index(self, iterator: int, offset: int) -> ir.Value:
        """The index of an iterator at a point."""
        return self._plus(self.bases[iterator], (iterator, offset), offset)

    def _plus(self, base: ir.Value, key: Any, offset: int) -> ir.Value:
        if offset == 0:
            return base
        if key not in self._indices:
            self._indices[key] = arith.addi(base, constant_index(offset))
        return self._indices[key]

    def subscript(self, expr: ir.AffineExpr, point: Point) -> ir.Value:
        """The value of an expression of iterators at a point."""
        if is_plain(expr):
            return self._computed(expr, point)
        offset = linear_offset(expr, point)
        if offset is None:
            return self._computed(expr, point)
        text = str(expr)
        if text not in self._bases:
            self._bases[text] = self._computed(expr, {})
        return self._plus(self._bases[text], (text, offset), offset)

    def _computed(self, expr: ir.AffineExpr, point: Point) -> ir.Value:
        return emit_affine(expr, lambda i: self.index(i, point.get(i, 0)))

    def subscripts(self, amap: ir.AffineMap, point: Point) -> list[ir.Value]:
        return [self.subscript(expr, point) for expr in amap.results]

    def load(self, position: int, point: Point) -> ir.Value:
        """The element, or the vector of elements, of an operand at a point."""
        operand = self.operands[position]
        if not isinstance(operand.value.type, ir.MemRefType):
            return operand.value
        key = (position, tuple(_movement(expr, point) for expr in operand.map.results))
        if key not in self.loads:
            self.loads[key] = self._load_new(position, operand, point)
        return self.loads[key]

    def _load_new(self, position: int, operand: LeafOperand, point: Point) -> ir.Value:
        value, amap, kind = operand.value, operand.map, operand.kind
        if self.width == 1 or kind == "uniform":
            return memref.load(value, self.subscripts(amap, point))
        if kind == "contiguous":
            return self._load_vector(value, self.subscripts(amap, point), self.mask)
        if kind == "transposed" and self._is_square():
            return self._load_transposed(position, operand, point)
        shuffled = self._load_shuffled(operand, point) if operand.steps is not None else None
        if shuffled is not None:
            return shuffled
        element = ir.MemRefType(value.type).element_type
        lanes = [memref.load(value, self.subscripts(amap, self._lane(point, k))) for k in range(self.lanes)]
        if self.lanes < self.width:
            zero = zeros(element)
            lanes += [zero] * (self.width - self.lanes)
        return vector.FromElementsOp(vector_of(element, self.width), lanes).result

    def _is_square(self) -> bool:
        """Whether a transposition finds all that it loads: at the edges only what masks let through is loaded."""
        return self.width == self.schedule.width and (
            self.schedule.masks or self.across_points == self.schedule.width
        )

    def _load_vector(self, value: ir.Value, subscripts: list[ir.Value], mask: ir.Value | None) -> ir.Value:
        kind = vector_of(ir.MemRefType(value.type).element_type, self.width)
        if mask is None:
            return vector.LoadOp(kind, value, subscripts).result
        return vector.MaskedLoadOp(kind, value, subscripts, mask, zeros(kind)).result

    def _load_shuffled(self, operand: LeafOperand, point: Point) -> ir.Value | None:
        """Loads the stretch in which the lanes' elements lie, as one vector or two, and picks them."""
        steps, value = operand.steps, operand.value
        assert steps is not None
        place = None if steps.fixed else self._place(steps.iterator, point)
        if not steps.fixed and place is None:
            return None
        offsets = steps.offsets(place or 0, self.lanes)
        least = min(offsets)
        span = max(offsets) - least + 1
        if span > 2 * self.width:
            return None
        subscripts = self.subscripts(operand.map, point)
        row = ir.MemRefType(value.type).shape[-1]
        if place is not None and span < self.width <= row:  # begin earlier, rather than read beyond the row
            begin = min(evaluate(steps.expr, place) + least, row - self.width)
            least, span = begin - evaluate(steps.expr, place), self.width
            subscripts[-1] = constant_index(begin)
        elif least:
            subscripts[-1] = arith.addi(subscripts[-1], constant_index(least))
        loads = self._load_stretch(value, subscripts, span)
        behind = span - self.width if len(loads) > 1 else 0
        picks = [at if at < self.width else at - behind + self.width for at in (o - least for o in offsets)]
        picks += [picks[-1]] * (self.width - self.lanes)
        return vector.ShuffleOp(loads[0], loads[-1], picks).result

    def _place(self, iterator: int, point: Point) -> int | None:
        """The index of an iterator at a point, where it is known when code is made."""
        owner: Any = self.bases[iterator].owner
        if isinstance(owner, ir.Block) or not isinstance(owner.opview, arith.ConstantOp):
            return None
        return ir.IntegerAttr(owner.attributes["value"]).value + point.get(iterator, 0)

    def _load_stretch(self, value: ir.Value, subscripts: list[ir.Value], span: int) -> list[ir.Value]:
        """Neighbouring elements, not one more: a vector, or two that overlap."""
        element = ir.MemRefType(value.type).element_type
        if span <= self.width:
            if self.schedule.masks and span & (span - 1):
                return [self._load_vector(value, subscripts, constant_mask(self.width, span))]
            return [vector.LoadOp(vector_of(element, span), value, subscripts).result]
        kind = vector_of(element, self.width)
        behind = [*subscripts[:-1], arith.addi(subscripts[-1], constant_index(span - self.width))]
        return [vector.LoadOp(kind, value, at).result for at in (subscripts, behind)]

    def _load_transposed(self, position: int, operand: LeafOperand, point: Point) -> ir.Value:
        """Loads the whole square of which the vector at `point` is a column."""
        across = self.schedule.across
        assert across is not None
        first = {**point, across: 0}
        whole = self.across_points == self.width
        mask = None if whole else constant_mask(self.width, self.across_points)
        rows = [
            self._load_vector(operand.value, self.subscripts(operand.map, self._lane(first, lane)), mask)
            for lane in range(self.lanes)
        ]
        rows += [rows[-1]] * (self.width - self.lanes)
        for k, column in enumerate(transpose(rows)[: self.across_points]):
            there = {**point, across: k}
            self.loads[position, tuple(_movement(expr, there) for expr in operand.map.results)] = column
        return self.load(position, point)

    def _lane(self, point: Point, lane: int) -> Point:
        vectorised = self.schedule.vector
        assert vectorised is not None
        return {**point, vectorised: point.get(vectorised, 0) + lane}

    def store(self, position: int, point: Point, value: ir.Value) -> None:
        """Writes a scalar or a vector to its place in an operand."""
        operand = self.operands[position]
        target, amap = operand.value, operand.map
        if not isinstance(value.type, ir.VectorType):
            memref.StoreOp(value, target, self.subscripts(amap, point))
        elif operand.kind != "contiguous":
            for lane in range(self.lanes):
                element = vector.ExtractOp(value, [], [lane]).result
                memref.StoreOp(element, target, self.subscripts(amap, self._lane(point, lane)))
        elif self.mask is None:
            vector.StoreOp(value, target, self.subscripts(amap, point))
        else:
            vector.MaskedStoreOp(target, self.subscripts(amap, point), self.mask, value)


def _movement(expr: ir.AffineExpr, point: Point) -> Any:
    """Equal for points at which a subscript is equal, as far as that is known."""
    offset = linear_offset(expr, point)
    if offset is not None:
        return offset
    return tuple((i, point.get(i, 0)) for i in sorted(used_dims(expr)))


def constant_index(value: int) -> ir.Value:
    return arith.constant(ir.IndexType.get(), value)


def mask_type(width: int) -> ir.VectorType:
    return vector_of(ir.IntegerType.get_signless(1), width)


def constant_mask(width: int, valid: int) -> ir.Value:
    """The first `valid` lanes."""
    return vector.ConstantMaskOp(mask_type(width), [valid]).result


def loop_invariant_inputs(view: Structured, iterators: tuple[int, ...]) -> list[int]:
    """Inputs from memory that the body reads and that stay the same along all of the iterators."""
    return [
        position
        for position, value in enumerate(view.inputs)
        if isinstance(value.type, ir.MemRefType)
        and view.reads(position)
        and not any(depends_on(view.maps[position], i) for i in iterators)
    ]
