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
        made: values in the order of its results.
        states: names of the states whose next values the last results are.
    """

    taken: tuple[ir.Value, ...]
    kinds: tuple[str, ...]
    names: tuple[str, ...]
    made: tuple[ir.Value, ...]
    states: tuple[str, ...]


def interfaces_of(main: Any, parts: Sequence[Part]) -> list[PartInterface]:
    """The interface of each part of `@main`, in order."""
    reader = _Interfaces(main, parts)
    return [reader.of(number) for number in range(len(parts))]


class _Interfaces:
    def __init__(self, main: Any, parts: Sequence[Part]) -> None:
        block = main.body.blocks[0]
        self.parts = parts
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
            tuple(after),
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
        """States that a part for the wafer has to itself, and their next values.

        They can stay there between calls if the wafer runs nothing else; otherwise there are none.
        """
        if self.parts[number].side != "wafer" or sum(part.side == "wafer" for part in self.parts) > 1:
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
