"""Layers as hand-written programs of a wafer execute them: `bench/layers.py` simulates them, `docs/measured-layers.md` explains."""
