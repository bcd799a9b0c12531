"""Chooses a distribution for every operation of `@main` by a beam search over the operations in order.

A state of the search knows in which layouts each value exists so far; extending it by an operation's option adds
the operation's cycles, those of moving operands that exist only in other layouts, and memory.
Parameters are brought from the host straight into each layout that is asked for: that costs memory, no cycles.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from .....dialects.host import ir
from .....wse_target.instructions import DTYPE_BYTES, Dtype
from .....wse_target.layout.mesh import Mesh
from .....wse_target.layout.tensor_layout import TensorLayout
from ...communicate import Movement
from ..cost import CostModel
from ..nodes import Node, Option, dtype_of, only_returned
from .lifetimes import Lifetimes, Reader
from .problem import Problem, moves_only
from .prospects import Prospects, WorkAhead

_MOST_STATES = 128  # partial plans that are carried on from reshapes
_OVERFLOW = 1e4  # cycles that a byte too much counts as: a plan that fits always wins


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
        busy = [0] * len(nodes)
        for at, (node, option, moves) in enumerate(zip(nodes, final.chosen, final.moves, strict=True)):
            lives.add(at, node, option, moves)
            wanted = self.wanted(node, option)
            brought = [(v, to) for v, k, to in wanted if k in option.brought and v not in self.free]
            busy[at] = option.scratch + sum(self.bytes(value, to) for value, to in brought)
        for node, option in zip(nodes, final.chosen, strict=True):
            for value, given in zip(node.results, option.gives, strict=True):
                if problem.last_use.get(value, -1) >= len(nodes):  # the host takes it from where it was made
                    lives.use((value, given), len(nodes) - 1)
        lives.settle()
        moving = lives.moving(nodes, final.moves)
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
        return PartialPlan(
            layouts, (*state.chosen, option), (*state.moves, moves), cycles, resident, live, peak
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
