"""What the two engines have in common: what they are given, and what they leave behind.

`flow` is vectorised over the grid, `wavelet` follows every wavelet. Both execute the same code with the semantics of
docs/simulator.md, and agree bit for bit in data and closely in time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from ..image import Program
from ..machine import Machine
from .accounting import Accounting
from .code import Code, Placement
from .kernels import KernelProvider
from .memory import Memory

EngineName = Literal["flow", "wavelet"]
ProgressShare = Callable[[float], None]  # called now and then with the share of the work that is done, 0 to 1


class Recorder(Protocol):
    """Listens to what PEs do; for traces and the critical path."""

    def record(
        self, pc: int, thread: int, pes: np.ndarray, begin: np.ndarray, end: np.ndarray, cause: np.ndarray
    ) -> None:
        """`pes` were busy with the operation at `pc` on `thread` from `begin` to `end`.

        `cause` is the PE whose message (or place freed) decided each end, the PE itself when nobody else's did.
        """
        ...


class HostSide(Protocol):
    """Is told when PEs begin and end a repetition, by number, and may read and write their memories then."""

    def begin(self, repetition: int, pes: np.ndarray) -> None: ...

    def end(self, repetition: int, pes: np.ndarray) -> None: ...


@dataclass(frozen=True)
class Loaded:
    """A program on a machine, ready to run. `memory` is None when only time is asked for."""

    program: Program
    machine: Machine
    placement: Placement
    code: Code
    memory: Memory | None
    kernels: KernelProvider
    recorder: Recorder | None = None
    progress: ProgressShare | None = None


class Engine(Protocol):
    """Runs a loaded program.

    Attributes:
        clocks: time at which each PE's main thread ended each repetition, [repetitions, PEs].
        link_words: words that went over each link, by router * 6 + link (see `routing`).
    """

    @property
    def clocks(self) -> np.ndarray: ...

    @property
    def link_words(self) -> np.ndarray: ...

    @property
    def accounting(self) -> Accounting: ...

    def run(self, repeat: int = 1, host: HostSide | None = None) -> None:
        """Runs the program `repeat` times back to back from time 0; memory stays as it was, but for what `host` does.

        A PE begins its next repetition when it is through with the one before, without waiting for others.

        Raises:
            TargetError: PEs wait for each other for ever, words are left that nobody takes, and the like.
        """
        ...
