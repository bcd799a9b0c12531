"""Distributed matrix products; importing this package registers its algorithms."""

from . import matvec, ring_products, summa_products

__all__ = ["matvec", "ring_products", "summa_products"]
