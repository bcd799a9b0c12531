"""The loop nest of one PE's vector operation, with accumulators in registers.

Loops in which the destination moves (*parallel* ones) may run in any order. One of them, in which the destination is
dense, runs over the lanes of vectors; another one is unrolled, so that a block of vectors of the destination stays in
registers while the loops in which it stands still (*sequential* ones) run inside, in order. Each element is thus
accumulated in the order of the nest as it is written.

    for rest of the parallel loops, for blocks of columns, for blocks of rows:
        load the block; for sequential loops: block = op(block, sources); store the block
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ...dialects.constants import splat_number
from ...dialects.host import arith, ir, memref, scf, vector
from ...passes.cpu.processor import processor
from ...wse_target.instructions import DTYPE_BYTES
from ...wse_target.kinds import COMPARISONS
from ...wse_target.sim.arithmetic import MOVES
from ...wse_target.sim.kernels import KernelKey, Walk
from .pe_kernels_values import KernelValues, memory_type, number_bits, number_type

LoopValues = dict[
    int, "ir.Value | int"
]  # value of each loop: a number, or a value plus the number under key -1 - loop
_AS_IT_IS = "#llvm.loop_annotation<vectorize = <disable = true>, unroll = <disable = true>>"
_MASKED = 512  # bits of the vector units that load and store some lanes only at full speed
_MOST_WIDENED = 4096  # elements of an operand that is widened once per PE


class BlockVector(NamedTuple):
    """A vector of a block: its column, its number along the rows, and how many of its lanes are in use."""

    column: int
    row: int
    active: int


@dataclass(frozen=True)
class PeOperand:
    """An operand on one PE: `memory` begins at its lowest element, the first one is number `first`.

    Attributes:
        dtype: element type, in which `memory` holds elements as they are stored.
        wide: the type in which `memory` holds them converted, ready to compute with; "" when they are as stored.
    """

    memory: ir.Value
    walk: Walk
    first: int
    wide: str = ""


@dataclass(frozen=True)
class NestBlocking:
    """How a nest is cut: loop numbers, -1 for none, and how much of them a block takes.

    Attributes:
        rows: the loop that runs over lanes; columns: the loop that is unrolled.
        lanes: elements of a vector; height: vectors of a block along `rows`; width: columns of a block.
        outer: parallel loops around the blocks; inner: sequential loops inside of them.
    """

    rows: int
    columns: int
    lanes: int
    height: int
    width: int
    outer: tuple[int, ...]
    inner: tuple[int, ...]


def plan_blocks(signature: KernelKey) -> NestBlocking:
    """Chooses vectors and register blocks for a nest."""
    walks, bounds = (signature.dst, *signature.srcs), signature.bounds
    everything = tuple(range(len(bounds)))
    if signature.dependent:
        return NestBlocking(-1, -1, 1, 1, 1, (), everything)
    inner = tuple(i for i in everything if signature.in_order[i])
    parallel = [i for i in everything if i not in inner]
    dense = [
        i for i in parallel if signature.dst.strides[i] == 1 and all(w.strides[i] in (0, 1) for w in walks)
    ]
    rows = max(dense, key=lambda i: bounds[i], default=-1)
    rest = [i for i in parallel if i != rows]
    columns = rest[-1] if rest else -1
    lanes, height = 1, 1
    if rows >= 0:
        lanes = _lanes(bounds[rows], _lane_bits(signature))
        height = _share(-(-bounds[rows] // lanes), 4)
    registers = (processor().vector_registers * 3 // 4) if inner else 8
    width = _share(bounds[columns], max(1, registers // height)) if columns >= 0 else 1
    return NestBlocking(rows, columns, lanes, height, width, tuple(rest[:-1]), inner)


def _lanes(bound: int, bits: int) -> int:
    """Elements of a vector along a loop: as many as fit, the last vector masked, or such that none needs a mask."""
    most = processor().lanes(bits)
    if processor().vector_bits < _MASKED:
        return min(most, bound & -bound)
    return min(most, 1 << (bound - 1).bit_length())


def _lane_bits(signature: KernelKey) -> int:
    """Width of the widest type that the nest computes in."""
    if is_move(signature):
        return 8 * DTYPE_BYTES[signature.dst.dtype]
    dtypes = {signature.dst.dtype, *(s.dtype for s in signature.srcs), *signature.operand_dtypes}
    return max(number_bits(dtype) for dtype in dtypes)


def is_move(signature: KernelKey) -> bool:
    """Whether elements are only copied, as they are stored."""
    return signature.kind in MOVES and signature.srcs[0].dtype == signature.dst.dtype


def _share(count: int, most: int) -> int:
    """Size of the even parts, none above `most`, that `count` is cut into."""
    return -(-count // -(-count // most))


class KernelNest:
    """Emits the nest of one signature on one PE."""

    def __init__(self, signature: KernelKey, places: Sequence[PeOperand]) -> None:
        self.signature = signature
        self.blocks = plan_blocks(signature)
        self.dst, self.srcs = places[0], list(places[1:])

    def emit(self) -> None:
        """Emits all of it at the insertion point."""
        self.loops(self.blocks.outer, {}, self._columns)

    def loops(self, loops: Sequence[int], index: LoopValues, body: Callable[[LoopValues], None]) -> None:
        """Emits loops around a body, which gets what they stand at."""
        if not loops:
            body(index)
            return
        with loop(self.signature.bounds[loops[0]]) as at:
            self.loops(loops[1:], {**index, loops[0]: at}, body)

    def _columns(self, index: LoopValues) -> None:
        b = self.blocks
        if b.columns < 0:
            self._rows(index, [0])
            return
        for start, count in parts(self.signature.bounds[b.columns], b.width):
            self._rows({**index, b.columns: start}, list(range(count)))

    def _rows(self, index: LoopValues, columns: list[int]) -> None:
        b = self.blocks
        if b.rows < 0:
            self._block(index, columns, [1])
            return
        bound = self.signature.bounds[b.rows]
        for start, count in parts(bound, b.height * b.lanes):
            active = [min(b.lanes, count - at) for at in range(0, count, b.lanes)]
            self._block({**index, b.rows: start}, columns, active)

    def _block(self, index: LoopValues, columns: list[int], active: list[int]) -> None:
        """One block: `columns` from the one it begins at on, vectors along the rows with `active` lanes each."""
        VectorBlock(self, index, [BlockVector(c, r, n) for c in columns for r, n in enumerate(active)]).emit()


@dataclass
class VectorBlock:
    """A block of vectors of the destination, beginning at `index`."""

    nest: KernelNest
    index: LoopValues
    vectors: list[BlockVector]
    values: KernelValues = field(init=False)

    def __post_init__(self) -> None:
        self.values = KernelValues(self.nest.blocks.lanes)

    def emit(self) -> None:
        """Loads what is accumulated into, runs the sequential loops, stores."""
        signature, values = self.nest.signature, self.values
        inner = self.nest.blocks.inner
        reads = signature.kind == "fma" or any(signature.own)
        if signature.dependent:
            self.nest.loops(
                inner, self.index, lambda index: VectorBlock(self.nest, index, self.vectors)._straight(reads)
            )
        elif not inner:
            self._straight(reads)
        else:
            first = values.constant(signature.dst.dtype, 0)
            carried = [self._load(self.nest.dst, self.index, v) if reads else first for v in self.vectors]
            results = self._sequential(inner, self.index, carried)
            for v, value in zip(self.vectors, results, strict=True):
                self._store(v, values.to_memory(signature.dst.dtype, value))

    def _straight(self, reads: bool) -> None:
        """No loop inside: each vector is computed once."""
        signature = self.nest.signature
        for v in self.vectors:
            if is_move(signature):
                self._store(v, self._load(self.nest.srcs[0], self.index, v, raw=True))
                continue
            old = self._load(self.nest.dst, self.index, v) if reads else None
            self._store(v, self.values.to_memory(signature.dst.dtype, self._compute(self.index, v, old)))

    def _sequential(self, loops: Sequence[int], index: LoopValues, carried: list[ir.Value]) -> list[ir.Value]:
        """The loops in order, with the block's values handed from trip to trip."""
        if not loops:
            return [self._compute(index, v, old) for v, old in zip(self.vectors, carried, strict=True)]
        low, high, step = (constant_index(n) for n in (0, self.nest.signature.bounds[loops[0]], 1))
        op = for_loop(low, high, step, carried)
        with ir.InsertionPoint(op.body):
            inside = {**index, loops[0]: op.induction_variable}
            scf.YieldOp(self._sequential(loops[1:], inside, list(op.inner_iter_args)))
        return list(op.results)

    def _compute(self, index: LoopValues, v: BlockVector, old: ir.Value | None) -> ir.Value:
        """The operation on one vector; `old` is what the destination holds."""
        signature, values = self.nest.signature, self.values
        dst, dtypes = signature.dst.dtype, signature.operand_dtypes
        operands = []
        for place, own, dtype in zip(self.nest.srcs, signature.own, dtypes, strict=True):
            value = old if own and old is not None else self._load(place, index, v)
            operands.append(value if place.wide else values.convert(value, place.walk.dtype, dtype))
        if signature.kind == "fma":
            assert old is not None
            return values.multiply_add(dst, old, *operands)
        if signature.kind == "iota":
            return values.apply("add", dst, [operands[0], self._count(index, v)])
        result = values.apply(signature.kind, dtypes[-1], operands)
        return values.convert(result, "i1", dst) if signature.kind in COMPARISONS else result

    def _count(self, index: LoopValues, v: BlockVector) -> ir.Value:
        """The last loop's index in each lane, in the destination's type."""
        last, blocks = len(self.nest.signature.bounds) - 1, self.nest.blocks
        at = self._at(index, v, {last: 1})
        count = self.values.spread(at)
        if last == blocks.rows and blocks.lanes > 1:
            lane = vector.step(ir.VectorType.get([blocks.lanes], ir.IndexType.get()))
            count = arith.addi(count, lane)
        count = arith.index_cast(self.values.shaped(number_type("i64")), count)
        return self.values.convert(count, "i64", self.nest.signature.dst.dtype)

    def _at(self, index: LoopValues, v: BlockVector, strides: dict[int, int], first: int = 0) -> ir.Value:
        """first + the sum of strides * loop indices at the beginning of a vector."""
        blocks = self.nest.blocks
        first += strides.get(blocks.columns, 0) * v.column
        first += strides.get(blocks.rows, 0) * v.row * blocks.lanes
        at = constant_index(first)
        for number, stride in strides.items():
            here = index.get(number, 0)
            if isinstance(here, int):
                at = arith.addi(at, constant_index(here * stride)) if here * stride else at
            elif stride:
                at = arith.addi(at, arith.muli(here, constant_index(stride)))
        return at

    def _load(self, place: PeOperand, index: LoopValues, v: BlockVector, *, raw: bool = False) -> ir.Value:
        """A vector of an operand, or one element in all lanes, in the type that it is computed in unless `raw`."""
        blocks, strides = self.nest.blocks, dict(enumerate(place.walk.strides))
        dense = blocks.lanes > 1 and strides.get(blocks.rows, 0) == 1
        at = self._at(index, v, strides, place.first)
        if dense:
            value = load_vector(place.memory, at, blocks.lanes, v.active)
            return value if raw or place.wide else self.values.from_memory(place.walk.dtype, value)
        scalar = memref.load(place.memory, [at])
        if not raw and not place.wide:
            scalar = KernelValues(1).from_memory(place.walk.dtype, scalar)
        return self.values.spread(scalar)

    def _store(self, v: BlockVector, value: ir.Value) -> None:
        place, lanes = self.nest.dst, self.nest.blocks.lanes
        at = self._at(self.index, v, dict(enumerate(place.walk.strides)), place.first)
        if lanes == 1:
            memref.store(value, place.memory, [at])
        else:
            store_vector(value, place.memory, at, v.active)


def widen(place: PeOperand, scratch: ir.Value, dtype: str, count: int) -> PeOperand:
    """Converts an operand's `count` elements into `scratch` once, for an operand that is read element by element."""
    lanes = processor().lanes(32)
    values = KernelValues(lanes)
    for start, size in parts(count, lanes):
        at = start if isinstance(start, ir.Value) else constant_index(start)
        value = values.from_memory(place.walk.dtype, load_vector(place.memory, at, lanes, size))
        store_vector(values.convert(value, place.walk.dtype, dtype), scratch, at, size)
    return PeOperand(scratch, place.walk, place.first, dtype)


def widened(signature: KernelKey, source: int) -> int:
    """How many elements of a source to convert beforehand; 0 when it is read as it is stored.

    Worth it where an element is used in several vectors: it would be converted, alone, for each of them.
    """
    blocks, walk = plan_blocks(signature), signature.srcs[source]
    dtype = signature.operand_dtypes[source]
    as_stored = walk.dtype == dtype and number_type(dtype) == memory_type(dtype)
    if (
        as_stored
        or dtype == "i1"
        or not blocks.inner
        or blocks.rows < 0
        or walk.strides[blocks.rows]
        or signature.own[source]
    ):
        return 0
    count = reach(walk.strides, signature.bounds)[1]
    uses = 1
    for bound, stride in zip(signature.bounds, walk.strides, strict=True):
        uses *= bound if stride else 1
    return count if count <= min(_MOST_WIDENED, 4 * uses) else 0


def reach(strides: Sequence[int], bounds: Sequence[int]) -> tuple[int, int]:
    """Number of a walk's first element counted from its lowest one, and of elements from the lowest to the highest."""
    steps = [s * (b - 1) for s, b in zip(strides, bounds, strict=True)]
    return -sum(s for s in steps if s < 0), sum(abs(s) for s in steps) + 1


def parts(bound: int, size: int) -> Iterator[tuple[ir.Value | int, int]]:
    """Emits a loop over the whole parts of a range, then what is left: (start, elements) of each, in turn."""
    whole = bound // size
    if whole == 1:
        yield 0, size
    elif whole > 1:
        with loop(whole * size, size) as at:
            yield at, size
    if bound % size:
        yield whole * size, bound % size


class loop:
    """`with loop(bound) as index:` emits an scf.for around what is emitted inside."""

    def __init__(self, bound: int, step: int = 1) -> None:
        self._op = for_loop(constant_index(0), constant_index(bound), constant_index(step))
        self._inside = ir.InsertionPoint(self._op.body)

    def __enter__(self) -> ir.Value:
        self._inside.__enter__()
        return self._op.induction_variable

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            scf.YieldOp([])
        self._inside.__exit__(*error)


def for_loop(low: ir.Value, high: ir.Value, step: ir.Value, carried: Sequence[ir.Value] = ()) -> scf.ForOp:
    """An scf.for that LLVM leaves as it is: vectors and blocks are chosen here, and its own choice takes long."""
    op = scf.ForOp(low, high, step, list(carried))
    op.attributes["llvm.loop_annotation"] = ir.Attribute.parse(_AS_IT_IS)
    return op


def constant_index(number: int) -> ir.Value:
    """A constant of type index."""
    return arith.ConstantOp.create_index(number).result


def load_vector(memory: ir.Value, at: ir.Value, lanes: int, active: int) -> ir.Value:
    """The `active` first elements of a vector from element `at` on, zeros in the other lanes."""
    kind = ir.VectorType.get([lanes], ir.MemRefType(memory.type).element_type)
    if active == lanes:
        return vector.load(kind, memory, [at])
    return vector.maskedload(kind, memory, [at], _mask(lanes, active), splat_number(kind, 0))


def store_vector(value: ir.Value, memory: ir.Value, at: ir.Value, active: int) -> None:
    """Stores the `active` first lanes of a vector from element `at` on."""
    lanes = ir.VectorType(value.type).shape[0]
    if active == lanes:
        vector.store(value, memory, [at])
    else:
        vector.maskedstore(memory, [at], _mask(lanes, active), value)


def _mask(lanes: int, active: int) -> ir.Value:
    return vector.constant_mask(ir.VectorType.get([lanes], ir.IntegerType.get_signless(1)), [active])
