"""Reduction trees made for a line's length, a tile's size and a machine (HPDC24's auto-generated trees).

E(p, d, c) is the least number of hops of a pre-order tree over p PEs of depth at most d with at most c children a PE:
E(1, ., .) = 0, E(p, d, c) = min over i of E(i, d, c - 1) + E(p - i, d - 1, c) + i, where the last child's subtree roots
i hops away. A tree costs about max(B c, B E / (p - 1) + hops) + d steps that depend on each other.

The table is full in depth up to `FULL_CHILDREN` children, and goes to depth `SHALLOW` up to `MOST_CHILDREN`; more
children than that would need more colours than there are. `TreePlan.gap` says how far the plan is from the lower bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .....wse_target.instructions import Combine, Dtype
from .....wse_target.machine import Machine
from .....wse_target.sim.cost import words as words_of
from .costs import Costs
from .reduction_plan import ROOT, ReductionPlan, binary, two_phase

FULL_CHILDREN = 3
MOST_CHILDREN = 18
SHALLOW = 40
_NEVER = 1 << 28


@dataclass(frozen=True)
class TreePlan:
    """A tree that was found.

    Attributes:
        parents: as in `ReductionPlan`, with root 0.
        depth / children / energy: longest way to the root in edges, most children a PE has, hops of all edges.
        cycles: predicted for its program.
        model: max(B c, B E / (p - 1) + hops) + d steps, which the bound is to be compared with. Programs can be
            a little faster than it says, as its terms overlap in time.
        lower_bound: of the model for any tree, min over d of B E(p, d) / (p - 1) + hops + d steps.
    """

    parents: tuple[int, ...]
    depth: int
    children: int
    energy: int
    cycles: float
    model: float
    lower_bound: float

    @property
    def gap(self) -> float:
        """How much more than the lower bound the plan costs by the model, as a share of the bound."""
        return self.model / self.lower_bound - 1 if self.lower_bound else 0.0


def plan_tree(
    count: int, elements: int, machine: Machine, dtype: Dtype = "f32", combine: Combine = "add"
) -> TreePlan:
    """The best tree found over `count` PEs in a row for tiles of so many elements."""
    costs = Costs.of(machine, dtype, combine)
    return plan_for_words(count, int(words_of(elements, dtype)), costs)


@lru_cache(maxsize=256)
def plan_for_words(count: int, words: int, costs: Costs) -> TreePlan:
    """The best tree for tiles of so many words: the best depth by number of children, of these the cheapest program."""
    if count == 1:
        return TreePlan((ROOT,), 0, 0, 0, 0.0, 0.0, 0.0)
    hops, step, stream = (count - 1) * costs.hop, costs.ramps + costs.relay, words * costs.combine
    found = [binary(count), two_phase(count, math.isqrt(count - 1) + 1)]
    for children, table in enumerate(_energies(count)):
        energy = table[count]
        depth = np.arange(len(energy))
        load = np.maximum((stream + costs.setup) * children, stream * energy / (count - 1) + hops)
        predicted = np.where(energy < _NEVER, load + step * depth, np.inf)
        chosen = int(predicted.argmin())
        if np.isfinite(predicted[chosen]):
            tree = _parents(count, chosen, children)
            found += [tree, _leaves_in_chains(tree)]
    plans = [ReductionPlan(parents).settled(words, costs) for parents in found]
    plan = min(plans, key=lambda p: p.cycles(words, costs))
    widest = max(len(c) for c in plan.children)
    model = max(stream * widest, stream * plan.energy / (count - 1) + hops) + step * plan.depth
    least = _least_energies(count)[count]
    bounds = np.where(least < _NEVER, stream * least / (count - 1) + hops + step * np.arange(count), np.inf)
    return TreePlan(
        plan.parents, plan.depth, widest, plan.energy, plan.cycles(words, costs), model, float(bounds.min())
    )


@lru_cache(maxsize=16)
def _energies(count: int) -> tuple[np.ndarray, ...]:
    """By number of children: E as an array [PEs, depth], `_NEVER` where there is no such tree."""
    tables: list[np.ndarray] = []
    for children in range(MOST_CHILDREN + 1):
        depths = count - 1 if children <= FULL_CHILDREN else min(count - 1, SHALLOW)
        table = _trivial(count, depths)
        if children:
            fewer = tables[-1][:, : depths + 1]
            for p in range(2, count + 1):
                table[p, 1:] = _best_split(p, fewer[1:p, 1:], table[p - 1 : 0 : -1, :-1])
        tables.append(table)
    return tuple(tables)


@lru_cache(maxsize=16)
def _least_energies(count: int) -> np.ndarray:
    """E with any number of children, as an array [PEs, depth]."""
    table = _trivial(count, count - 1)
    for p in range(2, count + 1):
        table[p, 1:] = _best_split(p, table[1:p, 1:], table[p - 1 : 0 : -1, :-1])
    return table


def _trivial(count: int, depths: int) -> np.ndarray:
    """Single PEs need nothing, several have no tree of depth 0."""
    table = np.full((count + 1, depths + 1), _NEVER, np.int32)
    table[1] = 0
    return table


def _best_split(count: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """min over i of left[i] + right[count - i] + i, by depth; both are given for i = 1, 2, ..., count - 1."""
    total = left + right
    total += np.arange(1, count, dtype=np.int32)[:, None]
    return np.minimum(total.min(axis=0), _NEVER)


def _parents(count: int, depth: int, children: int) -> tuple[int, ...]:
    """A tree of least energy, read back from the table."""
    tables, parents = _energies(count), [ROOT] * count
    todo = [(0, count, depth, children)]  # subtree: root, PEs, depth, children
    while todo:
        root, p, d, c = todo.pop()
        if p == 1:
            continue
        at = np.arange(1, p)
        split = int(np.argmin(tables[c - 1][1:p, d] + tables[c][p - 1 : 0 : -1, d - 1] + at)) + 1
        parents[root + split] = root
        todo += [(root, split, d, c - 1), (root + split, p - split, d - 1, c)]
    return tuple(parents)


def _leaves_in_chains(parents: tuple[int, ...]) -> tuple[int, ...]:
    """The tree with leaves that are not their parent's first child moved to the end of the subtree before them.

    Such a leaf sends at once and takes turns with the stream that is to come before its own.
    """
    leaves = set(range(len(parents))) - set(parents)
    return tuple(x - 1 if x in leaves and p not in (ROOT, x - 1) else p for x, p in enumerate(parents))
