"""An operation writes its result where a copy would take it, and broadcasts come after what they repeat."""

from __future__ import annotations

from typing import Any

from .....dialects.affine.expressions import dim_position, keep_dims
from .....dialects.affine.maps import compose_map, loops_inferable, map_dims, select_results
from .....dialects.host import ir, tensor
from .....dialects.reshapes import reassociation
from .....dialects.structured import (
    PARALLEL,
    Structured,
    build_generic,
    element_type,
    inline_body,
    rebuild_generic,
    replace_op,
    structured,
)
from ....infra.pass_base import PassRun
from ...contraction.form import contraction_form
from ...effects import is_dead
from ...uniform import uniform_scalar
from .read_chain import shape_of
from .reads import fresh_init
from .views import open_part


def absorb_write(copy: Structured, run: PassRun) -> bool:
    """Makes the only producer of a permuting copy write the permuted result itself."""
    if not _is_permutation(copy):
        return False
    _cancel_views(copy)
    copy = structured(copy.op) or copy
    if _uses(copy.inputs[0]) != 1:
        return False
    producer = None if isinstance(copy.inputs[0].owner, ir.Block) else structured(copy.inputs[0].owner)
    if producer is None or len(producer.inits) != 1 or not producer.init_maps[0].is_projected_permutation:
        return False
    if producer.op.operation.block != copy.op.operation.block:
        return False
    updates = producer.reads(len(producer.inputs))
    if updates and uniform_scalar(producer.inits[0]) is None:
        return False
    order = _source_dims(copy)
    old = producer.init_maps[0]
    form = contraction_form(producer)
    if form is not None and dim_position(old.results[order[-1]]) != form.column:
        return False  # its vectors run along the innermost dimension
    written = ir.AffineMap.get(old.n_dims, 0, [old.results[d] for d in order])
    with ir.InsertionPoint(producer.op), producer.op.location:
        source = producer.inits[0]
        shape = shape_of(source)
        sizes = [open_part(source, d, 1) if (s := shape[d]) is None else s for d in order]
        init = fresh_init(source, sizes, updates)
        op = rebuild_generic(producer, inits=[init], maps=[*producer.input_maps, written])
    replace_op(copy.op, op.results)
    producer.op.operation.erase()
    run.count("copies absorbed")
    return True


def _cancel_views(copy: Structured) -> None:
    """Lets a copy read a value that was collapsed and expanded again to what it was."""
    outer: Any = copy.inputs[0].owner
    inner: Any = outer.src.owner if isinstance(outer, tensor.ExpandShapeOp) else None
    if not isinstance(inner, tensor.CollapseShapeOp) or inner.src.type != outer.result.type:
        return
    if reassociation(inner) != reassociation(outer):
        return
    copy.op.operation.operands[0] = inner.src
    for op in (outer, inner):
        if is_dead(op.operation):
            op.operation.erase()


def _is_permutation(view: Structured) -> bool:
    return (
        view.is_copy()
        and len(view.inputs) == len(view.inits) == 1
        and isinstance(view.inputs[0].type, ir.RankedTensorType)
        and view.input_maps[0].is_permutation
        and view.init_maps[0].is_permutation
    )


def transposition(op: Any) -> list[int] | None:
    """For each dimension of a permuting copy's result the dimension of its source; None when it is no such copy."""
    view = structured(op)
    return (
        None if view is None or not len(view.op.results) or not _is_permutation(view) else _source_dims(view)
    )


def _source_dims(copy: Structured) -> list[int]:
    """For each dimension of a copy's result the dimension of its source."""
    source = [dim_position(e) for e in copy.input_maps[0].results]
    return [source.index(dim_position(e)) for e in copy.init_maps[0].results]


def _uses(value: ir.Value) -> int:
    return sum(1 for _ in value.uses)


def drop_plain_copy(copy: Structured, run: PassRun) -> bool:
    """Removes a copy that moves nothing."""
    if not _is_permutation(copy) or copy.input_maps[0] != copy.init_maps[0]:
        return False
    if copy.inputs[0].type != copy.op.results[0].type:
        return False
    replace_op(copy.op, [copy.inputs[0]])
    run.count("copies absorbed")
    return True


def delay_broadcast(view: Structured, run: PassRun) -> bool:
    """Splits an elementwise operation that computes the same several times: once, and then a broadcasting copy."""
    if len(view.inits) != 1 or not view.is_elementwise() or view.is_copy() or view.reads(len(view.inputs)):
        return False
    if not view.inputs or not view.body_operations():
        return False
    repeated = _repeated_iterators(view)
    if not repeated or len(repeated) == len(view.iterators):
        return False
    kept = [i for i in range(len(view.iterators)) if i not in repeated]
    if not _loops_known(view, kept):
        return False
    written = view.init_maps[0]
    kept_dims = [d for d, e in enumerate(written.results) if dim_position(e) in kept]
    renamed = keep_dims(kept, len(view.iterators))
    with ir.InsertionPoint(view.op), view.op.location:
        init = view.inits[0]
        shape = shape_of(init)
        sizes = [open_part(init, d, 1) if (s := shape[d]) is None else s for d in kept_dims]
        once = build_generic(
            view.inputs,
            [tensor.empty(sizes, element_type(init.type))],
            [compose_map(m, renamed) for m in (*view.input_maps, select_results(written, kept_dims))],
            [PARALLEL] * len(kept),
            lambda *scalars: inline_body(view.body, scalars),
            location=view.op.location,
        )
        rank = len(shape)
        identity = ir.AffineMap.get_identity(rank)
        maps = [select_results(identity, kept_dims), identity]
        copy = build_generic([once.results[0]], [init], maps, [PARALLEL] * rank, lambda x, _: [x])
    replace_op(view.op, copy.results)
    run.count("broadcasts delayed")
    return True


def _repeated_iterators(view: Structured) -> list[int]:
    """Iterators that no input and no index in the body depends on."""
    if any(_holds_index(op) for op in view.body_operations()):
        return []
    used = set().union(*map(map_dims, view.input_maps))
    sizes = view.loop_sizes()
    return [i for i in range(len(view.iterators)) if i not in used and sizes[i] != 1]


def _holds_index(op: Any) -> bool:
    return op.operation.name == "linalg.index" or len(op.operation.regions) > 0


def _loops_known(view: Structured, kept: list[int]) -> bool:
    maps = [compose_map(m, keep_dims(kept, len(view.iterators))) for m in view.input_maps]
    written = [dim_position(e) for e in view.init_maps[0].results if dim_position(e) in kept]
    return len(written) == len(kept) or loops_inferable(maps, len(kept))
