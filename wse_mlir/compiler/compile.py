"""`compile`: from a model to something that is called like the model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..cache.folder import CacheFolder
from ..cache.lookup import CacheLookup
from ..cache.settings import CacheChoice, open_cache
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.timing import Timer
from ..runtime.arrays import parameters_of
from ..wse_target.machine import Machine
from .compiled import Compiled
from .targets import Target, check_options, find_target

if TYPE_CHECKING:
    from ..frontend.imported import ImportedModel
    from ..passes.infra.pass_manager import Instrumentation

__all__ = ["Compiled", "compile", "compile_for"]


def compile(
    model: Any,
    example_args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    target: str | os.PathLike[str] | Machine = "cpu",
    dynamic_shapes: Any = None,
    num_threads: int | None = None,
    cache: CacheChoice = None,
    **options: Any,
) -> Compiled:
    """Compiles a model for a target.

    Args:
        model: an `nn.Module` (as it stands, in training or evaluation mode), a plain function, an `ExportedProgram`,
            an `ir.Module` or its text, or the path of a `.pt2`, `.mlir` or `.onnx` file.
        example_args / kwargs: arguments of one call, tensors or NumPy arrays; they fix structure, shapes and dtypes.
        target: "cpu", a machine's name ("tiny", "wse2", "wse3"), the path of a machine's .toml file, one of these with
            other numbers ("wse3{fabric.hop_latency=4}"), or a `Machine`.
        dynamic_shapes: as `torch.export.export` takes it.
        num_threads: threads of a call on the CPU; the environment variable WSE_NUM_THREADS, or else one, when not
            given. Results are the same whenever the number is.
        cache: whether compiled code is looked up and kept on disk: True, False, or the folder to use; when not
            given, the environment decides, and it is; see docs/saving-and-caching.md.
        options: the target's own options.

    Raises:
        CompilerError: the model, the target or an option is not supported; says what to do.
    """
    chosen = find_target(target)
    if num_threads is not None:
        options["num_threads"] = num_threads
    check_options(chosen, options)
    return compile_for(
        chosen, model, example_args, kwargs,
        dynamic_shapes=dynamic_shapes, options=options, cache=open_cache(cache),
    )  # fmt: skip


def compile_for(
    target: Target,
    model: Any,
    example_args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    dynamic_shapes: Any = None,
    options: Mapping[str, Any] | None = None,
    instrumentation: Instrumentation | None = None,
    cache: CacheFolder | None = None,
) -> Compiled:
    """As `compile`, for a target object.

    Args:
        instrumentation: what to watch while passes run.
        cache: the folder to look into and to keep the result in; none when not given.
    """
    timer = Timer()
    given = options or {}
    target.identity(given)  # fails before the long work
    with timer.scope("cache"):
        lookup = CacheLookup(cache, target, given)
        found = lookup.by_model(model, example_args, kwargs, dynamic_shapes)
    if found is None:
        from ..dialects.context import COMPILING
        from ..frontend.imported import import_model

        with COMPILING:
            with timer.scope("import"):
                imported = import_model(model, example_args, kwargs, dynamic_shapes=dynamic_shapes)
            _check_has_data(imported, target.name)
            with timer.scope("cache"):
                program = lookup.by_ir(imported)
            program = program or target.program(imported, given, timer, instrumentation)
        with timer.scope("cache"):
            lookup.keep(model, imported.interface, program)
        found = imported.interface, program
    interface, program = found
    with timer.scope("load"):
        executable = target.load(program, parameters_of(interface))
    timer.stop()
    timings = {str(node.name): node.seconds for node in timer.root.children.values()}
    compilation = {"compile_seconds": timer.root.seconds, "timings": timings, "cache": lookup.report}
    return Compiled(model, interface, executable, target.name, compilation)


def _check_has_data(imported: ImportedModel, target: str) -> None:
    for argument in imported.arguments:
        if argument.kind != "input" and argument.tensor is None:
            raise CompilerError(
                f"{argument.kind} '{argument.name}' has no data, so the model cannot run on '{target}'",
                hint="build the model on a real device, not on 'meta'; an .mlir file's values lie in an .npz beside it",
            )
