"""The flow engine: vectorised over the grid, message by message."""
