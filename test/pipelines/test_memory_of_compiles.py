"""Compiling again and again, and calling again and again, leaves nothing of ours behind."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from memory_of import growth

import wse_mlir
from wse_mlir.frontend.imported import import_model
from wse_mlir.passes.infra.timing import Timer
from wse_mlir.runtime.cpu.target import CpuTarget
from wse_mlir.runtime.native.codegen import NativeCode

KIB = 1024
MLIR = """
#same = affine_map<(d0) -> (d0)>
func.func @main(%x: tensor<64xf32>) -> tensor<64xf32> {
  %out = tensor.empty() : tensor<64xf32>
  %y = linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel"]}
      ins(%x : tensor<64xf32>) outs(%out : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = math.exp %a : f32
    linalg.yield %s : f32
  } -> tensor<64xf32>
  return %y : tensor<64xf32>
}
"""


def test_code_is_made_and_forgotten() -> None:
    """Of LLVM's passes 128 KiB stayed, and of the code's text all of it."""
    imported = import_model(MLIR)
    function = CpuTarget().lower(imported, {}, Timer())
    grown, _, objects = growth(
        lambda: NativeCode(imported.module, function.processor, "it", function.entries).object(), 12
    )
    assert grown < 4 * KIB
    assert objects.total() < 12


def test_thirty_compiles_leave_no_object_and_return_what_they_mapped() -> None:
    """LLVM keeps some of each library that there was, see docs/native-code.md."""
    x = torch.linspace(-1, 1, 64)

    def once() -> None:
        assert torch.allclose(wse_mlir.compile(MLIR, cache=False)(x), x.exp(), atol=1e-5)

    grown, mapped, objects = growth(once, 30, before=4)
    assert grown < 24 * KIB
    assert mapped < 0.3
    ours = {name: count for name, count in objects.items() if "wse_mlir" in name or "_mlir" in name}
    assert not ours
    assert max(objects.values(), default=0) < 60  # two of a kind a compile would be a leak of somebody's


class Small(torch.nn.Module):
    calls: torch.Tensor

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(8, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 3)
        )
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: torch.Tensor, *, scale: torch.Tensor | None = None) -> torch.Tensor:
        self.calls.add_(1)
        y = self.layers(x)
        return y if scale is None else y * scale


class Sum(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sort(x * x, dim=0)[0].cumsum(0)


def _forms() -> dict[str, Callable[[], object]]:
    """A call of each kind; a compiled object each."""
    x, scale = torch.randn(4, 8), torch.ones(3)
    states = wse_mlir.compile(Small(16), (x,), cache=False)
    named = wse_mlir.compile(Small(16), (x,), {"scale": scale}, cache=False)
    rows = torch.export.Dim("rows", min=2, max=64)
    example = torch.randn(5, 3)
    is_open = wse_mlir.compile(Sum(), (example,), dynamic_shapes={"x": {0: rows}}, cache=False)
    sizes = [torch.randn(n, 3) for n in (2, 7, 33)]
    turn = iter(range(1 << 60))
    backed = torch.compile(torch.nn.Linear(8, 3).requires_grad_(False), backend="wse_mlir")

    def wrong() -> None:
        with pytest.raises(wse_mlir.CompilerError):
            is_open(torch.randn(3, 4))

    return {
        "states": lambda: states(x),
        "arrays": lambda: states(x.numpy()),
        "keywords": lambda: named(x, scale=scale),
        "open sizes": lambda: is_open(sizes[next(turn) % 3]),
        "refused": wrong,
        "torch.compile": lambda: backed(x),
    }


def _calls_grow_nothing(times: int) -> None:
    for name, call in _forms().items():
        grown, _, objects = growth(lambda call=call: [call() for _ in range(times)], 4)
        assert grown < 2 * KIB, name
        assert objects.total() < 20, (name, objects)


def test_calls_of_every_form_grow_nothing() -> None:
    _calls_grow_nothing(50)


@pytest.mark.slow
def test_a_hundred_thousand_calls_grow_nothing() -> None:
    _calls_grow_nothing(4000)
    states = wse_mlir.compile(torch.nn.Linear(8, 3), (torch.randn(4, 8),), cache=False)
    x = torch.randn(4, 8)

    def many() -> None:
        threads = [threading.Thread(target=lambda: [states(x) for _ in range(500)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    grown, _, objects = growth(many, 4)
    assert grown < 16 * KIB
    assert objects.total() < 20


@pytest.mark.slow
def test_thousands_of_calls_of_a_wafer_grow_nothing() -> None:
    x = torch.randn(4, 8)
    compiled = wse_mlir.compile(torch.nn.Linear(8, 3), (x,), target="tiny", cache=False)
    grown, _, objects = growth(lambda: [compiled(x) for _ in range(500)], 4)
    assert grown < 64 * KIB
    assert objects.total() < 20


@pytest.mark.slow
@pytest.mark.parametrize("cached", [False, True])
def test_a_thousand_compiles_grow_by_what_is_pytorchs(tmp_path: Path, cached: bool) -> None:
    """PyTorch keeps the text of every graph that it exports, some 10 KiB of a small model."""
    x = torch.randn(4, 8)
    turn = iter(range(1 << 60))

    def once() -> None:
        model = Small(8 + next(turn) % 17)
        wse_mlir.compile(model, (x,), cache=tmp_path if cached else False)(x)

    grown, mapped, objects = growth(once, 500, before=20)
    assert grown < 48 * KIB
    assert mapped < 0.1
    assert not {name: count for name, count in objects.items() if "wse_mlir" in name or "_mlir" in name}
