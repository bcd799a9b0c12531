"""What a run found wrong with its data: the status that compiled code writes, as an exception. No MLIR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..passes.infra.diagnostics import CompilerError
from .arena import OutOfMemory, out_of_memory

# Number of the check that failed, from 1, or 0; the two sides of its comparison. Or minus the number of the allocation
# that failed, from 1, and its bytes.
STATUS_WORDS = 3

CheckKind = Literal["front", "either-end", "division", "assertion"]


class CheckFailed(CompilerError, RuntimeError):
    """Something that a model asserts does not hold for the data of a call; its results were dropped."""


class IndexOutOfRange(CheckFailed, IndexError):
    """An index of a call is not one of the dimension that it was used for.

    Attributes:
        index: the value; size / dimension: of the dimension that was indexed.
    """

    index: int
    size: int
    dimension: int


class DivisionByZero(CheckFailed, ZeroDivisionError):
    """An integer of a call was divided by zero."""


@dataclass(frozen=True)
class Check:
    """Something that a run checks.

    Attributes:
        kind: an index counted from the front, or from either end; that no divisor is zero; or any other assertion.
        where: the place in the model.
        message: of an assertion.
        dimension: of the tensor that is indexed.
    """

    kind: CheckKind
    where: str
    message: str
    dimension: int

    def failure(self, left: int, right: int) -> CheckFailed:
        """The exception for the two sides of the comparison."""
        if self.kind == "assertion":
            return CheckFailed(f"an assertion of the model does not hold: {self.message}", where=self.where)
        if self.kind == "division":
            return DivisionByZero("an integer is divided by zero", where=self.where)
        from_end = self.kind == "either-end"
        size = right // 2 if from_end else right
        index = left - size if from_end else left
        least = -size if from_end else 0
        takes = f"which takes {least} to {size - 1}" if size else "which has no elements"
        error = IndexOutOfRange(
            f"index {index} is out of range for dimension {self.dimension} of size {size}, {takes}",
            where=self.where,
        )
        error.index, error.size, error.dimension = index, size, self.dimension
        return error


def new_status() -> np.ndarray:
    """Memory for a status."""
    return np.zeros(STATUS_WORDS, np.int64)


def failure_of(
    status: Sequence[int] | np.ndarray, checks: Sequence[Check], allocations: Sequence[str] = ()
) -> CheckFailed | OutOfMemory:
    """The exception for a status whose first word is not 0.

    Args:
        allocations: places in the model whose memory is allocated while it runs, see `wse-name-allocations`.
    """
    number, left, right = (int(word) for word in status)
    if number < 0:
        return out_of_memory(left, "what is computed here", allocations[-number - 1])
    return checks[number - 1].failure(left, right)
