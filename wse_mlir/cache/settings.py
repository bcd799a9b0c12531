"""Which cache folder is used, by argument and environment.

WSE_CACHE=0 switches the cache off, WSE_CACHE_DIR names its folder, WSE_CACHE_LIMIT its size in MiB (1024 by default).
"""

from __future__ import annotations

import os
from pathlib import Path

from ..passes.infra.diagnostics import CompilerError, shown
from .folder import CacheFolder

CacheChoice = bool | str | os.PathLike[str] | None
_DEFAULT_LIMIT = 1024


def open_cache(choice: CacheChoice = None) -> CacheFolder | None:
    """The cache folder to use, or None for none.

    Args:
        choice: True for the default folder, False for no cache, a folder; None leaves it to the environment.

    Raises:
        CompilerError: the choice or WSE_CACHE_LIMIT is none of these.
    """
    if choice is None:
        choice = os.environ.get("WSE_CACHE", "1").strip().lower() not in ("0", "off", "false", "no")
    if choice is False:
        return None
    if choice is True:
        return CacheFolder(default_folder(), _limit())
    text = os.fspath(choice) if isinstance(choice, (str, os.PathLike)) else ""
    if not text or "\0" in str(text):
        raise CompilerError(
            f"cache is {shown(choice)}, which is no choice", hint="give True, False or the path of a folder"
        )
    return CacheFolder(Path(text), _limit())


def default_folder() -> Path:
    """WSE_CACHE_DIR, or `wse-mlir` in the user's cache folder as the XDG base directory specification has it."""
    given = os.environ.get("WSE_CACHE_DIR")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification says that relative paths are to be ignored.
    return (Path(base) if os.path.isabs(base) else Path("~/.cache").expanduser()) / "wse-mlir"


def _limit() -> int:
    text = os.environ.get("WSE_CACHE_LIMIT", "") or str(_DEFAULT_LIMIT)
    if not text.isdecimal():
        raise CompilerError(f"WSE_CACHE_LIMIT={text} is not a number of MiB", hint="give a whole number")
    return int(text) << 20
