"""What named linalg operations look like as generics: matchers, each of which returns a builder or None."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....dialects.affine.expressions import dim_position
from ....dialects.host import ir, linalg
from ....dialects.structured import PARALLEL, Structured, element_type, inline_body
from ..uniform import is_constant_scalar

Builder = Callable[[], Any]

_BINARY = {
    "arith.addf": linalg.add,
    "arith.addi": linalg.add,
    "arith.subf": linalg.sub,
    "arith.subi": linalg.sub,
    "arith.mulf": linalg.mul,
    "arith.muli": linalg.mul,
    "arith.divf": linalg.div,
    "arith.divsi": linalg.div,
    "arith.divui": linalg.div_unsigned,
    "arith.maximumf": linalg.max,
    "arith.maxsi": linalg.max,
    "arith.minimumf": linalg.min,
    "arith.minsi": linalg.min,
    "math.powf": linalg.powf,
}
_UNARY = {
    "math.exp": linalg.exp,
    "math.log": linalg.log,
    "math.absf": linalg.abs,
    "math.ceil": linalg.ceil,
    "math.floor": linalg.floor,
    "math.round": linalg.round,
    "math.sqrt": linalg.sqrt,
    "math.rsqrt": linalg.rsqrt,
    "math.tanh": linalg.tanh,
    "math.erf": linalg.erf,
    "arith.negf": linalg.negf,
}
_EXTENSIONS = frozenset({"arith.extf", "arith.extsi"})


def _dims(amap: ir.AffineMap) -> list[int] | None:
    """Positions of the plain dimensions that a map yields, or None when it yields anything else."""
    positions = [dim_position(e) for e in amap.results]
    return None if None in positions else [p for p in positions if p is not None]


def _result_order(view: Structured) -> list[int] | None:
    """For one output written by a permutation: the iterators in order of the result's dimensions."""
    if len(view.inits) != 1 or not view.is_elementwise():
        return None
    return _dims(view.init_maps[0])


def match_movement(view: Structured) -> Builder | None:
    """fill, copy, transpose, broadcast: bodies that only yield an input or a constant."""
    order = _result_order(view)
    if order is None or view.body_operations():
        return None
    (yielded,) = view.yielded
    (init,) = view.inits
    if is_constant_scalar(yielded) and not view.inputs:
        return lambda: linalg.fill(yielded, outs=[init])
    if len(view.inputs) != 1 or yielded != view.body.arguments[0]:
        return None
    (source,) = view.inputs
    if not isinstance(source.type, ir.RankedTensorType | ir.MemRefType):
        return lambda: linalg.fill(source, outs=[init])
    dims = _dims(view.input_maps[0])
    if dims is None:
        return None
    places = [order.index(d) for d in dims]  # result dimension of each input dimension
    if places == list(range(len(order))):
        return lambda: linalg.copy(source, outs=[init])
    if sorted(places) == list(range(len(order))):
        return lambda: linalg.transpose(
            source, outs=[init], permutation=[places.index(d) for d in range(len(order))]
        )
    if places == sorted(set(places)):
        added = [d for d in range(len(order)) if d not in places]
        return lambda: linalg.broadcast(source, outs=[init], dimensions=added)
    return None


def match_elementwise(view: Structured) -> Builder | None:
    """One scalar operation on operands that are all accessed as the result is."""
    order = _result_order(view)
    body = view.body_operations()
    if order is None or len(body) != 1 or list(view.yielded) != list(body[0].operation.results):
        return None
    if any(m != view.init_maps[0] for m in view.input_maps):
        return None
    arguments = list(view.body.arguments)
    operands = list(body[0].operation.operands)
    if any(v not in arguments[: len(view.inputs)] for v in operands):
        return None
    if set(operands) != set(arguments[: len(view.inputs)]):
        return None
    values = [view.inputs[arguments.index(v)] for v in operands]
    name = body[0].operation.name
    element = element_type(view.inits[0].type)
    if (
        any(element_type(v.type) != element for v in values)
        or not _is_number(element)
        or _has_fast_math(body)
    ):
        return None
    if name == "arith.mulf" and len(set(values)) == 1:
        return lambda: linalg.square(values[0], outs=[view.inits[0]])
    if name in _UNARY:
        return lambda: _UNARY[name](values[0], outs=[view.inits[0]])
    if name in _BINARY:
        return lambda: _BINARY[name](*values, outs=[view.inits[0]])
    return None


def _is_number(element: ir.Type) -> bool:
    """Floats and integers; on i1 named operations mean logic (add is or), on others they are not defined."""
    return isinstance(element, ir.FloatType) or (isinstance(element, ir.IntegerType) and element.width > 1)


def _has_fast_math(body: list[Any]) -> bool:
    """Whether a scalar operation allows more than its named form would say."""
    return any(
        "fastmath" in o.operation.attributes and "none" not in str(o.operation.attributes["fastmath"])
        for o in body
    )


def match_contraction(view: Structured) -> Builder | None:
    """matmul, batch_matmul, matvec, vecmat, dot: a sum of products, operands possibly widened first."""
    if len(view.inputs) != 2 or len(view.inits) != 1 or not _is_multiply_accumulate(view):
        return None
    dims = [_dims(m) for m in view.maps]
    if any(d is None or len(set(d)) != len(d) for d in dims):
        return None
    left, right, out = (d for d in dims if d is not None)
    reduced = [d for d, i in enumerate(view.iterators) if i != PARALLEL]
    if len(reduced) != 1 or reduced[0] not in left or reduced[0] not in right or reduced[0] in out:
        return None
    (k,) = reduced
    ranks = (len(left), len(right), len(out))
    inputs, inits = view.inputs, list(view.inits)
    if ranks == (1, 1, 0):
        return lambda: linalg.dot(*inputs, outs=inits)
    if ranks == (2, 1, 1) and left == [*out, k]:
        return lambda: linalg.matvec(*inputs, outs=inits)
    if ranks == (1, 2, 1) and right == [k, *out]:
        return lambda: linalg.vecmat(*inputs, outs=inits)
    batch = out[: len(out) - 2]
    if len(batch) > 1 or len(out) < 2 or left[: len(batch)] != batch or right[: len(batch)] != batch:
        return None
    m, n = out[-2:]
    if set(left) != {*batch, m, k} or set(right) != {*batch, k, n} or len(out) + 1 != len(view.iterators):
        return None
    build = linalg.batch_matmul if batch else linalg.matmul
    return lambda: build(
        *inputs, outs=inits, indexing_maps=_renumbered([left, right, out], [*batch, m, n, k])
    )


def _renumbered(dims: list[list[int]], order: list[int]) -> list[ir.AffineMap]:
    """Maps to the given iterators, numbered as named contractions number theirs (batch, m, n, k)."""
    count = len(order)
    return [ir.AffineMap.get(count, 0, [ir.AffineExpr.get_dim(order.index(d)) for d in one]) for one in dims]


def _is_multiply_accumulate(view: Structured) -> bool:
    body = [o.operation for o in view.body_operations()]
    a, b, accumulator = view.body.arguments
    if _has_fast_math(body) or not all(_is_number(x.type) for x in (a, b, accumulator)):
        return False
    widened: dict[ir.Value, ir.Value] = {}
    for op in body[:-2]:
        if op.name not in _EXTENSIONS or op.operands[0] not in (a, b):
            return False
        widened[op.operands[0]] = op.results[0]
    if len(body) < 2 or list(view.yielded) != list(body[-1].results):
        return False
    multiply, add = body[-2:]
    if (multiply.name, add.name) not in (("arith.mulf", "arith.addf"), ("arith.muli", "arith.addi")):
        return False
    factors, terms = list(multiply.operands), list(add.operands)
    product = multiply.results[0]
    return factors == [widened.get(a, a), widened.get(b, b)] and terms in (
        [accumulator, product],
        [product, accumulator],
    )


def match_reduction(view: Structured) -> Builder | None:
    """reduce: inputs read in loop order, outputs without the reduced dimensions, any body."""
    count = len(view.iterators)
    reduced = [d for d, i in enumerate(view.iterators) if i != PARALLEL]
    kept = [d for d in range(count) if d not in reduced]
    if not reduced or len(view.inputs) != len(view.inits):
        return None
    if any(_dims(m) != list(range(count)) for m in view.input_maps):
        return None
    if any(_dims(m) != kept for m in view.init_maps):
        return None
    if any(o.operation.name == "linalg.index" for o in view.body_operations()):
        return None
    pairs = zip(view.inputs, view.inits, strict=True)
    if any(element_type(a.type) != element_type(b.type) for a, b in pairs):
        return None
    return lambda: _build_reduce(view, reduced)


def _build_reduce(view: Structured, reduced: list[int]) -> Any:
    results = [v.type for v in view.inits] if len(view.op.results) else []
    op = linalg.ReduceOp(results, list(view.inputs), list(view.inits), reduced)
    types = [a.type for a in view.body.arguments]
    block = op.regions[0].blocks.append(*types, arg_locs=[view.op.location] * len(types))
    with ir.InsertionPoint(block):
        linalg.YieldOp(inline_body(view.body, list(block.arguments)))
    return op
