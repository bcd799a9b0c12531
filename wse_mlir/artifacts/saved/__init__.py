"""Compiled models in files: `Compiled.save` and `wse_mlir.load`. No file of these can run Python code."""
