"""What combines elements, at the edges: NaN, infinities, the ends of every type, many small numbers; as PyTorch."""

from __future__ import annotations

import math

import pytest
import torch
from batches import FLOATS, INTEGERS, Batch, Function, differences, disagreements, planted
from torch.nn import functional

import wse_mlir

INDEX = torch.tensor([[0, 1, 2, 0, 1, 3, 0], [3, 3, 1, 1, 0, 2, 2]])
ROWS = torch.tensor([1, 3, 1])

COMPARING: dict[str, Function] = {
    "amax": lambda x: (x.amax(), x.amax(0), x.amin((0, 1)), x.amin(-1, True)),
    "max": lambda x: (x.max(), *x.max(0), *x.max(-1, True)),
    "min": lambda x: (x.min(), *x.min(0), *x.min(1)),
    "aminmax": lambda x: (*torch.aminmax(x), *torch.aminmax(x, dim=1)),
    "cummax": lambda x: (*x.cummax(0), *x.cummin(-1)),
    "mode": lambda x: (torch.mode(torch.nan_to_num(x), 0).values, *torch.mode(torch.nan_to_num(x), 1)),
    "any": lambda x: (x.any(), x.all(), x.any(0), x.all(-1, True), x.count_nonzero(1)),
    "no dimensions": lambda x: (
        *(
            x[0, 0].amax(),
            x[0, 0].amin(0),
            *x[0, 0].max(-1),
            *x[0, 0].sort(),
            x[0, 0].all(0),
            x[0, 0].flip(0),
        ),
        *(x[0, 0].prod(0), x[0, 0].gather(0, ROWS[0] * 0)),
    ),
}
NUMBERS: dict[str, Function] = {
    "argmax": lambda x: (x.argmax(), x.argmax(0), x.argmin(1), x.argmin(-1, True), x[0, 0].argmax(0)),
    "median": lambda x: (x.median(), *x.median(1), x.nanmedian(), x.nanmedian(0).values),
    "search": lambda x: (
        torch.searchsorted(x.sort().values, x),
        torch.searchsorted(x[1].sort().values, x, right=True, out_int32=True),
        torch.bucketize(x, x[1].sort().values),
    ),
}
COMBINING: dict[str, Function] = {
    "sum": lambda x: (x.sum(), x.sum(0), x.sum((0, 1)), x.sum(-1, True), x.sum(dtype=torch.float32)),
    "product": lambda x: (x.prod(), x.prod(0), x.cumprod(-1)),
    "running sum": lambda x: (
        x.cumsum(0),
        x.cumsum(-1),
        x.cumsum(1, dtype=torch.int64 if _whole(x) else None),
    ),
    "of nothing": lambda x: (
        x[:0].sum(0),
        x[:0].prod(0),
        x[:, :0].any(1),
        x[:, :0].all(1),
    ),
}
SCATTERED: dict[str, Function] = {
    **{
        f"scatter {how} {with_self}": lambda x, how=how, with_self=with_self: x.scatter_reduce(
            0, INDEX, x.flip(0)[:2], how, include_self=with_self
        )
        for how in ("sum", "prod", "amax", "amin")
        for with_self in (True, False)
    },
    "scatter mean": lambda x: x.new_ones(4, 7).scatter_reduce(
        0, INDEX, (x[2:] & 63) if _whole(x) else x[2:], "mean"
    ),
    "index reduce": lambda x: (
        x.index_reduce(0, ROWS, x[:3], "amin"),
        x.index_reduce(0, ROWS, x[:3], "prod", include_self=False),
    ),
    "index add": lambda x: x.index_add(0, ROWS, x[:3]),
}


def _whole(x: torch.Tensor) -> bool:
    return not x.is_floating_point()


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, torch.bool], ids=str)
def test_elements_are_found_and_combined(dtype: torch.dtype) -> None:
    functions = COMPARING | COMBINING
    if dtype != torch.bool:
        functions = functions | NUMBERS | SCATTERED
    assert disagreements(functions, (planted(dtype),)) == []


OF_FLOATS: dict[str, Function] = {
    **{
        f"norm {p}": lambda x, p=p: (
            torch.linalg.vector_norm(x, p),
            torch.linalg.vector_norm(x, p, 1),
            torch.norm(x, p, 0, True),
        )
        for p in (0, 1, 2, 3, 2.5, math.inf, -math.inf)
    },
    "mean": lambda x: (x.mean(), x.mean(0), x.nansum(), x.nanmean(0)),
    "spread": lambda x: (x.var(), x.var(0), x.std(1), x.std(correction=0), torch.var_mean(x, 1)[0]),
    "spread of one": lambda x: (x[0, 0].var(0), x[0, 0].std(-1)),
    "exponentials": lambda x: (x.logsumexp(1), x.logcumsumexp(0), x.logcumsumexp(-1), x[0, 0].logsumexp(0)),
    "softmax": lambda x: (x.softmax(0), x.log_softmax(-1), functional.softmin(x, 1)),
    "root mean square": lambda x: (functional.rms_norm(x, (7,)), functional.rms_norm(x, (7,), x[0], 1e-5)),
    "pooling": lambda x: (
        functional.avg_pool2d(x[None, None], 2),
        functional.adaptive_avg_pool2d(x[None, None], (2, 3)),
        *functional.max_pool2d(x[None, None], 2, return_indices=True),
    ),
    "losses": lambda x: (functional.mse_loss(x, x.flip(0)), functional.l1_loss(x, x.flip(0))),
}
_LEVELS = torch.linspace(-1, 1, 28).reshape(4, 7)
MAGNITUDES: dict[str, torch.Tensor] = {
    "near 300": 300 + 20 * _LEVELS,
    "infinite": torch.tensor([-math.inf, math.inf, 1.0, 100.0])[:, None].expand(4, 7).clone(),
    "small": 1e-4 * (_LEVELS + 0.5),
}


@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_floats_are_combined(dtype: torch.dtype) -> None:
    model = Batch(OF_FLOATS)
    compiled = wse_mlir.compile(model, (planted(dtype),))
    for x in (planted(dtype), *(values.to(dtype) for values in MAGNITUDES.values())):
        assert differences(compiled(x), model(x)) == []


MANY: dict[str, Function] = {
    "mean": lambda x: (x.mean(), x.mean(1)),
    "sum": lambda x: (x / 4).sum(1),
    "root mean square": lambda x: functional.rms_norm(3 * x, (1000,)),
    "layer": lambda x: functional.layer_norm(x, (1000,)),
    "norm": lambda x: torch.linalg.vector_norm(x, dim=1),
    "angle": lambda x: functional.cosine_similarity(x / 16, x.flip(1) / 16),
    "running sum": lambda x: (x / 4).cumsum(1),
    "average": lambda x: functional.avg_pool1d(x[None], 900),
    "spread": lambda x: (x.std(1), x.var(1)),
}


@pytest.mark.parametrize("target", ["cpu", "tiny"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_narrow_floats_are_added_up_in_wide_ones(dtype: torch.dtype, target: str) -> None:
    x = (100 + torch.linspace(-9, 9, 2000).reshape(2, 1000)).to(dtype)
    functions = MANY if target == "cpu" else {k: MANY[k] for k in ("mean", "sum", "root mean square", "norm")}
    assert disagreements(functions, (x,), target) == []


def test_deviations_neither_overflow_nor_vanish() -> None:
    x = torch.stack([1e30 * (_LEVELS + 0.5), 1e-25 * (_LEVELS + 0.5), _LEVELS + 0.5]).reshape(3, 28)
    assert disagreements({"std": lambda x: (x.std(1), x.var(1), *torch.std_mean(x, 1))}, (x,)) == []


def test_the_mean_beside_a_deviation_is_infinite_where_an_element_is() -> None:
    x = torch.tensor(
        [[1.0, 2, math.inf], [math.inf, 1, 2], [-math.inf, -math.inf, 3], [math.inf, 0, -math.inf]]
    )
    ours = wse_mlir.compile(lambda x: (torch.std_mean(x, 1)[1], torch.var_mean(x, 1)[1]), (x,), cache=False)(
        x
    )
    for mean in ours:
        torch.testing.assert_close(mean, x.mean(1), equal_nan=True)


def test_running_sums_of_exponentials_are_stable() -> None:
    x = torch.tensor([[100.0, -100.0, 100.0], [-1000.0, 0.0, 1.0], [-math.inf, -math.inf, 2.0]])
    assert disagreements({"log": lambda x: (x.logcumsumexp(1), x.logsumexp(1))}, (x,)) == []
    zeros = torch.tensor([[-0.0, 0.0]])  # the sign of the first one shows in its reciprocal
    assert disagreements({"signs": lambda x: (1 / x.logcumsumexp(1), 1 / x.logcumsumexp(0))}, (zeros,)) == []


def test_gradients_of_softmax_and_places_in_adaptive_windows() -> None:
    x = planted(torch.float32)
    large = torch.linspace(-3e38, 3e38, 28).reshape(4, 7)
    functions: dict[str, Function] = {
        "gradient": lambda x, g: torch.ops.aten._softmax_backward_data(
            g, _LEVELS.softmax(1), 1, torch.float32
        ),
        "places": lambda x, g: functional.adaptive_max_pool2d(x[None, None], (2, 3), return_indices=True),
        "counted": lambda x, g: (
            x + torch.arange(1, 200, 30, dtype=torch.uint8) + torch.arange(7, dtype=torch.int8)
        ),
    }
    assert disagreements(functions, (x, large)) == []


def test_bags_of_embeddings() -> None:
    index, offsets = torch.tensor([0, 2, 1, 3, 3, 0]), torch.tensor([0, 2, 2])
    weights = torch.linspace(-1, 2, 6)

    def bags(x: torch.Tensor, mode: str, **options: object) -> torch.Tensor:
        return functional.embedding_bag(index, x, offsets, mode=mode, **options)  # type: ignore[arg-type]

    functions: dict[str, Function] = {
        **{mode: lambda x, mode=mode: bags(x, mode) for mode in ("sum", "mean", "max")},
        "weights": lambda x: bags(x, "sum", per_sample_weights=weights.to(x.dtype)),
        "padding": lambda x: (bags(x, "sum", padding_idx=3), bags(x, "mean", padding_idx=-1)),
        "last offset": lambda x: bags(x, "sum", include_last_offset=True),
        "rows": lambda x: functional.embedding_bag(
            index.reshape(2, 3), x, mode="sum", per_sample_weights=weights.reshape(2, 3).to(x.dtype)
        ),
    }
    assert disagreements(functions, (300 * _LEVELS,)) == []
    assert disagreements(functions, (_LEVELS.half(),)) == []


def test_what_bags_hold_is_told_as_pytorch_does() -> None:
    """Kernels that sum neither count nor, where they add rows as they are, find out which bag an index is in."""
    index, offsets = torch.tensor([0, 2, 1, 3, 3, 0]), torch.tensor([0, 2, 2])
    weights, ends = torch.linspace(-1, 2, 6), torch.tensor([0, 2, 6])

    def inner(x: torch.Tensor, mode: int, padding: int) -> tuple[torch.Tensor, ...]:
        return torch.ops.aten._embedding_bag(x, index, offsets, False, mode, False, None, False, padding)

    functions: dict[str, Function] = {
        f"{mode} {padding}": lambda x, mode=mode, padding=padding: inner(x, mode, padding)
        for mode in (0, 1, 2)
        for padding in (-1, 3)
    }
    functions["weights"] = lambda x: torch.ops.aten._embedding_bag(
        x, index, offsets, per_sample_weights=weights.to(x.dtype)
    )
    functions["forward"] = lambda x: torch.ops.aten.embedding_bag(x, index, ends, include_last_offset=True)
    assert disagreements(functions, (_LEVELS,)) == []
    assert disagreements(functions, (_LEVELS.double(),)) == []
