"""Calls of compiled functions without detours: pointers are written into descriptors, and native code runs.

A model whose sizes are all known and that takes and returns plain tensors needs nothing else. What is checked is what
would make native code read memory that is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Any

import ml_dtypes
import numpy as np
import torch
from torch._C._dynamo import guards

from ..arena import OutOfMemory
from ..arrays import numpy_dtype
from ..checks import CheckFailed
from .jit import JitFunction
from .large_outputs import Allocate, allocator_for

_TENSORS = (torch.Tensor, torch.nn.Parameter)  # types, not their subclasses: those may do anything
_BF16 = np.dtype(ml_dtypes.bfloat16)
Quick = Callable[[tuple[Any, ...]], list[torch.Tensor] | None]


def _empty_strided(shape: tuple[int, ...], strides: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    return torch.empty_strided(shape, strides, dtype=dtype, device="cpu")


# What TorchInductor's code calls: allocates in half of the time, without the dispatcher.
_new_tensor = getattr(guards, "_empty_strided_cpu", _empty_strided)


@dataclass(frozen=True)
class ContiguousType:
    """Shape and element type of a tensor that is C-contiguous."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def strides(self) -> tuple[int, ...]:
        strides = [1]
        for size in reversed(self.shape[1:]):
            strides.append(strides[-1] * max(size, 1))
        return tuple(reversed(strides)) if self.shape else ()


class DirectCall:
    """Calls a function with tensors, or with arrays, by position.

    Args:
        inputs / outputs: position among the function's arguments and type of each; all other arguments are bound.
    """

    def __init__(
        self,
        function: JitFunction,
        inputs: Sequence[tuple[int, ContiguousType]],
        outputs: Sequence[tuple[int, ContiguousType]],
    ) -> None:
        places = [function.fix_shape(position, kind.shape) for position, kind in (*inputs, *outputs)]
        self._places = places
        self._count = len(inputs)
        self._function = function
        self._inputs = [
            (torch.Size(kind.shape), kind.dtype, torch.Size(kind.shape).numel() == 1) for _, kind in inputs
        ]
        self._outputs = [(kind.shape, kind.strides, kind.dtype) for _, kind in outputs]
        self._allocators = [allocator_for(kind.shape, kind.dtype, _new_tensor) for _, kind in outputs]
        self._input_arrays = [(kind.shape, numpy_dtype(kind.dtype)) for _, kind in inputs]
        self._output_arrays = [(kind.shape, numpy_dtype(kind.dtype)) for _, kind in outputs]
        kinds = {dtype for _, dtype in (*self._input_arrays, *self._output_arrays)}
        self._takes_arrays = bool(inputs) and not kinds & {None, _BF16}
        self._quick = _quick_call(function, places, self._inputs, self._outputs, self._allocators)

    def __call__(self, args: tuple[Any, ...]) -> list[Any] | None:
        """The outputs, new ones: tensors for tensors, arrays for arrays; None if the arguments are not just what the
        function takes, so that somebody has to look at them."""
        try:
            outputs = self._quick(args)
            if outputs is not None or len(args) != self._count:
                return outputs
            if self._takes_arrays and type(args[0]) is np.ndarray:
                return self._on_arrays(args)
            return self._on_tensors(args)
        except (CheckFailed, OutOfMemory):
            raise
        except (
            RuntimeError,
            ValueError,
            MemoryError,
        ):  # no memory of their own: sparse, fake, batched; or no more
            return None

    def _on_tensors(self, args: tuple[Any, ...]) -> list[torch.Tensor] | None:
        given = []
        for tensor, (shape, dtype, is_single) in zip(args, self._inputs, strict=True):
            if (
                type(tensor) not in _TENSORS
                or tensor.shape != shape
                or tensor.dtype is not dtype
                or not tensor.is_cpu
                or (is_single and tensor.is_neg())
            ):
                return None
            given.append(tensor if tensor.is_contiguous() else tensor.detach().resolve_neg().contiguous())
        outputs = [new(*kind) for new, kind in zip(self._allocators, self._outputs, strict=True)]
        self._run([*given, *outputs])
        return outputs

    def _on_arrays(self, args: tuple[Any, ...]) -> list[np.ndarray] | None:
        given = []
        for array, (shape, dtype) in zip(args, self._input_arrays, strict=True):
            if type(array) is not np.ndarray or array.shape != shape or array.dtype != dtype:
                return None
            flags = array.flags
            if not (flags.c_contiguous and flags.writeable):
                return None
            given.append(torch.from_numpy(array))  # the quickest way to its address
        outputs = [np.empty(shape, dtype) for shape, dtype in self._output_arrays]
        self._run([*given, *map(torch.from_numpy, outputs)])
        return outputs

    def _run(self, tensors: Sequence[torch.Tensor]) -> None:
        block, pool = self._function.block()
        words = block.words
        for place, tensor in zip(self._places, tensors, strict=True):
            words[place] = tensor.data_ptr()
        block.run()
        failure = self._function.failure(block)
        pool.give(block)
        if failure is not None:
            raise failure


def _quick_call(
    function: JitFunction,
    places: Sequence[int],
    inputs: Sequence[tuple[torch.Size, torch.dtype, bool]],
    outputs: Sequence[tuple[tuple[int, ...], tuple[int, ...], torch.dtype]],
    allocators: Sequence[Allocate],
) -> Quick:
    """A function that calls with contiguous tensors of the types it knows, or does nothing and returns None.

    It is text without loops, for these would cost a small model more than its arithmetic.
    """
    names: dict[str, Any] = {"tensors": _TENSORS, "failure": function.failure}
    for k, (shape, dtype, _) in enumerate(inputs):
        names |= {f"shape{k}": shape, f"dtype{k}": dtype}
    for k, kind in enumerate(outputs):
        names |= dict(zip((f"out_shape{k}", f"out_strides{k}", f"out_dtype{k}"), kind, strict=True))
        names[f"new{k}"] = allocators[k]
    singles = tuple(single for *_, single in inputs)
    exec(_quick_text(tuple(places), singles, len(outputs), function.status_place), names)
    function.lend(names)
    return names.pop("call")


@cache
def _quick_text(
    places: tuple[int, ...], singles: tuple[bool, ...], outputs: int, status: int | None
) -> CodeType:
    """The code of a quick call.

    Args:
        places: of all tensors in the descriptors' words; singles: whether an input has one element: such a view is
            contiguous even where it stands for the negative of what is in memory.
        status: of the word that says whether a run found something wrong; None where it never looks.
    """
    given = [f"in{k}" for k in range(len(singles))]
    made = [f"out{k}" for k in range(outputs)]
    lines = [f"if len(args) != {len(given)}: return None"]
    lines += [f"{', '.join(given)}, = args"] if given else []
    for k, (name, single) in enumerate(zip(given, singles, strict=True)):
        lines.append(
            f"if type({name}) not in tensors or {name}.shape != shape{k} or {name}.dtype is not dtype{k}"
            f" or not {name}.is_cpu or not {name}.is_contiguous()"
            f"{f' or {name}.is_neg()' if single else ''}: return None"
        )
    lines += [f"{name} = new{k}(out_shape{k}, out_strides{k}, out_dtype{k})" for k, name in enumerate(made)]
    lines += ["pop, give, make = pool", "try: block = pop()", "except IndexError: block = make()"]
    lines += ["words, run, _, _ = block"]
    pointers = zip(places, (*given, *made), strict=True)
    lines += [f"words[{place}] = {name}.data_ptr()" for place, name in pointers]
    lines += ["run()"]
    lines += [] if status is None else [f"if words[{status}]: raise failure(block)"]
    lines += ["give(block)", f"return [{', '.join(made)}]"]
    text = "\n".join(["def call(args):", *(f"    {line}" for line in lines)])
    return compile(text, "<quick call>", "exec")
