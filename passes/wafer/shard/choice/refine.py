"""Makes a plan better one operation at a time, with all others as they are but for what reads its results.

The beam takes operations in order and drops what is dearer by little for the moment: a mask that many PEs share costs
a cycle less than one that each computes for itself, and its move, many operations later, costs thousands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from .....dialects.host import ir
from .....dialects.structured import structured
from ..nodes import Node, Option
from .lifetimes import Version
from .plan import PartialPlan, Plan, Planner
from .problem import moves_only

_ROUNDS = 4
_GAIN = 1.0  # cycles that a change has to save: less is not known so well


Change = dict[int, Option]  # by operation, what it has instead
Taken = Callable[
    [PartialPlan, int, Collection[ir.Value]], Option
]  # of an operation that reads values elsewhere


def follows_anywhere(node: Node) -> bool:
    """Whether an operation does about as well wherever its operands are: all but sums of products."""
    view = structured(node.op)
    return moves_only(node) if view is None else view.is_parallel() or len(view.inputs) == 1


def refined(
    plan: Plan,
    planner: Planner,
    follows: Callable[[Node], bool] = moves_only,
    *,
    is_thorough: bool = False,
) -> Plan:
    """A plan that no other option of a single operation makes better, or what some rounds make of it.

    Args:
        follows: which operations go along with one that makes what they read.
        is_thorough: tries as well what comes of it when all that read from elsewhere choose anew.
    """
    if plan.stuck is not None:
        return plan
    work = Refinement(planner, list(plan.options), follows, is_thorough)
    for _ in range(_ROUNDS):
        if not work.improve():
            break
    found = planner.plan_of(work.states[-1])
    return found if planner.worth(found) < planner.worth(plan) else plan


@dataclass
class Refinement:
    """A plan as it is made better.

    Attributes:
        chosen: by operation.
        states: before each operation, and after the last one.
    """

    planner: Planner
    chosen: list[Option]
    may_follow: Callable[[Node], bool] = moves_only
    is_thorough: bool = False

    def __post_init__(self) -> None:
        self.nodes = self.planner.problem.nodes
        self.makers = self._makers()
        self.states = [PartialPlan()]
        self._restate(0)

    def _makers(self) -> dict[ir.Value, frozenset[int]]:
        """The operations whose options decide where a value is: what made it, before reshapes and slices."""
        found: dict[ir.Value, frozenset[int]] = {}
        for at, node in enumerate(self.nodes):
            before = (found.get(v, frozenset[int]()) for v in node.operands) if moves_only(node) else ()
            found.update(dict.fromkeys(node.results, frozenset({at}).union(*before)))
        return found

    def _restate(self, begin: int) -> None:
        del self.states[begin + 1 :]
        for at in range(begin, len(self.nodes)):
            self.states.append(self.planner.extend(self.states[at], at, self.nodes[at], self.chosen[at]))

    def improve(self) -> bool:
        """Gives operations the options that are best with all others as they are; whether any has another one now."""
        has_changed, moved = False, self._moved()
        for at in range(len(self.nodes)):
            change = self._better(at, moved[at])
            if change:
                for place, option in change.items():
                    self.chosen[place] = option
                self._restate(at)
                has_changed, moved = True, self._moved()
        return has_changed

    def _moved(self) -> list[float]:
        """For each operation the cycles of moves that another option of it may spare."""
        found = [0.0] * len(self.nodes)
        for at, moves in enumerate(self.states[-1].moves):
            for k, way in moves.items():
                for maker in {at, *self.makers.get(self.nodes[at].operands[k], ())}:
                    found[maker] += way.cost
        return found

    def _better(self, at: int, moved: float) -> Change:
        """What saves most beginning with another option of an operation; nothing if nothing does."""
        node, own = self.nodes[at], self.chosen[at]
        best, least = dict[int, Option](), self.planner.score(self.states[-1]) - _GAIN
        for option in node.options:
            if option is own or option.cycles >= own.cycles + moved:
                continue
            for taken in self._readers_ways():
                score, change = self.score_with(at, option, taken)
                if score < least:
                    best, least = change, score
        for option, spared in self.without_moves(at) if self.is_thorough else ():
            score, change = self.score_with(at, option, self.with_them, spared)
            if score < least:
                best, least = change, score
        return best

    def without_moves(self, at: int) -> Iterator[tuple[Option, Version]]:
        """Options of an operation that take an operand from where it is, and the version that it is moved to now."""
        node, own = self.nodes[at], self.chosen[at]
        for position, way in self.states[-1].moves[at].items():
            value = node.operands[position]
            held = self.states[at].layouts.get(value, ())
            for option in node.options:
                if option is not own and option.needs[position] in held:
                    yield option, (value, way.target)

    def _readers_ways(self) -> Sequence[Taken | None]:
        """What readers of results that are elsewhere may do: as before, as it is there, or the best for them."""
        return (None, self._as_it_is, self._anew) if self.is_thorough else (None, self._as_it_is)

    def score_with(
        self, at: int, option: Option, taken: Taken | None = None, spared: Version | None = None
    ) -> tuple[float, Change]:
        """What the plan scores with another option of an operation, and what changes; infinite where that cannot be.

        Args:
            taken: what operations do that read results which are elsewhere now; as before by default.
            spared: a version of a value that those which read it are to do without, too.
        """
        planner, final = self.planner, self.states[-1]
        change, elsewhere = {at: option}, set(self.nodes[at].results)
        state = planner.extend(self.states[at], at, self.nodes[at], option)
        for later in range(at + 1, len(self.nodes)):
            before, node, chosen = self.states[later], self.nodes[later], self.chosen[later]
            if state.cycles == math.inf:
                return math.inf, change
            if (state.layouts, state.live) == (before.layouts, before.live):
                return planner.score(self._from_here_as_before(state, before, final)), change
            reads_spared = spared is not None and self._reads(later, spared)
            if taken is not None and (reads_spared or not elsewhere.isdisjoint(node.operands)):
                option = taken(
                    state, later, {*elsewhere, spared[0]} if spared and reads_spared else elsewhere
                )
                if option.gives != chosen.gives or moves_only(node):
                    elsewhere.update(node.results)
                if option is not chosen:
                    change[later] = option
                chosen = option
            state = planner.extend(state, later, node, chosen)
        return planner.score(state), change

    def _reads(self, at: int, version: Version) -> bool:
        wanted = self.planner.wanted(self.nodes[at], self.chosen[at])
        return any((value, layout) == version for value, _, layout in wanted)

    def _anew(self, state: PartialPlan, at: int, elsewhere: Collection[ir.Value]) -> Option:
        """What is best for an operation, with what is to come as far as that is known."""
        planner, node = self.planner, self.nodes[at]
        return min(
            node.options,
            key=lambda option: planner.at_least(state, node, option) + planner.prospects.after(node, option),
        )

    def _as_it_is(self, state: PartialPlan, at: int, elsewhere: Collection[ir.Value]) -> Option:
        """The option of an operation that may follow that takes its operands where they are; its own one otherwise."""
        return self._following(state, at, self.nodes[at].operands, lambda option: option.cycles)

    def with_them(self, state: PartialPlan, at: int, elsewhere: Collection[ir.Value]) -> Option:
        """The same of those that are elsewhere; others are brought to them."""
        planner, node = self.planner, self.nodes[at]
        return self._following(state, at, elsewhere, lambda option: planner.at_least(state, node, option))

    def _following(
        self, state: PartialPlan, at: int, taken: Collection[ir.Value], price: Callable[[Option], float]
    ) -> Option:
        """The cheapest option of an operation, if it may follow, that takes these values from where they are."""
        node, own = self.nodes[at], self.chosen[at]

        def moves_none(option: Option) -> bool:
            wanted = [(v, to) for v, _, to in self.planner.wanted(node, option) if v in taken]
            return all(v in self.planner.free or to in state.layouts.get(v, ()) for v, to in wanted)

        if not self.may_follow(node) or moves_none(own):
            return own
        return min(filter(moves_none, node.options), key=price, default=own)

    @staticmethod
    def _from_here_as_before(state: PartialPlan, before: PartialPlan, final: PartialPlan) -> PartialPlan:
        """Where a state leads that differs from one of the plan in cycles and in what stays for good."""
        cycles = state.cycles + final.cycles - before.cycles
        resident = state.resident + final.resident - before.resident
        later = final.peak if final.peak > before.peak else 0
        return replace(state, cycles=cycles, resident=resident, peak=max(state.peak, later))
