"""The key of a model before it is exported: everything that exporting it would look at."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.export import Dim
from torch.utils import _pytree as pytree

from .fingerprint import Fingerprint, Unknown
from .objects import add_object
from .trusted import check_unpatched

_CONTAINERS = {tuple, list, dict, None}
_OWN = {"_parameters", "_buffers", "_modules"}
_HINT = type(getattr(Dim, "AUTO", None))
# Settings of PyTorch that its exporter reads; they are as shipped while their module is not loaded.
_SETTINGS = (
    "torch._dynamo.config",
    "torch._export.config",
    "torch.fx.experimental._config",
    "torch._functorch.config",
)


def model_key(
    model: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
    dynamic_shapes: Any,
    surroundings: Sequence[str],
) -> str:
    """A digest of a model with all code that it can run, of the shapes of a call, and of PyTorch's settings.

    Of parameters and buffers only what is fixed by compiling is part of it, and not the values.

    Args:
        args / kwargs / dynamic_shapes: as `compile` takes them.
        surroundings: what else decides what is compiled, see `versions`.

    Raises:
        Unknown: something is not understood completely; says what.
    """
    check_unpatched()
    fingerprint = Fingerprint(model, add_object)
    fingerprint.token(*surroundings)
    _add_settings(fingerprint)
    fingerprint.add(model)
    _add_call(fingerprint, tuple(args) if isinstance(args, list) else args, dict(kwargs or {}))
    _add_dynamic_shapes(fingerprint, dynamic_shapes)
    return fingerprint.hexdigest()


def _add_call(fingerprint: Fingerprint, args: Any, kwargs: Mapping[str, Any]) -> None:
    leaves, spec = pytree.tree_flatten((args, kwargs))
    _check_containers(spec)
    fingerprint.token("call", spec)
    for leaf in leaves:
        if isinstance(leaf, torch.Tensor):
            fingerprint.add_tensor(leaf, with_value=False)
        else:
            fingerprint.add(leaf)


def _check_containers(spec: pytree.TreeSpec) -> None:
    if spec.type not in _CONTAINERS:
        raise Unknown(f"arguments in a {getattr(spec.type, '__name__', spec.type)}")
    for child in spec.children():
        _check_containers(child)


def _add_dynamic_shapes(fingerprint: Fingerprint, shapes: Any) -> None:
    if isinstance(shapes, (tuple, list, dict)):
        items = list(shapes.items()) if isinstance(shapes, dict) else list(enumerate(shapes))
        fingerprint.token(type(shapes).__name__, len(items))
        for key, value in items:
            fingerprint.add(key)
            _add_dynamic_shapes(fingerprint, value)
    elif type(shapes) is Dim:
        if fingerprint.first_time(shapes):
            fingerprint.token("Dim", shapes.__name__, shapes.min, shapes.max)
    elif type(shapes) is _HINT:
        fingerprint.token("hint", repr(shapes))
    else:
        fingerprint.add(shapes)


def _add_settings(fingerprint: Fingerprint) -> None:
    """The state of PyTorch that changes what a model does when it is traced."""
    if torch._C._len_torch_function_stack() or torch._C._len_torch_dispatch_stack():
        raise Unknown("a mode of PyTorch's that is active")
    functorch: Any = getattr(torch._C, "_functorch")  # noqa: B009  # the stubs do not have it
    if functorch.peek_interpreter_stack() is not None:
        raise Unknown("a transform of torch.func that is active")
    for name, value in vars(sys.modules["torch.nn.modules.module"]).items():
        if name.startswith("_global_") and "hooks" in name and value:
            raise Unknown("hooks of all modules")
    for name in _SETTINGS:
        settings: Any = sys.modules.get(name)
        if settings is None:
            continue
        for key, entry in settings._config.items():
            if not settings._is_default(key) and getattr(settings, key) != entry.default:
                raise Unknown(f"{name}.{key}, which was changed")
    fingerprint.token(
        *sorted(
            f"{k}={v}" for k, v in os.environ.items() if k.startswith(("TORCH_", "TORCHDYNAMO_", "PYTORCH_"))
        )
    )
    fingerprint.token(
        torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype(),
        torch.get_default_device(), torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(), torch.get_float32_matmul_precision(),
        torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"), torch.is_autocast_cache_enabled(),
        torch.backends.mha.get_fastpath_enabled(), torch.backends.cuda.flash_sdp_enabled(),
        torch.backends.cuda.mem_efficient_sdp_enabled(), torch.backends.cuda.math_sdp_enabled(),
        torch._C._get_mkldnn_enabled(), torch._C._get_cudnn_enabled(), torch._C._get_nnpack_enabled(),
    )  # fmt: skip
