"""How deep MLIR text is nested. Upstream's parser, verifier and printer call themselves at every level, and where the
stack ends they take the process along (at some 4,000 regions, or 10,000 brackets of an attribute)."""

from __future__ import annotations

import re

import numpy as np

from ..wse_target.errors import CompilerError

# Far beyond what programs need, and far below what a stack holds, of a thread other than the main one too.
LIMIT = 500

_SILENT = re.compile(r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"|//[^\n]*+|->|[<>]=')
_STEPS = np.zeros(256, np.int8)
_STEPS[list(b"([{<")] = 1
_STEPS[list(b")]}>")] = -1
_NEGATIONS = re.compile(rf"(?:-\s*+){{{LIMIT}}}")
_ALIAS = re.compile(r"^[ \t]*+([#!][\w.$-]++)\s*+=", re.MULTILINE)
_REFERENCE = re.compile(r"[#!][\w.$-]++")


def check_nesting(text: str, file: str) -> None:
    """Refuses text that is nested so deep that parsing it could end the process.

    What counts is brackets of all kinds, aliases that are made of each other, and signs in front of signs.

    Args:
        file: what messages call the text.

    Raises:
        CompilerError: it is; `where` is FILE:LINE.
    """
    if sum(map(text.count, "([{<-#!")) <= LIMIT:
        return
    bare = _SILENT.sub("", text)
    if _negations_or_brackets(bare) is None and _long_chain(bare) is None:
        return
    # Once more, with all that is left out at its length, so that places are those of the text.
    bare = _SILENT.sub(lambda silent: re.sub(r"[^\n]", " ", silent[0]), text)
    at = _negations_or_brackets(bare)
    at = _long_chain(bare) if at is None else at
    raise CompilerError(
        f"this is nested more than {LIMIT} levels deep",
        where=f"{file}:{text.count(chr(10), 0, at) + 1}",
        hint="brackets, aliases made of aliases and signs before signs count; upstream's parser would run out of stack",
    )


def _negations_or_brackets(bare: str) -> int | None:
    """Where the first bracket or sign is that goes beyond the limit."""
    steps = _STEPS[np.frombuffer(bare.encode("latin-1", "replace"), np.uint8)]
    places = np.flatnonzero(steps)
    level = np.cumsum(steps[places], dtype=np.int32)
    level -= np.minimum(np.minimum.accumulate(level), 0)  # what closes nothing takes nothing away
    if level.max(initial=0) > LIMIT:
        return int(places[np.argmax(level > LIMIT)])
    signs = _NEGATIONS.search(bare) if bare.count("-") > LIMIT else None
    return signs.start() if signs else None


def _long_chain(bare: str) -> int | None:
    """Where an alias is defined that is made of a chain of others beyond the limit."""
    starts = list(_ALIAS.finditer(bare))
    if len(starts) <= LIMIT:
        return None
    depths: dict[str, int] = {}
    ends = [match.start() for match in starts[1:]] + [len(bare)]
    for start, end in zip(starts, ends, strict=True):
        used = _REFERENCE.findall(bare, start.end(), end)
        depth = 1 + max((depths.get(name, 0) for name in used), default=0)
        if depth > LIMIT:
            return start.start()
        depths[start[1]] = depth
    return None
