"""Checks of bounds, accesses, and the fields of transfers."""

from typing import Any

from ...dialects.affine.expressions import constant_value, dim_position, fold
from ..host import ir
from .checks import check_element_type, integer, maps, one_of
from .dialect import Invalid, require

COMBINES = ("store", "add", "mul", "max", "min")


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

    def check(part: ir.AffineBinaryExpr, left: bool, right: bool) -> bool:
        if isinstance(part, ir.AffineAddExpr):
            return left or right
        is_product = isinstance(part, ir.AffineMulExpr)
        if constant_value(part.rhs) is None and not (is_product and constant_value(part.lhs) is not None):
            raise Invalid(f"is not affine in {what}: {part}; expected a constant factor or divisor")
        if not is_product:
            require(
                not left, f"divides a loop index in {what}: {part}; expected indices with constant strides"
            )
        return left or right

    return fold(expr, lambda leaf: dim_position(leaf) is not None, check)


def check_combine(combine: ir.StringAttr) -> str:
    """How arriving elements meet what is there."""
    return one_of(combine, "combine", COMBINES)


def check_thread(thread: ir.Attribute) -> None:
    """0 is the main thread, 1 and up are microthreads."""
    value = integer(thread, "thread")
    require(value >= 0, f"has thread {value}; expected 0 (main) or a microthread, 1 and up")


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
