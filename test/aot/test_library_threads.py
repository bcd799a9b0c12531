"""Functions of a library on several threads: a pool of its own, which goes when the library goes."""

import _ctypes
import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from wse_mlir.artifacts.aot.library import LibraryFunction, build_library
from wse_mlir.compare.agreement import relative_error
from wse_mlir.frontend.imported import import_model

SHAPE, THREADS = (301, 65), 3
Pointer = ctypes.POINTER(ctypes.c_float)


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(65, 127), nn.GELU(), nn.Linear(127, 33)).eval()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    functions = [LibraryFunction(name, import_model(model(), (torch.zeros(SHAPE),))) for name in ("a", "b")]
    out = tmp_path_factory.mktemp("threads") / "libthreads.so"
    build_library(functions, out, name="threads", options={"num_threads": THREADS})
    return out


def threads_here() -> int:
    return len(os.listdir("/proc/self/task"))


def test_calls_from_threads_and_unloading(library: Path) -> None:
    """Calls of two functions at the same time give equal results; afterwards the process is as it was."""
    before = threads_here()
    code = ctypes.CDLL(str(library))
    instance = ctypes.c_void_p()
    assert code.threads_open(None, ctypes.byref(instance), None) == 0
    x = torch.randn(SHAPE).numpy()

    def call(number: int) -> np.ndarray:
        y = np.full((SHAPE[0], 33), np.nan, np.float32)
        run = (code.threads_run_a, code.threads_run_b)[number % 2]
        assert run(instance, x.ctypes.data_as(Pointer), y.ctypes.data_as(Pointer)) == 0
        return y

    first = call(0)
    assert threads_here() == before + THREADS - 1
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(call, range(40)))
    assert all(np.array_equal(result, first) for result in results)
    with torch.no_grad():
        assert relative_error(torch.from_numpy(first), model()(torch.from_numpy(x))) <= 1e-4
    code.threads_close(instance)
    _ctypes.dlclose(code._handle)
    assert threads_here() == before


def test_names_of_the_pool_are_not_seen(library: Path) -> None:
    code = ctypes.CDLL(str(library))
    for name in ("wse_pool_run", "threads__wse_pool_run", "threads__wse_pool_stop"):
        assert not hasattr(code, name)
