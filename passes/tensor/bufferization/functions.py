"""Function boundaries: signatures on buffers, results as destinations, state written where it lives."""

from __future__ import annotations

from dataclasses import dataclass

from ....dialects.host import func, ir
from ...infra.diagnostics import CompilerError, PassFailure
from . import layouts
from .analysis import InPlaceAnalysis
from .emitter import Emitter, bufferizes
from .op_model import ALLOCATING, is_tensor

STATE = "state"
PREPARED = "prepared"


def _attributes(function: ir.Operation, name: str, count: int) -> list[ir.DictAttr]:
    if name not in function.attributes:
        return [ir.DictAttr.get({}) for _ in range(count)]
    return [ir.DictAttr(a) for a in ir.ArrayAttr(function.attributes[name])]


def _text(attributes: ir.DictAttr, name: str) -> str:
    if name not in attributes:
        return ""
    value = attributes[name]
    if not isinstance(value, ir.StringAttr):
        raise CompilerError(f"attribute '{name}' of an argument or a result is no string: {value}")
    return value.value


@dataclass(frozen=True)
class BufferSignature:
    """How a function on tensors appears on buffers.

    Attributes:
        inputs / results: its types on tensors.
        input_attributes / result_attributes: one dictionary each.
        returns: results are returned as buffers instead of being written to extra arguments.
    """

    inputs: tuple[ir.Type, ...]
    results: tuple[ir.Type, ...]
    input_attributes: tuple[ir.DictAttr, ...]
    result_attributes: tuple[ir.DictAttr, ...]
    returns: bool

    @staticmethod
    def of(function: ir.Operation, *, returns: bool) -> BufferSignature:
        kind = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
        return BufferSignature(
            tuple(kind.inputs),
            tuple(kind.results),
            tuple(_attributes(function, "arg_attrs", len(kind.inputs))),
            tuple(_attributes(function, "res_attrs", len(kind.results))),
            returns,
        )

    def writable(self) -> list[int]:
        """Positions of the arguments whose buffers the function may write."""
        return [
            k
            for k, a in enumerate(self.input_attributes)
            if _text(a, "wse.kind") == STATE
            or ("bufferization.writable" in a and ir.BoolAttr(a["bufferization.writable"]).value)
        ]

    def state_of(self, result: int) -> int | None:
        """The state argument that a result replaces: the one of the same kind and name."""
        wanted = self.result_attributes[result]
        if _text(wanted, "wse.kind") != STATE:
            return None
        for k, a in enumerate(self.input_attributes):
            same = _text(a, "wse.kind") == STATE and _text(a, "wse.name") == _text(wanted, "wse.name")
            if same and self.inputs[k] == self.results[result]:
                return k
        return None

    def outputs(self) -> list[int]:
        """Results that leave the function through buffers other than a state's."""
        return [
            k
            for k, t in enumerate(self.results)
            if isinstance(t, ir.RankedTensorType) and self.state_of(k) is None
        ]

    def out_parameters(self) -> list[int]:
        """Results that become extra arguments, in order."""
        return [k for k in self.outputs() if not self.returns or self._is_prepared(k)]

    def _is_prepared(self, result: int) -> bool:
        """Whether the runtime keeps a result: it knows the size, whatever is known of others."""
        return _text(self.result_attributes[result], "wse.kind") == PREPARED

    def returned(self) -> list[int]:
        """Results that are still returned."""
        written = {
            *self.out_parameters(),
            *(k for k in range(len(self.results)) if self.state_of(k) is not None),
        }
        return [k for k in range(len(self.results)) if k not in written]

    def buffer_types(self) -> tuple[list[ir.Type], list[ir.Type]]:
        """Argument and result types on buffers."""
        arguments = [*self.inputs, *(self.results[k] for k in self.out_parameters())]
        return [_on_buffers(t) for t in arguments], [_on_buffers(self.results[k]) for k in self.returned()]

    def argument_attributes(self) -> list[ir.DictAttr]:
        """Attributes of all arguments on buffers; a destination says that it is one."""
        extra = [_with_kind(self.result_attributes[k]) for k in self.out_parameters()]
        return [_without_bufferization(a) for a in self.input_attributes] + extra


def _on_buffers(kind: ir.Type) -> ir.Type:
    return layouts.buffer_type(kind) if isinstance(kind, ir.RankedTensorType) else kind


def _with_kind(attributes: ir.DictAttr) -> ir.DictAttr:
    items = {a.name: a.attr for a in attributes}
    items.setdefault("wse.kind", ir.StringAttr.get("output"))
    return ir.DictAttr.get(items)


def _without_bufferization(attributes: ir.DictAttr) -> ir.DictAttr:
    items = {a.name: a.attr for a in attributes if not a.name.startswith("bufferization.")}
    return ir.DictAttr.get(items)


def declare(old: ir.Operation, signature: BufferSignature) -> func.FuncOp:
    """Creates the function on buffers, without a body, in front of the old one."""
    arguments, results = signature.buffer_types()
    name = ir.StringAttr(old.attributes["sym_name"]).value
    new = func.FuncOp(
        name, ir.FunctionType.get(arguments, results), loc=old.location, ip=ir.InsertionPoint(old)
    )
    for attribute in old.attributes:
        if attribute not in ("sym_name", "function_type", "arg_attrs", "res_attrs"):
            new.operation.attributes[attribute] = old.attributes[attribute]
    attributes = signature.argument_attributes()
    if any(len(a) for a in attributes):
        new.operation.attributes["arg_attrs"] = ir.ArrayAttr.get(attributes)
    kept = [signature.result_attributes[k] for k in signature.returned()]
    if any(len(a) for a in kept):
        new.operation.attributes["res_attrs"] = ir.ArrayAttr.get(kept)
    return new


def emit_function(e: Emitter, old: ir.Operation, new: func.FuncOp, signature: BufferSignature) -> None:
    """Fills in the body of `new`."""
    body = old.regions[0].blocks[0]
    if len(old.regions[0].blocks) != 1:
        raise PassFailure(old, "a function with several blocks cannot be put on buffers",
                          hint="use structured control flow (scf)")  # fmt: skip
    entry = new.operation.regions[0].blocks.append(
        *new.type.inputs, arg_locs=[*(a.location for a in body.arguments)]
        + [old.location] * len(signature.out_parameters())
    )  # fmt: skip
    for argument, buffer in zip(body.arguments, entry.arguments, strict=False):
        e[argument] = buffer
    out_buffers = dict(
        zip(signature.out_parameters(), list(entry.arguments)[len(body.arguments) :], strict=True)
    )
    terminator = list(body.operations)[-1].operation
    with ir.InsertionPoint(entry):
        _choose_destinations(e, terminator, out_buffers, signature, list(entry.arguments))
        e.emit_block(body)
        with terminator.location:
            _emit_return(e, terminator, out_buffers, signature, list(entry.arguments))


def _choose_destinations(
    e: Emitter,
    terminator: ir.Operation,
    out_buffers: dict[int, ir.Value],
    signature: BufferSignature,
    arguments: list[ir.Value],
) -> None:
    """Lets the operation that makes a result write it straight into the caller's buffer."""
    for number, value in enumerate(terminator.operands):
        target = out_buffers.get(number)
        state = signature.state_of(number)
        if target is None and state is None:
            continue
        root, reshapes = _root(e.analysis, value)
        if root is None or root in e.destinations:
            continue
        if state is not None:
            if not _unused_after(e.analysis, e.analysis.function.regions[0].blocks[0].arguments[state], root):
                continue
            target = arguments[state]
        assert target is not None  # an output's buffer or, just set, a state's
        for reshape in reshapes:
            target = e.undo_reshape(target, reshape)
        e.destinations[root] = target


def _root(analysis: InPlaceAnalysis, value: ir.Value) -> tuple[ir.Value | None, list[ir.Operation]]:
    """The value at which `value`'s buffer is allocated, and the reshapes of static shape on the way, last first.

    None if the buffer is an argument's or only a part of an allocation.
    """
    reshapes: list[ir.Operation] = []
    while True:
        if isinstance(value.owner, ir.Block):
            return None, []
        op = value.owner.operation
        tied = analysis.tied_operand(value)
        if tied is not None and tied[0] not in analysis.reasons:
            value = tied[1]
        elif op.name in _RESHAPES and value.type.has_static_shape and op.operands[0].type.has_static_shape:
            reshapes.append(op)
            value = op.operands[0]
        else:
            return (value if tied is not None or op.name in ALLOCATING else None), reshapes


_RESHAPES = frozenset({"tensor.expand_shape", "tensor.collapse_shape"})


def _unused_after(analysis: InPlaceAnalysis, state: ir.Value, root: ir.Value) -> bool:
    """Whether the old state is read by nothing that runs after `root` is made."""
    maker = ir.OpResult(root).owner.operation
    uses = [u for alias in analysis.aliases.members(state) for u in alias.uses]
    return not any(
        u.owner.operation == maker or analysis.order.may_follow(u.owner.operation, maker, state) for u in uses
    )


def _emit_return(
    e: Emitter,
    terminator: ir.Operation,
    out_buffers: dict[int, ir.Value],
    signature: BufferSignature,
    arguments: list[ir.Value],
) -> None:
    for number, target in out_buffers.items():
        e.copy_value(terminator.operands[number], target)
    returned, given = [], list(arguments)
    for number in signature.returned():
        value = e[terminator.operands[number]]
        if is_tensor(terminator.operands[number]):
            value = e.owned(terminator.operands[number], given)
            given.append(value)
        returned.append(value)
    states = [(k, signature.state_of(k)) for k in range(len(signature.results))]
    e.copy_all([(e[terminator.operands[k]], arguments[s]) for k, s in states if s is not None])
    func.ReturnOp(returned)


@bufferizes("func.call", "call")
def emit_call(e: Emitter, op: ir.Operation) -> None:
    """Results become buffers that the caller makes and passes along."""
    signature = e.signature_of(op)
    if any(signature.state_of(k) is not None for k in range(len(signature.results))):
        raise PassFailure(op, "a call to a function that keeps state cannot be put on buffers",
                          hint="inline the call first")  # fmt: skip
    operands = [e.contiguous(e[v]) if is_tensor(v) else e[v] for v in op.operands]
    for number in signature.out_parameters():
        result = op.results[number]
        if not result.type.has_static_shape:
            raise PassFailure(
                op, f"the size of the call's result '{result.type}' is not known to the caller",
                hint="inline the call first, or use results=return",
            )  # fmt: skip
        e[result] = e.allocate(result)
        operands.append(e[result])
    _, kinds = signature.buffer_types()
    call = func.CallOp(kinds, ir.FlatSymbolRefAttr(op.attributes["callee"]).value, operands)
    for number, value in zip(signature.returned(), call.results, strict=True):
        e[op.results[number]] = value
