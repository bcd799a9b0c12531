"""Equal layers become a loop: their buffers follow the loop's variable, their colours are the first layer's.

    fc1: c1 = w1 a, r1 = max(c1, 0); fc2: c2 = w2 r1, r2 = max(c2, 0)
becomes, with `w` for both weights and `r` for what is handed on
    for layer in 0, 1: c = w[layer] r, r = max(c, 0)

Fragments between an `Open` and a `Close` are run as often as the first one says; `fold` makes loops of both when the
fragments have become texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from ....wse_target.footprint import all_buffers, text_bytes
from ....wse_target.image import HostTransfer, StridedRect
from ....wse_target.instructions import Access, Buffer, Instruction, Loop, Phase, Source
from ....wse_target.quasi_affine import Expr, Var, const
from ..algorithms.fragment import Fragment, RectangleText
from .families import Families, FamilyUse, NotAlikeError
from .forms import Form, FormRewriter, form_of, sum_of, with_limits
from .repeats import Repeat, repeats
from .write.expressions import linear_terms

LEAST_SAVED = (
    1024  # bytes of code; less is not worth a trip's 16 cycles, and a report that knows no single layers
)
_MOST_TRIED = 40


@dataclass(frozen=True)
class Open:
    """What follows is run `trips` times."""

    variable: str
    trips: int


@dataclass(frozen=True)
class Close:
    """The end of what `Open` begins."""


@dataclass
class Rolled:
    """A program's fragments with loops in them.

    Attributes:
        of_trips: buffers whose contents no trip hands on, nor anything else.
    """

    grid: tuple[int, int]
    fragments: list[Fragment]
    buffers: dict[str, Buffer]
    scatters: list[HostTransfer]
    gathers: list[HostTransfer]
    of_trips: set[str] = field(default_factory=set)

    def roll(self) -> int:
        """Makes loops of what repeats, the most first, until nothing is left that is worth it; returns how many."""
        return self._roll(0, len(self.fragments))

    def _roll(self, first: int, last: int) -> int:
        """Of the fragments from `first` to `last`."""
        fragments = self.fragments[first:last]
        forms = [form_of(fragment, self.buffers) for fragment in fragments]
        tried = 0
        for saved, repeat in _candidates(fragments, forms):
            if saved < LEAST_SAVED or tried == _MOST_TRIED:
                break
            tried += 1
            try:
                loop = _Loop(self, first, repeat, forms)
            except NotAlikeError:
                continue
            behind = len(self.fragments) - (first + repeat.stop)
            loop.apply()
            rest = len(self.fragments) - behind
            after = self._roll(rest, rest + last - first - repeat.stop)
            return 1 + after + self._roll(first, first + repeat.start)
        return 0


def _candidates(fragments: Sequence[Fragment], forms: Sequence[Form]) -> list[tuple[int, Repeat]]:
    """What repeats, with the bytes of code that a loop saves, the most first; of equals, exact repeats first.

    A loop may begin within a phase where that saves more: the end of a layer's is like that of what is in front of all.
    It may be within one altogether: blocks of keys of one attention.
    """
    sizes = [max((text_bytes(part.body) for part in f.parts), default=0) for f in fragments]
    starts = [_phase_of(fragment) is not None for fragment in fragments]
    found: list[tuple[int, Repeat]] = []
    for keys in ([form.exact for form in forms], [form.key for form in forms]):
        numbers: dict[Any, int] = {}
        found += repeats([numbers.setdefault(key, len(numbers)) for key in keys], sizes, [True] * len(sizes))
    return sorted(dict.fromkeys(found), key=lambda item: (-item[0], not starts[item[1].start]))


def _phase_of(fragment: Fragment) -> Phase | None:
    """The phase that a fragment begins, if it begins one."""
    return next((op for part in fragment.parts for op in part.body if isinstance(op, Phase)), None)


class _Loop:
    """One loop in place of a repeat.

    Raises:
        NotAlikeError: buffers, colours or addresses follow no rule.
    """

    def __init__(self, rolled: Rolled, first: int, repeat: Repeat, forms: Sequence[Form]) -> None:
        self.rolled, self.repeat, self.begin = rolled, repeat, first + repeat.start
        self.variable = f"layer{self.begin}"
        self.trips = [
            forms[repeat.start + t * repeat.period : repeat.start + (t + 1) * repeat.period]
            for t in range(repeat.trips)
        ]
        self.families, colours = Families(), Families()
        for position in range(repeat.period):
            alike = [trip[position] for trip in self.trips]
            for names in zip(*(form.buffers for form in alike), strict=True):
                self.families.fill(names, position)
            for names in zip(*(form.colours for form in alike), strict=True):
                colours.fill(names, position)
            _steps([form.offsets for form in alike])
            _steps([form.limits for form in alike])
        if any(family.width > 1 for family in colours.all):
            raise NotAlikeError
        self.colours = {name: family.members[family.start] for name, (family, _) in colours.of.items()}
        if self.colours.keys() & {name for trip in self.trips for form in trip for name in form.switched}:
            raise NotAlikeError
        self.places = self._places()

    def _places(self) -> dict[int, tuple[str, int, bool]]:
        """By family's identity: the buffer that takes its members, how many places it has, and whether in turn."""
        uses, found = self._outside(), {}
        for family in self.families.all:
            count, turns = family.places(self.repeat.trips, uses)
            found[id(family)] = family.members[family.start], count, turns
        return found

    def _outside(self) -> dict[str, set[FamilyUse]]:
        uses: dict[str, set[FamilyUse]] = {}
        fragments, stop = self.rolled.fragments, self.begin + self.repeat.period * self.repeat.trips
        for where, stretch in (("before", fragments[: self.begin]), ("after", fragments[stop:])):
            for name in {n for f in stretch for part in f.parts for n in all_buffers(part.body)}:
                uses.setdefault(name, set()).add(where)  # type: ignore[arg-type]
        for transfer in self.rolled.scatters:
            uses.setdefault(transfer.access.buffer, set()).add("kept" if transfer.resident else "sent")
        for transfer in self.rolled.gathers:
            uses.setdefault(transfer.access.buffer, set()).add("taken")
        return uses

    def apply(self) -> None:
        """Puts the loop in the place of its trips."""
        rolled, everywhere = self.rolled, StridedRect((0, 0), self.rolled.grid)
        sizes = {name: prod(buffer.shape) for name, buffer in rolled.buffers.items()}
        phase, inside = self._behind_a_phase(self._inside(sizes))
        outside = FormRewriter(lambda a: self._fixed(a, sizes), lambda colour: colour, lambda source: source)

        def moved(fragment: Fragment) -> Fragment:
            return replace(
                fragment, parts=tuple(RectangleText(p.where, outside(p.body)) for p in fragment.parts)
            )

        def sentinel(item: Any) -> Fragment:
            return Fragment((RectangleText(everywhere, (item,)),))

        stop = self.begin + self.repeat.period * self.repeat.trips
        rolled.fragments = [
            *map(moved, rolled.fragments[: self.begin]),
            *([sentinel(phase)] if phase is not None else []),
            sentinel(Open(self.variable, self.repeat.trips)),
            *inside,
            sentinel(Close()),
            *map(moved, rolled.fragments[stop:]),
        ]
        rolled.scatters = [replace(t, access=self._fixed(t.access, sizes)) for t in rolled.scatters]
        rolled.gathers = [replace(t, access=self._fixed(t.access, sizes)) for t in rolled.gathers]
        self._replace_buffers()

    def _replace_buffers(self) -> None:
        for family in self.families.all:
            name, count, _ = self.places[id(family)]
            members = list(family.members.values())
            buffer = self.rolled.buffers[name]
            for member in members:
                self.rolled.buffers.pop(member)
            shape = buffer.shape if count == 1 else (count, *buffer.shape)
            self.rolled.buffers[name] = replace(buffer, shape=shape)
            if family.width == 1 and count == 1:
                self.rolled.of_trips.add(name)

    def _inside(self, sizes: Mapping[str, int]) -> list[Fragment]:
        """The first trip's fragments, for all trips."""
        period, found = self.repeat.period, []
        lasts = self.rolled.fragments[self.begin + period * (self.repeat.trips - 1) :]
        for position in range(period):
            fragment, last = self.rolled.fragments[self.begin + position], lasts[position]
            steps = iter(_steps([trip[position].offsets for trip in self.trips]))
            limits = iter(_steps([trip[position].limits for trip in self.trips]))
            names = _Names.of(fragment, last)

            def expression(expr: Expr, limits: Any = limits) -> Expr:
                return with_limits(expr, lambda limit: Var(self.variable) * next(limits) + limit)

            def access(item: Access, steps: Any = steps, limited: Any = expression) -> Access:
                moved = replace(item, offset=limited(item.offset))
                return self._moving(moved, next(steps), sizes)

            rewrite = FormRewriter(
                access, lambda name: self.colours.get(name, name), names.source, names.phase, expression
            )
            parts = tuple(RectangleText(part.where, rewrite(part.body)) for part in fragment.parts)
            found.append(replace(fragment, parts=parts))
        return found

    def _behind_a_phase(self, fragments: list[Fragment]) -> tuple[Phase | None, list[Fragment]]:
        """A trip's fragments behind the phase that they begin: if none, the one that all but the first begin within.

        No phase for trips that are within one.
        """
        begun = [_phase_of(fragment) for fragment in fragments]
        if not any(begun):
            return None, fragments
        if begun[0] is not None:
            return begun[0], fragments
        last = [phase for phase in begun if phase is not None][-1]
        everywhere = StridedRect((0, 0), self.rolled.grid)
        return last, [Fragment((RectangleText(everywhere, (last,)),)), *fragments]

    def _moving(self, access: Access, step: int, sizes: Mapping[str, int]) -> Access:
        """An access of the first trip as one of any trip."""
        family, number = self.families.of.get(access.buffer, (None, 0))
        name, shift = access.buffer, Var(self.variable) * step
        if family is not None:
            name, count, turns = self.places[id(family)]
            place: Expr = const(0)
            if count > 1:
                place = Var(self.variable) + number if turns else Var(self.variable) + (number - family.start)
            if count > 1 and turns:
                place = place % count
            shift = shift + place * sizes[access.buffer]
        return replace(access, buffer=name, offset=_plus(access.offset, shift))

    def _fixed(self, access: Access, sizes: Mapping[str, int]) -> Access:
        """An access outside of the loop."""
        if access.buffer not in self.families.of:
            return access
        family, number = self.families.of[access.buffer]
        name, count, turns = self.places[id(family)]
        place = number % count if turns else number - family.start
        return replace(access, buffer=name, offset=access.offset + place * sizes[access.buffer])


def _steps(alike: Sequence[Sequence[int]]) -> list[int]:
    """How far each number of a fragment moves from trip to trip.

    Raises:
        NotAlikeError: not always equally far.
    """
    found = []
    for offsets in zip(*alike, strict=True):
        step = offsets[1] - offsets[0]
        if any(offset != offsets[0] + step * t for t, offset in enumerate(offsets)):
            raise NotAlikeError
        found.append(step)
    return found


def _plus(offset: Expr, more: Expr) -> Expr:
    terms, constant = linear_terms(more)
    return offset + sum_of(terms, constant)


@dataclass(frozen=True)
class _Names:
    """What the first and the last trip call the same place: `layers.0` and `layers.11` are `layers.0-11`."""

    sources: Mapping[str, str]
    phases: Mapping[str, str]

    @staticmethod
    def of(first: Fragment, last: Fragment) -> _Names:
        sources, phases = dict[str, str](), dict[str, str]()
        for a, b in zip(first.parts, last.parts, strict=True):
            _note(a.body, b.body, sources, phases)
        return _Names(sources, phases)

    def source(self, source: Source) -> Source:
        return replace(source, module_path=self.sources.get(source.module_path, source.module_path))

    def phase(self, phase: Phase) -> Phase:
        return replace(phase, name=self.phases.get(phase.name, phase.name))


def _note(
    first: Sequence[Instruction], last: Sequence[Instruction], sources: dict[str, str], phases: dict[str, str]
) -> None:
    for a, b in zip(first, last, strict=True):
        if isinstance(a, Phase) and isinstance(b, Phase):
            phases[a.name] = _common(a.name, b.name)
        if isinstance(a, Loop) and isinstance(b, Loop):
            _note(a.body, b.body, sources, phases)
        else:
            left, right = getattr(a, "source", Source()), getattr(b, "source", Source())
            sources[left.module_path] = _common(left.module_path, right.module_path)


def _common(first: str, last: str) -> str:
    """Two names that differ in numbers as one; the first one where they differ otherwise."""
    left, right = re.split(r"(\d+)", first), re.split(r"(\d+)", last)
    if left[::2] != right[::2]:
        return first
    return "".join(a if a == b else f"{a}-{b}" for a, b in zip(left, right, strict=True))


def fold(body: Sequence[Instruction]) -> tuple[Instruction, ...]:
    """A text with loops in place of what `Open` and `Close` enclose."""
    stack: list[tuple[Open | None, list[Instruction]]] = [(None, [])]
    for op in body:
        if isinstance(op, Open):
            stack.append((op, []))
        elif isinstance(op, Close):
            begin, inner = stack.pop()
            assert begin is not None, "every end has a begin"
            stack[-1][1].append(Loop(begin.variable, const(begin.trips), tuple(inner)))
        else:
            stack[-1][1].append(op)
    return tuple(stack[0][1])
