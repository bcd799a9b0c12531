"""Evaluates the scalar body of a `linalg.generic` for one point or for a vector of points.

A value stays scalar for as long as all that it is computed from is the same in every lane; it is broadcast
where it meets a vector.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....dialects.affine.maps import depends_on
from ....dialects.constants import zeros
from ....dialects.host import arith, ir, math, vector
from ....dialects.structured import Structured, clone_into, replace_op
from ...tensor.access import element_bits
from ...tensor.fuse.fusion_cost import INTEGER_DIVISIONS

Values = list[ir.Value]
Point = Mapping[int, int]  # iterator -> offset from a tile's first point


def _is_elementwise(op: Any) -> bool:
    return op.name.startswith(("arith.", "math.")) and not len(op.regions)


def body_vectorizes(view: Structured, iterator: int) -> bool:
    """Whether every value that differs along `iterator` is computed by operations that exist on vectors."""
    varying: set[Any] = {
        argument
        for argument, amap in zip(view.body.arguments, view.maps, strict=True)
        if depends_on(amap, iterator)
    }
    inits = set(list(view.body.arguments)[len(view.inputs) :])
    if view.iterators[iterator] == "reduction":
        varying |= inits  # accumulators become vectors
    for op in list(view.body.operations)[:-1]:
        if op.name == "linalg.index":
            if _index_dim(op) == iterator:
                varying.update(op.results)
        elif any(v in varying for v in op.operands):
            if not _is_elementwise(op) and not _is_row_load(op, varying, iterator):
                return False
            varying.update(op.results)
        elif len(op.regions):
            return False  # the region may use varying values that are not operands
    return _types_vectorize(view)


def _types_vectorize(view: Structured) -> bool:
    simple = (ir.FloatType, ir.IntegerType, ir.IndexType)
    return all(isinstance(a.type, simple) for a in view.body.arguments)


def _index_dim(op: Any) -> int:
    return ir.IntegerAttr(op.attributes["dim"]).value


def _is_row_load(op: Any, varying: set[Any], iterator: int) -> bool:
    """A `memref.load` in the body that reads consecutive elements along `iterator` (a table's row)."""
    if op.name != "memref.load":
        return False
    source, *indices = op.operands
    if not indices or any(v in varying for v in indices[:-1]):
        return False
    last = indices[-1].owner
    if isinstance(last, ir.Block) or last.name != "linalg.index" or _index_dim(last) != iterator:
        return False
    memref_type = ir.MemRefType(source.type)
    strides, _ = memref_type.get_strides_and_offset()
    return strides[-1] == 1 and element_bits(memref_type.element_type) >= 8


def vector_of(element: ir.Type, width: int) -> ir.VectorType:
    return ir.VectorType.get([width], element)


def broadcast(value: ir.Value, width: int) -> ir.Value:
    """`value` in every lane; vectors and width 1 are left alone."""
    if width == 1 or isinstance(value.type, ir.VectorType):
        return value
    return vector.BroadcastOp(vector_of(value.type, width), value).result


@dataclass
class BodyEmitter:
    """Emits a body at the current insertion point.

    Attributes:
        view: the operation.
        vector: the iterator that fills the lanes, or None.
        fuse_multiply_add: write `a * b + c` on floats as one `math.fma`.
    """

    view: Structured
    vector: int | None
    fuse_multiply_add: bool

    def emit(
        self,
        arguments: Sequence[ir.Value],
        index_of: Callable[[int], ir.Value],
        width: int,
        mask: ir.Value | None = None,
    ) -> list[ir.Value]:
        """Evaluates the body; `index_of(iterator)` is the point's (first lane's) index.

        Args:
            mask: the lanes that count; in the others nothing is read from memory.

        Returns:
            What the body yields, scalars where a result is the same in all lanes.
        """
        mapping: dict[ir.Value, ir.Value] = dict(zip(self.view.body.arguments, arguments, strict=True))
        for op in list(self.view.body.operations)[:-1]:
            self._emit_op(op, mapping, index_of, width, mask)
        return [mapping.get(v, v) for v in self.view.yielded]

    def _emit_op(
        self,
        op: Any,
        mapping: dict[ir.Value, ir.Value],
        index_of: Callable[[int], ir.Value],
        width: int,
        mask: ir.Value | None,
    ) -> None:
        if op.name == "linalg.index":
            mapping[op.results[0]] = self._index(_index_dim(op), index_of, width)
            return
        operands: list[Any] = [mapping.get(v, v) for v in op.operands]
        if len(op.regions):
            self._clone_with_regions(op, mapping, index_of)
            return
        if not any(isinstance(v.type, ir.VectorType) for v in operands) and not self._fuses(op):
            clone_into([op], mapping)
            return
        if op.name == "memref.load":
            self._row_load(op, mapping, index_of, width, mask)
            return
        if self._fuses(op):
            mapping[op.results[0]] = self._multiply_add(op, mapping, width)
            return
        operands = [broadcast(v, width) for v in operands]
        results = [vector_of(r.type, width) for r in op.results]
        attributes = {a.name: a.attr for a in _named_attributes(op)}
        created = ir.Operation.create(
            op.name,
            results=results,
            operands=operands,
            attributes=attributes,
            loc=op.location,
        )
        for old, new in zip(op.results, created.results, strict=True):
            mapping[old] = new

    def _index(self, iterator: int, index_of: Callable[[int], ir.Value], width: int) -> ir.Value:
        base = index_of(iterator)
        if iterator != self.vector or width == 1:
            return base
        lanes = vector.StepOp(vector_of(ir.IndexType.get(), width)).result
        return arith.addi(broadcast(base, width), lanes)

    def _clone_with_regions(
        self,
        op: Any,
        mapping: dict[ir.Value, ir.Value],
        index_of: Callable[[int], ir.Value],
    ) -> None:
        """Clones an operation whose regions may ask for the point's indices; only in scalar code."""
        inner = dict(mapping)
        clone_into([op], inner)
        clone = inner[op.results[0]].owner
        _replace_indices(clone, index_of)
        mapping.update(inner)

    def _row_load(
        self,
        op: Any,
        mapping: dict[ir.Value, ir.Value],
        index_of: Callable[[int], ir.Value],
        width: int,
        mask: ir.Value | None,
    ) -> None:
        source, *indices = [mapping.get(v, v) for v in op.operands]
        assert self.vector is not None
        indices[-1] = index_of(self.vector)
        kind = vector_of(op.results[0].type, width)
        if mask is None:
            mapping[op.results[0]] = vector.LoadOp(kind, source, indices).result
            return
        mapping[op.results[0]] = vector.MaskedLoadOp(kind, source, indices, mask, zeros(kind)).result

    def _fuses(self, op: Any) -> bool:
        return self.fuse_multiply_add and multiply_of(op) is not None

    def _multiply_add(self, op: Any, mapping: dict[ir.Value, ir.Value], width: int) -> ir.Value:
        product = multiply_of(op)
        addend = next(v for v in op.operands if v != product)
        terms: list[Any] = [mapping.get(v, v) for v in (*product.owner.operands, addend)]
        if any(isinstance(t.type, ir.VectorType) for t in terms):
            terms = [broadcast(t, width) for t in terms]
        return math.fma(*terms)


def multiply_of(op: Any) -> Any:
    """The f32 or f64 product that `op` adds to something else and that nothing else uses, or None."""
    if op.name != "arith.addf" or not isinstance(op.results[0].type, (ir.F32Type, ir.F64Type)):
        return None
    if op.operands[0] == op.operands[1]:
        return None
    for operand in op.operands:
        owner = operand.owner
        if isinstance(owner, ir.Block) or owner.name != "arith.mulf":
            continue
        if owner.operation.block == op.operation.block and sum(1 for _ in operand.uses) == 1:
            return operand
    return None


def _named_attributes(op: Any) -> list[ir.NamedAttribute]:
    attributes = op.operation.attributes
    return [attributes[i] for i in range(len(attributes))]


def _replace_indices(op: Any, index_of: Callable[[int], ir.Value]) -> None:
    """Replaces `linalg.index` inside nested regions: it may not stand outside of its linalg operation."""
    for region in op.regions:
        for block in region.blocks:
            for inner in list(block.operations):
                if inner.name == "linalg.index":
                    replace_op(inner, [index_of(_index_dim(inner))])
                else:
                    _replace_indices(inner, index_of)


# Instructions that an elementary function becomes on vectors, roughly
FUNCTION_INSTRUCTIONS = {"math.exp": 13, "math.tanh": 20, "math.erf": 30, "math.log": 20, "math.powf": 40}
# Time, in instructions, that a vector of what has an instruction of its own takes
_SLOW_INSTRUCTIONS = {"arith.divf": 8, "math.sqrt": 8, "math.rsqrt": 8}
_COSTS = {**FUNCTION_INSTRUCTIONS, **_SLOW_INSTRUCTIONS}


def body_cost(view: Structured) -> int:
    """Operations at one point, roughly: an elementary function counts as the instructions that it becomes."""
    operations = (
        _COSTS.get(op.name, 20 if op.name.startswith("math.") else 1) for op in view.body_operations()
    )
    return max(len(view.operands), sum(operations))


def body_divides_integers(view: Structured) -> bool:
    """Whether the body holds a division that traps when its divisor is zero."""
    return any(op.name in INTEGER_DIVISIONS for op in view.body.operations)
