"""Calls whose value differs from PyTorch's, and what can be said of those: the conditions of the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils import _pytree as pytree

from wse_mlir.compare.agreement import relative_error

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


def _alike(a: Any, b: Any) -> bool:
    return isinstance(a, torch.Tensor) and a.dtype == b.dtype and a.shape == b.shape


def same_form(call: Call) -> bool:
    return all(_alike(a, b) for a, b in zip(call.actual, call.expected, strict=True))


def positions_of_equals(call: Call) -> bool:
    """Values agree, and positions are distinct and lead to those values."""
    source, dim = call.tensors[0], _dimension(call.sample)
    values = [x for x in call.expected if x.dtype != torch.int64 or source.dtype == torch.int64][:1]
    positions = call.actual[-1]
    if not same_form(call) or positions.dtype != torch.int64 or source.ndim == 0:
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


def modes_of_ordered_lines(call: Call) -> bool:
    """Lines without NaN agree: values exactly, positions lead to equal elements."""
    source, dim = call.tensors[0], _dimension(call.sample)
    if not same_form(call) or source.ndim == 0 or not source.is_floating_point():
        return False
    unordered = source.isnan().any(dim, keepdim=True)
    open_lines = unordered.reshape(call.expected[0].shape)
    actual = [torch.where(open_lines, b, a) for a, b in zip(call.actual, call.expected, strict=True)]
    return bool(unordered.any()) and positions_of_equals(replace(call, actual=actual))


def _dimension(sample: Sample) -> int:
    args, kwargs = pytree.tree_unflatten(sample.leaves, sample.spec)
    skipped = {"topk": 2, "kthvalue": 2}.get(sample.entry, 1)
    given = kwargs.get("dim", args[skipped] if len(args) > skipped else -1)
    return given if isinstance(given, int) and not isinstance(given, bool) else -1


def nearer_the_truth(call: Call) -> bool:
    """Narrow floats: our result is that of double precision, rounded, within the tolerance."""
    narrow = call.sample.dtype in (torch.float16, torch.bfloat16)
    wide = _in_double(call) if narrow else None
    if wide is None or not same_form(call):
        return False
    return all(
        relative_error(a, w.to(a.dtype)) <= call.tolerance(a.dtype)
        for a, w in zip(call.actual, wide, strict=True)
    )


def within_rounded_inputs(call: Call) -> bool:
    """Narrow floats, a number: what rounding the inputs can make of the exact result, to first order."""
    if len(call.expected) != 1 or not same_form(call) or call.expected[0].numel() != 1:
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


def largest_values(call: Call) -> bool:
    """All elements agree but those on which PyTorch and its own double precision do not, or that hardly overflow."""
    if not same_form(call) or not ({"large", "all"} & {call.variation}):
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


def running_mean(call: Call) -> bool:
    """All elements agree but infinities where PyTorch has NaN, and what is left of sums that cancel."""
    if not same_form(call) or not ({"inf", "large", "all"} & {call.variation}):
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


def far_quotients(call: Call) -> bool:
    """All elements agree but those that are NaN for PyTorch because their quotient overflows."""
    if len(call.tensors) != 2 or not same_form(call) or not call.expected[0].is_floating_point():
        return False
    (actual,), (expected,) = call.actual, call.expected
    dividend, divisor = call.tensors[::-1] if call.sample.entry == "__rmod__" else call.tensors
    far = (dividend / divisor).isinf() & dividend.isfinite() & (divisor != 0) & expected.isnan()
    return relative_error(torch.where(far, expected, actual), expected) <= call.tolerance(expected.dtype)


def overflowing_products(call: Call) -> bool:
    """All elements agree but those whose terms, all taken as positive, add up to more than the type holds."""
    if not same_form(call) or not ({"large", "all"} & {call.variation}):
        return False
    return _agree_where(call, lambda total, top: total <= top, finite=True)


def reassociated_products(call: Call) -> bool:
    """The same for products of three, where an infinity among the terms leaves an element open as well."""
    if not same_form(call) or not ({"inf", "large", "all"} & {call.variation}):
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


def multiplied_border(call: Call) -> bool:
    """All elements agree, or overflow, but NaN where a border's zero meets a weight that is not finite.

    An element of narrow floats may agree with double precision instead: PyTorch's kernels for those multiply some of
    the zeros.
    """
    if not same_form(call) or len(call.expected) != 1:
        return False
    given = iter(call.tensors)
    leaves = [next(given) if isinstance(leaf, torch.Tensor) else leaf for leaf in call.sample.leaves]
    (actual,), (expected,) = call.actual, call.expected
    is_open = touched_by_border(*pytree.tree_unflatten(leaves, call.sample.spec)) & actual.isnan()
    limit = call.tolerance(expected.dtype)
    wide = _in_double(call) if expected.dtype in (torch.float16, torch.bfloat16) else None
    if wide is not None:
        exact = wide[0].to(expected.dtype)
        is_open |= torch.isclose(actual.double(), exact.double(), rtol=limit, atol=0, equal_nan=True)
    actual = torch.where(is_open, expected, actual)
    others = replace(call, actual=[actual])
    return relative_error(actual, expected) <= limit or largest_values(others) or overflowing_products(others)


def infinite_activation(call: Call) -> bool:
    """All elements agree but NaN in place of infinity where the input is infinite."""
    x = call.tensors[0]
    if not same_form(call) or x.shape != call.actual[0].shape:
        return False
    a, b = call.actual[0], call.expected[0]
    return relative_error(torch.where((x == torch.inf) & (a == torch.inf) & b.isnan(), b, a), b) <= (
        call.tolerance(b.dtype)
    )


def cancelled_mean(call: Call) -> bool:
    """All outputs agree but the second, the means, by no more than the rounding of the largest element in float64."""
    if not same_form(call) or not ({"large", "all"} & {call.variation}):
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
