"""The buffers that a compiled model mutates: where they are, and what is seen of them."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from ..frontend.signature import Argument
from ..runtime.arrays import as_array, as_tensor
from ..runtime.executable import Executable


class States:
    """The states of one compiled model: arrays that calls update in place, or values that its executable keeps.

    What the executable keeps is seen through *mirrors*: arrays that are made when somebody looks. As long as somebody
    has one (or a tensor on its memory), calls bring it up to date, and begin with what was written into it: it is the
    state, as an array of the other kind is. When nobody has it any more, the state stays where it is.
    """

    def __init__(self, arguments: Sequence[Argument], executable: Executable) -> None:
        self._executable = executable
        self._initial = {a.name: _data(a).clone() for a in arguments if a.kind == "state"}
        self._held = [name for name in self._initial if name in executable.held_states]
        self._mirrors: dict[str, np.ndarray] = {}
        # Of a state that is held elsewhere, what stands for it when the program is called.
        tensors = {
            name: value if name in self._held else value.clone() for name, value in self._initial.items()
        }
        self._tensors = {name: t for name, t in tensors.items() if name not in self._held}
        self.arrays = {name: as_array(value) for name, value in tensors.items()}
        for name in self._held:
            executable.write_state(name, self.arrays[name])

    def __len__(self) -> int:
        return len(self._initial)

    @property
    def initial(self) -> dict[str, np.ndarray]:
        """Values at compile time."""
        return {name: as_array(value) for name, value in self._initial.items()}

    def present(self) -> dict[str, np.ndarray]:
        """Values now, by name; to be read only."""
        return {
            name: self._mirror(name) if name in self._held else array for name, array in self.arrays.items()
        }

    def tensors(self) -> dict[str, torch.Tensor]:
        """The states, by name, as tensors that each call updates."""
        return {
            name: as_tensor(self._mirror(name)) if name in self._held else self._tensors[name]
            for name in self._initial
        }

    def reset(self) -> None:
        """Gives all states their values at compile time."""
        for name, array in self.initial.items():
            if name not in self._held:
                np.copyto(self.arrays[name], array)
                continue
            self._executable.write_state(name, array)
            if name in self._mirrors:
                np.copyto(self._mirrors[name], array)

    @contextmanager
    def in_a_call(self) -> Iterator[None]:
        """Around a run of the executable: it begins with what mirrors hold, and they show what it leaves."""
        if not self._mirrors:
            yield
            return
        seen: dict[str, weakref.ref[np.ndarray]] = {}
        while self._mirrors:
            name, mirror = self._mirrors.popitem()
            self._executable.write_state(name, mirror)
            seen[name] = weakref.ref(mirror)
            del mirror
        try:
            yield
        finally:
            for name, reference in seen.items():
                mirror = reference()
                if mirror is not None:
                    np.copyto(mirror, self._read(name))
                    self._mirrors[name] = mirror

    def _mirror(self, name: str) -> np.ndarray:
        """The mirror of a state; kept until the next call, which sees what is written into it."""
        if name not in self._mirrors:
            self._mirrors[name] = self._read(name)
        return self._mirrors[name]

    def _read(self, name: str) -> np.ndarray:
        """The present value, in an array that owns its memory: views of it keep it alive."""
        value, dtype = self._executable.read_state(name), self.arrays[name].dtype
        return value if value.dtype == dtype else value.view(dtype).copy()


def _data(argument: Argument) -> torch.Tensor:
    assert argument.tensor is not None, "checked before the target was asked to build"
    return argument.tensor
