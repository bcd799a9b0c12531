"""Elementary functions as arithmetic on vectors, with stated bounds of their errors."""
