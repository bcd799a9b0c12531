"""`wse-split-dims` and `wse-shape-interface` in front of partitioning: programs mean what they did."""

from collections.abc import Sequence

import pytest
import torch
from lowering import error, from_partition, lower, run, simulated
from torch import nn

import wse_mlir
from wse_mlir.frontend.imported import ImportedModel
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.runtime.wafer.image_builder import build_image

PASSES = ("func.func(wse-split-dims,wse-dce)", "canonicalize", "cse", "wse-shape-interface")
RESHAPES = ("tensor.expand_shape", "tensor.collapse_shape")


class Attention(nn.Module):
    """Of one token over a few places, key heads shared by two query heads each, with rotated queries."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.out = nn.Linear(12, 24), nn.Linear(12, 12), nn.Linear(24, 10)

    def forward(self, x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        q, k = self.query(x).view(1, 4, 6), self.key(places).view(5, 2, 6)
        first, second = q.chunk(2, dim=-1)
        q = q * 0.5 + torch.cat([-second, first], dim=-1)
        scores = torch.einsum("bghd,pgd->bghp", q.view(1, 2, 2, 6), k).softmax(dim=-1)
        return self.out(torch.einsum("bghp,pgd->bghd", scores, k).reshape(1, 24))


class Flattened(nn.Module):
    """A convolution whose image a product reads as one row."""

    def __init__(self) -> None:
        super().__init__()
        self.window, self.out = nn.Conv2d(2, 3, 3), nn.Linear(3 * 4 * 2, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.window(x).relu().flatten(1))


class Returned(nn.Module):
    """A result that is reshaped last, and an argument that two see in different shapes."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.view(3, 4, 5).exp().sum(1), (x.view(6, 10) + 1).reshape(60)


CASES = {
    "attention": (Attention(), (torch.randn(1, 12), torch.randn(5, 12))),
    "flattened": (Flattened(), (torch.randn(1, 2, 6, 4),)),
    "returned": (Returned(), (torch.randn(60),)),
}


def split(name: str) -> tuple[ImportedModel, Sequence[torch.Tensor]]:
    """A case in front of partitioning."""
    model, args = CASES[name]
    imported = lower(model.eval(), args, "2x3", "bind-tables")
    run(imported, PASSES)
    return imported, args


@pytest.mark.parametrize("name", CASES)
def test_programs_mean_what_they_did(name: str) -> None:
    """Parameters come in the shapes that operations see; the host gives and takes its own."""
    imported, args = split(name)
    expected = CASES[name][0](*args)
    run_pipeline(imported.module, from_partition("2x3"))
    found = simulated(imported, args).outputs
    for actual, wanted in zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True):
        assert error(torch.from_numpy(actual), wanted.detach()) < 1e-5


@pytest.mark.parametrize("name", ["attention", "flattened"])
def test_no_reshape_is_left(name: str) -> None:
    """Between a product by heads and what reads it, or an image and a product of it."""
    imported, _ = split(name)
    text = str(imported.module)
    assert "wse.host_type" in text
    left = [line for line in text.splitlines() if any(r in line for r in RESHAPES)]
    assert all("x1x" in line or "<1x" in line for line in left), left  # of sizes of one alone


def test_the_host_has_its_own_shapes() -> None:
    """The image tells both; an array of the device's shape is refused."""
    imported, _ = split("flattened")
    run_pipeline(imported.module, from_partition("2x3"))
    arguments = build_image(imported.module.operation).arguments
    weight = next(a for a in arguments if "out_weight" in a.name.replace(".", "_"))
    assert (weight.shape, weight.on_host) == ((5, 3, 4, 2), (5, 24))


def test_it_is_what_high_effort_does() -> None:
    """A product of an image moves less where it reads it as one; another effort is none."""
    model, args = CASES["flattened"]
    quick = wse_mlir.estimate(model, args, target="tiny", grid="2x3")
    thorough = wse_mlir.estimate(model, args, target="tiny", grid="2x3", effort="high")
    assert thorough["cycles"]["device"] < quick["cycles"]["device"]
    with pytest.raises(
        wse_mlir.CompilerError, match="effort is 'low', and the only one that there is is 'high'"
    ):
        wse_mlir.compile(model, args, target="tiny", effort="low")
