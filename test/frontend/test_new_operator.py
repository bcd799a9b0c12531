"""A new elementwise operator is one entry of a table, for import and both targets."""

import pytest
import torch
from torch import nn

import wse_mlir
from wse_mlir.dialects.host import math
from wse_mlir.frontend.elementwise.number import Number
from wse_mlir.frontend.elementwise.table import TABLE, Computed, Rule

NAME = "aten.special_spherical_bessel_j0"


class Ripples(nn.Module):
    """sin(x) / x, which nothing else here knows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.special.spherical_bessel_j0(x) * 2


def ripple(x: Number) -> Number:
    return x.equals(0).choose(1, x.apply(math.sin) / x)


def test_without_the_entry_it_is_refused_by_name() -> None:
    with pytest.raises(wse_mlir.CompilerError, match=NAME):
        wse_mlir.import_model(Ripples(), (torch.randn(3, 4),))


@pytest.mark.parametrize("target", ["cpu", "tiny"])
def test_an_entry_makes_an_operator(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLE, NAME, Rule(ripple, Computed.WIDE))
    x = torch.randn(3, 4)
    x[0, 0] = 0
    torch.testing.assert_close(wse_mlir.compile(Ripples(), (x,), target=target)(x), Ripples()(x))
