"""What PyTorch sets up for a decomposition is set up once, and gone when it is over."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch._subclasses import fake_impls
from torch.export import exported_program

import wse_mlir

ARGS = (torch.randn(2, 3),)


class Model(torch.nn.Module):
    """Composite operators that are decomposed by PyTorch, by a table of ours, and that stay whole in between."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.GRU(4, 4, batch_first=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out, _ = self.layers(x)
        return torch.nn.functional.silu(out).square().unflatten(1, (2, 2)).var(2)


def state() -> tuple[Any, ...]:
    kernels = {str(op): dict(op.py_kernels) for op in composites()}
    return kernels, dict(fake_impls.op_implementations_dict)


def composites() -> Iterator[Any]:
    for name in dir(torch.ops.aten):
        packet = getattr(torch.ops.aten, name)
        if isinstance(packet, torch._ops.OpOverloadPacket):
            yield from (getattr(packet, overload) for overload in packet.overloads())


def test_later_programs_are_decomposed_alike_and_without_new_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model()
    first = str(wse_mlir.import_model(model, ARGS))
    wse_mlir.import_model(
        model, ARGS
    )  # PyTorch's first override leaves three operators other than it found them
    before = state()
    overridden: list[int] = []
    original: Callable[[Any], Any] = exported_program._override_composite_implicit_decomp

    @contextmanager
    def counting(callables: dict[Any, Any]) -> Iterator[None]:
        overridden.append(len(callables))
        with original(callables):
            yield

    monkeypatch.setattr(exported_program, "_override_composite_implicit_decomp", counting)
    assert str(wse_mlir.import_model(model, ARGS)) == first
    assert overridden == [0]
    assert state() == before


def test_decompositions_by_pytorch_alone_are_as_ever() -> None:
    wse_mlir.import_model(Model(), ARGS)
    program = torch.export.export(Model(), ARGS).run_decompositions({})
    names = [str(node.target) for node in program.graph.nodes]
    assert "aten.gru.input" in names and "aten.silu.default" in names


def test_composite_operators_may_be_registered_in_between() -> None:
    class Doubled(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ops.wse_composite.doubled(x)

    wse_mlir.import_model(Model(), ARGS)
    library = torch.library.Library("wse_composite", "DEF")
    try:
        library.define("doubled(Tensor x) -> Tensor")
        library.impl("doubled", lambda x: x + x, "CompositeImplicitAutograd")
        by_us = _outcome(Doubled())
        exported_program_alone = torch.export.export(Doubled(), ARGS).run_decompositions({})
        kept = any("doubled" in str(n.target) for n in exported_program_alone.graph.nodes)
    finally:
        library._destroy()
    assert kept and "wse_composite.doubled" in by_us


def _outcome(model: torch.nn.Module) -> str:
    try:
        return str(wse_mlir.import_model(model, ARGS))
    except wse_mlir.CompilerError as error:
        return str(error)
