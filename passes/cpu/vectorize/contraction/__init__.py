"""Contractions on the CPU: products that are summed up, as matrix products and convolutions are."""
