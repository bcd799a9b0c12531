"""Tensors to buffers: in-place analysis, emission in destination-passing style, lifetimes, the arena."""
