"""Where PyTorch itself leaves a result open: what is compared then, and why. The only exceptions there are.

A rule sees one call that does not match, and says whether what is defined of it does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils import _pytree as pytree
from wse_mlir.pipelines.agreement import relative_error, tolerance

from .borders import touched_by_border
from .samples import Sample


@dataclass(frozen=True)
class Call:
    """A call whose value differs from PyTorch's.

    Attributes:
        variation: what was planted into `tensors`.
        actual / expected: leaves of the two values.
    """

    sample: Sample
    variation: str
    tensors: Sequence[torch.Tensor]
    actual: Sequence[Any]
    expected: Sequence[Any]
    tolerance: Callable[[torch.dtype], float]


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


def _alike(a: Any, b: Any) -> bool:
    return isinstance(a, torch.Tensor) and a.dtype == b.dtype and a.shape == b.shape


def _same_form(call: Call) -> bool:
    return all(_alike(a, b) for a, b in zip(call.actual, call.expected, strict=True))


def _positions_of_equals(call: Call) -> bool:
    """Values agree, and positions are distinct and lead to those values."""
    source, dim = call.tensors[0], _dimension(call.sample)
    values = [x for x in call.expected if x.dtype != torch.int64 or source.dtype == torch.int64][:1]
    positions = call.actual[-1]
    if not _same_form(call) or positions.dtype != torch.int64 or source.ndim == 0:
        return False
    if positions.numel() and not 0 <= int(positions.min()) <= int(positions.max()) < source.shape[dim]:
        return False
    shown = positions if positions.ndim == source.ndim else positions.unsqueeze(dim)
    reached = source.gather(dim, shown).reshape(positions.shape)
    wanted = source.gather(dim, call.expected[-1].reshape(shown.shape)).reshape(positions.shape)
    ordered = shown.sort(dim).values
    distinct = bool((ordered.diff(dim=dim) != 0).all())
    same_values = len(call.expected) == 1 or relative_error(call.actual[0], values[0]) == 0
    return distinct and same_values and relative_error(reached, wanted) == 0


def _modes_of_ordered_lines(call: Call) -> bool:
    """Lines without NaN agree: values exactly, positions lead to equal elements."""
    source, dim = call.tensors[0], _dimension(call.sample)
    if not _same_form(call) or source.ndim == 0 or not source.is_floating_point():
        return False
    unordered = source.isnan().any(dim, keepdim=True)
    open_lines = unordered.reshape(call.expected[0].shape)
    actual = [torch.where(open_lines, b, a) for a, b in zip(call.actual, call.expected, strict=True)]
    return bool(unordered.any()) and _positions_of_equals(replace(call, actual=actual))


def _dimension(sample: Sample) -> int:
    args, kwargs = pytree.tree_unflatten(sample.leaves, sample.spec)
    skipped = {"topk": 2, "kthvalue": 2}.get(sample.entry, 1)
    given = kwargs.get("dim", args[skipped] if len(args) > skipped else -1)
    return given if isinstance(given, int) and not isinstance(given, bool) else -1


def _nearer_the_truth(call: Call) -> bool:
    """Narrow floats: our result is that of double precision, rounded, within the tolerance."""
    narrow = call.sample.dtype in (torch.float16, torch.bfloat16)
    wide = _in_double(call) if narrow else None
    if wide is None or not _same_form(call):
        return False
    return all(
        relative_error(a, w.to(a.dtype)) <= call.tolerance(a.dtype)
        for a, w in zip(call.actual, wide, strict=True)
    )


def _within_rounded_inputs(call: Call) -> bool:
    """Narrow floats, a number: what rounding the inputs can make of the exact result, to first order."""
    if len(call.expected) != 1 or not _same_form(call) or call.expected[0].numel() != 1:
        return False
    actual, dtype = call.actual[0], call.expected[0].dtype
    if dtype not in (torch.float16, torch.bfloat16):
        return False
    wide = [t.double().requires_grad_() if t.is_floating_point() else t for t in call.tensors]
    exact = call.sample(wide)
    moved = [t for t in wide if t.requires_grad]
    slopes = torch.autograd.grad(exact.sum(), moved, allow_unused=True)
    terms = [float((g * t.detach()).abs().sum()) for g, t in zip(slopes, moved, strict=True) if g is not None]
    reached = (sum(terms) + float(exact.detach().abs())) * torch.finfo(dtype).eps / 2
    return bool((actual.double() - exact.detach()).abs() <= reached)


def _largest_values(call: Call) -> bool:
    """All elements agree but those on which PyTorch and its own double precision do not, or that hardly overflow."""
    if not _same_form(call) or not ({"large", "all"} & {call.variation}):
        return False
    wide = _in_double(call)
    if wide is None:
        return False
    for a, b, w in zip(call.actual, call.expected, wide, strict=True):
        rounded, limit = w.to(b.dtype), call.tolerance(b.dtype)
        decided = torch.isclose(rounded.double(), b.double(), rtol=limit, atol=0, equal_nan=True)
        if w.is_floating_point():
            most = torch.finfo(b.dtype).max
            near = (w.abs() / most - 1).abs() <= limit
            a, b = (torch.where(near, t.clamp(-most, most), t) for t in (a, b))
        if relative_error(torch.where(decided, a, 0), torch.where(decided, b, 0)) > limit:
            return False
    return True


def _running_mean(call: Call) -> bool:
    """All elements agree but infinities where PyTorch has NaN, and what is left of sums that cancel."""
    if not _same_form(call) or not ({"inf", "large", "all"} & {call.variation}):
        return False
    finite = [t.double().abs().nan_to_num(0, 0, 0) for t in call.tensors if t.is_floating_point()]
    noise = max(float(t.max()) for t in finite if t.numel()) * 16 * torch.finfo(torch.float64).eps

    def decided(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        cancelled = (a.double() - b.double()).abs() <= noise
        return torch.where(b.isnan() & a.isinf() | cancelled, b, a)

    return all(
        relative_error(decided(a, b), b) <= call.tolerance(b.dtype)
        for a, b in zip(call.actual, call.expected, strict=True)
    )


def _far_quotients(call: Call) -> bool:
    """All elements agree but those that are NaN for PyTorch because their quotient overflows."""
    if len(call.tensors) != 2 or not _same_form(call) or not call.expected[0].is_floating_point():
        return False
    (actual,), (expected,) = call.actual, call.expected
    dividend, divisor = call.tensors[::-1] if call.sample.entry == "__rmod__" else call.tensors
    far = (dividend / divisor).isinf() & dividend.isfinite() & (divisor != 0) & expected.isnan()
    return relative_error(torch.where(far, expected, actual), expected) <= call.tolerance(expected.dtype)


def _overflowing_products(call: Call) -> bool:
    """All elements agree but those whose terms, all taken as positive, add up to more than the type holds."""
    if not _same_form(call) or not ({"large", "all"} & {call.variation}):
        return False
    return _agree_where(call, lambda total, top: total <= top, finite=True)


def _reassociated_products(call: Call) -> bool:
    """The same for products of three, where an infinity among the terms leaves an element open as well."""
    if not _same_form(call) or not ({"inf", "large", "all"} & {call.variation}):
        return False
    return _agree_where(call, lambda total, top: total <= top, finite=False)


def _agree_where(
    call: Call, is_decided: Callable[[torch.Tensor, float], torch.Tensor], *, finite: bool
) -> bool:
    """Whether elements agree where the sum of all terms' absolute values decides them."""

    def positive(t: torch.Tensor) -> torch.Tensor:
        if not t.is_floating_point():
            return t.clone()
        return t.double().abs().nan_to_num(0, 0, 0) if finite else t.double().abs()

    try:
        totals = pytree.tree_leaves(call.sample([positive(t) for t in call.tensors]))
    except Exception:
        return False
    for a, b, total in zip(call.actual, call.expected, totals, strict=True):
        # A single kernel adds up float16 in float32; of float64 the sum overflows just as well.
        kept = torch.float32 if finite and b.dtype == torch.float16 else b.dtype
        decided = is_decided(total, torch.finfo(kept).max) & (finite | ~total.isnan())
        if call.variation == "inf" and bool((b.isfinite() & ~a.isfinite()).any()):
            return False
        limit = call.tolerance(b.dtype)
        if relative_error(torch.where(decided, a, 0), torch.where(decided, b, 0)) > limit:
            return False
    return True


def _multiplied_border(call: Call) -> bool:
    """All elements agree, or overflow, but NaN where a border's zero meets a weight that is not finite."""
    if not _same_form(call) or len(call.expected) != 1:
        return False
    given = iter(call.tensors)
    leaves = [next(given) if isinstance(leaf, torch.Tensor) else leaf for leaf in call.sample.leaves]
    (actual,), (expected,) = call.actual, call.expected
    is_open = touched_by_border(*pytree.tree_unflatten(leaves, call.sample.spec)) & actual.isnan()
    actual = torch.where(is_open, expected, actual)
    others = replace(call, actual=[actual])
    return relative_error(actual, expected) <= call.tolerance(expected.dtype) or any(
        holds(others) for holds in (_nearer_the_truth, _largest_values, _overflowing_products)
    )


def _infinite_activation(call: Call) -> bool:
    """All elements agree but NaN in place of infinity where the input is infinite."""
    x = call.tensors[0]
    if not _same_form(call) or x.shape != call.actual[0].shape:
        return False
    a, b = call.actual[0], call.expected[0]
    return relative_error(torch.where((x == torch.inf) & (a == torch.inf) & b.isnan(), b, a), b) <= (
        call.tolerance(b.dtype)
    )


def _cancelled_mean(call: Call) -> bool:
    """All outputs agree but the second, the means, by no more than the rounding of the largest element in float64."""
    if not _same_form(call) or not ({"large", "all"} & {call.variation}):
        return False
    largest = max(float(t.double().abs().nan_to_num(0, 0, 0).max()) for t in call.tensors if t.numel())
    noise = largest * 16 * torch.finfo(torch.float64).eps
    for k, (a, b) in enumerate(zip(call.actual, call.expected, strict=True)):
        cancelled = (
            (a.double() - b.double()).abs() <= noise if k == 1 else torch.zeros_like(b, dtype=torch.bool)
        )
        if relative_error(torch.where(cancelled, b, a), b) > call.tolerance(b.dtype):
            return False
    return True


def _in_double(call: Call) -> list[torch.Tensor] | None:
    """The value for the tensors in double precision; None where there is none, or nothing to widen."""
    if not any(t.dtype in (torch.float16, torch.bfloat16, torch.float32) for t in call.tensors):
        return None
    try:
        value = call.sample([t.double() if t.is_floating_point() else t.clone() for t in call.tensors])
    except Exception:
        return None
    leaves = pytree.tree_leaves(value)
    shapes = [getattr(leaf, "shape", None) for leaf in leaves]
    return leaves if shapes == [b.shape for b in call.expected] else None


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
        _same_form,
    ),
    Rule(
        "order of equals",
        frozenset({"sort", "argsort", "topk", "msort", "kthvalue", "median", "nanmedian", "mode"}),
        "values exactly; positions are distinct and lead to equal elements",
        "which of equal elements comes first is not specified",
        _positions_of_equals,
    ),
    Rule(
        "mode of what is not ordered",
        frozenset({"mode"}),
        "lines without NaN, as for the order of equals",
        "PyTorch sorts a line by `<`, which does not order NaN, before it counts equal neighbours",
        _modes_of_ordered_lines,
    ),
    Rule(
        "double precision",
        frozenset(),
        "float16 and bfloat16: with PyTorch's result in double precision, rounded",
        "PyTorch rounds in between, and is further from the exact result than the tolerance",
        _nearer_the_truth,
    ),
    Rule(
        "rounded inputs",
        frozenset({"nn.functional.triplet_margin_loss", "nn.functional.triplet_margin_with_distance_loss"}),
        "float16 and bfloat16: no further from double precision than rounding the inputs can move it",
        "distances that were rounded cancel, and which of the steps are rounded decides what is left",
        _within_rounded_inputs,
    ),
    Rule(
        "largest values",
        frozenset(),
        "elements on which PyTorch in single and in double precision agree within the tolerance; an infinity "
        "matches the largest finite value where the exact result is within the tolerance of that",
        "with the largest finite values planted, the order of additions decides what overflows or cancels on the way",
        _largest_values,
    ),
    Rule(
        "overflowing products",
        _PRODUCTS,
        "elements of which the terms' absolute values add up to what the type holds",
        "the order of additions decides whether a partial sum overflows, to which side, and whether both meet as NaN",
        _overflowing_products,
    ),
    Rule(
        "multiplied border",
        frozenset(f"nn.functional.conv_transpose{n}d" for n in (1, 2, 3)),
        "all elements; where a zero of the border meets an infinite weight or NaN, NaN matches too",
        "PyTorch defines these convolutions by zeros that are added around the input, as it does the plain ones; its "
        "kernels leave out the products with them",
        _multiplied_border,
    ),
    Rule(
        "products of three",
        frozenset({"nn.functional.bilinear"}),
        "elements of which the terms' absolute values add up to what the type holds",
        "which two factors are multiplied first decides what overflows, and whether infinities of both signs meet",
        _reassociated_products,
    ),
    Rule(
        "cancelled mean",
        frozenset({"_native_batch_norm_legit", "native_batch_norm"}),
        "the means that are handed out: within the rounding of the largest element in float64",
        "of elements that cancel PyTorch keeps what it rounded off, adding them up in float64",
        _cancelled_mean,
    ),
    Rule(
        "infinite activation",
        frozenset({"nn.functional.gelu"}),
        "where the input is +inf and PyTorch has NaN, +inf matches too",
        "PyTorch's vector code in float32 has NaN; its scalar code, its float64 and its float16 have +inf",
        _infinite_activation,
    ),
    Rule(
        "far quotients",
        frozenset({"remainder", "__rmod__", "fmod"}),
        "elements whose quotient is a finite number",
        "PyTorch's vector code gives NaN where the quotient is beyond the type, its scalar code what is left",
        _far_quotients,
    ),
    Rule(
        "running mean",
        frozenset({"std_mean", "std_mean.unbiased", "var_mean", "var_mean.unbiased", "native_group_norm"}),
        "where PyTorch has NaN for a mean, an infinity matches too; means that differ by less than the rounding of "
        "the largest element in float64 match",
        "PyTorch updates the mean element by element in float64, so that an infinity gives NaN unless it comes last, "
        "and of elements that cancel it keeps what was rounded off",
        _running_mean,
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
