"""The wavelet engine's main loop."""

from __future__ import annotations

import numpy as np

from ..accounting import Accounting
from ..engine import HostSide, Loaded
from .cores import Core
from .deadlock import left_over, stuck
from .fabric import Fabric
from .operations import EXECUTE
from .routes import Routes
from .run import Run


class WaveletEngine:
    """See `sim.engine.Engine`."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._routes = Routes(loaded.program, loaded.machine, loaded.placement, loaded.code)
        self.accounting = Accounting(loaded.code, loaded.placement.count, {})
        self.clocks = np.zeros((0, loaded.placement.count))

    @property
    def link_words(self) -> np.ndarray:
        """See `sim.engine.Engine`."""
        return np.array([link.words for link in self._routes.links], np.int64)

    def run(self, repeat: int = 1, host: HostSide | None = None) -> None:
        """See `sim.engine.Engine.run`."""
        loaded = self._loaded
        fabric = Fabric(loaded.machine.fabric.cycles_per_wavelet)
        self._routes.reset(fabric)
        run = Run(loaded, self._routes, fabric, repeat, host)
        if host is not None:
            host.begin(0, np.arange(loaded.placement.count))
        cores = [
            Core(run, pe, entry, EXECUTE)
            for entry, (first, last) in zip(loaded.code.entry, loaded.placement.ranges, strict=True)
            for pe in range(first, last)
        ]
        for core in cores:
            fabric.schedule(0.0, core)
        fabric.run()
        if run.memories is not None:
            run.memories.settle_all()
        if not all(core.halted and not core.busy for core in cores):
            raise stuck(cores, run)
        left_over(self._routes, loaded.placement)
        self.accounting = run.accounting
        self.clocks = np.array([core.ends for core in cores]).reshape(len(cores), repeat).T
