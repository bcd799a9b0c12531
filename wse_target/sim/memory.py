"""The PEs' SRAM: one array of bytes [PEs, bytes], buffers being views by offset.

Because buffers are only places in it, overlapping or misplaced ones spoil each other, as on the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..errors import TargetError
from ..image import DTYPE_BYTES, Access, Buffer, Program
from .code import Placement
from .kernels import NUMPY_DTYPE, KernelProvider, Signature


@dataclass(frozen=True)
class Located:
    """An access whose first element is known on each PE of a group."""

    access: Access
    base: np.ndarray  # [PEs of the group], elements from the buffer's start


Source = Located | np.ndarray | float | int


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
    """The memories of all PEs that have a program, `None` of them when only time is asked for."""

    def __init__(self, program: Program, placement: Placement, *, allocate: bool = True) -> None:
        self.buffers: dict[str, Buffer] = program.buffers
        self.counts = {name: int(np.prod(b.shape, dtype=np.int64)) for name, b in program.buffers.items()}
        self.placement = placement
        row = -(-program.sram_bytes() // 8) * 8
        self.bytes = np.zeros((placement.count if allocate else 0, max(row, 8)), np.uint8)

    def dtype(self, access: Access) -> str:
        """Element type of an access's buffer."""
        return self.buffers[access.buffer].dtype

    def check(self, located: Located, bounds: tuple[int, ...], pes: np.ndarray) -> None:
        """Raises `TargetError` when the walk leaves its buffer on some PE."""
        access = located.access
        reach = [s * (b - 1) for s, b in zip(access.strides, bounds, strict=True)]
        low = located.base + sum(r for r in reach if r < 0)
        high = located.base + sum(r for r in reach if r > 0)
        bad = np.flatnonzero((low < 0) | (high >= self.counts[access.buffer]))
        if bad.size:
            at = int(bad[0])
            raise TargetError(
                f"elements {int(low[at])} to {int(high[at])} of buffer '{access.buffer}' are accessed, "
                f"which has {self.counts[access.buffer]}",
                where=self.placement.name(int(pes[at])),
                hint="check the offset, strides and bounds of the access",
            )

    def view(self, located: Located, bounds: tuple[int, ...], pes: np.ndarray) -> np.ndarray | None:
        """A writable view [PEs, *bounds], or None when the PEs or their offsets are not evenly spaced."""
        step = int(pes[1] - pes[0]) if len(pes) > 1 else 1
        even = (
            step > 0 and len(pes) == (pes[-1] - pes[0]) // step + 1 and (len(pes) < 3 or _evenly(pes, step))
        )
        if not even or not (located.base == located.base[0]).all():
            return None
        buffer = self.buffers[located.access.buffer]
        size = DTYPE_BYTES[buffer.dtype]
        typed = self.bytes.view(NUMPY_DTYPE[buffer.dtype])
        start = typed[int(pes[0]) :, buffer.offset // size + int(located.base[0]) :]
        strides = (step * self.bytes.strides[0], *(s * size for s in located.access.strides))
        return as_strided(start, (len(pes), *bounds), strides)

    def _index(self, located: Located, bounds: tuple[int, ...], pes: np.ndarray) -> np.ndarray:
        """Flat element indices [PEs, *bounds], loops of stride 0 having extent 1."""
        buffer = self.buffers[located.access.buffer]
        size = DTYPE_BYTES[buffer.dtype]
        base = pes * (self.bytes.shape[1] // size) + buffer.offset // size + located.base
        index = base.reshape(-1, *(1,) * len(bounds))
        for loop, (stride, bound) in enumerate(zip(located.access.strides, bounds, strict=True)):
            if stride:
                shape = [1] * (1 + len(bounds))
                shape[1 + loop] = bound
                index = index + (stride * np.arange(bound)).reshape(shape)
        return index

    def read(self, located: Located, bounds: tuple[int, ...], pes: np.ndarray) -> np.ndarray:
        """Elements [PEs, *bounds]; a copy or a view, to be read only."""
        self.check(located, bounds, pes)
        view = self.view(located, bounds, pes)
        if view is not None:
            return view
        flat = self.bytes.reshape(-1).view(NUMPY_DTYPE[self.dtype(located.access)])
        return np.broadcast_to(flat[self._index(located, bounds, pes)], (len(pes), *bounds))

    def apply(
        self,
        kernels: KernelProvider,
        kind: str,
        pes: np.ndarray,
        bounds: tuple[int, ...],
        dst: Located,
        srcs: Sequence[Source],
    ) -> None:
        """Runs `dst = kind(srcs)` over the loop nest on all `pes`; array sources are [PEs, *bounds]."""
        for operand in (dst, *srcs):
            if isinstance(operand, Located):
                self.check(operand, bounds, pes)
        alias = _overlaps_itself(dst.access.strides, bounds) or any(
            isinstance(s, Located) and self._interferes(dst, s, bounds) for s in srcs
        )
        view = self.view(dst, bounds, pes)
        if alias and (
            view is None or any(isinstance(s, Located) and self.view(s, bounds, pes) is None for s in srcs)
        ):
            for at in range(len(pes)):
                one = slice(at, at + 1)
                own = Located(dst.access, dst.base[one])
                self.apply(kernels, kind, pes[one], bounds, own, [_part(s, one) for s in srcs])
            return
        signature = self._signature(kind, bounds, dst, srcs, alias)
        operands = [self._operand(s, bounds, pes) for s in srcs]
        if view is not None:
            kernels.kernel(signature)(view, operands)
            return
        flat = self.bytes.reshape(-1).view(NUMPY_DTYPE[self.dtype(dst.access)])
        index = self._index(dst, bounds, pes)
        compact = flat[index]
        strides = [s if n > 1 else 0 for s, n in zip(compact.strides[1:], compact.shape[1:], strict=True)]
        spread = as_strided(compact, (len(pes), *bounds), (compact.strides[0], *strides))
        operands = [spread if _same(s, dst) else o for s, o in zip(srcs, operands, strict=True)]
        kernels.kernel(signature)(spread, operands)
        flat[index] = compact

    def _operand(self, source: Source, bounds: tuple[int, ...], pes: np.ndarray) -> np.ndarray | float | int:
        return self.read(source, bounds, pes) if isinstance(source, Located) else source

    def _signature(
        self, kind: str, bounds: tuple[int, ...], dst: Located, srcs: Sequence[Source], alias: bool
    ) -> Signature:
        in_order = tuple(alias or (s == 0 and b > 1) for s, b in zip(dst.access.strides, bounds, strict=True))
        if kind == "iota":
            in_order = (False,) * len(bounds)
        names = tuple(self._source_dtype(s) for s in srcs)
        return Signature(kind, bounds, self.dtype(dst.access), names, in_order)

    def _source_dtype(self, source: Source) -> str:
        if isinstance(source, Located):
            return self.dtype(source.access)
        return _NAME_OF[source.dtype] if isinstance(source, np.ndarray) else ""

    def _interferes(self, dst: Located, src: Located, bounds: tuple[int, ...]) -> bool:
        """Whether an iteration may read what another one writes: bytes are shared, but not place by place."""
        if _same(src, dst):
            return False
        dst_low, dst_high = self._reach(dst, bounds)
        src_low, src_high = self._reach(src, bounds)
        if not np.any((dst_low < src_high) & (src_low < dst_high)):
            return False
        a, b = self.buffers[dst.access.buffer], self.buffers[src.access.buffer]
        if (a.offset, DTYPE_BYTES[a.dtype]) != (b.offset, DTYPE_BYTES[b.dtype]):
            return True
        shift = src.base - dst.base
        if not (shift == shift[0]).all():
            return True
        walked = _walk(src.access.strides, bounds) + int(shift[0])
        return bool(np.intersect1d(_walk(dst.access.strides, bounds), walked).size)

    def _reach(self, located: Located, bounds: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """First and one past the last byte that a walk touches, per PE."""
        buffer = self.buffers[located.access.buffer]
        size = DTYPE_BYTES[buffer.dtype]
        steps = [s * (b - 1) for s, b in zip(located.access.strides, bounds, strict=True)]
        low = located.base + sum(s for s in steps if s < 0)
        high = located.base + sum(s for s in steps if s > 0) + 1
        return buffer.offset + low * size, buffer.offset + high * size


_NAME_OF = {dtype: name for name, dtype in NUMPY_DTYPE.items()}


def _same(source: Source, dst: Located) -> bool:
    """Whether a source is the very place that the destination names, iteration by iteration."""
    if not isinstance(source, Located):
        return False
    same = source.access.buffer == dst.access.buffer and source.access.strides == dst.access.strides
    return same and bool((source.base == dst.base).all())


def _part(source: Source, which: slice) -> Source:
    """The operand of some PEs of a group."""
    if isinstance(source, Located):
        return Located(source.access, source.base[which])
    return source[which] if isinstance(source, np.ndarray) else source


def _evenly(pes: np.ndarray, step: int) -> bool:
    return bool((np.diff(pes) == step).all())


def _walk(strides: Sequence[int], bounds: Sequence[int]) -> np.ndarray:
    """Element offsets of all iterations."""
    offsets = np.zeros(1, np.int64)
    for stride, bound in zip(strides, bounds, strict=True):
        if stride:
            offsets = (offsets[:, None] + stride * np.arange(bound)).ravel()
    return offsets


def _overlaps_itself(strides: Sequence[int], bounds: Sequence[int]) -> bool:
    """Whether iterations meet in an element though no loop of stride 0 makes them, as in windows that overlap.

    Only the order of the whole loop nest is right then; else loops of stride 0 are all that must run in order.
    """
    span = 0
    for stride, bound in sorted((abs(s), b) for s, b in zip(strides, bounds, strict=True)):
        if stride == 0 or bound == 1:
            continue
        if stride <= span:
            return True
        span += stride * (bound - 1)
    return False
