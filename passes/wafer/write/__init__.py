"""Writes plain image data as IR of the executable stage; `pipelines/runtime/image_builder.py` is the way back."""
