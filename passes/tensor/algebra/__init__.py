"""Products written as sums that cost less: resampling by dimension, transposed convolutions by phase, reciprocals."""
