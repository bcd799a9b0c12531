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

from .verdicts import Verdict, Word, described, difference


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
                detail = _difference(actual, [_tensor(value) for value in outputs], target)
                word = "wrong" if detail else "match"
            except wse_mlir.CompilerError as error:
                word, detail = "refused", str(error)
            except Exception as error:
                word, detail = "crash", described(error)
            report("verdict", Verdict("onnx", name, str(position), word, detail))
            if compiled is None:
                return


def _difference(actual: Any, expected: list[Any], target: str) -> str:
    ours = list(actual) if isinstance(actual, (tuple, list)) else [actual]
    return difference(ours, expected, on_wafer=target != "cpu")


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
