"""Matrix products on a grid of PEs; importing this package registers its algorithms."""
