"""Arithmetic on sizes that a model leaves open: what exporters compute shapes with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .values import Sizes, integers, is_known


def fold_sizes(name: str, inputs: Sequence[Any], attributes: dict[str, Any]) -> Sizes | None:
    """The result of a node whose inputs are sizes and known numbers; None where it is none of those."""
    compute = _OPERATORS.get(name)
    if compute is None or not any(isinstance(v, Sizes) for v in inputs):
        return None
    if not all(v is None or isinstance(v, Sizes) or is_known(v) for v in inputs):
        return None
    arrays = [None if v is None else _array(v) for v in inputs]
    result = compute(*arrays, **attributes)
    return None if result is None else Sizes(np.asarray(result, dtype=object).tolist())


def _array(value: Any) -> np.ndarray:
    elements = value.elements if isinstance(value, Sizes) else value.tolist()
    shape = np.shape(np.empty(0)) if elements == [] else None
    array = np.empty(_shape(elements) if shape is None else shape, dtype=object)
    array[...] = elements
    return array


def _shape(elements: Any) -> tuple[int, ...]:
    return (len(elements), *_shape(elements[0])) if isinstance(elements, list) and elements else ()


def _axes(axes: Any) -> list[int]:
    return integers(axes.tolist() if isinstance(axes, np.ndarray) else axes)


def _gather(x: np.ndarray, indices: np.ndarray, axis: int = 0) -> Any:
    return np.take(x, indices.astype(np.int64), axis=axis)


def _slice(x: np.ndarray, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    first, last = _axes(starts)[0], _axes(ends)[0]
    return x[slice(first, last, _axes(steps)[0] if steps is not None else 1)]


def _reshape(x: np.ndarray, shape: Any, allowzero: int = 0) -> Any:
    return x.reshape(_axes(shape))


def _unsqueeze(x: np.ndarray, axes: Any) -> Any:
    return np.expand_dims(x, tuple(_axes(axes)))


def _squeeze(x: np.ndarray, axes: Any = None) -> Any:
    return np.squeeze(x, None if axes is None else tuple(_axes(axes)))


def _cast(x: np.ndarray, to: int = 7, saturate: int = 1, round_mode: str = "") -> Any:
    return x if to in (6, 7) else None  # int32 and int64


def _divide(x: np.ndarray, y: np.ndarray) -> Any:
    return np.frompyfunc(lambda a, b: a // b, 2, 1)(x, y)  # sizes are not negative


def _product(x: np.ndarray, axes: Any = None, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Any:
    return np.multiply.reduce(x.reshape(-1)).reshape(-1) if keepdims else np.multiply.reduce(x.reshape(-1))


_OPERATORS: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Cast": _cast,
    "Concat": lambda *parts, axis=0: np.concatenate(parts, axis),
    "Div": _divide,
    "Gather": _gather,
    "Identity": lambda x: x,
    "Mul": np.multiply,
    "ReduceProd": _product,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Sub": np.subtract,
    "Unsqueeze": _unsqueeze,
}


def materialised(value: Any) -> Any:
    """A traced tensor for sizes, any other value as it is."""
    return value.as_tensor() if isinstance(value, Sizes) else value
