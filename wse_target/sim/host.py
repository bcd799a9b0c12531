"""Host transfers: tensors cut into the PEs' tiles, and put together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import TargetError
from ..image import HostTransfer, Program, TensorSpec
from ..quasi_affine import Expr
from .arithmetic import NUMPY_DTYPE
from .code import Placement, strided
from .cost import words
from .kernels import KernelOperand, KernelProvider, NumpyKernels, Walk
from .located import Located
from .memory import Memory, MessageSource, by_bounds, run
from .walks import dense_strides

_CHECKED = 1 << 22  # elements that are compared at a time


@dataclass(frozen=True)
class HostBlocks:
    """PEs whose blocks of a tensor have equal extents.

    Attributes:
        origin: each block's first index of each dimension; start: the same counted in the row-major tensor.
        local: where each block lies in the PE's SRAM.
    """

    pes: np.ndarray
    bounds: tuple[int, ...]
    origin: np.ndarray
    start: np.ndarray
    local: Located


class HostLink:
    """Moves whole tensors between host arrays and one memory; kernels do the copying."""

    def __init__(self, program: Program, placement: Placement, kernels: KernelProvider | None = None) -> None:
        self.program = program
        self.placement = placement
        self.kernels = kernels or NumpyKernels()

    def check_array(self, spec: TensorSpec, array: np.ndarray) -> np.ndarray:
        """The array as the program declares it; raises `TargetError` when shape or type differ."""
        array = np.asarray(array)
        if array.shape != spec.on_host or array.dtype != NUMPY_DTYPE[spec.dtype]:
            raise TargetError(
                f"argument '{spec.name}' is {_shaped(array.shape, str(array.dtype))}, "
                f"expected {_shaped(spec.on_host, str(NUMPY_DTYPE[spec.dtype]))}"
            )
        return array.reshape(spec.shape)

    def scatter(self, transfer: HostTransfer, array: np.ndarray, memory: Memory) -> None:
        """Writes each PE's block of a tensor into its buffer."""
        spec = self.program.arguments[transfer.tensor]
        for blocks in self.blocks(transfer, spec):
            self.bring(blocks, spec, array, memory)

    def bring(self, blocks: HostBlocks, spec: TensorSpec, array: np.ndarray, memory: Memory) -> None:
        """Writes some PEs' blocks of a tensor where they lie."""
        tensor = MessageSource(*_inside(np.ascontiguousarray(array), spec, blocks.start))
        memory.apply(self.kernels, "copy", blocks.pes, blocks.bounds, blocks.local, [tensor])

    def take(self, blocks: HostBlocks, spec: TensorSpec, result: np.ndarray, memory: Memory) -> None:
        """Reads some PEs' blocks of a result into it."""
        memory.check(blocks.local, blocks.bounds, blocks.pes)
        self._run("copy", blocks, _inside(result, spec, blocks.start), _local(memory, blocks))

    def gather(self, tensor: int, memory: Memory) -> np.ndarray:
        """Puts a result together from all transfers that hold parts of it.

        Raises:
            TargetError: an element comes from no PE, or PEs that hold the same one disagree.
        """
        spec = self.program.results[tensor]
        result = np.empty(spec.shape, NUMPY_DTYPE[spec.dtype])
        chosen = [t for t in self.program.gathers if t.tensor == tensor]
        parts = [blocks for transfer in chosen for blocks in self.blocks(transfer, spec)]
        for blocks in parts:
            self.take(blocks, spec, result, memory)
        if not _is_partition(spec.shape, parts):
            self._must_cover(spec, parts)
            for blocks in parts:
                self._must_agree(spec, result, blocks, memory)
        return result.reshape(spec.on_host)

    def _must_cover(self, spec: TensorSpec, parts: Sequence[HostBlocks]) -> None:
        """Marks the elements that come from some PE, in a tensor of bytes."""
        covered = np.zeros(spec.shape, np.int8)
        one = KernelOperand(np.ones(1, np.uint8), np.zeros(1, np.int64)), Walk("i8", (0,) * len(spec.shape))
        for blocks in parts:
            self._run("fill", blocks, _inside(covered, spec, blocks.start), one)
        if not covered.all():
            at = tuple(int(i) for i in np.argwhere(covered == 0)[0])
            raise TargetError(f"no PE holds element {at} of result '{spec.name}'")

    def _run(
        self, kind: str, blocks: HostBlocks, dst: tuple[KernelOperand, Walk], src: tuple[KernelOperand, Walk]
    ) -> None:
        run(self.kernels, kind, len(blocks.pes), blocks.bounds, [dst, src], (False,))

    def _must_agree(self, spec: TensorSpec, result: np.ndarray, blocks: HostBlocks, memory: Memory) -> None:
        """Compares what PEs hold with what was taken from some of them."""
        elements = int(np.prod(blocks.bounds))
        step = max(1, _CHECKED // elements)
        for first in range(0, len(blocks.pes), step):
            some = slice(first, first + step)
            local = Located(blocks.local.access, blocks.local.base[some])
            part = replace(
                blocks,
                pes=blocks.pes[some],
                origin=blocks.origin[some],
                start=blocks.start[some],
                local=local,
            )
            there, here = (np.empty((len(part.pes), elements), result.dtype) for _ in range(2))
            walk = Walk(spec.dtype, dense_strides(blocks.bounds))
            for rows, source in ((there, _inside(result, spec, part.start)), (here, _local(memory, part))):
                operand = KernelOperand(
                    rows.reshape(-1).view(np.uint8), elements * rows.itemsize * np.arange(len(rows))
                )
                self._run("copy", part, (operand, walk), source)
            same = (there.view(np.uint8) == here.view(np.uint8)).all(axis=1)
            if not same.all():
                raise TargetError(
                    f"PEs that hold the same elements of result '{spec.name}' disagree",
                    where=self.placement.name(int(part.pes[np.flatnonzero(~same)[0]])),
                    hint="gather a replicated tensor from one replica, or make the replicas equal",
                )

    def words(self, transfer: HostTransfer, results: bool) -> int:
        """32-bit words that pass the wafer's edge: a replicated element once, since multicast is free."""
        spec = (self.program.results if results else self.program.arguments)[transfer.tensor]
        xs, ys = strided(transfer.where)
        bounds = _columns(transfer.bounds, {"x": xs, "y": ys}, len(xs))
        total = int(np.maximum(bounds, 0).prod(axis=1).sum())
        return int(words(min(total, int(np.prod(spec.shape, dtype=np.int64))), spec.dtype))

    def blocks(self, transfer: HostTransfer, spec: TensorSpec) -> Iterator[HostBlocks]:
        """All PEs' blocks of a tensor, in groups of equal extents."""
        xs, ys = strided(transfer.where)
        pes = self.placement.select(xs, ys)
        values = {"x": xs, "y": ys}
        bounds = _columns(transfer.bounds, values, len(xs))
        origin = _columns(transfer.origin, values, len(xs))
        base = np.broadcast_to(np.asarray(transfer.access.offset.evaluate(values), np.int64), xs.shape)
        outside = (bounds > 0).all(axis=1) & ((origin < 0) | (origin + bounds > np.array(spec.shape))).any(
            axis=1
        )
        if outside.any():
            at = int(np.flatnonzero(outside)[0])
            raise TargetError(
                f"block {tuple(origin[at].tolist())} + {tuple(bounds[at].tolist())} of '{spec.name}' lies outside "
                f"its shape {spec.shape}",
                where=f"PE ({xs[at]}, {ys[at]})",
                hint=transfer.source.place,
            )
        start = origin @ np.array(dense_strides(spec.shape), np.int64)
        for rows, extents in by_bounds(bounds):
            yield HostBlocks(
                pes[rows], extents, origin[rows], start[rows], Located(transfer.access, base[rows])
            )


def _is_partition(shape: tuple[int, ...], parts: Sequence[HostBlocks]) -> bool:
    """Whether blocks are the cells of a grid over the tensor, each of them once: then they cover it and share nothing.

    False says nothing.
    """
    if not parts:
        return False
    cells, count = np.zeros(sum(len(p.pes) for p in parts), np.int64), 1
    for dim, size in enumerate(shape):
        begin = np.concatenate([p.origin[:, dim] for p in parts])
        end = begin + np.concatenate([np.full(len(p.pes), p.bounds[dim]) for p in parts])
        starts, ends = np.zeros((2, size + 1), bool)
        starts[begin], ends[end] = True, True
        cuts = np.append(np.flatnonzero(starts), size)
        number = np.cumsum(starts)[begin] - 1
        if cuts[0] or not np.array_equal(np.flatnonzero(ends), cuts[1:]) or (end != cuts[1 + number]).any():
            return False
        cells, count = cells * (len(cuts) - 1) + number, count * (len(cuts) - 1)
    found = np.zeros(count, bool)
    found[cells] = True
    return len(cells) == count and bool(found.all())


def _inside(array: np.ndarray, spec: TensorSpec, start: np.ndarray) -> tuple[KernelOperand, Walk]:
    """HostBlocks of a tensor that begin at elements `start`; `array` has its shape, and elements of any type."""
    name = spec.dtype if array.dtype == NUMPY_DTYPE[spec.dtype] else "i8"
    operand = KernelOperand(array.reshape(-1).view(np.uint8), start * array.itemsize)
    return operand, Walk(name, dense_strides(spec.shape))


def _local(memory: Memory, blocks: HostBlocks) -> tuple[KernelOperand, Walk]:
    """HostBlocks in the PEs' SRAM."""
    return memory.operand(blocks.local, blocks.pes), memory.walk(blocks.local.access)


def _columns(exprs: tuple[Expr, ...], values: dict[str, np.ndarray], count: int) -> np.ndarray:
    table = np.zeros((count, len(exprs)), np.int64)
    for column, expr in enumerate(exprs):
        table[:, column] = expr.evaluate(values)
    return table


def _shaped(shape: tuple[int, ...], dtype: str) -> str:
    return "x".join(str(s) for s in (*shape, dtype))
