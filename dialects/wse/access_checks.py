"""Checks of bounds, accesses and the fields of PE operations."""

from typing import Any, get_args

from ...wse_target.image import Schedule
from ...wse_target.kinds import ACCUMULATES, ARITY
from ..host import ir
from . import read
from .checks import check_element_type, integer, maps, one_of
from .dialect import Invalid, require

COMBINES = ("store", "add", "mul", "max", "min")
SCHEDULES: tuple[str, ...] = get_args(Schedule)
COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
# Kinds that widen narrower floating-point sources to the destination's type, as the PE's datapath does.
WIDENS = frozenset({"fma", "add"})


def check_bounds(bounds: ir.Attribute, symbols: int, what: str = "bounds") -> int:
    """Maps `()[symbols] -> (a, ..)`, at least one result each; returns how many loops they make."""
    values = maps(bounds, what)
    for bound in values:
        if bound.n_dims:
            raise Invalid(f"has dimensions in {what}: {bound}; expected symbols only")
        _check_symbols(bound, symbols, what)
        if not len(bound.results):
            raise Invalid(f"has a map without results in {what}; expected at least one")
        for result in bound.results:
            _check_quasi_affine(result, what)
    return len(values)


def check_number(number: ir.Attribute, symbols: int, what: str) -> None:
    """A map `()[symbols] -> (a)`."""
    amap = ir.AffineMapAttr(number).value
    if amap.n_dims or len(amap.results) != 1:
        raise Invalid(f"has {what} {amap}; expected a map of the symbols with one result")
    _check_symbols(amap, symbols, what)
    _check_quasi_affine(amap.results[0], what)


def check_access(
    access: ir.Attribute, loops: int, symbols: int, memref: ir.Type | None, what: str
) -> ir.AffineMap:
    """A map from `loops` dimensions to the memref's indices, linear in the dimensions.

    The dimensions' coefficients are constants because they become a descriptor's strides.
    """
    amap = ir.AffineMapAttr(access).value
    if amap.n_dims != loops:
        raise Invalid(f"has {amap.n_dims} dimensions in {what} {amap}; expected {loops}, one per bound")
    _check_symbols(amap, symbols, what)
    if memref is not None:
        rank = ir.MemRefType(memref).rank
        count = len(amap.results)
        if count != rank:
            raise Invalid(f"has {count} results in {what} {amap}; expected {rank}, the memref's rank")
        check_element_type(ir.MemRefType(memref).element_type, "a memref")
    for result in amap.results:
        _check_quasi_affine(result, what)
    return amap


def _check_symbols(amap: ir.AffineMap, symbols: int, what: str) -> None:
    if amap.n_symbols != symbols:
        count = amap.n_symbols
        raise Invalid(f"has {count} symbols in {what} {amap}; expected {symbols}, one per symbol operand")


def _check_quasi_affine(expr: ir.AffineExpr, what: str) -> bool:
    """Checks linearity in dimensions and constant factors and divisors; returns whether it uses dimensions."""
    if not isinstance(expr, ir.AffineBinaryExpr):
        return isinstance(expr, ir.AffineDimExpr)
    left = _check_quasi_affine(expr.lhs, what)
    right = _check_quasi_affine(expr.rhs, what)
    if isinstance(expr, ir.AffineAddExpr):
        return left or right
    constant = isinstance(expr.rhs, ir.AffineConstantExpr) or (
        isinstance(expr, ir.AffineMulExpr) and isinstance(expr.lhs, ir.AffineConstantExpr)
    )
    if not constant:
        raise Invalid(f"is not affine in {what}: {expr}; expected a constant factor or divisor")
    if not isinstance(expr, ir.AffineMulExpr):
        require(not left, f"divides a loop index in {what}: {expr}; expected indices with constant strides")
    return left or right


def check_combine(combine: ir.StringAttr) -> str:
    """How arriving elements meet what is there."""
    return one_of(combine, "combine", COMBINES)


def check_thread(thread: ir.Attribute) -> None:
    """0 is the main thread, 1 and up are microthreads."""
    value = integer(thread, "thread")
    require(value >= 0, f"has thread {value}; expected 0 (main) or a microthread, 1 and up")


def check_vector(op: Any) -> None:
    """Everything about a `wse.vector`."""
    kind = one_of(op.kind, "kind", tuple(ARITY))
    one_of(op.schedule, "schedule", SCHEDULES)
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
    used = _used_dims(accesses[0])
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


def _used_dims(amap: ir.AffineMap) -> set[int]:
    used: set[int] = set()
    pending = list(amap.results)
    while pending:
        expr = pending.pop()
        if isinstance(expr, ir.AffineDimExpr):
            used.add(expr.position)
        elif isinstance(expr, ir.AffineBinaryExpr):
            pending += [expr.lhs, expr.rhs]
    return used


def _same_buffer(left: ir.Value, right: ir.Value) -> bool:
    """Whether two memrefs are one value, or two reads of one `wse.buffer`."""
    if left == right:
        return True
    names = []
    for value in (left, right):
        owner = value.owner
        if isinstance(owner, ir.Block) or owner.name != "wse.get_buffer":
            return False
        names.append(owner.attributes["buffer"])
    return names[0] == names[1]


def check_relay(op: Any) -> None:
    """Everything about a `wse.relay`."""
    symbols = len(op.symbols)
    loops = check_bounds(op.bounds, symbols)
    memrefs = [value for value in (op.own, op.destination) if value is not None]
    accesses = maps(op.maps, "maps")
    require(
        len(accesses) == len(memrefs),
        f"has {len(accesses)} maps; expected {len(memrefs)}, for own and destination as far as given",
    )
    for position, (access, memref) in enumerate(zip(op.maps, memrefs, strict=True)):
        check_access(access, loops, symbols, memref.type, f"map {position}")
    elements = {str(ir.MemRefType(memref.type).element_type) for memref in memrefs}
    require(len(elements) <= 1, f"mixes element types: {', '.join(sorted(elements))}")
    combine = check_combine(op.combine)
    if op.own is None:
        require(combine == "store", f"combines by '{combine}' without 'own'; expected 'store'")
    else:
        require(combine != "store", "has 'own', but combines by 'store', which ignores it")
    check_thread(op.thread)
