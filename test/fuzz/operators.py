"""Operators that models are drawn from, as Python expressions of values that are there already.

Rounding tells two correct compilers apart, so an operator that jumps (floor, comparisons, casts to integers, argmax)
takes *exact* values only: inputs, and what operators without rounding make of them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import torch

from .random_values import FLOATS, INTEGERS


@dataclass(frozen=True)
class Value:
    """A tensor of the model that is drawn; `exact` when any correct compiler gives the same bits."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    exact: bool

    @property
    def is_float(self) -> bool:
        return self.dtype.is_floating_point

    @property
    def is_bool(self) -> bool:
        return self.dtype == torch.bool


# An expression and whether its value is exact where the operands are; None when nothing fits.
Drawn = tuple[str, bool, list[Value]] | None
Pick = Callable[[random.Random, list[Value]], Drawn]

MOVES = (  # copies: any type, bits stay
    "{x}.transpose(0, -1)", "{x}.flatten()", "{x}.flip(-1)", "{x}[..., ::2]", "{x}[:, 1:]", "{x}[-1]",
    "{x}.unsqueeze(1)", "{x}.reshape(-1)", "{x}.reshape({x}.shape[0], -1)", "torch.roll({x}, 1, 0)",
    "{x}.squeeze()", "torch.stack([{x}, {x}], -1)", "torch.cat([{x}, {x}], 0)",
    "torch.cat([{x}, {x}.flip(0)], -1)", "{x}.tile(2)", "{x}.repeat_interleave(2, 0)", "{x}[[0, -1, 0]]",
    "{x}.index_select(-1, torch.tensor([0, 0]))", "torch.tril({x})", "torch.triu({x}, 1)", "{x}.diagonal()",
    "{x}.unfold(-1, 2, 1)", "{x}.chunk(2, -1)[-1]", "{x}.movedim(0, -1)", "{x}.expand(2, *{x}.shape)",
    "F.pad({x}, (1, 2))", "F.pad({x}, (-1, 1))", "{x}.clone()", "{x}.narrow(0, 0, 1)",
    "torch.broadcast_to({x}[:1], {x}.shape)", "{x}.T", "{x}.mT", "{x}.rot90()",
    "{x}.contiguous().view(-1)[:6]", "torch.zeros_like({x})", "torch.full_like({x}, 1)",
)  # fmt: skip
NUMBERS_EXACT = (  # without rounding; floats and integers
    "-{x}", "{x}.abs()", "torch.relu({x})", "torch.clamp({x}, -1, 2)", "torch.clamp({x}, max=1)",
    "torch.sign({x})", "{x}.amax(-1)", "{x}.amin(0, keepdim=True)", "{x}.max(-1).values", "{x}.argmax(-1)",
    "{x}.argmin()", "{x}.max()", "torch.sort({x}, -1, stable=True).values",
    "torch.sort({x}, 0, descending=True, stable=True).indices", "torch.topk({x}, 2, -1).values",
    "{x}.cummax(-1).values", "{x} > 1", "{x} <= 0", "{x} == 2", "{x} != {x}", "torch.nan_to_num({x})",
    "{x}.bool()", "{x}.any(-1)", "{x}.all()", "F.relu6({x})", "F.hardtanh({x})",
    "F.max_pool2d({x}, 2, 1, 1)", "F.max_pool1d({x}, 3, 2)", "F.threshold({x}, 1, 0)",
    "torch.minimum({x}, {x}.flip(0))", "torch.isin({x}, torch.tensor([0, 1]))",
    "torch.count_nonzero({x}, -1)", "torch.aminmax({x}, dim=-1).max",
)  # fmt: skip
FLOATS_EXACT = (
    "{x}.floor()", "{x}.ceil()", "{x}.round()", "{x}.trunc()", "torch.isnan({x})", "torch.isfinite({x})",
    "torch.isinf({x})", "torch.signbit(torch.nan_to_num({x}))", "torch.nan_to_num({x}).clamp(-90, 90).to(torch.int32)",
    "F.leaky_relu({x}, 0.5)", "torch.nan_to_num({x}).clamp(0, 200).to(torch.uint8)",
    "torch.nan_to_num({x}).clamp(-99, 99).to(torch.int64)", "F.pad({x}[None], (1, 1), mode='replicate')[0]",
    "F.pad({x}[None], (1, 1), mode='reflect')[0]", "{x}.frac()",
    "F.interpolate({x}, scale_factor=2.0, mode='nearest')", "torch.softshrink({x})", "F.hardshrink({x})",
)  # fmt: skip
FLOATS_ROUNDED = (
    "torch.exp({x})", "torch.tanh({x})", "torch.sigmoid({x})", "F.gelu({x}.clamp(-99, 99))", "F.silu({x})",
    "F.softplus({x})", "torch.erf({x})", "torch.log1p({x}.abs())", "torch.sqrt({x}.abs())",
    "torch.rsqrt({x}.abs() + 1)", "torch.sin({x})", "torch.cos({x})", "torch.expm1({x})",
    "torch.log({x}.abs() + 0.5)", "F.hardswish({x})", "F.hardsigmoid({x})", "F.mish({x})", "F.elu({x})",
    "F.logsigmoid({x})", "torch.reciprocal({x})", "{x}.abs() ** 0.5", "{x} ** 2", "{x} ** 3",
    "F.gelu({x}, approximate='tanh')", "{x}.sum(-1)", "{x}.mean(0)", "{x}.mean()", "{x}.var(-1)",
    "{x}.std(0)", "{x}.norm()", "torch.logsumexp({x}, -1)", "torch.softmax({x}, -1)",
    "torch.softmax({x}, 0)", "torch.log_softmax({x}, -1)", "{x}.cumsum(-1)", "{x}.prod(-1)",
    "F.layer_norm({x}, {x}.shape[-1:])", "F.rms_norm({x}, {x}.shape[-1:])", "F.group_norm({x}, 1)",
    "{x} / 3", "F.avg_pool2d({x}, 2, 1, 1)", "F.adaptive_avg_pool2d({x}, 2)", "F.normalize({x}, dim=-1)",
    "F.avg_pool1d({x}, 2)", "F.interpolate({x}, scale_factor=2.0, mode='bilinear')", "{x}.logcumsumexp(0)",
    "torch.linalg.vector_norm({x}, 3, -1)", "F.linear({x}, {p:5,-1}, {p:5})", "F.linear({x}, {p:17,-1})",
    "{x} @ {p:-1,4}", "F.instance_norm({x})", "F.conv1d({x}, {p:4,@1,3}, padding=1)",
    "F.conv2d({x}, {p:4,@1,3,3}, {p:4}, padding=1)", "{x} * {p:-1} + {p:-1}",
    "F.conv2d({x}, {p:6,@1,2,3}, stride=(1, 2))",
    "F.conv2d({x}, {p:@1,1,3,3}, padding=1, groups={x}.shape[1])",
    "F.conv_transpose2d({x}, {p:@1,3,2,2}, stride=2)", "F.conv2d({x}, {p:4,@1,1,1})",
    "torch.einsum('...i,...j->...ij', {x}, {x})",
    "F.scaled_dot_product_attention(*[{x}.nan_to_num(1, 2, 3)] * 3, is_causal=True)",
    "F.scaled_dot_product_attention(*[{x}.nan_to_num(1, 2, 3)] * 3)", "torch.cdist({x}, {x})",
    "F.cosine_similarity({x}, {x}.flip(0), -1)", "{x} @ {x}.mT",
    "torch.outer({x}.flatten()[:5], {x}.flatten()[:4])",
)  # fmt: skip
INTEGERS_EXACT = (
    "~{x}", "{x} & 5", "{x} | 3", "{x} ^ 9", "{x} << 2", "{x} >> 1", "{x} ** 2", "{x} ** 3", "{x} // 3",
    "{x} % 7", "{x} // -2", "torch.fmod({x}, 5)", "torch.div({x}, 4, rounding_mode='trunc')", "{x}.sum(-1)",
    "{x}.prod(0)", "{x}.cumsum(0)", "{x}.square()", "{x}.median()", "{x}.median(-1).values", "{x}.float()",
    "{x}.to(torch.float64)", "{x}.to(torch.float16)", "torch.bucketize({x}, torch.tensor([0, 2, 4]))",
    "F.one_hot({x}.abs().long() % 4, 4)", "{x}.long()", "{x}.to(torch.int8)",
    "torch.arange(12.0).reshape(4, 3)[{x}.abs().long() % 4]", "F.embedding({x}.abs().long() % 3, {p:3,5})",
    "{x}.to(torch.uint8)",
)  # fmt: skip
INTEGERS_ROUNDED = (
    "{x} / 3", "torch.sqrt({x}.abs().float())", "torch.reciprocal({x})",
)  # fmt: skip
BOOLS_EXACT = (
    "~{x}", "{x}.any(-1)", "{x}.all(0)", "{x}.sum(-1)",
    "{x}.float()", "{x}.long()", "{x}.to(torch.uint8)", "{x}.argmax(-1)", "{x}.cumsum(-1)",
    "{x}.to(torch.float16)", "torch.logical_xor({x}, {x}.flip(0))", "{x}.max(-1).values", "{x}.int() * 3",
)  # fmt: skip
PAIRS_EXACT = (
    "torch.maximum({x}, {y})", "torch.minimum({x}, {y})", "{x} > {y}", "{x} == {y}",
    "torch.where({x} >= {y}, {x}, {y})", "torch.where({y} > 0, {x}, {y})", "torch.clamp({x}, {y})",
    "{x}.masked_fill({y} < 1, 2)", "torch.cat([{x}.flatten(), {y}.flatten()])", "torch.isclose({x}, {y})",
    "{x}.copysign({y})", "torch.logical_and({x}, {y})",
)  # fmt: skip
FLOAT_PAIRS_EXACT = (
    "torch.fmax({x}, {y})",
    "torch.fmin({x}, {y})",
    "torch.fmod({x}, {y} + 1)",  # no quotient overflows: where one does PyTorch's vector and scalar code differ
    "torch.remainder({x}, {y} + 1) + 0",  # nor is the sign of a zero theirs to agree on
    "torch.floor_divide({x}, {y})",
    "torch.heaviside({x}, {y})",
)
INTEGER_PAIRS_EXACT = (
    "{x} + {y}",
    "{x} - {y}",
    "{x} * {y}",
    "{x} // ({y} | 1)",
    "{x} % ({y} | 1)",
    "{x} & {y}",
    "{x} << ({y} & 3)",
    "{x} >> ({y} & 3)",
    "torch.bitwise_xor({x}, {y})",
    "torch.div({x}, {y} | 1, rounding_mode='trunc')",
)
FLOAT_PAIRS_ROUNDED = (
    "{x} + {y}", "{x} - {y}", "{x} * {y}", "{x} / {y}", "torch.atan2({x}, {y})", "torch.hypot({x}, {y})",
    "{x} @ {y}", "torch.logaddexp({x}, {y})", "{x}.abs() ** {y}", "torch.lerp({x}, {y}, 0.25)",
    "torch.addcmul({x}, {x}, {y})", "{x} @ {y}.mT", "torch.matmul({x}, {y}.transpose(-1, -2)).relu()",
    "torch.xlogy({x}, {y})", "F.mse_loss({x}, {y})", "({x} * {y}).sum(-1)", "F.smooth_l1_loss({x}, {y})",
    "torch.kron({x}, {y})",
)  # fmt: skip


def draw_expression(draw: random.Random, values: list[Value]) -> Drawn:
    """An expression of one or two of the values, whether it is exact, and the values."""
    x = draw.choice(values[-4:] if draw.random() < 0.7 else values)
    if draw.random() < 0.3:
        return _draw_pair(draw, x, values)
    exact, rounded = _unary(x)
    table, keeps = (exact, True) if draw.random() < (0.5 if rounded else 1.0) else (rounded, False)
    template = draw.choice(table)
    return template, keeps and x.exact, [x]


def _unary(x: Value) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if x.is_bool:
        return MOVES + BOOLS_EXACT, ()
    if not x.is_float:
        return MOVES + NUMBERS_EXACT + INTEGERS_EXACT, INTEGERS_ROUNDED
    return (MOVES + NUMBERS_EXACT + FLOATS_EXACT if x.exact else MOVES), FLOATS_ROUNDED


def _draw_pair(draw: random.Random, x: Value, values: list[Value]) -> Drawn:
    alike = [v for v in values if _broadcasts(x.shape, v.shape)]
    alike = [v for v in alike if v.dtype == x.dtype] if draw.random() < 0.6 else alike
    y = draw.choice(alike or [x])
    exact = x.exact and y.exact
    if x.is_float and y.is_float:
        if exact and draw.random() < 0.5:
            return draw.choice(PAIRS_EXACT + FLOAT_PAIRS_EXACT), True, [x, y]
        return draw.choice(FLOAT_PAIRS_ROUNDED), False, [x, y]
    if x.is_float or y.is_float:
        if exact and draw.random() < 0.5:
            return draw.choice(PAIRS_EXACT), True, [x, y]
        return draw.choice(FLOAT_PAIRS_ROUNDED[:3]), False, [x, y]
    return draw.choice(PAIRS_EXACT + INTEGER_PAIRS_EXACT), exact, [x, y]


def _broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(m == n or 1 in (m, n) for m, n in zip(reversed(a), reversed(b), strict=False))


SHAPES = (
    (4,),
    (3, 5),
    (2, 8),
    (1, 7),
    (2, 3, 4),
    (2, 3, 6, 5),
    (1, 4, 8, 8),
    (5, 1, 3),
    (16, 16),
    (),
    (2, 4, 8, 16),
    (33,),
)


def draw_input(draw: random.Random, position: int) -> Value:
    """An input of the model."""
    wide = draw.random() < 0.6
    dtype = torch.float32 if wide else draw.choice([*FLOATS, *INTEGERS, torch.bool])
    return Value(f"x{position}", draw.choice(SHAPES), dtype, True)


def parameter_shape(text: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Sizes as templates write them: a number, `-1` for the last size of the operand, `@1` for its dimension 1."""
    sizes = []
    for part in text.split(","):
        if part.startswith("@"):
            sizes.append(shape[int(part[1:])] if int(part[1:]) < len(shape) else 1)
        else:
            sizes.append(int(part) if int(part) > 0 else (shape[-1] if shape else 1))
    return tuple(sizes)


def scale_of(shape: tuple[int, ...]) -> float:
    """A scale of weights that keeps sums of products of ordinary size."""
    return 1.0 / math.sqrt(max(1, math.prod(shape[1:])))
