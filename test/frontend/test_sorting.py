"""Sorts and what is made of them: a total order with NaN as the greatest, stable, for every type."""

from __future__ import annotations

import functools
import math
from typing import Any

import pytest
import torch
from batches import FLOATS, INTEGERS, Batch, Function, differences
from hypothesis import given, settings
from hypothesis import strategies as st

import wse_mlir

LENGTH = 9
FUNCTIONS: dict[str, Function] = {
    "ascending": lambda x: tuple(torch.sort(x, dim=1, stable=True)),
    "descending": lambda x: tuple(torch.sort(x, dim=-1, descending=True, stable=True)),
    "columns": lambda x: torch.argsort(x, dim=0, stable=True),
    "msort": lambda x: torch.msort(x),
}
OF_NUMBERS: dict[str, Function] = {
    "largest": lambda x: torch.topk(x, 4).values,
    "smallest": lambda x: torch.topk(x, 2, largest=False).values,
    "kth": lambda x: torch.kthvalue(x, 3).values,
    "median": lambda x: (torch.median(x), torch.median(x, 1).values),
}


@functools.cache
def _compiled(dtype: torch.dtype) -> tuple[torch.nn.Module, Any]:
    model = Batch(FUNCTIONS if dtype == torch.bool else FUNCTIONS | OF_NUMBERS)
    return model, wse_mlir.compile(model, (torch.ones(2, LENGTH, dtype=dtype),))


def _numbers(dtype: torch.dtype) -> st.SearchStrategy[Any]:
    if dtype == torch.bool:
        return st.booleans()
    if dtype.is_floating_point:
        least = torch.finfo(dtype).smallest_normal / 8
        return st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 3.5, least, -least])
    ends = torch.iinfo(dtype)
    return st.sampled_from([ends.min, ends.min + 1, 0, 1, 5, ends.max - 1, ends.max])


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, torch.bool], ids=str)
@settings(max_examples=40)
@given(data=st.data())
def test_sorts_as_pytorch(dtype: torch.dtype, data: st.DataObject) -> None:
    line = st.lists(_numbers(dtype), min_size=LENGTH, max_size=LENGTH)
    x = torch.tensor([data.draw(line), data.draw(line)], dtype=dtype)
    model, compiled = _compiled(dtype)
    assert differences(compiled(x), model(x)) == []


def test_sorts_on_a_wafer() -> None:
    x = torch.tensor([[3.0, math.nan, 2.0, 1.0, -0.0, 5.0, 0.0, -math.inf, math.inf]] * 2)
    model = Batch(FUNCTIONS)
    assert differences(wse_mlir.compile(model, (x,), target="tiny")(x), model(x), on_wafer=True) == []
