"""The PEs' SRAM: one array of bytes [PEs, bytes], buffers being places in it by offset.

Because buffers are only places, overlapping or misplaced ones spoil each other, as on the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..errors import TargetError
from ..image import Program
from ..instructions import DTYPE_BYTES, Access, Buffer
from .arithmetic import DTYPE_NAME, NUMPY_DTYPE, convert, operand_dtypes
from .code import Placement
from .kernels import IndexWalk, KernelKey, KernelOperand, KernelProvider, Walk, gather, view
from .located import Located, LocatedIndex
from .walks import dense_strides, interferes, meets_itself, rows_meet, simplify


@dataclass(frozen=True)
class MessageSource:
    """A source that is no access: `operand` walked over by `walk`, in the loops of the operation that reads it."""

    operand: KernelOperand
    walk: Walk


SourceValues = Located | MessageSource | np.ndarray | float | int


def by_bounds(bounds: np.ndarray) -> Iterator[tuple[np.ndarray | slice, tuple[int, ...]]]:
    """Splits a group of PEs by equal loop bounds; groups in which some bound is 0 are left out."""
    if len(bounds) == 0:
        return
    if (bounds == bounds[0]).all():
        if (bounds[0] > 0).all():
            yield slice(None), tuple(int(b) for b in bounds[0])
        return
    rows, inverse = np.unique(bounds, axis=0, return_inverse=True)
    for index, row in enumerate(rows):
        if (row > 0).all():
            yield np.flatnonzero(inverse.reshape(-1) == index), tuple(int(b) for b in row)


class Memory:
    """The memories of all PEs that have a program; empty when only time is asked for.

    Attributes:
        before_write: called before an operation writes on some PEs between two bytes of their SRAM, the second one not
            included; for those who hold on to contents without copying them.
    """

    def __init__(self, program: Program, placement: Placement, *, allocate: bool = True) -> None:
        self.buffers: dict[str, Buffer] = program.buffers
        self.counts = {name: int(np.prod(b.shape, dtype=np.int64)) for name, b in program.buffers.items()}
        self.placement = placement
        row = -(-program.sram_bytes() // 8) * 8
        self.bytes = np.zeros((placement.count if allocate else 0, max(row, 8)), np.uint8)
        self.before_write: Callable[[np.ndarray, int, int], None] | None = None

    def dtype(self, access: Access) -> str:
        """Element type of an access's buffer."""
        return self.buffers[access.buffer].dtype

    def check(self, located: Located, bounds: tuple[int, ...], pes: np.ndarray) -> None:
        """Raises `TargetError` when the walk leaves its buffer on some PE."""
        access, count = located.access, self.counts[located.access.buffer]
        for index in located.indices:
            self.check(index.numbers, bounds, pes)
            if not index.index.partial:
                self._must_hold(index, access, bounds, pes)
        low, high = located.reach(bounds)
        if len(pes) == 0 or (located.ends[0] + low >= 0 and located.ends[1] + high < count):
            return
        moves = sum((index.moves for index in located.indices), np.zeros(1, np.int64))
        last = located.base + high - sum(index.most for index in located.indices) + moves
        outside = np.flatnonzero((located.base + low < 0) | (last >= count))
        if not len(outside):
            return
        at = int(outside[0])
        raise TargetError(
            f"elements {int(located.base[at]) + low} to {int(last[at])} of buffer '{access.buffer}' "
            f"are accessed, which has {count}",
            where=self.placement.name(int(pes[at])),
            hint="check the offset, strides and bounds of the access",
        )

    def _must_hold(
        self, index: LocatedIndex, access: Access, bounds: tuple[int, ...], pes: np.ndarray
    ) -> None:
        """Raises `TargetError` when a number says a position that the PE does not have."""
        once = tuple(b if s else 1 for b, s in zip(bounds, index.index.numbers.strides, strict=True))
        numbers = self.read(index.numbers, once, pes).reshape(len(pes), -1).astype(np.int64)
        found = numbers - index.origin[:, None]
        wrong = np.argwhere((found < 0) | (found >= index.size[:, None]))
        if len(wrong):
            pe, at = (int(i) for i in wrong[0])
            first, size = int(index.origin[pe]), int(index.size[pe])
            has = f"positions {first} to {first + size - 1}" if size > 0 else "none"
            raise TargetError(
                f"buffer '{access.buffer}' is accessed at position {numbers[pe, at]}, as "
                f"'{index.index.numbers.buffer}' says; the PE has {has}",
                where=self.placement.name(int(pes[pe])),
                hint="an access that is 'partial' leaves out what other PEs have",
            )

    def operand(self, located: Located, pes: np.ndarray) -> KernelOperand:
        """Where an access begins on each PE."""
        buffer = self.buffers[located.access.buffer]
        offsets = pes * self.bytes.shape[1]
        first, last = located.ends
        if first == last:
            return KernelOperand(
                self.bytes.reshape(-1), offsets, buffer.offset + first * DTYPE_BYTES[buffer.dtype]
            )
        offsets += located.base * DTYPE_BYTES[buffer.dtype]
        return KernelOperand(self.bytes.reshape(-1), offsets, buffer.offset)

    def walk(self, access: Access) -> Walk:
        """How an access is walked over."""
        return Walk(self.dtype(access), access.strides)

    def read(self, located: Located, bounds: tuple[int, ...], pes: np.ndarray) -> np.ndarray:
        """Elements [PEs, *bounds]; a copy or a view, to be read only."""
        self.check(located, bounds, pes)
        operand, walk = self.operand(located, pes), self.walk(located.access)
        found = view(operand, walk, bounds, len(pes))
        return gather(operand, walk, bounds, len(pes)) if found is None else found

    def apply(
        self,
        kernels: KernelProvider,
        kind: str,
        pes: np.ndarray,
        bounds: tuple[int, ...],
        dst: Located,
        srcs: Sequence[SourceValues],
    ) -> None:
        """Runs `dst = kind(srcs)` over the loop nest on all `pes`; array sources are [PEs, *bounds].

        Raises:
            TargetError: an access leaves its buffer, or the operation is not defined on its types.
        """
        if not len(pes):
            return
        for operand in (dst, *srcs):
            if isinstance(operand, Located):
                self.check(operand, bounds, pes)
        if self.before_write is not None:
            self.before_write(pes, *self.span(dst, bounds))
        own = tuple(_same(s, dst) for s in srcs)
        indices = _indices(dst, srcs)
        self._must_stay(dst, indices, bounds, pes)
        dependent = _meets_itself(dst, bounds) or any(
            isinstance(s, Located) and not o and self._interferes(dst, s, bounds)
            for s, o in zip(srcs, own, strict=True)
        )
        place = self.operand(dst, pes), self.walk(dst.access)
        names = operand_dtypes(kind, place[1].dtype, [self._dtype(s) for s in srcs])
        places = [
            place if same else self._source(source, dtype, bounds, pes)
            for source, same, dtype in zip(srcs, own, names, strict=True)
        ]
        if not indices:
            run(kernels, kind, len(pes), bounds, [place, *places], own, dependent)
            return
        walks, rest = self._index_operands(indices, (dst, *srcs), pes)
        signature = signature_of(kind, bounds, tuple(w for _, w in (place, *places)), own, dependent, walks)
        kernels.kernel(signature)(len(pes), [*(o for o, _ in (place, *places)), *rest])

    def _index_operands(
        self, indices: Sequence[LocatedIndex], operands: Sequence[SourceValues], pes: np.ndarray
    ) -> tuple[tuple[IndexWalk, ...], list[KernelOperand]]:
        """How indices move the operands, and the operands that they are to a kernel."""
        walks, rest = [], []
        for found in indices:
            moved = (
                [i.index for i in o.indices].count(found.index) if isinstance(o, Located) else 0
                for o in operands
            )
            strides = tuple(found.index.stride * times for times in moved)
            walks.append(IndexWalk(self.walk(found.index.numbers), strides))
            rest += [self.operand(found.numbers, pes), *found.limits()]
        return tuple(walks), rest

    def _must_stay(
        self, dst: Located, indices: Sequence[LocatedIndex], bounds: tuple[int, ...], pes: np.ndarray
    ) -> None:
        """Raises `TargetError` when an operation may overwrite the numbers that move its operands."""
        low, high = self.span(dst, bounds)
        for found in indices:
            first, last = self.span(found.numbers, bounds)
            if low < last and first < high:
                raise TargetError(
                    f"an operation that buffer '{found.index.numbers.buffer}' moves writes to the same memory, "
                    f"to '{dst.access.buffer}'",
                    where=self.placement.name(int(pes[0])),
                )

    def span(self, located: Located, bounds: tuple[int, ...]) -> tuple[int, int]:
        """First and one past the last byte of their SRAM that a walk touches on any of the PEs."""
        buffer = self.buffers[located.access.buffer]
        low, high = located.reach(bounds)
        size = DTYPE_BYTES[buffer.dtype]
        first, last = located.ends
        return buffer.offset + (first + low) * size, buffer.offset + (last + high + 1) * size

    def _source(
        self, source: SourceValues, dtype: str, bounds: tuple[int, ...], pes: np.ndarray
    ) -> tuple[KernelOperand, Walk]:
        """Where a source's elements are; numbers become elements of type `dtype`, the same for all PEs."""
        if isinstance(source, Located):
            return self.operand(source, pes), self.walk(source.access)
        if isinstance(source, MessageSource):
            return source.operand, source.walk
        if isinstance(source, np.ndarray):
            dense = np.ascontiguousarray(source)
            offsets = (dense[0].nbytes if len(dense) else 0) * np.arange(len(pes))
            walk = Walk(DTYPE_NAME[dense.dtype], dense_strides(bounds))
            return KernelOperand(dense.reshape(-1).view(np.uint8), offsets), walk
        return self.number(source, dtype, bounds)

    @staticmethod
    def number(value: float, dtype: str, bounds: tuple[int, ...]) -> tuple[KernelOperand, Walk]:
        """A number as an operand: one element that all PEs read in every iteration."""
        element = convert(np.asarray(value).reshape(1), NUMPY_DTYPE[dtype])
        return KernelOperand(element.view(np.uint8), np.zeros(1, np.int64)), Walk(dtype, (0,) * len(bounds))

    def _dtype(self, source: SourceValues) -> str:
        if isinstance(source, Located):
            return self.dtype(source.access)
        if isinstance(source, MessageSource):
            return source.walk.dtype
        return DTYPE_NAME[source.dtype] if isinstance(source, np.ndarray) else ""

    def _interferes(self, dst: Located, src: Located, bounds: tuple[int, ...]) -> bool:
        """Whether an iteration may read what another one writes: bytes are shared, but not place by place."""
        low, high = self.span(dst, bounds)
        src_low, src_high = self.span(src, bounds)
        if low >= src_high or src_low >= high:
            return False
        if dst.indices or src.indices:
            return True
        a, b = self.buffers[dst.access.buffer], self.buffers[src.access.buffer]
        shift = src.base - dst.base
        if (a.offset, a.dtype) != (b.offset, b.dtype) or (shift != shift[0]).any():
            return True
        return interferes(dst.access.strides, src.access.strides, int(shift[0]), bounds)


def run(
    kernels: KernelProvider,
    kind: str,
    pes: int,
    bounds: tuple[int, ...],
    places: Sequence[tuple[KernelOperand, Walk]],
    own: tuple[bool, ...],
    dependent: bool = False,
) -> None:
    """Runs an operation on operands wherever they are, the destination being the first one; see `KernelKey`."""
    signature = signature_of(kind, bounds, tuple(walk for _, walk in places), own, dependent)
    kernels.kernel(signature)(pes, [operand for operand, _ in places])


@lru_cache(maxsize=4096)
def signature_of(
    kind: str,
    bounds: tuple[int, ...],
    walks: tuple[Walk, ...],
    own: tuple[bool, ...],
    dependent: bool,
    indices: tuple[IndexWalk, ...] = (),
) -> KernelKey:
    """The simplest nest that does the same."""
    if kind != "iota":
        bounds, simpler = simplify(bounds, (*walks, *(index.numbers for index in indices)))
        walks, numbers = simpler[: len(walks)], simpler[len(walks) :]
        indices = tuple(IndexWalk(n, i.strides) for n, i in zip(numbers, indices, strict=True))
    return KernelKey(kind, bounds, walks[0], walks[1:], own, dependent, indices)


def _indices(dst: Located, srcs: Sequence[SourceValues]) -> list[LocatedIndex]:
    """The indices of all operands, equal ones once."""
    operands = [dst, *(s for s in srcs if isinstance(s, Located))]
    return list({i.index: i for operand in operands for i in operand.indices}.values())


def _meets_itself(dst: Located, bounds: tuple[int, ...]) -> bool:
    """Whether iterations may write one element, other than along loops in which the destination has stride 0."""
    moved = [(i.index.stride, i.index.numbers.strides) for i in dst.indices]
    strides = dst.access.strides
    return meets_itself(strides, bounds) or (bool(moved) and rows_meet(strides, bounds, moved))


def _same(source: SourceValues, dst: Located) -> bool:
    """Whether a source is the very place that the destination names, iteration by iteration."""
    if not isinstance(source, Located):
        return False
    a, b = source.access, dst.access
    same = (a.buffer, a.strides, a.indices) == (b.buffer, b.strides, b.indices)
    if not same or source.base is dst.base:
        return same
    uniform = source.ends[0] == source.ends[1]
    return source.ends == dst.ends and (uniform or bool((source.base == dst.base).all()))
