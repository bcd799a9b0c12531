"""Rebuilds a function on buffers: environment, allocation, copies and views that every handler uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ....dialects.affine.maps import identity_maps
from ....dialects.constants import splat_attribute
from ....dialects.host import arith, ir, linalg, memref
from ....dialects.structured import build_generic, clone_into
from ...infra.diagnostics import PassFailure
from ...infra.pass_base import PassRun
from ..sizes import Mixed
from . import layouts
from .analysis import InPlaceAnalysis
from .layouts import DYNAMIC
from .op_model import Write, is_tensor, writes_of

BufferHandler = Callable[["Emitter", ir.Operation], None]

# name of an operation on tensors -> function that emits it on buffers
HANDLERS: dict[str, BufferHandler] = {}


def bufferizes(*names: str) -> Callable[[BufferHandler], BufferHandler]:
    """Registers the emission of operations on tensors; a plugin may add its own dialect's."""

    def register(handler: BufferHandler) -> BufferHandler:
        for name in names:
            HANDLERS[name] = handler
        return handler

    return register


@dataclass
class Emitter:
    """Translates operations in program order, looking tensors up as the buffers that hold them.

    Attributes:
        analysis: which writes happen in place.
        run: takes statistics and remarks.
        globals: makes the buffer of a constant.
        signature_of: the `functions.BufferSignature` that a call's callee has.
        destinations: buffers chosen beforehand for values that would otherwise be allocated.
        values: old value -> new value; a tensor maps to its buffer.
        origins: view -> (buffer it looks into, what identifies the view); absent for whole buffers.
    """

    analysis: InPlaceAnalysis
    run: PassRun
    globals: Callable[[ir.Operation], ir.Value]
    signature_of: Callable[[ir.Operation], Any]
    destinations: dict[ir.Value, ir.Value] = field(default_factory=dict)
    values: dict[ir.Value, ir.Value] = field(default_factory=dict)
    origins: dict[ir.Value, tuple[ir.Value, tuple]] = field(default_factory=dict)

    # -- translation

    def __getitem__(self, value: ir.Value) -> ir.Value:
        return self.values[value]

    def __setitem__(self, value: ir.Value, new: ir.Value) -> None:
        self.values[value] = new

    def emit_block(self, block: ir.Block) -> ir.Operation:
        """Emits a block's operations at the current insertion point; returns its (old) terminator."""
        operations = [op.operation for op in block.operations]
        for op in operations[:-1]:
            self.emit(op)
        return operations[-1]

    def emit(self, op: ir.Operation) -> None:
        """Emits one operation on buffers.

        Raises:
            PassFailure: the operation works on tensors and nothing says how to do it on buffers.
        """
        handler = HANDLERS.get(op.name)
        with op.location:
            if handler is None and op.name.startswith("linalg.") and writes_of(op):
                handler = HANDLERS["linalg"]
            if handler is not None:
                handler(self, op)
            elif any(is_tensor(v) for v in (*op.operands, *op.results)):
                raise PassFailure(
                    op,
                    f"'{op.name}' on tensors cannot be put on buffers",
                    hint="lower it to linalg first, for instance with wse-generalize or convert-elementwise-to-linalg",
                )
            else:
                clone_into([op], self.values)

    # -- sizes

    def mixed(self, static: Sequence[int], dynamic: Sequence[ir.Value]) -> list[int | ir.Value]:
        """Joins an operation's static and dynamic numbers into one list in the new function."""
        values = iter(dynamic)
        return [self.values[next(values)] if n == DYNAMIC else int(n) for n in static]

    def index(self, value: int | ir.Value) -> ir.Value:
        """The number as an SSA value."""
        return arith.constant(ir.IndexType.get(), value) if isinstance(value, int) else value

    def dim(self, buffer: ir.Value, dim: int) -> int | ir.Value:
        """The size of a dimension: a number where it is static."""
        size = ir.MemRefType(buffer.type).shape[dim]
        return size if size != DYNAMIC else memref.dim(buffer, self.index(dim))

    def sizes(self, buffer: ir.Value) -> list[int | ir.Value]:
        """All sizes of a buffer."""
        return [self.dim(buffer, d) for d in range(ir.MemRefType(buffer.type).rank)]

    # -- buffers

    def allocate(self, tensor: ir.Value, sizes: Callable[[], Mixed] | None = None) -> ir.Value:
        """A contiguous buffer for `tensor`: the one chosen beforehand, else a new allocation.

        Args:
            sizes: gives the sizes; needed if the type has dynamic ones.
        """
        chosen = self.destinations.get(tensor)
        if chosen is not None:
            self.run.count("results written directly")
            return chosen
        return self.new_buffer(tensor.type, sizes)

    def new_buffer(self, tensor_type: ir.Type, sizes: Callable[[], Mixed] | None = None) -> ir.Value:
        """Allocates a contiguous buffer for a tensor type."""
        kind = layouts.buffer_type(tensor_type)
        dynamic = []
        if not kind.has_static_shape:
            if sizes is None:
                raise PassFailure(
                    ir.Location.current or ir.Location.unknown(),
                    f"the size of a buffer for {tensor_type} is not known before it is made",
                )
            extents = zip(kind.shape, sizes(), strict=True)
            dynamic = [self.index(given) for size, given in extents if size == DYNAMIC]
        self.run.count("buffers allocated")
        return memref.AllocOp(kind, dynamic, [], alignment=64).memref

    def write_target(self, op: ir.Operation, write: Write) -> ir.Value:
        """The buffer that `op` writes: its operand's own, or a fresh one with a copy where contents matter."""
        value = op.operands[self.analysis.reused.get((op, write.index), write.index)]
        old = self[value]
        if self.analysis.is_in_place(op, write.index):
            self.run.count("writes in place")
            return old
        site = write.result if write.result is not None else value
        new = self.allocate(site, lambda: self.sizes(old))
        if write.reads and not is_undefined(value):
            self.run.remark(op, f"copied {value.type}: {self.analysis.reasons[(op, write.index)]}")
            self.copy_value(value, new)
        return new

    def copy_value(self, tensor: ir.Value, target: ir.Value) -> None:
        """Copies what a tensor value holds; a splat constant is filled in instead of being read."""
        splat = splat_attribute(tensor)
        if splat is not None:
            self.fill(arith.constant(ir.MemRefType(target.type).element_type, splat), target)
        else:
            self.copy(self[tensor], target)

    def copy(self, source: ir.Value, target: ir.Value) -> None:
        """Copies element by element as a `linalg.generic`: there is no runtime library to call."""
        if self.same_buffer(source, target):
            return
        self.run.count("copies")
        maps = identity_maps(ir.MemRefType(target.type).rank, 2)
        iterators = ["parallel"] * ir.MemRefType(target.type).rank
        build_generic([source], [target], maps, iterators, lambda value, _: [value])

    def fill(self, scalar: ir.Value, target: ir.Value) -> None:
        """Sets every element."""
        linalg.fill(scalar, outs=[target])

    def copy_all(self, pairs: Sequence[tuple[ir.Value, ir.Value]]) -> None:
        """Copies sources to targets as if at once: a source that an earlier copy overwrites is saved first."""
        pending = [(s, t) for s, t in pairs if not self.same_buffer(s, t)]
        bases = [self.base(t) for _, t in pending]
        saved = []
        for number, (source, target) in enumerate(pending):
            if self.base(source) in bases[: number + 1]:
                shaped = ir.MemRefType(source.type)
                tensor = ir.RankedTensorType.get(list(shaped.shape), shaped.element_type)
                temporary = self.new_buffer(tensor, lambda buffer=source: self.sizes(buffer))
                self.copy(source, temporary)
                source = temporary
            saved.append((source, target))
        for source, target in saved:
            self.copy(source, target)

    # -- views

    def subview(
        self, source: ir.Value, offsets: Mixed, sizes: Mixed, steps: Mixed, shape: Sequence[int]
    ) -> ir.Value:
        """A (possibly rank-reduced) window into a buffer; the same window is the same buffer later."""
        static: list[Any] = [
            [n if isinstance(n, int) else DYNAMIC for n in part] for part in (offsets, sizes, steps)
        ]
        dynamic: list[Any] = [[n for n in part if not isinstance(n, int)] for part in (offsets, sizes, steps)]
        kind = layouts.subview_type(ir.MemRefType(source.type), static[0], static[1], static[2], shape)
        operands: Any = (*dynamic, *static)
        view = memref.SubViewOp(kind, source, *operands).result
        return self.view_of(view, source, ("subview", *offsets, *sizes, *steps, *shape))

    def view_of(self, view: ir.Value, source: ir.Value, key: tuple) -> ir.Value:
        """Records that `view` looks into `source`."""
        self.origins[view] = (source, key)
        return view

    def cast(self, buffer: ir.Value, kind: ir.Type) -> ir.Value:
        """The buffer under another compatible type."""
        if buffer.type == kind:
            return buffer
        return self.view_of(memref.cast(kind, buffer), buffer, ("cast",))

    def before_reshape(
        self, buffer: ir.Value, kind: str, reassociation: ir.Attribute, wanted: ir.Type
    ) -> ir.Value | None:
        """The buffer that a reshape ("expand" or "collapse") started from, where undoing it gives `wanted`."""
        source, key = self.origins.get(buffer, (buffer, ()))
        if key[:2] != (kind, reassociation):
            return None
        return source if list(ir.MemRefType(source.type).shape) == list(ir.ShapedType(wanted).shape) else None

    def undo_reshape(self, target: ir.Value, reshape: ir.Operation) -> ir.Value:
        """Views the contiguous buffer of a reshape's result as the buffer of its source (static shapes)."""
        kind = layouts.buffer_type(reshape.operands[0].type)
        reassociation = reshape.attributes["reassociation"]
        if reshape.name == "tensor.collapse_shape":
            view = memref.ExpandShapeOp(kind, target, reassociation, [], list(kind.shape)).result
            return self.view_of(view, target, ("expand", reassociation, *kind.shape))
        view = memref.CollapseShapeOp(kind, target, reassociation).result
        return self.view_of(view, target, ("collapse", reassociation))

    def contiguous(self, buffer: ir.Value) -> ir.Value:
        """The buffer itself if its layout is the default one, else a contiguous copy."""
        kind = ir.MemRefType(buffer.type)
        if layouts.is_identity(kind):
            return buffer
        tensor = ir.RankedTensorType.get(list(kind.shape), kind.element_type)
        copy = self.new_buffer(tensor, lambda: self.sizes(buffer))
        self.copy(buffer, copy)
        return copy

    def owned(self, tensor: ir.Value, given: Sequence[ir.Value]) -> ir.Value:
        """The tensor in an allocation of the current block that may be handed over, a copy if need be.

        Args:
            given: buffers that are handed over, or not the block's to give, already.
        """
        buffer = self[tensor]
        if buffer not in given and not isinstance(buffer.owner, ir.Block):
            maker = buffer.owner.operation
            makes = maker.name in ("memref.alloc", "scf.if", "func.call")
            if makes and maker.block == ir.InsertionPoint.current.block:
                return buffer
        copy = self.new_buffer(tensor.type, lambda: self.sizes(buffer))
        self.copy_value(tensor, copy)
        return copy

    def base(self, buffer: ir.Value) -> ir.Value:
        """The whole buffer that a view looks into."""
        while buffer in self.origins:
            buffer = self.origins[buffer][0]
        return buffer

    def same_buffer(self, a: ir.Value, b: ir.Value) -> bool:
        """Whether two buffers are known to be the same elements in the same order."""
        a, b = self._without_casts(a), self._without_casts(b)
        if a == b:
            return True
        if a not in self.origins or b not in self.origins:
            return False
        (a, left), (b, right) = self.origins[a], self.origins[b]
        return left == right and self.same_buffer(a, b)

    def _without_casts(self, buffer: ir.Value) -> ir.Value:
        while buffer in self.origins and self.origins[buffer][1] == ("cast",):
            buffer = self.origins[buffer][0]
        return buffer


def copy_attributes(source: ir.Operation, target: Any, *, skip: Sequence[str] = ()) -> None:
    """Copies the attributes that `target` lacks."""
    present = set(target.operation.attributes)
    for name in source.attributes:
        if name not in present and name not in skip:
            target.operation.attributes[name] = source.attributes[name]


def is_undefined(tensor: ir.Value) -> bool:
    """Whether a tensor's contents are unspecified, so that copying them is pointless."""
    if isinstance(tensor.owner, ir.Block):
        return False
    owner = tensor.owner.operation
    if owner.name in ("tensor.extract_slice", "tensor.cast"):
        return is_undefined(owner.operands[0])
    return owner.name == "tensor.empty"
