"""Layers of LSTM, GRU and RNN as one step that is repeated: PyTorch writes every step of a sequence out.

Tracing and lowering then take as long for two hundred steps as for one. Sequences of a few steps are written out all
the same: later passes fuse them as they do any other operators.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch._higher_order_ops.scan import scan_op
from torch.nn import functional as F

aten = torch.ops.aten

FEWEST_STEPS = 8  # that become a loop, as for steps that a model writes itself (`wse-reroll-loops`)

Tensors = tuple[torch.Tensor, ...]
# States, the input's part of the gates, weights of a layer and direction -> the next states; the first is the output.
Cell = Callable[[Tensors, torch.Tensor, "_Weights"], Tensors]


@dataclass(frozen=True)
class _Weights:
    """Parameters of one layer and direction; None for what it does not have.

    Attributes:
        of_input / of_hidden: [gates * hidden, inputs] and [gates * hidden, outputs].
        input_bias / hidden_bias: [gates * hidden].
        projection: [outputs, hidden], of an LSTM whose outputs are fewer than its cells.
    """

    of_input: torch.Tensor
    of_hidden: torch.Tensor
    input_bias: torch.Tensor | None
    hidden_bias: torch.Tensor | None
    projection: torch.Tensor | None

    @staticmethod
    def of(tensors: Sequence[torch.Tensor], has_biases: bool, projects: bool) -> _Weights:
        input_bias, hidden_bias = (tensors[2], tensors[3]) if has_biases else (None, None)
        return _Weights(tensors[0], tensors[1], input_bias, hidden_bias, tensors[-1] if projects else None)

    def present(self) -> Tensors:
        """What a step reads."""
        return tuple(t for t in (self.of_hidden, self.hidden_bias, self.projection) if t is not None)

    def replaced(self, tensors: Sequence[torch.Tensor]) -> _Weights:
        """With other tensors for `present`."""
        left = iter(tensors)
        found = [
            None if t is None else next(left) for t in (self.of_hidden, self.hidden_bias, self.projection)
        ]
        assert found[0] is not None
        return _Weights(self.of_input, found[0], self.input_bias, found[1], found[2])


@functools.cache
def recurrent_decompositions() -> dict[Any, Callable[..., Any]]:
    """Entries of the decomposition table; shared, not to be changed."""
    return {
        aten.lstm.input: lstm,
        aten.gru.input: partial(_of_one_state, gru_cell),
        aten.rnn_tanh.input: partial(_of_one_state, partial(rnn_cell, torch.tanh)),
        aten.rnn_relu.input: partial(_of_one_state, partial(rnn_cell, torch.relu)),
    }


@contextmanager
def steps_untraced() -> Iterator[None]:
    """While it lasts, PyTorch's tracer gives these layers' results their shapes and computes no step.

    The table of kernels is PyTorch's own but not public; where it is missing, tracing is slower.
    """
    composite = torch._C.DispatchKey.CompositeImplicitAutograd
    saved: list[tuple[Any, Any]] = []
    try:
        for operator in recurrent_decompositions():
            kernels = getattr(operator, "py_kernels", {})
            if composite in kernels and hasattr(operator, "_dispatch_cache"):
                saved.append((operator, kernels[composite]))
                kernels[composite] = _shapes_of_lstm if operator is aten.lstm.input else _shapes
                operator._dispatch_cache.clear()
        yield
    finally:
        for operator, kernel in saved:
            operator.py_kernels[composite] = kernel
            operator._dispatch_cache.clear()


def _shapes_of_lstm(x: torch.Tensor, states: Sequence[torch.Tensor], *options: Any) -> Tensors:
    output, hidden = _shapes(x, states[0], *options)
    return output, hidden, torch.empty_like(states[1])


def _shapes(x: torch.Tensor, state: torch.Tensor, *options: Any) -> Tensors:
    """Tensors of the shapes of an output and the last states."""
    *_, bidirectional, batch_first = options
    x = x.transpose(0, 1) if batch_first else x
    output = x.new_empty([*x.shape[:2], state.shape[2] * (2 if bidirectional else 1)])
    return (output.transpose(0, 1) if batch_first else output), torch.empty_like(state)


def lstm(x: torch.Tensor, states: Sequence[torch.Tensor], *options: Any) -> Tensors:
    """`aten.lstm.input`: output, last hidden states and last cell states."""
    return _layers(lstm_cell, x, tuple(states), *options)


def _of_one_state(cell: Cell, x: torch.Tensor, state: torch.Tensor, *options: Any) -> Tensors:
    return _layers(cell, x, (state,), *options)


def lstm_cell(states: Tensors, x: torch.Tensor, weights: _Weights) -> Tensors:
    hidden, cell = states
    gates = F.linear(hidden, weights.of_hidden, weights.hidden_bias) + x
    write, keep, candidate, show = gates.chunk(4, -1)
    cell = torch.sigmoid(keep) * cell + torch.sigmoid(write) * torch.tanh(candidate)
    hidden = torch.sigmoid(show) * torch.tanh(cell)
    return (hidden if weights.projection is None else F.linear(hidden, weights.projection)), cell


def gru_cell(states: Tensors, x: torch.Tensor, weights: _Weights) -> Tensors:
    (hidden,) = states
    of_hidden = F.linear(hidden, weights.of_hidden, weights.hidden_bias).chunk(3, -1)
    of_input = x.chunk(3, -1)
    reset, keep = (torch.sigmoid(of_hidden[gate] + of_input[gate]) for gate in (0, 1))
    candidate = torch.tanh(of_input[2] + of_hidden[2] * reset)
    return ((hidden - candidate) * keep + candidate,)


def rnn_cell(
    function: Callable[[torch.Tensor], torch.Tensor], states: Tensors, x: torch.Tensor, weights: _Weights
) -> Tensors:
    (hidden,) = states
    return (function(F.linear(hidden, weights.of_hidden, weights.hidden_bias) + x),)


def _layers(
    cell: Cell,
    x: torch.Tensor,
    states: Tensors,
    parameters: Sequence[torch.Tensor],
    has_biases: bool,
    layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Tensors:
    """Output, then the last states of all layers; states are [layers * directions, batch, size]."""
    directions = 2 if bidirectional else 1
    each = len(parameters) // (layers * directions)
    projects = each == (5 if has_biases else 3)
    x = x.transpose(0, 1) if batch_first else x
    last: list[Tensors] = []
    for layer in range(layers):
        if layer > 0 and train and dropout > 0:
            x = torch.dropout(x, dropout, True)
        outputs = []
        for direction in range(directions):
            at = layer * directions + direction
            weights = _Weights.of(parameters[at * each : (at + 1) * each], has_biases, projects)
            initial = tuple(state[at] for state in states)
            output, final = _sequence(cell, x, initial, weights, backwards=direction == 1)
            outputs.append(output)
            last.append(final)
        x = torch.cat(outputs, -1) if bidirectional else outputs[0]
    output = x.transpose(0, 1) if batch_first else x
    return (output, *(torch.stack(finals) for finals in zip(*last, strict=True)))


def _sequence(
    cell: Cell, x: torch.Tensor, states: Tensors, weights: _Weights, *, backwards: bool
) -> tuple[torch.Tensor, Tensors]:
    """Outputs of one layer in one direction for [steps, batch, inputs], and its last states."""
    inputs = F.linear(x, weights.of_input, weights.input_bias)
    steps = inputs.shape[0]
    # A loop carries states of known sizes; a number of steps that is left open needs one.
    is_open = any(not isinstance(size, int) for state in states for size in state.shape)
    if isinstance(steps, int) and (steps < FEWEST_STEPS or is_open):
        outputs: list[Any] = [None] * steps
        for step in reversed(range(steps)) if backwards else range(steps):
            states = cell(states, inputs[step], weights)
            outputs[step] = states[0]
        return torch.stack(outputs), states

    def step_of(*tensors: torch.Tensor) -> Tensors:
        count = len(states)
        following = cell(tensors[:count], tensors[count], weights.replaced(tensors[count + 1 :]))
        return (*following, following[0].clone())  # an output must not share memory with a state

    inputs = inputs.flip(0) if backwards else inputs
    *final, outputs_of_all = scan_op(step_of, list(states), [inputs], weights.present())
    return (outputs_of_all.flip(0) if backwards else outputs_of_all), tuple(final)
