"""Where PyTorch itself leaves a result open: what is compared then, and why. The only exceptions there are.

A rule sees one call that does not match, and says whether what is defined of it does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from wse_mlir.compare.agreement import tolerance

from .judgements import (
    Call,
    cancelled_mean,
    far_quotients,
    infinite_activation,
    largest_values,
    modes_of_ordered_lines,
    multiplied_border,
    nearer_the_truth,
    overflowing_products,
    positions_of_equals,
    reassociated_products,
    running_mean,
    same_form,
    within_rounded_inputs,
)


@dataclass(frozen=True)
class Rule:
    """
    Attributes:
        operators: names in the database; empty for all.
        compared: what is compared in place of equality, in words.
        reason: why PyTorch's own result does not decide.
        holds: whether what is defined agrees.
    """

    name: str
    operators: frozenset[str]
    compared: str
    reason: str
    holds: Callable[[Call], bool]


def rule_for(operator: str, call: Call) -> Rule | None:
    """The first rule for that operator that holds of the call."""
    for rule in RULES:
        if (not rule.operators or operator in rule.operators) and rule.holds(call):
            return rule
    return None


_CANCELLING_LOSSES = (
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "multilabel_soft_margin_loss",
)
_PRODUCTS = frozenset(
    {"nn.functional.embedding_bag", "nn.functional.linear"}
    | {f"nn.functional.conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)}
)

RULES = (
    Rule(
        "uninitialised",
        frozenset(
            {"empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided"}
        ),
        "shape and dtype",
        "the elements are whatever the memory held",
        same_form,
    ),
    Rule(
        "order of equals",
        frozenset({"sort", "argsort", "topk", "msort", "kthvalue", "median", "nanmedian", "mode"}),
        "values exactly; positions are distinct and lead to equal elements",
        "which of equal elements comes first is not specified",
        positions_of_equals,
    ),
    Rule(
        "mode of what is not ordered",
        frozenset({"mode"}),
        "lines without NaN, as for the order of equals",
        "PyTorch sorts a line by `<`, which does not order NaN, before it counts equal neighbours",
        modes_of_ordered_lines,
    ),
    Rule(
        "double precision",
        frozenset(),
        "float16 and bfloat16: with PyTorch's result in double precision, rounded",
        "PyTorch rounds in between, and is further from the exact result than the tolerance",
        nearer_the_truth,
    ),
    Rule(
        "rounded inputs",
        frozenset(f"nn.functional.{name}" for name in _CANCELLING_LOSSES),
        "float16 and bfloat16: no further from double precision than rounding the inputs can move it",
        "terms that were rounded cancel, and which of the steps are rounded decides what is left",
        within_rounded_inputs,
    ),
    Rule(
        "largest values",
        frozenset(),
        "elements on which PyTorch in single and in double precision agree within the tolerance; an infinity "
        "matches the largest finite value where the exact result is within the tolerance of that",
        "with the largest finite values planted, the order of additions decides what overflows or cancels on the way",
        largest_values,
    ),
    Rule(
        "overflowing products",
        _PRODUCTS,
        "elements of which the terms' absolute values add up to what the type holds",
        "the order of additions decides whether a partial sum overflows, to which side, and whether both meet as NaN",
        overflowing_products,
    ),
    Rule(
        "multiplied border",
        frozenset(f"nn.functional.conv_transpose{n}d" for n in (1, 2, 3)),
        "all elements; where a zero of the border meets an infinite weight or NaN, NaN matches too",
        "PyTorch defines these convolutions by zeros that are added around the input, as it does the plain ones; its "
        "kernels leave out the products with them",
        multiplied_border,
    ),
    Rule(
        "products of three",
        frozenset({"nn.functional.bilinear"}),
        "elements of which the terms' absolute values add up to what the type holds",
        "which two factors are multiplied first decides what overflows, and whether infinities of both signs meet",
        reassociated_products,
    ),
    Rule(
        "cancelled mean",
        frozenset({"_native_batch_norm_legit", "native_batch_norm"}),
        "the means that are handed out: within the rounding of the largest element in float64",
        "of elements that cancel PyTorch keeps what it rounded off, adding them up in float64",
        cancelled_mean,
    ),
    Rule(
        "infinite activation",
        frozenset({"nn.functional.gelu"}),
        "where the input is +inf and PyTorch has NaN, +inf matches too",
        "PyTorch's vector code in float32 has NaN; its scalar code, its float64 and its float16 have +inf",
        infinite_activation,
    ),
    Rule(
        "far quotients",
        frozenset({"remainder", "__rmod__", "fmod"}),
        "elements whose quotient is a finite number",
        "PyTorch's vector code gives NaN where the quotient is beyond the type, its scalar code what is left",
        far_quotients,
    ),
    Rule(
        "running mean",
        frozenset({"std_mean", "std_mean.unbiased", "var_mean", "var_mean.unbiased", "native_group_norm"}),
        "where PyTorch has NaN for a mean, an infinity matches too; means that differ by less than the rounding of "
        "the largest element in float64 match",
        "PyTorch updates the mean element by element in float64, so that an infinity gives NaN unless it comes last, "
        "and of elements that cancel it keeps what was rounded off",
        running_mean,
    ),
)


@dataclass(frozen=True)
class NodeRule:
    """Node tests of ONNX that are held to their own tolerance; fields as those of a `Rule`."""

    name: str
    operators: frozenset[str]
    compared: str
    reason: str


NODE_RULE = NodeRule(
    "four digits",
    frozenset({"test_averagepool_2d_ceil_last_window_starts_on_pad"}),
    "within the tolerance that the test carries: 1e-3 of each element",
    "the expected result is written with four digits, and the last one is off by one",
)


def tolerances(target: str) -> Callable[[torch.dtype], float]:
    """The tolerance of a target by dtype."""
    return lambda dtype: tolerance(dtype, on_wafer=target != "cpu")
