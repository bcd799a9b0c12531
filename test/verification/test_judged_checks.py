"""What a program for a wafer finds of its checks comes behind the model's results, at every point that is judged."""

from __future__ import annotations

import numpy as np
import torch

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.frontend.imported import import_model
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.verify.calls import calls_of
from wse_mlir.verify.completion import main_signature
from wse_mlir.verify.judge import complete_module


class Counting(torch.nn.Module):
    """Divides by data, and keeps a state, whose next value is a result before the checks."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(3, dtype=torch.int64))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self.count.add_(x // y)
        return self.count * 2


def test_a_module_with_checks_is_judged_by_the_models_results() -> None:
    batch = torch.tensor([7, -8, 9]), torch.tensor([2, 3, -4])
    imported = import_model(Counting(), batch)
    before = main_signature(imported.module)
    calls = calls_of(imported.interface, [batch, batch])
    run_pipeline(imported.module.operation, "builtin.module(wse-lower-tm-tensor,wse-return-checks)")
    module = ir.Module.parse(str(imported.module), create_context())
    assert len(main_signature(module).results) == len(before.results) + 1
    found = calls.run(complete_module(module, before, calls))
    quotient = np.array([3, -3, -3])
    for number, results in enumerate(found, 1):
        assert len(results) == 2
        np.testing.assert_array_equal(results[0], 2 * number * quotient)
        np.testing.assert_array_equal(results[1], number * quotient)
