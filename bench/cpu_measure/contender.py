"""What takes part in a measurement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch


class Absent(Exception):
    """A contender that cannot take part.

    Args:
        word: why, in a word for the table; why: in full, for the JSON.
    """

    def __init__(self, word: str, why: str = "") -> None:
        super().__init__(why or word)
        self.word = word


@dataclass
class Contender:
    """Something that runs a model.

    Attributes:
        run: one call; inputs are ready, outputs are where a user finds them.
        outputs: the model's outputs of one call, state left out.
        facts: what is known beyond times, ready for JSON.
    """

    name: str
    run: Callable[[], object]
    outputs: Callable[[], Sequence[torch.Tensor]]
    facts: dict[str, Any] = field(default_factory=dict)


def as_tuple(outputs: Any) -> tuple[torch.Tensor, ...]:
    """Outputs of a model that returns one tensor or several."""
    return tuple(outputs) if isinstance(outputs, (tuple, list)) else (outputs,)
