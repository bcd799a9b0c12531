"""The families of bench/cpu.py at tiny, odd sizes against PyTorch: processors, threads, batches, states."""

import copy
import functools
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from cpu_families import FAMILIES, Case
from zoo import error

import wse_mlir

TOLERANCE = 1e-4
PROCESSORS: Mapping[str, Mapping[str, str]] = {
    "this machine": {},
    "no AVX-512": {"features": "-avx512f"},
    "SSE2": {"cpu": "x86-64"},
}
TOKENS = ("gpt-token", "llama-token")


@functools.cache
def case_of(family: str, batch: int | None) -> Case:
    """The tiny model of a family, with another batch size where it has one."""
    made = FAMILIES[family]
    return made.case("tiny", **({"batch": batch} if batch is not None and made.has_batch else {}))


@functools.cache
def expected_of(family: str, batch: int | None) -> tuple[torch.Tensor, ...]:
    """PyTorch's outputs of one call."""
    case = case_of(family, batch)
    return flat(copy.deepcopy(case.model)(*case.args))


def flat(outputs: Any) -> tuple[torch.Tensor, ...]:
    return tuple(outputs) if isinstance(outputs, (tuple, list)) else (outputs,)


def check(family: str, batch: int | None = None, **options: Any) -> None:
    """Compiles the tiny model and compares one call with PyTorch's."""
    case = case_of(family, batch)
    compiled = wse_mlir.compile(case.model, case.args, **options)
    for got, wanted in zip(flat(compiled(*case.args)), expected_of(family, batch), strict=True):
        assert error(got, wanted) <= TOLERANCE


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("family", FAMILIES)
def test_processors(family: str, processor: str) -> None:
    # Odd batches where the processor is another one: more shapes for the same time.
    check(family, None if processor == "this machine" else 3, **PROCESSORS[processor])


@pytest.mark.parametrize("family", FAMILIES)
def test_two_threads(family: str) -> None:
    check(family, 2, num_threads=2)


@pytest.mark.parametrize("family", [name for name, family in FAMILIES.items() if family.has_batch])
def test_empty_batches(family: str) -> None:
    case = case_of(family, 0)
    compiled = wse_mlir.compile(case.model, case.args)
    for got, wanted in zip(flat(compiled(*case.args)), expected_of(family, 0), strict=True):
        assert got.shape == wanted.shape and got.numel() == 0 and got.dtype == wanted.dtype


@pytest.mark.parametrize("family", TOKENS)
def test_tokens_one_after_the_other(family: str) -> None:
    """Every call reads what the calls before it wrote into the cache."""
    case = case_of(family, None)
    eager, compiled = copy.deepcopy(case.model), wse_mlir.compile(case.model, case.args)
    tokens = case.args[0]
    for position in range(4):
        tokens = (tokens + position) % 17
        args = (tokens, torch.tensor([position]))
        assert error(compiled(*args), eager(*args)) <= TOLERANCE
    for name, cache in compiled.state.items():
        assert error(cache, eager.get_buffer(name)) <= TOLERANCE


@pytest.mark.parametrize("family", ["gpt-prefill", "llama-prefill"])
def test_prompts_fill_the_cache(family: str) -> None:
    case = case_of(family, 2)
    eager, compiled = copy.deepcopy(case.model), wse_mlir.compile(case.model, case.args)
    assert error(compiled(*case.args), eager(*case.args)) <= TOLERANCE
    assert compiled.state
    for name, cache in compiled.state.items():
        assert error(cache, eager.get_buffer(name)) <= TOLERANCE


@pytest.mark.parametrize(("heads", "groups", "length"), [(16, 8, 512), (20, 5, 700), (12, 4, 1030)])
def test_long_caches_of_keys_that_heads_share(heads: int, groups: int, length: int) -> None:
    """The loop over heads is the one that is tiled then; a tile must not read the keys of its first head for all."""
    sizes = {"heads": heads, "groups": groups, "width": 16 * heads, "length": length}
    case = FAMILIES["llama-token"].case("tiny", **sizes)
    expected = copy.deepcopy(case.model)(*case.args)
    assert error(wse_mlir.compile(case.model, case.args)(*case.args), expected) <= TOLERANCE
