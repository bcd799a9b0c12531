"""Checks of `wse.vector`."""

from typing import Any, get_args

from ...dialects.affine.maps import map_dims
from ...wse_target.instructions import Schedule
from ...wse_target.kinds import ACCUMULATES, ARITY, COMPARISONS
from ..host import ir
from . import read
from .access_checks import check_access, check_bounds
from .checks import maps, one_of
from .dialect import Invalid, require
from .indexed_checks import indexed_chain, unmoved

SCHEDULES: tuple[str, ...] = get_args(Schedule)
COPIES = "wse.copies"  # of a `wse.vector`: PEs that compute the same elements, where there are several
# Kinds that widen narrower floating-point sources to the destination's type, as the PE's datapath does.
WIDENS = frozenset({"fma", "add"})


def check_vector(op: Any) -> None:
    """Everything about a `wse.vector`."""
    kind = one_of(op.kind, "kind", tuple(ARITY))
    one_of(op.schedule, "schedule", SCHEDULES)
    copies = op.operation.attributes.get(COPIES, None)
    require(
        copies is None or (isinstance(copies, ir.IntegerAttr) and copies.value > 0),
        f"has {COPIES} = {copies}; expected how many PEs compute the same, an integer of 1 or more",
    )
    scalars = list(op.scalars)
    arity = ARITY[kind]
    require(len(scalars) == arity, f"has {len(scalars)} sources; expected {arity} for '{kind}'")
    for item in scalars:
        require(
            isinstance(item, ir.UnitAttr | ir.FloatAttr | ir.IntegerAttr | ir.BoolAttr),
            f"has scalar {item}; expected 'unit' for a memref, or a number",
        )
    for position, source in enumerate((op.source0, op.source1, op.source2)):
        memref = position < arity and isinstance(scalars[position], ir.UnitAttr)
        require(
            (source is not None) == memref,
            f"has {'no' if memref else 'a'} memref for source {position}; "
            f"expected {'one' if memref else 'none'}, as its entry in scalars says",
        )
    memrefs = [value.type for value in op.buffers]
    expected = len(memrefs)
    symbols = len(op.symbols)
    loops = check_bounds(op.bounds, symbols)
    accesses = maps(op.maps, "maps")
    require(len(accesses) == expected, f"has {len(accesses)} maps; expected {expected}, one per memref")
    for position, (access, memref) in enumerate(zip(op.maps, memrefs, strict=True)):
        check_access(access, loops, symbols, memref, f"map {position}")
    for value in op.buffers:
        for moved in indexed_chain(value):
            dims = moved.map.value.n_dims
            require(
                dims == loops,
                f"has an operand whose numbers take {dims} loops; expected {loops}, one per bound",
            )
    _check_source_types(kind, scalars, memrefs)
    _check_accumulation(op, kind, accesses)


def _check_source_types(kind: str, scalars: list[ir.Attribute], memrefs: list[ir.Type]) -> None:
    target, *rest = (ir.MemRefType(memref).element_type for memref in memrefs)
    elements = iter(rest)
    sources = [next(elements) if isinstance(item, ir.UnitAttr) else None for item in scalars]
    if kind == "convert":
        return
    if kind == "select":
        require(sources[0] in (None, ir.IntegerType.get_signless(1)), "expects a condition of i1")
        sources = sources[1:]
    if kind in COMPARISONS:
        require(str(target) == "i1", f"writes {target}; expected i1 from a comparison")
        target = rest[0] if rest else target
    for source in sources:
        if source is None or source == target or (kind in WIDENS and _narrower_float(source, target)):
            continue
        raise Invalid(f"reads {source} for '{kind}' on {target}; expected {target} (use 'convert')")


def _narrower_float(source: ir.Type, target: ir.Type) -> bool:
    widths = {"f16": 16, "bf16": 16, "f32": 32, "f64": 64}
    return widths.get(str(source), 99) < widths.get(str(target), 0)


def _check_accumulation(op: Any, kind: str, accesses: tuple[ir.AffineMap, ...]) -> None:
    """A loop that the destination's access does not use accumulates, which only some kinds may do."""
    used = map_dims(accesses[0])
    for moved in indexed_chain(op.buffers[0]):
        used |= map_dims(moved.map.value)
    one = ir.AffineMap.get(0, len(op.symbols), [ir.AffineConstantExpr.get(1)])
    repeated = [d for d, bound in enumerate(read.maps(op.bounds)) if d not in used and bound != one]
    if not repeated or kind == "fma":
        return
    require(
        kind in ACCUMULATES,
        f"writes the same element in every step of loop {repeated[0]}, which '{kind}' cannot",
    )
    own = isinstance(op.scalars[0], ir.UnitAttr) and _same_buffer(op.buffers[0], op.buffers[1])
    require(
        own and accesses[1] == accesses[0],
        f"accumulates over loop {repeated[0]}; expected the destination as first source, with the same map",
    )


def _same_buffer(left: ir.Value, right: ir.Value) -> bool:
    """Whether two memrefs are one value, or two reads of one `wse.buffer`, moved alike."""
    if left == right:
        return True
    moved = [list(indexed_chain(value)) for value in (left, right)]
    if len(moved[0]) != len(moved[1]):
        return False
    if not all(_moved_alike(a, b) for a, b in zip(*moved, strict=True)):
        return False
    names = []
    for value in map(unmoved, (left, right)):
        owner = value.owner
        if isinstance(owner, ir.Block) or owner.name != "wse.get_buffer":
            return False
        names.append(owner.attributes["buffer"])
    return names[0] == names[1]


def _moved_alike(left: Any, right: Any) -> bool:
    """Whether two `wse.indexed` move what they are given in one way."""
    fields = ("map", "size", "origin", "stride", "partial")
    same = all(getattr(left, name) == getattr(right, name) for name in fields)
    return same and list(left.symbols) == list(right.symbols) and _same_buffer(left.numbers, right.numbers)
