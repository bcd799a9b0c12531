"""Finds the elementwise operations that can run on a contraction's sums while these are still in registers.

    generic ins(%bias) outs(%t)            the beginning: sums start as its value
    generic ins(%a, %b) outs(%t)           the contraction
    generic ins(%t, %r) outs(%y)           a stage: evaluated when a tile's sums are complete

The whole chain is emitted where its last stage stands. What lies between must not touch what the chain works on, and
within the chain an element may only be overwritten by the tile that reads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from .....dialects.affine.expressions import used_dims
from .....dialects.affine.maps import distinct_dims
from .....dialects.host import ir
from .....dialects.structured import Structured, element_type, structured
from ....tensor.access import access_kind
from ....tensor.bufferization.lifetimes import VIEW_OPS
from ....tensor.contraction.form import ContractionForm
from ....tensor.fuse.fusion_cost import INTEGER_DIVISIONS
from ...kernels.buffers import Effects, Root, effects_of, root_of
from ..vector_body import body_vectorizes
from .accesses import BufferElement, access_of, own_subscripts, rename, solve

_FARTHEST = 64  # operations between a contraction and a stage
_ENOUGH_PRODUCTS = 2048  # for a result; elements of a stage that are not side by side cost a few each
_MOVABLE = frozenset({"memref.alloc", "memref.dim", "memref.get_global", "arith.constant", *VIEW_OPS})


@dataclass(frozen=True)
class ChainStage:
    """An elementwise operation, in terms of the contraction's iterators.

    Attributes:
        iterators: what each of its own iterators is.
        accesses: one per operand.
        column: which of its iterators runs along the contraction's column.
    """

    view: Structured
    iterators: tuple[ir.AffineExpr, ...]
    accesses: tuple[BufferElement, ...]
    column: int

    @property
    def outputs(self) -> tuple[BufferElement, ...]:
        return self.accesses[len(self.view.inputs) :]

    def read(self) -> list[BufferElement]:
        """The accesses whose elements the body uses."""
        return [a for number, a in enumerate(self.accesses) if self.view.reads(number)]


@dataclass
class Chain:
    """A contraction and what is evaluated with it.

    Attributes:
        sums: the accumulators' place in memory.
        beginning: what the sums start as; None when memory holds it.
        stages: in program order.
        stored: what has to be in memory afterwards.
    """

    view: Structured
    form: ContractionForm
    sizes: tuple[int | None, ...]
    sums: BufferElement
    beginning: ChainStage | None = None
    stages: list[ChainStage] = field(default_factory=list)
    stored: list[BufferElement] = field(default_factory=list)

    @property
    def members(self) -> list[Structured]:
        """The operations of the chain, in program order."""
        first = [self.beginning.view] if self.beginning else []
        return [*first, self.view, *(s.view for s in self.stages)]

    def waiting_place(self) -> BufferElement | None:
        """Where sums may lie in memory before the stages run; None when there is no such place."""
        kind = element_type(self.sums.buffer.type)
        read = {a.buffer for s in self.stages for a in s.read() if a != self.sums}
        free = [a for a in self.stored if element_type(a.buffer.type) == kind and a.buffer not in read]
        return free[0] if free else None

    @property
    def last(self) -> Any:
        """Where the chain's code goes, in front of this operation."""
        return self.members[-1].op


def find_chain(view: Structured, form: ContractionForm, sizes: tuple[int | None, ...]) -> Chain:
    """The longest chain that the contraction begins or is in the middle of."""
    operations = [op.operation for op in view.op.operation.block.operations]
    here = operations.index(view.op.operation)
    chain = Chain(view, form, sizes, access_of(view.inits[0], own_subscripts(view, len(view.inputs), sizes)))
    _find_beginning(chain, operations[:here])
    _find_stages(chain, operations[here + 1 : here + 1 + _FARTHEST])
    chain.stored = _stored(chain)
    return chain


def _find_beginning(chain: Chain, before: Sequence[ir.Operation]) -> None:
    """Looks for the elementwise operation that fills the sums' buffer."""
    root = root_of(chain.sums.buffer)
    between: list[Effects] = []
    for op in reversed(before[-_FARTHEST:]):
        if op.name == "memref.dealloc":
            continue
        effects = effects_of(op)
        if root in effects.writes:
            stage = _stage(op, chain, chain.sums)
            reads = {root_of(a.buffer) for a in stage.read() if _is_buffer(a)} if stage else set()
            unsafe = any(e.fence or reads & set(e.writes) for e in between) or None in reads
            if stage and not unsafe and root not in reads and stage.outputs == (chain.sums,):
                chain.beginning = stage
            return
        if root in effects.reads or effects.fence:
            return
        between.append(effects)


def _find_stages(chain: Chain, after: Sequence[ir.Operation]) -> None:
    """Adds the elementwise operations that follow, as far as the chain may be moved down to them."""
    held = [chain.sums]
    for op in after:
        if op.name == "memref.dealloc" or op.name in _MOVABLE:
            continue
        stage = _first_stage(op, chain, held)
        if stage is not None and _is_pointwise(stage, chain, held):
            chain.stages.append(stage)
            held += [a for a in stage.outputs if a not in held]
        elif _conflict(effects_of(op), chain):
            return


def _first_stage(op: ir.Operation, chain: Chain, held: Sequence[BufferElement]) -> ChainStage | None:
    for access in reversed(held):
        stage = _stage(op, chain, access)
        if stage is not None:
            return stage
    return None


def _stage(op: ir.Operation, chain: Chain, through: BufferElement) -> ChainStage | None:
    """The operation as a stage whose elements correspond to the contraction's by what it does to `through`."""
    view = structured(op)
    if view is None or not view.is_parallel() or not _has_simple_body(view):
        return None
    sizes = view.loop_sizes()
    for number in range(len(view.operands)):
        if not isinstance(view.operands[number].type, ir.MemRefType):
            continue
        mine = access_of(view.operands[number], own_subscripts(view, number, sizes))
        if mine.buffer != through.buffer:
            continue
        iterators = solve(mine.subscripts, through.subscripts, sizes)
        if iterators is None:
            return None
        return _located(view, iterators, sizes, chain)
    return None


def _located(
    view: Structured, iterators: Sequence[ir.AffineExpr], sizes: Sequence[int | None], chain: Chain
) -> ChainStage | None:
    column = chain.form.column
    along = [i for i, e in enumerate(iterators) if column in used_dims(e)]
    if len(along) != 1 or iterators[along[0]] != ir.AffineDimExpr.get(column):
        return None
    if not body_vectorizes(view, along[0]):
        return None
    accesses = []
    for number, operand in enumerate(view.operands):
        own = own_subscripts(view, number, sizes)
        if number >= len(view.inputs) and not _covers(own, sizes):
            return None
        access = access_of(operand, rename(own, iterators))
        if not _is_cheap(access, chain):
            return None
        accesses.append(access)
    return ChainStage(view, tuple(iterators), tuple(accesses), along[0])


def _is_cheap(access: BufferElement, chain: Chain) -> bool:
    """Whether lanes lie side by side or are all one element, or the products are many beside single accesses."""
    if not _is_buffer(access):
        return True
    if access_kind(access.buffer, access.map(len(chain.sizes)), chain.form.column) != "scattered":
        return True
    reduced = [chain.sizes[i] for i in chain.form.reduction]
    return chain.sizes[chain.form.column] is not None and prod(n or 1 for n in reduced) >= _ENOUGH_PRODUCTS


def _covers(subscripts: tuple[ir.AffineExpr, ...], sizes: Sequence[int | None]) -> bool:
    """Whether every point writes an element of its own."""
    plain = distinct_dims(subscripts)
    return plain is not None and set(plain) == {i for i, size in enumerate(sizes) if size != 1}


def _has_simple_body(view: Structured) -> bool:
    """No loads, no regions, and nothing that traps on the lanes beyond the last column."""
    return all(
        op.name == "linalg.index"
        or (
            op.name.startswith(("arith.", "math."))
            and op.name not in INTEGER_DIVISIONS
            and not len(op.regions)
        )
        for op in view.body_operations()
    )


def _is_buffer(access: BufferElement) -> bool:
    return isinstance(access.buffer.type, ir.MemRefType)


def _is_pointwise(stage: ChainStage, chain: Chain, held: Sequence[BufferElement]) -> bool:
    """Whether the stage can run tile by tile: no tile reads what another one overwrites."""
    operands = {root_of(v) for v in chain.view.inputs}
    memory = _memory_reads(chain)
    written = [*held]
    reads = [a for a in stage.read() if _is_buffer(a)]
    if not any(a in held for a in reads):
        return False
    for access in reads:
        others = [w for w in written if root_of(w.buffer) == root_of(access.buffer)]
        if root_of(access.buffer) is None or any(w != access for w in others):
            return False
    for output in stage.outputs:
        root = root_of(output.buffer)
        if root is None or root in operands:
            return False
        touched = [a for a in (*memory, *reads, *written, *stage.outputs) if root_of(a.buffer) == root]
        if any(a != output for a in touched):
            return False
    return len({a.buffer for a in stage.outputs}) == len(stage.outputs)


def _memory_reads(chain: Chain) -> list[BufferElement]:
    """What the beginning and the stages so far read."""
    stages = [*([chain.beginning] if chain.beginning else []), *chain.stages]
    return [a for stage in stages for a in stage.read() if _is_buffer(a)]


def _conflict(effects: Effects, chain: Chain) -> bool:
    """Whether the chain so far must not be moved behind an operation."""
    if effects.fence:
        return True
    reads: set[Root | None] = {root_of(v) for v in chain.view.inputs}
    reads |= {root_of(a.buffer) for a in _memory_reads(chain)}
    writes = {root_of(chain.sums.buffer)}
    writes |= {root_of(a.buffer) for stage in chain.stages for a in stage.outputs}
    if None in reads | writes:
        return bool(effects)
    return bool(writes & (set(effects.reads) | set(effects.writes)) or reads & set(effects.writes))


def _stored(chain: Chain) -> list[BufferElement]:
    """The places that somebody else looks at."""
    members = {view.op.operation for view in chain.members}
    written = [chain.sums]
    written += [a for stage in chain.stages for a in stage.outputs if a not in written]
    return [a for a in dict.fromkeys(written) if not _is_private(a.buffer, members)]


def _is_private(buffer: ir.Value, members: set[ir.Operation]) -> bool:
    """Whether a buffer is allocated here and only the chain uses it."""
    root = root_of(buffer)
    if not isinstance(root, ir.OpResult) or root.owner.name not in ("memref.alloc", "memref.alloca"):
        return False
    return all(user in members or user.name == "memref.dealloc" for user in _users(root))


def _users(value: ir.Value) -> list[ir.Operation]:
    """The operations that use a buffer, through views as well."""
    found = []
    for use in value.uses:
        user = use.owner.operation
        found += _users(user.results[0]) if user.name in VIEW_OPS else [user]
    return found


def erase_chain(chain: Chain) -> None:
    """Erases the chain's operations, the buffers only they used, and moves frees behind it."""
    members = {view.op.operation for view in chain.members}
    roots = {root_of(a.buffer) for a in (chain.sums, *(o for s in chain.stages for o in s.outputs))}
    private = [r for r in dict.fromkeys(roots) if isinstance(r, ir.OpResult) and _is_private(r, members)]
    for view in reversed(chain.members):
        view.op.operation.erase()
    for root in private:
        _erase_buffer(root)


def _erase_buffer(value: Any) -> None:
    for user in [use.owner.operation for use in value.uses]:
        if user.name in VIEW_OPS:
            _erase_buffer(user.results[0])
        else:
            user.erase()
    value.owner.erase()


def delay_frees(chain: Chain) -> None:
    """Moves the frees inside the chain behind it: they may be of what it reads."""
    last = chain.last.operation
    operations = [op.operation for op in last.block.operations]
    span = operations[operations.index(chain.members[0].op.operation) : operations.index(last)]
    for op in reversed(span):
        if op.name == "memref.dealloc":
            op.move_after(last)
