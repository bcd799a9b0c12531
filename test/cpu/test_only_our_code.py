"""Nothing but generated code runs inside of a compiled call: no ATen operator, no BLAS, no oneDNN, no scalar libm."""

import functools
from typing import Any

import pytest
from cpu_families import FAMILIES, Case
from torch.utils._python_dispatch import TorchDispatchMode

import wse_mlir
from wse_mlir import Compiled
from wse_mlir.runtime.native.object_file import undefined_symbols

# Outputs are allocated by PyTorch, and handed out as tensors; nothing here computes.
ALLOCATIONS = frozenset(
    {"aten::empty.memory_format", "aten::empty_strided", "aten::detach", "aten::view.dtype"}
)
# The C library's memory, and threads of our own pool.
C_LIBRARY = frozenset({"malloc", "free", "memcpy", "memset", "memmove"})
OUR_POOL = "wse_"


@functools.cache
def compiled_of(family: str, threads: int) -> tuple[Case, Compiled]:
    """A compiled tiny model; two threads where that is asked for."""
    case = FAMILIES[family].case("tiny")
    options: dict[str, Any] = {"num_threads": threads} if threads > 1 else {}
    return case, wse_mlir.compile(case.model, case.args, **options)


class Recorder(TorchDispatchMode):
    """Remembers every operator that PyTorch is asked to run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("family", FAMILIES)
def test_no_operator_of_pytorch_runs_in_a_call(family: str) -> None:
    case, compiled = compiled_of(family, 1)
    with Recorder() as recorder:
        compiled(*case.args)
    assert set(recorder.names) <= ALLOCATIONS
    assert len(recorder.names) <= 3 * len(compiled.interface.results)
    with Recorder() as recorder:
        case.model(*case.args)
    assert not set(recorder.names) <= ALLOCATIONS, "the recorder sees operators where there are some"


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_code_needs_nothing_but_memory_and_our_threads(family: str, threads: int) -> None:
    """No library of kernels, and no function of libm: exp, tanh and the like are vectors of our own."""
    needs = undefined_symbols(code_of(compiled_of(family, threads)[1]))
    foreign = {name for name in needs if name not in C_LIBRARY and not name.startswith(OUR_POOL)}
    assert not foreign
    if threads == 1:
        assert set(needs) <= C_LIBRARY


def code_of(compiled: Compiled) -> bytes:
    """The object file of a compiled model."""
    program: Any = compiled._executable.program
    return program.code
