"""Convolutions over images between whose elements zeros lie: what `wse-transposed-convolutions` is made of."""
