"""What is verified: an imported model, calls of it, and what PyTorch says they give."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils import _pytree as pytree

from ..compare.reference_check import random_arguments
from ..compiler.workload import OpenedModel, fresh_copy
from ..frontend.imported import ImportedModel
from ..frontend.lowering import imports_shown_to
from ..passes.infra.diagnostics import CompilerError
from ..runtime.arrays import as_array
from .calls import Calls
from .trace import Snapshot, snapshot


@dataclass(frozen=True)
class Subject:
    """A model to verify.

    Attributes:
        imported: at stage `imported`; left as it is.
        calls: arguments of several calls in a row.
        eager: per call the outputs that PyTorch gives; None when the model is not PyTorch's.
        raw: the model as torch-mlir leaves it, before passes of ours finish the import.
    """

    imported: ImportedModel
    calls: Calls
    eager: list[list[torch.Tensor]] | None
    raw: Snapshot | None = None

    @property
    def outputs(self) -> int:
        """How many results are outputs; states follow them."""
        return sum(result.kind == "output" for result in self.imported.results)


def subject_of(opened: OpenedModel, *, batches: int | None = None, seed: int = 0) -> Subject:
    """Imports a model and runs it in PyTorch.

    Args:
        batches: how many of the workload's calls are made; all when None.
        seed: of arguments that are drawn where the file has none.

    Raises:
        CompilerError: the model cannot be imported, or fails in PyTorch.
    """
    opened = opened.with_inputs(seed)
    chosen = [tuple(batch) for batch in opened.batches[:batches]]
    seen: list[Snapshot] = []
    with imports_shown_to(lambda module: seen.append(snapshot(module))):
        imported = opened.imported()
    eager = opened.eager()
    expected = None if eager is None else _eager_outputs(eager, chosen, dict(opened.kwargs))
    flat = [imported.interface.flatten_inputs(batch, opened.kwargs) for batch in chosen]
    initial = random_arguments(_with_inputs(imported, flat[0]), seed, "normal")
    inputs = tuple(tuple(as_array(t).copy() for t in call) for call in flat)
    return Subject(
        imported, Calls(imported.interface, tuple(initial), inputs), expected, seen[-1] if seen else None
    )


def _with_inputs(imported: ImportedModel, inputs: Sequence[torch.Tensor]) -> Any:
    """The model's arguments with the inputs' values, so that nothing is drawn for them."""
    rest = iter(inputs)
    arguments = tuple(replace(a, tensor=next(rest)) if a.kind == "input" else a for a in imported.arguments)
    return replace(imported, interface=replace(imported.interface, arguments=arguments))


def _eager_outputs(
    model: Callable[..., Any], batches: Sequence[tuple[Any, ...]], kwargs: dict[str, Any]
) -> list[list[torch.Tensor]]:
    """The calls are made in a row on a fresh copy of the model, so that its state counts."""
    fresh = fresh_copy(model)
    found = []
    with torch.no_grad():
        for batch in batches:
            args, given = copy.deepcopy((batch, kwargs))
            try:
                output = fresh(*args, **given)
            except Exception as error:  # whatever the user's own code raises
                raise CompilerError(
                    f"the model fails in PyTorch already: {type(error).__name__}: {error}",
                    hint="check the inputs that the workload gives",
                ) from error
            leaves = pytree.tree_leaves(output)
            found.append([leaf.detach().clone() for leaf in leaves if isinstance(leaf, torch.Tensor)])
    return found
