"""Host transfers: tensors cut into the PEs' tiles, and put together again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import TargetError
from ..image import HostTransfer, Program, TensorSpec
from ..quasi_affine import Expr
from .code import Placement, strided
from .cost import words
from .kernels import NUMPY_DTYPE, NumpyKernels
from .memory import Located, Memory, by_bounds

_KERNELS = NumpyKernels()


class HostLink:
    """Moves whole tensors between host arrays and one memory."""

    def __init__(self, program: Program, placement: Placement) -> None:
        self.program = program
        self.placement = placement

    def check_array(self, spec: TensorSpec, array: np.ndarray) -> np.ndarray:
        """The array as the program declares it; raises `TargetError` when shape or type differ."""
        array = np.asarray(array)
        if array.shape != spec.shape or array.dtype != NUMPY_DTYPE[spec.dtype]:
            raise TargetError(
                f"argument '{spec.name}' is {_shaped(array.shape, str(array.dtype))}, "
                f"expected {_shaped(spec.shape, str(NUMPY_DTYPE[spec.dtype]))}"
            )
        return array

    def scatter(self, transfer: HostTransfer, array: np.ndarray, memory: Memory) -> None:
        """Writes each PE's block of a tensor into its buffer."""
        spec = self.program.arguments[transfer.tensor]
        array = array.reshape(spec.shape or (1,))
        for pes, bounds, base, index in self._blocks(transfer, spec):
            located = Located(transfer.access, base)
            memory.apply(_KERNELS, "copy", pes, bounds, located, [array[index].reshape(len(pes), *bounds)])

    def gather(self, tensor: int, memory: Memory) -> np.ndarray:
        """Puts a result together from all transfers that hold parts of it.

        Raises:
            TargetError: an element comes from no PE, or PEs that hold the same one disagree.
        """
        spec = self.program.results[tensor]
        result = np.zeros(spec.shape or (1,), NUMPY_DTYPE[spec.dtype])
        covered = np.zeros(result.shape, bool)
        parts, count = [], 0
        for transfer in self.program.gathers:
            if transfer.tensor != tensor:
                continue
            for pes, bounds, base, index in self._blocks(transfer, spec):
                values = memory.read(Located(transfer.access, base), bounds, pes)
                values = values.reshape(result[index].shape)
                result[index] = values
                covered[index] = True
                parts.append((index, values, pes))
                count += values.size
        if not covered.all():
            at = tuple(int(i) for i in np.argwhere(~covered)[0])
            raise TargetError(f"no PE holds element {at} of result '{spec.name}'")
        if count > result.size:
            self._must_agree(spec, result, parts)
        return result.reshape(spec.shape)

    def _must_agree(self, spec: TensorSpec, result: np.ndarray, parts: list) -> None:
        for index, values, pes in parts:
            there = np.ascontiguousarray(result[index]).reshape(len(pes), -1).view(np.uint8)
            same = (there == np.ascontiguousarray(values).reshape(len(pes), -1).view(np.uint8)).all(axis=1)
            if not same.all():
                pe = int(pes[np.flatnonzero(~same)[0]])
                raise TargetError(
                    f"PEs that hold the same elements of result '{spec.name}' disagree",
                    where=self.placement.name(pe),
                    hint="gather a replicated tensor from one replica, or make the replicas equal",
                )

    def words(self, transfer: HostTransfer, results: bool) -> int:
        """32-bit words that pass the wafer's edge: a replicated element once, since multicast is free."""
        spec = (self.program.results if results else self.program.arguments)[transfer.tensor]
        xs, ys = strided(transfer.where)
        bounds = _columns(transfer.bounds, {"x": xs, "y": ys}, len(xs))
        total = int(np.maximum(bounds, 0).prod(axis=1).sum())
        return int(words(min(total, int(np.prod(spec.shape, dtype=np.int64))), spec.dtype))

    def _blocks(
        self, transfer: HostTransfer, spec: TensorSpec
    ) -> Iterator[tuple[np.ndarray, tuple[int, ...], np.ndarray, tuple[np.ndarray, ...]]]:
        """Groups of PEs with equal extents: PEs, extents, buffer offsets and index arrays into the tensor."""
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
        for rows, extents in by_bounds(bounds):
            index = []
            for dim, extent in enumerate(extents):
                shape = [1] * (1 + len(extents))
                shape[1 + dim] = extent
                start = origin[rows][:, dim].reshape(-1, *(1,) * len(extents))
                index.append(start + np.arange(extent).reshape(shape))
            yield (
                pes[rows],
                extents,
                base[rows],
                tuple(index) if index else (np.zeros(len(pes[rows]), np.int64),),
            )


def _columns(exprs: tuple[Expr, ...], values: dict[str, np.ndarray], count: int) -> np.ndarray:
    table = np.zeros((count, len(exprs)), np.int64)
    for column, expr in enumerate(exprs):
        table[:, column] = expr.evaluate(values)
    return table


def _shaped(shape: tuple[int, ...], dtype: str) -> str:
    return "x".join(str(s) for s in (*shape, dtype))
