"""ONNX Runtime on the exported model, with inputs and outputs bound to buffers that exist."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from cpu_families import Case

from .contender import Absent, Contender
from .onnx_export import export_args, exported


def build(case: Case, threads: int, folder: Path) -> Contender:
    """A session with all graph optimisations.

    Outputs are bound too: nothing is allocated in a call, which is the fastest way to use it.

    Raises:
        Absent: it is not installed, or refuses the model.
    """
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise Absent("absent", str(error)) from error
    path = exported(case, folder)
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    started = time.perf_counter()
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common ancestor
        raise Absent("failed", f"{type(error).__name__}: {error}"[:2000]) from error
    facts = {"compile_seconds": time.perf_counter() - started}
    arrays = [np.ascontiguousarray(tensor.numpy()) for tensor in export_args(case)]
    feeds = {given.name: array for given, array in zip(session.get_inputs(), arrays, strict=True)}
    names = [output.name for output in session.get_outputs()]
    results = [np.asarray(result) for result in session.run(names, feeds)]
    binding = session.io_binding()
    values = [ort.OrtValue.ortvalue_from_numpy(array) for array in (*arrays, *results)]
    for name, value in zip(feeds, values, strict=False):
        binding.bind_ortvalue_input(name, value)
    for name, value in zip(names, values[len(arrays) :], strict=True):
        binding.bind_ortvalue_output(name, value)

    def run() -> None:
        session.run_with_iobinding(binding)

    def outputs() -> list[torch.Tensor]:
        run()
        return [torch.from_numpy(value.numpy().copy()) for value in values[len(arrays) :]]

    return Contender("ort", run, outputs, facts)
