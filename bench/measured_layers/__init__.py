"""Layers as hand-written programs of a wafer execute them, for `bench/layers.py`; see `docs/measured-layers.md`."""
