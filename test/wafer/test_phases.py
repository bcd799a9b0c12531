"""Phases of programs: labels of the model's operators, and few enough colours to share numbers."""

from __future__ import annotations

import torch

from wse_mlir.runtime.wafer.simulate import simulate_module
from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.instructions import Instruction, Loop, Phase, Receive, Relay, Send

USABLE = 21  # colours of wse3


class Attention(torch.nn.Module):
    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.scaled_dot_product_attention(query, key, value)


def colours_by_phase(program: Program) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}

    def walk(body: tuple[Instruction, ...], phase: str) -> str:
        for op in body:
            if isinstance(op, Phase):
                phase = op.name
            elif isinstance(op, Loop):
                phase = walk(op.body, phase)
            elif isinstance(op, Send | Receive):
                found.setdefault(phase, set()).add(op.colour)
            elif isinstance(op, Relay):
                found.setdefault(phase, set()).update((op.receive, op.send))
        return phase

    for cls in program.classes:
        walk(cls.body, "")
    return found


def test_an_operator_of_many_collectives_has_several_phases() -> None:
    tokens = torch.empty(1, 2, 40, 8, device="meta")
    found = simulate_module(
        Attention(), "wse3", example_args=(tokens,) * 3, timing_only=True, grid="16x16", algorithm="auto_tree"
    )
    colours = colours_by_phase(found.program)
    assert list(colours) == [f"aten.scaled_dot_product_attention{n}" for n in ("", " #2")]
    assert all(len(used) <= USABLE // 2 for used in colours.values())
