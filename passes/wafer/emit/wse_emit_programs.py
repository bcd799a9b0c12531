"""The pass `wse-emit-programs`: a distributed and placed `@main` becomes the programs that PEs run."""

from dataclasses import replace
from typing import Any

from ....dialects.host import ir
from ....dialects.provenance import read_location
from ....dialects.wse import build, read
from ....dialects.wse.annotations import ALGORITHM
from ....wse_target.footprint import all_buffers
from ....wse_target.image import HostTransfer, PEClass, Program, StridedRect, TensorSpec
from ....wse_target.instructions import Buffer, Instruction, Phase, Source
from ....wse_target.machine_file import load_machine
from ...infra.diagnostics import PassFailure
from ...infra.pass_base import Pass, PassRun, option
from ..algorithms.fragment import Fragment
from ..algorithms.roles import MOST_INSTRUCTIONS, in_classes
from ..executable import OF_TRIPS, source_of, symbols
from ..prepare.wse_return_checks import CHECKS
from ..prepare.wse_shape_interface import host_shapes
from ..scalars.body import dtype_name
from ..scalars.splat import made_of
from ..shard.interface_attributes import BOUND, argument_attributes, result_attributes
from ..shard.layout_rules import mesh_of
from ..shard.loops import loops_of
from ..shard.lowering import NO_NODE, RESHAPES, SLICES, STREAMS, is_node, is_stream
from ..shard.main_function import constant_values, find_main
from .collectives import COLLECTIVES, Collectives
from .compute import ComputeEmitter
from .fragments import everywhere, on_all, with_source
from .in_place import changed_in_place
from .kept_states import keep_states, states_of
from .movement import emit_shape_operation, fill
from .partials import partial_in_place
from .products import Products, for_product_alone
from .rolling import Rolled, fold
from .streams import STREAM_ROWS, RegionStreams
from .tiles import LocalTile, TileBuffers
from .write.program import write_program


class EmitPrograms(Pass, name="wse-emit-programs", anchor="builtin.module"):
    """Replaces `@main` by a fabric program: buffers, colours, routes, host transfers, and text for classes of PEs.

    Every operation becomes a fragment: what which PEs do, in instructions of the image. A linalg body is one
    `wse.vector` per scalar operation over the PE's own part; collectives, and products with `wse.algorithm`, are
    built by the library. Fragments put one after the other give the classes. Colours have no numbers yet, and
    buffers no addresses.

        %1 = linalg.generic {.., wse.iterators = ["y", "", "x"]} ins(%a, %b) outs(%fill) {mul, add}
        %2 = wse.reduce %1 {axis = "x", algorithm = "chain"}
    becomes, for PEs inside of a line at odd x
        func.func @main_x1to5by2_y0(%x: index, %y: index) {
            %c = wse.get_buffer @linear_2 ..
            wse.vector "fill" %c, 0.0
            wse.vector "fma" %c, %a, %b
            wse.relay @linear_c0_up0 -> @linear_c0_up1, own = %c, "add"
    """

    brief: int = option(
        0,
        "how scarce program text is: at 1 bytes of a role's count as cycles of collectives, above those of all roles",
        least=0,
    )
    keep_states: bool = option(True, "whether states stay on the PEs between calls, as far as they can")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        main = find_main(op)
        if "wse.rect" not in main.attributes:
            raise PassFailure(main, "@main is not distributed", hint="run wse-partition and wse-place first")
        with op.context:
            emitter = _Emitter(main, keeps_states=self.keep_states, brief=self.brief)
            emitter.collect()
            loops = emitter.roll()
            program = emitter.program()
            emitter.write(program)
            main.operation.erase()
        run.count("fragments", len(emitter.fragments))
        run.count("loops over equal stretches", loops)
        run.count("classes", len(program.classes))
        run.count("colours", len(program.colours))


# In the texts of all classes: with more of them, a PE has fewer texts of other PEs' roles.
_MANY_INSTRUCTIONS = 4 * MOST_INSTRUCTIONS

_LONG_TEXT = 5  # the part of the SRAM that text may take before routines are looked for


class _Emitter:
    def __init__(self, main: Any, *, keeps_states: bool = True, brief: int = 0) -> None:
        self.main = main
        self.keeps_states = keeps_states
        self.rect = read.rect(main.attributes["wse.rect"])
        self.mesh = mesh_of(main, self.rect)
        self.machine = read.string(main.attributes["wse.machine"])
        self.tiles = TileBuffers(self.mesh)
        machine = load_machine(self.machine)
        self.collectives = Collectives(self.tiles, machine, brief)
        self.long_text = machine.sram_available // _LONG_TEXT
        self.products = Products(self.tiles, self.collectives)
        self.streams = RegionStreams(self.tiles, machine)
        self.fragments: list[Fragment] = []
        self.scatters: list[HostTransfer] = []
        self.gathers: list[HostTransfer] = []
        self.locations: dict[Source, ir.Location] = {}
        self.phase = ""
        self.phase_colours: set[str] = set()
        self.most_colours = (
            len(machine.usable_colours) // 2
        )  # a phase's, so that those of the next one fit beside
        self.phases: dict[str, int] = {}  # how often each label began: a phase is one stretch of the program
        self.buffers: dict[str, Buffer] = {}
        self.of_trips: set[str] = set()
        self.built = 0  # fragments that the library made
        self.names = argument_attributes(main, "name", "")
        self.kinds = argument_attributes(main, "kind", "input")
        self.brought: dict[int, LocalTile] = {}  # tiles of arguments, by position
        self.returned: dict[int, tuple[ir.Value, LocalTile]] = {}  # values and tiles of results, by position

    # From operations to fragments

    def collect(self) -> None:
        """Fills fragments, tiles and host transfers."""
        for op in self.main.body.blocks[0].operations:
            name = op.operation.name
            if name == "func.return":
                self._finish(op)
            elif name != "wse.gather" and (is_node(op) and name not in NO_NODE):
                self._append(op, self._fragments_of(op))
        for scatter, place in self.products.from_host:
            number = ir.BlockArgument(scatter.operands[0]).arg_number
            resident = self._is_resident(number)
            self.scatters.append(place.transfer(number, self._source(scatter), resident=resident))
        if self.keeps_states:
            self._keep_states()

    def _keep_states(self) -> None:
        """States stay where they are, as far as they can; see `kept_states`."""
        kinds, names = (result_attributes(self.main, n, d) for n, d in (("kind", "output"), ("name", "")))
        states = states_of(self.kinds, self.names, kinds, names)
        copies = keep_states(states, self.brought, self.returned, self.scatters, self.gathers)
        if copies:
            self.fragments += on_all(self.mesh, [Phase("state"), *copies])

    def _append(self, op: Any, fragments: list[Fragment]) -> None:
        parts = [fragment for fragment in fragments if fragment.parts]
        if not parts:
            return
        source = self._source(op)
        self._enter(phase_label(op), {colour for fragment in parts for colour in fragment.colours}, source)
        self.fragments += [with_source(fragment, source) for fragment in parts]
        for scratch in (s for f in parts for s in f.scratch):
            self.tiles.buffers[scratch.name] = Buffer(scratch.name, -1, scratch.shape, scratch.dtype)

    def _enter(self, label: str, colours: set[str], source: Source) -> None:
        """Begins a phase for another label, or for colours that would be too many: it is phases that share numbers."""
        if label == self.phase and len(self.phase_colours | colours) <= self.most_colours:
            self.phase_colours |= colours
            return
        count = self.phases[label] = self.phases.get(label, 0) + 1
        name = label if count == 1 else f"{label} #{count}"
        self.fragments += on_all(self.mesh, [Phase(name, source)])
        self.phase, self.phase_colours = label, colours

    def _source(self, op: Any) -> Source:
        source = source_of(op)
        self.locations.setdefault(source, op.location)
        return source

    def _fragments_of(self, op: Any) -> list[Fragment]:
        name, hint = op.operation.name, self._hint(op)
        if ALGORITHM in op.attributes and name == "linalg.generic":
            return self.products.product_step(op, hint, self._prefix(hint))
        if name in COLLECTIVES:
            return self.collectives.emit(op, hint, self._prefix(hint))
        if name in STREAMS:
            return [self.streams.emit(op, hint)]
        return on_all(self.mesh, self._body_of(op, hint))

    def _body_of(self, op: Any, hint: str) -> list[Instruction]:
        """What every PE does for an operation without communication."""
        name = op.operation.name
        if name == "linalg.generic":
            if "wse.iterators" not in op.attributes:
                raise PassFailure(op, "this operation is not distributed", hint="run wse-partition first")
            loops = loops_of(op)
            partial = partial_in_place(op, loops, self.main)
            if partial is not None:
                self.tiles.alias(op.results[0], partial, read.layouts(op)[0].with_partial())
                return []
            changed = changed_in_place(op)
            return ComputeEmitter(op, loops, self.tiles, hint, self.collectives.machine, changed).run()
        if name == "wse.scatter":
            return self._scatter(op, hint)
        if name in RESHAPES + SLICES:
            (layout,) = read.layouts(op)
            if name in SLICES:
                changed = changed_in_place(op) if name == "tensor.insert_slice" else None
                return emit_shape_operation(op, layout, self.tiles, hint, changed)
            self.tiles.alias(op.results[0], op.operands[0], layout)
            return []
        raise PassFailure(op, f"'{name}' has no program yet")

    def _hint(self, op: Any) -> str:
        if op.operation.name == "wse.scatter" and isinstance(op.input.owner, ir.Block):
            number = ir.BlockArgument(op.input).arg_number
            return f"{self.kinds[number]}_{self.names[number]}"
        found = read_location(op.location)
        return found.module_path or found.operator.removeprefix("aten.") or op.operation.name.split(".")[1]

    def _prefix(self, hint: str) -> str:
        """What the names of one library fragment begin with."""
        self.built += 1
        return f"{self.tiles.clean(hint)}_c{self.built - 1}_"

    # From and to the host

    def _scatter(self, op: Any, hint: str) -> list[Instruction]:
        """An argument is brought in by the host, a tensor of one number is written by the PE itself."""
        if for_product_alone(op.result):
            return []
        tile = self.tiles.new(op.result, read.layout(op.layout, op.result.type), hint)
        if isinstance(op.input.owner, ir.Block):
            number = ir.BlockArgument(op.input).arg_number
            transfer = self._transfer(number, tile, everywhere(self.mesh), op)
            self.scatters.append(replace(transfer, resident=self._is_resident(number)))
            self.brought[number] = tile
            return []
        number = made_of(op.input)
        if number is None:
            raise PassFailure(
                op, "only arguments come from the host", hint="this is a defect of wse-partition"
            )
        return [fill(tile, number)]

    def _is_resident(self, argument: int) -> bool:
        return self.kinds[argument] in BOUND

    def _finish(self, terminator: Any) -> None:
        """Results leave from their tiles, those of products from where the library has them."""
        for position, value in enumerate(terminator.operands):
            if is_stream(value):  # a neighbour takes it
                continue
            gathered = value.owner.operands[0]
            if gathered in self.products.results:
                place = self.products.results[gathered]
                self.gathers.append(place.transfer(position, self._source(value.owner)))
                continue
            tile = self.tiles.by_value[gathered]
            self.returned[position] = gathered, tile
            where = tile.layout.owners
            self.gathers.append(self._transfer(position, tile, where, value.owner))

    def _transfer(self, tensor: int, tile: LocalTile, where: StridedRect, op: Any) -> HostTransfer:
        bounds, origin = tile.bounds(), tile.origin()
        return HostTransfer(tensor, where, bounds, origin, tile.whole(), source=self._source(op))

    # From fragments to IR

    def roll(self) -> int:
        """Makes loops of equal stretches of fragments; returns how many."""
        grid = (self.rect.w, self.rect.h)
        rolled = Rolled(grid, self.fragments, dict(self.tiles.buffers), self.scatters, self.gathers)
        loops = rolled.roll()
        self.fragments, self.buffers = rolled.fragments, rolled.buffers
        self.scatters, self.gathers, self.of_trips = rolled.scatters, rolled.gathers, rolled.of_trips
        return loops

    def program(self) -> Program:
        """The whole program, colours without numbers and buffers without addresses."""
        whole = in_classes(
            self.fragments,
            (self.rect.w, self.rect.h),
            most_instructions=_MANY_INSTRUCTIONS if self.collectives.brief else MOST_INSTRUCTIONS,
        )
        parts = whole.parts or on_all(self.mesh, [Phase("nothing")])[0].parts
        used = {name for part in parts for name in all_buffers(part.body)}
        used |= {transfer.access.buffer for transfer in (*self.scatters, *self.gathers)}
        arguments, results = self._specs()
        return Program(
            "program",
            (self.rect.w, self.rect.h),
            arguments,
            results,
            {name: buffer for name, buffer in self.buffers.items() if name in used},
            tuple(PEClass(class_name(part.where), part.where, fold(part.body)) for part in parts),
            dict.fromkeys(whole.colours, -1),
            whole.routes,
            tuple(self.scatters),
            tuple(self.gathers),
            positions=dict(whole.positions),
        )

    def write(self, program: Program) -> None:
        """Writes the program's symbols and functions in place of `@main`."""
        with ir.InsertionPoint(self.main), self.main.location:
            origin = (self.rect.x0, self.rect.y0)
            written = write_program(
                program, self.machine, origin=origin, locations=self.locations, long_text=self.long_text
            )
        for symbol in symbols(written.operation.parent, "wse.buffer"):
            if symbol.sym_name.value in self.of_trips:
                symbol.attributes[OF_TRIPS] = ir.UnitAttr.get()
        if self.streams.rows:
            written.attributes[STREAM_ROWS] = build.i64_array(self.streams.rows)
        if CHECKS in self.main.attributes:
            written.attributes[CHECKS] = self.main.attributes[CHECKS]
        constants = constant_values(self.main)
        if constants:
            written.attributes["wse.constants"] = ir.ArrayAttr.get(constants)

    def _specs(self) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        inputs = [
            (f"{kind}_{name or f'argument{i}'}", a.type)
            for i, (kind, name, a) in enumerate(
                zip(self.kinds, self.names, self.main.body.blocks[0].arguments, strict=True)
            )
        ]
        kinds, labels = (
            result_attributes(self.main, "kind", "output"),
            result_attributes(self.main, "name", ""),
        )
        described = zip(kinds, labels, self.main.type.results, strict=True)
        results = [(f"{kind}_{label or i}", t) for i, (kind, label, t) in enumerate(described)]
        shapes = (
            host_shapes(self.main, "argument", len(inputs)),
            host_shapes(self.main, "result", len(results)),
        )
        taken, given = (
            tuple(spec_of(*item, shape) for item, shape in zip(items, known, strict=True))
            for items, known in zip((inputs, results), shapes, strict=True)
        )
        return taken, given


def spec_of(name: str, tensor: ir.Type, host_shape: tuple[int, ...] = ()) -> TensorSpec:
    """A program's argument or result of a tensor's type; `host_shape`: see `TensorSpec`."""
    ranked = ir.RankedTensorType(tensor)
    dtype: Any = dtype_name(ranked.element_type)
    return TensorSpec(name, tuple(ranked.shape), dtype, host_shape)


def class_name(where: StridedRect) -> str:
    """A name that says where a class is: `x1to7by2_y0`."""
    names = []
    for axis, base, extent, step in zip("xy", where.base, where.extent, where.step, strict=True):
        many = f"to{base + (extent - 1) * step}" + (f"by{step}" if step > 1 else "") if extent > 1 else ""
        names.append(f"{axis}{base}{many}")
    return "_".join(names)


def phase_label(op: Any) -> str:
    """The phase an operation belongs to: its module's path and its operator."""
    if op.operation.name in STREAMS:  # in which a region may wait for its neighbours
        return op.operation.name.removeprefix("wse.")
    found = read_location(op.location)
    operator = found.operator or op.operation.name
    return f"{found.module_path}:{operator}" if found.module_path else operator
