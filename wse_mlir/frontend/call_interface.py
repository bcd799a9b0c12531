"""How a compiled model is called: what it takes and returns, in which structure; no MLIR, so that it can be stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from ..passes.infra.diagnostics import CompilerError, shown
from .signature import Argument, Result


@dataclass(frozen=True)
class CallInterface:
    """The structure of a model's calls.

    Attributes:
        arguments / results: of @main, in order.
        in_spec / out_spec: trees of `(args, kwargs)` and of the returned value; None for a model from an `.mlir`
            file, which takes its inputs by position and returns a tensor or a tuple.
        input_labels: the name in the model's own signature of each input, for messages.
        input_constants / output_constants: flat positions that are Python values and not tensors; among the inputs
            also tensors whose elements decide shapes.
    """

    arguments: tuple[Argument, ...]
    results: tuple[Result, ...]
    in_spec: pytree.TreeSpec | None = None
    out_spec: pytree.TreeSpec | None = None
    input_labels: tuple[str, ...] = ()
    input_constants: Mapping[int, Any] = field(default_factory=dict)
    output_constants: Mapping[int, Any] = field(default_factory=dict)

    def without_data(self) -> CallInterface:
        """The same without the values of parameters and states."""
        return replace(self, arguments=tuple(replace(a, tensor=None) for a in self.arguments))

    @property
    def inputs(self) -> tuple[Argument, ...]:
        """The arguments that are given at each call."""
        return tuple(a for a in self.arguments if a.kind == "input")

    def flatten_inputs(
        self, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None, *, from_numpy: bool = False
    ) -> list[torch.Tensor]:
        """The tensors of a call in the order of the "input" arguments; NumPy arrays are taken without a copy.

        Args:
            from_numpy: the caller had arrays, and is told in NumPy's words what is wrong.

        Raises:
            CompilerError: wrong structure, shape or dtype; names the argument.
        """
        leaves, spec = pytree.tree_flatten((tuple(args), self._ordered(kwargs or {})))
        tensors = [leaf for i, leaf in enumerate(leaves) if i not in self.input_constants]
        if len(tensors) != len(self.inputs) or (self.in_spec is not None and spec != self.in_spec):
            given = _count(len(tensors), "tensor")
            if len(tensors) == len(self.inputs):
                given += " in another structure" + (f" (by name: {', '.join(kwargs)})" if kwargs else "")
            raise CompilerError(
                f"the model takes {self._describe_inputs()}, but the call has {given}",
                hint="call it as in the example arguments that it was compiled with",
            )
        for position, expected in self.input_constants.items():
            if isinstance(expected, torch.Tensor):
                self._check_fixed(position, leaves[position], expected)
            elif leaves[position] is not expected and leaves[position] != expected:
                before, now = shown(expected), shown(leaves[position])
                raise CompilerError(
                    f"a Python value was {before} when the model was compiled and is {now} now",
                    hint="pass it as a 0-d tensor to make it an input, or compile again",
                )
        checked = [self._checked(i, leaf, from_numpy) for i, leaf in enumerate(tensors)]
        self._check_equal_sizes(checked)
        return checked

    def _check_fixed(self, position: int, given: Any, expected: torch.Tensor) -> None:
        """The elements of some tensors decide shapes: the compiled function holds for those alone."""
        found = torch.as_tensor(given) if isinstance(given, (np.ndarray, torch.Tensor)) else None
        if found is None or found.shape != expected.shape or not torch.equal(found, expected):
            told = found.tolist() if found is not None and found.numel() < 64 else type(given).__name__
            raise CompilerError(
                f"argument {position} decides a shape: it was {expected.tolist()} when the model was compiled and is "
                f"{told} now",
                hint="compile again with this argument among the example arguments",
            )

    def _check_equal_sizes(self, tensors: Sequence[torch.Tensor]) -> None:
        """Sizes that had one name when the model was exported must be equal: compiled code relies on it."""
        known: dict[str, tuple[int, str]] = {}
        for position, (argument, tensor) in enumerate(zip(self.inputs, tensors, strict=True)):
            for dim, symbol in enumerate(argument.symbols):
                if not symbol:
                    continue
                here = f"dimension {dim} of argument {position} ('{self._label(position)}')"
                size, first = known.setdefault(symbol, (tensor.shape[dim], here))
                if tensor.shape[dim] != size:
                    raise CompilerError(
                        f"{here} is {tensor.shape[dim]}, but must equal {first}, which is {size}",
                        hint="they have the same size in the example arguments and in dynamic_shapes",
                    )

    def unflatten_outputs(self, outputs: Sequence[Any]) -> Any:
        """The value that the model returns, from its "output" results in order (state results are not among them)."""
        described = (r for r in self.results if r.kind == "output")
        remaining = (
            value.item() if result.number else value for result, value in zip(described, outputs, strict=True)
        )
        count = len(outputs) + len(self.output_constants)
        constants = self.output_constants
        leaves = [constants[i] if i in constants else next(remaining) for i in range(count)]
        if self.out_spec is not None:
            return pytree.tree_unflatten(leaves, self.out_spec)
        return leaves[0] if len(leaves) == 1 else tuple(leaves)

    def _ordered(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Keyword arguments in the order of the example's, since a dict's order is part of its structure."""
        if self.in_spec is None:
            return dict(kwargs)
        names = [name for name in self.in_spec.child(1).context if name in kwargs]
        return {name: kwargs[name] for name in [*names, *(k for k in kwargs if k not in names)]}

    def _describe_inputs(self) -> str:
        listed = self.listed_inputs
        return f"{_count(len(self.inputs), 'tensor')} ({listed})" if listed else "no tensors"

    @property
    def listed_inputs(self) -> str:
        """Names and types of the inputs, for people."""
        return ", ".join(f"{self._label(i)}: {_describe(a)}" for i, a in enumerate(self.inputs))

    def _label(self, position: int) -> str:
        return self.input_labels[position] if position < len(self.input_labels) else str(position)

    def _checked(self, position: int, leaf: Any, from_numpy: bool) -> torch.Tensor:
        expected = self.inputs[position]
        name = f"argument {position} ('{self._label(position)}')"
        if isinstance(leaf, np.ndarray):
            leaf, from_numpy = torch.from_numpy(leaf), True
        if not isinstance(leaf, torch.Tensor):
            raise CompilerError(f"{name} is a {type(leaf).__name__}, expected a tensor {_describe(expected)}")
        if not _is_in_memory(leaf):
            raise CompilerError(
                f"{name} is {_kind(leaf)}, expected a dense tensor on the CPU",
                hint="convert it with .cpu() or .to_dense()",
            )
        fits = len(leaf.shape) == len(expected.shape) and all(
            want in (-1, got) for want, got in zip(expected.shape, leaf.shape, strict=True)
        )
        if not fits:
            raise CompilerError(
                f"{name} has shape {list(leaf.shape)}, expected {_sizes(expected)}",
                hint="shapes are fixed when a model is compiled; dynamic_shapes= leaves dimensions open",
            )
        if leaf.dtype != expected.dtype:
            raise CompilerError(
                f"{name} must have dtype {_dtype(expected.dtype)}, but has {_dtype(leaf.dtype)}",
                hint=f"convert it with .astype('{_dtype(expected.dtype)}')"
                if from_numpy
                else f"convert it with .to(torch.{_dtype(expected.dtype)})",
            )
        return leaf


def _is_in_memory(tensor: torch.Tensor) -> bool:
    return tensor.device.type == "cpu" and tensor.layout == torch.strided and not tensor.is_nested


def _kind(tensor: torch.Tensor) -> str:
    if tensor.device.type != "cpu":
        return f"on device '{tensor.device}'"
    layout = str(tensor.layout).removeprefix("torch.").removeprefix("_")
    return "a nested tensor" if tensor.is_nested else f"a tensor of layout {layout}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _dtype(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _describe(argument: Argument) -> str:
    return f"{_dtype(argument.dtype)}{_sizes(argument)}"


def _sizes(argument: Argument) -> str:
    return f"[{', '.join('?' if size < 0 else str(size) for size in argument.shape)}]"
