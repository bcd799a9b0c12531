"""Layers of LSTM, GRU and RNN, and `torch.scan`, are imported as loops."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch._higher_order_ops.scan import scan
from torch.utils import _pytree

import wse_mlir


def check(model: nn.Module, *inputs: Any, tolerance: float = 1e-4, **options: Any) -> None:
    model = model.eval()
    with torch.no_grad():
        expected = model(*inputs)
    compiled: Any = wse_mlir.compile(model, inputs, **options)
    for got, want in zip(_pytree.tree_leaves(compiled(*inputs)), _pytree.tree_leaves(expected), strict=True):
        assert got.shape == want.shape and got.dtype == want.dtype
        assert want.numel() == 0 or (got - want).abs().max() <= tolerance * want.abs().max()


def text(model: nn.Module, *inputs: Any) -> str:
    return str(wse_mlir.import_model(model.eval(), inputs))


@settings(deadline=None, max_examples=3, derandomize=True)
@given(
    kind=st.sampled_from(("LSTM", "GRU", "RNN", "relu")),
    layers=st.integers(1, 2),
    both=st.booleans(),
    bias=st.booleans(),
    batch_first=st.booleans(),
    projected=st.booleans(),
    sizes=st.tuples(st.integers(1, 11), st.integers(1, 3), st.integers(1, 5), st.integers(2, 9)),
)
def test_any_layer(
    kind: str,
    layers: int,
    both: bool,
    bias: bool,
    batch_first: bool,
    projected: bool,
    sizes: tuple[int, int, int, int],
) -> None:
    steps, batch, inputs, hidden = sizes
    options: dict[str, Any] = {"nonlinearity": "relu"} if kind == "relu" else {}
    if kind == "LSTM" and projected:
        options["proj_size"] = hidden - 1
    make = getattr(nn, "RNN" if kind == "relu" else kind)
    model = make(inputs, hidden, layers, bias=bias, batch_first=batch_first, bidirectional=both, **options)
    check(model, torch.randn((batch, steps, inputs) if batch_first else (steps, batch, inputs)))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_element_types(dtype: torch.dtype) -> None:
    check(
        nn.GRU(5, 7).to(dtype),
        torch.randn(9, 2, 5, dtype=dtype),
        tolerance=1e-4 if dtype == torch.float64 else 2e-2,
    )


def test_given_states_and_no_batch() -> None:
    check(nn.LSTM(5, 7, 2), torch.randn(9, 2, 5), (torch.randn(2, 2, 7), torch.randn(2, 2, 7)))
    check(nn.GRU(5, 7, bidirectional=True), torch.randn(9, 5))
    check(nn.LSTM(5, 7), torch.randn(9, 0, 5))


def test_the_import_does_not_grow_with_the_steps() -> None:
    model = nn.LSTM(5, 7, 2, bidirectional=True)
    short, long = (text(model, torch.randn(steps, 2, 5)) for steps in (20, 200))
    assert short.count("scf.for") == long.count("scf.for") == 4
    assert short.count("\n") == long.count("\n")


def test_a_few_steps_are_written_out() -> None:
    assert "scf.for" not in text(nn.LSTM(5, 7), torch.randn(3, 2, 5))


def test_a_backward_direction_copies_nothing() -> None:
    imported = text(nn.GRU(5, 7, bidirectional=True), torch.randn(9, 2, 5))
    assert "tensor.extract %" not in imported  # what a flip is
    assert "linalg.index" not in imported


def test_what_does_not_change_is_computed_before_the_loop() -> None:
    imported = text(nn.LSTM(5, 7), torch.randn(9, 2, 5))
    assert "linalg.transpose" not in imported[imported.index("scf.for") :]


class Flipped(nn.Module):
    """Returns a backward output that is flipped, and one that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.forwards, self.backwards = nn.LSTM(5, 7), nn.GRU(5, 7)

    def forward(self, x: torch.Tensor) -> Any:
        output = self.backwards(x.flip(0))[0]
        return output.flip(0), output, self.forwards(x)[0].flip(0)


def test_flips_around_layers() -> None:
    check(Flipped(), torch.randn(9, 2, 5))


def test_open_sizes() -> None:
    batch, steps = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("steps", min=1, max=500)
    for dimension, size, other in ((1, batch, (9, 5, 5)), (0, steps, (17, 2, 5))):
        model = nn.LSTM(5, 7).eval()
        compiled: Any = wse_mlir.compile(model, (torch.randn(9, 2, 5),), dynamic_shapes=({dimension: size},))
        x = torch.randn(other)
        with torch.no_grad():
            assert (compiled(x)[0] - model(x)[0]).abs().max() <= 1e-4


def test_dropout_and_packed_sequences_are_refused() -> None:
    with pytest.raises(wse_mlir.CompilerError, match="random numbers"):
        wse_mlir.import_model(nn.LSTM(5, 7, 2, dropout=0.5), (torch.randn(9, 2, 5),))

    class Packed(nn.LSTM):
        def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> Any:  # type: ignore[override]
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
            return nn.utils.rnn.pad_packed_sequence(super().forward(packed)[0])[0]

    with pytest.raises(wse_mlir.CompilerError, match="PyTorch could not export"):
        wse_mlir.import_model(Packed(5, 7).eval(), (torch.randn(9, 2, 5), torch.tensor([9, 4])))


class Scan(nn.Module):
    """PyTorch's own operator for a step that is repeated."""

    def __init__(self, reverse: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(5, 5)
        self.reverse = reverse

    def forward(self, x: torch.Tensor, state: torch.Tensor) -> Any:
        def step(state: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            following = torch.tanh(self.linear(state)) + x
            return following, following * 2

        return scan(step, state, x, reverse=self.reverse)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan(reverse: bool) -> None:
    check(Scan(reverse), torch.randn(12, 2, 5), torch.randn(2, 5))
