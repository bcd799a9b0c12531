"""The library: collectives and matrix products as programs of lines of PEs; importing it registers its algorithms."""

from . import collectives, products

__all__ = ["collectives", "products"]
