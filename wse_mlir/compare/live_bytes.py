"""How much memory PyTorch's temporaries take while a model runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode


class LiveBytes(TorchDispatchMode):
    """Watches storages that operators make, from their first use until the last tensor on them is gone.

    Attributes:
        peak: most bytes alive at a time. What a kernel takes and gives back within one operator is not seen.
    """

    def __init__(self, known: Sequence[torch.Tensor]) -> None:
        """
        Args:
            known: tensors that are there anyway (parameters, inputs) and do not count.
        """
        super().__init__()
        self.peak = 0
        self._known = {tensor.untyped_storage()._cdata for tensor in known}
        self._held = [tensor.untyped_storage() for tensor in known]  # or an address could be used again
        self._live: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Runs the operator, then counts."""
        result = func(*args, **(kwargs or {}))
        for leaf in pytree.tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                storage = leaf.untyped_storage()
                if storage._cdata not in self._known:
                    self._live[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self._live = {key: entry for key, entry in self._live.items() if not entry[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self._live.values()))
        return result


def peak_temporaries(
    model: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None = None
) -> int | None:
    """Bytes of what operators made that was alive at the same time, outputs included, in one call of a model.

    None for a model with loops or branches as operators (`torch.while_loop`, ...), whose inside nobody can watch.
    """
    tensors = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    if isinstance(model, torch.nn.Module):
        tensors += [*model.parameters(), *model.buffers()]
    with torch.no_grad(), LiveBytes(tensors) as live:
        try:
            model(*args, **(kwargs or {}))
        except NotImplementedError as error:
            if "HigherOrderOperator" not in str(error):
                raise
            torch._dynamo.reset()  # which has half compiled the operator, and would not run it again
            return None
    return live.peak
