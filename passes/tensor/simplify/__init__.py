"""Operations and tensors that need not be: dimensions of size one, dead taps of windows, copies between operations."""
