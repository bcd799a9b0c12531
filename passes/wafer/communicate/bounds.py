"""What ways between layouts cost at least: found quickly, so that plans look only for ways that may be worth it.

Every dimension of which some PE lacks an index takes a step that moves words along one of the sub-axes that it is
bound to, and every sub-axis of partial values another one. Tiles are the least that there may be at that time:
dimensions that are not lacking are cut first, the others have become what is wanted, or not, in some order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ....wse_target.instructions import Dtype
from ....wse_target.layout.dimension import Dimension
from ....wse_target.layout.mesh import Mesh
from ....wse_target.layout.tensor_layout import TensorLayout
from ....wse_target.machine import Machine
from ....wse_target.sim.cost import words
from ..algorithms.collectives.costs import Costs
from ..algorithms.collectives.gather_plan import plans
from ..algorithms.collectives.multicast_gather import MOST_COLOURS, MOST_STREAMS
from .coverage import MOST_REACH, covers, is_beyond, reach_of
from .tiles import copy_cycles, is_stretch, stripped
from .turns import Turn, turn_between

_MOST_ORDERED = 3  # dimensions that are lacking of which all orders are looked at


@dataclass(frozen=True)
class Bounds:
    """Least cycles of ways for one element type on one machine."""

    machine: Machine
    dtype: Dtype
    _steps: dict[tuple[Mesh, Dimension, Dimension, int], float] = field(default_factory=dict, repr=False)

    def between(self, source: TensorLayout, target: TensorLayout) -> float:
        """Cycles that no way takes less than, infinity where there is none."""
        source, target, mesh = stripped(source), stripped(target), source.mesh
        if source == target:
            return 0.0
        pairs = list(zip(source.dims, target.dims, strict=True))
        lacking = [pair for pair in pairs if pair[0] != pair[1] and not covers(mesh, *pair)]
        axes = [name for partial in source.partial for name in partial.axes]
        left = {name for partial in target.partial for name in partial.axes}
        if not lacking and source.partial == target.partial:
            return copy_cycles(source, target, self.dtype, self.machine)
        base = math.prod(
            min(_held(have), _wanted(want)) for have, want in pairs if (have, want) not in lacking
        )
        least = base * math.prod(min(_held(have), _wanted(want)) for have, want in lacking)
        reduced = sum(1 for name in axes if name not in left and mesh[name].extent > 1)
        return reduced * self._message(least) + self._in_order(mesh, base, lacking)

    def _in_order(self, mesh: Mesh, base: int, lacking: list[tuple[Dimension, Dimension]]) -> float:
        """Of steps for the dimensions that are lacking, in the best order."""
        if len(lacking) > _MOST_ORDERED:
            least = base * math.prod(min(_held(have), _wanted(want)) for have, want in lacking)
            rooms = [(pair, least // min(_held(pair[0]), _wanted(pair[1]))) for pair in lacking]
            return sum(self._for_dimension(mesh, *pair, others) for pair, others in rooms)
        found = math.inf
        for order in itertools.permutations(lacking):
            total = 0.0
            for at, (have, want) in enumerate(order):
                done = math.prod(_wanted(w) for _, w in order[:at])
                others = base * done * math.prod(_held(h) for h, _ in order[at + 1 :])
                total += self._for_dimension(mesh, have, want, others)
            found = min(found, total)
        return found

    def _for_dimension(self, mesh: Mesh, have: Dimension, want: Dimension, others: int) -> float:
        """Of steps after which every PE has what it wants of a dimension.

        Args:
            others: elements of a tile for each of its indices.
        """
        key = (mesh, have, want, others)
        if key not in self._steps:
            if any(mesh[name].extent == 1 for name in have.axes):
                self._steps[key] = 0.0
            else:
                ways = (self._along(mesh, name, have, want, others) for name in have.axes)
                self._steps[key] = min(ways, default=math.inf)
        return self._steps[key]

    def _along(self, mesh: Mesh, name: str, have: Dimension, want: Dimension, others: int) -> float:
        """Of ways whose first step for a dimension is along a sub-axis."""
        place = next(k for k, digit in enumerate(have.digits) if name in digit.axes)
        extent, tile = mesh[name].extent, others * _held(have)
        plain = have
        if have.low <= 0 and have.high >= have.size:  # all indices are there without halos, too
            plain = replace(have, before=min(have.before, 0), after=min(have.after, 0))
        found = math.inf
        for turn in _turns(mesh, name, (have, plain), want):
            found = min(found, turn.rounds * self._launched + self._message(tile // turn.share))
        whole = _whole_along(plain, place)
        is_last = covers(mesh, whole, want)
        if is_last and is_stretch(have, place):
            far = is_beyond(mesh, name, plain, want, MOST_REACH)
            reach = reach_of(mesh, name, plain, want, MOST_REACH) if far is None else None if far else 1
            found = found if reach is None else min(found, self._near(max(1, reach), tile))
        if found <= self._launched + self._message(tile):
            return found  # nothing else is less
        rest = 0.0 if is_last else self._for_dimension(mesh, whole, want, others)
        found = min(found, self._round(extent, tile) + rest)
        if have.low < 0 or have.high > have.size:
            return found
        stretch = min([have.high - have.low, *(digit.pitch for digit in have.digits[:place])])
        return min(found, self._gathering(extent, have, place, others, others * stretch) + rest)

    @property
    def _costs(self) -> Costs:
        return Costs.of(self.machine, self.dtype)

    @property
    def _launched(self) -> float:
        return self._costs.launch + self._costs.join

    def _words(self, elements: int) -> int:
        return int(words(elements, self.dtype))

    def _message(self, elements: int) -> float:
        """From one PE to the next."""
        return self._costs.setup + self._costs.way(1) + self._words(elements) * self._costs.pace

    def _near(self, reach: int, tile: int) -> float:
        """Of an exchange between neighbours, who pass tiles on in all rounds but the last."""
        costs = self._costs
        passing = self._words(tile) * (costs.pace + costs.microthread_word)
        return reach * (self._launched + costs.setup + costs.way(1)) + (reach - 1) * passing

    def _round(self, extent: int, tile: int) -> float:
        """Of tiles that go round a line."""
        costs, count = self._costs, self._words(tile)
        exchange = 2 * (costs.launch + count * costs.microthread_word) + costs.join
        exchange += costs.setup + costs.way(min(2, extent - 1)) + count * costs.pace
        return (extent - 1) * (exchange + self.machine.control.loop)

    def _gathering(self, extent: int, have: Dimension, place: int, others: int, total: int) -> float:
        """Of a collective after which all on a line have the `total` elements of all."""
        pitch = have.digits[place].pitch
        owners = min(extent, -(-total // max(1, others * pitch)))
        block = min(total, others * _held(have))
        able = plans(extent, max(1, owners), 1, MOST_COLOURS, MOST_STREAMS)
        found = min((p.cycles(block, total, self.dtype, self.machine) for p in able), default=math.inf)
        return min(found, self._round(extent, block))


def _turns(mesh: Mesh, name: str, have: Iterable[Dimension], want: Dimension) -> Iterator[Turn]:
    """Turns of one of some dimensions along a sub-axis that make the wanted one of it."""
    lines = [line for line in mesh.lines if name in line.split()]
    for dim, line, across in itertools.product(have, lines, mesh.lines):
        if set(across.split()) <= set(want.axes):
            turn = turn_between(TensorLayout(mesh, (dim,)), TensorLayout(mesh, (want,)), line, across)
            if turn is not None:
                yield turn


def _whole_along(dim: Dimension, place: int) -> Dimension:
    """A dimension when every PE has what those had that differ in a digit."""
    if is_stretch(dim, place):
        return replace(dim, digits=dim.digits[:place])
    digits = list(dim.digits)
    digits[place] = replace(digits[place], axes=(), rotates=False)
    return replace(dim, digits=tuple(digits))


def _held(have: Dimension) -> int:
    """Indices of a dimension in a tile before anything moves; a halo may be left out first."""
    held = have.room - max(0, have.before) - max(0, have.after)
    return math.prod(have.pieces) * max(1, held)


def _wanted(want: Dimension) -> int:
    return max(1, math.prod(want.pieces) * want.room)
