"""What a compiled function is called with besides the model's arguments and results: prepared tensors and an arena.

No MLIR: a program that was loaded needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arena import aligned_array, arena_array
from ..checks import Check
from .jit import JitFunction, NativeModule

ArrayType = tuple[tuple[int, ...], np.dtype]


@dataclass(frozen=True)
class Provisions:
    """Arguments that the runtime provides: `@main(model's arguments..., status, prepared..., arena, outputs...)`.

    Attributes:
        prepare: the function that computes the prepared tensors: `@prepare(parameters..., arena, prepared...)`;
            empty when there are none.
        prepared: shape and element type of each.
        arena_bytes / prepare_arena_bytes: temporary memory of the function and of `prepare`; None where it takes none.
        checks: what a run checks, in the order that a status counts them; it takes a status if there are any.
        allocations: places in the model whose memory is allocated while it runs, as a status counts them.
    """

    prepare: str = ""
    prepared: tuple[ArrayType, ...] = ()
    arena_bytes: int | None = None
    prepare_arena_bytes: int | None = None
    checks: tuple[Check, ...] = ()
    allocations: tuple[str, ...] = ()

    @property
    def entries(self) -> tuple[str, ...]:
        """Functions that are called besides the main one."""
        return (self.prepare,) if self.prepare else ()

    @property
    def ranks(self) -> list[int]:
        """Ranks of the provided arguments, in order."""
        arena = [] if self.arena_bytes is None else [1]
        status = [1] if self.checks else []
        return status + [len(shape) for shape, _ in self.prepared] + arena


NO_PROVISIONS = Provisions()


class Preparation:
    """`@prepare` of a linked module, and the arrays that it fills; they stay where they are.

    Args:
        ranks: of the parameters.

    Attributes:
        arrays: the prepared tensors, on multiples of 64 bytes.
    """

    def __init__(self, native: NativeModule, provisions: Provisions, ranks: Sequence[int]) -> None:
        self.arrays = [aligned_array(shape, dtype) for shape, dtype in provisions.prepared]
        self._parameters = len(ranks)
        self._arena_bytes = provisions.prepare_arena_bytes
        arena = [] if self._arena_bytes is None else [1]
        outputs = [array.ndim for array in self.arrays]
        self._function = JitFunction(
            native, provisions.prepare, [*ranks, *arena, *outputs], allocations=provisions.allocations
        )

    def run(self, parameters: Sequence[np.ndarray]) -> None:
        """Fills the arrays for these values of the parameters."""
        extra = [] if self._arena_bytes is None else [arena_array(self._arena_bytes)]
        arguments = [*parameters, *extra, *self.arrays]
        assert len(parameters) == self._parameters, "one array for each parameter"
        self._function(list(enumerate(arguments)))
