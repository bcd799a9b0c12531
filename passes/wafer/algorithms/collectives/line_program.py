"""What the PEs along a line do, collected position by position and merged into few classes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .....wse_target.instructions import Instruction, Loop, Receive, Relay, Send, Vector
from .....wse_target.quasi_affine import Expr, Lookup, const, minimum
from ..fragment import Fragment, Line, RectangleText, Scratch, TileWalk
from .costs import largest
from .wires import Wires

MOST_PARTS = 16  # beyond that one text with a table of roles is smaller than a text for each role
_ROLES_PER_TABLE = 15  # bits of a table's 2-byte entry that can be told apart without a sign


def at_least_one_loop(tile: TileWalk) -> TileWalk:
    """The tile with a loop of one trip if it has none: bounds are where a role is switched off."""
    if tile.bounds:
        return tile
    return TileWalk(replace(tile.access, strides=(0,)), (const(1),), tile.dtype)


def limited(count: Expr, most: int, *flags: Expr) -> Expr:
    """`count`, which is no more than `most`, where all flags are positive; else 0 or less.

    Flags may be any whole numbers, so that conditions on a position are affine: it is `k` where `p - (k - 1)` and
    `k + 1 - p` are positive.
    """
    for flag in flags:
        count = minimum(count, flag * most)
    return count


def only(tile: TileWalk, grid: tuple[int, int], *flags: Expr) -> tuple[Expr, ...]:
    """Bounds of a walk that is done where all flags are positive."""
    first, *rest = tile.bounds
    return (limited(first, max(1, largest((first,), grid)), *flags), *rest)


@dataclass
class LineProgram:
    """A fragment under construction for all lines along an axis.

    Bodies are given as instructions with *ranks*. At every position the instructions run by rank; equal ones at several
    positions are one instruction of a shared text.
    """

    line: Line
    prefix: str
    wires: Wires = field(init=False)
    scratch: list[Scratch] = field(default_factory=list)
    _steps: dict[tuple[Any, Instruction], list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wires = Wires(self.line)

    def name(self, suffix: str) -> str:
        """A name that begins with the program's prefix, for colours and buffers."""
        return f"{self.prefix}{suffix}"

    def add(self, position: int, rank: Hashable, instruction: Instruction) -> None:
        """The PEs at `position` execute `instruction`, in the order of ranks."""
        self._steps.setdefault((rank, instruction), []).append(position)

    def fragment(self) -> Fragment:
        """The program in as few parts as a text for each role, or a table of roles, gives."""
        steps = sorted(self._steps.items(), key=lambda item: item[0][0])
        done: list[list[int]] = [[] for _ in range(self.line.extent)]
        for number, (_, positions) in enumerate(steps):
            for position in positions:
                done[position].append(number)
        roles: dict[tuple[int, ...], list[int]] = {}
        for position, numbers in enumerate(done):
            if numbers:
                roles.setdefault(tuple(numbers), []).append(position)
        parts = tuple(
            RectangleText(where, tuple(steps[n][0][1] for n in role))
            for role, at in roles.items()
            for where in self.line.where(at)
        )
        if len(parts) > MOST_PARTS:
            text = self._shared_text(steps)
            parts = tuple(RectangleText(where, text) for where in self.line.where(range(self.line.extent)))
        return Fragment(parts, tuple(self.scratch), self.wires.colours, self.wires.routes())

    def _shared_text(
        self, steps: Sequence[tuple[tuple[Any, Instruction], list[int]]]
    ) -> tuple[Instruction, ...]:
        """One text for all positions, in which bounds of 0 leave out what a position does not do."""
        extent = self.line.extent
        body: list[Instruction] = []
        for number in range(0, len(steps), _ROLES_PER_TABLE):
            group = steps[number : number + _ROLES_PER_TABLE]
            masks = [0] * extent
            for bit, (_, positions) in enumerate(group):
                for position in positions:
                    masks[position] |= 1 << bit
            table = Lookup(self.name(f"roles{number // _ROLES_PER_TABLE}"), tuple(masks), self.line.position)
            for bit, ((_, op), positions) in enumerate(group):
                everywhere = len(positions) == extent
                body.append(op if everywhere else _only_where(op, table // (1 << bit) % 2))
        return tuple(body)


def _only_where(instruction: Instruction, flag: Expr) -> Instruction:
    """The instruction, doing nothing where `flag` is 0."""
    if isinstance(instruction, Loop):
        return replace(instruction, trips=instruction.trips * flag)
    if isinstance(instruction, (Send, Receive, Relay, Vector)):
        first, *rest = instruction.bounds
        return replace(instruction, bounds=(first * flag, *rest))
    raise ValueError(f"{instruction} cannot be left out; put it into a loop")
