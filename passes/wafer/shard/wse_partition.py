"""The pass `wse-partition`: chooses the grid and how each operation is split over it."""

from collections.abc import Sequence
from typing import Any, Literal

from ....dialects.host import ir
from ....dialects.wse import build
from ....wse_target.layout.mesh import Mesh
from ....wse_target.layout.tensor_layout import Partial, TensorLayout
from ....wse_target.machine_file import load_machine
from ...infra.diagnostics import CompilerError, PassFailure
from ...infra.pass_base import Pass, PassRun, option
from ..algorithms.algorithm import operations
from ..communicate import Movement
from ..emit.kept_states import homes, way_home
from ..levers import Demand
from ..prepare.tables import rebind
from ..scalars.splat import made_of
from ..too_large import TooLarge
from .choice.explanation import explain
from .choice.grids import search
from .choice.plan import Moves, Plan
from .choice.problem import Problem, bytes_at_least
from .choice.product_options import ProductOptions
from .cost import CostModel
from .interface_attributes import BOUND, arguments_named
from .layout_rules import grid_mesh
from .lowering import is_node, is_stream, require_lowering
from .main_function import find_main, prepare
from .nodes import Option, bytes_of, dtype_of, only_returned, shape_of


class Partition(Pass, name="wse-partition", anchor="builtin.module"):
    """Distributes `@main` over a grid of PEs and makes all communication explicit.

    Each `linalg.generic` gets `wse.iterators`, how its loops are split over the grid's axes, and `wse.layouts`, the
    layout of each result. Arguments come in through `wse.scatter`, results leave through `wse.gather`, operands that
    are needed in another layout go through `wse.redistribute`, and the partial values of a reduction that is split
    through `wse.all_reduce`. An operation that names axes in `wse.iterators` already is split as it asks.

        %0 = linalg.generic {... ["parallel", "parallel", "reduction"]} ins(%x, %w) outs(%fill) {..}
        return %0
    becomes
        %x1 = wse.scatter %x {"[y:4/2, x:4/8] on .."}
        %w1 = wse.scatter %w {"[-, x:4/8] on .."}
        %0 = linalg.generic {..., wse.iterators = "[y:4/2, -, x:4/8] on ..",
                             wse.layouts = ["[y:4/2, -] on .., partial add over x"]} ins(%x1, %w1) outs(%fill) {..}
        %1 = wse.all_reduce %0 {axis = "x", kind = "add"}
        %2 = wse.gather %1
        return %2
    """

    machine: str = option("tiny", "machine whose costs and limits count: a name or a path to a .toml file")
    grid: str = option("", "WIDTHxHEIGHT in PEs; chosen by cost when empty")
    within: str = option(
        "", "WIDTHxHEIGHT in PEs that a grid is chosen within; all of the machine's when empty"
    )

    algorithm: str = option(
        "", "name{option=value ...} that every matrix product uses; chosen by cost when empty"
    )
    brief: bool = option(False, "whether program text is scarce, and ways with little of it are taken")
    effort: Literal["", "high"] = option("", "'high' takes more time for plans that a quick search misses")
    sram_share: int = option(90, "per cent of a PE's SRAM that the plan may fill with data", least=1)

    def run(self, op: ir.Operation, run: PassRun) -> None:
        machine = load_machine(self.machine)
        cost = CostModel(machine, self.sram_share / 100, self.brief)
        main = find_main(op)
        width, height = machine.grid
        if self.within:
            most = parse_grid(self.within, width, height).rect
            width, height = most.w, most.h
        prepare(main)
        for inner in reversed(list(main.body.blocks[0].operations)):
            require_lowering(inner)
        meshes = [parse_grid(self.grid, width, height)] if self.grid else []
        for_products = self.algorithm and set(operations(self.algorithm)) & {"matmul", "matvec"}
        forced_for_products = self.algorithm if for_products else ""
        kinds = arguments_named(main)
        free = frozenset(i for i, kind in enumerate(kinds) if kind in BOUND)
        with op.context, op.location:
            combining = bool(self.algorithm) and not forced_for_products
            products = ProductOptions(machine, forced_for_products, combining)
            searched = search(
                main, meshes, (width, height), cost, free, products, is_thorough=self.effort == "high"
            )
            plan, problem = searched.plan, searched.problem
            if plan.peak > cost.sram:
                raise _does_not_fit(main, plan, problem, cost, width * height)
            explain(run, searched, products)
            rewriter = _Rewriter(main, plan, cost, "" if forced_for_products else self.algorithm)
            rewriter.run()
            main.attributes["wse.machine"] = ir.StringAttr.get(self.machine)
            main.attributes["wse.rect"] = build.rect(plan.mesh.rect)
        run.count("operations distributed", len(problem.nodes))
        run.count("PEs", plan.mesh.rect.size)


def parse_grid(text: str, width: int, height: int) -> Mesh:
    """Reads "WIDTHxHEIGHT"; raises `CompilerError` when malformed or larger than the machine."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(p.isdigit() and int(p) > 0 for p in parts):
        raise CompilerError(f"grid '{text}' is not of the form WIDTHxHEIGHT", hint="e.g. grid=8x8")
    columns, rows = int(parts[0]), int(parts[1])
    if columns > width or rows > height:
        raise CompilerError(
            f"grid {columns}x{rows} does not fit the machine, which gives {width}x{height} PEs to a program",
            hint="choose a smaller grid or a larger machine",
        )
    return grid_mesh(columns, rows)


def _does_not_fit(main: Any, plan: Plan, problem: Problem, cost: CostModel, available: int) -> TooLarge:
    others = plan.peak - plan.resident
    message = (
        f"the model does not fit the SRAM: {plan.resident} (parameters) + {others} (activations and "
        f"temporaries) = {plan.peak} B a PE > {cost.sram} B, on a grid of {plan.mesh.rect.grid} PEs"
    )
    wide = int(plan.peak * _wide_share(plan, problem))
    chosen = zip(problem.nodes, plan.options, strict=True)
    largest = max(bytes_at_least(node.op, option) + option.scratch for node, option in chosen)
    demand = Demand(plan.resident, others, wide, plan.mesh.rect.size, available, cost.sram, largest)
    return TooLarge(
        main,
        message,
        demand.levers(),
        needed=plan.peak,
        available=int(cost.sram),
        helped_by_turns=plan.resident > others,
    )


def _wide_share(plan: Plan, problem: Problem) -> float:
    """Which part of the bytes of a plan's values are f32."""
    held = [
        (dtype_of(value), bytes_of(value, layout))
        for node, option in zip(problem.nodes, plan.options, strict=True)
        for value, layout in zip((*node.operands, *node.results), (*option.needs, *option.gives), strict=True)
        if layout is not None
    ]
    return sum(size for dtype, size in held if dtype == "f32") / max(sum(size for _, size in held), 1)


def _partial(chosen: Option, result: int) -> list[Partial]:
    """What has to be combined before a result is there."""
    return [Partial(r.kind, tuple(r.axis.split())) for r in chosen.reductions if r.result == result]


class _Rewriter:
    """Writes a plan into the IR."""

    def __init__(self, main: Any, plan: Plan, cost: CostModel, algorithm: str) -> None:
        self.main = main
        self.plan = plan
        self.cost = cost
        self.algorithm = algorithm
        self.versions: dict[ir.Value, dict[TensorLayout, ir.Value]] = {}

    def whole(self, value: ir.Value) -> TensorLayout:
        return TensorLayout.whole(shape_of(value), self.plan.mesh)

    def run(self) -> None:
        block = self.main.body.blocks[0]
        planned = zip(self.plan.options, self.plan.moves, strict=True)
        nodes = [op for op in block.operations if is_node(op)]
        places = iter(range(len(nodes)))
        for op in list(block.operations):
            if is_node(op):
                self.move_early(nodes, next(places))
                self.distribute(op, *next(planned))
            elif op.operation.name == "func.return":
                self.finish(op)
            elif op.operation.name.startswith("linalg."):
                self.leave_whole(op)

    def leave_whole(self, op: Any) -> None:
        """A tensor of one number, which each PE can make up: no axis has a part in it."""
        layouts = [self.whole(result) for result in op.results]
        op.attributes["wse.iterators"] = build.layout(layouts[0])
        op.attributes["wse.layouts"] = ir.ArrayAttr.get([build.layout(layout) for layout in layouts])

    def move_early(self, nodes: Sequence[Any], at: int) -> None:
        """Copies what later operations want of larger versions in front of the one at `at`."""
        for reader, position in self.plan.early.get(at, ()):
            op, move = nodes[reader], self.plan.moves[reader][position]
            part, held = move.narrowed, self.versions[op.operands[position]]
            if part is not None and part not in held:
                with ir.InsertionPoint(nodes[at]), op.location:
                    steps = move.texts[: move.copies]
                    held[part] = build.redistribute(held[move.source], move.source, part, steps=steps)

    def distribute(self, op: Any, chosen: Option, moves: Moves) -> None:
        """Brings operands into place, marks the operation, and combines partial results after it."""
        with ir.InsertionPoint(op), op.location:
            for position, needed in enumerate(chosen.needs):
                if position in chosen.brought and needed is not None:
                    op.operation.operands[position] = build.scatter(op.operands[position], needed)
                elif needed is not None:
                    op.operation.operands[position] = self.version(
                        op.operands[position], needed, moves.get(position)
                    )
        rebind(op)
        if chosen.algorithm:
            op.attributes["wse.algorithm"] = ir.StringAttr.get(chosen.algorithm)
        elif chosen.loops is not None:
            op.attributes["wse.iterators"] = build.layout(chosen.loops)
        layouts = [given.with_partial(*_partial(chosen, index)) for index, given in enumerate(chosen.gives)]
        if chosen.scattering is not None:
            layouts[chosen.reductions[0].result] = chosen.scattering.source
        op.attributes["wse.layouts"] = ir.ArrayAttr.get([build.layout(layout) for layout in layouts])
        self.reduce(op, chosen)

    def reduce(self, op: Any, chosen: Option) -> None:
        """Combines partial results after an operation, on all PEs or in blocks."""
        after = ir.InsertionPoint.after(op)
        for index, (result, wanted) in enumerate(zip(op.results, chosen.gives, strict=True)):
            value: ir.Value = result
            consumers = [(use.owner, use.operand_number) for use in result.uses]
            left = _partial(chosen, index)
            with after, op.location:
                if left and chosen.scattering is not None:
                    way = chosen.scattering
                    value, left = build.redistribute(value, way.source, wanted, steps=way.texts), []
                combine = build.reduce if only_returned(result) else build.all_reduce
                while left:
                    axis, kind = " ".join(left[0].axes), left.pop(0).kind
                    value = combine(value, axis, kind, wanted.with_partial(*left), algorithm=self.algorithm)
            if value != result:
                for owner, number in consumers:
                    owner.operation.operands[number] = value
            self.versions[value] = {wanted: value}

    def version(self, value: ir.Value, needed: TensorLayout, move: Movement | None = None) -> ir.Value:
        """`value` in the layout that is asked for, at the current insertion point; by `move` if it has to move."""
        held = self.versions.setdefault(value, {})
        if needed not in held:
            is_argument = isinstance(value.owner, ir.Block)
            if is_argument and move is None:
                held[needed] = build.scatter(value, needed)
            elif not held:
                held[needed] = self.materialise(value, needed)
            else:
                assert move is not None, "the plan knows the same layouts"
                begin, steps, part = move.source, move.texts, move.narrowed
                if part is not None and part in held:
                    begin, steps = part, steps[move.copies :]
                held[needed] = build.redistribute(held[begin], begin, needed, steps=steps)
        return held[needed]

    def materialise(self, value: ir.Value, needed: TensorLayout) -> ir.Value:
        """A tensor of one number, or of any, which each PE can write for itself."""
        if made_of(value) is None:
            raise PassFailure(value.owner, "this value is never distributed")  # type: ignore[arg-type]
        return build.scatter(value, needed)

    def finish(self, terminator: Any) -> None:
        """Hands results to the host, next values of states in the layout of the present ones where that can be."""
        states, free = homes(self.main), int(self.cost.sram) - self.plan.peak
        with ir.InsertionPoint(terminator), terminator.location:
            for position, value in enumerate(terminator.operands):
                if is_stream(value):  # a neighbour takes it, and not the host
                    continue
                held = self.versions.get(value, {})
                layout = next(iter(held)) if held else self.whole(value)
                home = self.versions.get(states[position], {}) if position in states else {}
                way = way_home(value, layout, home, self.cost, free)
                layout = way.target if way is not None else layout
                with value.owner.location if not isinstance(value.owner, ir.Block) else terminator.location:
                    gathered = build.gather(self.version(value, layout, way), layout)
                terminator.operation.operands[position] = gathered
