"""Modules in the digest of a model: classes, attributes, types and sizes of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from .fingerprint import Fingerprint, Unknown


def add_module(fingerprint: Fingerprint, module: nn.Module) -> None:
    """Adds a module: its class, its attributes, types and sizes of parameters and buffers, its modules."""
    cls = type(module)
    fingerprint.add(cls)
    for base in cls.__mro__[1:-1]:
        fingerprint.add(base)
    for name, value in vars(module).items():
        fingerprint.token(name)
        if "_hooks" in name and name.startswith("_"):
            if value:
                raise Unknown(f"hooks of a {cls.__name__}")
        elif name in ("_parameters", "_buffers"):
            _add_tensors(fingerprint, value, with_values=fingerprint.is_constant(module))
        elif name == "_modules":
            fingerprint.add(dict(value))
        elif isinstance(module, nn.RNNBase) and _repeats_parameters(module, name, value):
            fingerprint.token("parameters")
        elif callable(value) and hasattr(cls, name):
            raise Unknown(f"{cls.__name__}.{name}, which was replaced in an object")
        else:
            fingerprint.add(value)


def _repeats_parameters(layer: nn.RNNBase, name: str, value: Any) -> bool:
    """Whether an attribute of a recurrent layer holds its own parameters once more, in their order.

    Weak references to them only tell whether they are to be moved together, which is done on GPUs alone.
    """
    if name == "_flat_weights":
        own = [getattr(layer, parameter, None) for parameter in layer._flat_weights_names]
        return len(own) == len(value) and all(a is b for a, b in zip(own, value, strict=True))
    return name == "_flat_weight_refs"


def _add_tensors(
    fingerprint: Fingerprint, tensors: Mapping[str, torch.Tensor | None], *, with_values: bool
) -> None:
    for name, tensor in tensors.items():
        fingerprint.token(name)
        if tensor is None:
            fingerprint.token("none")
        else:
            fingerprint.add_tensor(tensor, with_value=with_values)
