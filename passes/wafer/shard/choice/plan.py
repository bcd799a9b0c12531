"""Chooses a distribution for every operation of `@main` by a beam search over the operations in order.

A state of the search knows in which layouts each value exists so far; extending it by an operation's option adds
the operation's cycles, those of moving operands that exist only in other layouts, and memory.
Parameters are brought from the host straight into each layout that is asked for: that costs memory, no cycles.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from .....dialects.host import ir
from .....wse_target.instructions import DTYPE_BYTES, Dtype
from .....wse_target.layout.mesh import Mesh
from .....wse_target.layout.tensor_layout import TensorLayout
from ...communicate import Movement
from ..contraction import contraction_of
from ..cost import CostModel
from ..lowering import RESHAPES, SLICES, is_node, no_lowering
from ..nodes import (
    Node,
    Option,
    analyse,
    bytes_of,
    compute_options,
    dtype_of,
    only_returned,
)
from .dear_options import without_dear_ones
from .guides import Axes, Guide
from .lifetimes import Lifetimes, Reader
from .product_options import ProductOptions
from .prospects import Prospects, WorkAhead
from .results import with_results
from .shape_options import assembly_options, reshape_options
from .wants import Wants

_MOST_STATES = 128  # partial plans that are carried on from reshapes
_SHARED = 8  # operations that the SRAM is taken to be shared by, where something has to be better than a whole product
_OVERFLOW = 1e4  # cycles that a byte too much counts as: a plan that fits always wins


@dataclass(frozen=True)
class Problem:
    """What is planned: the nodes in order, and how long values live.

    Attributes:
        free: arguments that any number of layouts can be had of (parameters and constants).
        last_use: position of the last node that needs a value; `len(nodes)` for results of the program.
        aliases: results of reshapes, which share memory with their source.
        has_dear: whether options that are much dearer than others are among them.
    """

    nodes: tuple[Node, ...]
    arguments: tuple[ir.Value, ...]
    free: frozenset[int]
    last_use: dict[ir.Value, int]
    aliases: frozenset[ir.Value]
    has_dear: bool = True

    @property
    def size(self) -> int:
        """Options of all nodes."""
        return sum(len(node.options) for node in self.nodes)


Moves = dict[int, Movement]  # by operand, how it is brought into the layout that an option needs


@dataclass(frozen=True)
class PartialPlan:
    """A partial plan. Bytes are per PE; cycles are with those that text counts as.

    Attributes:
        resident: bytes of parameters and constants so far; they are there from the start.
        live / peak: bytes of all else, now and the most until now.
    """

    layouts: dict[ir.Value, tuple[TensorLayout, ...]] = field(default_factory=dict)
    chosen: tuple[Option, ...] = ()
    moves: tuple[Moves, ...] = ()
    cycles: float = 0.0
    resident: int = 0
    live: int = 0
    peak: int = 0


@dataclass(frozen=True)
class Plan:
    """A complete plan for one grid.

    Attributes:
        moves: for each node those of its operands.
        cycles: infinite where nothing brings an operation's operands to where it could compute.
        text: bytes of program text of movements, about; 0 where they are not scarce.
        early: by node what is moved in front of it for later ones; see `Lifetimes`.
        stuck: that operation.
    """

    mesh: Mesh
    options: tuple[Option, ...]
    moves: tuple[Moves, ...]
    cycles: float
    resident: int
    peak: int
    text: int = 0
    early: Mapping[int, Sequence[Reader]] = field(default_factory=dict)
    stuck: Any = None

    @property
    def cost(self) -> float:
        """Cycles, with those that text counts as."""
        return self.cycles + self.text


def moves_only(node: Node) -> bool:
    """Whether an operation is a reshape or a slice, which computes nothing."""
    return node.op.operation.name in RESHAPES + SLICES


def build_problem(
    main: Any,
    mesh: Mesh,
    cost: CostModel,
    free: frozenset[int],
    products: ProductOptions,
    guide: Guide | None = None,
    *,
    dear: bool = True,
) -> Problem:
    """Lists nodes and their options on a mesh; only what a guide did elsewhere, if there is one.

    Args:
        dear: whether options that are much dearer than others are of interest.
    """
    operations = [op for op in main.body.blocks[0].operations if is_node(op)]
    wants, found = Wants(), list[Node]()
    for at, op in reversed(list(enumerate(operations))):
        along = None if guide is None else guide.loops[at]
        options = _options(op, mesh, cost, products, wants, along)
        if not dear:
            options = without_dear_ones(options, partial(_bytes_of_option, op), mesh, cost)
        found.append(Node(op, options if guide is None else guide.picks(at, options)))
        wants.note(found[-1])
    nodes = tuple(reversed(found))
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
    arguments = tuple(main.body.blocks[0].arguments)
    return Problem(nodes, arguments, free, last_use, frozenset(aliases), has_dear=dear and guide is None)


def _options(
    op: Any, mesh: Mesh, cost: CostModel, products: ProductOptions, wants: Wants, along: Axes | None = None
) -> list[Option]:
    name = op.operation.name
    if name == "linalg.generic":
        computed = compute_options(op, mesh, cost, wants.of_results(op), along)
        local = [way for option in computed for way in with_results(option, op, cost)]
        if products.combining:  # by the algorithm that is asked for
            local = [o for o in local if o.scattering is None]
        if "wse.iterators" in op.attributes:
            return local
        if products.combining:
            return [o for o in local if o.reductions] or local
        fitting = [o.cycles for o in local if bytes_at_least(op, o) <= cost.sram // _SHARED]
        offered = products.options(op, mesh, min(fitting, default=math.inf))
        forced = products.forced and contraction_of(analyse(op)) is not None
        return offered if forced else local + offered
    if name in RESHAPES:
        return reshape_options(op, mesh, wants.of_results(op)[0])
    if name in SLICES:
        return assembly_options(op, mesh, cost, wants.of_results(op)[0])
    raise no_lowering(op)


def bytes_at_least(op: Any, option: Option) -> int:
    """Bytes of a PE's SRAM that an operation's own operands and results take, laid out as an option says."""
    needed = [(v, to) for v, to in zip(op.operands, option.needs, strict=True) if to is not None]
    return sum(bytes_of(v, to) for v, to in (*needed, *zip(op.results, option.gives, strict=True)))


def _bytes_of_option(op: Any, option: Option) -> int:
    return bytes_at_least(op, option) + option.scratch


class Planner:
    """Runs the beam search for one mesh.

    Attributes:
        thrift: cycles that a byte of memory counts as.
        sees_ahead: whether partial plans are compared with what is still to come, as far as that is known. Mostly that
            finds much better plans; a search that knows of no way how dear it is goes astray now and then.
    """

    def __init__(
        self,
        problem: Problem,
        mesh: Mesh,
        cost: CostModel,
        *,
        thrift: float = 0.0,
        sees_ahead: bool = False,
    ) -> None:
        self.problem = problem
        self.mesh = mesh
        self.cost = cost
        self.thrift = thrift
        self.sees_ahead = sees_ahead
        self.free = {a for i, a in enumerate(problem.arguments) if i in problem.free}
        values = {v for node in problem.nodes for v in (*node.op.operands, *node.op.results)}
        self.dtypes: dict[ir.Value, Dtype] = {
            v: dtype_of(v) for v in values if isinstance(v.type, ir.RankedTensorType)
        }

    @cached_property
    def prospects(self) -> Prospects:
        """What is to come behind each operation."""
        return Prospects(self.problem.nodes, self.cost.ways, self.dtypes, self._price)

    @cached_property
    def _view(self) -> Prospects | WorkAhead:
        return self.prospects if self.sees_ahead else WorkAhead(self.problem.nodes)

    def _price(self, node: Node, option: Option) -> float:
        """Cycles of an operation, with what its parameters' bytes count as."""
        if not self.thrift:
            return option.cycles
        kept = sum(self.bytes(v, to) for v, _, to in self.wanted(node, option) if v in self.free)
        return option.cycles + 2 * self.thrift * kept

    def score(self, state: PartialPlan) -> float:
        """Cycles, with memory counted in as far as it is scarce."""
        return state.cycles + self.dearness(state.resident, state.peak)

    def worth(self, plan: Plan) -> float:
        """The score of a whole plan, whose peak is known exactly."""
        return plan.cost + self.dearness(plan.resident, plan.peak - plan.resident)

    def dearness(self, resident: int, peak: int) -> float:
        """Cycles that memory counts as, of which parameters take `resident` bytes and all else `peak` at most."""
        most = resident + peak
        return self.thrift * (resident + most) + _OVERFLOW * max(0, most - self.cost.sram)

    def run(self, width: int, limit: float = math.inf) -> Plan | None:
        """The best complete plan found with a beam of `width` states; None once all take more than `limit`."""
        beam = [PartialPlan()]
        for position, node in enumerate(self.problem.nodes):
            beam = self.step(beam, position, node, width)
            if not beam:
                return Plan(self.mesh, (), (), math.inf, 0, 0, stuck=node.op)
            left = (self._view.ahead(state.layouts.items(), position) for state in beam)
            least = min(state.cycles + ahead for state, ahead in zip(beam, left, strict=True))
            if least + self._view.rest[position + 1] > limit:
                return None
        return self.plan_of(beam[0])

    def plan_of(self, final: PartialPlan) -> Plan:
        """The plan that a state is after the last operation."""
        lives, most = self._lives(final)
        peak = final.resident + most
        text = sum(way.text for moves in final.moves for way in moves.values())
        return Plan(
            self.mesh, final.chosen, final.moves, final.cycles - text, final.resident, peak, text, lives.early
        )

    def _lives(self, final: PartialPlan) -> tuple[Lifetimes, int]:
        """How long versions of values live, each until its own last reader, and their most bytes at a time.

        The search counts all versions until a value's last reader: it cannot know yet which of them that wants.
        """
        nodes, problem = self.problem.nodes, self.problem
        lives = Lifetimes(frozenset(self.free), problem.aliases)
        busy, moving = [0] * len(nodes), [0] * len(nodes)
        for at, (node, option, moves) in enumerate(zip(nodes, final.chosen, final.moves, strict=True)):
            lives.add(at, node, option, moves)
            wanted = self.wanted(node, option)
            brought = [(v, to) for v, k, to in wanted if k in option.brought and v not in self.free]
            busy[at] = option.scratch + sum(self.bytes(value, to) for value, to in brought)
            between = (m.peak_bytes - self.bytes(node.operands[k], m.target) for k, m in moves.items())
            moving[at] = max(0, *between, 0)
        for node, option in zip(nodes, final.chosen, strict=True):
            for value, given in zip(node.results, option.gives, strict=True):
                if problem.last_use.get(value, -1) >= len(nodes):  # the host takes it from where it was made
                    lives.use((value, given), len(nodes) - 1)
        lives.settle()
        return lives, lives.most(busy, moving)

    def step(self, beam: list[PartialPlan], position: int, node: Node, width: int) -> list[PartialPlan]:
        """The best states after an operation; extended only as long as they may be among them.

        Layouts of what only moves elements are kept: which is good is only known when its readers have chosen.
        """
        if moves_only(node) and not all(map(only_returned, node.results)):
            width = min(width * len(node.options), _MOST_STATES)
        first: dict[tuple[TensorLayout, ...], int] = {}  # of equals those that give what earlier options do
        for number, option in enumerate(node.options):
            first.setdefault(option.gives, number)
        found: list[tuple[float, tuple[int, int, int], PartialPlan, Option]] = []
        others = [
            [(value, held) for value, held in state.layouts.items() if value not in node.operands]
            for state in beam
        ]
        left = [self._view.ahead(found, position) for found in others]
        for index, state in enumerate(beam):
            for number, option in enumerate(node.options):
                order = (index, first[option.gives], number)
                least = self.at_least(state, node, option) + self._view.after(node, option) + left[index]
                found.append((least, order, state, option))
        best: dict[Any, tuple[float, tuple[int, int, int], PartialPlan]] = {}
        scores: list[float] = []  # of those, in order
        worst = math.inf
        for least, order, state, option in sorted(found, key=lambda candidate: candidate[:2]):
            if least > worst or least == math.inf:
                break
            extended = self.extend(state, position, node, option)
            ahead = self._view.ahead(extended.layouts.items(), position)
            scored = (self.score(extended) + ahead, order, extended)
            key = tuple(extended.layouts.values())
            if scored[0] < math.inf and (key not in best or scored[:2] < best[key][:2]):
                if key in best:
                    del scores[bisect_left(scores, best[key][0])]
                best[key] = scored
                insort(scores, scored[0])
                worst = scores[width - 1] if len(scores) >= width else math.inf
        return [state for *_, state in sorted(best.values(), key=lambda f: f[:2])[:width]]

    def at_least(self, state: PartialPlan, node: Node, option: Option) -> float:
        """What no extension of `state` by an option scores less than."""
        found = self.score(state) + option.cycles
        for value, position, needed in self.wanted(node, option):
            held = state.layouts.get(value)
            if held and needed not in held and position not in option.brought and value not in self.free:
                least = min(self.cost.ways.at_least(h, needed, self.dtypes[value]) for h in held)
                found += least if least < math.inf or not isinstance(value.owner, ir.Block) else 0.0
        return found

    def wanted(self, node: Node, option: Option) -> Iterator[tuple[ir.Value, int, TensorLayout]]:
        """Operands that have to be laid out in some way: value, position, layout."""
        for position, needed in enumerate(option.needs):
            if needed is not None:
                yield node.operands[position], position, needed

    def bytes(self, value: ir.Value, layout: TensorLayout) -> int:
        """Bytes of SRAM that the largest tile of a value takes."""
        return layout.elements * DTYPE_BYTES[self.dtypes[value]]

    def extend(self, state: PartialPlan, at: int, node: Node, option: Option) -> PartialPlan:
        """`state` with the operation at position `at` done as `option` says."""
        layouts, brought, peak = dict(state.layouts), 0, state.peak
        moves: Moves = {}
        cycles, resident, live = state.cycles + option.cycles, state.resident, state.live
        for operand, position, needed in self.wanted(node, option):
            is_free, size = operand in self.free, self.bytes(operand, needed)
            if position in option.brought:
                resident += size if is_free else 0
                brought += 0 if is_free else size
                continue
            held = layouts.get(operand, ())
            if needed in held:
                continue
            layouts[operand] = (*held, needed)
            if is_free:
                resident += size
                continue
            if held:
                way = self.way(held, needed, self.dtypes[operand], resident, live, peak)
                if way is None and not isinstance(operand.owner, ir.Block):
                    return replace(state, cycles=math.inf)
                if way is not None:  # if not, the host brings what no PE has
                    moves[position] = way
                    cycles += way.cost
                    peak = max(peak, live + way.peak_bytes)
            live += size
        for result, given in zip(node.results, option.gives, strict=True):
            layouts[result] = (given,)
            if result not in self.problem.aliases:
                live += self.bytes(result, given)
        peak = max(peak, live + brought + option.scratch)
        for value in [v for v in layouts if self.problem.last_use.get(v, -1) <= at]:
            if value not in self.free and value not in self.problem.aliases:
                live -= sum(self.bytes(value, held) for held in layouts[value])
            del layouts[value]
        return replace(
            state,
            layouts=layouts,
            chosen=(*state.chosen, option),
            moves=(*state.moves, moves),
            cycles=cycles,
            resident=resident,
            live=live,
            peak=peak,
        )

    def way(
        self,
        held: Sequence[TensorLayout],
        needed: TensorLayout,
        dtype: Dtype,
        resident: int,
        live: int,
        peak: int,
    ) -> Movement | None:
        """The best way from any of the layouts that a value is held in; None where there is none.

        Args:
            resident, live, peak: bytes, before it; see `PartialPlan`.
        """

        def score(way: Movement) -> float:
            return way.cost + self.dearness(resident, max(peak, live + way.peak_bytes))

        quick = [way for source in held if (way := self.cost.ways.fastest(source, needed, dtype))]
        best = min(quick, key=lambda way: way.cost, default=None)
        if best is None or score(best) <= best.cost + self.dearness(resident, peak):
            return best  # none is faster, and none takes less where that counts
        ways = (way for source in held for way in self.cost.ways.between(source, needed, dtype))
        return min(ways, key=score, default=None)
