"""Makes a plan better one operation at a time, with all others as they are.

The beam takes operations in order and drops what is dearer by little for the moment: a mask that many PEs share costs
a cycle less than one that each computes for itself, and its move, many operations later, costs thousands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .nodes import Option
from .plan import Moves, Plan, Planner, State

_ROUNDS = 4
_GAIN = 1.0  # cycles that a change has to save: less is not known so well


def refined(plan: Plan, planner: Planner) -> Plan:
    """A plan that no other option of a single operation makes better, or what some rounds make of it."""
    if plan.stuck is not None:
        return plan
    work = Refinement(planner, list(plan.options))
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

    def __post_init__(self) -> None:
        self.nodes = self.planner.problem.nodes
        self.states = [State()]
        self._restate(0)

    def _restate(self, begin: int) -> None:
        del self.states[begin + 1 :]
        for at in range(begin, len(self.nodes)):
            self.states.append(self.planner.extend(self.states[at], at, self.nodes[at], self.chosen[at]))

    def improve(self) -> bool:
        """Gives operations the options that are best with all others as they are; whether any has another one now."""
        has_changed = False
        readers = self._readers()
        for at in range(len(self.nodes)):
            better = self._better(at, readers[at])
            if better is not None:
                self.chosen[at], has_changed = better, True
                self._restate(at)
        return has_changed

    def _better(self, at: int, readers: Sequence[int]) -> Option | None:
        """The option of an operation that saves most, if one does."""
        node, own = self.nodes[at], self.chosen[at]
        moved = sum(way.cycles for way in self._moves(at).values())
        for reader in readers:
            of_results = (
                w for k, w in self._moves(reader).items() if self.nodes[reader].operands[k] in node.results
            )
            moved += sum(way.cycles for way in of_results)
        if moved == 0 and own.cycles <= min(option.cycles for option in node.options):
            return None
        best, least = None, self.planner.score(self.states[-1]) - _GAIN
        for option in node.options:
            if option is own or option.cycles >= own.cycles + moved:
                continue
            score = self.score_with(at, option)
            if score < least:
                best, least = option, score
        return best

    def _readers(self) -> list[list[int]]:
        """The operations that read each operation's results."""
        makers = {result: at for at, node in enumerate(self.nodes) for result in node.results}
        found: list[list[int]] = [[] for _ in self.nodes]
        for at, node in enumerate(self.nodes):
            for value in dict.fromkeys(node.operands):
                if value in makers:
                    found[makers[value]].append(at)
        return found

    def _moves(self, at: int) -> Moves:
        return self.states[at + 1].moves[at]

    def score_with(self, at: int, option: Option) -> float:
        """What the plan scores with another option of an operation; infinite where that cannot be."""
        planner, final = self.planner, self.states[-1]
        state = planner.extend(self.states[at], at, self.nodes[at], option)
        for later in range(at + 1, len(self.nodes)):
            before = self.states[later]
            if state.cycles == math.inf:
                return math.inf
            if (state.layouts, state.live) == (before.layouts, before.live):
                return planner.score(self._from_here_as_before(state, before, final))
            state = planner.extend(state, later, self.nodes[later], self.chosen[later])
        return planner.score(state)

    @staticmethod
    def _from_here_as_before(state: State, before: State, final: State) -> State:
        """Where a state leads that differs from one of the plan in cycles and in what stays for good."""
        more = state.resident - before.resident
        later = final.peak + more if final.peak > before.peak or more > 0 else 0
        cycles, resident = state.cycles + final.cycles - before.cycles, final.resident + more
        return replace(state, cycles=cycles, resident=resident, peak=max(state.peak, later))
