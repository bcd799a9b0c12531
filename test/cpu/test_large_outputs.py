"""Outputs of 32 MiB and more lie in large pages, and nothing else about them differs."""

import gc

import torch

import wse_mlir
from wse_mlir.runtime.cpu.large_outputs import advise, allocator_for

LARGE = (2049, 4099)  # elements of f32: 32 MiB and a bit


def test_what_is_small_or_of_open_size_is_allocated_as_ever() -> None:
    for shape in ((), (0,), (1024, 8191), ("s0", 4096)):
        assert allocator_for(shape, torch.float32, torch.empty) is torch.empty
    assert allocator_for(LARGE, torch.float64, torch.empty) is not torch.empty


def test_advice_never_leaves_the_tensor() -> None:
    """Memory that shares its page with others is left alone: a tensor without a whole page gets no advice."""
    assert not advise(torch.zeros(8))
    assert not advise(torch.zeros(0))
    everything = torch.ones(1 << 20)
    advise(everything[5:-5])
    assert everything.sum() == 1 << 20


def test_outputs_are_new_ones_and_right() -> None:
    class Scale(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x * 2 + 1, x[0] * 3

    x = torch.linspace(-1, 1, LARGE[0] * LARGE[1]).view(LARGE)
    compiled = wse_mlir.compile(Scale(), (x,), cache=False)
    first, row = compiled(x)
    second, _ = compiled(-x)
    assert first.data_ptr() != second.data_ptr()
    assert torch.equal(first, x * 2 + 1)
    assert torch.equal(second, -x * 2 + 1)
    assert torch.equal(row, x[0] * 3)
    shared = torch.utils.dlpack.from_dlpack(first)
    del first, second
    gc.collect()
    compiled(x + 1)
    assert torch.equal(shared, x * 2 + 1)


def test_torch_compile_has_them_too() -> None:
    x = torch.linspace(-1, 1, LARGE[0] * LARGE[1]).view(LARGE)
    torch._dynamo.reset()
    with torch.no_grad():
        assert torch.equal(torch.compile(lambda x: x * 2 + 1, backend="wse_mlir")(x), x * 2 + 1)
