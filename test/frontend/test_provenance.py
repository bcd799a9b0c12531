"""Operations know the module path, the user's own line and the operator that they come from."""

import inspect

import torch
from torch import nn

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.dialects.provenance import (
    Provenance,
    all_provenances,
    describe_location,
    make_location,
    read_location,
)
from wse_mlir.frontend.imported import import_model
from wse_mlir.frontend.provenance import user_frame


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.linear(x))


class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stack = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
        self.inner = Inner()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stack(x)
        return self.inner(x) * 2.0


def line_of(function, text: str) -> int:
    lines, first = inspect.getsourcelines(function)
    return first + next(i for i, line in enumerate(lines) if text in line)


def described(imported) -> list[str]:
    main = imported.module.body.operations[0]
    computing = [op for op in main.body.blocks[0].operations if op.operation.name.startswith("linalg")]
    return list(dict.fromkeys(describe_location(op.location) for op in computing))


def test_every_operation_has_its_module_line_and_operator() -> None:
    imported = import_model(Outer().eval(), (torch.zeros(2, 4),))
    stack, tanh = line_of(Outer.forward, "self.stack(x)"), line_of(Inner.forward, "torch.tanh")
    double = line_of(Outer.forward, "* 2.0")
    # nn.Sequential and nn.Linear are PyTorch's own code: the line is that of their first caller outside of it.
    assert described(imported) == [
        f"stack.0 (test_provenance.py:{stack}, aten.linear)",
        f"stack.1 (test_provenance.py:{stack}, aten.relu)",
        f"inner.linear (test_provenance.py:{tanh}, aten.linear)",
        f"inner (test_provenance.py:{tanh}, aten.tanh)",
        f"model (test_provenance.py:{double}, aten.mul)",
    ]


def double_and_add(x: torch.Tensor) -> torch.Tensor:
    return x * 2.0 + 1.0


class Helped(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return double_and_add(x)


def test_a_helper_functions_line_is_its_own() -> None:
    line = line_of(double_and_add, "x * 2.0")
    assert described(import_model(Helped(), (torch.zeros(2),))) == [
        f"model (test_provenance.py:{line}, aten.mul)",
        f"model (test_provenance.py:{line}, aten.add)",
    ]


def test_arguments_are_located_by_their_names() -> None:
    imported = import_model(Outer().eval(), (torch.zeros(2, 4),))
    block = imported.module.body.operations[0].body.blocks[0]
    names = [describe_location(argument.location) for argument in block.arguments]
    assert names == [argument.name for argument in imported.arguments]


def test_an_exported_program_keeps_its_provenance() -> None:
    model, args = Outer().eval(), (torch.zeros(2, 4),)
    program = torch.export.export(model, args, strict=False)
    assert described(import_model(program)) == described(import_model(model, args))


def test_locations_read_back() -> None:
    with create_context():
        for provenance in (
            Provenance("encoder.linear1", "/home/me/model.py", 12, "aten.linear"),
            Provenance("", "model.py", 3, "aten.add"),
            Provenance("block", "", 0, ""),
            Provenance("", "model.py", 3, ""),
            Provenance(),
        ):
            assert read_location(make_location(provenance)) == provenance


def test_fused_locations_are_attributed_to_the_first_module() -> None:
    with create_context():
        root = Provenance("", "model.py", 3, "aten.add")
        linear = Provenance("linear1", "model.py", 4, "aten.linear")
        relu = Provenance("act", "model.py", 5, "aten.relu")
        inner = ir.Location.fused([make_location(linear), make_location(relu)])
        fused = ir.Location.fused([ir.Location.unknown(), make_location(root), inner])
        assert all_provenances(fused) == (root, linear, relu)
        assert read_location(fused) == linear
        called = ir.Location.callsite(make_location(relu), [make_location(root)])
        assert read_location(called) == relu


def test_locations_for_people() -> None:
    with create_context():
        linear = Provenance("encoder.linear1", "/home/me/model.py", 12, "aten.linear")
        assert describe_location(make_location(linear)) == "encoder.linear1 (model.py:12, aten.linear)"
        assert describe_location(ir.Location.file("kernel.mlir", 7, 3)) == "kernel.mlir:7"
        assert describe_location(ir.Location.unknown()) == "unknown location"


def test_the_innermost_frame_outside_of_torch() -> None:
    trace = (
        'File "/home/me/train.py", line 3, in forward\n  y = f(x)\n'
        'File "/home/me/layers.py", line 9, in f\n  return seq(x)\n'
        'File "/opt/lib/python3.11/site-packages/torch/nn/modules/linear.py", line 134, in forward'
    )
    assert user_frame(trace) == ("/home/me/layers.py", 9)
    assert user_frame(None) == ("", 0)
