"""Attention's keys in blocks, of which a tile of queries passes over those that its mask hides.

Scores, exponentials and both products run on one block of keys at a time, from the first block that some query of the
tile sees to the last one. The row maxima come first, so there are two such loops:

    for each tile of queries:
      for each block of keys that a query of the tile sees:
        scores, mask, maximum so far
      for each block of keys that a query of the tile sees:
        exponentials, sum so far, product with values so far
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import lcm

from .....dialects.affine.expressions import dim_position, divided_dim, used_dims
from .....dialects.affine.linear import linear
from .....dialects.host import arith, ir, scf
from .....dialects.structured import PARALLEL, REDUCTION
from ....tensor.loops.tiling.index_math import IndexOrValue, as_value, weighted_sum
from ...masks.visibility import Hidden, Inequality, hidden_results, visible
from ..buffers import Root, is_memref, root_of
from ..loop_classes import LoopClasses
from .group import Group, SharedLoop
from .tiles import TileRange

_FEWEST = 64  # keys of a block: fewer would load and store the second product's sums too often
_ENOUGH = 0.9  # of the keys; if more are visible, blocks do not pay
_MOST_TILES = 4096  # of queries, that are looked at one by one
KEY = 0  # the name of the loop over keys in inequalities; tiled loops have 1, 2, ...


@dataclass(frozen=True)
class KeyBlocks:
    """Blocks of keys.

    Attributes:
        iterators: member -> its iterator over keys; the reduction of some, parallel in others.
        size: number of keys; step: keys of a block.
        visible: what holds for each key that a query sees.
        loops: that are tiled, in the order of their names.
    """

    iterators: dict[int, int]
    size: int
    step: int
    visible: tuple[Inequality, ...]
    loops: tuple[SharedLoop, ...]


def find_key_blocks(group: Group, tiles: Sequence[tuple[SharedLoop, int]]) -> KeyBlocks | None:
    """How the members inside of all tiled loops can run on blocks of keys, if a mask hides enough of these."""
    inside = [m for m in range(len(group.members)) if all(m in loop.iterators for loop, _ in tiles)]
    loops = tuple(loop for loop, _ in tiles)
    for iterators, buffers in _classes(group, inside):
        found = _blocks(group, inside, iterators, buffers, loops)
        if found is not None and _visible_share(found, tiles) <= _ENOUGH:
            return found
    return None


Dims = dict[ir.Value, int]  # buffer -> its dimension that runs along keys


def _classes(group: Group, inside: Sequence[int]) -> Iterator[tuple[dict[int, int], Dims]]:
    """Iterators that run alongside each other through what the members write: reductions of some, not of others."""
    written = _written(group, inside)
    classes = LoopClasses()
    for m in inside:
        view = group.members[m]
        for operand, access in zip(view.operands, view.maps, strict=True):
            if operand in written:
                classes.access(m, operand, access.results)
    for loop in classes.found():
        kinds = {group.members[m].iterators[i] for m, i in loop.iterators.items()}
        if loop.single and kinds == {PARALLEL, REDUCTION}:
            yield dict(sorted(loop.iterators.items())), {v: loop.dims[v] for v in written if v in loop.dims}


def _written(group: Group, inside: Sequence[int]) -> list[ir.Value]:
    return list(dict.fromkeys(v for m in inside for v in group.members[m].inits))


def _blocks(
    group: Group,
    inside: Sequence[int],
    iterators: dict[int, int],
    buffers: Dims,
    loops: tuple[SharedLoop, ...],
) -> KeyBlocks | None:
    sizes = {group.members[m].loop_sizes()[i] for m, i in iterators.items()}
    size = sizes.pop()
    divisors = [_divisor(group, inside, m, iterators, buffers) for m in sorted(iterators)]
    if sizes or size is None or None in divisors or not _are_ours(group, inside, iterators, buffers):
        return None
    step = lcm(*(d for d in divisors if d is not None))
    blocks = KeyBlocks(iterators, size, step * -(-_FEWEST // step), (), loops)
    for m in sorted(iterators):
        seen = tuple(i for i in visible(group.members[m], blocks_names(blocks, m)) if abs(i.of(KEY)) == 1)
        if seen:
            blocks = KeyBlocks(iterators, size, blocks.step, seen, loops)
            return blocks if _ignores_hidden(group, blocks, buffers) else None
    return None


def blocks_names(blocks: KeyBlocks, member: int) -> Callable[[int], int | None]:
    """What a member's iterators are called in inequalities."""
    names = {loop.iterators[member]: k for k, loop in enumerate(blocks.loops, 1)}
    names[blocks.iterators[member]] = KEY
    return names.get


def _divisor(
    group: Group, inside: Sequence[int], m: int, iterators: Mapping[int, int], buffers: Dims
) -> int | None:
    """What the first key of a block must be a multiple of for a member's operands to be cut; None if they cannot be."""
    view, found = group.members[m], 1
    written = _written(group, [k for k in inside if k in iterators])
    for operand, access in zip(view.operands, view.maps, strict=True):
        for d, expr in enumerate(access.results):
            if iterators[m] not in used_dims(expr):
                continue
            plain = dim_position(expr) == iterators[m] and buffers.get(operand) == d
            block = (iterators[m], 1) if linear(expr) is not None else divided_dim(expr)
            if block is None or (operand in written and not plain):  # of another block of keys, perhaps
                return None
            found = lcm(found, block[1])
    return found


def _are_ours(group: Group, inside: Sequence[int], iterators: Mapping[int, int], buffers: Dims) -> bool:
    """Whether nobody but the members of the loop over keys touches what they write for single keys."""
    for m, view in enumerate(group.members):
        for operand, access in zip(view.operands, view.maps, strict=True):
            if operand not in buffers:
                continue
            along = [d for d, e in enumerate(access.results) if dim_position(e) == iterators.get(m)]
            if m not in inside or m not in iterators or along != [buffers[operand]]:
                return False
    return all(buffer in group.local for buffer in buffers)


def _ignores_hidden(group: Group, blocks: KeyBlocks, buffers: Dims) -> bool:
    """Whether no result depends on hidden keys."""
    held: dict[ir.Value, Hidden] = {}
    for m, iterator in sorted(blocks.iterators.items()):
        view = group.members[m]
        reduces = view.iterators[iterator] == REDUCTION
        count = len(view.inputs)
        given = [
            Hidden.OLD if reduces and k >= count else held.get(operand, Hidden.UNKNOWN)
            for k, operand in enumerate(view.operands)
        ]
        results = hidden_results(view, given, blocks.visible, blocks_names(blocks, m))
        if reduces:
            if any(r != Hidden.OLD for r in results):
                return False
            continue
        if any(buffer not in buffers for buffer in view.inits):
            return False
        held |= dict(zip(view.inits, results, strict=True))
    return True


def _visible_share(blocks: KeyBlocks, tiles: Sequence[tuple[SharedLoop, int]]) -> float:
    """The part of the keys that all tiles together look at."""
    used = sorted({name for i in blocks.visible for name, _ in i.terms if name != KEY})
    ranges = [range(0, tiles[name - 1][0].size or 0, tiles[name - 1][1]) for name in used]
    count = total = 0
    for starts in product(*ranges):
        where = {n: (s, r.step) for n, s, r in zip(used, starts, ranges, strict=True)}
        low, high = _range(blocks, where)
        first = low // blocks.step * blocks.step if isinstance(low, int) else 0
        last = -(-high // blocks.step) * blocks.step if isinstance(high, int) else blocks.size
        total += max(min(last, blocks.size) - max(first, 0), 0)
        count += 1
        if count > _MOST_TILES:
            break
    return total / (count * blocks.size) if count else 1.0


def _range(
    blocks: KeyBlocks, tiles: Mapping[int, tuple[IndexOrValue, int]]
) -> tuple[IndexOrValue | None, IndexOrValue | None]:
    """Bounds of visible keys for a tile: name -> (first, number) of each loop; the upper one is not included."""
    lower, upper = [], []
    for inequality in blocks.visible:
        terms, constant = [], inequality.constant
        for name, coefficient in inequality.terms:
            if name == KEY:
                continue
            first, number = tiles[name]
            constant += max(0, coefficient) * (number - 1)
            terms.append((coefficient, first))
        if inequality.of(KEY) < 0:
            upper.append(weighted_sum(terms, constant + 1))
        else:
            lower.append(weighted_sum([(-c, v) for c, v in terms], -constant))
    return _folded(lower, max, arith.maxsi), _folded(upper, min, arith.minsi)


def _folded(
    values: list[IndexOrValue], of_numbers: Callable[..., int], make: Callable[..., ir.Value]
) -> IndexOrValue | None:
    if not values:
        return None
    result = values[0]
    for value in values[1:]:
        if isinstance(result, int) and isinstance(value, int):
            result = of_numbers(result, value)
        else:
            result = make(as_value(result), as_value(value))
    return result


# -- what is emitted -------------------------------------------------------------------------------------------


def emit_key_blocks(
    group: Group,
    blocks: KeyBlocks,
    members: Sequence[int],
    parts: Mapping[int, dict[int, TileRange]],
    emit: Callable[[int, dict[int, TileRange]], None],
) -> None:
    """Emits members of one tile of queries, in loops over blocks of keys where they have keys."""
    some = min(blocks.iterators)
    tiles: dict[int, tuple[IndexOrValue, int]] = {}
    for name, loop in enumerate(blocks.loops, 1):
        part = parts[some][loop.iterators[some]]
        tiles[name] = part.start, part.size
    start, stop = _bounds(blocks, tiles)
    whole = blocks.size // blocks.step * blocks.step
    for phase in _phases(group, blocks, members):
        if phase[0] not in blocks.iterators:
            emit(phase[0], dict(parts[phase[0]]))
            continue
        for first, last, step in (
            (start, _least(stop, whole), blocks.step),
            (as_value(whole), stop, blocks.size - whole),
        ):
            if not step:
                continue
            loop = scf.ForOp(first, last, as_value(step))
            with ir.InsertionPoint(loop.body):
                for m in phase:
                    emit(m, {**parts[m], blocks.iterators[m]: TileRange(loop.induction_variable, step)})
                scf.YieldOp([])


def _bounds(blocks: KeyBlocks, tiles: Mapping[int, tuple[IndexOrValue, int]]) -> tuple[ir.Value, ir.Value]:
    """(first key of the first block, end of the last one); at least one key, see `masks.visibility`."""
    lower, upper = _range(blocks, tiles)
    start, stop = as_value(0), as_value(blocks.size)
    if lower is not None:
        start = arith.maxsi(_least(as_value(lower), blocks.size - 1), start)
        start = arith.subi(start, arith.remui(start, as_value(blocks.step)))
    if upper is not None:
        stop = arith.maxsi(_least(as_value(upper), blocks.size), arith.addi(start, as_value(1)))
    return start, stop


def _least(value: ir.Value, bound: int) -> ir.Value:
    return arith.minsi(value, as_value(bound))


def _phases(group: Group, blocks: KeyBlocks, members: Sequence[int]) -> list[list[int]]:
    """Members in an order of execution: those that share a loop over keys together, others alone."""
    phases: list[list[int]] = []
    for m in members:
        last = phases[-1] if phases and phases[-1][0] in blocks.iterators else None
        waits = last is not None and any(_waits(group, blocks, m, k) for k in last)
        if m in blocks.iterators:
            if last is None or waits:
                phases.append([m])
            else:
                last.append(m)
        elif last is None or waits:
            phases.append([m])
        else:
            phases.insert(len(phases) - 1, [m])
    return phases


def _waits(group: Group, blocks: KeyBlocks, m: int, earlier: int) -> bool:
    """Whether a member needs all keys of an earlier one to be done with, not just those of its block."""
    reads, writes = _shared(group, blocks, m)
    earlier_reads, earlier_writes = _shared(group, blocks, earlier)
    return bool(reads & earlier_writes or writes & (earlier_reads | earlier_writes))


def _shared(group: Group, blocks: KeyBlocks, m: int) -> tuple[set[Root | None], set[Root | None]]:
    """(all roots, written ones) of the operands of a member that do not run along keys."""
    view, key = group.members[m], blocks.iterators.get(m)
    every: set[Root | None] = set()
    written: set[Root | None] = set()
    for k, (operand, access) in enumerate(zip(view.operands, view.maps, strict=True)):
        along = key is not None and any(dim_position(e) == key for e in access.results)
        if is_memref(operand) and not along:
            every.add(root_of(operand))
            if k >= len(view.inputs):
                written.add(root_of(operand))
    return every, written
