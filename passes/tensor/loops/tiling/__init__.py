"""Tiles of structured operations: index arithmetic, the operands' slices, loops, producers."""
