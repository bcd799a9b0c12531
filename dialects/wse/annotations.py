"""Checks of what linalg operations carry at the logical stage: `wse.iterators`, `wse.layouts` and `wse.algorithm`."""

from ...wse_target.errors import TargetError
from ...wse_target.layout.tensor_layout import TensorLayout
from ...wse_target.layout.text import dimension_text
from ..affine.expressions import dim_position
from ..host import ir
from ..structured import Structured, structured
from . import read
from .attributes import LayoutAttr
from .checks import check_algorithm, check_layout, strings
from .dialect import Invalid, require

ITERATORS = "wse.iterators"
LAYOUTS = "wse.layouts"
ALGORITHM = "wse.algorithm"


def verify_annotations(module: ir.Module | ir.Operation) -> list[tuple[ir.Operation, str]]:
    """The operations below `module` whose annotations are wrong, each with what is wrong and what is expected.

    Operations without annotations are passed over; that some must have them is for a stage's contract to say.
    """
    found: list[tuple[ir.Operation, str]] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        wrong = annotation_error(op.operation)
        if wrong:
            found.append((op.operation, wrong))
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit, ir.WalkOrder.PRE_ORDER)
    return found


def annotation_error(op: ir.Operation | ir.OpView) -> str:
    """What is wrong with one operation's annotations, or ""."""
    attributes = op.operation.attributes
    try:
        layouts = _check_layouts(op.operation.opview, attributes[LAYOUTS]) if LAYOUTS in attributes else []
        loops = _check_iterators(op, attributes[ITERATORS]) if ITERATORS in attributes else None
        if ALGORITHM in attributes:
            _check_algorithm(op, attributes[ALGORITHM])
        if loops is not None:
            _check_agreement(op, loops, layouts)
    except Invalid as error:
        return f"'{op.operation.name}' {error}"
    return ""


def _check_layouts(op: ir.OpView, layouts: ir.Attribute) -> list[TensorLayout]:
    if not isinstance(layouts, ir.ArrayAttr):
        raise Invalid(f"has {LAYOUTS} = {layouts}; expected an array of #wse.layout, one per result")
    results = [value.type for value in op.operation.results]
    require(
        len(layouts) == len(results), f"has {len(layouts)} layouts; expected {len(results)}, one per result"
    )
    found = []
    for position, (layout, result) in enumerate(zip(layouts, results, strict=True)):
        what = f"{LAYOUTS}[{position}]"
        require(isinstance(layout, LayoutAttr), f"has {what} = {layout}; expected #wse.layout")
        found.append(check_layout(op, layout, result, what))
    return found


def _check_iterators(op: ir.Operation | ir.OpView, iterators: ir.Attribute) -> TensorLayout | None:
    """Where the loops are, as far as that is settled: before it is, sub-axes may be named for them."""
    view = structured(op)
    if isinstance(iterators, LayoutAttr):
        if view is None:
            return None
        try:
            return read.layout(iterators, view.fixed_sizes())
        except TargetError as error:
            raise Invalid(f"has {ITERATORS} that are no layout of its loops: {error.message}") from None
    if not isinstance(iterators, ir.ArrayAttr):
        raise Invalid(
            f"has {ITERATORS} = {iterators}; expected #wse.layout of its loops, or an axis for each"
        )
    axes = strings(iterators, ITERATORS)
    named = [name for split in axes for name in split.split()]
    unknown = next((name for name in named if name not in ("x", "y")), None)
    require(unknown is None, f"has unknown axis '{unknown}' in {ITERATORS}; expected 'x', 'y', 'x y' or ''")
    require(len(set(named)) == len(named), f"splits two loops over one axis in {ITERATORS}: {list(axes)}")
    if view is not None:
        loops = len(view.iterators)
        require(len(axes) == loops, f"has {len(axes)} axes in {ITERATORS}; expected {loops}, one per loop")
    return None


def _check_algorithm(op: ir.Operation | ir.OpView, algorithm: ir.Attribute) -> None:
    """An algorithm of the library computes the operation as a whole: its loops are split by nothing else."""
    if not isinstance(algorithm, ir.StringAttr) or not algorithm.value:
        raise Invalid(f"has {ALGORITHM} = {algorithm}; expected the form name{{option=value ...}}")
    check_algorithm(algorithm)
    attributes = op.operation.attributes
    require(
        ITERATORS not in attributes,
        f"has both {ALGORITHM} and {ITERATORS}; expected the algorithm alone, which splits the loops itself",
    )
    require(LAYOUTS in attributes, f"has {ALGORITHM} without {LAYOUTS}; expected where its result lives")


def _check_agreement(op: ir.Operation | ir.OpView, loops: TensorLayout, layouts: list[TensorLayout]) -> None:
    """A result dimension that a loop walks is cut as the loop is."""
    view: Structured | None = structured(op)
    if view is None:
        return
    for position, (amap, layout) in enumerate(zip(view.init_maps, layouts, strict=True)):
        for dim, expr in enumerate(amap.results):
            loop = dim_position(expr)
            if loop is None:
                continue
            cut, held = loops.dims[loop], layout.dims[dim]
            require(
                cut == held,
                f"has loop {loop} cut as {dimension_text(cut)}, but {LAYOUTS}[{position}] the dimension it walks, "
                f"{dim}, as {dimension_text(held)}; expected one",
            )
