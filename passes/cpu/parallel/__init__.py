"""Nests of independent loops: which there are, how threads share them, and how they become functions of a chunk."""
