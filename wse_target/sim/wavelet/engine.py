"""The wavelet engine's main loop."""

from __future__ import annotations

from ..engine import Loaded


class WaveletEngine:
    """See `sim.engine.Engine`."""

    def __init__(self, loaded: Loaded) -> None:
        raise NotImplementedError
