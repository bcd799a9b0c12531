"""Ways from one layout of a tensor to another, with what they cost; the planner's choice and the emission of it.

A way is a sequence of steps between layouts; `search` finds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile

from ....wse_target.errors import CompilerError
from ....wse_target.instructions import Dtype, Instruction, Loop, Receive, Relay
from ....wse_target.layout.tensor_layout import TensorLayout
from ....wse_target.layout.text import layout_text
from ....wse_target.machine import Machine
from ..algorithms.fragment import Fragment, Scratch, sequence
from .search import End, Onward, Search, bytes_needed, tensor_text
from .steps import Prices, Step, fragment
from .texts import Texts
from .tiles import Placed, rooms, stripped


@dataclass(frozen=True)
class Movement:
    """A way from one layout to another.

    Attributes:
        steps: none where every PE's tile is as it shall be.
        cycles: predicted.
        text: bytes of program text, about; 0 where they are not scarce.
        peak_bytes: most that a PE needs at a time beside the source's buffer, the target's included.
    """

    source: TensorLayout
    target: TensorLayout
    dtype: Dtype
    machine: Machine
    steps: tuple[Step, ...]
    cycles: float
    peak_bytes: int
    text: int = 0

    @property
    def cost(self) -> float:
        """Cycles, with those that text counts as."""
        return self.cycles + self.text

    @property
    def copies(self) -> int:
        """How many steps it begins with that only copy a part of what each PE has."""
        return len(list(takewhile(lambda step: step.kind == "copy", self.steps)))

    @property
    def narrowed(self) -> TensorLayout | None:
        """What these copies lead to, None where that is no smaller than the source or there are none."""
        count = self.copies
        reached = self.target if count == len(self.steps) else self.steps[count - 1].target
        return reached if count and reached.elements < self.source.elements else None

    @property
    def peak_behind_copies(self) -> int:
        """`peak_bytes` of the steps that follow these copies, beside what they lead to."""
        rest = self.steps[self.copies :]
        return max(
            (bytes_needed(step, self.dtype, begins=step is rest[0]) for step in rest),
            default=0,
        )

    @cached_property
    def _sample(self) -> Fragment:
        return emit(self, "source", "target", "sample_")

    @property
    def colours(self) -> int:
        """Colours that it needs, those of all steps together: steps that follow each other may share some."""
        return len(self._sample.colours)

    @property
    def queues(self) -> int:
        """Input queues that a PE needs at a time: its transfers on microthreads, or the one on the main thread."""
        threads = {
            op.thread
            for part in self._sample.parts
            for op in _instructions(part.body)
            if isinstance(op, Receive | Relay)
        }
        return max(1, len(threads - {0})) if threads else 0

    @property
    def code(self) -> int:
        """Instructions of the longest text."""
        return max((sum(1 for _ in _instructions(part.body)) for part in self._sample.parts), default=0)

    @property
    def texts(self) -> tuple[str, ...]:
        """What `wse.redistribute` says of it: its steps, and where each of them leads."""
        return tuple(f"{step} to {tensor_text(step.target)}" for step in self.steps)

    def __str__(self) -> str:
        steps = ", ".join(map(str, self.steps)) or "nothing"
        return f"{steps}: {self.cycles:.0f} cycles, {self.peak_bytes} bytes"


def _instructions(body: tuple[Instruction, ...]) -> Iterator[Instruction]:
    for op in body:
        if isinstance(op, Loop):
            yield from _instructions(op.body)
        yield op


def movements(
    source: TensorLayout,
    target: TensorLayout,
    dtype: Dtype,
    machine: Machine,
    prices: Prices | None = None,
    *,
    texts: Texts | None = None,
    onward: Onward | None = None,
) -> list[Movement]:
    """Ways from one layout to another, the fastest first; each one is better than those before it in bytes.

    None where no PEs together have what the target wants: indices that a slice cut off, other meshes, blocks that
    rotate, partial values that were none.

    Args:
        prices: what is known of collectives on this machine, for later calls to look up.
        texts: the same of program text, where that is scarce: a byte counts as a cycle then.
        onward: the same of steps towards this target, for this element type.
    """
    if problem(source, target):
        return []
    search = Search(target, dtype, machine, {} if prices is None else prices, texts=texts, onward=onward)
    search.follow(stripped(source), (), 0.0, 0)
    found: list[Movement] = []
    for end in sorted(search.ends, key=lambda end: end[:2]):
        if not found or end[1] < found[-1].peak_bytes:
            found.append(_movement(source, search, end))
    return found


def _movement(source: TensorLayout, search: Search, end: End) -> Movement:
    """The way that a search found."""
    cost, peak, steps = end
    cycles = sum(map(search.price, steps))
    return Movement(
        source, search.goal, search.dtype, search.machine, steps, cycles, peak, round(cost - cycles)
    )


def fastest(
    source: TensorLayout,
    target: TensorLayout,
    dtype: Dtype,
    machine: Machine,
    prices: Prices,
    *,
    texts: Texts | None = None,
    onward: Onward | None = None,
) -> Movement | None:
    """The first one of `movements`, which takes less to find than all of them."""
    if problem(source, target):
        return None
    search = Search(target, dtype, machine, prices, texts=texts, onward=onward)
    found = search.fastest(stripped(source))
    return None if found is None else _movement(source, search, found)


def problem(source: TensorLayout, target: TensorLayout) -> str:
    """Why a value cannot move between two layouts at all, "" if it may."""
    if source.mesh != target.mesh:
        return f"it is on {source.mesh}, and shall be on {target.mesh}"
    if source.shape != target.shape:
        return f"it has shape {list(source.shape)}, and shall have {list(target.shape)}"
    if any(digit.rotates for layout in (source, target) for dim in layout.dims for digit in dim.digits):
        return "its blocks rotate"
    left = source.partial[len(source.partial) - len(target.partial) :]
    return "" if left == target.partial else "it shall have partial values that it does not have"


def forced(
    source: TensorLayout,
    target: TensorLayout,
    dtype: Dtype,
    machine: Machine,
    texts: Sequence[str],
    *,
    spoils: bool = False,
) -> Movement:
    """The way whose steps are as told; of several the fastest.

    Args:
        texts: as `Movement.texts`; where a step leads may be left out.
        spoils: whether nobody else reads the source, so that it need not stay as it is.

    Raises:
        CompilerError: no such steps lead there; says which ones do.
    """
    if not problem(source, target):
        search = Search(target, dtype, machine, {}, tuple(texts), spoils=spoils)
        search.follow(stripped(source), (), 0.0, 0)
        if search.ends:
            return _movement(source, search, min(search.ends, key=lambda end: end[:2]))
    able = movements(source, target, dtype, machine)
    others = " or ".join(f"[{', '.join(way.texts)}]" for way in able)
    raise CompilerError(
        f"steps [{', '.join(texts)}] do not lead from {layout_text(source)} to {layout_text(target)}",
        hint=f"these do: {others}" if others else problem(source, target) or "none do",
    )


def emit(movement: Movement, source: str, target: str, prefix: str) -> Fragment:
    """The fragment that moves a value from one buffer to another; names of what it makes begin with `prefix`.

    A movement without steps needs none if the target may be the source's buffer.
    """
    rect = movement.source.mesh.rect
    return sequence(emit_steps(movement, source, target, prefix), (rect.w, rect.h))


def emit_steps(movement: Movement, source: str, target: str, prefix: str) -> list[Fragment]:
    """The same as a fragment for each step: PEs differ in each by few roles, in all of them by as many as they make."""
    dtype = movement.dtype
    whole = stripped(movement.source), stripped(movement.target)
    here = Placed(whole[0], source, dtype, rooms(movement.source))
    last = Placed(whole[1], target, dtype, rooms(movement.target))
    steps = movement.steps or (Step("copy", *whole),)
    made: list[Fragment] = []
    for number, step in enumerate(steps):
        own, there = f"{prefix}{number}_", last
        between: tuple[Scratch, ...] = ()
        if number < len(steps) - 1:
            there = Placed(step.target, f"{own}tile", dtype)
            between = (Scratch(there.buffer, (max(1, step.target.elements),), dtype),)
        found = fragment(step, here, there, movement.machine, own)
        made.append(replace(found, scratch=(*between, *found.scratch)))
        here = there
    return made
