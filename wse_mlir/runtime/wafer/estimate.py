"""What a call of a model costs on a wafer: `estimate`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ...compiler.targets import MachineTarget
from ...dialects.context import COMPILING
from ...wse_target.machine import Machine
from .options import is_in_parts
from .parts.counts import with_enough_programs
from .parts.estimate import estimate_parts
from .parts.lowering import in_parts
from .simulate import check_fixed_sizes, find_wafer, imported_model, simulate_module


def estimate(
    model: Any,
    example_args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    target: str | os.PathLike[str] | Machine = "wse3",
    dynamic_shapes: Any = None,
    **options: Any,
) -> dict[str, Any]:
    """What a call of a model costs on a wafer, from shapes alone: nothing is computed and no data is needed.

    Args:
        model / example_args / kwargs / dynamic_shapes: as `compile` takes them; tensors may be on the meta device.
        target: a machine's name, the path of its file, or a `Machine`.
        options: the target's own, such as `grid="32x32"` or `algorithm="mesh_gemm"`, and those of `simulate_module`.

    Returns:
        The report, ready for JSON: as `Compiled.report` after a call, with "critical_path" and "choices" besides.

    Raises:
        CompilerError: the model, the target or an option is not supported; says what to do.
    """
    chosen = find_wafer(target)
    return with_enough_programs(
        options, lambda asked: _estimate(model, (example_args, kwargs, dynamic_shapes), chosen, asked)
    )


def _estimate(
    model: Any, called: tuple[Any, Any, Any], target: MachineTarget, options: Mapping[str, Any]
) -> dict[str, Any]:
    """`estimate` with a number of programs that is known; `called`: arguments by position, by name, their sizes."""
    example_args, kwargs, dynamic_shapes = called
    if is_in_parts(options):
        model = imported_model(model, example_args, kwargs, dynamic_shapes)
        own = {name: value for name, value in options.items() if name in target.options}
        check_fixed_sizes(model)
        with COMPILING:
            parts = in_parts(model, target.name, own)
        if parts is not None:
            return estimate_parts(parts, target, options)
    found = simulate_module(
        model, target.name, example_args=example_args, kwargs=kwargs, dynamic_shapes=dynamic_shapes,
        timing_only=True, **options,
    )  # fmt: skip
    return found.as_json()
