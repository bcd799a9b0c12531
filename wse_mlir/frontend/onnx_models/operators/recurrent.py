"""Recurrent layers. Plain ones are PyTorch's, whose steps become a loop; others are written out step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from ...recurrent_layers import Tensors, recurrent_decompositions
from ..registry import operator
from ..values import Unsupported, refuse_unless

aten = torch.ops.aten

MOST_STEPS = 512  # that are written out

_SIMPLE: dict[str, Callable[..., torch.Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softsign": F.softsign,
    "softplus": F.softplus,
}
# By name: the default of alpha, that of beta, and the function.
_WITH_NUMBERS: dict[str, tuple[float, float, Callable[..., torch.Tensor]]] = {
    "affine": (1.0, 0.0, lambda x, a, b: a * x + b),
    "leakyrelu": (0.01, 0.0, lambda x, a, b: F.leaky_relu(x, a)),
    "thresholdedrelu": (1.0, 0.0, lambda x, a, b: torch.where(x > a, x, torch.zeros_like(x))),
    "scaledtanh": (1.0, 1.0, lambda x, a, b: a * torch.tanh(b * x)),
    "hardsigmoid": (0.2, 0.5, lambda x, a, b: torch.clamp(a * x + b, 0.0, 1.0)),
    "elu": (1.0, 0.0, lambda x, a, b: F.elu(x, a)),
}


def _functions(names: list[str], alphas: Any, betas: Any) -> list[Callable[[torch.Tensor], torch.Tensor]]:
    left, right = list(alphas or ()), list(betas or ())
    found: list[Callable[[torch.Tensor], torch.Tensor]] = []
    for name in (n.lower() for n in names):
        if name in _SIMPLE:
            found.append(_SIMPLE[name])
        elif name in _WITH_NUMBERS:
            alpha, beta, function = _WITH_NUMBERS[name]
            alpha = left.pop(0) if left else alpha
            beta = right.pop(0) if right and name in ("affine", "scaledtanh", "hardsigmoid") else beta
            found.append(_fixed(function, alpha, beta))
        else:
            raise Unsupported(f"the activation '{name}'")
    return found


def _fixed(function: Callable[..., torch.Tensor], alpha: float, beta: float) -> Any:
    return lambda x: function(x, alpha, beta)


class _Layer:
    """What the three layers share: inputs in one order, directions, and the walk along the sequence."""

    def __init__(
        self,
        x: torch.Tensor,
        weights: torch.Tensor,
        recurrence: torch.Tensor,
        bias: torch.Tensor | None,
        lengths: torch.Tensor | None,
        states: list[torch.Tensor | None],
        attributes: dict[str, Any],
        defaults: list[str],
    ) -> None:
        self.batch_first = bool(attributes["layout"])
        self.x = x.transpose(0, 1) if self.batch_first else x
        self.steps, self.batch = self.x.shape[:2]
        refuse_unless(isinstance(self.steps, int), "a sequence whose length is left open")
        self.directions, self.hidden = recurrence.shape[0], recurrence.shape[-1]
        self.weights, self.recurrence, self.bias, self.lengths = weights, recurrence, bias, lengths
        self.direction: str = attributes["direction"]
        given = attributes["activations"]
        self.plain_functions = (
            not given or [g.lower() for g in given] == [d.lower() for d in defaults] * self.directions
        )
        names = given or defaults * self.directions
        functions = _functions(names, attributes["activation_alpha"], attributes["activation_beta"])
        each = len(defaults)
        self.functions = [functions[d * each : (d + 1) * each] for d in range(self.directions)]
        self.clip: float = attributes["clip"] or 0.0
        self.states = [self._state(state) for state in states]

    def _state(self, state: torch.Tensor | None) -> torch.Tensor:
        if state is None:
            return torch.zeros([self.directions, self.batch, self.hidden], dtype=self.x.dtype)
        return state.transpose(0, 1) if self.batch_first else state

    @property
    def is_plain(self) -> bool:
        """Whether PyTorch has the layer."""
        return self.plain_functions and not self.clip and self.lengths is None and self.direction != "reverse"

    def bounded(self, x: torch.Tensor) -> torch.Tensor:
        """Clipped, where that is asked for."""
        return torch.clamp(x, -self.clip, self.clip) if self.clip else x

    def pytorch(self, compute: Any, order: list[int], states: Any) -> Any:
        """Calls a layer of PyTorch with gates in its order."""
        parameters: list[torch.Tensor] = []
        for d in range(self.directions):
            parameters += [_reordered(v[d], order) for v in (self.weights, self.recurrence)]
            if self.bias is not None:
                half = self.bias.shape[-1] // 2
                parameters += [_reordered(self.bias[d, :half], order), _reordered(self.bias[d, half:], order)]
        both = self.directions == 2
        return compute(self.x, states, parameters, self.bias is not None, 1, 0.0, False, both, False)

    def walk(
        self, step: Callable[[int, torch.Tensor, Tensors], Tensors]
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Writes all steps out: outputs [steps, directions, batch, hidden], and the last states."""
        refuse_unless(self.steps <= MOST_STEPS, f"{self.steps} steps of a layer that PyTorch does not have")
        outputs: list[torch.Tensor] = []
        finals: list[Tensors] = []
        for d in range(self.directions):
            backwards = self.direction == "reverse" or d == 1
            states: Tensors = tuple(state[d] for state in self.states)
            collected: list[torch.Tensor] = [self.x] * self.steps
            for t in reversed(range(self.steps)) if backwards else range(self.steps):
                after = step(d, self.x[t], states)
                collected[t] = after[0]
                if self.lengths is not None:
                    inside = (t < self.lengths.to(torch.int64))[:, None]
                    after = tuple(torch.where(inside, a, b) for a, b in zip(after, states, strict=True))
                    collected[t] = torch.where(inside, collected[t], torch.zeros_like(collected[t]))
                states = after
            outputs.append(torch.stack(collected))
            finals.append(states)
        last = [torch.stack([f[k] for f in finals]) for k in range(len(self.states))]
        return torch.stack(outputs, 1), last

    def results(self, y: torch.Tensor, last: list[torch.Tensor]) -> Tensors:
        """Outputs and states in the order of the dimensions that the node asks for."""
        if self.batch_first:
            return y.permute(2, 0, 1, 3), *(state.transpose(0, 1) for state in last)
        return y, *last

    def results_of_pytorch(self, y: torch.Tensor, last: list[torch.Tensor]) -> Tensors:
        """The same, from outputs that have both directions side by side."""
        split = y.reshape([self.steps, self.batch, self.directions, self.hidden]).permute(0, 2, 1, 3)
        return self.results(split, last)

    def biases(self, d: int) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Of the input and of the state."""
        if self.bias is None:
            return None
        half = self.bias.shape[-1] // 2
        return self.bias[d, :half], self.bias[d, half:]


def _reordered(x: torch.Tensor, order: list[int]) -> torch.Tensor:
    if order == sorted(order):
        return x
    parts = torch.chunk(x, len(order), 0)
    return torch.cat([parts[k] for k in order], 0)


@operator("LSTM")
def lstm(
    x: torch.Tensor,
    w: torch.Tensor,
    r: torch.Tensor,
    b: torch.Tensor | None = None,
    lengths: torch.Tensor | None = None,
    initial_h: torch.Tensor | None = None,
    initial_c: torch.Tensor | None = None,
    peepholes: torch.Tensor | None = None,
    *,
    hidden_size: int = 0,
    direction: str = "forward",
    activations: list[str] | None = None,
    activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None,
    clip: float | None = None,
    input_forget: int = 0,
    layout: int = 0,
    output_sequence: int = 0,
) -> Tensors:
    """Outputs of all steps, the last output and the last cell."""
    layer = _Layer(x, w, r, b, lengths, [initial_h, initial_c], locals(), ["Sigmoid", "Tanh", "Tanh"])
    if layer.is_plain and peepholes is None and not input_forget:
        compute = recurrent_decompositions()[aten.lstm.input]
        y, h, c = layer.pytorch(compute, [0, 2, 3, 1], layer.states)
        return layer.results_of_pytorch(y, [h, c])

    def step(d: int, given: torch.Tensor, states: Tensors) -> Tensors:
        f, g, out = layer.functions[d]
        hidden, cell = states
        gates = given @ w[d].t() + hidden @ r[d].t()
        biases = layer.biases(d)
        gates = gates if biases is None else gates + biases[0] + biases[1]
        i, o, forget, c = torch.chunk(gates, 4, -1)
        of_input, of_output, of_forget = _thirds(peepholes, d)
        if of_input is not None:
            i, forget = i + of_input * cell, forget + of_forget * cell
        i = f(layer.bounded(i))
        forget = 1 - i if input_forget else f(layer.bounded(forget))
        cell = forget * cell + i * g(layer.bounded(c))
        o = o if of_output is None else o + of_output * cell
        return f(layer.bounded(o)) * out(cell), cell

    return layer.results(*layer.walk(step))


def _thirds(peepholes: torch.Tensor | None, d: int) -> Any:
    return (None, None, None) if peepholes is None else torch.chunk(peepholes[d], 3, -1)


@operator("GRU")
def gru(
    x: torch.Tensor,
    w: torch.Tensor,
    r: torch.Tensor,
    b: torch.Tensor | None = None,
    lengths: torch.Tensor | None = None,
    initial_h: torch.Tensor | None = None,
    *,
    hidden_size: int = 0,
    direction: str = "forward",
    activations: list[str] | None = None,
    activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None,
    clip: float | None = None,
    linear_before_reset: int = 0,
    layout: int = 0,
    output_sequence: int = 0,
) -> Tensors:
    """Outputs of all steps and the last output."""
    layer = _Layer(x, w, r, b, lengths, [initial_h], locals(), ["Sigmoid", "Tanh"])
    if layer.is_plain and linear_before_reset:
        y, h = layer.pytorch(recurrent_decompositions()[aten.gru.input], [1, 0, 2], layer.states[0])
        return layer.results_of_pytorch(y, [h])

    def step(d: int, given: torch.Tensor, states: Tensors) -> Tensors:
        f, g = layer.functions[d]
        (hidden,) = states
        size = layer.hidden
        of_input, of_state = given @ w[d].t(), hidden @ r[d, : 2 * size].t()
        biases = layer.biases(d) or (torch.zeros(3 * size, dtype=x.dtype),) * 2
        of_input, of_state = of_input + biases[0], of_state + biases[1][: 2 * size]
        z = f(layer.bounded(of_input[..., :size] + of_state[..., :size]))
        reset = f(layer.bounded(of_input[..., size : 2 * size] + of_state[..., size:]))
        last, bias = r[d, 2 * size :].t(), biases[1][2 * size :]
        new = reset * (hidden @ last + bias) if linear_before_reset else (reset * hidden) @ last + bias
        candidate = g(layer.bounded(of_input[..., 2 * size :] + new))
        return ((1 - z) * candidate + z * hidden,)

    return layer.results(*layer.walk(step))


@operator("RNN")
def rnn(
    x: torch.Tensor,
    w: torch.Tensor,
    r: torch.Tensor,
    b: torch.Tensor | None = None,
    lengths: torch.Tensor | None = None,
    initial_h: torch.Tensor | None = None,
    *,
    hidden_size: int = 0,
    direction: str = "forward",
    activations: list[str] | None = None,
    activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None,
    clip: float | None = None,
    layout: int = 0,
    output_sequence: int = 0,
) -> Tensors:
    """Outputs of all steps and the last output."""
    layer = _Layer(x, w, r, b, lengths, [initial_h], locals(), ["Tanh"])
    if layer.is_plain:
        y, h = layer.pytorch(recurrent_decompositions()[aten.rnn_tanh.input], [0], layer.states[0])
        return layer.results_of_pytorch(y, [h])

    def step(d: int, given: torch.Tensor, states: Tensors) -> Tensors:
        gates = given @ w[d].t() + states[0] @ r[d].t()
        biases = layer.biases(d)
        gates = gates if biases is None else gates + biases[0] + biases[1]
        return (layer.functions[d][0](layer.bounded(gates)),)

    return layer.results(*layer.walk(step))
