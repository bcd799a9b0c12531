"""Checks of what linalg operations carry at the logical stage: `wse.iterators`, `wse.layouts` and `wse.algorithm`."""

from ...wse_target.layout import AXES, WHOLE
from ..host import ir
from ..structured import Structured, dim_position, structured
from . import read
from .checks import check_algorithm, check_layout, strings
from .dialect import Invalid, listed, require

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
        if LAYOUTS in attributes:
            _check_layouts(op.operation.opview, attributes[LAYOUTS])
        if ITERATORS in attributes:
            _check_iterators(op, attributes[ITERATORS])
        if ALGORITHM in attributes:
            _check_algorithm(op, attributes[ALGORITHM])
        if LAYOUTS in attributes and ITERATORS in attributes:
            _check_agreement(op, read.strings(attributes[ITERATORS]), attributes[LAYOUTS])
    except Invalid as error:
        return f"'{op.operation.name}' {error}"
    return ""


def _check_layouts(op: ir.OpView, layouts: ir.Attribute) -> None:
    if not isinstance(layouts, ir.ArrayAttr):
        raise Invalid(f"has {LAYOUTS} = {layouts}; expected an array of #wse.layout, one per result")
    results = [value.type for value in op.operation.results]
    require(
        len(layouts) == len(results), f"has {len(layouts)} layouts; expected {len(results)}, one per result"
    )
    for position, (layout, result) in enumerate(zip(layouts, results, strict=True)):
        what = f"{LAYOUTS}[{position}]"
        require(
            getattr(layout, "attr_name", "") == "wse.layout", f"has {what} = {layout}; expected #wse.layout"
        )
        check_layout(op, layout, result, what)


def _check_iterators(op: ir.Operation | ir.OpView, iterators: ir.Attribute) -> None:
    if not isinstance(iterators, ir.ArrayAttr):
        raise Invalid(f"has {ITERATORS} = {iterators}; expected an array of grid axes, one per loop")
    axes = strings(iterators, ITERATORS)
    for axis in axes:
        require(
            axis in (*AXES, WHOLE),
            f"has unknown axis '{axis}' in {ITERATORS}; expected one of {listed((*AXES, WHOLE))}",
        )
    split = [axis for axis in axes if axis]
    require(len(set(split)) == len(split), f"splits two loops over one axis in {ITERATORS}: {list(axes)}")
    view = structured(op)
    if view is not None:
        loops = len(view.iterators)
        require(len(axes) == loops, f"has {len(axes)} axes in {ITERATORS}; expected {loops}, one per loop")


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


def _check_agreement(op: ir.Operation | ir.OpView, iterators: tuple[str, ...], layouts: ir.Attribute) -> None:
    """A result dimension that a loop walks is split as the loop is."""
    view: Structured | None = structured(op)
    if view is None:
        return
    for position, (amap, attribute) in enumerate(zip(view.init_maps, ir.ArrayAttr(layouts), strict=True)):
        axes = read.layout(attribute).axes
        for dim, expr in enumerate(amap.results):
            loop = dim_position(expr)
            if loop is None:
                continue
            require(
                axes[dim] == iterators[loop],
                f"splits loop {loop} over '{iterators[loop]}', but {LAYOUTS}[{position}] splits the dimension it "
                f"walks, {dim}, over '{axes[dim]}'; expected one axis",
            )
