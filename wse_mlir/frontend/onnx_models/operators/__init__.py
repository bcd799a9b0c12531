"""ONNX operators as functions on PyTorch tensors, in files by what they do; importing this registers all."""

from . import (  # noqa: F401
    control,
    deformable,
    elementwise,
    images,
    indexing,
    layouts,
    normalisation,
    products,
    quantisation,
    recurrent,
    reductions,
    resizing,
    sequences,
    signals,
    training,
    windows,
)
