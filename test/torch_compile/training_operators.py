"""The operators that models train with, in groups, each with inputs of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Case:
    """A function or module and its arguments; floating tensors among them get a gradient."""

    function: Callable[..., Any]
    args: tuple[Any, ...]


def case(function: Callable[..., Any], *args: Any) -> Case:
    return Case(function, args)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def positive(*shape: int) -> torch.Tensor:
    return normal(*shape).abs() + 0.1


def tied() -> torch.Tensor:
    """Few values, so that many elements are equal."""
    return torch.randint(0, 3, (3, 6), generator=torch.Generator().manual_seed(1)).float()


IMAGE = (2, 4, 7, 7)
LABELS = torch.tensor([1, 3, 0, 3])
MASK = torch.tensor([[1, 0, 1, 0], [1, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]).bool()
COLUMNS = torch.tensor([[0, 2, 2], [1, 1, 5], [3, 3, 3]])
DISTINCT = torch.tensor([[0, 2], [1, 5], [3, 4]])
ROWS = torch.tensor([2, 0, 2])


def setting_items(x: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    x = x.clone()
    x[1:3, ::2] = v
    x[:, 1] = 2.0
    x[x > 1] = 0.5
    return x


def convolutions() -> dict[str, Case]:
    x = normal(2, 4, 5, 5)
    return {
        "strided": case(nn.Conv2d(4, 6, 3, stride=2, padding=1), x),
        "stride that leaves a rest": case(nn.Conv2d(4, 2, 2, stride=3, dilation=2, bias=False), x),
        "grouped": case(nn.Conv2d(4, 6, 3, groups=2, stride=2, padding=1), x),
        "one channel a group": case(nn.Conv2d(4, 4, 3, groups=4, padding="same"), x),
        "one channel a group, one image": case(nn.Conv2d(4, 8, 2, groups=4, stride=2), x[:1]),
        "transposed": case(nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1), x),
        "transposed grouped": case(nn.ConvTranspose2d(4, 4, 2, groups=2, stride=2, dilation=2), x),
        "of one dimension": case(nn.Conv1d(4, 3, 3, stride=2), normal(2, 4, 9)),
    }


def poolings() -> dict[str, Case]:
    x = normal(*IMAGE)
    ties = torch.randint(0, 3, (1, 2, 7, 7)).float()
    return {
        "max": case(nn.MaxPool2d(2), x),
        "max, windows overlap": case(nn.MaxPool2d(3, stride=2, padding=1), ties),
        "max, rounded up": case(nn.MaxPool2d(3, stride=2, ceil_mode=True), x),
        "max, dilated, indices": case(nn.MaxPool2d(2, stride=1, dilation=2, return_indices=True), x),
        "max of one dimension": case(nn.MaxPool1d(3, stride=2), normal(2, 4, 9)),
        "max of three dimensions": case(nn.MaxPool3d(2), normal(1, 2, 4, 4, 4)),
        "average": case(nn.AvgPool2d(2), x),
        "average, padded": case(nn.AvgPool2d(3, stride=2, padding=1), x),
        "average without padding": case(nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), x),
        "average, rounded up": case(nn.AvgPool2d((3, 2), stride=(2, 3), ceil_mode=True), x),
        "average, divisor": case(nn.AvgPool2d(3, stride=1, divisor_override=4), x),
        "average of one dimension": case(nn.AvgPool1d(3, padding=1), normal(2, 4, 9)),
        "average of three dimensions": case(nn.AvgPool3d(2), normal(1, 2, 4, 4, 4)),
        "to one position": case(nn.AdaptiveAvgPool2d(1), x),
        "adaptive average": case(nn.AdaptiveAvgPool2d((3, 5)), x),
        "adaptive average of equal windows": case(nn.AdaptiveAvgPool2d((7, 1)), x),
        "adaptive max": case(nn.AdaptiveMaxPool2d((3, 5), return_indices=True), x),
    }


def normalisations() -> dict[str, Case]:
    x = normal(*IMAGE)
    return {
        "batch": case(nn.BatchNorm2d(4), x),
        "batch of one dimension": case(nn.BatchNorm1d(6), normal(5, 6)),
        "batch without statistics": case(nn.BatchNorm2d(4, track_running_stats=False), x),
        "batch in evaluation": case(nn.BatchNorm2d(4).eval(), x),
        "layer": case(nn.LayerNorm(6), normal(3, 6)),
        "layer over two dimensions": case(nn.LayerNorm([7, 7], bias=False), x),
        "group": case(nn.GroupNorm(2, 4), x),
        "group without weights": case(nn.GroupNorm(2, 4, affine=False), x),
        "instance": case(nn.InstanceNorm2d(4, affine=True), x),
        "root mean square": case(nn.RMSNorm(6), normal(3, 6)),
        "local response": case(nn.LocalResponseNorm(3), x),
        "weight": case(nn.utils.parametrizations.weight_norm(nn.Linear(6, 4)), normal(3, 6)),
    }


def losses() -> dict[str, Case]:
    x, y, w = normal(4, 5), normal(4, 5) * 3 - 1, positive(5)
    entropy = nn.CrossEntropyLoss
    return {
        "cross entropy": case(entropy(), x, LABELS),
        "ignored": case(entropy(ignore_index=3), x, LABELS),
        "ignored by default": case(entropy(w), x, torch.tensor([1, -100, 0, -100])),
        "smoothed": case(entropy(w, label_smoothing=0.1, ignore_index=3), x, LABELS),
        "sum": case(entropy(reduction="sum"), x, LABELS),
        "each": case(entropy(reduction="none", ignore_index=3), x, LABELS),
        "probabilities": case(lambda x, t: F.cross_entropy(x, t.softmax(-1)), x, y),
        "of images": case(entropy(w, ignore_index=1), normal(2, 5, 2, 1), LABELS.reshape(2, 2, 1)),
        "negative log likelihood": case(lambda x, t: F.nll_loss(F.log_softmax(x, -1), t), x, LABELS),
        "mean square": case(F.mse_loss, x, y),
        "absolute": case(F.l1_loss, x, y),
        "smooth absolute": case(F.smooth_l1_loss, x, y),
        "huber": case(lambda x, y: F.huber_loss(x, y, delta=0.7), x, y),
        "binary": case(lambda x, y: F.binary_cross_entropy(x.sigmoid(), y.sigmoid()), x, y),
        "binary of logits": case(nn.BCEWithLogitsLoss(w, pos_weight=w), x, y.sigmoid()),
        "divergence": case(
            lambda x, y: F.kl_div(x.log_softmax(-1), y.softmax(-1), reduction="batchmean"), x, y
        ),
        "cosine": case(lambda x, y: F.cosine_similarity(x, y), x, y),
        "triplet": case(F.triplet_margin_loss, x, y, normal(4, 5) - 2),
        "distances": case(lambda x, y: torch.cdist(x, y), x, normal(3, 5)),
    }


def activations() -> dict[str, Case]:
    names = "relu relu6 elu selu celu leaky_relu gelu silu mish tanh sigmoid softplus softsign hardswish hardsigmoid"
    names += " hardtanh logsigmoid tanhshrink hardshrink softshrink glu"
    x = normal(3, 6) * 3
    cases = {name: case(getattr(F, name), x) for name in names.split()}
    return cases | {
        "gelu by tanh": case(lambda x: F.gelu(x, approximate="tanh"), x),
        "prelu": case(nn.PReLU(4), normal(*IMAGE)),
        "rrelu in evaluation": case(lambda x: F.rrelu(x, training=False), x),
        "softmax": case(lambda x: (torch.softmax(x, -1), torch.softmax(x, 0), torch.log_softmax(x, -1)), x),
        "at zero": case(
            lambda x: (F.relu(x), F.elu(x), F.leaky_relu(x), x.abs(), x.clamp(0.0, 1.0)), tied() - 1
        ),
    }


def attention() -> dict[str, Case]:
    q, k, v = normal(1, 2, 4, 3), normal(1, 2, 4, 3) + 0.5, normal(1, 2, 4, 3) - 0.5
    attend = F.scaled_dot_product_attention
    heads = nn.MultiheadAttention(6, 2, batch_first=True)
    padded = torch.tensor([[False, False, True, True], [False] * 4])
    return {
        "plain": case(attend, q, k, v),
        "causal": case(lambda q, k, v: attend(q, k, v, is_causal=True), q, k, v),
        "masked": case(lambda q, k, v: attend(q, k, v, attn_mask=MASK[:3], scale=0.3), q[:, :, :3], k, v),
        "added mask": case(lambda q, k, v, m: attend(q, k, v, attn_mask=m), q, k, v, normal(4, 4)),
        "grouped queries": case(lambda q, k, v: attend(q, k, v, enable_gqa=True), normal(1, 4, 4, 3), k, v),
        "heads": case(
            lambda x: heads(x, x, x, key_padding_mask=padded, need_weights=False)[0], normal(2, 4, 6)
        ),
    }


def recurrent() -> dict[str, Case]:
    return {
        "lstm cell": case(nn.LSTMCell(3, 4), normal(2, 3)),
        "gru cell": case(nn.GRUCell(3, 4), normal(2, 3), normal(2, 4)),
        "lstm": case(nn.LSTM(3, 4), normal(2, 2, 3)),
    }


def shapes() -> dict[str, Case]:
    x, y = normal(3, 6), normal(3, 6) * 2
    return {
        "cat": case(lambda x, y: torch.cat([x, y * 2, x], -1), x, y),
        "stack": case(lambda x, y: torch.stack([x, y], -1), x, y),
        "split": case(lambda x: [t * (i + 1) for i, t in enumerate(x.split([1, 3, 2], 1))], x),
        "chunk, unbind": case(
            lambda x: [t * (i + 1) for i, t in enumerate([*x.chunk(3, -1), *x.unbind(0)])], x
        ),
        "pad": case(lambda x: (F.pad(x, (1, 2, 0, 1), value=3.0), F.pad(x, (-1, 2))), x),
        "pad from the border": case(
            lambda x: [F.pad(x, (1, 2, 2, 1), mode=m) for m in ("reflect", "replicate", "circular")],
            normal(1, 2, 4, 4),
        ),
        "roll, flip": case(lambda x: (x.roll((1, -2), (0, -1)), x.roll(2), x.flip(0, 1), x.rot90()), x),
        "expand, repeat": case(
            lambda x: (x[:, None].expand(3, 2, 6) * 2, x.repeat(2, 3), x.repeat_interleave(2, -1)), x
        ),
        "permute, view": case(
            lambda x: (x.t(), x.t().reshape(2, 9) + 1, x.unflatten(1, (2, 3)).movedim(0, 2)), x
        ),
        "slices": case(lambda x: (x[::2, 1::3] * 2, x[-2:, :-1], x[:, None, 2], x.narrow(-1, 1, 2)), x),
        "diagonals": case(
            lambda x: (x.diagonal(1) * 2, torch.diag_embed(x), x.tril(1), x.triu(), x.trace()), x
        ),
        "windows": case(lambda x: (x.unfold(1, 3, 2) * 2, x.as_strided((2, 2), (1, 2)) * 2), x),
        "written into": case(
            lambda x, y: (
                x.select_scatter(y[:, 0], 1, 2),
                x.slice_scatter(y[:, :3], 1, 0, 6, 2),
                x.diagonal_scatter(y[0, :2], 4),
            ),
            x,
            y,
        ),
        "items": case(setting_items, x, y[:2, :3]),
    }


def indexing() -> dict[str, Case]:
    x, v = normal(3, 6), normal(3, 3)
    indices = torch.tensor([[1, 2, 1], [6, 1, 0]])
    return {
        "embedding": case(nn.Embedding(7, 4), indices),
        "embedding with padding": case(nn.Embedding(7, 4, padding_idx=1), indices),
        "embedding, counted": case(nn.Embedding(7, 4, scale_grad_by_freq=True), indices.int()),
        "gather": case(lambda x, i: (x.gather(-1, i), x.gather(0, i % 3), torch.take(x, i)), x, COLUMNS),
        "index_select": case(
            lambda x, i: (x.index_select(-1, i), x[i], x[:, i], x[i, i], x[i[:, None], i]), x, ROWS
        ),
        "indices around a slice": case(lambda x, i: x[i, :, i], normal(3, 2, 4), ROWS),
        "index_put": case(
            lambda x, v, i: (x.index_put((i,), v, accumulate=True), x.index_put((i[:2],), v[0])),
            x,
            normal(3, 6) + 1,
            ROWS,
        ),
        "index_add": case(lambda x, v, i: (x.index_add(-1, i, v), x.index_fill(1, i, 2.0)), x, v, ROWS),
        "index_copy": case(lambda x, v, i: x.index_copy(1, i, v), x, v, torch.tensor([4, 1, 0])),
        "scatter": case(lambda x, v, i: (x.scatter(-1, i, v[:, :2]), x.scatter(1, i, 2.0)), x, v, DISTINCT),
        "scatter_add": case(
            lambda x, v, i: (x.scatter_add(-1, i, v), x.scatter_add(-2, i % 3, v)), x, v, COLUMNS
        ),
        "scatter_reduce": case(
            lambda x, v, i: [x.scatter_reduce(-1, i, v, r) for r in ("sum", "amax", "mean")], x, v, COLUMNS
        ),
        "masks": case(
            lambda x, y, m: (
                torch.where(m, x, 2 * y),
                x.masked_fill(m, -1e9).softmax(-1),
                x.masked_scatter(m, y),
            ),
            x,
            normal(3, 6),
            normal(6) > 0,
        ),
    }


def reductions() -> dict[str, Case]:
    x, ties = normal(3, 6), tied()
    return {
        "running": case(lambda x: (x.cumsum(-1), x.cumsum(0), x.cumprod(1), x.logcumsumexp(1)), x),
        "running extremes": case(lambda x: (*x.cummax(-1), *x.cummin(0)), ties),
        "sort": case(lambda x: (*x.sort(-1), *x.sort(0, descending=True)), x),
        "sort of equals": case(lambda x: x.sort(stable=True, dim=1), ties),
        "topk": case(lambda x: (*x.topk(2, -1), *x.topk(2, 0, largest=False)), x),
        "median": case(lambda x: (*x.median(-1), x.quantile(0.3, 1)), x),
        "extremes": case(lambda x: (x.max(), *x.max(-1), x.min(0, keepdim=True)[0], x.aminmax()), x),
        "extremes of equals": case(lambda x: (x.max(), *x.max(1), x.amax(-1), x.amin((0, 1))), ties),
        "extremes of pairs": case(
            lambda x, y: (x.maximum(y), x.minimum(y), x.fmax(y)), ties, ties.roll(1, 1)
        ),
        "product": case(lambda x: (x.prod(), x.prod(-1)), x),
        "product with zeros": case(lambda x: (x - 1).prod(1), ties),
        "norms": case(
            lambda x: (x.norm(), *(x.norm(p=p, dim=-1) for p in (1, 2, 3, torch.inf)), F.normalize(x)), x
        ),
        "norm of zeros": case(lambda x: (x * 0).norm(dim=1), x),
        "moments": case(lambda x: (x.std(), x.var(-1), x.std(1, unbiased=False), *torch.var_mean(x, 0)), x),
        "sums": case(
            lambda x: (x.mean(), x.mean((0, 1), keepdim=True), x.sum(0), x.logsumexp(-1), x.nansum(1)), x
        ),
    }


def products() -> dict[str, Case]:
    return {
        "einsum": case(
            lambda x, y: torch.einsum("bhid,bhjd->bhij", x, y), normal(2, 2, 3, 4), normal(2, 2, 5, 4)
        ),
        "einsum of a diagonal": case(lambda x: torch.einsum("ii->i", x), normal(3, 3)),
        "batched": case(torch.bmm, normal(2, 3, 4), normal(2, 4, 5)),
        "broadcast": case(torch.matmul, normal(2, 1, 3, 4), normal(5, 4, 2)),
        "of vectors": case(torch.matmul, normal(4), normal(4) + 1),
        "by a vector": case(torch.matmul, normal(3, 4), normal(4)),
        "of a vector": case(torch.matmul, normal(4), normal(2, 4, 3)),
        "addmm": case(
            lambda x, y, z: torch.addmm(x, y, z, beta=0.5, alpha=2.0), normal(5), normal(3, 4), normal(4, 5)
        ),
        "baddbmm": case(torch.baddbmm, normal(2, 3, 5), normal(2, 3, 4), normal(2, 4, 5)),
        "outer": case(torch.outer, normal(3), normal(4)),
        "bilinear": case(nn.Bilinear(3, 4, 2), normal(2, 3), normal(2, 4)),
        "linear": case(nn.Linear(4, 3), normal(2, 3, 4)),
        "no rows": case(nn.Linear(4, 3), normal(0, 4)),
        "double": case(
            nn.Sequential(nn.Linear(6, 4), nn.GELU(), nn.LayerNorm(4)).double(), normal(3, 6).double()
        ),
        "bfloat16": case(nn.Linear(6, 4, dtype=torch.bfloat16), normal(3, 6).bfloat16()),
    }


def resampling() -> dict[str, Case]:
    x = normal(1, 1, 4, 5)
    resize = F.interpolate
    return {
        "nearest": case(
            lambda x: (resize(x, scale_factor=2), resize(x, size=(3, 7), mode="nearest-exact")), x
        ),
        "bilinear": case(lambda x: resize(x, scale_factor=2, mode="bilinear"), x),
        "bilinear, corners": case(lambda x: resize(x, size=(7, 3), mode="bilinear", align_corners=True), x),
        "area": case(lambda x: resize(x, size=(3, 3), mode="area"), x),
        "pixel shuffle": case(lambda x: (F.pixel_shuffle(x, 2), F.pixel_unshuffle(x, 2)), normal(1, 4, 4, 4)),
        "unfold": case(lambda x: F.unfold(x, 3, padding=1, stride=2), x),
        "fold": case(lambda x: F.fold(x, (4, 4), 2, stride=1, padding=1), normal(1, 8, 25)),
    }


def elementwise() -> dict[str, Case]:
    x, y = positive(3, 6), normal(3, 6)
    names = "exp log sqrt rsqrt log1p log2 log10 reciprocal erf expm1 sin cos tan sinh cosh asinh atan exp2"
    names += " square sinc frac"
    cases = {name: case(getattr(torch, name), x) for name in names.split()}
    return cases | {
        "inverse functions": case(
            lambda x: (torch.atanh(x), torch.asin(x), torch.acos(x), torch.logit(x)), x / 5
        ),
        "powers": case(lambda x, y: (x**y, y**2 + y**3, x**0.5, x**-1.5, 2**y, (x * 0) ** 2), x, y),
        "quotients": case(
            lambda x, y: (x / (y * y + 1), 2 / x, y % x, torch.fmod(y, 0.3), torch.remainder(y, 0.3)), x, y
        ),
        "pairs": case(
            lambda x, y: (
                torch.atan2(x, y),
                torch.hypot(x, y),
                torch.logaddexp(x, y),
                torch.lerp(x, y, 0.3),
                torch.xlogy(y, x),
            ),
            x,
            y,
        ),
        "clamps": case(lambda x, y: (y.clamp(-0.5, 0.5), y.clamp(min=0.1), y.clamp(-x, x), y.abs()), x, y),
        "broadcast": case(lambda x, y, z: x * y + y / z, x, normal(6), torch.tensor(1.5)),
        "addcmul": case(lambda x, y: (torch.addcmul(x, y, y, value=0.5), torch.addcdiv(y, y, x)), x, y),
        "conversions": case(lambda x: (x.double().exp().float(), x * x.detach(), x.nan_to_num()), x),
        "no gradient": case(lambda x: (x.floor() * x, x.round() * x, torch.sign(x) * x, x.trunc()), y * 3),
    }


GROUPS: tuple[Callable[[], dict[str, Case]], ...] = (
    convolutions,
    poolings,
    normalisations,
    losses,
    activations,
    attention,
    recurrent,
    shapes,
    indexing,
    reductions,
    products,
    resampling,
    elementwise,
)
