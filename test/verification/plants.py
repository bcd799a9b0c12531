"""Faults planted inside of the real passes, one each, and small models that show them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn
from wse_mlir.dialects.host import arith, ir
from wse_mlir.passes.cpu import vector_body, wse_expand_half
from wse_mlir.passes.tensor import (
    wse_dce,
    wse_fold_constants,
    wse_fuse,
    wse_generalize,
    wse_lower_tm_tensor,
)
from wse_mlir.passes.tensor.algebra import wse_invert_divisors
from wse_mlir.passes.tensor.bufferization import analysis
from wse_mlir.passes.tensor.functions import exponential
from wse_mlir.passes.wafer import (
    emit_collectives,
    emit_tiles,
    wse_bind_tables,
    wse_compose_functions,
    wse_emit_programs,
    wse_generalize_writes,
    wse_own_tables,
    wse_partition,
    wse_place,
    wse_plan_memory,
    wse_separate_reads,
)
from wse_mlir.passes.wafer.library.fragment import Fragment
from wse_mlir.passes.wafer.route import wse_route
from wse_mlir.pipelines import named
from wse_mlir.wse_target.quasi_affine import Var, const

Monkey = pytest.MonkeyPatch


class Function(nn.Module):
    """A function of tensors as a model."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: torch.Tensor) -> Any:
        return self.function(*args)


@dataclass(frozen=True)
class Plant:
    """A fault.

    Attributes:
        pass_name: the pass that it is in, which has to be named.
        sow: puts it there.
        function / args: a model that shows it.
        on_wafer: whether it is one of the wafer's passes.
        alone: the operation that shows it alone; "" when it takes several.
        runs: whether the program still runs, with other numbers.
    """

    pass_name: str
    sow: Callable[[Monkey], None]
    function: Callable[..., Any]
    args: tuple[torch.Tensor, ...]
    on_wafer: bool = False
    alone: str = ""
    runs: bool = True


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


SQUARE = (_random(6, 6), _random(6, 6, seed=1))


def _fold(monkey: Monkey) -> None:
    """Floats that are computed at compile time are one too large."""
    evaluate = wse_fold_constants.evaluate_scalar_op

    def one_more(op: ir.Operation, operands: Any) -> Any:
        found = evaluate(op, operands)
        return found + found.dtype.type(1) if found.dtype.kind == "f" else found

    monkey.setattr(wse_fold_constants, "evaluate_scalar_op", one_more)


def _generalize(monkey: Monkey) -> None:
    """The operands of a product change places."""
    build = wse_generalize.build_generic

    def swapped(inputs: Any, *rest: Any, **named: Any) -> Any:
        return build(inputs[::-1] if len(inputs) == 2 else inputs, *rest, **named)

    monkey.setattr(wse_generalize, "build_generic", swapped)


def _fuse(monkey: Monkey) -> None:
    """The operands of a difference change places in fused bodies."""
    fuse = wse_fuse.Fuse.run

    def swapped(self: Any, op: ir.Operation, run: Any) -> None:
        fuse(self, op, run)

        def visit(inner: ir.Operation) -> ir.WalkResult:
            if inner.name == "arith.subf":
                left, right = inner.operands
                inner.operands[0], inner.operands[1] = right, left
            return ir.WalkResult.ADVANCE

        op.walk(visit)

    monkey.setattr(wse_fuse.Fuse, "run", swapped)


def _dce(monkey: Monkey) -> None:
    """An elementwise operation that is needed goes, and what it worked on takes its place."""
    clean = wse_dce.DeadCode.run

    def too_much(self: Any, op: ir.Operation, run: Any) -> None:
        clean(self, op, run)
        for inner in list(op.regions[0].blocks[0].operations):
            if inner.operation.name == "linalg.generic" and inner.results[0].type == inner.operands[0].type:
                inner.results[0].replace_all_uses_with(inner.operands[0])
                inner.operation.erase()

    monkey.setattr(wse_dce.DeadCode, "run", too_much)


def _bufferize(monkey: Monkey) -> None:
    """Nothing ever conflicts: values that are needed later are overwritten."""
    monkey.setattr(analysis.InPlaceAnalysis, "_conflict", lambda self, op, write, value: None)


def _vectorize(monkey: Monkey) -> None:
    """What is computed in vectors is twice as large."""
    emit = vector_body.BodyEmitter.emit

    def twice(self: Any, *args: Any) -> list[ir.Value]:
        values = emit(self, *args)
        return [arith.addf(v, v) if isinstance(v.type, ir.VectorType) else v for v in values]

    monkey.setattr(vector_body.BodyEmitter, "emit", twice)


def _expand_math(monkey: Monkey) -> None:
    """A coefficient of exp has lost a digit."""
    for name in ("_EXP_HALF", "_EXP_WHOLE"):
        known = getattr(exponential, name)
        monkey.setattr(exponential, name, {double: (*c[:-1], 5.1e-1) for double, c in known.items()})


def _expand_half(monkey: Monkey) -> None:
    """Converting f16 scales by twice as much; the pass is made to run where hardware could convert."""
    real = wse_expand_half._Integers.real
    monkey.setattr(wse_expand_half._Integers, "real", lambda self, bits: real(self, bits + (1 << 23)))
    cpu = named.named_pipeline("cpu")
    passes = {s.name: s.passes for s in cpu.stages}["expand-math"]
    always = passes.replace("wse-expand-half", "wse-expand-half{always=true}")
    monkey.setitem(named.NAMED_PIPELINES, "cpu", cpu.override(expand_math=always))


def _lower_tm_tensor(monkey: Monkey) -> None:
    """A scatter that adds overwrites."""
    monkey.setattr(wse_lower_tm_tensor, "inline_body", lambda body, values: values[:1])


def _invert(monkey: Monkey) -> None:
    """Quotients by constants become products by the constants."""
    monkey.setattr(wse_invert_divisors, "_multiply_by_constant", _multiply)


def _multiply(view: Any, division: Any, divisor: float) -> bool:
    with division.location, ir.InsertionPoint(division):
        wse_invert_divisors._replace(division, arith.mulf(division.lhs, division.rhs))
    return True


def _compose(monkey: Monkey) -> None:
    """A hyperbolic cosine is a hyperbolic sine."""
    composed = wse_compose_functions._COMPOSED
    monkey.setitem(composed, "cosh", composed["sinh"])


def _generalize_writes(monkey: Monkey) -> None:
    """All elements are written but those that are hit."""
    select = arith.select
    body = wse_generalize_writes._Generalizer._body

    def missed(self: Any, *arguments: ir.Value) -> list[ir.Value]:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(wse_generalize_writes.arith, "select", lambda hit, new, old: select(hit, old, new))
            return body(self, *arguments)

    monkey.setattr(wse_generalize_writes._Generalizer, "_body", missed)


def _bind_tables(monkey: Monkey) -> None:
    """Tables are read where their operands' maps say, whatever the indices."""
    monkey.setattr(wse_bind_tables, "is_plain", lambda view, place, dim, index: True)


def _separate_reads(monkey: Monkey) -> None:
    """What was read takes the place of another operand, and that its own."""
    build = wse_separate_reads.build_generic

    def swapped(inputs: Any, inits: Any, maps: Any, iterators: Any, body: Any) -> Any:
        if body.__name__ == "rest":
            other = next(k for k, value in enumerate(inputs) if value.type == inputs[-1].type)
            inputs[other], inputs[-1] = inputs[-1], inputs[other]
        return build(inputs, inits, maps, iterators, body)

    monkey.setattr(wse_separate_reads, "_LARGE", 0)
    monkey.setattr(wse_separate_reads, "build_generic", swapped)


def _own_tables(monkey: Monkey) -> None:
    """Whoever has not the place of a table adds one."""
    monkey.setattr(wse_own_tables, "_neutral", lambda element: ir.FloatAttr.get(element, 1.0))


def _partition(monkey: Monkey) -> None:
    """Parts of a sum are never added up."""
    monkey.setattr(wse_partition._Rewriter, "reduce", _remember)


def _remember(rewriter: Any, op: Any, chosen: Any) -> None:
    for result, axes in zip(op.results, chosen.gives, strict=True):
        rewriter.versions[result] = {axes: result}


def _move(monkey: Monkey) -> None:
    """A movement between layouts moves nothing."""
    monkey.setattr(emit_collectives, "emit", lambda *args: Fragment(()))


def _place(monkey: Monkey) -> None:
    """What comes from the host is spread over the other axis."""
    moved = wse_place._moved
    other = {"x": "y", "y": "x"}
    done: list[ir.Attribute] = []

    def misplaced(attribute: ir.Attribute, rect: Any) -> ir.Attribute:
        found = moved(attribute, rect)
        done.append(attribute)
        if len(done) > 1:
            return found
        dims, mesh = ir.StringAttr(wse_place.LayoutAttr(found).params[0]).value.split(" on ")
        extents = {"x": rect.w, "y": rect.h}

        def swapped(digit: re.Match[str]) -> str:
            axis = other[digit[1]]
            return f"{axis}:{extents[axis]}/{-(-int(digit[2]) * int(digit[3]) // extents[axis])}"

        dims = re.sub(r"([xy]):(\d+)/(\d+)", swapped, dims)
        return wse_place.LayoutAttr.get(ir.StringAttr.get(f"{dims} on {mesh}"))

    monkey.setattr(wse_place, "_moved", misplaced)


def _emit(monkey: Monkey) -> None:
    """Results are taken from the rows of PEs in the opposite order."""
    origin, finish = emit_tiles.Tile.origin, wse_emit_programs._Emitter._finish

    def reversed_rows(self: Any) -> tuple[Any, ...]:
        found = list(origin(self))
        for dim, held in enumerate(self.layout.dims):
            if held.axes == ("y",):
                found[dim] = (const(self.layout.mesh.rect.h - 1) - Var("y")) * self.shape[dim]
        return tuple(found)

    def finish_reversed(self: Any, op: Any) -> None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(emit_tiles.Tile, "origin", reversed_rows)
            finish(self, op)

    monkey.setattr(wse_emit_programs._Emitter, "_finish", finish_reversed)


def _route(monkey: Monkey) -> None:
    """All colours have one number."""

    def number(self: Any) -> tuple[int, int]:
        for colour in self.colours.values():
            colour.attributes["id"] = wse_route.build.i64(self.machine.usable_colours[0])
        return 0, 0

    monkey.setattr(wse_route._Router, "number", number)


def _plan_memory(monkey: Monkey) -> None:
    """Buffers that are needed at the same time share memory."""
    monkey.setattr(wse_plan_memory, "_conflicts", lambda module, buffers: {b.name: set() for b in buffers})


def _scatter_add(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return torch.zeros(4).index_add(0, index, x)


def _write_row(x: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    return x.index_copy(0, place, torch.ones(1, 5))


def _two_reads(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    product = a @ b
    return torch.relu(product) @ b + product


PLANTS = (
    Plant("wse-fold-constants", _fold, lambda x: x + torch.arange(6.0) * 3, (_random(6),), alone="linalg.generic"),
    Plant("wse-generalize", _generalize, torch.matmul, SQUARE, alone="linalg.matmul"),
    Plant("wse-fuse", _fuse, lambda a, b: torch.exp(a) - b, SQUARE, alone="linalg.generic"),
    Plant("wse-dce", _dce, lambda a, b: torch.relu(a @ b), SQUARE, alone="linalg.generic"),
    Plant("wse-bufferize", _bufferize, _two_reads, SQUARE),
    Plant("wse-vectorize", _vectorize, torch.add, (_random(21), _random(21, seed=1)), alone="linalg.generic"),
    Plant("wse-expand-math", _expand_math, torch.exp, (_random(8),), alone="linalg.generic"),
    Plant(
        "wse-expand-half", _expand_half, lambda a: a * 3.0, (_random(8).half(),), alone="linalg.generic"
    ),
    Plant(
        "wse-lower-tm-tensor", _lower_tm_tensor, _scatter_add, (_random(3), torch.tensor([1, 1, 2])),
        alone="tm_tensor.scatter",
    ),
    Plant("wse-invert-divisors", _invert, lambda a: a / 7, (_random(5, 6),), True, "linalg.generic"),
    Plant("wse-compose-functions", _compose, torch.cosh, (_random(5, 6),), True, "linalg.generic"),
    Plant(
        "wse-generalize-writes", _generalize_writes, _write_row, (_random(4, 5), torch.tensor([2])), True,
        "tensor.insert_slice",
    ),
    Plant(
        "wse-bind-tables", _bind_tables, lambda t, i: t[i], (_random(7, 3), torch.tensor([5, 2])), True,
        "linalg.generic",
    ),
    Plant(
        "wse-separate-reads", _separate_reads, lambda t, i, p: t[i] - p,
        (_random(7, 3), torch.tensor([5, 2]), _random(2, 3)), True, "linalg.generic",
    ),
    Plant(
        "wse-own-tables", _own_tables, lambda t, i: t[i], (_random(7, 3), torch.tensor([5, 2])), True,
        "linalg.generic",
    ),
    Plant("wse-partition", _partition, lambda a: a.sum(1), (_random(2, 64),), True, "linalg.generic"),
    Plant(
        "wse-emit-programs", _move, lambda a: torch.softmax(a @ a.t(), 1), (_random(6, 40),), True,
        "linalg.generic",
    ),
    Plant("wse-place", _place, lambda a: a.exp(), (_random(3, 32),), True, "linalg.generic", False),
    Plant("wse-emit-programs", _emit, torch.exp, (_random(8, 8),), True, "linalg.generic"),
    Plant("wse-route", _route, lambda a: a.sum(1), (_random(2, 64),), True, "linalg.generic", False),
    Plant("wse-plan-memory", _plan_memory, torch.add, SQUARE, True, "linalg.generic"),
)  # fmt: skip
