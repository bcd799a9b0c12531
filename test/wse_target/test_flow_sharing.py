"""Streams that want one link: the flow engine's times against those of the engine that follows every wavelet."""

from __future__ import annotations

import pytest
from fabric_programs import access, copy_own, ints, rect, row_program

from wse_mlir.wse_target.image import PEClass, Program, Route
from wse_mlir.wse_target.instructions import Join, Receive, Send, Vector
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim import Simulation

MOST = 400


def meeting(lengths: list[int], late: int = 0) -> Program:
    """PE k of a row sends to the last PE, all over the row's last link; PE 0 begins `late` cycles of work later."""
    width, count = len(lengths) + 1, len(lengths)
    colours = [f"c{k}" for k in range(count)]
    routes, classes = [], []
    for k, length in enumerate(lengths):
        routes.append(Route(colours[k], rect(k, 0, 1, 1), "ramp", ("east",)))
        if count - k > 1:
            routes.append(Route(colours[k], rect(k + 1, 0, count - k - 1, 1), "west", ("east",)))
        routes.append(Route(colours[k], rect(count, 0, 1, 1), "west", ("ramp",)))
        work = (Vector("fma", ints(late), access("r", 1), (access("a", 0), 0.5)),) if late and k == 0 else ()
        classes.append(
            PEClass(f"pe{k}", rect(k, 0, 1, 1), (*work, Send(colours[k], ints(length), access("a", 1))))
        )
    takes = tuple(
        Receive(colours[k], ints(length), access("r", 1), thread=k + 1) for k, length in enumerate(lengths)
    )
    threads = tuple(range(1, count + 1))
    classes.append(PEClass("last", rect(count, 0, 1, 1), (copy_own(MOST), *takes, Join(threads))))
    return row_program(width, MOST, classes, routes, colours)


@pytest.mark.parametrize("machine", ["tiny", "wse3"])
@pytest.mark.parametrize(
    ("lengths", "late", "tolerance"),
    [([300, 300], 0, 0.05), ([300, 40], 0, 0.05), ([40, 300], 0, 0.05), ([8, 8, 8], 0, 0.05),
     ([400, 100, 400], 60, 0.05), ([300, 300], 100, 0.08), ([100, 200, 300], 0, 0.08), ([120, 120, 120, 120], 0, 0.08)],
)  # fmt: skip
def test_streams_take_turns_as_wavelets_do(
    lengths: list[int], late: int, tolerance: float, machine: str
) -> None:
    """Several long streams that meet in turn are the flow engine's worst case, hence the larger tolerance."""
    program = meeting(lengths, late)
    flow, wavelet = (
        Simulation(program, load_machine(machine), timing_only=True, engine=engine).call([]).report.cycles
        for engine in ("flow", "wavelet")
    )
    assert abs(flow.makespan - wavelet.makespan) <= max(tolerance * wavelet.makespan, 20)
    assert abs(flow.device - wavelet.device) <= max(tolerance * wavelet.device, 20)


def test_a_link_passes_no_more_than_a_word_at_a_time() -> None:
    machine = load_machine("tiny")
    together = Simulation(meeting([300, 300]), machine, timing_only=True).call([]).report.cycles.makespan
    assert together >= 600
