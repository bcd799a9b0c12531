"""The option that says whether runs check indices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..passes.infra.diagnostics import CompilerError, shown


def checks_indices(options: Mapping[str, Any]) -> bool:
    """Whether a run reports indices that are out of range: the option `check_indices`, else yes.

    Raises:
        CompilerError: that is neither True nor False.
    """
    given = options.get("check_indices")
    if not (given is None or isinstance(given, bool) or (isinstance(given, int) and given in (0, 1))):
        raise CompilerError(f"check_indices is {shown(given)}, neither True nor False")
    return given is None or bool(given)
