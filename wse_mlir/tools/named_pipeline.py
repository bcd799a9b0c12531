"""A named pipeline as a script: `python -m wse_mlir.tools.named_pipeline NAME [wse-opt's flags and FILE]`."""

from __future__ import annotations

import sys

from .wse_opt import main as wse_opt


def main(argv: list[str] | None = None) -> int:
    """Runs the pipeline of that name as `wse-opt` does; prints it with flags alone."""
    words = sys.argv[1:] if argv is None else argv
    if not words or words[0].startswith("-"):
        return wse_opt(["--print-pipeline", *words])
    return wse_opt([f"--pipeline={words[0]}", *words[1:]])


if __name__ == "__main__":
    sys.exit(main())
