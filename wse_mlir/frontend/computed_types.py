"""The types that whatever is not elementwise is computed in.

PyTorch adds up narrow floats in f32, and what it computes of them in one kernel (a norm, an average, a normalisation)
it rounds once, at the end. torch-mlir rounds after every step. Small integers and booleans are what it takes for signed
numbers of few bits, or refuses; here they are computed as 32 or 64-bit integers, which hold all of their values.
Where an operator is told the type of its result, its operand is converted first: so PyTorch defines it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch

aten = torch.ops.aten

Types = Mapping[torch.dtype, torch.dtype]

_FLOATS: Types = {torch.float16: torch.float32, torch.bfloat16: torch.float32}
_BYTES: Types = dict.fromkeys((torch.uint8, torch.int8), torch.int32)
_SMALL: Types = {**_BYTES, torch.bool: torch.int32}
_SUMS: Types = {**_FLOATS, **dict.fromkeys((torch.uint8, torch.int8, torch.int16, torch.bool), torch.int64)}

# Operators that compare, whose results are elements and their positions.
_COMPARING = (
    aten.amax.default,
    aten.amin.default,
    aten.cummax.default,
    aten.cummin.default,
    aten.kthvalue.default,
    aten.max.default,
    aten.max.dim,
    aten.max_pool2d_with_indices.default,
    aten.max_pool3d_with_indices.default,
    aten.min.default,
    aten.min.dim,
    aten.mode.default,
    aten.sort.default,
    aten.topk.default,
)
# The same, of which all results are positions.
_LOCATING = (
    aten.argmax.default,
    aten.argmin.default,
    aten.bucketize.Scalar,
    aten.bucketize.Tensor,
    aten.searchsorted.Scalar,
    aten.searchsorted.Tensor,
)
_SUMMING = (
    aten.cumprod.default,
    aten.cumsum.default,
    aten.mean.default,
    aten.mean.dim,
    aten.prod.default,
    aten.prod.dim_int,
    aten.sum.default,
    aten.sum.dim_IntList,
)
# Of these PyTorch's kernels are one rounding each.
_OF_FLOATS = (
    aten._adaptive_avg_pool2d.default,
    aten._adaptive_avg_pool3d.default,
    aten._euclidean_dist.default,
    aten.avg_pool1d.default,
    aten.avg_pool2d.default,
    aten.avg_pool3d.default,
    aten.dist.default,
    aten.grid_sampler_2d.default,
    aten.grid_sampler_3d.default,
    aten.linalg_vector_norm.default,
    aten.norm.Scalar,
    aten.norm.ScalarOpt_dim,
    aten.norm.ScalarOpt_dim_dtype,
    aten.norm.ScalarOpt_dtype,
    aten.logcumsumexp.default,
    aten.renorm.default,
)
# What is combined with elements in place: the destination has the type of the result.
_COMBINING = (
    aten.index_add.default,
    aten.scatter.reduce,
    aten.scatter.value_reduce,
    aten.scatter_add.default,
    aten.scatter_reduce.two,
)
# Along a dimension; of a tensor without dimensions PyTorch takes the only element for a line of one.
_ALONG = (
    aten._log_softmax.default,
    aten._softmax.default,
    aten.all.dim,
    aten.all.dims,
    aten.amax.default,
    aten.amin.default,
    aten.any.dim,
    aten.any.dims,
    aten.argmax.default,
    aten.argmin.default,
    aten.cumprod.default,
    aten.cumsum.default,
    aten.flip.default,
    aten.gather.default,
    aten.kthvalue.default,
    aten.max.dim,
    aten.min.dim,
    aten.prod.dim_int,
    aten.sort.default,
    aten.std.correction,
    aten.std_mean.correction,
    aten.topk.default,
    aten.var.correction,
    aten.var_mean.correction,
)
_COUNTING = (aten.arange.default, aten.arange.start, aten.arange.start_step)
_ANY_ALL = (
    aten.all.default,
    aten.all.dim,
    aten.all.dims,
    aten.any.default,
    aten.any.dim,
    aten.any.dims,
)
# Of tensors of several types, which PyTorch promotes first; torch-mlir takes uint8 for int8 there.
_JOINING = (aten.cat.default, aten.stack.default)
_INTEGER_PRODUCTS = (aten.bmm.default, aten.mm.default, aten.mv.default)


def widen(table: dict[Any, Callable[..., Any]]) -> None:
    """Adds to `table` what applies to operands of the types above, and leaves all others to what was there."""
    for operators, types in (
        (_COMPARING, _SMALL),
        (_SUMMING, _SUMS),
        (_OF_FLOATS, _FLOATS),
        (_COMBINING, {**_FLOATS, **_SMALL}),
        (_INTEGER_PRODUCTS, _BYTES),
    ):
        for operator in operators:
            table[operator] = computed_in(operator, types, table.get(operator))
    for operator in _LOCATING:
        table[operator] = computed_in(operator, _SMALL, table.get(operator), keeps_results=True)
    for operator in _JOINING:
        table[operator] = _promoted(operator, table.get(operator))
    for operator in _COUNTING:
        table[operator] = _counted(operator, table.get(operator))
    for operator in _ANY_ALL:
        table[operator] = _of_truths(operator, table.get(operator))
    for operator in _ALONG:
        table[operator] = _of_lines(operator, table.get(operator))


def computed_in(
    operator: Any,
    types: Types,
    otherwise: Callable[..., Any] | None = None,
    *,
    keeps_results: bool = False,
) -> Callable[..., Any]:
    """A decomposition that converts operands of some types, and results back to what they would have been.

    Args:
        types: which type takes the place of which.
        otherwise: the decomposition of operands of other types; without one the operator stays.
        keeps_results: no result has the type of an operand.
    """
    told = any(a.name == "dtype" for a in operator._schema.arguments)

    def decomposed(*args: Any, **kwargs: Any) -> Any:
        if told and kwargs.get("dtype") is not None:
            given = {k: v for k, v in kwargs.items() if k != "dtype"}
            value = operator(args[0].to(kwargs["dtype"]), *args[1:], **given)
            return value.to(kwargs["dtype"])  # sums of small integers are wide where no type is asked for
        replaced = [a.dtype for a in args if isinstance(a, torch.Tensor) and a.dtype in types]
        if not replaced:
            return NotImplemented if otherwise is None else otherwise(*args, **kwargs)
        wide = types[replaced[0]]
        value = operator(
            *(a.to(wide) if isinstance(a, torch.Tensor) and a.dtype in types else a for a in args), **kwargs
        )
        if keeps_results:
            return value
        # Sums of small integers are wide in PyTorch, too.
        back = wide if told and not replaced[0].is_floating_point else replaced[0]
        if isinstance(value, torch.Tensor):
            return value.to(back) if value.dtype == wide else value
        return tuple(v.to(back) if isinstance(v, torch.Tensor) and v.dtype == wide else v for v in value)

    decomposed.__name__ = operator.name()
    return decomposed


def _of_lines(operator: Any, otherwise: Callable[..., Any] | None) -> Callable[..., Any]:
    def decomposed(x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if x.dim() > 0:
            return NotImplemented if otherwise is None else otherwise(x, *args, **kwargs)
        lines = [a.reshape(1) if isinstance(a, torch.Tensor) and a.dim() == 0 else a for a in args]
        value = operator(x.reshape(1), *lines, **kwargs)
        return value.reshape([]) if isinstance(value, torch.Tensor) else tuple(v.reshape([]) for v in value)

    return decomposed


def _promoted(operator: Any, otherwise: Callable[..., Any] | None) -> Callable[..., Any]:
    def decomposed(tensors: list[torch.Tensor], *args: Any, **kwargs: Any) -> Any:
        types = [tensor.dtype for tensor in tensors]
        if len(set(types)) == 1:
            return NotImplemented if otherwise is None else otherwise(tensors, *args, **kwargs)
        common = functools.reduce(torch.promote_types, types)
        return operator([tensor.to(common) for tensor in tensors], *args, **kwargs)

    return decomposed


def _of_truths(operator: Any, otherwise: Callable[..., Any] | None) -> Callable[..., Any]:
    """`aten.any` and `aten.all` of what is not zero; of uint8 their result is uint8, too."""

    def decomposed(x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if x.dtype == torch.bool:
            return NotImplemented if otherwise is None else otherwise(x, *args, **kwargs)
        value = operator(x != 0, *args, **kwargs)
        return value.to(torch.uint8) if x.dtype == torch.uint8 else value

    return decomposed


def _counted(operator: Any, otherwise: Callable[..., Any] | None) -> Callable[..., Any]:
    """`aten.arange` of small types, on which torch-mlir ends the process, in wide ones."""

    def decomposed(*args: Any, dtype: torch.dtype | None = None, **kwargs: Any) -> Any:
        if dtype in _BYTES:
            return operator(*args, dtype=torch.int64, **kwargs).to(dtype)
        return NotImplemented if otherwise is None else otherwise(*args, dtype=dtype, **kwargs)

    return decomposed
