"""PE arithmetic: the protocol behind which compiled kernels reach the simulator, and the NumPy ones.

A kernel runs one vector operation on many PEs at once. It is made for a `KernelKey`, the shape of the operation, and is
called with a `KernelOperand` for the destination and for each source, which says where its elements lie on each PE.
What the operations compute is in `arithmetic.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .arithmetic import ELEMENTARY, MOVES, NUMPY_DTYPE, Array, convert, fma, operand_dtypes


@dataclass(frozen=True)
class Walk:
    """How an operand is walked over: element type, and stride of each loop in elements."""

    dtype: str
    strides: tuple[int, ...]


@dataclass(frozen=True)
class IndexWalk:
    """Numbers that move operands: in each iteration by strides * (number - origin), where 0 <= number - origin < size.

    An iteration for which that does not hold does nothing.

    Attributes:
        numbers: how the numbers are walked over.
        strides: of the destination and of each source, in elements, 0 or above.
    """

    numbers: Walk
    strides: tuple[int, ...]


@dataclass(frozen=True)
class KernelKey:
    """All that a kernel's code depends on.

    Attributes:
        kind: of `wse_target.kinds.ARITY`.
        bounds: trip counts, outermost first, all above 0.
        dst / srcs: how operands are walked over.
        own: for each source, whether it is the destination's own element in every iteration.
        dependent: some iteration reads or overwrites what another one wrote, other than along loops in which the
            destination has stride 0: the whole nest must run in order.
        indices: what moves operands besides. Behind the destination and the sources, the kernel gets three operands
            for each: the numbers, and an i64 on each PE for origin and size.
    """

    kind: str
    bounds: tuple[int, ...]
    dst: Walk
    srcs: tuple[Walk, ...]
    own: tuple[bool, ...]
    dependent: bool = False
    indices: tuple[IndexWalk, ...] = ()

    @property
    def in_order(self) -> tuple[bool, ...]:
        """Loops whose trips must run one after the other."""
        loops = zip(self.dst.strides, self.bounds, strict=True)
        return tuple(self.dependent or (stride == 0 and bound > 1) for stride, bound in loops)

    @property
    def operand_dtypes(self) -> tuple[str, ...]:
        """Type that each source is converted to."""
        return operand_dtypes(self.kind, self.dst.dtype, [s.dtype for s in self.srcs])


@dataclass(frozen=True)
class KernelOperand:
    """Where an operand lies: on PE i, its first element begins at byte `offsets[i] + constant` of `data`.

    Attributes:
        data: bytes, [n] of uint8.
        offsets: [PEs] of int64, or [1] when they are the same for all PEs; equal to each other modulo the size of an
            element.
    """

    data: Array
    offsets: Array
    constant: int = 0


Kernel = Callable[[int, Sequence[KernelOperand]], None]


class KernelProvider(Protocol):
    """Makes kernels."""

    def kernel(self, signature: KernelKey) -> Kernel:
        """A function (number of PEs, [destination, *sources, ...]) that runs the operation on all these PEs.

        No two PEs' destinations share a byte, and no PE's source another one's destination.
        """
        ...


class NumpyKernels:
    """Loops that must run in order are Python loops, all others one array operation."""

    def kernel(self, signature: KernelKey) -> Kernel:
        """See `KernelProvider.kernel`."""
        if signature.indices:
            return indirect_kernel(signature)
        types = [NUMPY_DTYPE[name] for name in signature.operand_dtypes]
        walks = (signature.dst, *signature.srcs)
        loops = [i for i, in_order in enumerate(signature.in_order) if in_order]

        def run(pes: int, operands: Sequence[KernelOperand]) -> None:
            views = [view(o, w, signature.bounds, pes) for o, w in zip(operands, walks, strict=True)]
            if views[0] is None or (signature.dependent and any(v is None for v in views)):
                _scattered(run, signature, pes, operands)
                return
            sources = [
                gather(o, w, signature.bounds, pes) if v is None else v
                for o, w, v in zip(operands[1:], walks[1:], views[1:], strict=True)
            ]
            if signature.kind == "iota":
                sources.append(np.broadcast_to(np.arange(signature.bounds[-1]), views[0].shape))
            with np.errstate(all="ignore"):
                for trip in np.ndindex(*(signature.bounds[i] for i in loops)):
                    key: list[Any] = [slice(None)] * (1 + len(signature.bounds))
                    for loop, index in zip(loops, trip, strict=True):
                        key[1 + loop] = index
                    _step(signature, types, views[0][tuple(key)], [s[tuple(key)] for s in sources])

        return run


def view(operand: KernelOperand, walk: Walk, bounds: tuple[int, ...], pes: int) -> Array | None:
    """A writable view [PEs, *bounds] of an operand, or None when the PEs are not evenly spaced."""
    offsets, step = operand.offsets, 0
    if len(offsets) > 1:
        step = int(offsets[1] - offsets[0])
        if not (np.diff(offsets) == step).all():
            return None
    dtype = NUMPY_DTYPE[walk.dtype]
    start = int(offsets[0]) + operand.constant
    first = operand.data[start : start + dtype.itemsize].view(dtype)
    return as_strided(first, (pes, *bounds), (step, *(s * dtype.itemsize for s in walk.strides)))


def gather(operand: KernelOperand, walk: Walk, bounds: tuple[int, ...], pes: int) -> Array:
    """A copy [PEs, *bounds] of an operand's elements; loops of stride 0 are repeated without a copy."""
    elements, index = positions(operand, walk, bounds)
    return np.broadcast_to(elements[index], (pes, *bounds))


def positions(operand: KernelOperand, walk: Walk, bounds: tuple[int, ...]) -> tuple[Array, Array]:
    """All of an operand's bytes as elements, and the numbers [PEs, *bounds] of those walked over.

    Loops of stride 0 have extent 1.
    """
    dtype = NUMPY_DTYPE[walk.dtype]
    shift = (int(operand.offsets[0]) + operand.constant) % dtype.itemsize
    count = (len(operand.data) - shift) // dtype.itemsize
    elements = operand.data[shift : shift + count * dtype.itemsize].view(dtype)
    index = (operand.offsets + (operand.constant - shift)) // dtype.itemsize
    index = index.reshape(-1, *(1,) * len(bounds))
    for loop, (stride, bound) in enumerate(zip(walk.strides, bounds, strict=True)):
        if stride:
            shape = [1] * (1 + len(bounds))
            shape[1 + loop] = bound
            index = index + (stride * np.arange(bound)).reshape(shape)
    return elements, index


def _scattered(run: Kernel, signature: KernelKey, pes: int, operands: Sequence[KernelOperand]) -> None:
    """Runs on PEs in no order: on copies that are put back, or one PE at a time when iterations depend on others."""
    if signature.dependent:
        for pe in range(pes):
            part = [
                KernelOperand(o.data, o.offsets[pe : pe + 1] if len(o.offsets) > 1 else o.offsets, o.constant)
                for o in operands
            ]
            run(1, part)
        return
    elements, index = positions(operands[0], signature.dst, signature.bounds)
    compact = elements[index]
    item, size = compact.itemsize, compact[0].nbytes
    strides = [s // item if n > 1 else 0 for s, n in zip(compact.strides[1:], compact.shape[1:], strict=True)]
    walk = Walk(signature.dst.dtype, tuple(strides))
    moved = KernelOperand(compact.reshape(-1).view(np.uint8), size * np.arange(pes))
    sources = tuple(walk if own else s for s, own in zip(signature.srcs, signature.own, strict=True))
    dense = KernelKey(signature.kind, signature.bounds, walk, sources, signature.own)
    rest = [moved if own else o for o, own in zip(operands[1:], signature.own, strict=True)]
    NumpyKernels().kernel(dense)(pes, [moved, *rest])
    elements[index] = compact


def _step(signature: KernelKey, types: Sequence[np.dtype[Any]], dst: Array, srcs: Sequence[Array]) -> None:
    """The operation on a part of the loop nest in which no iteration depends on another."""
    np.copyto(dst, result_of(signature, types, dst, srcs))


def result_of(
    signature: KernelKey, types: Sequence[np.dtype[Any]], dst: Array, srcs: Sequence[Array]
) -> Array:
    """What such a part writes, in the destination's type."""
    kind = signature.kind
    values = [convert(s, t) for s, t in zip(srcs, types, strict=False)]
    if kind == "fma":
        result = fma(dst, *values)
    elif kind == "iota":
        result = values[0] + convert(srcs[1], types[0])
    else:
        result = values[0] if kind in MOVES else ELEMENTARY[kind](*values)
    return convert(result, dst.dtype)


def indirect_kernel(signature: KernelKey) -> Kernel:
    """A NumPy kernel for operands that numbers in memory move: loops that must run in order are Python loops."""
    types = [NUMPY_DTYPE[name] for name in signature.operand_dtypes]
    walks, count = (signature.dst, *signature.srcs), 1 + len(signature.srcs)
    loops = [i for i, in_order in enumerate(signature.in_order) if in_order]

    def run(pes: int, operands: Sequence[KernelOperand]) -> None:
        whole = (pes, *signature.bounds)
        found = [positions(o, w, signature.bounds) for o, w in zip(operands, walks, strict=False)]
        places = [(elements, np.broadcast_to(at, whole)) for elements, at in found]
        rows = [
            _index_rows(operands[count + 3 * i :], index.numbers, signature.bounds, whole)
            for i, index in enumerate(signature.indices)
        ]
        last = np.broadcast_to(np.arange(signature.bounds[-1] if signature.bounds else 1), whole)
        with np.errstate(all="ignore"):
            for trip in np.ndindex(*(signature.bounds[i] for i in loops)):
                key: list[Any] = [slice(None)] * len(whole)
                for loop, at in zip(loops, trip, strict=True):
                    key[1 + loop] = at
                _indirect_step(signature, types, places, rows, last, tuple(key))

    return run


def _index_rows(
    operands: Sequence[KernelOperand], walk: Walk, bounds: tuple[int, ...], whole: tuple[int, ...]
) -> tuple[Array, Array, Array, Array]:
    """An index's elements and where they are [PEs, *bounds], then origin and size in that shape."""
    elements, at = positions(operands[0], walk, bounds)
    once = Walk("i64", (0,) * len(bounds))
    origin, size = (gather(operand, once, bounds, whole[0]) for operand in operands[1:3])
    return elements, np.broadcast_to(at, whole), origin, size


def _indirect_step(
    signature: KernelKey,
    types: Sequence[np.dtype[Any]],
    places: Sequence[tuple[Array, Array]],
    rows: Sequence[tuple[Array, Array, Array, Array]],
    last: Array,
    key: tuple[Any, ...],
) -> None:
    """A part of the loop nest in which no iteration depends on another; those that are nowhere are left out."""
    at = [where[key] for _, where in places]
    inside = np.ones(at[0].shape, bool)
    for index, (numbers, where, origin, size) in zip(signature.indices, rows, strict=True):
        position = numbers[where[key]].astype(np.int64) - origin[key]
        inside &= (position >= 0) & (position < size[key])
        at = [a + stride * position for a, stride in zip(at, index.strides, strict=True)]
    values = [elements[where[inside]] for (elements, _), where in zip(places, at, strict=True)]
    sources = [*values[1:], last[key][inside]] if signature.kind == "iota" else values[1:]
    places[0][0][at[0][inside]] = result_of(signature, types, values[0], sources)
