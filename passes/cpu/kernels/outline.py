"""Moves groups of operations into functions; equal groups share one."""

from __future__ import annotations

from collections.abc import Sequence

from ....dialects.host import func, ir, memref
from ....dialects.structured import clone_into
from ...tensor.bufferization.lifetimes import VIEW_OPS, ancestor_in, operations_below, uses_of_buffer
from ...tensor.traversal import made_by
from .buffers import is_memref, view_chain, view_source

KERNEL_MARK = "wse.kernel"


class Outliner:
    """Makes kernel functions in a module.

    Attributes:
        functions: that were made.
        calls: of them.
    """

    def __init__(self, module: ir.Operation) -> None:
        self._block = module.regions[0].blocks[0]
        self._taken = {
            ir.StringAttr(op.operation.attributes["sym_name"]).value
            for op in self._block.operations
            if "sym_name" in op.operation.attributes
        }
        self._by_text: dict[str, str] = {}
        self._number = 0
        self.functions: list[ir.Operation] = []
        self.calls = 0

    def outline(self, group: Sequence[ir.Operation], location: ir.Location) -> None:
        """Replaces operations that follow each other in a block by a call.

        Args:
            location: of the function, if it is new.
        """
        inside = _Inside(group)
        name = self._function(group, inside, location)
        with location, ir.InsertionPoint(group[-1]):
            call = func.CallOp([], name, [_passed(v) for v in inside.parameters])
        call.operation.move_after(group[-1])
        self.calls += 1
        for op in reversed(group):
            op.erase()

    def _function(self, group: Sequence[ir.Operation], inside: _Inside, location: ir.Location) -> str:
        """The name of a function that does what the group does."""
        types = [_parameter_type(v) for v in inside.parameters]
        name = self._free_name()
        with location, ir.InsertionPoint(self._block):
            function = func.FuncOp(name, ir.FunctionType.get(types, []), visibility="private")
            function.attributes[KERNEL_MARK] = ir.UnitAttr.get()
            function.attributes["passthrough"] = ir.ArrayAttr.get([ir.StringAttr.get("noinline")])
            body = function.add_entry_block([location] * len(types))
            _fill(body, group, inside)
        text = _text_without_name(function)
        if text in self._by_text:
            function.operation.erase()
            return self._by_text[text]
        self._by_text[text] = name
        self._taken.add(name)
        self.functions.append(function.operation)
        return name

    def _free_name(self) -> str:
        while (name := f"kernel_{self._number}") in self._taken:
            self._number += 1
        return name


class _Inside:
    """What goes into a function besides the operations of the group, and what is handed to it.

    Attributes:
        parameters: values from outside, in the order in which they are first needed. A buffer from outside comes
            as one memref, the smallest view of it that all views in use are views of.
        allocations: of buffers that nothing else uses.
    """

    def __init__(self, group: Sequence[ir.Operation]) -> None:
        self._block = group[0].block
        self._members = set(group)
        self.parameters: list[ir.Value] = []
        self.allocations: list[ir.Operation] = []
        needed = self._values_from_outside(group)
        self._shared = _common_views([v for v in needed if is_memref(v)])
        for value in needed:
            self._need(value)

    def _values_from_outside(self, group: Sequence[ir.Operation]) -> list[ir.Value]:
        """Values that the operations use and do not make, in order."""
        made: set[ir.Value] = set()
        used: dict[ir.Value, None] = {}
        for op in group:
            for inner in (op, *operations_below(op)):
                for value in inner.operands:
                    if value not in made:
                        used[value] = None
                made.update(inner.results)
                for region in inner.regions:
                    for block in region.blocks:
                        made.update(block.arguments)
        return list(used)

    def _need(self, value: ir.Value) -> None:
        """Finds out how a value gets into the function."""
        op = made_by(value)
        if value in self.parameters or is_constant(op):
            return
        if op is None or not self._is_repeated(op, value):
            self.parameters.append(value)
        elif op not in self.allocations:
            if op.name == "memref.alloc":
                self.allocations.append(op)
            for operand in op.operands:
                self._need(operand)

    def _is_repeated(self, op: ir.Operation, value: ir.Value) -> bool:
        """Whether what makes a value goes into the function as well."""
        if op.name == "memref.alloc":
            return self._is_private(value)
        return op.name in VIEW_OPS and self._shared[view_chain(value)[0]] != value

    def _is_private(self, buffer: ir.Value) -> bool:
        """Whether only the group uses a buffer, which its block made."""
        op = made_by(buffer)
        if op is None or op.block != self._block:
            return False
        users = (ancestor_in(self._block, user) for user in uses_of_buffer(buffer))
        return all(user.name in VIEW_OPS or user in self._members for user in users)


def is_constant(op: ir.Operation | None) -> bool:
    """Whether an operation is better repeated in each function than handed on."""
    return op is not None and op.name == "arith.constant"


def _common_views(memrefs: Sequence[ir.Value]) -> dict[ir.Value, ir.Value]:
    """For each root the last view of it that all the given memrefs are, or are views of."""
    common: dict[ir.Value, list[ir.Value]] = {}
    for value in memrefs:
        chain = view_chain(value)
        known = common.get(chain[0], chain)
        equal = 0
        while equal < min(len(known), len(chain)) and known[equal] == chain[equal]:
            equal += 1
        common[chain[0]] = chain[:equal]
    return {root: chain[-1] for root, chain in common.items()}


def _fill(body: ir.Block, group: Sequence[ir.Operation], inside: _Inside) -> None:
    """Repeats the group in a function's body."""
    mapping: dict[ir.Value, ir.Value] = dict(zip(inside.parameters, body.arguments, strict=True))
    ip = ir.InsertionPoint(body)

    def bring(value: ir.Value) -> None:
        op = made_by(value)
        if value in mapping or op is None:
            return
        if is_constant(op) or op.name in VIEW_OPS or op in inside.allocations:
            for operand in op.operands:
                bring(operand)
            clone_into([op], mapping, ip)
            if view_source(value) is not None:
                _follow_layout(mapping[value])

    for op in group:
        for inner in (op, *operations_below(op)):
            for operand in inner.operands:
                bring(operand)
        clone_into([op], mapping, ip)
    func.ReturnOp([], ip=ip)


def _parameter_type(value: ir.Value) -> ir.Type:
    """A parameter's type: slices at different offsets have the same."""
    if not isinstance(value.type, ir.MemRefType):
        return value.type
    return _with_open_offset(ir.MemRefType(value.type))


def _with_open_offset(kind: ir.MemRefType) -> ir.MemRefType:
    if not isinstance(kind.layout, ir.StridedLayoutAttr):
        return kind
    strides = ir.StridedLayoutAttr(kind.layout).strides
    layout = ir.StridedLayoutAttr.get(ir.ShapedType.get_dynamic_stride_or_offset(), strides)
    return ir.MemRefType.get(kind.shape, kind.element_type, layout, kind.memory_space)


def _follow_layout(view: ir.Value) -> None:
    """Gives a view of a memref whose offset is open the type that it has now."""
    op = made_by(view)
    if op is None or op.name not in ("memref.subview", "memref.expand_shape", "memref.collapse_shape"):
        return
    if _has_open_offset(ir.MemRefType(op.operands[0].type)):
        view.set_type(_with_open_offset(ir.MemRefType(view.type)))


def _has_open_offset(kind: ir.MemRefType) -> bool:
    if not isinstance(kind.layout, ir.StridedLayoutAttr):
        return False
    return ir.StridedLayoutAttr(kind.layout).offset == ir.ShapedType.get_dynamic_stride_or_offset()


def _passed(value: ir.Value) -> ir.Value:
    """What a call hands over for a value."""
    kind = _parameter_type(value)
    return value if kind == value.type else memref.CastOp(kind, value).result


def _text_without_name(function: func.FuncOp) -> str:
    """A function's text, by which equal ones are found; locations are not part of it."""
    name = function.attributes["sym_name"]
    function.attributes["sym_name"] = ir.StringAttr.get("kernel")
    text = function.operation.get_asm(assume_verified=True)
    function.attributes["sym_name"] = name
    return text
