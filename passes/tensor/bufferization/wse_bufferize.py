"""`wse-bufferize`: tensors become buffers, in destination-passing style."""

from typing import Literal

from ....dialects.host import ir, memref
from ...infra.diagnostics import PassFailure
from ...infra.pass_base import Pass, PassRun, option
from ..traversal import tensor_blocks
from . import control_flow, tensor_ops  # noqa: F401  (they register their operations)
from .analysis import InPlaceAnalysis
from .arena import buffer_bytes
from .destinations import is_fill, place_in_destinations, sink_fills
from .emitter import Emitter
from .functions import BufferSignature, declare, emit_function
from .layouts import buffer_type
from .lifetimes import (
    allocations,
    deallocate,
    hoist_allocations,
    operations_below,
    remove_unused,
)
from .op_model import writes_of


class Bufferize(Pass, name="wse-bufferize", anchor="builtin.module"):
    """Puts tensors into buffers: in place where no later read needs the old value, in a new buffer elsewhere.

    Before:

        func.func @f(%a: tensor<4x8xf32>, %b: tensor<8x4xf32>) -> tensor<4x4xf32> {
          %0 = tensor.empty() : tensor<4x4xf32>
          %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<4x4xf32>) -> tensor<4x4xf32>
          %2 = linalg.matmul ins(%a, %b : ...) outs(%1 : tensor<4x4xf32>) -> tensor<4x4xf32>
          return %2 : tensor<4x4xf32>
        }

    After: results are extra arguments, marked `wse.kind = "output"`, written where they are computed:

        func.func @f(%a: memref<4x8xf32>, %b: memref<8x4xf32>, %out: memref<4x4xf32> {wse.kind = "output"}) {
          linalg.fill ins(%zero : f32) outs(%out : memref<4x4xf32>)
          linalg.matmul ins(%a, %b : ...) outs(%out : memref<4x4xf32>)
          return
        }

    The caller's destinations must overlap neither each other nor the inputs. Arguments are read only unless
    `wse.kind = "state"` or `bufferization.writable`; a result of kind "state" is written into the argument
    of the same `wse.name` and is no result any more. Buffers at function boundaries are contiguous. Copies
    are `linalg.generic`s; a remark tells why each was needed.
    A tensor that is inserted into another one is computed in its place there (`destinations.py`); a fill that several
    operations overwrite is done for each.
    """

    results: Literal["out-params", "return"] = option(
        "out-params", "results become extra arguments that the function writes, or stay results"
    )

    def run(self, op: ir.Operation, run: PassRun) -> None:
        functions = [
            o.operation for o in op.regions[0].blocks[0].operations if o.operation.name == "func.func"
        ]
        returns = self.results == "return"
        signatures = {_name(f): BufferSignature.of(f, returns=returns) for f in functions}
        constants = _Globals(op)
        with op.location:
            made = [_bufferize_function(function, signatures, constants, run) for function in functions]
        for new in made:
            if new is not None and len(new.regions[0].blocks):
                _finish(new, run)


def _finish(function: ir.Operation, run: PassRun) -> None:
    """Frees every temporary after its last use, once in a loop's life where that is possible."""
    run.count("buffers allocated", -remove_unused(function))
    hoist_allocations(function)
    for allocation in allocations(function):
        kind = ir.MemRefType(allocation.results[0].type)
        if kind.has_static_shape:
            run.count("bytes allocated", buffer_bytes(kind))
    deallocate(function)


def _name(function: ir.Operation) -> str:
    return ir.StringAttr(function.attributes["sym_name"]).value


def _bufferize_function(
    old: ir.Operation, signatures: dict[str, BufferSignature], constants: "_Globals", run: PassRun
) -> ir.Operation | None:
    """Replaces a function by one on buffers; None when it is on buffers already, which it frees by itself."""
    signature = signatures[_name(old)]
    if not _mentions_tensors(old):
        return None
    new = declare(old, signature)
    if len(old.regions[0].blocks):
        _separate_fills(old)
        _separate_empties(old)
        arguments = old.regions[0].blocks[0].arguments
        writable = [arguments[k] for k in signature.writable()]
        for block in tensor_blocks(old):
            sink_fills(block)
            place_in_destinations(block, writable)
        analysis = InPlaceAnalysis(old, writable)

        def signature_of(call: ir.Operation) -> BufferSignature:
            callee = ir.FlatSymbolRefAttr(call.attributes["callee"]).value
            if callee not in signatures:
                raise PassFailure(call, f"the called function '{callee}' is not in the module")
            return signatures[callee]

        emitter = Emitter(analysis, run, constants.buffer_of, signature_of)
        try:
            emit_function(emitter, old, new, signature)
        except Exception:
            new.operation.erase()
            raise
    old.erase()
    return new.operation


def _mentions_tensors(function: ir.Operation) -> bool:
    signature = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
    if any(
        isinstance(t, ir.RankedTensorType | ir.UnrankedTensorType)
        for t in (*signature.inputs, *signature.results)
    ):
        return True
    return any(
        isinstance(r.type, ir.RankedTensorType) for op in operations_below(function) for r in op.results
    )


def _separate_fills(function: ir.Operation) -> None:
    """Gives every operation that overwrites a filled tensor a filling of its own: cheaper than a copy of it."""
    position = {op: k for k, op in enumerate(operations_below(function))}
    shared = []
    for op in position:
        if is_fill(op):
            uses = [(use.owner.operation, use.operand_number) for use in op.results[0].uses]
            shared.append((op, sorted(uses, key=lambda use: (position[use[0]], use[1]))))
    # An operation's hash changes with its operands, so nothing is looked up any more from here on.
    for op, uses in shared:
        for user, number in uses[1:]:  # the first keeps the original
            if any(w.index == number for w in writes_of(user)):
                user.operands[number] = op.clone(ir.InsertionPoint(user)).results[0]


def _separate_empties(function: ir.Operation) -> None:
    """Gives every use of a `tensor.empty` its own: contents are unspecified, only sharing would be harmful."""
    for op in list(operations_below(function)):
        if op.name != "tensor.empty":
            continue
        for use in list(op.results[0].uses):
            user, number = use.owner.operation, use.operand_number
            user.operands[number] = op.clone(ir.InsertionPoint(user)).results[0]
        op.erase()


class _Globals:
    """Read-only globals for tensor constants, one for each distinct value."""

    def __init__(self, module: ir.Operation) -> None:
        self._block = module.regions[0].blocks[0]
        self._names: dict[ir.Attribute, str] = {}
        self._taken = {
            ir.StringAttr(op.operation.attributes["sym_name"]).value
            for op in self._block.operations
            if "sym_name" in op.operation.attributes
        }

    def buffer_of(self, constant: ir.Operation) -> ir.Value:
        """The buffer of an `arith.constant` at the current insertion point."""
        kind = buffer_type(constant.results[0].type)
        value = constant.attributes["value"]
        if value not in self._names:
            self._names[value] = self._declare(kind, value, constant.location)
        return memref.GetGlobalOp(kind, self._names[value]).result

    def _declare(self, kind: ir.MemRefType, value: ir.Attribute, location: ir.Location) -> str:
        stem = "constant_" + "x".join([*(str(s) for s in kind.shape), str(kind.element_type)])
        number = 0
        while (name := f"{stem}_{number}") in self._taken:
            number += 1
        self._taken.add(name)
        memref.GlobalOp(
            name,
            ir.TypeAttr.get(kind),
            sym_visibility="private",
            initial_value=value,
            constant=True,
            alignment=64,
            loc=location,
            ip=ir.InsertionPoint.at_block_begin(self._block),
        )
        return name
