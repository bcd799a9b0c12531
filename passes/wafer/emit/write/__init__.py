"""Writes plain image data as IR of the executable stage; `wse_mlir/runtime/wafer/image_builder.py` is the way back."""
