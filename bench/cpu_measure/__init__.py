"""How `bench/cpu.py` measures: who runs a model, in which order, on what machine."""
