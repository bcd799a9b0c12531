"""Arguments of programs that are cut out of others: their real values as far as they have any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from ..dialects.host import ir
from ..frontend.call_interface import CallInterface
from ..frontend.interface import annotate_main, find_main, read_main
from ..frontend.mlir_values import read_arrays
from ..frontend.signature import Argument
from ..passes.infra.diagnostics import CompilerError
from ..runtime.arrays import numpy_dtype
from .calls import Calls
from .constants import dense_array

DATA = "wse.data"  # attribute of an argument: its value
IN_FILE = 512  # elements of all arguments together that are written into the file of the program itself
_PRINTED = ("float32", "float64", "int64", "int32", "int16", "int8")  # what MLIR's text holds without loss


def calls_like(module: ir.Module, calls: Calls, seed: int = 0) -> Calls:
    """The calls of a smaller program: arguments of the same kind and name have the same values.

    A smaller shape has the first elements of each dimension. What has no value is drawn: standard normal numbers,
    integers from 0 to 7.
    """
    arguments, results = read_main(module)
    interface = CallInterface(tuple(arguments), tuple(results))
    initial = _named(calls, calls.initial)
    values = tuple(_value(a, i, initial, seed) for i, a in enumerate(arguments))
    inputs = []
    positions = [i for i, a in enumerate(arguments) if a.kind == "input"]
    old = [a for a in calls.interface.arguments if a.kind == "input"]
    for call in calls.inputs:
        named = {(a.kind, a.name): value for a, value in zip(old, call, strict=True)}
        inputs.append(tuple(_value(arguments[i], i, named, seed) for i in positions))
    return Calls(interface, values, tuple(inputs))


def _named(calls: Calls, values: tuple[np.ndarray, ...]) -> dict[tuple[str, str], np.ndarray]:
    return {(a.kind, a.name): v for a, v in zip(calls.interface.arguments, values, strict=True)}


def _value(
    argument: Argument, position: int, known: dict[tuple[str, str], np.ndarray], seed: int
) -> np.ndarray:
    dtype = numpy_dtype(argument.dtype)
    assert dtype is not None, "checked when the interface was read"
    shape = tuple(max(size, 1) if size < 0 else size for size in argument.shape)
    value = known.get((argument.kind, argument.name))
    if value is not None and value.dtype.itemsize == dtype.itemsize and value.ndim == len(shape):
        shape = tuple(
            old if size < 0 else size for size, old in zip(argument.shape, value.shape, strict=True)
        )
        if all(size <= old for size, old in zip(shape, value.shape, strict=True)):
            return np.ascontiguousarray(value[tuple(map(slice, shape))])
    generator = np.random.default_rng([seed, position])
    if dtype == np.bool_:
        return generator.integers(0, 2, shape).astype(dtype)
    if argument.dtype.is_floating_point:
        return generator.standard_normal(shape, np.float32).astype(dtype)
    return generator.integers(0, 8, shape).astype(dtype)


def attach(module: ir.Module, calls: Calls) -> dict[str, np.ndarray]:
    """Writes the arguments' values into the program where that is short; returns what has to be kept beside it."""
    arguments, results = read_main(module)
    small = sum(v.size for v in calls.initial) <= IN_FILE and len(calls.inputs) == 1
    printable = all(v.dtype.name in _PRINTED and v.size for v in calls.initial)
    annotate_main(module, arguments, results)
    if not (small and printable):
        kept = {f"argument{i}": _bits(v) for i, v in enumerate(calls.initial)}
        positions = [i for i, a in enumerate(arguments) if a.kind == "input"]
        for number, call in enumerate(calls.inputs[1:], start=1):
            kept.update({f"argument{i}_call{number}": _bits(v) for i, v in zip(positions, call, strict=True)})
        return kept
    main = find_main(module)
    with module.context:
        described = []
        for attributes, value, kind in zip(
            ir.ArrayAttr(main.attributes["arg_attrs"]), calls.initial, main.type.inputs, strict=True
        ):
            named: dict[str, Any] = {a.name: a.attr for a in ir.DictAttr(attributes)}
            elements: Any = ir.DenseElementsAttr
            data = elements.get(np.ascontiguousarray(value), type=kind)
            described.append(ir.DictAttr.get({**named, DATA: data}))
        main.attributes["arg_attrs"] = ir.ArrayAttr.get(described)
    return {}


def detach(module: ir.Module, beside: Path) -> Calls:
    """Takes the arguments' values out of the program, or from the file beside it.

    Raises:
        CompilerError: an argument has no value.
    """
    arguments, results = read_main(module)
    main = find_main(module)
    described = (
        [ir.DictAttr(a) for a in ir.ArrayAttr(main.attributes["arg_attrs"])]
        if "arg_attrs" in (main.attributes)
        else []
    )
    interface = CallInterface(tuple(arguments), tuple(results))
    positions = [i for i, a in enumerate(arguments) if a.kind == "input"]
    if described and all(DATA in d for d in described):
        initial = tuple(dense_array(d[DATA]) for d in described)
        annotate_main(module, arguments, results)
        return Calls(interface, initial, (tuple(initial[i] for i in positions),))
    if arguments and not beside.exists():
        raise CompilerError(
            f"the program's arguments have no values: neither '{DATA}' nor a file '{beside.name}' beside it",
            hint="wse verify writes such files",
        )
    kept = read_arrays(beside) if arguments else {}

    def value(name: str, argument: Argument) -> np.ndarray:
        found = _from_bits(kept[name], argument) if name in kept else None
        if found is None or found.shape != argument.shape:
            what = (
                f"'{name}' is missing or of another type"
                if found is None
                else f"'{name}' has shape {list(found.shape)}"
            )
            raise CompilerError(
                f"{what}, the program takes {list(argument.shape)}",
                where=str(beside),
                hint="wse verify writes both files",
            )
        return found

    initial = tuple(value(f"argument{i}", a) for i, a in enumerate(arguments))
    inputs = [tuple(initial[i] for i in positions)]
    while positions and f"argument{positions[0]}_call{len(inputs)}" in kept:
        number = len(inputs)
        inputs.append(tuple(value(f"argument{i}_call{number}", arguments[i]) for i in positions))
    return Calls(interface, initial, tuple(inputs))


def _bits(value: np.ndarray) -> np.ndarray:
    """NumPy's files do not know bf16."""
    return value.view(np.uint16) if value.dtype == np.dtype(ml_dtypes.bfloat16) else value


def _from_bits(value: np.ndarray, argument: Argument) -> np.ndarray | None:
    """The value with the argument's type; None when it is of another."""
    dtype = numpy_dtype(argument.dtype)
    assert dtype is not None, "checked when the interface was read"
    if value.dtype == dtype:
        return value
    is_bits = value.dtype == np.uint16 and dtype == np.dtype(ml_dtypes.bfloat16)
    return value.view(dtype) if is_bits else None
