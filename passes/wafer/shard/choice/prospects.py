"""What is still to come, by where values are: so that a search in order sees what a layout costs later.

Options of operations, and ways between them, are labels on a graph, whose dual says what the whole takes at least: the
cycles of each way are divided between the two operations that it lies between, so that what these take at least, each
on its own, is as much as can be in sum. Messages along edges raise that bound, one edge at a time (max-product linear
programming: A. Globerson and T. Jaakkola, "Fixing max-product", NIPS 2007). Ways are looked for only where one of the
cheapest plans may take them; of all others a bound is enough. What is left of the whole for operations that are not
done yet, wherever their operands are, is what states of the search are compared by.

Of memory, only bytes of parameters are in it, where these count as cycles. A value that several operations read counts
as moved for each of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .....dialects.host import ir
from .....wse_target.instructions import Dtype
from .....wse_target.layout.tensor_layout import TensorLayout
from ...communicate import Ways
from ..nodes import Node, Option
from .lifetimes import Reader

_SWEEPS = 60  # over all edges, there and back, at the most
_ENOUGH = 2e-4  # of the bound, that a sweep has to raise it by
_SOFTNESS = (50.0, 0.0)  # cycles that options may differ by and count as about alike, at first
_NEAR = 50.0  # cycles that an option may be dearer by than a cheapest one for its ways to be looked for
_NO_WAY = 1e8  # cycles: more than any plan takes, and few enough to count with


@dataclass
class _Edge:
    """A value between what makes it and what reads it.

    Attributes:
        ways: least cycles by the numbers of a layout that is given and of one that is needed.
        given / needed: these layouts.
        is_known: whether a way was looked for, so that its cycles are known.
        gives / needs: the numbers of layouts, by option of the maker and of the reader.
        to_maker / to_reader: the parts of `ways` that are counted with either one's options.
    """

    maker: int
    reader: Reader
    given: list[TensorLayout]
    needed: list[TensorLayout | None]
    ways: np.ndarray
    is_known: np.ndarray
    gives: np.ndarray
    needs: np.ndarray
    to_maker: np.ndarray
    to_reader: np.ndarray


HeldLayouts = Iterable[
    tuple[ir.Value, tuple[TensorLayout, ...]]
]  # values, and the layouts that each is had in


class WorkAhead:
    """Least cycles of operations that are not done yet, each on its own, wherever their operands are.

    Attributes:
        rest: for each operation, those of it and of all behind it.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        least = [min((option.cycles for option in node.options), default=0.0) for node in nodes]
        self.rest = _sums_behind(least)

    def after(self, _node: Node, _option: Option) -> float:
        """Nothing is known of ways."""
        return 0.0

    def ahead(self, _layouts: HeldLayouts, _at: int) -> float:
        """Nothing is known of ways."""
        return 0.0


class Prospects:
    """Least cycles of all operations that are not done yet, for one problem.

    Attributes:
        readers: of every value that an operation makes, in order.
        rest: for each operation, least cycles of it and of all behind it on their own.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        ways: Ways,
        dtypes: dict[ir.Value, Dtype],
        price: Callable[[Node, Option], float],
    ) -> None:
        self._nodes = nodes
        self._ways = ways
        self._dtypes = dtypes
        self._known: dict[tuple[Reader, TensorLayout], float] = {}
        self.readers: dict[ir.Value, list[Reader]] = {v: [] for node in nodes for v in node.results}
        edges = self._find_edges()
        costs = [np.array([min(_NO_WAY, price(node, o)) for o in node.options]) for node in nodes]
        for softness in _SOFTNESS:
            _raise_bound(costs, edges, softness)
            while sum(self._look_closer(edge, costs) for edge in edges):
                _raise_bound(costs, edges, softness)
        self._asked = {edge.reader: _least_by_need(edge) for edge in edges}
        self.rest = _sums_behind([float(cost.min(initial=_NO_WAY)) for cost in costs])

    def after(self, node: Node, option: Option) -> float:
        """Least cycles of ways to what reads the results of an operation, beside `rest`."""
        return sum(
            self.least(reader, given)
            for value, given in zip(node.results, option.gives, strict=True)
            for reader in self.readers[value]
        )

    def ahead(self, layouts: HeldLayouts, at: int) -> float:
        """Least cycles of ways from where values are to what is done after the operation at `at`, beside `rest`."""
        return sum(
            min(self.least(reader, layout) for layout in held)
            for value, held in layouts
            for reader in self.readers.get(value, ())
            if reader[0] > at
        )

    def least(self, reader: Reader, held: TensorLayout) -> float:
        """Least cycles of bringing a value from where it is to a reader, beside `rest`."""
        key = (reader, held)
        if key not in self._known:
            asked = self._asked[reader]
            self._known[key] = min(
                (cost + self._way(reader, held, needed) for needed, cost in asked), default=0.0
            )
        return self._known[key]

    def _find_edges(self) -> list[_Edge]:
        makers = {
            value: (at, k) for at, node in enumerate(self._nodes) for k, value in enumerate(node.results)
        }
        found: list[_Edge] = []
        for at, node in enumerate(self._nodes):
            seen: set[Hashable] = set()  # operands that are one value, and are asked for in one layout
            for k, value in enumerate(node.operands):
                needs = tuple(None if k in o.brought else o.needs[k] for o in node.options)
                if value not in makers or (value, needs) in seen or not any(needs):
                    continue
                seen.add((value, needs))
                maker, result = makers[value]
                self.readers[value].append((at, k))
                gives = [option.gives[result] for option in self._nodes[maker].options]
                found.append(self._edge(maker, (at, k), gives, needs))
        return found

    def _edge(
        self,
        maker: int,
        reader: Reader,
        gives: Sequence[TensorLayout],
        needs: Sequence[TensorLayout | None],
    ) -> _Edge:
        given, needed = list(dict.fromkeys(gives)), list(dict.fromkeys(needs))
        ways = np.array([[self._way(reader, have, want) for want in needed] for have in given])
        numbers = ({have: n for n, have in enumerate(given)}, {want: n for n, want in enumerate(needed)})
        return _Edge(
            maker,
            reader,
            given,
            needed,
            ways.reshape(len(given), len(needed)),
            np.zeros((len(given), len(needed)), dtype=bool),
            np.array([numbers[0][have] for have in gives], dtype=int),
            np.array([numbers[1][want] for want in needs], dtype=int),
            np.zeros(len(gives)),
            np.zeros(len(needs)),
        )

    def _way(self, reader: Reader, held: TensorLayout, needed: TensorLayout | None) -> float:
        if needed is None or needed == held:
            return 0.0
        at, k = reader
        return min(_NO_WAY, self._ways.at_least(held, needed, self._dtypes[self._nodes[at].operands[k]]))

    def _look_closer(self, edge: _Edge, costs: Sequence[np.ndarray]) -> bool:
        """Looks for the ways that a cheapest plan may take; whether any is dearer than it was known to be."""
        by_given, by_need = _least_of_ends(edge, costs)
        total = edge.ways + by_given[:, None] + by_need
        close = (total <= total.min() + _NEAR) & ~edge.is_known
        at, k = edge.reader
        dtype = self._dtypes[self._nodes[at].operands[k]]
        has_changed = False
        for have, want in zip(*np.nonzero(close), strict=True):
            source, target = edge.given[have], edge.needed[want]
            edge.is_known[have, want] = True
            if target is not None and source != target:
                way = self._ways.fastest(source, target, dtype)
                cycles = _NO_WAY if way is None else min(_NO_WAY, way.cost)
                has_changed |= bool(cycles > edge.ways[have, want])
                edge.ways[have, want] = cycles
        return has_changed


def _sums_behind(numbers: Sequence[float]) -> list[float]:
    """Each number and all behind it summed up, and 0 behind the last one."""
    return [*itertools.accumulate(reversed(numbers), initial=0.0)][::-1]


def _least_by_need(edge: _Edge) -> list[tuple[TensorLayout | None, float]]:
    """For each layout that a reader may need the least that its part of ways leaves to be counted."""
    left = _grouped(-edge.to_reader, edge.needs, len(edge.needed), 0.0)
    return list(zip(edge.needed, left.tolist(), strict=True))


def _raise_bound(costs: list[np.ndarray], edges: Sequence[_Edge], softness: float = 0.0) -> None:
    """Divides the cycles of ways between the costs of what they lie between, which are changed."""
    bound = -math.inf
    for _ in range(_SWEEPS):
        for edge in (*edges, *reversed(edges)):
            _divide(edge, costs, softness)
        raised = sum(float(cost.min(initial=0.0)) for cost in costs)
        if abs(raised - bound) <= _ENOUGH * abs(raised):
            return
        bound = raised


def _divide(edge: _Edge, costs: list[np.ndarray], softness: float) -> None:
    """Gives maker and reader half each of what both take at least, for each of their options."""
    at = edge.reader[0]
    maker, reader = costs[edge.maker] - edge.to_maker, costs[at] - edge.to_reader
    by_given, by_need = _least_of_ends(edge, costs, softness)
    from_reader = _least(edge.ways + by_need, 1, softness)[edge.gives]
    from_maker = _least(edge.ways + by_given[:, None], 0, softness)[edge.needs]
    edge.to_maker, edge.to_reader = (from_reader - maker) / 2, (from_maker - reader) / 2
    costs[edge.maker], costs[at] = maker + edge.to_maker, reader + edge.to_reader


def _least(costs: np.ndarray, axis: int, softness: float) -> np.ndarray:
    least = costs.min(axis=axis)
    if not softness:
        return least
    beyond = (costs - np.expand_dims(least, axis)) / softness
    return least - softness * np.log(np.exp(-np.minimum(beyond, 60)).sum(axis=axis))


def _grouped(costs: np.ndarray, groups: np.ndarray, count: int, softness: float) -> np.ndarray:
    least = np.full(count, math.inf)
    np.minimum.at(least, groups, costs)
    if not softness:
        return least
    total = np.bincount(groups, np.exp(-np.minimum((costs - least[groups]) / softness, 60)), minlength=count)
    return least - softness * np.log(total)


def _least_of_ends(
    edge: _Edge, costs: Sequence[np.ndarray], softness: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Without the parts of an edge: what its maker costs at least by the layout that it gives, its reader by need."""
    maker, reader = costs[edge.maker] - edge.to_maker, costs[edge.reader[0]] - edge.to_reader
    return (
        _grouped(maker, edge.gives, edge.ways.shape[0], softness),
        _grouped(reader, edge.needs, edge.ways.shape[1], softness),
    )
