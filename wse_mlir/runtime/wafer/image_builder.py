"""From the executable stage to the program image: past this border no MLIR object exists."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from ...dialects.host import ir
from ...dialects.wse import read
from ...passes.infra.diagnostics import PassFailure
from ...passes.wafer.executable import bodies, program_of, source_of, symbols
from ...wse_target import image, instructions
from ...wse_target.quasi_affine import Expr
from .image_bodies import COORDINATES, BodyReader, Known
from .image_expressions import access, smallest


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
        self.colours = symbols(module, "wse.colour")
        self.functions = {op.name.value: op for op in symbols(module, "func.func")}
        tables = symbols(module, "wse.table")
        self.known = Known(
            {op.sym_name.value: _buffer(op) for op in symbols(module, "wse.buffer")},
            {op.sym_name.value: read.integers(op.values) for op in tables},
            functions=self.functions,
        )

    def run(self) -> image.Program:
        program = program_of(self.module)
        classes = tuple(
            image.PEClass(
                pes.sym_name.value,
                read.strided_rect(pes.where),
                BodyReader(function, self.known).run(),
            )
            for pes, function in bodies(self.module)
        )
        width, height = read.integers(program.grid)
        return image.Program(
            name=program.sym_name.value,
            grid=(width, height),
            arguments=_specs(program.inputs, program.input_names, _host_shapes(program, "input")),
            results=_specs(program.outputs, program.output_names, _host_shapes(program, "output")),
            buffers=self.known.buffers,
            classes=classes,
            colours={op.sym_name.value: read.integer(op.id) for op in self.colours},
            routes=tuple(_route(op) for op in symbols(self.module, "wse.route")),
            scatters=tuple(self.transfer(op) for op in symbols(self.module, "wse.host_scatter")),
            gathers=tuple(self.transfer(op) for op in symbols(self.module, "wse.host_gather")),
            code_bytes=self.code_bytes(),
            queues=self.queues(),
            positions=self.positions(),
            scalars=tuple(_scalar(op) for op in symbols(self.module, "wse.scalar")),
        )

    def code_bytes(self) -> dict[str, int]:
        return {
            op.sym_name.value: read.integer(op.attributes["wse.code_bytes"])
            for op in symbols(self.module, "wse.pe_class")
            if "wse.code_bytes" in op.attributes
        }

    def queues(self) -> dict[str, tuple[int, int]]:
        pairs = {
            op.sym_name.value: (read.integer(op.input_queue), read.integer(op.output_queue))
            for op in self.colours
        }
        return {name: pair for name, pair in pairs.items() if pair != (-1, -1)}

    def positions(self) -> dict[str, int]:
        found = {op.sym_name.value: read.integer(op.position) for op in self.colours}
        return {name: position for name, position in found.items() if position != 0}

    def transfer(self, op: Any) -> image.HostTransfer:
        """A host scatter or gather."""
        buffer = self.known.buffers[op.buffer.value]
        values: list[Expr] = list(COORDINATES)
        for reference in op.symbols:
            function = self.functions[ir.FlatSymbolRefAttr(reference).value]
            values += BodyReader(function, self.known).results()
        return image.HostTransfer(
            tensor=read.integer(op.tensor),
            where=read.strided_rect(op.where),
            bounds=tuple(smallest(m, values, op) for m in read.maps(op.bounds)),
            origin=tuple(smallest(m, values, op) for m in read.maps(op.origin)),
            access=access(op.access.value, buffer, values, op),
            resident=bool(read.integer(op.resident)),
            source=source_of(op),
        )


def _buffer(op: Any) -> instructions.Buffer:
    memref = ir.MemRefType(op.type.value)
    offset = read.integer(op.offset)
    if offset < 0:
        raise PassFailure(op, "this buffer has no address yet", hint="run wse-plan-memory first")
    dtype: Any = str(memref.element_type)
    return instructions.Buffer(op.sym_name.value, offset, tuple(memref.shape), dtype)


def _scalar(op: Any) -> image.ScalarSpec:
    numbers = (read.integer(n) for n in (op.argument, op.least, op.most))
    return image.ScalarSpec(op.sym_name.value, *numbers)


def _host_shapes(program: Any, what: str) -> Iterator[tuple[int, ...]]:
    """The shapes of the host's arrays, () where they are those of the tensors."""
    name = f"wse.host_{what}_shapes"
    if name in program.attributes:
        yield from (tuple(read.integers(shape)) for shape in ir.ArrayAttr(program.attributes[name]))
    yield from itertools.repeat(())


def _specs(
    types: ir.Attribute, names: ir.Attribute, host_shapes: Iterable[tuple[int, ...]]
) -> tuple[image.TensorSpec, ...]:
    found = []
    for name, item, shape in zip(read.strings(names), read.types(types), host_shapes, strict=False):
        tensor = ir.RankedTensorType(item)
        dtype: Any = str(tensor.element_type)
        found.append(image.TensorSpec(name, tuple(tensor.shape), dtype, shape))
    return tuple(found)


def _route(op: Any) -> image.Route:
    receive: Any = op.receive.value
    send: Any = read.strings(op.send)
    where, position = read.strided_rect(op.where), read.integer(op.position)
    return image.Route(op.colour.value, where, receive, send, position)
