"""ONNX models: read, checked, and traced into graphs of PyTorch's operators."""
