"""What `wse-reduce` is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """The command line; the fields are its options (see `--help`)."""

    file: str
    test: str | None
    pipeline: str | None
    pass_pipeline: str | None
    message: str | None
    out: Path | None
    keep_locations: bool
    load: tuple[str, ...]
    irdl_files: tuple[str, ...]
    allow_unregistered: bool
    max_tests: int | None
    timeout: float | None
