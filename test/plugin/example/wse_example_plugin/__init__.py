"""A package that extends wse-mlir from outside: a pass, a dialect and a machine."""

from pathlib import Path


def corner() -> Path:
    """The file of the machine `example-corner`."""
    return Path(__file__).parent / "corner.toml"
