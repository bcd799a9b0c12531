"""Loops over vectors for everything that is no product: order, lanes, blocks and edges."""
