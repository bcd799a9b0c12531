"""How long the layouts of a value are needed in a plan: each from where it is made to its own last reader.

Where later readers want no more of a tile than a part that each PE has, that is copied out of it behind the last one
that wants more: a shortcut round a convolution is not kept as all that the convolution read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .....dialects.host import ir
from .....wse_target.layout.tensor_layout import TensorLayout
from ...communicate import Movement
from ..nodes import Node, Option, bytes_of

Version = tuple[ir.Value, TensorLayout]
Reader = tuple[int, int]  # a node and which of its operands it reads a version as


@dataclass
class Lifetimes:
    """Versions of the values of a plan.

    Attributes:
        free: arguments that the host brings in any layout, and that stay for the life of the program.
        aliases: values that share memory with what they are made of.
        spans: by version the first and the last node that it is there for.
        early: by node the readers behind it whose operands are copied in front of it, out of larger versions.
    """

    free: frozenset[ir.Value]
    aliases: frozenset[ir.Value]
    spans: dict[Version, tuple[int, int]] = field(default_factory=dict)
    early: dict[int, list[Reader]] = field(default_factory=dict)
    _roots: dict[Version, Version] = field(default_factory=dict)
    _copies: dict[Version, dict[Reader, Version]] = field(default_factory=dict)  # parts of a version

    def use(self, version: Version, at: int) -> None:
        """A node makes or reads a version."""
        root = self._roots.get(version, version)
        first, last = self.spans.get(root, (at, at))
        self.spans[root] = min(first, at), max(last, at)

    def add(self, at: int, node: Node, option: Option, moves: dict[int, Movement]) -> None:
        """What a node reads and makes."""
        read: Version | None = None
        for position, (value, needed) in enumerate(zip(node.operands, option.needs, strict=True)):
            if needed is None or position in option.brought or value in self.free:
                continue
            origin = moves[position].source if position in moves else needed
            if isinstance(value.owner, ir.Block) and (value, origin) not in self.spans:
                self.use((value, origin), 0)  # the host brings it before anything is computed
            part = moves[position].narrowed if position in moves else None
            if part is None:
                self.use((value, origin), at)
            else:
                root = self._roots.get((value, origin), (value, origin))
                self._copies.setdefault(root, {})[at, position] = value, part
            read = value, needed
            self.use(read, at)
        for value, given in zip(node.results, option.gives, strict=True):
            if value in self.aliases and read is not None:
                self._roots[value, given] = self._roots.get(read, read)
            self.use((value, given), at)

    def settle(self) -> None:
        """Decides when parts of versions are copied: behind the last other reader, if they are smaller together."""
        for source, parts in self._copies.items():
            _, last = self.spans[source]
            late = {reader: part for reader, part in parts.items() if reader[0] > last}
            if sum(bytes_of(*part) for part in set(late.values())) >= bytes_of(*source):
                self.use(source, max(at for at, _ in late))
                continue
            for reader, part in late.items():
                self.use(part, last)
                self.use(part, reader[0])
                self.early.setdefault(last + 1, []).append(reader)

    def moving(self, nodes: Sequence[Node], moves: Sequence[Mapping[int, Movement]]) -> list[int]:
        """For each node, bytes that moves of its operands need beside versions and what they lead to."""
        early = {reader for readers in self.early.values() for reader in readers}
        found = []
        for at, (node, own) in enumerate(zip(nodes, moves, strict=True)):
            peaks = {k: m.peak_behind_copies if (at, k) in early else m.peak_bytes for k, m in own.items()}
            beside = (peak - bytes_of(node.operands[k], own[k].target) for k, peak in peaks.items())
            found.append(max(beside, default=0))
        return found

    def most(self, busy: Sequence[int], moving: Sequence[int]) -> int:
        """Most bytes that versions and what nodes need beside them take together.

        Args:
            busy: for each node, bytes beside the versions while it computes.
            moving: the same while its operands are moved to where it wants them, their new versions included.
        """
        bytes_at = [0] * (len(busy) + 1)
        for (value, layout), (first, last) in self.spans.items():
            if value in self.free:
                continue
            size = bytes_of(value, layout)
            bytes_at[first] += size
            bytes_at[min(last + 1, len(busy))] -= size
        most = live = 0
        for change, computing, moved in zip(bytes_at, busy, moving, strict=False):
            live += change
            most = max(most, live + computing, live + moved)
        return most
