"""The pass `wse-route`: hardware colours and queues."""

from collections.abc import Iterable, Sequence
from typing import Any

from ....dialects.host import ir
from ....dialects.wse import build, read
from ....wse_target.layout import common_pe
from ....wse_target.machine import Machine
from ....wse_target.machine_file import load_machine
from ...infra.diagnostics import PassFailure
from ...infra.pass_base import Pass, PassRun
from ..algorithms.streams import stream_numbers
from ..executable import TRANSFERS, bodies, instructions, operations, program_of, steps, symbols, within
from .colour_use import Spans, colour_uses
from .numbering import OutOfNumbers, Wanted, number_colours, written_again
from .queues import OutOfQueues, choose_queues


class TooManyColours(PassFailure):
    """Collectives of a program need more colours, or queues of a PE, at a time than a machine has."""


class RouteColours(Pass, name="wse-route", anchor="builtin.module"):
    """Numbers the colours in use and drops the others; gives each its queues.

    Colours with the same routes become one where no PE uses both at a time: nothing has to change in between. Where
    the machine's colours run out, those that are not used in one phase share a number, which goes from the routes that
    are needed again last (`numbering.py`): the routers of the later colour start without a setting, and every PE that
    it touches writes its own at the start of its first phase. In a loop over phases the earlier one comes
    back, and is written in each trip, too.

        wse.colour @fc1_c0_up0 {id = -1, position = 0, ..}        wse.colour @fc1_c0_up0 {id = 0, input_queue = 0, ..}
        wse.route @fc1_c0_up0 at .. from "ramp" to ["west"]       wse.route @fc1_c0_up0 ..
        wse.colour @fc2_c0_up0 {id = -1, position = 0, ..}   ->
        wse.route @fc2_c0_up0 at .. from "ramp" to ["west"]
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        machine = load_machine(program_of(op).machine.value)
        router = _Router(op, machine)
        router.drop_unused()
        merged, rewritten = router.number()
        run.count("colours merged", merged)
        run.count("colours", len(router.colours))
        run.count("numbers rewritten", rewritten)
        router.assign_queues()


class _Router:
    def __init__(self, module: ir.Operation, machine: Machine) -> None:
        self.module = module
        self.machine = machine
        self.uses = colour_uses(module)
        self.colours = {op.sym_name.value: op for op in symbols(module, "wse.colour")}
        self.routes: dict[str, list[Any]] = {}
        for route in symbols(module, "wse.route"):
            self.routes.setdefault(route.colour.value, []).append(route)
        self.begins: dict[str, list[Any]] = {}  # of phases, by class
        self.switched = {
            inner.colour.value
            for _, function in bodies(module)
            for inner in instructions(function.body.blocks[0])
            if inner.operation.name == "wse.switch"
        }
        self.set_first = {name for name in self.switched if self._is_set_first(name)}

    def _is_set_first(self, name: str) -> bool:
        """Whether each PE with a router of a colour sets it before its first transfer."""
        places = [read.strided_rect(route.where) for route in self.routes.get(name, ())]
        for pes, function in bodies(self.module):
            first = _first_touch(operations(function.body.blocks[0]), name)
            where = read.strided_rect(pes.where)
            if first is None and any(common_pe(where, place) is not None for place in places):
                return False
            if first is not None and not _sets_first(first, name):
                return False
        return True

    def drop_unused(self) -> None:
        """Erases colours that nothing transfers, with their routes."""
        for name in [name for name in self.colours if name not in self.uses]:
            self._erase(name)

    def _erase(self, name: str) -> None:
        for op in (*self.routes.pop(name, ()), self.colours.pop(name)):
            op.operation.erase()

    def number(self) -> tuple[int, int]:
        """Gives hardware ids; how many colours were made one with another, how many take over another's number.

        Raises:
            TooManyColours: more are in use at a time than the machine has.
        """
        streams = self._number_streams()
        taken = (
            stream_numbers(self.machine).values() if streams else ()
        )  # in the neighbour the two change places
        usable = [number for number in self.machine.usable_colours if number not in taken]
        wanted = [self._wanted(name) for name in self.uses if name in self.colours and name not in streams]
        try:
            numbers = number_colours(wanted, len(usable))
        except OutOfNumbers as short:
            raise self._run_out(short) from None
        renamed = {n: h.first.name for held in numbers for h in held for n in h.names if n != h.first.name}
        self._rename(renamed)
        for name in renamed:
            self._erase(name)
        kept = {h.first.name: h.use for held in numbers for h in held}
        self.uses = {name: self.uses[name] for name in streams} | kept
        for number, held in zip(usable, numbers, strict=True):
            for holder in held:
                self.colours[holder.first.name].attributes["id"] = build.i64(number)
        again = written_again(numbers)
        for name in again:
            self._write_on_entry(name)
        return len(renamed), len(again)

    def _number_streams(self) -> dict[str, int]:
        """Gives the colours of streams numbers, which nobody else has at any time: neighbours know them."""
        numbers = stream_numbers(self.machine)
        present = {name: number for name, number in numbers.items() if name in self.colours}
        for name, number in present.items():
            self.colours[name].attributes["id"] = build.i64(number)
        return present

    def _wanted(self, name: str) -> Wanted:
        is_switched = name in self.switched
        stays = is_switched and name not in self.set_first
        has_own_start = stays or read.integer(self.colours[name].position) < 0
        return Wanted(name, self.uses[name], self._settings(name), is_switched, has_own_start, stays)

    def _settings(self, name: str) -> str:
        """What the routers do with a colour, as something to compare."""
        attributes = ("where", "receive", "send", "position")
        routes = sorted(
            " ".join(str(route.attributes[a]) for a in attributes) for route in self.routes.get(name, ())
        )
        return "; ".join((str(self.colours[name].attributes["position"]), *routes))

    def _rename(self, renamed: dict[str, str]) -> None:
        if not renamed:
            return
        for _, function in bodies(self.module):
            for op in instructions(function.body.blocks[0]):
                if op.operation.name not in TRANSFERS:  # what some PE switches is not renamed
                    continue
                for attribute in ("colour", "receive", "send"):
                    if attribute in op.attributes and op.attributes[attribute].value in renamed:
                        new = renamed[op.attributes[attribute].value]
                        op.attributes[attribute] = ir.FlatSymbolRefAttr.get(new)

    def _write_on_entry(self, name: str) -> None:
        """The colour's routers start without a setting; their PEs write it at the start of its first phase.

        Where they set it anyway they write that.
        """
        colour, phase = self.colours[name], self.uses[name].life[0]
        if name in self.set_first:
            for _, function in bodies(self.module):
                for op in instructions(function.body.blocks[0]):
                    if op.operation.name == "wse.switch" and name in _colours_of(op):
                        op.attributes["rewrite"] = build.i64(1)
            colour.attributes["position"] = build.i64(-1)
            return
        start = ir.AffineMap.get(0, 0, [ir.AffineExpr.get_constant(read.integer(colour.position))])
        places = [read.strided_rect(route.where) for route in self.routes.get(name, ())]
        written = list[ir.Operation]()
        for pes, function in bodies(self.module):
            where = read.strided_rect(pes.where)
            if any(common_pe(where, place) is not None for place in places):
                begin = self._phase(pes, function, phase)
                if begin.operation in written:  # it is in a routine that another class calls, too
                    continue
                written.append(begin.operation)
                with ir.InsertionPoint.after(begin), begin.location:
                    build.switch(name, start, [], rewrite=True)
        colour.attributes["position"] = build.i64(-1)

    def _phase(self, pes: Any, function: Any, number: int) -> Any:
        """Where a class begins its phase of that number, from 1."""
        name = pes.sym_name.value
        if name not in self.begins:
            text = steps(function.body.blocks[0])
            self.begins[name] = [s.op for s in text if s.op.operation.name == "wse.phase"]
        phases = self.begins[name]
        if len(phases) < number:
            raise PassFailure(
                pes,
                f"class '@{name}' has {len(phases)} phases, but its routers change in phase {number}",
                hint="every class of PEs takes part in every phase",
            )
        return phases[number - 1]

    def _run_out(self, short: OutOfNumbers) -> TooManyColours:
        wanted, count = [short.name, *short.holders, *short.kept], len(self.machine.usable_colours)
        listed = "; ".join(f"{c}: {', '.join(self.uses[c].places)}" for c in wanted)
        kept = f" or need their routers' first settings ({len(short.kept)})" if short.kept else ""
        return TooManyColours(
            program_of(self.module),
            f"{len(wanted)} colours are in use at a time{kept}, machine '{self.machine.name}' has {count}: {listed}",
            hint="choose algorithms with fewer colours for these layers (chain, multicast), or split the model",
        )

    def assign_queues(self) -> None:
        """Input and output queues: the deepest for the longest messages, no queue twice at a time on a PE.

        Raises:
            TooManyColours: a PE takes from, or sends on, more colours at a time than it has queues.
        """
        order = sorted((n for n in self.uses if n in self.colours), key=lambda n: -self.uses[n].words)
        depths = self.machine.queues
        inputs = self._queues(order, {n: self.uses[n].receives for n in order}, depths.input, "input")
        outputs = self._queues(order, {n: self.uses[n].sends for n in order}, depths.output, "output")
        for name in order:
            self.colours[name].attributes["input_queue"] = build.i64(inputs[name])
            self.colours[name].attributes["output_queue"] = build.i64(outputs[name])

    def _queues(
        self, order: Sequence[str], spans: dict[str, Spans], depths: Sequence[int], what: str
    ) -> dict[str, int]:
        try:
            return choose_queues(order, spans, depths)
        except OutOfQueues as short:
            listed = "; ".join(f"{c}: {', '.join(self.uses[c].places)}" for c in short.names)
            need = f"{len(short.names)} colours need {what} queues at a time on a PE"
            if not short.at_a_time:
                need = f"no {what} queue was found for the first of {len(short.names)} colours that overlap with it"
            raise TooManyColours(
                program_of(self.module),
                f"{need}, machine '{self.machine.name}' has {len(depths)}: {listed}",
                hint="choose algorithms with fewer transfers at a time for these layers",
            ) from None


def _first_touch(text: Iterable[Any], name: str) -> Any:
    """The first operation that switches or transfers a colour, or has one inside that does; None where none does."""
    return next((op for op in text if any(name in _colours_of(inner) for inner in within(op))), None)


def _sets_first(op: Any, name: str) -> bool:
    """Whether what an operation does with a colour begins with a switch, in each case of a choice that uses it."""
    if op.operation.name == "wse.switch":
        return True
    texts = (operations(block) for region in op.operation.regions for block in region.blocks)
    inside = [first for text in texts if (first := _first_touch(text, name)) is not None]
    return bool(inside) and all(_sets_first(first, name) for first in inside)


def _colours_of(op: Any) -> set[str]:
    """The colours that an operation switches or transfers."""
    attributes = op.operation.attributes
    found = [attributes[name] for name in ("colour", "receive", "send") if name in attributes]
    return {ir.FlatSymbolRefAttr(name).value for name in found}
