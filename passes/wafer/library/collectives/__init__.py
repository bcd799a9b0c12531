"""Collective communication along lines of PEs; importing this package registers its algorithms."""
