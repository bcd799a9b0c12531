"""How long a model must take at least: operations and bytes, counted in its IR.

Counted is linalg before operations are fused, for fusion may compute something twice, and after taps of convolutions
that only ever see padding are cut off. Bytes are those that any program has to move: inputs, parameters and states
once, outputs once; of tables that rows are gathered from, and of parameters and states of which slices are used or
written, these. Where they come from in repeated calls is decided by how many they are.

A program may need less than is counted here: tiles of convolutions (Winograd) multiply less, and scores that a mask
hides need not be computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from cpu_families import Case

import wse_mlir
from wse_mlir.compare.census import byte_size
from wse_mlir.dialects.host import ir
from wse_mlir.dialects.structured import structured
from wse_mlir.frontend.interface import find_main

_L2, _L3 = 768 << 10, 24 << 20  # three quarters of the caches that the machine's footprints stand for
_FLOATS = ("f16", "bf16", "f32", "f64")
_COUNTED = "func.func(wse-generalize),canonicalize,cse,func.func(wse-shrink-padded-filters),canonicalize,cse"
_KIND, _STATE, _PARAMETER = "wse.kind", "state", "parameter"


@dataclass(frozen=True)
class Work:
    """What a call has to do.

    Attributes:
        flops: floating-point operations; a multiply-add is two, a function is one.
        parameter_bytes: of parameters that are read.
        call_bytes: of inputs, states and outputs that are read or written.
    """

    flops: int
    parameter_bytes: int
    call_bytes: int

    @property
    def bytes(self) -> int:
        return self.parameter_bytes + self.call_bytes

    @property
    def level(self) -> str:
        """Where the bytes come from, as the machine's figures are called."""
        return "l2" if self.bytes <= _L2 else "l3" if self.bytes <= _L3 else "memory"

    def compute_seconds(self, machine: Mapping[str, Any]) -> float:
        """What one core needs for the operations at its peak."""
        return self.flops / machine["peak_gflops"] * 1e-9

    def memory_seconds(self, machine: Mapping[str, Any]) -> float:
        """What one core needs for the bytes at the bandwidth of where they lie."""
        return self.bytes / machine["read_gb_s"][self.level] * 1e-9

    def seconds(self, machine: Mapping[str, Any]) -> float:
        """The least that one core needs."""
        return max(self.compute_seconds(machine), self.memory_seconds(machine))


def work_of(case: Case) -> Work:
    """Counts what a case's model does."""
    return count_work(wse_mlir.import_model(case.model, case.args))


def count_work(module: ir.Module | str) -> Work:
    """Counts what @main of a module at stage `imported` does; a module is changed."""
    module = wse_mlir.opt(module, f"builtin.module({_COUNTED})")
    main = find_main(module)
    counter = _Counter()
    main.operation.walk(counter.visit, ir.WalkOrder.PRE_ORDER)
    block = main.regions[0].blocks[0]
    read = {_PARAMETER: 0, "": counter.gathered}
    for argument, kind in zip(block.arguments, _kinds(main, "arg_attrs"), strict=True):
        read[kind if kind == _PARAMETER else ""] += _bytes_read(argument)
    returned = list(block.operations)[-1].operands
    for result, kind in zip(returned, _kinds(main, "res_attrs"), strict=True):
        inserted = _bytes_inserted(result) if kind == _STATE else None
        read[""] += byte_size(result.type) if inserted is None else inserted
    return Work(counter.flops, read[_PARAMETER], read[""])


class _Counter:
    """Adds up operations of `linalg.generic`s and bytes that their bodies gather."""

    def __init__(self) -> None:
        self.flops = self.gathered = 0

    def visit(self, op: ir.Operation) -> ir.WalkResult:
        view = structured(op)
        if view is not None:
            points = prod(1 if size is None else size for size in view.loop_sizes())
            self.flops += points * sum(_is_flop(inner) for inner in view.body_operations())
            if any(inner.operation.name == "tensor.extract" for inner in view.body_operations()):
                self.gathered += sum(byte_size(init.type) for init in view.inits)
        return ir.WalkResult.ADVANCE


def _is_flop(op: Any) -> bool:
    name = op.operation.name
    if not name.startswith(("arith.", "math.")) or name == "arith.constant" or len(op.results) != 1:
        return False
    casts = name in ("arith.extf", "arith.truncf", "arith.sitofp", "arith.uitofp", "arith.select")
    return str(op.results[0].type) in _FLOATS and not casts


def _kinds(main: Any, attribute: str) -> list[str]:
    """What each argument or result of a function is: "input", "parameter", "state", "output", or "" if unknown."""
    count = len(main.type.inputs if attribute == "arg_attrs" else main.type.results)
    if attribute not in main.attributes:
        return [""] * count
    marks = [ir.DictAttr(mark) for mark in ir.ArrayAttr(main.attributes[attribute])]
    return [ir.StringAttr(mark[_KIND]).value if _KIND in mark else "" for mark in marks]


def _bytes_read(argument: ir.Value) -> int:
    """All of an argument, unless only slices of it are used; single elements are counted where they are gathered."""
    users = [use.owner for use in argument.uses]
    if all(user.name in ("tensor.extract", "tensor.dim") for user in users):
        return 0
    if all(user.name in ("tensor.extract_slice", "tensor.dim") for user in users):
        slices = sum(byte_size(user.results[0].type) for user in users)
        return min(slices, byte_size(argument.type))
    return byte_size(argument.type)


def _bytes_inserted(value: ir.Value) -> int | None:
    """Bytes of the slices by which a tensor differs from an argument; None where it does in another way."""
    inserted = 0
    while not isinstance(value.owner, ir.Block):
        op = value.owner
        view = structured(op)
        if op.name == "tensor.insert_slice":
            inserted += byte_size(op.operands[0].type)
            value = op.operands[1]
        elif view is not None and len(view.inputs) == 1 and view.is_copy():
            value = view.inputs[0]  # the same in another order
        elif op.name in ("tensor.expand_shape", "tensor.collapse_shape", "tensor.cast"):
            value = op.operands[0]
        else:
            return None
    return inserted
