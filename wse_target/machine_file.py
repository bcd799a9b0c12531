"""Machine files: where they are found, and errors that point at a line of their text."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from pydantic import ValidationError

from .errors import TargetError
from .machine import Machine, machine_from, machine_in_memory, with_settings
from .machine_problems import describe_problem
from .machine_settings import split_target

MACHINES = Path(__file__).parent / "machines"
ENTRY_POINTS = "wse_mlir.targets"
_registered: dict[str, Path] = {}


def register_machine_path(name: str, path: str | Path) -> None:
    """Makes the machine file at `path` known as `name`, for `--load`ed plugins; the latest registration counts."""
    _registered[name] = Path(path)


def available_machines() -> dict[str, Path | EntryPoint]:
    """Machine files by name: registered ones, those of installed plugins, the built-in ones.

    An entry point of the group `wse_mlir.targets` is a path, or a function without arguments that returns one; it
    is loaded when its machine is read.
    """
    found: dict[str, Path | EntryPoint] = {path.stem: path for path in sorted(MACHINES.glob("*.toml"))}
    return found | _installed() | _registered


@cache
def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda e: e.name)}


def _path_of(place: Path | EntryPoint) -> Path:
    """The file that a plugin gives, or the path itself."""
    if isinstance(place, Path):
        return place
    try:
        loaded = place.load()
        return Path(loaded() if callable(loaded) else loaded)  # type: ignore[arg-type]
    except Exception as error:  # whatever a plugin's code raises
        raise TargetError(
            f"the plugin that provides the machine '{place.name}' fails: {type(error).__name__}: {error}",
            where=place.value,
            hint="the entry point must be a path or a function that returns one",
        ) from error


def _find(target: str) -> Path:
    known = available_machines()
    if target in known:
        return _path_of(known[target])
    if target.endswith(".toml") or "/" in target:
        return Path(target)
    close = get_close_matches(target, known, n=1)
    meant = f"did you mean '{close[0]}'? " if close else ""
    raise TargetError(
        f"there is no machine '{target}'",
        hint=f"{meant}machines: {', '.join(sorted(known))}; or the path of a .toml file",
    )


def machine_text(target: str) -> str:
    """The text of a machine's file, which has been read before."""
    return _find(target).read_text(encoding="utf-8-sig")


def load_machine(target: str | os.PathLike[str]) -> Machine:
    """The machine called `target`, or the one described by the file at that path.

    Raises:
        TargetError: no such machine, or a broken file; names the file, the line, the key and what is expected.
    """
    target = os.fspath(target)
    in_memory = machine_in_memory(target)
    if in_memory is not None:
        return in_memory
    base, settings = split_target(target)
    if settings:
        return with_settings(load_machine(base), settings)
    path = _find(target)
    try:
        stat = path.stat()
        return _read(path, stat.st_mtime_ns, stat.st_size, target)
    except OSError as error:
        raise TargetError(f"cannot read the machine file '{path}': {error.strerror}") from None
    except ValueError as error:  # a path that no file can have
        raise TargetError(f"cannot read the machine file {str(path)!r}: {error}") from None


@lru_cache(maxsize=32)
def _read(path: Path, modified: int, size: int, target: str) -> Machine:
    """Reads and checks one file; the time and size are there to notice changes, `target` is how it was named."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TargetError(
            f"not a text file: byte 0x{data[error.start]:02x} is not UTF-8", where=f"{path.name}:{line}"
        ) from None
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found.group(1)) if found else len(text.splitlines())
        raise TargetError(f"not valid TOML: {error}", where=f"{path.name}:{line}") from None
    except RecursionError:
        raise TargetError(
            "not a machine file: arrays or tables are nested too deep", where=path.name
        ) from None
    except ValueError:
        raise TargetError("not a machine file: a number has thousands of digits", where=path.name) from None
    try:
        return machine_from(raw).named(target)
    except ValidationError as error:
        raise _located(error, path.name, text) from None


def _located(error: ValidationError, file: str, text: str) -> TargetError:
    """One error for a whole validation: the first problem, and a note for each further one."""
    # A misspelt key is also a missing one: what is there comes before what is not.
    items = sorted(
        (
            (
                item["type"] == "missing",
                _line_of(text, [str(part) for part in item["loc"]]),
                describe_problem(item, Machine),
            )
        )
        for item in error.errors(include_url=False)
    )
    (_, line, first), rest = items[0], items[1:8]
    notes = tuple(f"{file}:{at}: {what}" for _, at, what in rest)
    return TargetError(
        first, where=f"{file}:{line}", notes=notes, hint="docs/machine-files.md lists the keys"
    )


def _line_of(text: str, path: Sequence[str]) -> int:
    """The line of the key at `path`, or of the nearest enclosing table; 1 when nothing of it is there."""
    best, best_depth, table = 1, 0, []
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line)
        key = re.match(r"\s*([A-Za-z0-9_.\-\"']+)\s*=", line)
        if header:
            table = _parts(header.group(1))
            here = table
        elif key:
            here = [*table, *_parts(key.group(1))]
        else:
            continue
        depth = len(here) if list(path[: len(here)]) == here else 0
        if depth > best_depth:
            best, best_depth = number, depth
    return best


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]
