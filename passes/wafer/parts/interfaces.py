"""What each part of a program takes from others, and makes for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....dialects.host import ir
from ..shard.interface_attributes import argument_attributes, result_attributes
from .sequence import Part
from .sides import roots

_KINDS = ("input", "parameter", "state")


@dataclass(frozen=True)
class PartInterface:
    """Arguments and results of a part's function.

    Attributes:
        taken: values of `@main`, in the order of the function's arguments; `kinds` and `names` are these arguments'.
        made: values in the order of its results; `results` are these results' kinds and names.
    """

    taken: tuple[ir.Value, ...]
    kinds: tuple[str, ...]
    names: tuple[str, ...]
    made: tuple[ir.Value, ...]
    results: tuple[tuple[str, str], ...]


STREAM = "stream"  # the kind of what regions hand on to their neighbours


def interfaces_of(main: Any, parts: Sequence[Part]) -> list[PartInterface]:
    """The interface of each part of `@main`, in order."""
    stays = sum(part.side == "wafer" for part in parts) == 1  # what runs on the wafer, until the next call
    reader = _Interfaces(main, parts, keeps_states=stays)
    return [reader.of(number) for number in range(len(parts))]


def region_interfaces(main: Any, parts: Sequence[Part]) -> list[PartInterface]:
    """The interface of each part of `@main` where all of them are on the wafer at a time, side by side.

    A value that another region reads travels from one to the next until it has come to its last reader: what one hands
    on is what its neighbour takes, in the same order. Behind it are results for the host, and states.
    """
    reader = _Interfaces(main, parts, keeps_states=True)
    own = [reader.of(number) for number in range(len(parts))]
    last = {v: n for n, part in enumerate(own) for v in part.taken if not isinstance(v.owner, ir.Block)}
    made = {v: n for n, part in enumerate(own) for v in part.made if v in last}
    handed_on = [[v for v, n in made.items() if n <= number < last[v]] for number in range(len(parts))]
    return [
        _between(part, taken, given, reader.returned)
        for part, taken, given in zip(own, [[], *handed_on], handed_on, strict=False)
    ]


def _between(
    part: PartInterface, taken: list[ir.Value], given: list[ir.Value], returned: Sequence[ir.Value]
) -> PartInterface:
    """A region's interface: what is `taken` from a neighbour before arguments, what is `given` before results."""
    arguments = zip(part.taken, part.kinds, part.names, strict=True)
    kept = [argument for argument in arguments if argument[0] not in taken]
    results = [
        (value, as_what)
        for value, as_what in zip(part.made, part.results, strict=True)
        if as_what[0] == "state" or value in returned
    ]
    streams = [(STREAM, str(k)) for k in range(max(len(taken), len(given)))]
    return PartInterface(
        (*taken, *(value for value, _, _ in kept)),
        (*(STREAM for _ in taken), *(kind for _, kind, _ in kept)),
        (*(name for _, name in streams[: len(taken)]), *(name for _, _, name in kept)),
        (*given, *(value for value, _ in results)),
        (*streams[: len(given)], *(as_what for _, as_what in results)),
    )


class _Interfaces:
    def __init__(self, main: Any, parts: Sequence[Part], *, keeps_states: bool) -> None:
        block = main.body.blocks[0]
        self.parts = parts
        self.keeps_states = keeps_states
        self.arguments = list(block.arguments)
        self.returned = list(list(block.operations)[-1].operands)
        self.kinds = argument_attributes(main, "kind", "input")
        self.names = argument_attributes(main, "name", "")
        kinds, names = (result_attributes(main, of, "") for of in ("kind", "name"))
        found = zip(kinds, names, self.returned, strict=True)
        self.nexts = {name: value for kind, name, value in found if kind == "state"}
        values = [*self.arguments, *(r for part in parts for step in part.steps for r in step.results)]
        self.order = {value: at for at, value in enumerate(values)}
        self.readers: dict[ir.Value, set[int]] = {}
        for number, part in enumerate(parts):
            for step in part.steps:
                for value in step.sources:
                    self.readers.setdefault(value, set()).add(number)
        for value in self.returned:
            for root in roots([value]) if value not in self.order else ():
                self.readers.setdefault(root, set()).add(self.maker_of(value))

    def of(self, number: int) -> PartInterface:
        steps = self.parts[number].steps
        own = [result for step in steps for result in step.results]
        kept = self.kept_states(number, own)
        taken = {value for value, readers in self.readers.items() if number in readers} - set(own)
        kinds = {value: "state" if value in kept else self.kind(value) for value in taken}
        ordered = sorted(taken, key=lambda v: (_KINDS.index(kinds[v]), self.order[v]))
        names = [
            str(k) if kinds[v] == "input" else self.names[ir.BlockArgument(v).arg_number]
            for k, v in enumerate(ordered)
        ]
        made = [v for v in own if v in self.returned or self.readers.get(v, set()) - {number}]
        made += [
            v for v in dict.fromkeys(self.returned) if v not in self.order and self.maker_of(v) == number
        ]
        outputs = [v for v in made if v not in kept.values()]
        after = {self.names[ir.BlockArgument(v).arg_number]: kept[v] for v in ordered if v in kept}
        return PartInterface(
            tuple(ordered),
            tuple(kinds[v] for v in ordered),
            tuple(names),
            (*outputs, *after.values()),
            (*(("output", str(k)) for k in range(len(outputs))), *(("state", name) for name in after)),
        )

    def maker_of(self, value: ir.Value) -> int:
        """The part that makes what takes no time: the maker of what that is of, else the last CPU's or the last."""
        made = {r: n for n, part in enumerate(self.parts) for step in part.steps for r in step.results}
        found = [made[root] for root in roots([value]) if root in made]
        on_cpu = [n for n, part in enumerate(self.parts) if part.side == "cpu"]
        return max(found, default=max(on_cpu, default=len(self.parts) - 1))

    def kind(self, value: ir.Value) -> str:
        """What a value is to a part that takes it, if it does not keep it as a state."""
        if not isinstance(value.owner, ir.Block):
            return "input"
        return "parameter" if self.kinds[ir.BlockArgument(value).arg_number] == "parameter" else "input"

    def kept_states(self, number: int, own: Sequence[ir.Value]) -> dict[ir.Value, ir.Value]:
        """States that a part for the wafer has to itself, and their next values; none if they cannot stay there."""
        if self.parts[number].side != "wafer" or not self.keeps_states:
            return {}
        found: dict[ir.Value, ir.Value] = {}
        for argument, kind, name in zip(self.arguments, self.kinds, self.names, strict=False):
            after = self.nexts.get(name) if kind == "state" else None
            if after is None or after not in own or argument in self.returned:
                continue
            is_own = self.readers.get(argument) == {number} and self.returned.count(after) == 1
            if is_own and not self.readers.get(after, set()) - {number}:
                found[argument] = after
        return found
