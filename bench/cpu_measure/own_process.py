"""Work in a process of its own: it starts with a clean memory, and may crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LIMIT = 3600  # seconds of one process


def in_own_process(
    script: Path, work: str, options: Mapping[str, Any], folder: Path, threads: int = 1
) -> dict[str, Any]:
    """What `script --job WORK OPTIONS OUT` writes to the file OUT; a crash is a result with its last words."""
    out = folder / "result.json"
    out.unlink(missing_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, str(script), "--job", work, json.dumps(options), str(out)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        return {"failure": f"more than {_LIMIT} s"}
    if not out.exists():
        words = done.stderr.strip().splitlines()[-8:] or ["no message"]
        return {"failure": f"exit {done.returncode}: " + "\n".join(words)}
    return json.loads(out.read_text())
