"""A folder of entries, shared by processes: each entry is one container file that is written whole or not at all.

Entries hold machine code, so only what the user alone can have written is trusted (see `saved/ownership.py`). Readers
need no lock: an entry is replaced by renaming, and one that is removed while it is read stays readable. The least
recently used go first when there is too much.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..artifacts.saved.container import Container, write_container
from ..artifacts.saved.ownership import exposure
from ..passes.infra.diagnostics import CompilerError

LOG = logging.getLogger(__name__)
_ENTRY = re.compile(r"(model|program)-[0-9a-f]{64}\.wse")
_KEPT_SHARE = 0.8  # of the limit, after making room: it is not made for every entry
_ABANDONED_SECONDS = 3600.0  # a temporary file of this age belongs to no writer any more


@dataclass(frozen=True)
class CacheEntry:
    """One file of a cache folder: its kind ("model" or "program"), bytes, and when it was used, in seconds."""

    path: Path
    kind: str
    size: int
    used: float


@dataclass
class CacheFolder:
    """Compiled code by key. Nothing that goes wrong here is an error: it is remarked, and compiling goes on.

    Attributes:
        path: the folder; it is made when it is first written to.
        limit: bytes that entries may take.
        remarks: what went wrong so far, for the report.
    """

    path: Path
    limit: int
    remarks: list[str] = field(default_factory=list)

    def read(self, kind: str, key: str) -> Container | None:
        """The entry of that key; None if there is none, or none that can be used."""
        path = self._file(kind, key)
        if not os.path.lexists(path):
            return None
        try:
            container = Container(path, "cache entry")
        except CompilerError as error:
            if path.exists():  # else another process made room
                self.discard(kind, key, error.message)
            return None
        exposed = exposure(path, container.status)
        if exposed:
            self.remark(f"'{path}' is ignored, because others could have written it: {exposed}")
            return None
        if container.document.get("key") != key:
            self.discard(kind, key, "it is the entry of another key")
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return container

    def write(
        self, kind: str, key: str, document: Mapping[str, Any], blocks: Mapping[str, bytes | np.ndarray]
    ) -> None:
        """Keeps an entry, in the place of one of the same key."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._is_trusted():
                return
            write_container(self._file(kind, key), {**document, "key": key}, blocks)
            self._make_room()
        except (OSError, CompilerError) as error:
            reason = error.message if isinstance(error, CompilerError) else error.strerror or error
            self.remark(f"nothing was kept in '{self.path}': {reason}")

    def discard(self, kind: str, key: str, reason: str) -> None:
        """Removes an entry that cannot be used."""
        path = self._file(kind, key)
        self.remark(f"'{path}' is ignored: {reason}")
        with contextlib.suppress(OSError):
            path.unlink()

    def remark(self, text: str) -> None:
        """Notes what went wrong, once for the report and once for the log."""
        self.remarks.append(text)
        LOG.warning("compile cache: %s", text)

    def entries(self) -> list[CacheEntry]:
        """All entries, the least recently used first."""
        found = []
        with contextlib.suppress(OSError), os.scandir(self.path) as files:
            for file in files:
                if _ENTRY.fullmatch(file.name):
                    with contextlib.suppress(OSError):
                        status = file.stat(follow_symlinks=False)
                        kind = file.name.partition("-")[0]
                        found.append(CacheEntry(Path(file.path), kind, status.st_size, status.st_mtime))
        return sorted(found, key=lambda entry: (entry.used, entry.path))

    def clear(self) -> int:
        """Removes all entries, and what writers have left unfinished; returns how many entries there were."""
        self._sweep(0.0)
        return sum(_removed(entry.path) for entry in self.entries())

    def _make_room(self) -> None:
        entries = self.entries()
        total = sum(entry.size for entry in entries)
        if total <= self.limit:
            return
        self._sweep(_ABANDONED_SECONDS)
        for entry in entries:
            if total <= _KEPT_SHARE * self.limit:
                return
            total -= entry.size if _removed(entry.path) else 0

    def _sweep(self, age: float) -> None:
        """Removes what writers that were killed have left."""
        for file in self.path.glob(".*.wse.*"):
            if _age(file) >= age:
                _removed(file)

    def _is_trusted(self) -> bool:
        exposed = exposure(self.path) or ("" if self.path.is_dir() else f"'{self.path}' is not a folder")
        if exposed:
            self.remark(f"'{self.path}' is not used, because others could write to it: {exposed}")
        return not exposed

    def _file(self, kind: str, key: str) -> Path:
        return self.path / f"{kind}-{key}.wse"


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _removed(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True
