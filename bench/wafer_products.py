"""Products inside of models beside the same products alone: `bench/wafer.py --products`.

Every operation of a model is a phase of its own here, so that a product's cycles can be told from those of others: by
how much its last PE ends after the last PE of all that was before, with what brings its operands to it. Alone it is
planned by itself on the same grid, for the same types, until its last PE ends; its operands come from the host then in
the layout that it likes best, and its result is left where the host takes it from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import wse_mlir
from wse_mlir.dialects.host import func, ir
from wse_mlir.dialects.provenance import Provenance, make_location, read_location
from wse_mlir.dialects.structured import clone_into, outer_operands, structured
from wse_mlir.frontend.imported import ImportedModel, import_model
from wse_mlir.frontend.interface import find_main
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.passes.wafer.scalars.splat import made_of
from wse_mlir.passes.wafer.shard.nodes import analyse
from wse_mlir.runtime.wafer.target import pipeline_before

PLANNING = "partition"


@dataclass(frozen=True)
class ProductRow:
    """A product of a model.

    Attributes:
        sizes: of its loops, with a star at those that it sums over.
        inside / alone: cycles.
        moving: those of `inside` that were planned for bringing its operands to it.
    """

    name: str
    sizes: str
    inside: float
    moving: float
    alone: float

    @property
    def ratio(self) -> float:
        """Cycles inside of the model for each cycle alone."""
        return self.inside / self.alone


def product_rows(
    model: Any, args: tuple[Any, ...], target: str, options: Mapping[str, Any]
) -> tuple[str, list[ProductRow]]:
    """The grid of a model's plan, and its products.

    Args:
        options: of the target; the grid is the planner's choice when not given.
    """
    imported = import_model(model, args)
    run_pipeline(imported.module, pipeline_before(PLANNING, target, options, "canonicalize"))
    operations = [op for op in find_main(imported.module).regions[0].blocks[0].operations if structured(op)]
    names = [read_location(op.location) for op in operations]
    products = {number: _alone(op) for number, op in enumerate(operations) if is_product(op)}
    for number, op in enumerate(operations):
        op.operation.location = make_location(Provenance(operator=f"operation {number}"), imported.context)
    sizes = {number: _sizes(operations[number]) for number in products}
    report = _estimate(imported, target, options)
    (grid,) = (c["chosen"]["name"] for c in report["choices"] if c["message"].startswith("grid "))
    ends, rows = _ends(report), []
    moves = {c["source"]: sum(m["cycles"] for m in c["moves"]) for c in report["choices"] if "moves" in c}
    for number, single in products.items():
        name = f"operation {number}"
        inside = ends[name] - max((ends.get(f"operation {n}", 0.0) for n in range(number)), default=0.0)
        alone = _estimate(single, target, {**options, "grid": grid})["cycles"]["makespan"]
        moving = next(cycles for source, cycles in moves.items() if source.endswith(f"({name})"))
        rows.append(ProductRow(str(names[number]), sizes[number], inside, moving, alone))
    return grid, rows


def is_product(op: Any) -> bool:
    """Whether an operation sums products of two tensors."""
    view = structured(op)
    if view is None or len(view.inputs) != 2 or len(view.inits) != 1:
        return False
    found = analyse(op).accumulations[0]
    return found is not None and found.factors is not None


def line_of(row: ProductRow) -> str:
    """A product for people."""
    cells = "".join(f"{cycles:>10,.0f}" for cycles in (row.inside, row.moving, row.alone))
    return f"  {row.name:<50}{row.sizes:<28}{cells}{row.ratio:>8.2f}"


def heading() -> str:
    """The names of the columns of `line_of`."""
    return f"  {'product':<50}{'loops':<28}{'inside':>10}{'(moving)':>10}{'alone':>10}{'ratio':>8}"


def _estimate(model: ImportedModel, target: str, options: Mapping[str, Any]) -> dict[str, Any]:
    return wse_mlir.estimate(model, target=target, since=PLANNING, critical_path=False, **options)


def _ends(report: Mapping[str, Any]) -> dict[str, float]:
    """When the last PE ends with each operation; phases of one are `name`, `name #2`, ..."""
    found: dict[str, float] = {}
    for phase in report["phases"]:
        name = phase["name"].split(" #")[0]
        found[name] = max(found.get(name, 0.0), phase["end"])
    return found


def _sizes(op: Any) -> str:
    view = structured(op)
    assert view is not None
    kinds = zip(view.fixed_sizes(), view.iterators, strict=True)
    return " ".join(f"{size}{'*' if kind == 'reduction' else ''}" for size, kind in kinds)


def _alone(op: Any) -> ImportedModel:
    """A product as a model; numbers, and tensors filled with one, are made in it, all else is an argument."""
    helpers: dict[Any, None] = {}
    needed: dict[ir.Value, None] = {}

    def require(value: ir.Value) -> None:
        if isinstance(value.type, ir.RankedTensorType) and made_of(value) is None:
            needed.setdefault(value)
            return
        maker: Any = value.owner
        for operand in outer_operands(maker.operation):
            require(operand)
        helpers.setdefault(maker)

    for value in outer_operands(op.operation):
        require(value)
    results = list(op.operation.results)
    with op.operation.context, op.location:
        module = ir.Module.create()
        kind = ir.FunctionType.get([v.type for v in needed], [v.type for v in results])
        with ir.InsertionPoint(module.body):
            function = func.FuncOp("main", kind)
        block = function.add_entry_block()
        with ir.InsertionPoint(block):
            mapping = clone_into([*helpers, op], dict(zip(needed, block.arguments, strict=True)))
            func.ReturnOp([mapping[v] for v in results])
    return import_model(str(module))
