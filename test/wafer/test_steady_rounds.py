"""Rounds that bring tiles of a ring into place: a wave of two cycles runs round, and all but a few are skipped."""

from __future__ import annotations

import pytest
from product_programs import program_of, request

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.wse_target.sim import Simulation
from wse_mlir.wse_target.sim.flow.engine import FlowEngine
from wse_mlir.wse_target.sim.flow.state import State


def test_rounds_are_skipped_and_take_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    side = 64
    asked = request((side, side), (9 * side, 9 * side, 9 * side), "f16")
    program = program_of(choose("matmul", "mesh_gemm{packed=1}").build(asked), asked)
    groups = 0
    pop = State.pop

    def counted(self: State) -> object:
        nonlocal groups
        groups += 1
        return pop(self)

    monkeypatch.setattr(State, "pop", counted)
    found: dict[bool, tuple[float, int]] = {}
    for skips in (True, False):
        monkeypatch.setattr(FlowEngine, "skips", skips)
        groups = 0
        report = Simulation(program, asked.machine, timing_only=True).call([]).report
        found[skips] = report.cycles.device, groups
    assert found[True][0] == pytest.approx(found[False][0], rel=1e-4)
    assert found[True][1] < found[False][1] / 5
