"""wse-mlir: an ML compiler in Python on upstream MLIR, for wafer-scale engines and CPUs."""
