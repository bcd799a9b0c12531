"""Arguments drawn at random, and the CPU's results on them to compare a simulated wafer's with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import sympy
import torch
from torch.utils import _pytree as pytree

from ..frontend.call_interface import CallInterface
from ..frontend.imported import Argument, ImportedModel
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.timing import Timer
from ..runtime.arrays import as_array, as_tensor, numpy_dtype, parameters_of
from ..runtime.cpu.target import CpuTarget
from .agreement import relative_error, tolerance

Inputs = Literal["normal", "integers"]
OPEN_SIZE = 8  # of dimensions whose size a model leaves open


@dataclass(frozen=True)
class ReferenceCheck:
    """How a wafer's results compare with those of the CPU path on the same arguments.

    Attributes:
        errors: max|a - b| / max|b| of each result; infinite where integers differ.
        matches: whether each is within 1e-2 (f16, bf16), 1e-3 (f32, f64) or exact (integers, bool).
        inputs / seed: how arguments without data were drawn.
    """

    errors: tuple[float, ...]
    matches: bool
    inputs: Inputs
    seed: int


def random_arguments(imported: ImportedModel, seed: int, inputs: Inputs) -> list[np.ndarray]:
    """An array for each argument of @main: its data where the model has them, else drawn at random.

    Floats are standard normal, or whole numbers from -1 to 1 for "integers" (sums of which are exact in any order and
    narrow type); integers are from 0 to 7, those of 8 bits from -8 to 7 where they have a sign.
    """
    generator = np.random.default_rng(seed)
    return [
        as_array(a.tensor) if a.tensor is not None else _drawn(a, generator, inputs)
        for a in imported.arguments
    ]


def random_call(
    interface: CallInterface, seed: int, inputs: Inputs
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments of one call, tensors drawn as by `random_arguments`."""
    generator = np.random.default_rng(seed)
    drawn = iter([as_tensor(_drawn(a, generator, inputs)) for a in interface.inputs])
    constants = interface.input_constants
    leaves = [
        constants[i] if i in constants else next(drawn) for i in range(len(interface.inputs) + len(constants))
    ]
    if interface.in_spec is None:
        return tuple(leaves), {}
    args, kwargs = pytree.tree_unflatten(leaves, interface.in_spec)
    return tuple(args), kwargs


def _sizes(argument: Argument) -> tuple[int, ...]:
    """The argument's shape with sizes that are left open drawn: what is called `s0` is `OPEN_SIZE`."""
    symbols = argument.symbols or ("",) * len(argument.shape)
    return tuple(
        size if size >= 0 else _open_size(symbol)
        for size, symbol in zip(argument.shape, symbols, strict=True)
    )


def _open_size(symbol: str) -> int:
    size: Any = sympy.sympify(symbol or str(OPEN_SIZE))
    return int(size.subs(dict.fromkeys(size.free_symbols, OPEN_SIZE)))


def _drawn(argument: Argument, generator: np.random.Generator, inputs: Inputs) -> np.ndarray:
    dtype = numpy_dtype(argument.dtype)
    if dtype is None:
        raise CompilerError(f"argument '{argument.name}' has elements of type {argument.dtype}")
    shape = _sizes(argument)
    if argument.dtype == torch.bool:
        return generator.integers(0, 2, shape).astype(dtype)
    if argument.dtype.is_floating_point and inputs == "normal":
        return generator.standard_normal(shape, np.float32).astype(dtype)
    if argument.dtype.is_floating_point:
        return generator.integers(-1, 2, shape, np.int8).astype(dtype)
    low = -8 if argument.dtype == torch.int8 else 0
    return generator.integers(low, 8, shape).astype(dtype)


def cpu_results(imported: ImportedModel, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What the CPU path computes; consumes `imported.module`. Arguments are not written."""
    bound = tuple(
        a if a.kind == "input" else replace(a, tensor=as_tensor(value))
        for a, value in zip(imported.arguments, arguments, strict=True)
    )
    model = replace(imported, interface=replace(imported.interface, arguments=bound))
    target = CpuTarget()
    executable = target.load(target.program(model, {}, Timer()), parameters_of(model.interface))
    given = [
        value.copy() if a.kind == "state" else np.ascontiguousarray(value)
        for a, value in zip(bound, arguments, strict=True)
        if a.kind != "parameter"
    ]
    return executable.run(given)


def compare(
    actual: Sequence[np.ndarray], expected: Sequence[np.ndarray], inputs: Inputs, seed: int
) -> ReferenceCheck:
    """Compares results one by one."""
    errors, matches = [], True
    for a, b in zip(actual, expected, strict=True):
        reference = as_tensor(b)
        error = relative_error(as_tensor(a), reference)
        errors.append(error)
        matches = matches and error <= tolerance(reference.dtype, on_wafer=True)
    return ReferenceCheck(tuple(errors), matches, inputs, seed)
