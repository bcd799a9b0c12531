"""Copies between operations as maps: how a value that was reshaped and copied reads from what it was made of."""
