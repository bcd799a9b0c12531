"""What the algorithms cost when a number of the machine changes: as much as their structure says, and no more.

Every program is made for WSE-3 and timed on machines with one thing changed: hops twice as long, vector rates halved,
queues of one word. Multicast, chain, tree, two-phase, rings and shifts are in `test_collectives_formulas`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import product_programs
import pytest
from collective_programs import program_of, tile
from test_collectives_redistribute import held

from wse_mlir.passes.wafer.algorithms import algorithm as registry
from wse_mlir.passes.wafer.algorithms.algorithm import algorithms, choose
from wse_mlir.passes.wafer.algorithms.collectives.costs import Costs
from wse_mlir.passes.wafer.algorithms.collectives.reduce import plan_auto_tree
from wse_mlir.passes.wafer.algorithms.collectives.reduction_plan import two_level
from wse_mlir.passes.wafer.algorithms.fragment import (
    CollectiveRequest,
    HaloRequest,
    Line,
    ProductRequest,
    RedistributionRequest,
    Spread,
    TileWalk,
)
from wse_mlir.passes.wafer.algorithms.products.blocks import Cut, Tiles
from wse_mlir.passes.wafer.algorithms.products.costs import local_product, way
from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.instructions import Access, Instruction, Loop, Vector
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import const
from wse_mlir.wse_target.sim import Simulation

WSE3 = load_machine("wse3")
FABRIC = WSE3.fabric
SIDE, WORDS = 16, 96
ROW = Line("x", (SIDE, 2))


def slower(machine: Machine, times: float = 2.0) -> Machine:
    """All vector rates divided."""
    rates = {
        f"rates__{name}": {dtype: rate / times for dtype, rate in entry["value"].items()}
        for name, entry in machine._raw["rates"].items()
    }
    return machine.replace(**rates)


DEEP = WSE3.replace(queues__input=[1 << 12] * 8, queues__output=[1 << 12] * 8)
FAR = DEEP.replace(fabric__hop_latency=2 * FABRIC.hop_latency)
SLOW = slower(DEEP)
SHALLOW = WSE3.replace(queues__input=[1] * 8, queues__output=[1] * 8)


def cycles(program: Program, machine: Machine) -> float:
    return Simulation(program, machine, timing_only=True).call([]).report.cycles.makespan


def in_place(operation: str, name: str, words: int = WORDS) -> Program:
    request = CollectiveRequest(ROW, tile("t", words), WSE3, "c_")
    fragment = choose(operation, name).build(request)
    return program_of(fragment, ROW.grid, [("t", words, "f32")], inputs=[], outputs=[])


def halo() -> Program:
    """6 rows of 10 elements on each PE, 2 more on the low side and 1 on the high one."""
    walk = TileWalk(Access("t", const(2), (13, 1)), (const(6), const(10)), "f32")
    fragment = choose("halo_exchange", "neighbours").build(HaloRequest(ROW, walk, 1, 2, 1, WSE3, "n_"))
    return program_of(fragment, ROW.grid, [("t", 6 * 13, "f32")], inputs=[], outputs=[])


def gathered(groups: int) -> Program:
    """Blocks of every PE of a row on all of them."""
    spread = Spread(tile("r", WORDS), 0, WORDS // SIDE)
    request = CollectiveRequest(ROW, tile("t", WORDS // SIDE), WSE3, "g_", spread=spread)
    buffers = [("t", WORDS // SIDE, "f32"), ("r", WORDS, "f32")]
    fragment = choose("all_gather", f"multicast{{groups={groups}}}").build(request)
    return program_of(fragment, ROW.grid, buffers, inputs=[], outputs=[])


def redistributed(operation: str) -> Program:
    """Rows over x become columns over x, or columns over x of the transposed tensor become its rows."""
    grid, shape = (8, 1), (32, 40)
    permutation = (1, 0) if operation == "transpose" else ()
    source = held("s", shape, ("x", ""), grid)
    target = held("t", shape[::-1], ("x", ""), grid) if permutation else held("t", shape, ("", "x"), grid)
    fragment = choose(operation, "circulate").build(
        RedistributionRequest(grid, source, target, WSE3, "d_", permutation)
    )
    sizes = [(h.buffer, int(np.prod(h.shape)), "f32") for h in (source, target)]
    return program_of(fragment, grid, sizes, inputs=[], outputs=[])


def product(name: str, side: int, sizes: tuple[int, int, int]) -> Program:
    operation = "matvec" if sizes[0] == 1 else "matmul"
    request = ProductRequest((side, side), *sizes, "f16", "f16", WSE3, "p_")
    return product_programs.program_of(choose(operation, name).build(request), request)


TILE, LONG = (
    (96, 96, 96),
    (512, 32, 8),
)  # on 8 x 8 PEs: 12 x 12 x 12, arithmetic counts; 64 x 4 x 1, messages do
VECTOR = (1, 96, 16 * WORDS)  # on 16 x 16 PEs: 6 x 96 of the matrix each
PROGRAMS: dict[str, Callable[[], Program]] = {
    "reduce star": lambda: in_place("reduce", "star"),
    "reduce auto_tree": lambda: in_place("reduce", "auto_tree"),
    "all_reduce star": lambda: in_place("all_reduce", "star"),
    "all_reduce auto_tree": lambda: in_place("all_reduce", "auto_tree"),
    "all_reduce k_tree": lambda: in_place("all_reduce", "k_tree"),
    "all_gather multicast": lambda: gathered(4),
    "all_gather multicast, one group": lambda: gathered(1),
    "halo_exchange neighbours": halo,
    "redistribute circulate": lambda: redistributed("redistribute"),
    "transpose circulate": lambda: redistributed("transpose"),
    **{
        f"matmul {name}": lambda name=name: product(name, 8, TILE)
        for name in ("mesh_gemm", "cannon", "summa_collectives", "summa_multicast_pipelined")
    },
    "matmul mesh_gemm, long": lambda: product("mesh_gemm", 8, LONG),
    "matmul cannon, long": lambda: product("cannon", 8, LONG),
    **{
        f"matvec {name}": lambda name=name: product(name, 16, VECTOR)
        for name in ("mesh_gemv", "chain_allreduce_gemv", "gemv_collectives")
    },
}
ELSEWHERE = {
    *(f"{operation} {name}" for operation in ("reduce", "all_reduce") for name in ("chain", "tree", "two_phase")),
    "broadcast multicast", "all_gather ring", "reduce_scatter ring", "all_reduce ring", "shift neighbours",
}  # fmt: skip


# Hops and rates are changed on a machine whose queues hold nobody up.
KNOCKED_OUT = {"far": (DEEP, FAR), "slow": (DEEP, SLOW), "shallow": (WSE3, SHALLOW)}


def changed_by(name: str, change: str) -> float:
    """Cycles that a change of the machine adds."""
    before, after = KNOCKED_OUT[change]
    return cycles(made(name), after) - cycles(made(name), before)


@cache
def made(name: str) -> Program:
    return PROGRAMS[name]()


def test_no_algorithm_is_left_out() -> None:
    algorithms("reduce")  # loads the library
    everything = {f"{a.operation} {a.name}" for a in registry._REGISTRY.values()}
    assert everything == set(ELSEWHERE) | {name for name in PROGRAMS if "," not in name}


# Hops on the way that everything depends on.
RING = 8 - 1
ROUNDS = 4  # that rotate tiles on rings of 8: half of the way round
HOPS: dict[str, tuple[float, float]] = {  # and the tolerance
    "reduce auto_tree": (SIDE - 1, 0.05),
    "all_reduce auto_tree": (2 * (SIDE - 1), 0.05),  # there and back
    "all_reduce k_tree": (2 * (SIDE - 1), 0.05),
    "all_gather multicast, one group": (2 * (SIDE - 1), 0.05),  # to the first PE, then to all
    "halo_exchange neighbours": (1, 0.05),
    "redistribute circulate": (1.5 * RING, 0.33),  # partners are one hop away or two
    "transpose circulate": (1.5 * RING, 0.33),
    "matmul mesh_gemm": (2 * ROUNDS, 0.15),  # steps hide their exchanges under arithmetic
    "matmul mesh_gemm, long": (2 * ROUNDS, 0.15),
    "matmul cannon": (2 * RING / 8 * ROUNDS, 0.2),  # the link across the grid is one of 8 that a tile passes
    "matmul summa_collectives": (2 * RING, 0.05),  # panels follow each other from root to root
    "matmul summa_multicast_pipelined": (RING, 0.05),
    "matvec mesh_gemv": (2 * (SIDE - 1), 0.05),
    "matvec chain_allreduce_gemv": (2 * (SIDE - 1), 0.05),
    "matvec gemv_collectives": (2 * (SIDE - 1), 0.05),  # along the rows, then along the columns
}


@pytest.mark.parametrize("name", HOPS)
def test_doubling_the_hop_latency_costs_the_hops_of_the_way(name: str) -> None:
    hops, tolerance = HOPS[name]
    assert changed_by(name, "far") == pytest.approx(hops * FABRIC.hop_latency, rel=tolerance)


@pytest.mark.parametrize("name", ["reduce star", "matmul mesh_gemm", "matmul cannon"])
def test_hops_hardly_matter_to_what_is_busy_all_the_time(name: str) -> None:
    """A star's root takes words without a break; rings multiply large tiles while others come."""
    assert abs(changed_by(name, "far")) < 0.02 * cycles(made(name), DEEP)


def arithmetic(body: Sequence[Instruction], values: Mapping[str, Any], program: Program) -> Any:
    """Cycles of elements alone in the vector operations of PEs, each on its own; scalar code has its own pace."""
    total: Any = 0.0
    for op in body:
        if isinstance(op, Vector) and op.schedule != "scalar":
            count: Any = 1
            for bound in op.bounds:
                count = count * np.maximum(bound.evaluate(values), 0)
            total = total + count / DEEP.rate(op.kind, program.buffers[op.dst.buffer].dtype)
        elif isinstance(op, Loop):
            trips = np.asarray(op.trips.evaluate(values))
            for trip in range(int(trips.max(initial=0))):
                inside = arithmetic(op.body, {**values, op.variable: trip}, program)
                total = total + np.where(trips > trip, inside, 0.0)
    return total


@pytest.mark.parametrize("name", PROGRAMS)
def test_halving_the_rates_costs_the_arithmetic_again(name: str) -> None:
    """Messages are none: a word is added in half the time that a link takes for it, or now in nearly all of it."""
    program, most = made(name), 0.0
    for pe_class in program.classes:
        (bx, by), (w, h), (sx, sy) = pe_class.where.base, pe_class.where.extent, pe_class.where.step
        y, x = np.mgrid[by : by + h * sy : sy, bx : bx + w * sx : sx]
        most = max(most, float(np.max(arithmetic(pe_class.body, {"x": x, "y": y}, program))))
    assert changed_by(name, "slow") == pytest.approx(most, rel=0.05, abs=0.01)


@pytest.mark.parametrize("name", ["star", "auto_tree", "k_tree"])
def test_halving_the_rate_of_additions_that_links_wait_for_halves_the_pace(name: str) -> None:
    """One word in 2 cycles, then in 4: a star adds all tiles on one PE, trees as many as follow each other."""
    operation = "all_reduce" if name == "k_tree" else "reduce"
    program = in_place(operation, name)
    slow, slowest = slower(DEEP, 4), slower(DEEP, 8)
    if name == "star":
        expected = 2.0 * (SIDE - 1) * WORDS
    else:
        request = CollectiveRequest(ROW, tile("t", WORDS), WSE3, "c_")
        plan = plan_auto_tree(request) if name == "auto_tree" else two_level(SIDE, 15)
        fast, late = (plan.cycles(WORDS, Costs.of(m, "f32", "add")) for m in (slow, slowest))
        expected = late - fast
        assert expected >= 2.0 * WORDS
    assert cycles(program, slowest) - cycles(program, slow) == pytest.approx(expected, rel=0.1)


def stalls(words: int, hops: int) -> float:
    """Cycles that a stream waits for places: it fills those on its way once in the time of a word's round trip."""
    places = 2 + FABRIC.router_words * hops
    round_trip = FABRIC.ramp_out + hops * FABRIC.hop_latency + FABRIC.ramp_in + FABRIC.cycles_per_wavelet
    return (words - 1) // places * max(0.0, round_trip - places * FABRIC.cycles_per_wavelet)


def exchanged(words: int, farthest: int) -> float:
    """Cycles by which an exchange on a ring takes longer when neighbours of one hop wait for places."""
    return stalls(words, 1) - (farthest - 1) * FABRIC.hop_latency


def exposed(words: int, tiles: tuple[int, int, int], farthest: int) -> float:
    """Cycles by which a step of a ring takes longer, of which the local product hides a part."""
    m, k, n = tiles
    request = ProductRequest((1, 1), m, k, n, "f16", "f16", WSE3, "p_")
    local = local_product(Tiles(request, Cut(m, m), Cut(k, k), Cut(n, n)))
    whole = FABRIC.transfer_setup + WSE3.control.join + words * FABRIC.cycles_per_wavelet
    before = max(local, whole + way(WSE3, farthest))
    return max(0.0, whole + way(WSE3, 1) + stalls(words, 1) - before)


HALO = (12, 6)  # words that go to the next PE and to the one before
STALLS: dict[str, tuple[float, float]] = {  # cycles, and the tolerance
    "reduce auto_tree": (stalls(WORDS, 1), 0.05),
    "all_reduce auto_tree": (2 * stalls(WORDS, 1), 0.05),
    "all_reduce k_tree": (
        2 * stalls(WORDS, 1) + stalls(WORDS, 8),
        0.1,
    ),  # to the middle of 15 PEs, on from there
    # Two streams share a ramp, until one of them waits.
    "all_gather multicast, one group": (
        stalls(WORDS // 4, 4) + stalls(WORDS // 2, 8) + stalls(WORDS, 1),
        0.1,
    ),
    "halo_exchange neighbours": (stalls(HALO[0], 1) - HALO[1] * FABRIC.cycles_per_wavelet, 0.1),
    "redistribute circulate": (RING * exchanged(4 * 40, 2), 0.05),
    "transpose circulate": (RING * exchanged(4 * 40, 2), 0.05),
    "matmul mesh_gemm": (ROUNDS * exchanged(12 * 12, 2), 0.05),
    "matmul mesh_gemm, long": (ROUNDS * exchanged(256, 2) + 8 * exposed(256, (64, 4, 1), 2), 0.05),
    "matmul cannon": (ROUNDS * exchanged(12 * 12 // 2, RING), 0.05),
    "matmul cannon, long": (ROUNDS * exchanged(128, RING) + 8 * exposed(128, (64, 4, 1), RING), 0.2),
    "matmul summa_collectives": (8 * stalls(12 * 12 // 2, 1), 0.05),
    "matmul summa_multicast_pipelined": (stalls(12 * 12 // 2, 1), 0.05),  # only the first panel is waited for
    "matvec mesh_gemv": (2 * stalls(WORDS // 2, 1) + stalls(WORDS // 2, 8), 0.15),
    "matvec chain_allreduce_gemv": (2 * stalls(WORDS, 1), 0.05),
    "matvec gemv_collectives": (stalls(WORDS, 1), 0.05),  # what goes along the rows is short
}


@pytest.mark.parametrize("name", STALLS)
def test_queues_of_one_word_make_streams_wait_for_places(name: str) -> None:
    expected, tolerance = STALLS[name]
    assert changed_by(name, "shallow") == pytest.approx(expected, rel=tolerance)


def test_queues_of_one_word_cost_a_star_what_its_streams_cannot_bring_early() -> None:
    """The nearest stream, at least, stalls while the root takes it; each of them at most as if it were alone."""
    more = changed_by("reduce star", "shallow")
    assert stalls(WORDS, 1) <= more <= sum(stalls(WORDS, hops) for hops in range(1, SIDE))
