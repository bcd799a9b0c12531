"""Ahead of time: libraries with a stable C interface, which need neither Python nor this package."""
