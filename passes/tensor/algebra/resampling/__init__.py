"""Interpolation by computed indices: what `wse-separate-resampling` is made of."""
