"""What all cores share in one run of a program."""

from __future__ import annotations

import numpy as np

from ...instructions import Access, Receive, Send, Transfer, Vector
from ..accounting import Accounting
from ..cost import TimingModel
from ..engine import HostSide, Loaded
from .fabric import Fabric
from .memories import Pendings
from .routes import Routes


class Run:
    """One run: the loaded program, its fabric and routes, costs and accounts.

    Attributes:
        memories: what PEs do to their memories, None when only time is asked for.
        repeat: how many repetitions.
        host: is told when they begin and end.
    """

    def __init__(
        self, loaded: Loaded, routes: Routes, fabric: Fabric, repeat: int, host: HostSide | None = None
    ) -> None:
        self.loaded = loaded
        self.machine = loaded.machine
        self.placement = loaded.placement
        self.code = loaded.code
        self.routes = routes
        self.fabric = fabric
        self.repeat = repeat
        self.host = host
        self.cost = TimingModel(loaded.machine)
        self.dtypes = {name: b.dtype for name, b in loaded.program.buffers.items()}
        self.accounting = Accounting(loaded.code, loaded.placement.count, self.dtypes, repeat)
        memory = loaded.memory
        self.memories = None if memory is None else Pendings(loaded.code, memory, loaded.kernels)
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

    def dtype(self, op: Transfer) -> str:
        """Element type of a transfer's message, as far as its own operands tell."""
        access: Access | None
        access = op.src if isinstance(op, Send) else op.dst if isinstance(op, Receive) else op.own or op.dst
        return self.dtypes[access.buffer] if access else "f32"
