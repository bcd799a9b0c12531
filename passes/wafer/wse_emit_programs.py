"""The pass `wse-emit-programs`: a distributed and placed `@main` becomes the programs that PEs run."""

from typing import Any

from ...dialects.host import ir
from ...dialects.provenance import read_location
from ...dialects.wse import build, read
from ...wse_target.image import StridedRect
from ..infra.diagnostics import PassFailure
from ..infra.pass_base import Pass, PassRun
from .emit_classes import classes
from .emit_compute import ComputeEmitter
from .emit_movement import (
    HostTransfers,
    emit_all_gather,
    emit_broadcast,
    emit_reduce,
    emit_scatter,
    emit_shape_operation,
    emit_slice_redistribution,
)
from .emit_steps import (
    Located,
    PhaseStep,
    Step,
    Tile,
    buffers_of,
    coordinate,
    line_of,
    loop_indices,
)
from .emit_tiles import Tiles
from .emit_writer import ClassWriter, declare_colours
from .layout_rules import Grid
from .main_function import argument_attributes, constant_values, find_main, result_attributes
from .plan import NO_NODE, RESHAPES, SLICES, is_node


class EmitPrograms(Pass, name="wse-emit-programs", anchor="builtin.module"):
    """Replaces `@main` by a fabric program: buffers, host transfers, and program text for each class of PEs.

    Each operation of a linalg body becomes one `wse.vector` over the PE's own part; collectives become sends,
    receives and relays that depend on the PE's place on its line. Colours are named, not yet numbered, and
    buffers have no addresses yet.

        %1 = linalg.generic {.., wse.iterators = ["y", "", "x"]} ins(%a, %b) outs(%fill) {mul, add}
        %2 = wse.reduce %1 {axis = "x"}
    becomes, for the class of PEs inside a line at odd x
        func.func @main_x_odd_y_any(%x: index, %y: index) {
            %c = wse.get_buffer @linear_2 ..
            wse.vector "fill" %c, 0.0
            wse.vector "fma" %c, %a, %b
            wse.relay @x_low0 -> @x_low1, own = %c, "add"
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        main = find_main(op)
        if "wse.rect" not in main.attributes:
            raise PassFailure(main, "@main is not distributed", hint="run wse-partition and wse-place first")
        with op.context:
            emitter = _Emitter(main)
            emitter.collect()
            emitter.write(op)
            main.operation.erase()
        run.count("steps", len(emitter.steps))
        run.count("classes", len(emitter.classes))


class _Emitter:
    def __init__(self, main: Any) -> None:
        self.main = main
        self.rect = read.rect(main.attributes["wse.rect"])
        self.grid = Grid(self.rect.w, self.rect.h)
        self.tiles = Tiles(self.grid)
        self.host = HostTransfers()
        self.steps: list[Located] = []
        self.phase = ""
        self.phases: dict[str, int] = {}  # how often each label began: a phase is one stretch of the program
        self.classes = []
        self.names = argument_attributes(main, "name", "")
        self.kinds = argument_attributes(main, "kind", "input")

    # From operations to steps

    def collect(self) -> None:
        """Fills steps, tiles and host transfers."""
        for op in self.main.body.blocks[0].operations:
            name = op.operation.name
            if name == "func.return":
                self._finish(op)
            elif name != "wse.gather" and (is_node(op) and name not in NO_NODE):
                self._append(op, self._steps_of(op))
        axes = frozenset(line_of(s.step) for s in self.steps) - {""}
        self.classes = classes(self.grid, axes)

    def _append(self, op: Any, steps: list[Step]) -> None:
        if not steps:
            return
        label = phase_label(op)
        if label != self.phase:
            count = self.phases[label] = self.phases.get(label, 0) + 1
            steps = [PhaseStep(label if count == 1 else f"{label} #{count}"), *steps]
            self.phase = label
        self.steps += [Located(step, op.location) for step in steps]

    def _steps_of(self, op: Any) -> list[Step]:
        name, hint = op.operation.name, self._hint(op)
        if name == "linalg.generic":
            if "wse.iterators" not in op.attributes:
                raise PassFailure(op, "this operation is not distributed", hint="run wse-partition first")
            return ComputeEmitter(op, read.strings(op.attributes["wse.iterators"]), self.tiles, hint).run()
        if name == "wse.scatter":
            return emit_scatter(op, self.tiles, self.host, hint)
        if name in ("wse.reduce", "wse.broadcast", "wse.all_gather", "wse.redistribute"):
            emit = {
                "wse.reduce": emit_reduce,
                "wse.broadcast": emit_broadcast,
                "wse.all_gather": emit_all_gather,
                "wse.redistribute": emit_slice_redistribution,
            }[name]
            return emit(op, self.tiles, hint)
        if name in RESHAPES + SLICES:
            axes = read.layout(ir.ArrayAttr(op.attributes["wse.layouts"])[0]).axes
            if name in SLICES:
                return emit_shape_operation(op, axes, self.tiles, hint)
            self.tiles.alias(op.results[0], op.operands[0], axes)
            return []
        raise PassFailure(op, f"'{name}' cannot be emitted", hint="run wse-expand-collectives first")

    def _hint(self, op: Any) -> str:
        if op.operation.name == "wse.scatter" and isinstance(op.input.owner, ir.Block):
            number = ir.BlockArgument(op.input).arg_number
            return f"{self.kinds[number]}_{self.names[number]}"
        found = read_location(op.location)
        return found.module_path or found.operator.removeprefix("aten.") or op.operation.name.split(".")[1]

    def _finish(self, terminator: Any) -> None:
        """Results leave from their tiles."""
        for position, value in enumerate(terminator.operands):
            tile = self.tiles.by_value[value.owner.operands[0]]
            self.host.gathers.append((position, tile, value.owner.location))

    # From steps to IR

    def write(self, module: ir.Operation) -> None:
        """Writes the program's symbols and functions at the end of the module."""
        where = ir.InsertionPoint(self.main)
        location = self.main.location
        types: dict[str, ir.Type] = {
            name: ir.MemRefType.get(list(shape), ir.Type.parse(dtype))
            for name, (shape, dtype) in self.tiles.buffers.items()
        }
        with where, location:
            self._program()
            for name in self._used_buffers():
                build.buffer(name, types[name])
            for axis in ("x", "y"):
                if any(line_of(s.step) == axis for s in self.steps):
                    declare_colours(axis)
            self._transfers()
        for pes in self.classes:
            body = f"main_{pes.name}"
            ClassWriter(pes, self.grid, types).write(body, self.steps, where, location)
            with where, location:
                build.pe_class(pes.name, pes.where, body)

    def _used_buffers(self) -> list[str]:
        used = {name for s in self.steps for name in buffers_of(s.step)}
        used |= {tile.buffer for _, tile, _ in (*self.host.scatters, *self.host.gathers)}
        return [name for name in self.tiles.buffers if name in used]

    def _program(self) -> None:
        arguments = [
            (name or f"argument{i}", a.type)
            for i, (name, a) in enumerate(zip(self.names, self.main.body.blocks[0].arguments, strict=True))
        ]
        kinds = result_attributes(self.main, "kind", "output")
        labels = result_attributes(self.main, "name", "")
        results = [
            (f"{kind}_{label or i}", t)
            for i, (kind, label, t) in enumerate(zip(kinds, labels, self.main.type.results, strict=True))
        ]
        inputs = [(f"{kind}_{name}", t) for kind, (name, t) in zip(self.kinds, arguments, strict=True)]
        machine = ir.StringAttr(self.main.attributes["wse.machine"]).value
        origin = (self.rect.x0, self.rect.y0)
        program = build.program(
            "program", machine, (self.rect.w, self.rect.h), inputs, results, origin=origin
        )
        constants = constant_values(self.main)
        if constants:
            program.attributes["wse.constants"] = ir.ArrayAttr.get(constants)

    def _transfers(self) -> None:
        for position, tile, location in self.host.scatters:
            where = StridedRect((0, 0), (self.grid.width, self.grid.height))
            resident = self.kinds[position] in ("parameter", "constant")
            build.host_scatter(
                position, tile.buffer, where, self._maps(tile), resident=resident, loc=location
            )
        for position, tile, location in self.host.gathers:
            held = [axis for axis in tile.axes if axis]
            extent = (self.grid.width if "x" in held else 1, self.grid.height if "y" in held else 1)
            where = StridedRect((0, 0), extent)
            build.host_gather(position, tile.buffer, where, self._maps(tile), loc=location)

    def _maps(self, tile: Tile) -> build.TransferMaps:
        """Bounds, origin and access of a tile's transfer."""
        rank = len(tile.shape)
        bounds = [ir.AffineMap.get(0, 2, list(b)) for b in tile.bounds(self.grid)]
        zero = ir.AffineExpr.get_constant(0)
        starts = [
            coordinate(axis) * block if axis else zero
            for axis, block in zip(tile.axes, tile.shape, strict=True)
        ]
        origins = [ir.AffineMap.get(0, 2, [start]) for start in starts]
        access = ir.AffineMap.get(rank, 2, list(tile.at(loop_indices(rank)).indices))
        return build.TransferMaps(bounds, origins, access)


def phase_label(op: Any) -> str:
    """The phase an operation belongs to: its module's path and its operator."""
    found = read_location(op.location)
    operator = found.operator or op.operation.name
    return f"{found.module_path}:{operator}" if found.module_path else operator
