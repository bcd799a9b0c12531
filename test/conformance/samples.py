"""Samples of an operator of PyTorch's database: a few of each kind, small ones first, and extreme values in them."""

from __future__ import annotations

import itertools
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.testing._internal.opinfo.core import BinaryUfuncInfo, UnaryUfuncInfo
from torch.utils import _pytree as pytree

from .extremes import plant, planted_groups

EXAMINED = 150  # samples of the database that are looked at, of which `bound` are chosen
LARGEST = 20_000  # elements of all tensors of a sample


@dataclass(frozen=True)
class Sample:
    """One call of an operator: tensors, and what else it takes, closed over.

    Attributes:
        entry: the operator's name in the database.
        name: "float32#3" for the fourth sample of the database for that type.
        dtype: the type that the database was asked for.
        leaves / spec: of ((input, *args), kwargs).
    """

    entry: str
    name: str
    dtype: torch.dtype
    operator: Callable[..., Any]
    leaves: tuple[Any, ...]
    spec: pytree.TreeSpec
    elementwise: bool = False

    @property
    def tensors(self) -> list[torch.Tensor]:
        return [leaf for leaf in self.leaves if isinstance(leaf, torch.Tensor)]

    def __call__(self, tensors: Sequence[torch.Tensor]) -> Any:
        """The operator's value for these tensors."""
        given = iter(tensors)
        leaves = [next(given) if isinstance(leaf, torch.Tensor) else leaf for leaf in self.leaves]
        args, kwargs = pytree.tree_unflatten(leaves, self.spec)
        return self.operator(*args, **kwargs)

    def variations(self) -> Iterator[tuple[str, list[torch.Tensor]]]:
        """Tensors to call with, by the name of what is planted into those of the sample's type; "" for nothing."""
        yield "", self.tensors
        places = [t.dtype == self.dtype and t.layout == torch.strided for t in self.tensors]
        if not any(fits and t.numel() > 1 for fits, t in zip(places, self.tensors, strict=True)):
            return
        for name, values in planted_groups(self.dtype, elementwise=self.elementwise).items():
            planted = [plant(t, values, i) if places[i] else t for i, t in enumerate(self.tensors)]
            yield name, planted


def samples_of(entry: Any, dtype: torch.dtype, bound: int) -> list[Sample]:
    """At most `bound` samples of the database; the same at every call."""
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = list(itertools.islice(_given(entry, dtype), EXAMINED))
    name = str(dtype).removeprefix("torch.")
    examined = [_sample(f"{name}#{i}", dtype, entry, g) for i, g in enumerate(given)]
    return _diverse([s for s in examined if _elements(s) <= LARGEST], bound)


def _given(entry: Any, dtype: torch.dtype) -> Iterator[Any]:
    try:
        yield from entry.sample_inputs("cpu", dtype, requires_grad=False)
    except Exception:  # PyTorch cannot make further samples of this type
        return


def _sample(name: str, dtype: torch.dtype, entry: Any, given: Any) -> Sample:
    leaves, spec = pytree.tree_flatten(((given.input, *given.args), dict(given.kwargs)))
    elementwise = isinstance(entry, (UnaryUfuncInfo, BinaryUfuncInfo))
    return Sample(entry.full_name, name, dtype, entry.op, tuple(leaves), spec, elementwise)


def _elements(sample: Sample) -> int:
    return sum(t.numel() for t in sample.tensors)


def _diverse(samples: Sequence[Sample], bound: int) -> list[Sample]:
    """Of samples of one kind (what they take beside tensors, and ranks of those) the smallest first, then the next."""
    kinds: dict[Any, list[Sample]] = {}
    for sample in samples:
        kinds.setdefault(_kind(sample), []).append(sample)
    for alike in kinds.values():
        alike.sort(key=lambda s: (_elements(s) < 2, _elements(s)))
    turns = itertools.zip_longest(*kinds.values())
    return [s for turn in turns for s in turn if s is not None][:bound]


def _kind(sample: Sample) -> Any:
    described = tuple(
        (leaf.ndim, leaf.dtype, leaf.numel() == 0) if isinstance(leaf, torch.Tensor) else repr(leaf)
        for leaf in sample.leaves
    )
    return described, str(sample.spec)
