"""Reads program texts of the executable stage: `func.func`s of `wse` operations become instructions of the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...dialects.host import ir
from ...dialects.wse import read
from ...dialects.wse.indexed_checks import indexed_chain, unmoved
from ...dialects.wse.vector_checks import COPIES
from ...passes.infra.diagnostics import PassFailure
from ...passes.wafer.executable import CALL, buffer_of, source_of
from ...wse_target import instructions
from ...wse_target.quasi_affine import Const, Expr, Lookup, Scalar, Var, const, maximum, minimum
from .image_expressions import access, combined, smallest

COORDINATES = (Var("x"), Var("y"))


@dataclass(frozen=True)
class Known:
    """What program texts refer to by name, and what was read already: classes share much of their text.

    Attributes:
        instructions: by what makes an operation another one than the next (see `BodyReader.identity`).
    """

    buffers: dict[str, instructions.Buffer]
    tables: dict[str, tuple[int, ...]]
    instructions: dict[tuple[Any, ...], instructions.Instruction] = field(default_factory=dict)
    functions: dict[str, Any] = field(default_factory=dict)

    def routine(self, call: Any) -> Any:
        """The function that a call names."""
        return self.functions[ir.FlatSymbolRefAttr(call.operation.attributes["callee"]).value]


class BodyReader:
    """Reads one program text, or a function of the coordinates."""

    def __init__(
        self, function: Any, known: Known, arguments: Sequence[Expr] = COORDINATES, loops: int = 0
    ) -> None:
        self.entry = function.body.blocks[0]
        self.known = known
        self.names: dict[ir.Value, Expr] = dict(zip(self.entry.arguments, arguments, strict=True))
        self.loops = loops

    def run(self) -> tuple[instructions.Instruction, ...]:
        """The instructions of a program text."""
        return self.block(self.entry)

    def results(self) -> list[Expr]:
        """What a function of the coordinates returns."""
        terminator = list(self.entry.operations)[-1]
        return [self.expression(value, terminator) for value in terminator.operands]

    def block(self, block: ir.Block) -> tuple[instructions.Instruction, ...]:
        found: list[instructions.Instruction | None] = []
        for op in block.operations:
            found += self.called(op) if op.operation.name == CALL else [self.instruction(op)]
        return tuple(instruction for instruction in found if instruction is not None)

    def called(self, op: Any) -> tuple[instructions.Instruction, ...]:
        """A routine's instructions, with what its call gives it."""
        arguments = [self.expression(value, op) for value in op.operation.operands]
        reader = BodyReader(self.known.routine(op), self.known, arguments, self.loops)
        found = reader.run()
        self.loops = reader.loops
        return found

    def instruction(self, op: Any) -> instructions.Instruction | None:
        """The instruction of an operation, None for what only supports others."""
        name = op.operation.name
        if name in _SUPPORTING:
            return None
        reader = {
            "wse.phase": self.phase,
            "wse.vector": self.vector,
            "wse.send": self.send,
            "wse.receive": self.receive,
            "wse.relay": self.relay,
            "wse.join": self.join,
            "wse.control": self.control,
            "wse.switch": self.switch,
            "scf.for": self.loop,
            "scf.index_switch": self.choose,
        }.get(name)
        if reader is None:
            raise PassFailure(op, f"'{name}' is not something a processing element runs")
        if name in ("scf.for", "scf.index_switch"):
            return reader(op)
        identity = self.identity(op)
        if identity not in self.known.instructions:
            self.known.instructions[identity] = reader(op)
        return self.known.instructions[identity]

    def identity(self, op: Any) -> tuple[Any, ...]:
        """An operation's name, place, attributes and operands: those with one identity are one instruction."""
        attributes = op.operation.attributes
        operands = (
            self.expression(v, op) if isinstance(v.type, ir.IndexType) else self.moved(v) for v in op.operands
        )
        values = (attributes[name] for name in attributes)
        return (op.operation.name, op.location.attr, *values, *operands)

    def moved(self, memref: ir.Value) -> tuple[Any, ...]:
        """The buffer that a memref is, and what moves it."""
        return (buffer_of(unmoved(memref)), *(self.index(op) for op in indexed_chain(memref)))

    def index(self, op: Any) -> instructions.Index:
        """What a `wse.indexed` adds to an access."""
        numbers = self.access(op.numbers, op.map.value, op)
        values = self.symbols(op)
        size, origin = (smallest(m.value, values, op) for m in (op.size, op.origin))
        return instructions.Index(
            numbers, read.integer(op.stride), size, origin, bool(read.integer(op.partial))
        )

    def symbols(self, op: Any) -> list[Expr]:
        return [self.expression(v, op) for v in op.symbols]

    def bounds(self, op: Any) -> tuple[Expr, ...]:
        values = self.symbols(op)
        return tuple(smallest(m, values, op) for m in read.maps(op.bounds))

    def access(self, memref: ir.Value, amap: ir.AffineMap, op: Any) -> instructions.Access:
        name = buffer_of(unmoved(memref))
        if name is None:
            raise PassFailure(op, "a memref that is no buffer of this program")
        plain = access(amap, self.known.buffers[name], self.symbols(op), op)
        indices = [self.index(moved) for moved in indexed_chain(memref)]
        return replace(plain, indices=tuple(reversed(indices)))

    def phase(self, op: Any) -> instructions.Phase:
        return instructions.Phase(op.label.value, source_of(op))

    def vector(self, op: Any) -> instructions.Vector:
        maps = iter(read.maps(op.maps))
        dst = self.access(op.destination, next(maps), op)
        sources: list[instructions.Access | float | int] = []
        for memref, number in zip(op.sources, read.scalars(op.scalars), strict=True):
            if memref is not None:
                sources.append(self.access(memref, next(maps), op))
            elif number is not None:
                sources.append(number)
        attributes = op.operation.attributes
        copies = read.integer(attributes[COPIES]) if COPIES in attributes else 1
        return instructions.Vector(
            op.kind.value, self.bounds(op), dst, tuple(sources), source_of(op), op.schedule.value,
            copies,
        )  # fmt: skip

    def send(self, op: Any) -> instructions.Send:
        src = self.access(op.source, op.map.value, op)
        return instructions.Send(
            op.colour.value,
            self.bounds(op),
            src,
            read.integer(op.thread),
            source_of(op),
            bool(read.integer(op.packed)),
        )

    def receive(self, op: Any) -> instructions.Receive:
        dst = self.access(op.destination, op.map.value, op)
        return instructions.Receive(
            op.colour.value, self.bounds(op), dst, op.combine.value, read.integer(op.thread), source_of(op)
        )

    def relay(self, op: Any) -> instructions.Relay:
        maps = iter(read.maps(op.maps))
        own = self.access(op.own, next(maps), op) if op.own is not None else None
        dst = self.access(op.destination, next(maps), op) if op.destination is not None else None
        return instructions.Relay(
            op.receive.value,
            op.send.value,
            self.bounds(op),
            own,
            op.combine.value,
            dst,
            read.integer(op.thread),
            source_of(op),
        )

    def join(self, op: Any) -> instructions.Join:
        return instructions.Join(read.integers(op.threads), source_of(op), bool(read.integer(op.tasks)))

    def control(self, op: Any) -> instructions.Control:
        return instructions.Control(
            op.unit.value, smallest(op.count.value, self.symbols(op), op), source_of(op)
        )

    def switch(self, op: Any) -> instructions.Switch:
        position = smallest(op.position.value, self.symbols(op), op)
        return instructions.Switch(op.colour.value, position, bool(read.integer(op.rewrite)), source_of(op))

    def loop(self, op: Any) -> instructions.Loop:
        lower, step = (self.expression(op.operands[i], op) for i in (0, 2))
        if lower != Const(0) or step != Const(1):
            raise PassFailure(op, "a loop that does not count 0, 1, 2, ..")
        variable = f"i{self.loops}"
        self.loops += 1
        body = op.regions[0].blocks[0]
        self.names[body.arguments[0]] = Var(variable)
        return instructions.Loop(variable, self.expression(op.operands[1], op), self.block(body))

    def choose(self, op: Any) -> instructions.Choose:
        values = list(ir.DenseI64ArrayAttr(op.operation.attributes["cases"]))
        default, *cases = op.operation.regions
        if values != list(range(len(values))) or self.block(default.blocks[0]):
            raise PassFailure(op, "a choice whose cases do not count 0, 1, 2, .., or that has a default")
        selector = self.expression(op.operation.operands[0], op)
        return instructions.Choose(selector, tuple(self.block(case.blocks[0]) for case in cases))

    def expression(self, value: ir.Value, op: Any) -> Expr:
        """An index value as an expression in coordinates and loop variables."""
        if value not in self.names:
            self.names[value] = self._computed(value, op)
        return self.names[value]

    def _computed(self, value: ir.Value, op: Any) -> Expr:
        owner = value.owner
        if isinstance(owner, ir.Block):
            raise PassFailure(op, "an index that is neither a coordinate nor a loop's variable")
        if owner.name == "arith.constant":
            return const(ir.IntegerAttr(owner.attributes["value"]).value)
        if owner.name in _COMBINE:
            amap = ir.AffineMapAttr(owner.attributes["map"]).value
            operands = [self.expression(v, op) for v in owner.operands]
            dims, rest = operands[: amap.n_dims], operands[amap.n_dims :]
            return combined(amap, rest, op, dims, _COMBINE[owner.name])
        if owner.name == "arith.muli":
            return self.expression(owner.operands[0], op) * self.expression(owner.operands[1], op)
        if owner.name == "wse.get_scalar":
            return Scalar(ir.FlatSymbolRefAttr(owner.attributes["scalar"]).value)
        if owner.name == "wse.lookup":
            table = ir.FlatSymbolRefAttr(owner.attributes["table"]).value
            return Lookup(table, self.known.tables[table], self.expression(owner.operands[0], op))
        raise PassFailure(
            op, f"an index computed by '{owner.name}', which a processing element has no loop for"
        )


_COMBINE: dict[str, Callable[[Expr, Expr], Expr]] = {
    "affine.apply": minimum, "affine.min": minimum, "affine.max": maximum,
}  # fmt: skip
_SUPPORTING = (
    "wse.get_buffer", "wse.get_scalar", "wse.indexed", "wse.lookup", "arith.constant", "arith.muli", "affine.apply",
    "affine.min", "affine.max", "func.return", "scf.yield",
)  # fmt: skip
