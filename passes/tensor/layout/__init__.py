"""Orders of tensors' dimensions in memory: what `wse-channels-last` is made of."""
