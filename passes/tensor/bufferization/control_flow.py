"""Emission of structured control flow: loops keep their carried tensors in one buffer, nothing is yielded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dialects.host import ir, scf
from ...infra.diagnostics import PassFailure
from .emitter import Emitter, bufferizes, copy_attributes
from .layouts import DYNAMIC
from .op_model import is_tensor, loop_inits, writes_of
from .tensor_ops import insertion_window

_BOUNDS = ("operandSegmentSizes", "staticLowerBound", "staticUpperBound", "staticStep")


def _scalars(values: Sequence[ir.Value]) -> list[ir.Value]:
    return [v for v in values if not is_tensor(v)]


def _loop_targets(e: Emitter, op: ir.Operation) -> dict[int, ir.Value]:
    """The buffer of each carried tensor, by operand index; known inside the body and after the loop."""
    writes = {w.index: w for w in writes_of(op)}
    targets = {}
    for index, argument, result in loop_inits(op):
        if index in writes:
            targets[index] = e.write_target(op, writes[index])
            e[argument] = e[result] = targets[index]
    return targets


def _carry(e: Emitter, op: ir.Operation, yielded: Sequence[ir.Value], first: int) -> None:
    """Brings what the body yields into the carried buffers, all at once."""
    pairs = []
    for position, value in enumerate(yielded):
        if is_tensor(value):
            argument = next(a for i, a, _ in loop_inits(op) if i == first + position)
            if not value.type.has_static_shape and not _keeps_shape(e, value, argument):
                raise PassFailure(
                    op,
                    f"a loop carries '{value.type}' and its size may change from one iteration to the next",
                    hint="give the tensor a static shape",
                )
            pairs.append((value, e[argument]))
    e.copy_all([(e[value], target) for value, target in pairs])


def _keeps_shape(e: Emitter, value: ir.Value, argument: ir.Value) -> bool:
    """Whether `value` has the sizes of `argument`: it comes from it through destinations."""
    while value != argument:
        tied = e.analysis.tied_operand(value)
        if tied is None:
            return False
        value = tied[1]
    return True


@bufferizes("scf.for")
def emit_for(e: Emitter, op: ir.Operation) -> None:
    lower, upper, step, *inits = op.operands
    _loop_targets(e, op)
    loop = scf.ForOp(e[lower], e[upper], e[step], [e[v] for v in _scalars(inits)])
    copy_attributes(op, loop, skip=_BOUNDS)
    body = op.regions[0].blocks[0]
    arguments = [body.arguments[0], *_scalars(list(body.arguments)[1:])]
    for old, new in zip(arguments, loop.body.arguments, strict=True):
        e[old] = new
    with ir.InsertionPoint(loop.body):
        terminator = e.emit_block(body)
        with terminator.location:
            _carry(e, op, list(terminator.operands), 3)
            scf.YieldOp([e[v] for v in _scalars(terminator.operands)])
    for old, new in zip(_scalars(op.results), loop.results, strict=True):
        e[old] = new


@bufferizes("scf.forall")
def emit_forall(e: Emitter, op: ir.Operation) -> None:
    view: Any = op.opview
    targets = _loop_targets(e, op)
    written = {argument: targets[index] for index, argument, _ in loop_inits(op)}
    for index, argument, _ in loop_inits(op):
        if (op, index) in e.analysis.snapshots:
            e[argument] = e[op.operands[index]]
    bounds = [
        e.mixed(view.staticLowerBound, view.dynamicLowerBound),
        e.mixed(view.staticUpperBound, view.dynamicUpperBound),
        e.mixed(view.staticStep, view.dynamicStep),
    ]
    loop = scf.ForallOp(*bounds)
    copy_attributes(op, loop, skip=_BOUNDS)
    body = op.regions[0].blocks[0]
    for old, new in zip(list(body.arguments)[: len(bounds[0])], loop.body.arguments, strict=True):
        e[old] = new
    with ir.InsertionPoint(loop.body):
        terminator = e.emit_block(body)
        e.values.update(written)
        pairs = []
        for insertion in terminator.regions[0].blocks[0].operations:
            with insertion.location:
                pairs.append(insertion_window(e, insertion.operation))
        e.copy_all(pairs)
        scf.InParallelOp(loc=terminator.location)


@bufferizes("scf.if")
def emit_if(e: Emitter, op: ir.Operation) -> None:
    """Results of static shape get one buffer made before the branches; others are made in each branch."""
    yields = [r for r in op.results if not is_tensor(r) or not r.type.has_static_shape]
    kinds = [_yielded_type(r.type) for r in yields]
    has_else = len(op.regions[1].blocks) > 0
    choice = scf.IfOp(e[op.operands[0]], kinds, has_else=has_else)
    copy_attributes(op, choice)
    old_blocks = [region.blocks[0] for region in op.regions if len(region.blocks)]
    terminators = []
    for region, old in zip(choice.regions, old_blocks, strict=False):
        with ir.InsertionPoint(region.blocks[0]):
            terminators.append(e.emit_block(old))
    for number, result in enumerate(op.results):
        if is_tensor(result) and result.type.has_static_shape:
            buffers = [e[t.operands[number]] for t in terminators]
            if all(e.same_buffer(buffers[0], b) for b in buffers) and _outside(choice, buffers[0]):
                e[result] = buffers[0]
                continue
            with ir.InsertionPoint(choice):
                e[result] = e.allocate(result)
            for region, terminator in zip(choice.regions, terminators, strict=False):
                with ir.InsertionPoint(region.blocks[0]):
                    e.copy_value(terminator.operands[number], e[result])
    for region, terminator in zip(choice.regions, terminators, strict=False):
        with ir.InsertionPoint(region.blocks[0]), terminator.location:
            numbers = [k for k, r in enumerate(op.results) if r in yields]
            _hand_over(e, [terminator.operands[k] for k in numbers])
    for old, new in zip(yields, choice.results, strict=True):
        e[old] = new


def _outside(choice: scf.IfOp, buffer: ir.Value) -> bool:
    """Whether the buffer exists before the `scf.if`, so that what follows can use it."""
    block = buffer.owner if isinstance(buffer.owner, ir.Block) else buffer.owner.operation.block
    owner: ir.Operation | None = block.owner.operation
    while owner is not None:
        if owner == choice.operation:
            return False
        owner = owner.parent.operation if owner.parent is not None else None
    return True


def _hand_over(e: Emitter, values: Sequence[ir.Value]) -> None:
    """Yields scalars as they are and tensors in buffers that the `scf.if` hands to its parent."""
    yielded: list[ir.Value] = []
    for value in values:
        yielded.append(e.owned(value, yielded) if is_tensor(value) else e[value])
    scf.YieldOp(yielded)


def _yielded_type(kind: ir.Type) -> ir.Type:
    if isinstance(kind, ir.RankedTensorType):
        return ir.MemRefType.get(list(kind.shape), kind.element_type)
    return kind


@bufferizes("scf.while")
def emit_while(e: Emitter, op: ir.Operation) -> None:
    _loop_targets(e, op)
    before, after = op.regions[0].blocks[0], op.regions[1].blocks[0]
    condition = list(before.operations)[-1].operation
    forwarded = list(condition.operands)[1:]
    loop = scf.WhileOp([v.type for v in _scalars(forwarded)], [e[v] for v in _scalars(op.operands)])
    copy_attributes(op, loop)
    for region, block in zip(loop.regions, (before, after), strict=True):
        old = _scalars(block.arguments)
        new = region.blocks.append(*[a.type for a in old], arg_locs=[a.location for a in old])
        for a, b in zip(old, new.arguments, strict=True):
            e[a] = b
    with ir.InsertionPoint(loop.regions[0].blocks[0]):
        e.emit_block(before)
        _forward(e, op, loop, forwarded)
        scf.ConditionOp(e[condition.operands[0]], [e[v] for v in _scalars(forwarded)])
    with ir.InsertionPoint(loop.regions[1].blocks[0]):
        terminator = e.emit_block(after)
        _carry(e, op, list(terminator.operands), 0)
        scf.YieldOp([e[v] for v in _scalars(terminator.operands)])
    for old, new in zip(_scalars(op.results), loop.results, strict=True):
        e[old] = new


def _forward(e: Emitter, op: ir.Operation, loop: scf.WhileOp, forwarded: Sequence[ir.Value]) -> None:
    """Gives each tensor that the condition forwards a buffer that outlives the 'before' region."""
    carried = [e[argument] for index, argument, _ in loop_inits(op) if is_tensor(op.operands[index])]
    for number, value in enumerate(forwarded):
        if not is_tensor(value):
            continue
        buffer = next((c for c in carried if e.same_buffer(c, e[value])), None)
        if buffer is None:
            if DYNAMIC in value.type.shape:
                raise PassFailure(
                    op, f"a while loop forwards '{value.type}', whose size is not known before the loop",
                    hint="give the tensor a static shape",
                )  # fmt: skip
            with ir.InsertionPoint(loop):
                buffer = e.allocate(op.results[number])
            e.copy_value(value, buffer)
        e[op.results[number]] = e[op.regions[1].blocks[0].arguments[number]] = buffer
