"""Faults planted inside of the real passes, one each, and small models that show them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import nn

from wse_mlir.dialects.host import arith, ir
from wse_mlir.passes.cpu.math import wse_expand_half
from wse_mlir.passes.cpu.vectorize import vector_body
from wse_mlir.passes.tensor.algebra import wse_separate_resampling, wse_transposed_convolutions
from wse_mlir.passes.tensor.approximations import exponential
from wse_mlir.passes.tensor.bufferization import analysis
from wse_mlir.passes.tensor.contraction import wse_narrow_factors
from wse_mlir.passes.tensor.fuse import wse_fuse
from wse_mlir.passes.tensor.loops import wse_lower_tm_tensor, wse_reroll_loops, wse_unroll_loops
from wse_mlir.passes.tensor.simplify import (
    wse_absorb_reshapes,
    wse_dce,
    wse_drop_unit_dims,
    wse_fold_constants,
    wse_generalize,
    wse_permute_insertions,
    wse_shrink_padded_filters,
)
from wse_mlir.pipelines import named

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


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    """Standard normal numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


SQUARE = (normal(6, 6), normal(6, 6, seed=1))


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


def _swap_behind(kind: type[Any]) -> Callable[[Monkey], None]:
    """The operands of a difference change places when a pass has run."""
    right = kind.run

    def swapped(self: Any, op: ir.Operation, run: Any) -> None:
        right(self, op, run)

        def visit(inner: ir.Operation) -> ir.WalkResult:
            if inner.name == "arith.subf":
                left, right = inner.operands
                inner.operands[0], inner.operands[1] = right, left
            return ir.WalkResult.ADVANCE

        op.walk(visit)

    return lambda monkey: monkey.setattr(kind, "run", swapped)


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


def _shrink_padded_filters(monkey: Monkey) -> None:
    """The first taps stay, whichever see the image."""
    trims = wse_shrink_padded_filters._trims
    monkey.setattr(
        wse_shrink_padded_filters, "_trims", lambda *args: [replace(trim, first=0) for trim in trims(*args)]
    )


def _transposed_convolutions(monkey: Monkey) -> None:
    """Elements are taken to lie one place further than they do."""
    windows = wse_transposed_convolutions._windows

    def further(*args: Any) -> Any:
        found = windows(*args)
        return found and [replace(window, low=window.low + 1) for window in found]

    monkey.setattr(wse_transposed_convolutions, "_windows", further)


def _separate_resampling(monkey: Monkey) -> None:
    """Neighbours change places, but not their weights."""
    read = wse_separate_resampling._read

    def other(value: ir.Value, axes: Any, tap: int) -> Any:
        return read(value, axes, len(axes[0].weights) - 1 - tap)

    monkey.setattr(wse_separate_resampling, "_read", other)


def _unroll_loops(monkey: Monkey) -> None:
    """Each step is the first one."""
    iterations = wse_unroll_loops._iterations

    def first(loop: Any) -> Any:
        found = iterations(loop)
        return found and [found[0]] * len(found)

    monkey.setattr(wse_unroll_loops, "_iterations", first)


def _narrow_factors(monkey: Monkey) -> None:
    """Factors are squared as they are widened."""
    cast = wse_narrow_factors._cast

    def squared(name: str, kind: ir.Type, value: ir.Value) -> ir.Value:
        wide = cast(name, kind, value)
        return arith.mulf(wide, wide)

    monkey.setattr(wse_narrow_factors, "_cast", squared)


def _recurrence(x: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
    return torch.rnn_tanh(x, torch.zeros(1, 2, 6), weights, False, 1, 0.0, False, False, False)[0]


def _scatter_add(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return torch.zeros(4).index_add(0, index, x)


def _two_reads(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    product = a @ b
    return torch.relu(product) @ b + product


PLANTS = (
    Plant("wse-fold-constants", _fold, lambda x: x + torch.arange(6.0) * 3, (normal(6),), alone="linalg.generic"),
    Plant("wse-generalize", _generalize, torch.matmul, SQUARE, alone="linalg.matmul"),
    Plant("wse-fuse", _swap_behind(wse_fuse.Fuse), lambda a, b: torch.exp(a) - b, SQUARE, alone="linalg.generic"),
    Plant("wse-dce", _dce, lambda a, b: torch.relu(a @ b), SQUARE, alone="linalg.generic"),
    *(
        Plant(f"wse-{name}", _swap_behind(kind), torch.sub, SQUARE, alone="linalg.generic")
        for name, kind in (
            ("drop-unit-dims", wse_drop_unit_dims.DropUnitDims),
            ("permute-insertions", wse_permute_insertions.PermuteInsertions),
            ("absorb-reshapes", wse_absorb_reshapes.AbsorbReshapes),
        )
    ),
    Plant("wse-reroll-loops", _swap_behind(wse_reroll_loops.RerollLoops), torch.sub, SQUARE, alone="linalg.generic"),
    Plant(
        "wse-unroll-loops", _unroll_loops, _recurrence, (normal(12, 2, 6), normal(6, 6), normal(6, 6, seed=1)), True,
        "scf.for",
    ),
    Plant(
        "wse-shrink-padded-filters", _shrink_padded_filters, lambda x, w: torch.conv2d(x, w, padding=1),
        (normal(1, 2, 1, 1), normal(3, 2, 3, 3)),
    ),
    Plant(
        "wse-transposed-convolutions", _transposed_convolutions, lambda x, w: torch.conv_transpose1d(x, w, stride=2),
        (normal(1, 2, 5), normal(2, 3, 4)),
    ),
    Plant(
        "wse-separate-resampling", _separate_resampling,
        lambda x: nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear"), (normal(1, 1, 3, 4),),
        alone="linalg.generic",
    ),
    Plant(
        "wse-narrow-factors", _narrow_factors, torch.addmm,
        (normal(4).half(), normal(3, 5).half(), normal(5, 4).half()), True,
    ),
    Plant("wse-bufferize", _bufferize, _two_reads, SQUARE),
    Plant("wse-vectorize", _vectorize, torch.add, (normal(21), normal(21, seed=1)), alone="linalg.generic"),
    Plant("wse-expand-math", _expand_math, torch.exp, (normal(8),), alone="linalg.generic"),
    Plant(
        "wse-expand-half", _expand_half, lambda a: a * 3.0, (normal(8).half(),), alone="linalg.generic"
    ),
    Plant(
        "wse-lower-tm-tensor", _lower_tm_tensor, _scatter_add, (normal(3), torch.tensor([1, 1, 2])),
        alone="tm_tensor.scatter",
    ),
)  # fmt: skip
