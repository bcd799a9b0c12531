"""Which pipeline `wse-opt`'s command line asks for."""

from __future__ import annotations

from ...dialects.host import ir
from ...passes.infra.diagnostics import CompilerError
from ...passes.infra.pipeline_text import Entry, PassEntry, PipelineEntry, parse_pipeline
from ...passes.infra.plan import near_passes
from ...passes.infra.registry import find_pass, has_pass
from ...passes.infra.reproducer import ReproducerFile
from ...passes.infra.upstream import has_upstream_pass, required_anchor
from ...pipelines.named import NamedPipeline, named_pipeline
from .arguments import Arguments, unknown_flag

_MODULE = "builtin.module"


def requested_pipeline(
    arguments: Arguments, context: ir.Context, replay: ReproducerFile | None = None
) -> tuple[PipelineEntry, str]:
    """The pipeline to run and its text, from the one way of asking that was used.

    Raises:
        CompilerError: a malformed pipeline, an unknown flag, or two ways of asking at once.
    """
    shorthand = _shorthand(arguments.passes, context)
    ways = {
        "--pass-pipeline": arguments.value("pass-pipeline"),
        "--pipeline": arguments.value("pipeline"),
        "--run-reproducer": None if replay is None else replay.pipeline,
        f"--{arguments.passes[0].name}" if arguments.passes else "passes": shorthand,
    }
    used = [way for way, value in ways.items() if value is not None]
    if len(used) > 1:
        raise CompilerError(f"{' and '.join(used)} exclude each other", hint="put everything in one pipeline")
    if arguments.list("override") and arguments.value("pipeline") is None:
        raise CompilerError("--override changes a named pipeline", hint="--pipeline=NAME says which")
    if arguments.value("pipeline") is not None:
        text = _overridden(str(arguments.value("pipeline")), arguments.list("override")).text
    elif replay is not None:
        text = replay.pipeline
    elif arguments.value("pass-pipeline") is not None:
        text = str(arguments.value("pass-pipeline"))
    else:
        text = shorthand or "any()"
    return parse_pipeline(text), text


def _overridden(name: str, overrides: tuple[str, ...]) -> NamedPipeline:
    pipeline = named_pipeline(name)
    for override in overrides:
        stage, equals, passes = override.partition("=")
        if not equals:
            raise CompilerError(f"--override={override} names no passes", hint="--override=STAGE=PASSES")
        pipeline = pipeline.override(**{stage: passes})
    return pipeline


def _shorthand(passes: list[PassEntry], context: ir.Context) -> str | None:
    """`--a --b=x=1` as a pipeline; passes for functions are nested, as mlir-opt does."""
    if not passes:
        return None
    entries: list[Entry] = []
    for entry in passes:
        if has_pass(entry.name):
            anchor = find_pass(entry.name).anchor
        elif has_upstream_pass(entry.name, context):
            anchor = required_anchor(entry.name, entry.options, context)
        else:
            raise unknown_flag(entry.name, near_passes(entry.name))
        if anchor in (None, _MODULE):
            entries.append(entry)
        elif entries and isinstance(entries[-1], PipelineEntry) and entries[-1].anchor == anchor:
            entries[-1] = PipelineEntry(anchor, (*entries[-1].entries, entry))
        else:
            entries.append(PipelineEntry(anchor, (entry,)))
    return str(PipelineEntry(_MODULE, tuple(entries)))
