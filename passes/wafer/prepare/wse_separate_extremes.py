"""`wse-separate-extremes`: what the greatest element is comes first, and where it is afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from ....dialects.affine.maps import identity_maps
from ....dialects.host import arith, ir, linalg, tensor
from ....dialects.structured import (
    PARALLEL,
    REDUCTION,
    Structured,
    build_generic,
    element_type,
    replace_op,
    structured,
)
from ...infra.pass_base import Pass, PassRun
from ...tensor.traversal import collect
from ..scalars.body import dtype_name
from ..scalars.reduction_form import is_neutral
from ..scalars.splat import splat_of

# What combines elements -> (the wafer's name of it, the comparison that lets a later element win)
_EXTREMES = {
    "arith.maximumf": ("max", "arith.cmpf ugt"),
    "arith.minimumf": ("min", "arith.cmpf ult"),
    "arith.maxsi": ("max", "arith.cmpi sgt"),
    "arith.minsi": ("min", "arith.cmpi slt"),
}
_LAST = 2**31 - 1


class SeparateExtremes(Pass, name="wse-separate-extremes", anchor="func.func"):
    """Makes two reductions of one that carries an element and its position: parts of each may be combined in any order.

        %m, %p = linalg.generic {["parallel", "reduction"]} ins(%x) outs(%lowest, %zero) {
          %greatest = arith.maximumf %e, %best
          %wins = arith.cmpf ugt, %e, %best  // and %best is no NaN
          %place = arith.select %wins, linalg.index 1, %at
          linalg.yield %greatest, %place
        }
    becomes
        %m = linalg.generic ins(%x) outs(%lowest) { arith.maximumf }
        %p = linalg.generic ins(%x, %m) outs(%last) {
          %here = arith.ori (arith.cmpf oeq, %e, %best), (arith.cmpf uno, %e, %e)
          %place = arith.select %here, linalg.index 1, %last
          %first = arith.minsi %place, %at
          linalg.yield %first
        }

    The first of equal elements is found, and the first NaN if there is one.
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for found in collect(op, lambda inner: inner.name == "linalg.generic"):
            view = structured(found)
            search = None if view is None else _search(view)
            if view is None or search is None:
                continue
            with found.location, ir.InsertionPoint(found):
                made = _separated(view, search)
            replace_op(found, made)
            run.count("extremes separated")


@dataclass(frozen=True)
class _Search:
    """The name of the operation that combines elements, and the loop whose index is kept."""

    combining: str
    loop: int


def _search(view: Structured) -> _Search | None:
    """What a generic looks for; None where it does anything else."""
    reductions = [d for d, kind in enumerate(view.iterators) if kind == REDUCTION]
    if (
        len(view.inputs) != 1
        or len(view.inits) != 2
        or len(reductions) != 1
        or not _is_plain(view, reductions[0])
    ):
        return None
    element, best, at = view.body.arguments
    combining, chosen = (value.owner for value in view.yielded)
    if isinstance(combining, ir.Block) or isinstance(chosen, ir.Block) or chosen.name != "arith.select":
        return None
    known = _EXTREMES.get(combining.name)
    if known is None or set(combining.operands) != {element, best}:
        return None
    condition, place, kept = chosen.operands
    kind, comparison = known
    if kept != at or not _is_index(place, reductions[0]) or not _wins(condition, element, best, comparison):
        return None
    lowest, zero = splat_of(view.inits[0]), splat_of(view.inits[1])
    name = dtype_name(element_type(view.inits[0].type))
    if lowest is None or zero != 0 or name == "i1" or not is_neutral(kind, lowest, name):
        return None  # of bits, the lesser one is the one that is set
    return _Search(combining.name, reductions[0])


def _is_plain(view: Structured, loop: int) -> bool:
    """Whether all elements of static, non-empty lines are read, and each line has a result."""
    dims = list(ir.AffineMap.get_identity(len(view.iterators)).results)
    lines = dims[:loop] + dims[loop + 1 :]
    kind = ir.RankedTensorType(view.inputs[0].type)
    whole, *results = view.maps
    if list(whole.results) != dims or any(list(m.results) != lines for m in results):
        return False
    return kind.has_static_shape and 0 < kind.shape[loop] < _LAST


def _is_index(value: ir.Value, loop: int) -> bool:
    owner = value.owner
    if isinstance(owner, ir.Block) or owner.name != "arith.index_cast":
        return False
    inner = owner.operands[0].owner
    return (
        not isinstance(inner, ir.Block)
        and inner.name == "linalg.index"
        and ir.IntegerAttr(inner.attributes["dim"]).value == loop
    )


def _wins(condition: ir.Value, element: ir.Value, best: ir.Value, comparison: str) -> bool:
    """Whether an element is greater, or the first NaN; `ogt` takes no NaN, and is another search."""
    owner = condition.owner
    if isinstance(owner, ir.Block):
        return False
    if isinstance(element.type, ir.IntegerType):
        return _compares(condition, element, best) == comparison
    if owner.name != "arith.andi":
        return False
    above, ordered = owner.operands
    return (
        _compares(above, element, best) == comparison and _compares(ordered, best, best) == "arith.cmpf ord"
    )


def _compares(value: ir.Value, left: ir.Value, right: ir.Value) -> str:
    """The name of a comparison of two values, "" where it is none."""
    owner = value.owner
    if isinstance(owner, ir.Block) or list(owner.operands) != [left, right]:
        return ""
    names = {"arith.cmpf": arith.CmpFPredicate, "arith.cmpi": arith.CmpIPredicate}
    if owner.name not in names:
        return ""
    return f"{owner.name} {names[owner.name](ir.IntegerAttr(owner.attributes['predicate']).value)}"


def _separated(view: Structured, search: _Search) -> list[ir.Value]:
    whole, lines, _ = view.maps

    def extreme(element: ir.Value, best: ir.Value) -> list[ir.Value]:
        return [ir.Operation.create(search.combining, results=[best.type], operands=[element, best]).result]

    source, start = view.inputs[0], view.inits[0]
    found = build_generic([source], [start], [whole, lines], view.iterators, extreme).results[0]
    i32 = ir.IntegerType.get_signless(32)
    last = arith.constant(i32, _LAST)
    shape = list(ir.RankedTensorType(start.type).shape)
    places = linalg.fill(last, outs=[tensor.EmptyOp(shape, i32).result])

    def first(element: ir.Value, best: ir.Value, at: ir.Value) -> list[ir.Value]:
        index = arith.index_cast(i32, linalg.IndexOp(search.loop).result)
        if isinstance(element.type, ir.IntegerType):
            here = arith.cmpi(arith.CmpIPredicate.eq, element, best)
        else:
            here = arith.cmpf(arith.CmpFPredicate.OEQ, element, best)
            here = arith.ori(here, arith.cmpf(arith.CmpFPredicate.UNO, element, element))
        return [arith.minsi(arith.select(here, index, last), at)]

    maps = [whole, lines, lines]
    position = build_generic([source, found], [places], maps, view.iterators, first).results[0]
    return [found, _widened(position, element_type(view.inits[1].type))]


def _widened(positions: ir.Value, wanted: ir.Type) -> ir.Value:
    """Positions in the type that is asked for."""
    kind = ir.RankedTensorType(positions.type)
    width = ir.IntegerType(wanted).width
    if width == 32:
        return positions
    empty = tensor.EmptyOp(list(kind.shape), wanted).result
    cast = arith.extsi if width > 32 else arith.trunci
    maps, loops = identity_maps(kind.rank, 2), [PARALLEL] * kind.rank
    return build_generic([positions], [empty], maps, loops, lambda place, _: [cast(wanted, place)]).results[0]
