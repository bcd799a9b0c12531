"""How long a model must take at least: operations and bytes, counted in its imported IR.

Bytes are those that any program has to move: inputs, parameters and states once, outputs once; of tables that rows
are gathered from, the rows. Where they come from in repeated calls is decided by how many they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from cpu_families import Case
from wse_mlir.dialects.host import ir
from wse_mlir.dialects.structured import structured
from wse_mlir.pipelines.comparison.census import byte_size

import wse_mlir

_L2, _L3 = 768 << 10, 24 << 20  # three quarters of the caches that the machine's footprints stand for
_FLOATS = ("f16", "bf16", "f32", "f64")


@dataclass(frozen=True)
class Work:
    """What a call has to do: floating-point operations (a multiply-add is two, a function is one), and bytes."""

    flops: int
    bytes: int

    def seconds(self, machine: Mapping[str, Any]) -> float:
        """The least that one core needs."""
        level = "l2" if self.bytes <= _L2 else "l3" if self.bytes <= _L3 else "memory"
        return max(
            self.flops / machine["peak_gflops"] * 1e-9, self.bytes / machine["read_gb_s"][level] * 1e-9
        )


def work_of(case: Case) -> Work:
    """Counts what a case's model does."""
    module = wse_mlir.opt(
        wse_mlir.import_model(case.model, case.args), "builtin.module(func.func(wse-generalize))"
    )
    main = next(op for op in module.body.operations if "wse.kind" in str(op.type) or op.name.value == "main")
    counter = _Counter()
    main.operation.walk(counter.visit, ir.WalkOrder.PRE_ORDER)
    block = main.regions[0].blocks[0]
    moved = sum(byte_size(argument.type) for argument in block.arguments if not _is_table(argument))
    moved += sum(byte_size(result) for result in main.type.results)
    return Work(counter.flops, moved + counter.gathered)


class _Counter:
    """Adds up operations of `linalg.generic`s and bytes that their bodies gather."""

    def __init__(self) -> None:
        self.flops = self.gathered = 0

    def visit(self, op: ir.Operation) -> ir.WalkResult:
        view = structured(op)
        if view is not None:
            points = prod(size or 1 for size in view.loop_sizes())
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


def _is_table(argument: ir.Value) -> bool:
    """Whether only single elements of an argument are read."""
    users = [use.owner.name for use in argument.uses]
    return all(name in ("tensor.extract", "tensor.dim") for name in users)
