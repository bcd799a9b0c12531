"""Blocks of arguments: what one call of a compiled function writes and reads besides the tensors themselves.

A call takes a block that no other call uses and gives it back, so that threads do not wait for each other, and a
process that is forked in the middle of a call lacks nothing. Binding other parameters makes other blocks: calls that
have begun go on with what they have.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..arena import arena_array
from .descriptors import Descriptors

_KEPT = 16  # blocks, for as many threads; their temporary memory is kept with them


class Block(NamedTuple):
    """Of one call at a time.

    Attributes:
        words: the arguments' descriptors, as `descriptors` has them.
        run: runs the function on what the descriptors describe.
        own: temporary memory.
    """

    words: memoryview
    run: Callable[[], None]
    descriptors: Descriptors
    own: tuple[np.ndarray, ...]


class Pool(NamedTuple):
    """How blocks are had: `pop` raises `IndexError` where none is free, then `make` makes one; `give` takes it back."""

    pop: Callable[[], Block]
    give: Callable[[Block], None]
    make: Callable[[], Block]


class CallBlocks:
    """Blocks of one function with one set of bound arguments.

    Args:
        run_on: from the addresses of pointers to descriptors and of a status to what runs the function on them.
        ranks / returned: of its arguments, and of the buffers that it returns.
        shapes: of arguments whose shape no call changes, by position.
        arrays: the bound arguments.
        memory: bytes of the arguments that are temporary memory of a call.
        status: position of the argument that tells what a run found wrong; it lies behind the descriptors.
    """

    def __init__(
        self,
        run_on: Callable[[int, int], Callable[[], None]],
        ranks: Sequence[int],
        returned: Sequence[int],
        shapes: Mapping[int, tuple[int, ...]],
        arrays: Mapping[int, np.ndarray],
        memory: Mapping[int, int],
        status: int | None = None,
    ) -> None:
        self._run_on, self._ranks, self._returned = run_on, ranks, returned
        self._shapes, self._arrays, self._memory = shapes, arrays, memory
        self._status = status
        self._free: deque[Block] = deque(maxlen=_KEPT)

    @property
    def pool(self) -> Pool:
        """For calls; these keep all that they need."""
        return Pool(self._free.pop, self._free.append, self.make)

    def make(self) -> Block:
        """A block more.

        Raises:
            CompilerError: there is not enough memory.
        """
        descriptors = Descriptors(self._ranks, self._returned)
        for index, shape in self._shapes.items():
            descriptors.fix_shape(index, shape)
        for index, array in self._arrays.items():
            descriptors.set(index, array, keep=True)
        if self._status is not None:
            descriptors.tell_status(self._status)
        own = {index: arena_array(size) for index, size in self._memory.items()}
        for index, array in own.items():
            descriptors.set(index, array)
        run = self._run_on(descriptors.address, descriptors.status_address)
        return Block(descriptors.words, run, descriptors, tuple(own.values()))
