"""Cycles of collectives against published formulas (HPDC24), measurements and what their structure says.

On the machine of the formulas every ramp takes T_R = 2 cycles, and a core one more for each word: that is the "+ 1" of
their 2 T_R + 1 a step. They leave out the starting of transfers, and queues that are too short.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from collective_programs import X, line, makespan, textbook_machine, tile, timed, wide

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.passes.wafer.algorithms.collectives.auto_tree import plan_tree
from wse_mlir.passes.wafer.algorithms.fragment import CollectiveRequest, TileWalk
from wse_mlir.wse_target.instructions import Access
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import const

T_R = 2
TEXTBOOK = textbook_machine(512, fabric__ramp_in=3.0, fabric__relay_latency=0.0)
SIZES = [(p, b) for p in (2, 4, 16, 64, 512) for b in (1, 16, 256, 4096)]


def measured(operation: str, name: str, pes: int, words: int, machine: Machine = TEXTBOOK) -> float:
    """Cycles by the engine that follows every word, by the other one where that takes long; the prediction is near."""
    request = CollectiveRequest(line("x", pes), tile("t", words), machine, "f_")
    engine = "wavelet" if pes * words <= 1 << 14 else "flow"
    cycles = makespan(operation, name, request, words, engine=engine)
    assert choose(operation, name).cycles(request) == pytest.approx(cycles, rel=0.15, abs=5)
    return cycles


@pytest.mark.parametrize(("pes", "words"), SIZES)
def test_broadcast(pes: int, words: int) -> None:
    assert measured("broadcast", "multicast", pes, words) == words + pes + 2 * T_R


@pytest.mark.parametrize(("pes", "words"), SIZES)
def test_chain(pes: int, words: int) -> None:
    assert measured("reduce", "chain", pes, words) == words + (2 * T_R + 2) * (pes - 1)


@pytest.mark.parametrize(("pes", "words"), [s for s in SIZES if s[0] < 512])
def test_star(pes: int, words: int) -> None:
    """A star of two PEs is a chain of two, for which the table has B + 6 in one row and B + 5 in the other."""
    assert measured("reduce", "star", pes, words) == words * (pes - 1) + 2 * T_R + 1 + 1


def tree_terms(pes: int, words: int) -> tuple[float, float, float]:
    """Most words through a PE, what the links are busy with, cycles of the steps that depend on each other."""
    rounds = math.log2(pes)
    links = words * pes * rounds / (2 * (pes - 1)) + pes - 1
    return words * rounds, links, (2 * T_R + 1) * rounds


def two_phase_terms(pes: int, words: int, group: int) -> tuple[float, float, float]:
    groups = pes / group
    energy = words * ((group - 1) * groups + (groups - 1) * group)
    return 2 * words, energy / (pes - 1) + pes - 1, (2 * T_R + 1) * (groups + group - 2)


def compare(cycles: float, terms: tuple[float, float, float], hops: int, farthest: int, words: int) -> None:
    """The table's max(C, E / N + L) + (2 T_R + 1) D and what a program can do.

    The table takes the way's hops to pass while words stream. They cannot: the last word to be sent on by a PE whose
    ramp is busy with C words travels after that, so a program that keeps streams off each other takes C + L +
    (2 T_R + 1) D. Short messages are faster than the table instead, which counts steps and words as if they never
    overlapped.
    """
    most, links, steps = terms
    table = max(most, links) + steps
    if words > 2 * (farthest + 2 * T_R + 1):
        assert cycles == most + hops + steps
    assert max(most, hops + steps) <= cycles <= most + hops + steps + 1
    if most >= 50 * hops or 50 * most <= hops:
        assert cycles == pytest.approx(table, rel=0.02)
    assert cycles == pytest.approx(table, rel=0.12)


@pytest.mark.parametrize(("pes", "words"), SIZES)
def test_tree(pes: int, words: int) -> None:
    compare(measured("reduce", "tree", pes, words), tree_terms(pes, words), pes - 1, pes // 2, words)


@pytest.mark.parametrize(("pes", "group"), [(4, 2), (16, 4), (64, 8), (512, 2), (512, 16), (512, 32)])
@pytest.mark.parametrize("words", [1, 16, 256, 4096])
def test_two_phase(pes: int, group: int, words: int) -> None:
    cycles = measured("reduce", f"two_phase{{group={group}}}", pes, words)
    compare(cycles, two_phase_terms(pes, words, group), pes - 1, group, words)


@pytest.mark.parametrize(
    ("name", "cycles"), [("chain", 7218), ("two_phase{group=2}", 10055), ("two_phase{group=32}", 8973)]
)
def test_reductions_on_wse2_are_near_the_vendors_simulator(name: str, cycles: float) -> None:
    assert measured("reduce", name, 512, 4096, load_machine("wse2")) == pytest.approx(cycles, rel=0.03)


@pytest.mark.parametrize(("pes", "words"), [(16, 4), (64, 64), (128, 256), (512, 64)])
def test_auto_tree_is_near_its_lower_bound_and_the_best(pes: int, words: int) -> None:
    plan = plan_tree(pes, words, TEXTBOOK)
    assert 0 <= plan.gap <= 0.2
    assert plan.depth >= 1 and plan.energy >= pes - 1
    cycles = measured("reduce", "auto_tree", pes, words)
    others = [measured("reduce", name, pes, words) for name in ("chain", "tree", "two_phase")]
    assert cycles <= 1.05 * min(others)


@pytest.mark.parametrize("machine", ["wse2", "wse3"])
@pytest.mark.parametrize("pes", [16, 64])
def test_chain_is_for_long_vectors_and_tree_for_short_ones(machine: str, pes: int) -> None:
    """The prediction finds where they cross; the simulation agrees on either side of it."""
    on = load_machine(machine)

    def predicted(name: str, words: int) -> float:
        return choose("reduce", name).cycles(CollectiveRequest(line("x", pes), tile("t", words), on, "c_"))

    crossing = next(b for b in range(1, 1 << 14) if predicted("chain", b) <= predicted("tree", b))
    assert 4 < crossing < 4096
    for words, better, worse in ((crossing * 3 // 4, "tree", "chain"), (crossing * 4 // 3, "chain", "tree")):
        assert measured("reduce", better, pes, words, on) < measured("reduce", worse, pes, words, on)


# Knock-outs: programs made for 16 PEs of WSE-3, run on a machine with deep queues and one with a number changed.
WSE3 = wide("wse3")
DEEP = WSE3.replace(queues__input=[1 << 12] * 8, queues__output=[1 << 12] * 8)
PES, WORDS = 16, 256
BLOCK = WORDS // PES
Stream = tuple[int, int, int]  # how many one after the other, words, hops to the nearest receiver
# By collective: hops that the way of the last word has, and the streams that go before it.
STRUCTURE: dict[tuple[str, str], tuple[int, list[Stream]]] = {
    ("broadcast", "multicast"): (PES - 1, [(1, WORDS, 1)]),
    ("reduce", "chain"): (PES - 1, [(1, WORDS, 1)]),
    ("reduce", "tree"): (PES - 1, [(1, WORDS, hops) for hops in (1, 2, 4, 8)]),
    ("reduce", "two_phase{group=4}"): (PES - 1, [(1, WORDS, 1), (1, WORDS, 4)]),
    ("all_reduce", "chain"): (2 * (PES - 1), [(2, WORDS, 1)]),
    ("all_gather", "ring"): (2 * (PES - 1), [(PES - 1, BLOCK, 2)]),
    ("reduce_scatter", "ring"): (2 * (PES - 1), [(PES - 1, BLOCK, 2)]),
    ("all_reduce", "ring"): (4 * (PES - 1), [(2 * (PES - 1), BLOCK, 2)]),
    ("shift", "neighbours"): (2 * 3, [(3, BLOCK, 2)]),
}


def cycles_on(operation: str, name: str, machine: Machine) -> float:
    block = TileWalk(Access("t", X * BLOCK, (1,)), (const(BLOCK),), "f32")
    small, whole = tile("t", BLOCK), tile("t", WORDS)
    own, result = {
        "reduce_scatter": (block, tile("r", BLOCK)),
        "all_gather": (small, replace(block, access=replace(block.access, buffer="r"))),
        "shift": (small, tile("r", BLOCK)),
    }.get(operation, (whole, whole))
    request = CollectiveRequest(line("x", PES), own, WSE3, "k_", result=result, distance=3, order="ring")
    fragment = choose(operation, name).build(request)
    return timed(fragment, machine, request.line.grid, [("t", WORDS, "f32"), ("r", WORDS, "f32")])


@pytest.mark.parametrize(("operation", "name"), STRUCTURE)
def test_doubling_the_hop_latency_costs_the_hops_of_the_way(operation: str, name: str) -> None:
    doubled = DEEP.replace(fabric__hop_latency=2 * DEEP.fabric.hop_latency)
    hops, _ = STRUCTURE[operation, name]
    more = cycles_on(operation, name, doubled) - cycles_on(operation, name, DEEP)
    assert more == pytest.approx(hops * DEEP.fabric.hop_latency, rel=0.1)


@pytest.mark.parametrize(("operation", "name"), STRUCTURE)
def test_queues_of_one_word_make_streams_wait_for_places(operation: str, name: str) -> None:
    """A stream fills the places on its way, 2 and those of the routers, once in the time of a word's round trip."""
    shallow, fabric = DEEP.replace(queues__input=[1] * 8, queues__output=[1] * 8), DEEP.fabric
    expected = 0.0
    for count, words, hops in STRUCTURE[operation, name][1]:
        places = 2 + fabric.router_words * hops
        round_trip = fabric.ramp_out + hops * fabric.hop_latency + fabric.ramp_in + fabric.cycles_per_wavelet
        expected += count * ((words - 1) // places) * (round_trip - places * fabric.cycles_per_wavelet)
    more = cycles_on(operation, name, shallow) - cycles_on(operation, name, DEEP)
    assert more == pytest.approx(expected, rel=0.15)
