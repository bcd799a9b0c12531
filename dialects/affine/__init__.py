"""Affine expressions and maps: what they depend on, their values, their linear parts, and maps made from others."""
