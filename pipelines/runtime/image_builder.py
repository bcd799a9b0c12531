"""From the executable stage to the program image: past this border no MLIR object exists."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ...dialects.host import ir
from ...dialects.provenance import read_location
from ...dialects.wse import read
from ...passes.infra.diagnostics import PassFailure
from ...passes.wafer.executable import bodies, buffer_of, program_of, symbols
from ...wse_target import image
from ...wse_target.quasi_affine import Const, Expr, Var, binary, const, minimum

_COORDINATES = (Var("x"), Var("y"))


def build_image(module: ir.Operation) -> image.Program:
    """Translates a module of the executable stage, memory planned and colours routed.

    Raises:
        PassFailure: something in a program text has no place in an image.
    """
    with module.context:
        return _ImageBuilder(module).run()


class _ImageBuilder:
    def __init__(self, module: ir.Operation) -> None:
        self.module = module
        self.buffers = {op.sym_name.value: _buffer(op) for op in symbols(module, "wse.buffer")}

    def run(self) -> image.Program:
        program = program_of(self.module)
        classes = tuple(
            image.PEClass(
                pes.sym_name.value,
                read.strided_rect(pes.where),
                _BodyReader(function, self.buffers).run(),
            )
            for pes, function in bodies(self.module)
        )
        width, height = read.integers(program.grid)
        return image.Program(
            name=program.sym_name.value,
            grid=(width, height),
            arguments=_specs(program.inputs, program.input_names),
            results=_specs(program.outputs, program.output_names),
            buffers=self.buffers,
            classes=classes,
            colours={op.sym_name.value: read.integer(op.id) for op in symbols(self.module, "wse.colour")},
            routes=tuple(_route(op) for op in symbols(self.module, "wse.route")),
            scatters=tuple(self.transfer(op) for op in symbols(self.module, "wse.host_scatter")),
            gathers=tuple(self.transfer(op) for op in symbols(self.module, "wse.host_gather")),
            code_bytes=self.code_bytes(),
        )

    def code_bytes(self) -> dict[str, int]:
        return {
            op.sym_name.value: read.integer(op.attributes["wse.code_bytes"])
            for op in symbols(self.module, "wse.pe_class")
            if "wse.code_bytes" in op.attributes
        }

    def transfer(self, op: Any) -> image.HostTransfer:
        """A host scatter or gather."""
        buffer = self.buffers[op.buffer.value]
        origins = tuple(smallest(m, _COORDINATES, op) for m in read.maps(op.origin))
        return image.HostTransfer(
            tensor=read.integer(op.tensor),
            where=read.strided_rect(op.where),
            bounds=tuple(smallest(m, _COORDINATES, op) for m in read.maps(op.bounds)),
            origin=origins,
            access=access(op.access.value, buffer, _COORDINATES, op),
            resident=bool(read.integer(op.resident)),
            source=source_of(op),
        )


class _BodyReader:
    """Reads one program text."""

    def __init__(self, function: Any, buffers: Mapping[str, image.Buffer]) -> None:
        self.function = function
        self.buffers = buffers
        self.names: dict[ir.Value, Expr] = {}
        self.loops = 0

    def run(self) -> tuple[image.Instruction, ...]:
        block = self.function.body.blocks[0]
        self.names.update(zip(block.arguments, _COORDINATES, strict=True))
        return self.block(block)

    def block(self, block: ir.Block) -> tuple[image.Instruction, ...]:
        found = (self.instruction(op) for op in block.operations)
        return tuple(instruction for instruction in found if instruction is not None)

    def instruction(self, op: Any) -> image.Instruction | None:
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
            "scf.for": self.loop,
        }.get(name)
        if reader is None:
            raise PassFailure(op, f"'{name}' is not something a processing element runs")
        return reader(op)

    def symbols(self, op: Any) -> list[Expr]:
        return [self.expression(v, op) for v in op.symbols]

    def bounds(self, op: Any) -> tuple[Expr, ...]:
        values = self.symbols(op)
        return tuple(smallest(m, values, op) for m in read.maps(op.bounds))

    def access(self, memref: ir.Value, amap: ir.AffineMap, op: Any) -> image.Access:
        name = buffer_of(memref)
        if name is None:
            raise PassFailure(op, "a memref that is no buffer of this program")
        return access(amap, self.buffers[name], self.symbols(op), op)

    def phase(self, op: Any) -> image.Phase:
        return image.Phase(op.label.value, source_of(op))

    def vector(self, op: Any) -> image.Vector:
        maps = iter(read.maps(op.maps))
        dst = self.access(op.destination, next(maps), op)
        sources: list[image.Access | float | int] = []
        for memref, number in zip(op.sources, read.scalars(op.scalars), strict=True):
            if memref is not None:
                sources.append(self.access(memref, next(maps), op))
            elif number is not None:
                sources.append(number)
        schedule = "looped" if op.schedule.value == "looped" else "mapped"
        return image.Vector(op.kind.value, self.bounds(op), dst, tuple(sources), source_of(op), schedule)

    def send(self, op: Any) -> image.Send:
        src = self.access(op.source, op.map.value, op)
        return image.Send(op.colour.value, self.bounds(op), src, read.integer(op.thread), source_of(op))

    def receive(self, op: Any) -> image.Receive:
        dst = self.access(op.destination, op.map.value, op)
        return image.Receive(
            op.colour.value, self.bounds(op), dst, op.combine.value, read.integer(op.thread), source_of(op)
        )

    def relay(self, op: Any) -> image.Relay:
        maps = iter(read.maps(op.maps))
        own = self.access(op.own, next(maps), op) if op.own is not None else None
        dst = self.access(op.destination, next(maps), op) if op.destination is not None else None
        return image.Relay(
            op.receive.value,
            op.send.value,
            self.bounds(op),
            own,
            op.combine.value,
            dst,
            read.integer(op.thread),
            source_of(op),
        )

    def join(self, op: Any) -> image.Join:
        return image.Join(read.integers(op.threads), source_of(op))

    def loop(self, op: Any) -> image.Loop:
        lower, step = (self.expression(op.operands[i], op) for i in (0, 2))
        if lower != Const(0) or step != Const(1):
            raise PassFailure(op, "a loop that does not count 0, 1, 2, ..")
        variable = f"i{self.loops}"
        self.loops += 1
        body = op.regions[0].blocks[0]
        self.names[body.arguments[0]] = Var(variable)
        return image.Loop(variable, self.expression(op.operands[1], op), self.block(body))

    def expression(self, value: ir.Value, op: Any) -> Expr:
        """An index value as an expression in coordinates and loop variables."""
        if value in self.names:
            return self.names[value]
        owner = value.owner
        if isinstance(owner, ir.Block):
            raise PassFailure(op, "an index that is neither a coordinate nor a loop's variable")
        if owner.name == "arith.constant":
            return const(ir.IntegerAttr(owner.attributes["value"]).value)
        if owner.name in ("affine.apply", "affine.min"):
            amap = ir.AffineMapAttr(owner.attributes["map"]).value
            operands = [self.expression(v, op) for v in owner.operands]
            dims, rest = operands[: amap.n_dims], operands[amap.n_dims :]
            return smallest(amap, rest, op, dims)
        raise PassFailure(
            op, f"an index computed by '{owner.name}', which a processing element has no loop for"
        )


_SUPPORTING = (
    "wse.get_buffer", "arith.constant", "affine.apply", "affine.min", "func.return", "scf.yield",
)  # fmt: skip


def source_of(op: Any) -> image.Source:
    """Where an operation comes from in the user's model."""
    found = read_location(op.location)
    location = f"{os.path.basename(found.file)}:{found.line}" if found.file else ""
    return image.Source(found.module_path, location, found.operator)


def smallest(amap: ir.AffineMap, values: Sequence[Expr], op: Any, dims: Sequence[Expr] = ()) -> Expr:
    """The minimum of a map's results."""
    found: Expr | None = None
    for result in amap.results:
        strides, offset = linear_form(result, amap.n_dims, values, op)
        for stride, dim in zip(strides, dims, strict=bool(dims)):
            offset = offset + dim * stride
        found = offset if found is None else minimum(found, offset)
    if found is None:
        raise PassFailure(op, "a map without results")
    return found


def access(amap: ir.AffineMap, buffer: image.Buffer, values: Sequence[Expr], op: Any) -> image.Access:
    """A map into a row-major buffer as offset and strides in elements."""
    offset: Expr = image.ZERO
    strides = [0] * amap.n_dims
    pitch = 1
    for result, size in zip(reversed(list(amap.results)), reversed(buffer.shape), strict=True):
        parts, start = linear_form(result, amap.n_dims, values, op)
        strides = [s + pitch * p for s, p in zip(strides, parts, strict=True)]
        offset = offset + start * pitch
        pitch *= size
    return image.Access(buffer.name, offset, tuple(strides))


def linear_form(expr: ir.AffineExpr, dims: int, values: Sequence[Expr], op: Any) -> tuple[list[int], Expr]:
    """Coefficients of the dimensions, and the rest, which depends on symbols alone."""
    if isinstance(expr, ir.AffineDimExpr):
        return [int(d == expr.position) for d in range(dims)], image.ZERO
    if isinstance(expr, ir.AffineSymbolExpr):
        return [0] * dims, values[expr.position]
    if isinstance(expr, ir.AffineConstantExpr):
        return [0] * dims, const(expr.value)
    if not isinstance(expr, ir.AffineBinaryExpr):
        raise PassFailure(op, f"cannot translate the expression {expr}")
    (left, a), (right, b) = (linear_form(e, dims, values, op) for e in (expr.lhs, expr.rhs))
    if isinstance(expr, ir.AffineAddExpr):
        return [p + q for p, q in zip(left, right, strict=True)], a + b
    if isinstance(expr, ir.AffineMulExpr):
        if isinstance(b, Const) and not any(right):
            return [p * b.value for p in left], a * b
        if isinstance(a, Const) and not any(left):
            return [q * a.value for q in right], a * b
    operators = {ir.AffineFloorDivExpr: "floordiv", ir.AffineCeilDivExpr: "ceildiv", ir.AffineModExpr: "mod"}
    for kind, operator in operators.items():
        if isinstance(expr, kind) and not any(left + right):
            return [0] * dims, binary(operator, a, b)  # type: ignore[arg-type]
    raise PassFailure(op, f"an address has to be linear in the loops' indices, got {expr}")


def _buffer(op: Any) -> image.Buffer:
    memref = ir.MemRefType(op.type.value)
    offset = read.integer(op.offset)
    if offset < 0:
        raise PassFailure(op, "this buffer has no address yet", hint="run wse-plan-memory first")
    dtype: Any = str(memref.element_type)
    return image.Buffer(op.sym_name.value, offset, tuple(memref.shape), dtype)


def _specs(types: ir.Attribute, names: ir.Attribute) -> tuple[image.TensorSpec, ...]:
    found = []
    for name, item in zip(read.strings(names), read.types(types), strict=True):
        tensor = ir.RankedTensorType(item)
        dtype: Any = str(tensor.element_type)
        found.append(image.TensorSpec(name, tuple(tensor.shape), dtype))
    return tuple(found)


def _route(op: Any) -> image.Route:
    receive: Any = op.receive.value
    send: Any = read.strings(op.send)
    return image.Route(op.colour.value, read.strided_rect(op.where), receive, send)
