"""Recompilation, one open size, several, and numbers that are arguments."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from beside_eager import compiled, same_as_eager
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import wse_mlir


def reports() -> list[wse_mlir.torch_backend.report.GraphReport]:
    return list(wse_mlir.torch_compile_report().graphs)


def test_a_size_is_left_open_after_it_changed() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    function = compiled(model)
    for batch in (3, 5, 7, 2, 9):
        same_as_eager(model, torch.randn(batch, 4, requires_grad=True), by=function)
    assert wse_mlir.torch_compile_report().recompilations == 1
    assert [r.kind for r in reports()] == ["forward", "backward"] * 2
    assert not any(r.specialisations for r in reports())


def test_one_open_size_is_native_also_for_sizes_that_are_computed() -> None:
    def function(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        n = x.shape[0]
        doubled = torch.cat([x, x * 2])
        return doubled.reshape(n, -1), x.mean() * n, x.t() @ x, doubled[1:], x.new_ones(n, 2), x.flatten()

    call = compiled(function)
    for n in (3, 4, 8):
        same_as_eager(function, torch.randn(n, 4, requires_grad=True), by=call)
    assert len(reports()) == 4 and not any(r.specialisations for r in reports())


def test_a_size_is_found_in_sizes_that_were_computed_from_it() -> None:
    """The backward graph has no tensor of the input's size, only gradients of twice that size and three."""

    def function(x: torch.Tensor) -> torch.Tensor:
        return F.pad(torch.cat([x, x]), (0, 0, 1, 2))

    call = compiled(function)
    for n in (3, 4, 8):
        same_as_eager(function, torch.randn(n, 4, requires_grad=True), by=call)
    assert len(reports()) == 4 and not any(r.specialisations for r in reports())


def test_reshapes_between_several_open_sizes() -> None:
    """The backward graph reshapes [5n/2, 2] into [n, 5], of which all sizes are open to it."""

    def function(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return x.sum(0, keepdim=True) + x, F.pad(x, (1, 0)).reshape(-1, 2)

    call = compiled(function)
    for n in (4, 6, 8):
        same_as_eager(function, torch.randn(n, 4, requires_grad=True), by=call)
    assert not any(report.specialisations for report in reports())


def test_overlapping_outputs_of_an_open_size() -> None:
    def function(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = x.exp()
        return y[:2].unsqueeze(-1).expand(2, 4, 3), (x * 2).unfold(0, 2, 1)

    call = compiled(function)
    for n in (3, 5, 9):
        same_as_eager(function, torch.randn(n, 4), by=call)


def test_several_open_sizes_are_compiled_one_by_one() -> None:
    def function(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x @ y).relu().reshape(-1)

    call = compiled(function, dynamic=True)
    for n, k, m in ((2, 3, 4), (5, 3, 2), (2, 3, 4)):
        x, y = torch.randn(n, k, requires_grad=True), torch.randn(k, m, requires_grad=True)
        same_as_eager(function, x, y, by=call)
    assert wse_mlir.torch_compile_report().recompilations == 0
    forward = reports()[0]
    assert len(forward.specialisations) == 2
    assert "independently" in forward.specialised_because


def test_a_number_that_changes_becomes_an_input() -> None:
    def function(x: torch.Tensor, n: int, f: float) -> tuple[torch.Tensor, ...]:
        return x * n + f, torch.where(x > n, x, n * x.shape[0] - f), x / (n + 0.5)

    call = compiled(function)
    for n, f in ((2, 0.5), (3, 0.25), (4, 1.5), (-7, 0.1), (0, -2.0), (2**40, 1e-3)):
        x = torch.rand(3, 4) + 0.5
        same_as_eager(function, x.requires_grad_(), n, f, by=call)
    assert not any(r.specialisations for r in reports())


def test_a_number_that_sizes_depend_on() -> None:
    def function(x: torch.Tensor, n: int) -> torch.Tensor:
        return x.new_zeros(n) + x.sum()

    call = compiled(function)
    for n in (3, 4, 5):
        same_as_eager(function, torch.randn(3), n, by=call)
    assert reports()[-1].specialisations and "no dimension" in reports()[-1].specialised_because


def test_a_guard_on_a_python_value_recompiles() -> None:
    def function(x: torch.Tensor, flag: bool) -> torch.Tensor:
        return x.sin() if flag else x.cos()

    call = compiled(function)
    for flag in (True, False, True):
        same_as_eager(function, torch.randn(3), flag, by=call)
    assert wse_mlir.torch_compile_report().recompilations == 1


def test_a_graph_break_gives_two_graphs() -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        torch._dynamo.graph_break()
        return y + 1

    same_as_eager(function, torch.randn(3), by=compiled(function, fullgraph=False))
    assert len(reports()) == 2


def test_a_size_that_is_zero_or_one_is_another_graph() -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        return F.softmax(x, 0) + x.shape[0]

    call = compiled(function)
    for n in (4, 3, 1, 0):
        same_as_eager(function, torch.randn(n, 2, requires_grad=True), by=call)


@pytest.mark.parametrize("dynamic", [True, False])
def test_outputs_that_are_numbers(dynamic: bool) -> None:
    def function(x: torch.Tensor) -> tuple[torch.Tensor, int, int]:
        return x + 1, x.shape[0] * 2, x.shape[0] + x.shape[1]

    call = compiled(function, dynamic=dynamic)
    for n in (3, 5):
        same_as_eager(function, torch.randn(n, 4), by=call)


@settings(max_examples=2, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=4), st.integers(2, 7))
def test_any_sequence_of_sizes(batches: list[int], rows: int) -> None:
    torch._dynamo.reset()

    def function(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return F.softmax(x @ w, -1).sum(0) * x.mean()

    call = compiled(function)
    w = torch.randn(rows, 3, requires_grad=True)
    for batch in batches:
        same_as_eager(function, torch.randn(batch, rows, requires_grad=True), w, by=call)
