"""`emit`: from models to the bytes of the files that were asked for; writes nothing but intermediates."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...compiler.compile import compile_for
from ...compiler.targets import check_options, find_target
from ...compiler.workload import OpenedModel
from ...dialects.host import ir
from ...frontend.imported import ImportedModel
from ...frontend.interface import find_main
from ...frontend.mlir_values import embed_values, has_values, pack_values, values_file
from ...passes.infra.diagnostics import CompilerError
from ...passes.infra.timing import Announce, Timer
from ...pipelines.named import NAMED_PIPELINES
from ...runtime.cpu.lowering import with_options
from ...runtime.cpu.target import CpuTarget
from ...runtime.native.codegen import NativeCode
from ...runtime.wafer.options import falls_back
from ...runtime.wafer.parts.lowering import SINCE, in_parts, instrumentation_of_part
from ...runtime.wafer.target import lower
from .kinds import FileKind, Weights
from .libraries import emit_library
from .request import Artifact, Emitted, Request
from .stages import StageReached, StageWatch, ir_text


def emit(models: Sequence[OpenedModel], request: Request, step: Announce = lambda text: None) -> Emitted:
    """Compiles models to what was asked for.

    Args:
        models: one, or several with different names for a library.
        step: told what is being done.

    Raises:
        CompilerError: a request that makes no sense, or a model that cannot be compiled; says which stage was
            reached. Intermediates that were asked for are there up to that stage.
    """
    target = find_target(request.target)
    request.check([model.name for model in models])
    check_options(target, request.options)
    timer = Timer()
    watches = {model.name: _watch(request, model.name, len(models) > 1) for model in models}
    try:
        artifacts = _emit(models, request, watches, timer, step)
    except CompilerError as error:
        error.notes = (*error.notes, *_how_far(watches, request.keep))
        raise
    timer.stop()
    seconds = {str(node.name): node.seconds for node in timer.root.children.values()}
    return Emitted(artifacts, seconds, {name: tuple(watch.reached) for name, watch in watches.items()})


def _watch(request: Request, name: str, several: bool) -> StageWatch:
    """Follows one model; of several, each keeps its intermediates in a folder of its own."""
    folder = request.keep / name if request.keep is not None and several else request.keep
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CompilerError(f"cannot keep files in '{folder}': {error.strerror}") from None
    return StageWatch(folder, request.wanted_stage, locations=request.debug)


def _how_far(watches: Mapping[str, StageWatch], keep: Path | None) -> list[str]:
    """What a failure leaves, for its message."""
    notes = [
        f"'{name}' had reached the stage '{watch.reached[-1]}'"
        for name, watch in watches.items()
        if watch.reached
    ]
    return [*notes, f"what was made until then is in '{keep}'"] if notes and keep is not None else notes


def _emit(
    models: Sequence[OpenedModel],
    request: Request,
    watches: Mapping[str, StageWatch],
    timer: Timer,
    step: Announce,
) -> list[Artifact]:
    if request.kind == FileKind.SAVED:
        step(f"compiling {models[0].source}")
        return [_saved(models[0], request, watches[models[0].name], timer)]
    imported: dict[str, ImportedModel] = {}
    for model in models:
        step(f"importing {model.source}")
        with timer.scope("import"):
            imported[model.name] = model.imported()
    step(f"compiling {', '.join(model.source for model in models)}")
    if request.kind.is_library:
        return emit_library(imported, request, watches, timer)
    name, watch = models[0].name, watches[models[0].name]
    if request.kind.is_mlir:
        return _mlir(imported[name], request, watch, timer)
    return [_machine_code(imported[name], f"{name}_main", request, watch, timer)]


def _mlir(imported: ImportedModel, request: Request, watch: StageWatch, timer: Timer) -> list[Artifact]:
    """The IR at a stage, and the values beside it."""
    if request.placed_weights == Weights.EMBEDDED:
        embed_values(imported.module, imported.arguments)
    text = _ir_at_stage(imported, request, watch, timer)
    made = [Artifact(request.out, "output", text.encode())]
    if request.out is None or request.placed_weights != Weights.BESIDE or not has_values(imported.arguments):
        return made
    made.append(Artifact(values_file(request.out), "weights", pack_values(imported.arguments)))
    return made


def _ir_at_stage(imported: ImportedModel, request: Request, watch: StageWatch, timer: Timer) -> str:
    module = imported.module.operation
    try:
        if request.wanted_stage == "imported":
            watch.reach("imported", module)
        elif request.on_cpu:
            _cpu_target(request).lower(imported, request.options, timer, watch.instrumentation)
        elif falls_back(request.options) and (text := _parts_at_stage(imported, request, watch, timer)):
            return text
        else:
            with timer.scope("passes"):
                module = lower(imported.module, request.target, request.options, watch.instrumentation).module
    except StageReached as reached:
        return reached.text
    return ir_text(module, locations=request.debug)  # the end of a pipeline of the user's own


def _parts_at_stage(imported: ImportedModel, request: Request, watch: StageWatch, timer: Timer) -> str:
    """Those parts of a model that are for the wafer at a stage, and as they are the others; "" if it is in none."""
    with timer.scope("passes"):
        found = in_parts(imported, request.target, request.options, watch.instrumentation)
        texts: list[str] = []
        for part in found.parts if found is not None else ():
            own = instrumentation_of_part(watch.instrumentation, part.name)
            module = part.model.module.operation
            try:
                if part.on_wafer:
                    module = lower(
                        part.model.module, request.target, request.options, own, since=SINCE
                    ).module
                text = ir_text(module, locations=request.debug)
            except StageReached as reached:
                text = reached.text
            texts.append(f"// {part.name}\n{text}")
    return "// -----\n".join(texts)


def _cpu_target(request: Request) -> CpuTarget:
    """The CPU, by the pipeline that was asked for."""
    if request.pipeline not in NAMED_PIPELINES:
        return CpuTarget(request.pipeline)
    return CpuTarget(with_options(NAMED_PIPELINES[request.pipeline], request.options).text)


def _machine_code(
    imported: ImportedModel, entry: str, request: Request, watch: StageWatch, timer: Timer
) -> Artifact:
    """Optimised LLVM IR or assembly, whose function is called `entry` since a C program has a `main` of its own."""
    main = find_main(imported.module)
    main.attributes["sym_name"] = ir.StringAttr.get(entry, imported.context)
    function = _cpu_target(request).lower_to_llvm(imported, request.options, timer, watch.instrumentation)
    with timer.scope("codegen"):
        code = NativeCode(
            imported.module, function.processor, f"'{entry}'", function.entries, debug=request.debug
        )
        text, assembly = code.text(), code.assembly()
    watch.keep("optimised.ll", text)
    watch.keep("code.s", assembly)
    watch.keep("code.o", code.object())
    return Artifact(request.out, "output", (text if request.kind == FileKind.LLVM else assembly).encode())


def _saved(model: OpenedModel, request: Request, watch: StageWatch, timer: Timer) -> Artifact:
    """The compiled model as `wse_mlir.load` reads it."""
    with timer.scope("compile"):
        compiled = compile_for(
            find_target(request.target),
            model.model,
            model.example_args,
            model.kwargs,
            dynamic_shapes=model.dynamic_shapes,
            options=request.options,
            instrumentation=watch.instrumentation,
        )
    with timer.scope("save"), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saved"
        compiled.save(path)
        return Artifact(request.out, "output", path.read_bytes())
