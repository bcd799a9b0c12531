"""`torch.compile(model, backend="wse_mlir")`: graphs that AOTAutograd makes, compiled for the CPU."""
