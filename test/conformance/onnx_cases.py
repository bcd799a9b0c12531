"""The ONNX standard's node tests, with the data that they were made with."""

from __future__ import annotations

import functools
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import torch

import wse_mlir

from .rules import NODE_RULE
from .verdicts import Verdict, Word, described, difference, word_for


@functools.cache
def node_tests() -> dict[str, Any]:
    """All node tests by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_model_tests

        return {test.name: test for test in load_model_tests(kind="node")}


def run_node_test(
    name: str, target: str, report: Callable[[str, Any], None], judged: Mapping[str, str]
) -> None:
    """Judges one node test; its data sets are calls of one compiled model."""
    test = node_tests()[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(test.model, path)
        compiled = None
        for position, (inputs, outputs) in enumerate(test.data_sets):
            if str(position) in judged:
                continue
            report("stage", ("alone", str(position)))
            given = [_tensor(value) for value in inputs]
            word: Word = "match"
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    compiled = compiled or wse_mlir.compile(str(path), given, target=target, cache=False)
                    actual = compiled(*given)
                word, detail = _judged(test, actual, [_tensor(value) for value in outputs], target)
            except wse_mlir.CompilerError as error:
                word, detail = word_for(str(error)), str(error)
            except Exception as error:
                word, detail = "crash", described(error)
            report("verdict", Verdict("onnx", name, str(position), word, detail))
            if compiled is None:
                return


def _judged(test: Any, actual: Any, expected: list[Any], target: str) -> tuple[Word, str]:
    ours = list(actual) if isinstance(actual, (tuple, list)) else [actual]
    found = difference(ours, expected, on_wafer=target != "cpu")
    if not found:
        return "match", ""
    if test.name in NODE_RULE.operators and _within_its_own(test, ours, expected):
        return "match", NODE_RULE.name
    return "wrong", found


def _within_its_own(test: Any, ours: list[Any], expected: list[Any]) -> bool:
    """Whether results agree within the tolerance that the test carries."""
    return all(
        torch.allclose(a, b, rtol=test.rtol, atol=test.atol, equal_nan=True)
        for a, b in zip(ours, expected, strict=True)
    )


def _tensor(value: Any) -> Any:
    """An array of a test as a tensor; sequences stay lists."""
    if isinstance(value, onnx.TensorProto):
        value = onnx.numpy_helper.to_array(value)
    if isinstance(value, (list, tuple)):
        return [_tensor(v) for v in value]
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(value.view(np.int16).copy()).view(torch.bfloat16)
    try:
        return torch.from_numpy(value.copy())
    except TypeError:  # strings and types that PyTorch does not have
        return value
