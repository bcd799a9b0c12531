"""The weights of a library: which tensors are stored once and where, and the file that holds them.

The file is a header of 64 bytes (`wse_weights_header` in runtime/structures.h) and the data, every tensor on a
multiple of 64 bytes. Embedded weights are the same bytes in the library's read-only data.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch

from ...frontend.mlir_values import NO_DATA_HINT
from ...frontend.signature import Argument
from ...passes.infra.diagnostics import CompilerError
from ...runtime.arrays import as_array

MAGIC = b"WSEWTS\r\n"
VERSION = 1
ALIGNMENT = 64  # bytes; a cache line, and the widest vector
HEADER_SIZE = 64
_CHUNK = 1 << 14  # words of a checksum's step, which stay in the cache
_FALLING = np.arange(_CHUNK, 0, -1, dtype=np.uint64)


@dataclass(frozen=True)
class Slot:
    """Where a tensor is stored.

    Attributes:
        offset: in the weights, in bytes; None for a state that begins as zeros, which needs no space there.
        bytes: its size.
        place: of a state: offset in the memory that holds the states.
    """

    offset: int | None
    bytes: int
    place: int = 0


@dataclass(frozen=True)
class Binding:
    """What an argument of a function is bound to: one of the parameters' or of the states' slots."""

    kind: Literal["parameter", "state"]
    slot: int


@dataclass
class WeightLayout:
    """All tensors of a library, each stored once.

    Attributes:
        parameters / states: their slots.
        state_bytes: memory that the states take.
        size: of the file, in bytes.
    """

    parameters: list[Slot] = field(default_factory=list)
    states: list[Slot] = field(default_factory=list)
    state_bytes: int = 0
    size: int = HEADER_SIZE
    _stored: list[np.ndarray] = field(default_factory=list)
    _described: list[str] = field(default_factory=list)

    def add(self, argument: Argument, array: np.ndarray, kind: Literal["parameter", "state"]) -> Binding:
        """Gives a tensor a slot of its own."""
        slots = self.parameters if kind == "parameter" else self.states
        place = self.state_bytes if kind == "state" else 0
        if kind == "state":
            self.state_bytes += aligned(array.nbytes)
        offset = None if kind == "state" and _is_zero(array) else self._store(array)
        slots.append(Slot(offset, array.nbytes, place))
        self._described.append(f"{kind} {argument.name} {argument.dtype} {list(argument.shape)} {offset}")
        return Binding(kind, len(slots) - 1)

    def _store(self, array: np.ndarray) -> int:
        offset = self.size
        self._stored.append(array)
        self.size += aligned(array.nbytes)
        return offset

    @property
    def fingerprint(self) -> bytes:
        """16 bytes that tell weights of one layout from others: names, shapes, types and places, not values."""
        return hashlib.blake2b("\n".join(self._described).encode(), digest_size=16).digest()

    def write(self, path: Path) -> None:
        """Writes the file; the arrays go from where they are to the disk."""
        with path.open("wb") as file:
            file.write(bytes(HEADER_SIZE))
            for chunk in self._bytes():
                file.write(chunk)
            file.seek(0)
            file.write(self._header())

    def _bytes(self) -> Iterator[memoryview | bytes]:
        for array in self._stored:
            yield _memory(array)
            yield bytes(-array.nbytes % ALIGNMENT)

    def _header(self) -> bytes:
        checksum = _checksum(self._stored)
        header = struct.pack("<8sIIQ", MAGIC, VERSION, HEADER_SIZE, self.size)
        return (header + self.fingerprint + struct.pack("<QQ", *checksum)).ljust(HEADER_SIZE, b"\0")


def lay_out(functions: Sequence[Sequence[Argument]]) -> tuple[WeightLayout, list[list[Binding | None]]]:
    """Places the parameters and states of all functions.

    Tensors on the same storage share a slot, and parameters of several functions that have the same values. What one
    function changes is a state for all of them.

    Returns:
        The layout, and for every argument of every function what it is bound to; None for inputs.

    Raises:
        CompilerError: a parameter or state has no data, or a state is a part of another tensor.
    """
    layout = WeightLayout()
    bound = [a for arguments in functions for a in arguments if a.kind != "input"]
    changed = {_storage(a) for a in bound if a.kind == "state"}
    _check_states_apart(bound, changed)
    known: dict[object, Binding] = {}

    def bind(argument: Argument) -> Binding | None:
        if argument.kind == "input":
            return None
        storage = _storage(argument)
        if storage in known:
            return known[storage]
        array = as_array(_data(argument))
        if storage in changed:
            binding = layout.add(argument, array, "state")
        else:
            content = _content(array) if len(functions) > 1 else storage
            binding = known.get(content) or layout.add(argument, array, "parameter")
            known[content] = binding
        known[storage] = binding
        return binding

    return layout, [[bind(argument) for argument in arguments] for arguments in functions]


def _check_states_apart(bound: Sequence[Argument], changed: Container[object]) -> None:
    """Two views of the same memory would become two tensors, of which one is changed and the other one is not."""
    spans: dict[object, tuple[int, int, Argument]] = {}
    for argument in bound:
        tensor = _data(argument)
        if tensor.numel():
            last = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
            end = tensor.data_ptr() + (last + 1) * tensor.element_size()
            spans[_storage(argument)] = (tensor.data_ptr(), end, argument)
    reached: tuple[int, object, Argument] | None = None
    for storage, (start, end, argument) in sorted(spans.items(), key=lambda item: item[1][:2]):
        if reached and start < reached[0] and (storage in changed or reached[1] in changed):
            raise CompilerError(
                f"'{reached[2].name}' and '{argument.name}' share memory, but are not the same tensor, and one of "
                "them is a state",
                hint="use the same buffer in all functions, and take views of it inside of forward()",
            )
        if reached is None or end > reached[0]:
            reached = (end, storage, argument)


def _data(argument: Argument) -> torch.Tensor:
    if argument.tensor is None:
        raise CompilerError(
            f"{argument.kind} '{argument.name}' has no data, so no library can be made of the model",
            hint=NO_DATA_HINT,
        )
    return argument.tensor


def _storage(argument: Argument) -> object:
    tensor = _data(argument)
    if tensor.numel() == 0:
        return ("empty", argument.dtype, argument.shape)
    return (tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride())


def _content(array: np.ndarray) -> object:
    return (
        array.dtype.str,
        array.shape,
        hashlib.sha256(_memory(array)).digest(),
    )


def _memory(array: np.ndarray) -> memoryview:
    return memoryview(cast(Any, array.reshape(-1).view(np.uint8)))


def _is_zero(array: np.ndarray) -> bool:
    return not array.reshape(-1).view(np.uint8).any()


def aligned(size: int) -> int:
    """Bytes up to the next multiple of the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def _checksum(arrays: Sequence[np.ndarray]) -> tuple[int, int]:
    """Fletcher's checksum over words of 64 bits, modulo 2^64: the sum of the words, and of its values on the way."""
    total = totals = 0
    for array in arrays:
        flat = array.reshape(-1).view(np.uint8)
        whole = len(flat) // ALIGNMENT * ALIGNMENT
        rest = np.zeros(aligned(len(flat)) - whole, np.uint8)
        rest[: len(flat) - whole] = flat[whole:]
        for part in (flat[:whole], rest):
            for words in _chunks(part.view("<u8")):
                totals += len(words) * total + int(np.dot(_FALLING[-len(words) :], words))
                total += int(words.sum(dtype=np.uint64))
    return total % 2**64, totals % 2**64


def _chunks(words: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(words), _CHUNK):
        yield words[start : start + _CHUNK]
