"""Emission of the tensor, linalg, bufferization and arith operations."""

from __future__ import annotations

from typing import Any

from ....dialects.host import arith, ir, linalg, memref, scf
from ....dialects.structured import build_generic, clone_into
from ...infra.diagnostics import PassFailure
from . import layouts
from .emitter import Emitter, bufferizes
from .layouts import DYNAMIC
from .op_model import init_count, is_tensor, writes_of


@bufferizes("linalg")
def emit_linalg(e: Emitter, op: ir.Operation) -> None:
    """A structured operation: the same on buffers, its results being the buffers it wrote."""
    writes = writes_of(op)
    targets = {w.index: e.write_target(op, w) for w in writes}
    operands = [targets.get(i, e[v]) for i, v in enumerate(op.operands)]
    attributes = {name: op.attributes[name] for name in op.attributes}
    new = ir.Operation.create(op.name, [], operands, attributes=attributes, regions=len(op.regions))
    for old_region, region in zip(op.regions, new.regions, strict=True):
        for old_block in old_region.blocks:
            arguments = old_block.arguments
            block = region.blocks.append(
                *[a.type for a in arguments], arg_locs=[a.location for a in arguments]
            )
            e.values.update(zip(arguments, block.arguments, strict=True))
            with ir.InsertionPoint(block):
                for inner in old_block.operations:
                    e.emit(inner.operation)  # a body may read elements of other tensors
    first = len(op.operands) - init_count(op)
    for number, result in enumerate(op.results):
        e[result] = targets[first + number]


@bufferizes("arith.constant")
def emit_constant(e: Emitter, op: ir.Operation) -> None:
    """A tensor constant becomes a read-only global; scalars stay as they are."""
    if is_tensor(op.results[0]):
        e[op.results[0]] = e.globals(op)
    else:
        clone_into([op], e.values)


@bufferizes("tensor.empty", "bufferization.alloc_tensor")
def emit_empty(e: Emitter, op: ir.Operation) -> None:
    result = op.results[0]
    if op.name == "bufferization.alloc_tensor" and len(op.operands) > result.type.shape.count(DYNAMIC):
        source = op.operands[len(op.operands) - 1]
        e[result] = e.allocate(result, lambda: e.sizes(e[source]))
        e.copy_value(source, e[result])
        return
    e[result] = e.allocate(result, lambda: e.mixed(result.type.shape, list(op.operands)))


@bufferizes("tensor.dim", "tensor.rank")
def emit_dim(e: Emitter, op: ir.Operation) -> None:
    if op.name == "tensor.rank":
        e[op.results[0]] = e.index(op.operands[0].type.rank)
        return
    e[op.results[0]] = memref.dim(e[op.operands[0]], e[op.operands[1]])


@bufferizes("tensor.extract")
def emit_extract(e: Emitter, op: ir.Operation) -> None:
    source, *indices = op.operands
    e[op.results[0]] = memref.load(e[source], [e[i] for i in indices])


@bufferizes("tensor.insert")
def emit_insert(e: Emitter, op: ir.Operation) -> None:
    target = e.write_target(op, writes_of(op)[0])
    scalar, _, *indices = op.operands
    memref.store(e[scalar], target, [e[i] for i in indices])
    e[op.results[0]] = target


@bufferizes("tensor.extract_slice")
def emit_extract_slice(e: Emitter, op: ir.Operation) -> None:
    e[op.results[0]] = _slice(e, op, e[op.operands[0]], list(op.results[0].type.shape))


def insertion_window(e: Emitter, op: ir.Operation) -> tuple[ir.Value, ir.Value]:
    """(source, window of the destination) of a `tensor.parallel_insert_slice`."""
    source, target = op.operands[0], e[op.operands[1]]
    return e[source], _slice(e, op, target, list(source.type.shape))


@bufferizes("tensor.insert_slice")
def emit_insert_slice(e: Emitter, op: ir.Operation) -> None:
    """Writes the source into a window of the destination; nothing to do if it was computed there."""
    source = op.operands[0]
    target = e.write_target(op, writes_of(op)[0])
    e.copy_value(source, _slice(e, op, target, list(source.type.shape)))
    e[op.results[0]] = target


def _slice(e: Emitter, op: ir.Operation, buffer: ir.Value, shape: list[int]) -> ir.Value:
    view: Any = op.opview
    return e.subview(
        buffer,
        e.mixed(view.static_offsets, view.offsets),
        e.mixed(view.static_sizes, view.sizes),
        e.mixed(view.static_strides, view.strides),
        shape,
    )


@bufferizes("tensor.cast")
def emit_cast(e: Emitter, op: ir.Operation) -> None:
    source, kind = e[op.operands[0]], op.results[0].type
    old = source.type
    if not isinstance(kind, ir.RankedTensorType) or not isinstance(old, ir.MemRefType):
        raise PassFailure(op, "unranked tensors are not supported", hint="give the tensor a rank")
    layout = None if layouts.is_identity(old) else old.layout
    e[op.results[0]] = e.cast(source, ir.MemRefType.get(list(kind.shape), kind.element_type, layout))


def _view(op: ir.Operation) -> Any:
    """The operation with its named accessors, which the bindings' types do not know."""
    return op.opview


def _groups(op: ir.Operation) -> list[list[int]]:
    return [
        [ir.IntegerAttr(i).value for i in ir.ArrayAttr(group)]
        for group in ir.ArrayAttr(op.attributes["reassociation"])
    ]


@bufferizes("tensor.expand_shape")
def emit_expand_shape(e: Emitter, op: ir.Operation) -> None:
    result, groups, old = op.results[0], _groups(op), _view(op)
    shape, source = list(result.type.shape), e[op.operands[0]]
    original = e.before_reshape(source, "collapse", op.attributes["reassociation"], result.type)
    if original is not None:
        e[result] = original
        return
    kind = layouts.expanded_type(ir.MemRefType(source.type), groups, shape)
    if kind is None:
        source = e.contiguous(source)
        kind = layouts.buffer_type(result.type)
    sizes = [e[v] for v in old.output_shape]
    attribute = op.attributes["reassociation"]
    view = memref.ExpandShapeOp(kind, source, attribute, sizes, old.static_output_shape).result
    e[result] = e.view_of(view, source, ("expand", attribute, *shape))


@bufferizes("tensor.collapse_shape")
def emit_collapse_shape(e: Emitter, op: ir.Operation) -> None:
    result, groups = op.results[0], _groups(op)
    source = e[op.operands[0]]
    original = e.before_reshape(source, "expand", op.attributes["reassociation"], result.type)
    if original is not None:
        e[result] = original
        return
    kind = layouts.collapsed_type(ir.MemRefType(source.type), groups, list(result.type.shape))
    if kind is None:
        source = e.contiguous(source)
        kind = layouts.buffer_type(result.type)
    attribute = op.attributes["reassociation"]
    view = memref.CollapseShapeOp(kind, source, attribute).result
    e[result] = e.view_of(view, source, ("collapse", attribute))


@bufferizes("tensor.reshape")
def emit_reshape(e: Emitter, op: ir.Operation) -> None:
    source, shape = e.contiguous(e[op.operands[0]]), e.contiguous(e[op.operands[1]])
    view = memref.ReshapeOp(layouts.buffer_type(op.results[0].type), source, shape).result
    e[op.results[0]] = e.view_of(view, source, ("reshape", shape))


@bufferizes("tensor.splat")
def emit_splat(e: Emitter, op: ir.Operation) -> None:
    scalar, *sizes = op.operands
    result = op.results[0]
    e[result] = e.allocate(result, lambda: e.mixed(result.type.shape, sizes))
    e.fill(e[scalar], e[result])


@bufferizes("tensor.from_elements")
def emit_from_elements(e: Emitter, op: ir.Operation) -> None:
    result = op.results[0]
    target = e[result] = e.allocate(result)
    shape = list(result.type.shape)
    for number, element in enumerate(op.operands):
        indices = []
        for size in reversed(shape):
            indices.insert(0, number % size)
            number //= size
        memref.store(e[element], target, [e.index(i) for i in indices])


@bufferizes("tensor.generate")
def emit_generate(e: Emitter, op: ir.Operation) -> None:
    result = op.results[0]
    e[result] = e.allocate(result, lambda: e.mixed(result.type.shape, list(op.operands)))
    _fill_by_body(e, op.regions[0].blocks[0], e[result])


@bufferizes("tensor.pad")
def emit_pad(e: Emitter, op: ir.Operation) -> None:
    """Fills the result with the padding and copies the source into its middle."""
    view: Any = op.opview
    result = op.results[0]
    source = e[view.source]
    low = e.mixed(view.static_low, view.low)
    high = e.mixed(view.static_high, view.high)

    def sizes() -> list[int | ir.Value]:
        parts = zip(low, e.sizes(source), high, strict=True)
        return [_add(e, _add(e, a, b), c) for a, b, c in parts]

    e[result] = target = e.allocate(result, sizes)
    body = op.regions[0].blocks[0]
    padding = list(body.operations)[-1].operands[0]
    if padding in e.values:
        e.fill(e[padding], target)
    else:
        _fill_by_body(e, body, target)
    window = e.subview(target, low, e.sizes(source), [1] * len(low), list(view.source.type.shape))
    e.copy_value(view.source, window)


def _add(e: Emitter, a: int | ir.Value, b: int | ir.Value) -> int | ir.Value:
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    return arith.addi(e.index(a), e.index(b))


def _fill_by_body(e: Emitter, body: ir.Block, target: ir.Value) -> None:
    """Computes every element from its indices by the block's code, which may read other tensors."""
    rank = ir.MemRefType(target.type).rank

    def element(_: ir.Value) -> list[ir.Value]:
        for dim, argument in enumerate(body.arguments):
            e[argument] = linalg.IndexOp(dim).result
        terminator = e.emit_block(body)
        return [e[terminator.operands[0]]]

    build_generic([], [target], [ir.AffineMap.get_identity(rank)], ["parallel"] * rank, element)


@bufferizes("tensor.concat")
def emit_concat(e: Emitter, op: ir.Operation) -> None:
    dim, result = _view(op).dim.value, op.results[0]
    parts = [e.sizes(e[v]) for v in op.operands]
    total: int | ir.Value = 0
    starts = []
    for part in parts:
        starts.append(total)
        total = _add(e, total, part[dim]) if total != 0 else part[dim]
    whole = [total if d == dim else size for d, size in enumerate(parts[0])]
    e[result] = target = e.allocate(result, lambda: whole)
    for value, sizes, start in zip(op.operands, parts, starts, strict=True):
        offsets = [start if d == dim else 0 for d in range(len(sizes))]
        e.copy_value(value, e.subview(target, offsets, sizes, [1] * len(sizes), list(value.type.shape)))


@bufferizes("arith.select")
def emit_select(e: Emitter, op: ir.Operation) -> None:
    """A choice between two whole tensors copies the chosen one."""
    condition, left, right = op.operands
    if not is_tensor(op.results[0]):
        clone_into([op], e.values)
        return
    if is_tensor(condition):
        raise PassFailure(
            op, "'arith.select' by element on tensors cannot be put on buffers",
            hint="run convert-elementwise-to-linalg first",
        )  # fmt: skip
    e[op.results[0]] = target = e.allocate(op.results[0], lambda: e.sizes(e[left]))
    choice: Any = scf.IfOp(e[condition], has_else=True)
    for block, value in ((choice.then_block, left), (choice.else_block, right)):
        with ir.InsertionPoint(block):
            e.copy_value(value, target)
            scf.YieldOp([])


@bufferizes("bufferization.materialize_in_destination")
def emit_materialize(e: Emitter, op: ir.Operation) -> None:
    source, target = op.operands
    if is_tensor(target):
        buffer = e.write_target(op, writes_of(op)[0])
        e[op.results[0]] = buffer
    else:
        buffer = e[target]
    e.copy_value(source, buffer)


@bufferizes("bufferization.to_buffer")
def emit_to_buffer(e: Emitter, op: ir.Operation) -> None:
    e[op.results[0]] = e.cast(e[op.operands[0]], op.results[0].type)


@bufferizes("bufferization.dealloc_tensor")
def emit_dealloc_tensor(e: Emitter, op: ir.Operation) -> None:
    """Nothing: the pass places deallocations itself."""
