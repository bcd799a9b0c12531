"""What the partitioner weighed: for each operation its alternatives with their predicted cycles."""

from collections.abc import Iterable, Sequence
from typing import Any

from .....dialects.provenance import describe_location
from .....wse_target.layout.tensor_layout import TensorLayout
from .....wse_target.layout.text import dimension_text
from ....infra.pass_base import PassRun
from ..nodes import Node, Option
from .grids import Searched
from .plan import Moves
from .problem import bytes_at_least
from .product_options import ProductOptions

_SHOWN = 8


def explain(run: PassRun, searched: Searched, products: ProductOptions) -> None:
    """Leaves a remark for the grid, and one for each operation.

    The remarks' data: "chosen" and "alternatives" (name and cycles each, cheapest first, redistribution of operands
    not counted), and "refused", the algorithms that cannot serve the operation, with the reason. For the grid
    "given_up", grids on which no plan can be better. For operations "source", the layouts that it "needs" (None where
    any will do) and "gives", and "bytes" that its operands, results and temporaries take on a PE; "moves", how operands
    got there: steps as name, cycles, "operand" by number, "source", where it was.
    """
    plan, problem = searched.plan, searched.problem
    tried = sorted(searched.tried, key=lambda p: p.cycles)
    grids = [_entry(p.mesh.rect.grid, p.cycles, bytes=p.peak) for p in tried]
    run.remark(
        None,
        f"grid {plan.mesh.rect.grid}, about {plan.cycles:.0f} cycles, {plan.peak} bytes a PE",
        chosen=_entry(plan.mesh.rect.grid, plan.cycles, bytes=plan.peak),
        alternatives=grids[:_SHOWN],
        given_up=searched.given_up,
    )
    for node, option, moves in zip(problem.nodes, plan.options, plan.moves, strict=True):
        had_choice = len(node.options) > 1 or option.algorithm
        refused = products.refusals(node.op, plan.mesh) if had_choice else ()
        _explain_node(run, node, option, moves, refused)


def _explain_node(
    run: PassRun, node: Node, option: Option, moves: Moves, refused: Sequence[tuple[str, str]]
) -> None:
    alternatives = sorted(node.options, key=lambda o: o.cycles)
    entries = list(_unique(_entry(describe(o), o.cycles) for o in alternatives))[:_SHOWN]
    others = ", ".join(f"{e['name']} {e['cycles']:.0f}" for e in entries if e["name"] != describe(option))
    run.remark(
        node.op,
        f"{describe(option)}, about {option.cycles:.0f} cycles"
        + (f"; instead of {others}" if others else ""),
        chosen=_entry(describe(option), option.cycles),
        alternatives=entries,
        refused=[{"name": name, "reason": reason} for name, reason in refused],
        source=describe_location(node.op.location),
        needs=[None if needed is None else _dimensions(needed) for needed in option.needs],
        gives=[_dimensions(given) for given in option.gives],
        bytes=bytes_at_least(node.op, option) + option.scratch,
        moves=[
            _entry(
                ", ".join(map(str, way.steps)) or "nothing",
                way.cycles,
                operand=position,
                source=_dimensions(way.source),
            )
            for position, way in sorted(moves.items())
        ],
    )


def _dimensions(layout: TensorLayout) -> str:
    """A layout without its mesh, which all of a plan share."""
    partial = "".join(f" partial {p.kind} over {' '.join(p.axes)}" for p in layout.partial)
    return f"[{', '.join(map(dimension_text, layout.dims))}]{partial}"


def describe(option: Option) -> str:
    """An option in a few words: its algorithm, or how its loops are split."""
    if option.algorithm:
        return option.algorithm
    split = _split(option.loops)
    cut = () if option.scattering is None else option.scattering.target.dims
    combined = ", ".join(
        sorted(
            {
                f"combined along {r.axis}" + (" in blocks" if any(r.axis in dim.axes for dim in cut) else "")
                for r in option.reductions
            }
        )
    )
    return f"{split}, {combined}" if combined else split


def _split(loops: TensorLayout | None) -> str:
    dims = () if loops is None else loops.dims
    parts = [f"loop {i} over {' '.join(dim.axes)}" for i, dim in enumerate(dims) if dim.axes]
    return "split " + ", ".join(parts) if parts else "on every PE alike"


def _entry(name: str, cycles: float, **more: Any) -> dict[str, Any]:
    return {"name": name, "cycles": cycles, **more}


def _unique(entries: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    seen: set[str] = set()
    for entry in entries:
        if entry["name"] not in seen:
            seen.add(entry["name"])
            yield entry
