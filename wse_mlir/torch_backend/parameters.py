"""Parameters of graphs that need no gradients: what is computed from them alone is computed when they change.

A graph takes its parameters as arguments of every call. Those that PyTorch says belong to a module, and that the graph
does not write, are parameters of the compiled function, so that weights are packed by its @prepare. A call looks
whether it knows the tensors that it is given; the check is cheap, and what it compares is

* where they lie in memory, and PyTorch's count of the writes to each (`_version`);
* how many steps optimisers have taken whose kernels that count does not see;
* a few elements of each, for writes that pass by PyTorch's count (`parameter.data`, NumPy).
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch._guards import TracingContext
from torch.fx import GraphModule
from torch.optim.optimizer import register_optimizer_step_post_hook

from ..dialects.fork_lock import ForkLock, LockOrder
from ..frontend.graphs import PARAMETER, placeholders
from ..runtime.arrays import as_array
from ..runtime.cpu.jit import NativeModule
from ..runtime.cpu.provisions import Preparation, Provisions
from .layouts import is_static, layout, memory_order

_SAMPLES = 4  # elements of a tensor that are compared, at least; each costs a miss of the caches


def mark_parameters(graph: GraphModule) -> None:
    """Marks the placeholders of a graph that AOTAutograd is compiling that are parameters or buffers of modules.

    Those that the graph writes are not: they change at every call. Nor are those that would have to be copied first.
    A mark only promises speed: what changed is noticed.
    """
    context = TracingContext.try_get()
    known = context.fw_metadata if context is not None else None
    if known is None:
        return
    nodes = placeholders(graph.graph)
    for position in sorted(set(known.static_input_indices) - set(known.mutated_inp_runtime_indices)):
        value = nodes[position].meta.get("val") if position < len(nodes) else None
        if (
            isinstance(value, torch.Tensor)
            and value.layout == torch.strided
            and is_static(layout(value))
            and memory_order(value) is not None
            and value.numel() > 0
            and not value.is_neg()
        ):
            nodes[position].meta[PARAMETER] = True


class PreparedParameters:
    """Finds what was prepared of the parameters that a call is given; prepares it where they are new or have changed.

    Several modules of one class share a compiled graph, so that the tensors of each are known by themselves. What was
    made of tensors that died or moved is dropped.

    Args:
        orders: per parameter that calls are given, the order of its dimensions in memory.
        constants: the parameters after those, which the graph itself holds.
    """

    def __init__(
        self,
        native: NativeModule,
        provisions: Provisions,
        orders: Sequence[Sequence[int] | None],
        constants: Sequence[torch.Tensor],
    ) -> None:
        self._native = native
        self._provisions = provisions
        self._orders = orders
        self._constants = [as_array(c) for c in constants]
        self._known: dict[tuple[int, ...], _Prepared] = {}
        self._lock = ForkLock(LockOrder.CALL, "preparing parameters")
        self.shapes = [shape for shape, _ in provisions.prepared]

    def find(self, *given: torch.Tensor) -> _Prepared:
        """What is prepared of these tensors. It never changes, and is to be kept while it is used."""
        try:
            versions = (_STEPS.unseen, *[tensor._version for tensor in given])
        except RuntimeError:  # PyTorch counts no writes to tensors that were made in inference mode
            return self._prepare(given, ())
        key = tuple([tensor.data_ptr() for tensor in given])
        found = self._known.get(key)
        if found is not None and found.is_made_of(versions):
            return found
        with self._lock:
            found = self._known.get(key)  # another thread may have been here
            if found is None or not found.is_made_of(versions):
                found = None
                preparation = self._take_unused(key)
                self._drop_moved()
                found = self._prepare(given, versions, preparation)
                if (
                    found.addresses_of_parameters == key
                ):  # else they were copied, and changes would not be seen
                    self._known[key] = found
                    found.watch(given, self._known)
        return found

    def _prepare(
        self, given: Sequence[torch.Tensor], versions: tuple[int, ...], preparation: Preparation | None = None
    ) -> _Prepared:
        arrays = [
            as_array(tensor if order is None else tensor.permute(list(order)))
            for tensor, order in zip(given, self._orders, strict=True)
        ]
        every = [*arrays, *self._constants]
        preparation = preparation or Preparation(
            self._native, self._provisions, [array.ndim for array in every]
        )
        samples = [_sample(array) for array in arrays]  # before: a write from now on must be seen
        preparation.run(every)
        return _Prepared(arrays, samples, versions, preparation)

    def _take_unused(self, key: tuple[int, ...]) -> Preparation | None:
        """Forgets what is out of date; its memory may be written again unless a call is reading it."""
        old = self._known.pop(key, None)
        if old is None:
            return None
        preparation, is_read = old.preparation, weakref.ref(old)
        del old
        return preparation if is_read() is None else None

    def _drop_moved(self) -> None:
        for key, prepared in self._known.copy().items():
            if prepared.has_moved():
                self._known.pop(key, None)


class _Prepared:
    """The prepared tensors of some parameters in one state of theirs.

    The parameters' memory is kept, so that no other tensor can lie at its address.

    Attributes:
        preparation: made the prepared tensors.
        addresses: of the prepared tensors.
        addresses_of_parameters: where the parameters were read.
    """

    def __init__(
        self,
        parameters: Sequence[np.ndarray],
        samples: Sequence[tuple[np.ndarray, bytes]],
        versions: tuple[int, ...],
        preparation: Preparation,
    ) -> None:
        self._samples = samples
        self._versions = versions
        self.preparation = preparation
        self._tensors: list[weakref.ref[torch.Tensor]] = []
        self.addresses = [_address(array) for array in preparation.arrays]
        self.addresses_of_parameters = tuple(_address(array) for array in parameters)

    def is_made_of(self, versions: tuple[int, ...]) -> bool:
        """Whether the parameters, which have these counts of writes now, are as they were."""
        if versions != self._versions:
            return False
        return all(view.tobytes() == sample for view, sample in self._samples)

    def watch(self, tensors: Sequence[torch.Tensor], known: dict[tuple[int, ...], _Prepared]) -> None:
        """Removes this from what is known as soon as one of the tensors dies."""
        key = self.addresses_of_parameters

        def forget(_: Any) -> None:
            known.pop(key, None)

        self._tensors = [weakref.ref(tensor, forget) for tensor in tensors]

    def has_moved(self) -> bool:
        """Whether a tensor died or has other memory by now."""
        for reference, address in zip(self._tensors, self.addresses_of_parameters, strict=True):
            tensor = reference()
            if tensor is None:
                return True
            tensor._fix_weakref()  # type: ignore[attr-defined]  # it may have been all but dead
            if tensor.data_ptr() != address:
                return True
        return False


def _sample(array: np.ndarray) -> tuple[np.ndarray, bytes]:
    """A view of some elements of an array, and what they are now."""
    view = array.reshape(-1)[:: array.size // _SAMPLES | 1]  # odd, so that they are of several columns
    return view, view.tobytes()


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


class _Steps:
    """Counts the steps of optimisers in one kernel, to whose writes PyTorch gives no new version."""

    def __init__(self) -> None:
        self.unseen = 0
        register_optimizer_step_post_hook(self._count)

    def _count(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        self.unseen += any(group.get("fused") for group in optimizer.param_groups)


_STEPS = _Steps()
