"""Inputs and results of repetitions that follow each other: what the host moves while other PEs are busy.

A PE gets its part of the next inputs when it begins the next repetition, and its part of results is taken when it has
ended one. That other PEs are further on, or not as far, makes no difference to what it holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..image import HostTransfer
from .arithmetic import NUMPY_DTYPE
from .host import HostBlocks, HostLink
from .located import Located
from .memory import Memory

_Parts = list[tuple[HostTransfer, list[HostBlocks]]]


class HostStream:
    """The host's side of a run of several repetitions.

    Attributes:
        outputs: of each repetition the results by position, as far as PEs have ended it.
    """

    def __init__(
        self,
        link: HostLink,
        memory: Memory,
        inputs: Sequence[Mapping[int, np.ndarray]],
        left: Collection[int] = (),
    ) -> None:
        """
        Args:
            inputs: of each repetition the arguments by position, as the program declares them.
            left: positions of results that stay where they are.
        """
        self._link, self._memory = link, memory
        self._inputs = inputs
        program = link.program
        self._brought: _Parts = [
            (t, list(link.blocks(t, program.arguments[t.tensor]))) for t in program.scatters if not t.resident
        ]
        self._taken: _Parts = [
            (t, list(link.blocks(t, program.results[t.tensor])))
            for t in program.gathers
            if t.tensor not in left
        ]
        shapes = {t.tensor: program.results[t.tensor] for t, _ in self._taken}
        self.outputs = [
            {number: np.empty(spec.shape, NUMPY_DTYPE[spec.dtype]) for number, spec in shapes.items()}
            for _ in inputs
        ]
        self._chosen = np.zeros(link.placement.count, bool)

    def begin(self, repetition: int, pes: np.ndarray) -> None:
        """`pes` begin a repetition: they get their parts of its inputs."""
        for transfer, parts in self._brought:
            array = self._inputs[repetition][transfer.tensor]
            for blocks in self._on(parts, pes):
                self._link.bring(blocks, self._link.program.arguments[transfer.tensor], array, self._memory)

    def end(self, repetition: int, pes: np.ndarray) -> None:
        """`pes` have ended a repetition: their parts of its results are taken."""
        for transfer, parts in self._taken:
            result = self.outputs[repetition][transfer.tensor]
            for blocks in self._on(parts, pes):
                self._link.take(blocks, self._link.program.results[transfer.tensor], result, self._memory)

    def _on(self, parts: list[HostBlocks], pes: np.ndarray) -> list[HostBlocks]:
        """HostBlocks of some PEs alone."""
        self._chosen[:] = False
        self._chosen[pes] = True
        found = []
        for blocks in parts:
            rows = np.flatnonzero(self._chosen[blocks.pes])
            if len(rows) == len(blocks.pes):
                found.append(blocks)
            elif len(rows):
                found.append(_some(blocks, rows))
        return found


def _some(blocks: HostBlocks, rows: np.ndarray) -> HostBlocks:
    local = Located(blocks.local.access, blocks.local.base[rows])
    return replace(
        blocks, pes=blocks.pes[rows], origin=blocks.origin[rows], start=blocks.start[rows], local=local
    )
