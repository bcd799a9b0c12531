"""The engines by name."""

from __future__ import annotations

from .engine import Engine, EngineName, Loaded
from .flow.engine import FlowEngine
from .wavelet.engine import WaveletEngine


def make_engine(name: EngineName, loaded: Loaded) -> Engine:
    """The engine of that name; may refuse a program, see `routing.trace`."""
    return WaveletEngine(loaded) if name == "wavelet" else FlowEngine(loaded)
