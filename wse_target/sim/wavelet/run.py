"""What all cores share in one run of a program."""

from __future__ import annotations

import numpy as np

from ...image import Access, Receive, Relay, Send, Vector
from ..accounting import Accounting
from ..cost import CostModel
from ..engine import Loaded
from ..memory import Located
from .fabric import Fabric
from .routes import Routes
from .vectors import Vectors

Transferring = Send | Receive | Relay


class Run:
    """One run: the loaded program, its fabric and routes, costs and accounts.

    Attributes:
        vectors: arithmetic of vector operations, None when only time is asked for.
        repeat: how many repetitions.
    """

    def __init__(self, loaded: Loaded, routes: Routes, fabric: Fabric, repeat: int) -> None:
        self.loaded = loaded
        self.machine = loaded.machine
        self.placement = loaded.placement
        self.code = loaded.code
        self.routes = routes
        self.fabric = fabric
        self.repeat = repeat
        self.cost = CostModel(loaded.machine)
        self.dtypes = {name: b.dtype for name, b in loaded.program.buffers.items()}
        self.accounting = Accounting(loaded.code, loaded.placement.count, self.dtypes, repeat)
        memory = loaded.memory
        self.vectors = None if memory is None else Vectors(loaded.code, memory, loaded.kernels)
        self._ends = 0
        self._cycles: dict[tuple[int, tuple[int, ...]], float] = {}

    def vector_cycles(self, op: Vector, bounds: tuple[int, ...]) -> float:
        """Cycles of a vector operation."""
        key = (id(op), bounds)
        if key not in self._cycles:
            table = np.array([bounds], np.int64).reshape(1, len(bounds))
            self._cycles[key] = float(self.cost.vector(op, table, self.dtypes[op.dst.buffer], self.dtypes)[0])
        return self._cycles[key]

    def ended(self) -> None:
        """One more PE is through with a repetition."""
        self._ends += 1
        total = self.repeat * self.placement.count
        if self.loaded.progress and (self._ends % 64 == 0 or self._ends == total):
            self.loaded.progress(self._ends / total)

    def read(self, pes: np.ndarray, located: Located, bounds: tuple[int, ...]) -> np.ndarray:
        """Elements of one PE's memory in loop order, a copy."""
        self.settle(int(pes[0]))
        assert self.loaded.memory is not None
        return self.loaded.memory.read(located, bounds, pes).reshape(-1).copy()

    def write(
        self, pes: np.ndarray, combine: str, dst: Located, bounds: tuple[int, ...], data: np.ndarray
    ) -> None:
        """Stores elements in loop order on one PE, or combines what is there with them."""
        self.settle(int(pes[0]))
        memory, message = self.loaded.memory, data.reshape(1, *bounds)
        assert memory is not None
        kind, srcs = ("copy", [message]) if combine == "store" else (combine, [dst, message])
        memory.apply(self.loaded.kernels, kind, pes, bounds, dst, srcs)

    def settle(self, pe: int | None = None) -> None:
        """Brings a PE's memory up to date, or that of all."""
        if self.vectors is not None and (pe is None or self.vectors.waits(pe)):
            self.vectors.settle()

    def dtype(self, op: Transferring) -> str:
        """Element type of a transfer's message, as far as its own operands tell."""
        access: Access | None
        access = op.src if isinstance(op, Send) else op.dst if isinstance(op, Receive) else op.own or op.dst
        return self.dtypes[access.buffer] if access else "f32"
