"""Writes instructions as the body of a function: the program text of a class of PEs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .....dialects.host import arith, func, ir, scf
from .....dialects.provenance import Provenance, make_location
from .....dialects.wse import build
from .....wse_target.errors import CompilerError
from .....wse_target.footprint import accesses
from .....wse_target.instructions import (
    Access,
    Buffer,
    Choose,
    Control,
    Index,
    Instruction,
    Join,
    Loop,
    Phase,
    Receive,
    Relay,
    Send,
    Source,
    Switch,
    Transfer,
    Vector,
    all_instructions,
)
from .....wse_target.quasi_affine import Binary, Const, Expr, Lookup, Scalar, Var
from ...executable import ENTERS, LEAVES, RECORD, WORDS
from .expressions import COORDINATES, MapSymbols, is_product, parts
from .routines import Call, Routine
from .shared_text import Enter, Leave

Walks = tuple[
    list[ir.AffineMap], list[ir.AffineMap], MapSymbols
]  # maps of bounds and of accesses, their symbols


@dataclass
class Shared:
    """What the texts of a program's classes have in common.

    Attributes:
        known: locations on record for sources of instructions.
        walks: by instruction (its `id`; classes share instructions), what its maps are.
    """

    buffers: Mapping[str, Buffer]
    known: Mapping[Source, ir.Location]
    walks: dict[int, Walks] = field(default_factory=dict)

    def location(self, source: Source) -> ir.Location:
        """The location of what comes from `source`; where none is on record, one is made of what it says."""
        if source in self.known:
            return self.known[source]
        file, _, line = source.location.rpartition(":")
        return make_location(Provenance(source.module_path, file, int(line) if file else 0, source.operator))


class IndexScopes:
    """Index values in scope: coordinates, loop variables, and what was computed from them."""

    def __init__(self, x: ir.Value, y: ir.Value, variables: Mapping[str, ir.Value] | None = None) -> None:
        known = {Var(name): value for name, value in (variables or {}).items()}
        self.scopes: list[dict[Expr, ir.Value]] = [dict(zip(COORDINATES, (x, y), strict=True)) | known]

    def of(self, expr: Expr) -> ir.Value:
        """The value of an expression, computed at the current insertion point when it is not there yet."""
        for scope in self.scopes:
            if expr in scope:
                return scope[expr]
        if isinstance(expr, Var):
            raise CompilerError(f"'{expr}' is neither a coordinate nor the variable of an enclosing loop")
        value = self._compute(expr)
        self.scopes[-1][expr] = value
        return value

    def _compute(self, expr: Expr) -> ir.Value:
        if isinstance(expr, Const):
            return arith.ConstantOp(ir.IndexType.get(), expr.value).result
        if isinstance(expr, Scalar):
            return build.get_scalar(expr.name)
        if isinstance(expr, Lookup):
            return build.lookup(expr.name, self.of(expr.index))
        if is_product(expr) and isinstance(expr, Binary):
            return arith.MulIOp(self.of(expr.left), self.of(expr.right)).result
        name, pieces = "apply", [expr]
        if isinstance(expr, Binary) and expr.operator in ("min", "max"):
            name, pieces = expr.operator, parts(expr, expr.operator)
        symbols = MapSymbols()
        results = [symbols.affine(piece) for piece in pieces]
        amap = ir.AffineMapAttr.get(symbols.map(results))
        operands = self.all(symbols)
        return ir.Operation.create(
            f"affine.{name}", results=[ir.IndexType.get()], operands=operands, attributes={"map": amap}
        ).result

    def all(self, symbols: MapSymbols) -> list[ir.Value]:
        """The values of an operation's symbols."""
        return [self.of(atom) for atom in symbols.atoms]


def write_function(
    name: str, body: Sequence[Instruction | Call], shared: Shared, variables: Sequence[str] = ()
) -> None:
    """`func.func @name(%x: index, %y: index, variables..)` with the instructions, at the current insertion point."""
    types = [ir.IndexType.get()] * (2 + len(variables))
    block = func.FuncOp(name, (types, [])).add_entry_block()
    with ir.InsertionPoint(block):
        BodyWriter(block, body, shared, variables).write(body)
        func.ReturnOp([])


def write_numbers(name: str, numbers: Sequence[Expr]) -> None:
    """`func.func @name(%x: index, %y: index)` that returns the numbers."""
    index = ir.IndexType.get()
    block = func.FuncOp(name, ([index, index], [index] * len(numbers))).add_entry_block()
    with ir.InsertionPoint(block):
        values = IndexScopes(*block.arguments)
        func.ReturnOp([values.of(number) for number in numbers])


def memref_type(buffer: Buffer) -> ir.MemRefType:
    """The type of a buffer."""
    return ir.MemRefType.get(list(buffer.shape), ir.Type.parse(buffer.dtype))


class BodyWriter:
    """Writes instructions at the current insertion point of a class's function."""

    def __init__(
        self,
        block: ir.Block,
        body: Sequence[Instruction | Call],
        shared: Shared,
        variables: Sequence[str] = (),
    ) -> None:
        self.shared = shared
        x, y, *others = block.arguments
        self.values = IndexScopes(x, y, dict(zip(variables, others, strict=True)))
        names = dict.fromkeys(access.buffer for access in _all_accesses(body))
        self.memrefs = {name: build.get_buffer(name, memref_type(shared.buffers[name])) for name in names}

    def write(self, body: Iterable[Instruction | Call]) -> None:
        """Writes the instructions in order."""
        for instruction in body:
            if isinstance(instruction, Call):
                self.call(instruction.routine)
                continue
            if isinstance(instruction, Loop):
                self.loop(instruction)
                continue
            if isinstance(instruction, Choose):
                self.choose(instruction)
                continue
            if isinstance(instruction, Enter | Leave):
                self.mark(instruction)
                continue
            writer: Any = getattr(self, type(instruction).__name__.lower())
            with self.shared.location(instruction.source):
                writer(instruction)

    def mark(self, op: Enter | Leave) -> None:
        """The jump to a routine, or back, which takes no time until `wse-share-text` says so."""
        control = build.control("branch", ir.AffineMap.get_constant(0), [])
        name = ENTERS if isinstance(op, Enter) else LEAVES
        control.attributes[name] = ir.StringAttr.get(op.routine)
        if isinstance(op, Enter):
            control.attributes[RECORD] = build.i64(op.record)
            if op.by_words is not None:
                control.attributes[WORDS] = build.i64_array(op.by_words)

    def loop(self, op: Loop) -> None:
        """An `scf.for` that counts from 0."""
        zero, one = self.values.of(Const(0)), self.values.of(Const(1))
        loop = scf.ForOp(zero, self.values.of(op.trips), one)
        self.values.scopes.append({Var(op.variable): loop.induction_variable})
        with ir.InsertionPoint(loop.body):
            self.write(op.body)
            scf.YieldOp([])
        self.values.scopes.pop()

    def call(self, routine: Routine) -> None:
        """A `func.call` with the coordinates and the variables of loops around it."""
        operands = [self.values.of(var) for var in (*COORDINATES, *map(Var, routine.variables))]
        func.CallOp([], ir.FlatSymbolRefAttr.get(routine.name), operands)

    def choose(self, op: Choose) -> None:
        """An `scf.index_switch` with nothing by default."""
        switch = scf.IndexSwitchOp([], self.values.of(op.selector), list(range(len(op.cases))))
        for region, case in zip(switch.regions, ((), *op.cases), strict=True):
            self.values.scopes.append({})
            block = region.blocks[0] if len(region.blocks) else region.blocks.append()
            with ir.InsertionPoint(block):
                self.write(case)
                scf.YieldOp([])
            self.values.scopes.pop()

    def phase(self, op: Phase) -> None:
        """`wse.phase`."""
        build.phase(op.name)

    def vector(self, op: Vector) -> None:
        """`wse.vector`."""
        given = [op.dst, *(s for s in op.srcs if isinstance(s, Access))]
        bounds, maps, symbols = self._walk(op, given)
        known: dict[tuple[str, tuple[Index, ...]], ir.Value] = {}
        dst = self._moved(op.dst, len(bounds), known)
        sources = [self._moved(s, len(bounds), known) if isinstance(s, Access) else s for s in op.srcs]
        build.vector(op.kind, dst, sources, bounds, maps, symbols, schedule=op.schedule, copies=op.copies)

    def _moved(
        self, access: Access, loops: int, known: dict[tuple[str, tuple[Index, ...]], ir.Value]
    ) -> ir.Value:
        """The memref that an access walks over, moved by its indices; `known` are those of the operation."""
        value = self.memrefs[access.buffer]
        for count, index in enumerate(access.indices, 1):
            key = access.buffer, access.indices[:count]
            if key not in known:
                known[key] = self._indexed(value, index, loops)
            value = known[key]
        return value

    def _indexed(self, value: ir.Value, index: Index, loops: int) -> ir.Value:
        symbols = MapSymbols()
        size, origin = symbols.bound(index.size), symbols.affine(index.origin)
        walk = symbols.index(index.numbers, self.shared.buffers[index.numbers.buffer].shape)
        maps = symbols.map(walk, loops), symbols.map(size), symbols.map([origin])
        numbers, values = self.memrefs[index.numbers.buffer], self.values.all(symbols)
        return build.indexed(value, numbers, *maps, values, stride=index.stride, partial=index.partial)

    def send(self, op: Send) -> None:
        """`wse.send`."""
        bounds, maps, symbols = self._walk(op, [op.src])
        memref = self.memrefs[op.src.buffer]
        build.send(op.colour, memref, bounds, maps[0], symbols, thread=op.thread, packed=op.packed)

    def receive(self, op: Receive) -> None:
        """`wse.receive`."""
        bounds, maps, symbols = self._walk(op, [op.dst])
        memref = self.memrefs[op.dst.buffer]
        build.receive(op.colour, memref, bounds, maps[0], symbols, combine=op.combine, thread=op.thread)

    def relay(self, op: Relay) -> None:
        """`wse.relay`."""
        given = [access for access in (op.own, op.dst) if access is not None]
        bounds, maps, symbols = self._walk(op, given)
        found = {a: (self.memrefs[a.buffer], amap) for a, amap in zip(given, maps, strict=True)}
        own = found[op.own] if op.own is not None else None
        dst = found[op.dst] if op.dst is not None else None
        combine = op.combine if op.own is not None else "store"
        build.relay(op.receive, op.send, bounds, symbols, own=own, dst=dst, combine=combine, thread=op.thread)

    def join(self, op: Join) -> None:
        """`wse.join`."""
        build.join(op.threads, tasks=op.tasks)

    def control(self, op: Control) -> None:
        """`wse.control`."""
        symbols = MapSymbols()
        count = symbols.affine(op.count)
        build.control(op.unit, symbols.map([count]), self.values.all(symbols))

    def switch(self, op: Switch) -> None:
        """`wse.switch`."""
        symbols = MapSymbols()
        position = symbols.affine(op.position)
        build.switch(op.colour, symbols.map([position]), self.values.all(symbols), rewrite=op.rewrite)

    def _walk(
        self, op: Vector | Transfer, given: Sequence[Access]
    ) -> tuple[list[ir.AffineMap], list[ir.AffineMap], list[ir.Value]]:
        """Maps of bounds and accesses, and the values of their symbols."""
        if id(op) not in self.shared.walks:
            symbols = MapSymbols()
            limits = [symbols.bound(bound) for bound in op.bounds]
            indices = [symbols.index(access, self.shared.buffers[access.buffer].shape) for access in given]
            bounds = [symbols.map(limit) for limit in limits]
            self.shared.walks[id(op)] = (
                bounds,
                [symbols.map(index, len(bounds)) for index in indices],
                symbols,
            )
        bounds, maps, symbols = self.shared.walks[id(op)]
        return bounds, maps, self.values.all(symbols)


def _all_accesses(body: Iterable[Instruction | Call]) -> list[Access]:
    """Those of a text itself; routines get buffers of their own."""
    own = (op for op in body if not isinstance(op, Call | Enter | Leave))
    return [access for op in all_instructions(own) for access in accesses(op)]
