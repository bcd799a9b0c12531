"""Whether anybody else could have written a file: files of machine code are executed, so that decides whether to.

The way to a file counts as much as the file: who can write to a folder can put another file, or another folder, in the
place of what is there. In a folder with the sticky bit, as /tmp, only the owner of an entry can.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Sequence
from pathlib import Path

_MOST_LINKS = 40
_ROOT = 0
_ACCESS_LIST = "system.posix_acl_access"


def exposure(path: str | os.PathLike[str], opened: os.stat_result | None = None) -> str:
    """Why somebody else than this user and root could have written a file or folder; "" if nobody could.

    Links are followed, and every folder that is met is looked at; what does not exist was written by nobody.

    Args:
        opened: what `fstat` said when the path was opened, for the file may have been replaced or removed since.
    """
    folder, rest = Path("/"), _parts(os.path.join(os.getcwd(), os.fspath(path)))
    links, shared = 0, ""
    status = os.lstat(folder)
    while rest:
        name, rest = rest[0], rest[1:]
        if name == "..":
            folder = folder.parent
            continue
        shared = _folder_exposure(folder)
        if shared and not os.stat(folder).st_mode & stat.S_ISVTX:
            return shared
        here = folder / name
        try:
            status = os.lstat(here)
        except OSError:
            return "" if opened is None else _exposed(Path(path), opened)
        if shared and status.st_uid not in (os.getuid(), _ROOT):
            return f"'{here}' belongs to {_user(status.st_uid)}, in a folder that others can write to"
        if stat.S_ISLNK(status.st_mode):
            links += 1
            if links > _MOST_LINKS:
                return f"'{path}' is a circle of links"
            target = os.readlink(here)
            folder, rest = (Path("/") if target.startswith("/") else folder), [*_parts(target), *rest]
            continue
        folder = here
    return _exposed(folder, status) if opened is None else _exposed(Path(path), opened)


def _parts(path: str) -> Sequence[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _folder_exposure(folder: Path) -> str:
    try:
        return _exposed(folder, os.stat(folder))
    except OSError as error:
        return f"'{folder}' cannot be looked at: {error.strerror}"


def _exposed(path: Path, status: os.stat_result) -> str:
    if status.st_uid not in (os.getuid(), _ROOT):
        return f"'{path}' belongs to {_user(status.st_uid)}"
    if status.st_mode & stat.S_IWOTH:
        return f"'{path}' can be written by everybody"
    if status.st_mode & stat.S_IWGRP and not _is_own_group(path, status.st_gid):
        return f"'{path}' can be written by a group"
    return ""


def _is_own_group(path: Path, group: int) -> bool:
    """Whether this is the group that many systems make for each user, with that user alone in it."""
    with contextlib.suppress(KeyError, OSError):
        if _ACCESS_LIST in os.listxattr(path):  # then the group's bits stand for whoever is in the list
            return False
        user, found = pwd.getpwuid(os.getuid()), grp.getgrgid(group)
        alone = set(found.gr_mem) <= {user.pw_name}
        return alone and found.gr_name == user.pw_name and user.pw_gid == group
    return False


def _user(uid: int) -> str:
    try:
        return f"the user '{pwd.getpwuid(uid).pw_name}'"
    except KeyError:
        return f"the user with number {uid}"
