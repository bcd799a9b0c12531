"""The parts of `wse-opt`: its command line, input, diagnostics and what it does with them."""
