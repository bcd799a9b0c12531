"""What a model computes of constants, which several compilers may fold on the way, is what PyTorch computes of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

import wse_mlir

Made = dict[str, torch.Tensor]


class OfConstants(torch.nn.Module):
    """Results that depend on constants, beside one that depends on the input."""

    def __init__(self, make: Callable[[torch.Tensor], Made]) -> None:
        super().__init__()
        self.make = make

    def forward(self, x: torch.Tensor) -> Made:
        return self.make(x)


def check(make: Callable[[torch.Tensor], Made], x: torch.Tensor) -> None:
    model = OfConstants(make)
    results = wse_mlir.compile(model, (x,), cache=False)(x)
    for name, wanted in model(x).items():
        actual = results[name]
        assert actual.dtype == wanted.dtype, name
        assert torch.equal(actual.double().nan_to_num(7.5), wanted.double().nan_to_num(7.5)), name


def _folded(x: torch.Tensor) -> Made:
    constants = {
        "one": torch.ones(()), "below": torch.full((2,), -2.5), "nan": torch.full((), math.nan),
        "infinite": torch.full((2,), math.inf), "whole": torch.full((), -3), "most": torch.full((2,), 2**63 - 1),
        "byte": torch.full((), 200, dtype=torch.uint8), "small": torch.full((2,), -100, dtype=torch.int8),
        "tensor": torch.tensor([-3.5]), "true": torch.ones((), dtype=torch.bool),
    }  # fmt: skip
    operators = (torch.lt, torch.le, torch.gt, torch.ge, torch.eq, torch.ne, torch.add, torch.mul)
    results = {
        f"{name}, {operator.__name__}, {number}": operator(constant, number)
        for name, constant in constants.items()
        for operator in operators
        for number in (0, -1, 2.5, 300)
    }
    for operator in (torch.div, torch.remainder, torch.floor_divide, torch.fmod):
        for name in ("below", "whole", "byte", "small", "most"):
            results[f"{name}, {operator.__name__}"] = operator(constants[name], -3)
    return results | {"of the input": x + 1}


def test_numbers_and_constants() -> None:
    check(_folded, torch.zeros(2))


def _of_bytes(x: torch.Tensor) -> Made:
    listed = torch.tensor([200, 3], dtype=torch.uint8)
    return {
        "filled": torch.full((), 200, dtype=torch.uint8), "row": torch.full((2,), 200, dtype=torch.uint8),
        "new": x.new_full((2,), 250, dtype=torch.uint8), "like": torch.full_like(x, 250, dtype=torch.uint8),
        "listed": listed, "column": listed.reshape(1, 2)[:, 0], "sum": listed.expand(2, 2).sum(1),
        "none": torch.zeros((0, 2), dtype=torch.uint8), "joined": torch.cat([listed, x]),
    }  # fmt: skip


def test_unsigned_constants() -> None:
    check(_of_bytes, torch.zeros(2))


def _joined(x: torch.Tensor) -> Made:
    bytes_ = (x * 100).to(torch.uint8)
    others = (torch.int8, torch.int16, torch.int64, torch.bool, torch.float16, torch.float32)
    results = {}
    for dtype in others:
        other = x.to(dtype)
        results[f"{dtype}, one after the other"] = torch.cat([bytes_, other])
        results[f"{dtype}, beside"] = torch.stack([other, bytes_], 1)
    return results


def test_tensors_of_several_types_are_joined_in_the_type_that_they_promote_to() -> None:
    check(_joined, torch.tensor([2.0, 0.0, 1.0]))
