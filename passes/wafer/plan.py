"""Chooses a distribution for every operation of `@main` by a beam search over the operations in order.

A state of the search knows in which layouts each value exists so far; extending it by an operation's option adds
the operation's cycles, those of redistributing operands that exist only in other layouts, and memory.
Parameters are brought from the host straight into each layout that is asked for: that costs memory, no cycles.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...dialects.host import ir
from ...wse_target.layout.mesh import Mesh
from ...wse_target.layout.tensor_layout import TensorLayout
from ..infra.diagnostics import PassFailure
from .contraction import contraction_of
from .cost import CostModel
from .layout_rules import grid_mesh, redistribution
from .nodes import (
    Node,
    Option,
    analyse,
    bytes_of,
    compute_options,
    reshape_options,
    slice_options,
)
from .product_options import ProductOptions
from .splat import made_of

RESHAPES = ("tensor.expand_shape", "tensor.collapse_shape")
SLICES = ("tensor.extract_slice", "tensor.insert_slice", "tensor.concat")
NO_NODE = ("tensor.empty", "arith.constant", "func.return", "linalg.fill")
_MOST_STATES = 128  # partial plans that are carried on from reshapes
_OVERFLOW = 1e4  # cycles that a byte too much counts as: a plan that fits always wins


@dataclass(frozen=True)
class Problem:
    """What is planned: the nodes in order, and how long values live.

    Attributes:
        free: arguments that any number of layouts can be had of (parameters and constants).
        last_use: position of the last node that needs a value; `len(nodes)` for results of the program.
        aliases: results of reshapes, which share memory with their source.
    """

    nodes: tuple[Node, ...]
    arguments: tuple[ir.Value, ...]
    free: frozenset[int]
    last_use: dict[ir.Value, int]
    aliases: frozenset[ir.Value]


@dataclass(frozen=True)
class State:
    """A partial plan. Bytes are per PE."""

    layouts: dict[ir.Value, tuple[TensorLayout, ...]] = field(default_factory=dict)
    chosen: tuple[Option, ...] = ()
    cycles: float = 0.0
    resident: int = 0
    live: int = 0
    peak: int = 0


@dataclass(frozen=True)
class Plan:
    """A complete plan for one grid."""

    mesh: Mesh
    options: tuple[Option, ...]
    cycles: float
    resident: int
    peak: int


def is_node(op: Any) -> bool:
    """Whether an operation of `@main` is something PEs do (splats, what is undefined, and the terminator are not)."""
    if op.operation.name in NO_NODE:
        return False
    return not (len(op.results) and all(made_of(r) is not None for r in op.results))


def build_problem(
    main: Any, mesh: Mesh, cost: CostModel, free: frozenset[int], products: ProductOptions
) -> Problem:
    """Lists nodes and their options on a mesh."""
    operations = [op for op in main.body.blocks[0].operations if is_node(op)]
    nodes = tuple(Node(op, _options(op, mesh, cost, products)) for op in operations)
    last_use: dict[ir.Value, int] = {}
    aliases = set()
    terminator = list(main.body.blocks[0].operations)[-1]
    last_use.update((v, len(nodes)) for v in terminator.operands)
    for position in range(len(nodes) - 1, -1, -1):
        op = nodes[position].op
        until = position
        if op.operation.name in RESHAPES:
            until = max(position, last_use.get(op.results[0], position))
            aliases.add(op.results[0])
        for operand in op.operands:
            last_use[operand] = max(until, last_use.get(operand, until))
    return Problem(nodes, tuple(main.body.blocks[0].arguments), free, last_use, frozenset(aliases))


def _options(op: Any, mesh: Mesh, cost: CostModel, products: ProductOptions) -> list[Option]:
    name = op.operation.name
    if name == "linalg.generic":
        local = compute_options(op, mesh, cost)
        if "wse.iterators" in op.attributes:
            return local
        if products.combining:
            return [o for o in local if o.reductions] or local
        fitting = [o.cycles for o in local if bytes_at_least(op, o) <= cost.sram]
        offered = products.options(op, mesh, min(fitting, default=math.inf))
        forced = products.forced and contraction_of(analyse(op)) is not None
        return offered if forced else local + offered
    if name in RESHAPES:
        return reshape_options(op, mesh)
    if name in SLICES:
        return slice_options(op, mesh, cost)
    raise PassFailure(op, f"'{name}' has no lowering to the wafer yet", hint="it runs on target='cpu'")


def bytes_at_least(op: Any, option: Option) -> int:
    """Bytes of a PE's SRAM that an operation's own operands and results take, laid out as an option says."""
    needed = [(v, to) for v, to in zip(op.operands, option.needs, strict=True) if to is not None]
    return sum(bytes_of(v, to) for v, to in (*needed, *zip(op.results, option.gives, strict=True)))


class Planner:
    """Runs the beam search for one mesh."""

    def __init__(self, problem: Problem, mesh: Mesh, cost: CostModel, *, thrift: float = 0.0) -> None:
        self.problem = problem
        self.mesh = mesh
        self.cost = cost
        self.thrift = thrift  # cycles that a byte of memory counts as
        self.numbers = {a: i for i, a in enumerate(problem.arguments)}
        self.moved: dict[tuple[TensorLayout, TensorLayout], float] = {}

    def score(self, state: State) -> float:
        """Cycles, with memory counted in as far as it is scarce."""
        over = max(0, state.peak - self.cost.sram)
        return state.cycles + self.thrift * (state.resident + state.peak) + _OVERFLOW * over

    def run(self, width: int) -> Plan:
        """The best complete plan found with a beam of `width` states."""
        beam = [State()]
        for position, node in enumerate(self.problem.nodes):
            best: dict[Any, State] = {}
            for state in beam:
                for option in node.options:
                    extended = self.extend(state, position, node, option)
                    key = tuple(extended.layouts.values())
                    if key not in best or self.score(extended) < self.score(best[key]):
                        best[key] = extended
            # Layouts of a reshape cost nothing: which of them is good is only known when its readers have chosen.
            undecided = len(node.options) if node.op.operation.name in RESHAPES else 1
            beam = sorted(best.values(), key=self.score)[: min(width * undecided, _MOST_STATES)]
        final = beam[0]
        return Plan(self.mesh, final.chosen, final.cycles, final.resident, final.peak)

    def extend(self, state: State, at: int, node: Node, option: Option) -> State:
        """`state` with the operation at position `at` done as `option` says."""
        layouts, brought = dict(state.layouts), 0
        cycles, resident, live = state.cycles + option.cycles, state.resident, state.live
        for position, needed in enumerate(option.needs):
            if needed is None:
                continue
            operand = node.op.operands[position]
            number = self.numbers.get(operand)
            size = bytes_of(operand, needed)
            if position in option.brought:
                resident += size if number in self.problem.free else 0
                brought += size if number not in self.problem.free else 0
                continue
            held = layouts.get(operand, ())
            if needed in held:
                continue
            if number is not None and number in self.problem.free:
                resident += size
            else:
                live += size
                if held:
                    cycles += min(self.redistribution_cycles(h, needed) for h in held)
            layouts[operand] = (*held, needed)
        for result, given in zip(node.op.results, option.gives, strict=True):
            layouts[result] = (given,)
            if result not in self.problem.aliases:
                live += bytes_of(result, given)
        peak = max(state.peak, resident + live + brought + option.scratch)
        for value in [v for v in layouts if self.problem.last_use.get(v, -1) <= at]:
            number = self.numbers.get(value)
            if (number is None or number not in self.problem.free) and value not in self.problem.aliases:
                live -= sum(bytes_of(value, held) for held in layouts[value])
            del layouts[value]
        return replace(
            state,
            layouts=layouts,
            chosen=(*state.chosen, option),
            cycles=cycles,
            resident=resident,
            live=live,
            peak=peak,
        )

    def redistribution_cycles(self, held: TensorLayout, needed: TensorLayout) -> float:
        """Cycles to bring a value from one layout into another; worked out once, for searches ask all the time."""
        if (held, needed) not in self.moved:
            self.moved[held, needed] = self._redistribution_cycles(held, needed)
        return self.moved[held, needed]

    def _redistribution_cycles(self, held: TensorLayout, needed: TensorLayout) -> float:
        cycles, before = 0.0, held
        for step in redistribution(held, needed):
            if step.kind == "gather":
                cycles += self.cost.all_gather(before.elements, self.mesh[step.axis].extent)
            else:
                cycles += self.cost.slice(step.layout.elements)
            before = step.layout
        return cycles


def candidate_grids(width: int, height: int) -> list[Mesh]:
    """Grids to try, small ones first: powers of two along one axis, near-squares, and the whole fabric."""
    found = [(1, 1)]
    side = 2
    while side <= max(width, height):
        w, h = min(side, width), min(side, height)
        found += [(w, 1), (w, max(1, h // 2)), (w, h)]
        side *= 2
    found.append((width, height))
    return [grid_mesh(w, h) for w, h in dict.fromkeys(found)]


def search(
    main: Any, meshes: Sequence[Mesh], cost: CostModel, free: frozenset[int], products: ProductOptions
) -> tuple[Plan, Problem, list[Plan]]:
    """The cheapest plan over `meshes`, its problem, and all plans that were tried.

    When none fits the SRAM, it is the one that is over by the least.

    Larger grids are given up when they have become dearer three times in a row.
    """
    best: tuple[float, Plan, Problem] | None = None
    worse, tried = 0, []
    for mesh in meshes:
        problem = build_problem(main, mesh, cost, free, products)
        plan = _plan(problem, mesh, cost, width=8 if len(meshes) == 1 else 3)
        tried.append(plan)
        score = plan.cycles + _OVERFLOW * max(0, plan.peak - cost.sram)
        if best is None or score < best[0]:
            best, worse = (score, plan, problem), 0
        else:
            worse += 1
        if worse >= 4 and best[1].peak <= cost.sram:
            break
    if best is None:
        raise ValueError("no grid to plan for")
    return best[1], best[2], tried


def _plan(problem: Problem, mesh: Mesh, cost: CostModel, *, width: int) -> Plan:
    """The best plan for one mesh; a thriftier one when that needs too much memory."""
    plan = Planner(problem, mesh, cost).run(width=width)
    for thrift in (0.1, 10.0):
        if plan.peak > cost.sram:
            thrifty = Planner(problem, mesh, cost, thrift=thrift).run(width=8)
            plan = min(plan, thrifty, key=lambda p: p.peak)
    return plan
