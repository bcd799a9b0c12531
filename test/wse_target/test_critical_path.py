"""The critical path over events whose reasons are known, and the same events as a trace."""

import json
from itertools import pairwise

import numpy as np
import pytest
from fabric_programs import access, chain_reduce, ints, rect, row_program
from random_programs import random_program

from wse_mlir.wse_target.image import PEClass, Route
from wse_mlir.wse_target.instructions import Join, Loop, Phase, Receive, Send, Source, Vector
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import Var, const
from wse_mlir.wse_target.sim.code import Code, Placement, flatten, place
from wse_mlir.wse_target.sim.critical_path import CriticalPath, find_critical_path
from wse_mlir.wse_target.sim.engine import EngineName
from wse_mlir.wse_target.sim.recording import Events, Recorders, Recording, expected_events
from wse_mlir.wse_target.sim.simulation import Simulation
from wse_mlir.wse_target.sim.trace import chrome_trace

LAYER = Source("fc", "model.py:3", "aten.linear")


def loaded(*bodies: tuple) -> tuple[Code, Placement]:
    """PE 0, 1, ... of a row run these; colour "c" goes east from each to the next."""
    classes = [PEClass(f"pe{i}", rect(i, 0, 1, 1), body) for i, body in enumerate(bodies)]
    program = row_program(len(bodies), 4, classes, [Route("c", rect(0, 0, 1, 1), "ramp", ("east",))], ["c"])
    return flatten(program), place(*program.grid, program.classes)


def events(*rows: tuple[int, int, int, float, float, int]) -> Events:
    recording = Recording(100)
    for pc, thread, pe, begin, end, cause in rows:
        recording.record(pc, thread, *(np.array([v]) for v in (pe, begin, end, cause)))
    return recording.events()


def path(code: Code, placement: Placement, rows: Events, *ends: float) -> CriticalPath:
    found = find_critical_path(rows, code, placement, np.array([ends]))
    assert found is not None
    times = [(s.begin, s.end) for s in found.segments]
    assert times[0][0] == 0 and times[-1][1] == max(ends)
    assert all(before[1] == after[0] for before, after in pairwise(times))
    assert found.cycles == max(ends) == sum(p.cycles for p in found.phases)
    return found


SEND = Send("c", ints(4), access("a", 1), source=LAYER)
TAKE = Receive("c", ints(4), access("r", 1), source=LAYER)
WORK = Vector("add", ints(4), access("r", 1), (access("r", 1), access("a", 1)), source=LAYER)


def kinds(found: CriticalPath) -> list[tuple[str, int, str]]:
    return [(s.operation, s.first_pe[0], s.waited_for) for s in found.segments]


def test_words_that_come_late_lead_to_their_sender() -> None:
    code, placement = loaded((Phase("p", LAYER), WORK, SEND), (Phase("p", LAYER), WORK, TAKE))
    # pcs: 0 phase, 1 work, 2 send, 3 halt; 4 phase, 5 work, 6 receive
    rows = events((1, 0, 0, 0, 100, 0), (2, 0, 0, 100, 110, 0), (5, 0, 1, 0, 30, 1), (6, 0, 1, 30, 115, 0))
    found = path(code, placement, rows, 110, 115)
    assert kinds(found) == [("vector add", 0, ""), ("send", 0, ""), ("receive", 1, "words of 'c'")]
    assert found.segments[0].module_path == "fc" and found.segments[0].location == "model.py:3"
    assert found.pes == 2
    (phase,) = found.phases
    assert phase.operations == {"vector add": 100, "send": 10, "receive, words of 'c'": 5}


def test_a_receive_that_was_late_itself_stays_on_its_pe() -> None:
    code, placement = loaded((Phase("p"), WORK, SEND), (Phase("p"), WORK, TAKE))
    rows = events((1, 0, 0, 0, 10, 0), (2, 0, 0, 10, 20, 0), (5, 0, 1, 0, 80, 1), (6, 0, 1, 80, 90, 1))
    assert kinds(path(code, placement, rows, 20, 90)) == [("vector add", 1, ""), ("receive", 1, "")]


def test_a_send_without_room_leads_to_its_receiver() -> None:
    code, placement = loaded((SEND,), (WORK, TAKE))
    # pcs: 0 send, 1 halt; 2 work, 3 receive
    rows = events((0, 0, 0, 0, 95, 1), (2, 0, 1, 0, 60, 1), (3, 0, 1, 60, 94, 0))
    assert kinds(path(code, placement, rows, 95, 94)) == [
        ("vector add", 1, ""), ("receive", 1, ""), ("send", 0, "places of 'c'"),
    ]  # fmt: skip


def test_a_join_leads_to_the_microthread_and_to_its_launch() -> None:
    launch = Send("c", ints(4), access("a", 1), thread=2)
    code, placement = loaded((WORK, launch, WORK, Join((2,))), (TAKE,))
    rows = events(
        (0, 0, 0, 0, 20, 0), (1, 0, 0, 20, 25, 0), (1, 2, 0, 25, 80, 0), (2, 0, 0, 25, 40, 0),
        (3, 0, 0, 40, 83, 0), (5, 0, 1, 0, 70, 0),
    )  # fmt: skip
    found = path(code, placement, rows, 83, 70)
    assert kinds(found) == [
        ("vector add", 0, ""), ("send", 0, ""), ("send", 0, ""), ("join", 0, "microthread 2"),
    ]  # fmt: skip
    assert [s.thread for s in found.segments] == [0, 0, 2, 0]


def test_a_join_that_need_not_wait_stays_on_the_main_thread() -> None:
    code, placement = loaded((replace_thread(SEND), WORK, Join((1,))), (TAKE,))
    rows = events((0, 0, 0, 0, 5, 0), (0, 1, 0, 5, 9, 0), (1, 0, 0, 5, 40, 0), (2, 0, 0, 40, 43, 0))
    assert kinds(path(code, placement, rows, 43, 0)) == [
        ("send", 0, ""),
        ("vector add", 0, ""),
        ("join", 0, ""),
    ]


def replace_thread(send: Send) -> Send:
    return Send(send.colour, send.bounds, send.src, thread=1)


def test_only_the_last_repetition_is_walked() -> None:
    code, placement = loaded((WORK,))
    rows = events((0, 0, 0, 0, 10, 0), (0, 0, 0, 10, 20, 0))
    found = find_critical_path(rows, code, placement, np.array([[10.0], [20.0]]))
    assert found is not None and found.cycles == 10 and found.segments[0].begin == 10


def test_what_was_not_recorded_is_said() -> None:
    code, placement = loaded((WORK, WORK))
    found = path(code, placement, events((1, 0, 0, 15, 20, 0)), 20)
    assert kinds(found)[0] == ("", 0, "") and found.segments[0].end == 15
    assert "nothing recorded" in {name for p in found.phases for name in p.operations}
    assert find_critical_path(events(), code, placement, np.array([[1.0]])) is None


def test_a_recording_keeps_its_window_and_its_limit() -> None:
    everything, window, little = Recording(10), Recording(10, np.array([False, True]), (5, 10)), Recording(2)
    recorders = Recorders([everything, window, little])
    for begin in (0.0, 4.0, 9.0, 10.0):
        times = np.full(2, begin)
        recorders.record(0, 0, np.arange(2), times, times + 2, np.arange(2))
    assert len(everything.events()) == 8 and not everything.full
    assert window.events().begin.tolist() == [4, 9] and window.events().pe.tolist() == [1, 1]
    assert little.full and len(little.events()) == 2
    little.clear()
    assert not little.full and len(little.events()) == 0


def check_trace(trace: dict) -> list[dict]:
    """Checks the trace event format, and that the operations of a track do not overlap; returns the operations."""
    trace = json.loads(json.dumps(trace, allow_nan=False))
    operations = [e for e in trace["traceEvents"] if e["ph"] == "X"]
    named = {(e["pid"], e["tid"]) for e in trace["traceEvents"] if e["name"] == "thread_name"}
    tracks: dict[tuple[int, int], float] = {}
    for e in operations:
        assert isinstance(e["pid"], int) and isinstance(e["tid"], int)
        assert e["dur"] > 0 and e["ts"] >= 0 and e["name"] and e["cat"]
        track = e["pid"], e["tid"]
        assert track in named
        assert e["ts"] >= tracks.get(track, 0.0) - 1e-6
        tracks[track] = e["ts"] + e["dur"]
    assert {e["ph"] for e in trace["traceEvents"]} <= {"X", "M"}
    return operations


def test_a_trace_names_operations_layers_and_reasons() -> None:
    code, placement = loaded((Phase("p", LAYER), WORK, SEND), (Phase("p", LAYER), WORK, TAKE))
    rows = events(
        (1, 0, 0, 0, 100, 0), (2, 0, 0, 100, 110, 0), (5, 0, 1, 0, 30, 1), (6, 0, 1, 30, 115, 0),
        (4, 0, 1, 0, 0, 1),
    )  # fmt: skip
    trace = chrome_trace(rows, code, placement, note="cut")
    assert trace["otherData"]["note"] == "cut"
    found = check_trace(trace)
    assert [(e["name"], e["pid"], e["ts"], e["dur"]) for e in found] == [
        ("vector add", 0, 0, 100), ("vector add", 1, 0, 30), ("receive c", 1, 30, 85), ("send c", 0, 100, 10),
    ]  # fmt: skip
    assert found[2]["args"] == {
        "phase": "p", "layer": "fc", "source": "model.py:3", "operator": "aten.linear", "decided by": "PE (0, 0)",
    }  # fmt: skip
    assert {e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "process_name"} == {
        "PE (0, 0)", "PE (1, 0)",
    }  # fmt: skip


def test_expected_events_are_those_that_come() -> None:
    class Counter:
        events = 0

        def record(self, pc: int, thread: int, pes: np.ndarray, *times: np.ndarray) -> None:
            self.events += len(pes)

    program, counter = chain_reduce(5, 10), Counter()
    Simulation(program, load_machine("tiny"), timing_only=True, recorder=counter, engine="wavelet").call([])
    assert counter.events == expected_events(program) == 10  # everybody copies, and sends, relays or receives
    body = (Loop("i", const(7), (WORK, Loop("j", Var("x") + 1, (WORK,)))),)
    looped = row_program(3, 4, [PEClass("all", rect(2, 0, 1, 1), body)], [], [])
    assert expected_events(looped) == 7 * (1 + 1 + 3 * 2)


@pytest.mark.parametrize("engine", ["flow", "wavelet"])
@pytest.mark.parametrize("seed", range(5))
def test_paths_of_random_programs_cover_the_last_repetition(seed: int, engine: EngineName) -> None:
    """Also: every PE's bins add up to the time that one repetition takes it."""
    case, recording = random_program(seed), Recording(1 << 20)
    simulation = Simulation(case.program, case.machine, timing_only=True, engine=engine, recorder=recording)
    report = simulation.call([], repeat=3).report
    loaded, clocks = simulation.loaded, simulation.engine.clocks
    found = find_critical_path(recording.events(), loaded.code, loaded.placement, clocks)
    assert found is not None
    assert found.cycles == pytest.approx(clocks[-1].max() - clocks[-2].max())
    assert not any("nothing recorded" in name for phase in found.phases for name in phase.operations)
    bins = sum(report.per_pe[name] for name in ("compute", "communication", "waiting"))
    np.testing.assert_allclose(bins, report.per_pe["total"], atol=1e-6)
    check_trace(chrome_trace(recording.events(), loaded.code, loaded.placement))
