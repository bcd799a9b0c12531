"""Convolutions over images between whose elements zeros lie: what `wse-subpixel-convolutions` is made of."""
