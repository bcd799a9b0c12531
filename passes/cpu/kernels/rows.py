"""The parallel loops that all operations of a group have in common, found through the buffers between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from .facts import Facts, OperandAccess


@dataclass(frozen=True)
class SharedRows:
    """Loops that correspond to each other in all members of a group.

    Attributes:
        loops: for each member, its loops; the k-th of all members are the same.
        sizes: their trip counts.
    """

    loops: Mapping[int, tuple[int, ...]]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, member: int, facts: Facts) -> SharedRows:
        """A group of one operation: all its parallel loops."""
        loops = tuple(i for i, kind in enumerate(facts.view.iterators) if kind == "parallel")
        return cls({member: loops}, tuple(facts.sizes[i] for i in loops))

    @property
    def points(self) -> int:
        return prod(self.sizes)

    def joined(
        self, facts: Sequence[Facts | None], members: Sequence[int], cluster: int, k: int, new: Facts
    ) -> SharedRows:
        """What is left when operation `k` joins: the loops that every buffer between it and the group agrees on."""
        found: list[int | None] | None = None
        for member in members:
            made = facts[member]
            if made is None or member not in self.loops:
                continue
            for through in _between(made, new):
                if found is not None and not any(loop is not None for loop in found):
                    break  # nothing is left that could get less
                here = [through.get(loop) for loop in self.loops[member]]
                found = (
                    here
                    if found is None
                    else [a if a == b else None for a, b in zip(found, here, strict=True)]
                )
        kept = [i for i, loop in enumerate(found or ()) if loop is not None]
        own = tuple(loop for loop in (found or ()) if loop is not None)
        rest = {m: tuple(loops[i] for i in kept) for m, loops in self.loops.items()}
        return replace(self, loops={**rest, k: own}, sizes=tuple(self.sizes[i] for i in kept))


def _between(made: Facts, new: Facts) -> Iterator[dict[int, int]]:
    """For each buffer that one operation writes and another accesses: loop of the first -> loop of the second."""
    for write in made.writes:
        for access in (*new.reads, *new.writes):
            if access.root == write.root:
                yield _through(made, write, new, access)


def _through(made: Facts, write: OperandAccess, new: Facts, access: OperandAccess) -> dict[int, int]:
    """The loops that run along the same dimensions of a buffer; dimensions of size 1 do not count."""
    one, other = _long_dims(write), _long_dims(access)
    if [write.kind.shape[d] for d in one] != [access.kind.shape[d] for d in other]:
        return {}
    sources, targets = made.parallel_points(write), new.parallel_points(access)
    pairs = ((sources.get(a), targets.get(b)) for a, b in zip(one, other, strict=True))
    return {a: b for a, b in pairs if a is not None and b is not None}


def _long_dims(access: OperandAccess) -> list[int]:
    return [d for d in range(access.kind.rank) if access.kind.shape[d] != 1]
