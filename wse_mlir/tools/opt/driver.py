"""What `wse-opt` does with its input: parse each chunk, run the pipeline, print the result."""

from __future__ import annotations

import os
import sys
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

from ...dialects.context import create_context
from ...dialects.host import ir
from ...passes.infra.crashes import about_to
from ...passes.infra.diagnostics import CompilerError
from ...passes.infra.ir_printing import IRPrinting, PrintStyle
from ...passes.infra.pass_manager import (
    Instrumentation,
    PipelineFailure,
    RunResult,
    check_pipeline,
    run_parsed_pipeline,
)
from ...passes.infra.pipeline_text import PipelineEntry
from ...passes.infra.plan import near_passes
from ...passes.infra.plugins import load_plugin
from ...passes.infra.registry import has_pass
from ...passes.infra.reproducer import (
    Reproducer,
    ReproducerFile,
    read_reproducer,
    reproducer_from_environment,
    write_reproducer,
)
from ...passes.infra.timing import Timer
from ...passes.infra.upstream import has_upstream_pass
from . import reports
from .arguments import Arguments
from .diagnostics import OPERATION_LINES, DiagnosticPrinter, LocatedMessage, message_at, remark_message
from .irdl import load_irdl_file
from .pipeline import requested_pipeline
from .source import Chunk, near_misses, parse_chunk, read_input, split_input
from .verify_diagnostics import verify_diagnostics

_OUTPUT_MARKER = "// -----"


@dataclass
class Processed:
    """The result of one input: `output` is None when nothing is to be written."""

    succeeded: bool
    output: str | bytes | None


def process_input(arguments: Arguments) -> Processed:
    """Runs the command line on its input.

    Raises:
        CompilerError: the command line, the pipeline or the input file is wrong.
    """
    job = _Job.prepare(arguments)
    if arguments.value("o") not in (None, "-"):
        from ..output import check_writable

        check_writable(Path(str(arguments.value("o"))))
    marker = arguments.value("split-input-file")
    if marker is not None and isinstance(job.source.text, bytes):
        raise CompilerError("--split-input-file needs text, the input is bytecode")
    if marker is not None and arguments.switch("emit-bytecode"):
        raise CompilerError("--emit-bytecode writes one module, --split-input-file makes several")
    chunks = [job.source] if marker is None else split_input(job.source, marker)
    for line, column in near_misses(job.source, marker) if marker is not None else []:
        text = "near miss with file split marker"
        DiagnosticPrinter(job.source).print(LocatedMessage("warning", text, job.source.name, line, column))
    results = [job.process(chunk) for chunk in chunks]
    succeeded = all(ok for ok, _ in results)
    outputs = [output for _, output in results]
    if arguments.value("o") not in (None, "-") and not succeeded:
        return Processed(False, None)
    if len(outputs) == 1:
        return Processed(succeeded, outputs[0])
    separator = (arguments.value("output-split-marker") or _OUTPUT_MARKER) + "\n"
    return Processed(succeeded, separator.join(str(output or "") for output in outputs))


def _make_context(arguments: Arguments, replay: ReproducerFile | None) -> ir.Context:
    context = create_context(allow_unregistered=_allows_unregistered(arguments, replay))
    for file in (*arguments.list("irdl-file"), *(replay.irdl_files if replay else ())):
        load_irdl_file(file, context)
    return context


def _allows_unregistered(arguments: Arguments, replay: ReproducerFile | None) -> bool:
    replayed = replay is not None and replay.allow_unregistered
    return replayed or arguments.switch("allow-unregistered-dialect")


def _check_pass_names(arguments: Arguments, context: ir.Context) -> None:
    for flag in ("mlir-print-ir-before", "mlir-print-ir-after"):
        for name in arguments.list(flag):
            if not (has_pass(name) or has_upstream_pass(name, context)):
                near = near_passes(name)
                hint = f"did you mean {' or '.join(near)}?" if near else ""
                raise CompilerError(f"--{flag}: no pass is named '{name}'", hint=hint)


@dataclass
class _Job:
    """Everything that is the same for each chunk."""

    arguments: Arguments
    source: Chunk
    pipeline: PipelineEntry
    pipeline_text: str
    style: PrintStyle
    replay: ReproducerFile | None
    unused_context: ir.Context | None

    @classmethod
    def prepare(cls, arguments: Arguments) -> _Job:
        replay: ReproducerFile | None = None
        source: Chunk | None = None
        if arguments.switch("run-reproducer"):
            source = read_input(arguments.input)
            replay = read_reproducer("" if isinstance(source.text, bytes) else source.text)
            source = replace(source, text=replay.ir_text)
            for plugin in replay.load:
                load_plugin(plugin)
        context = _make_context(arguments, replay)
        pipeline, text = requested_pipeline(arguments, context, replay)
        spelt_out = check_pipeline(pipeline, context, text)
        if arguments.switch("dump-pass-pipeline"):
            print(f"Pass Manager with {len(pipeline.entries)} passes:\n{spelt_out}\n", file=sys.stderr)
        _check_pass_names(arguments, context)
        source = source or read_input(arguments.input)
        return cls(arguments, source, pipeline, text, print_style(arguments), replay, context)

    def context(self) -> ir.Context:
        """A context that no chunk has used."""
        context, self.unused_context = self.unused_context, None
        return context or _make_context(self.arguments, self.replay)

    def process(self, chunk: Chunk) -> tuple[bool, str | bytes | None]:
        """Runs one chunk; returns whether it succeeded and its output."""
        mode = self.arguments.value("verify-diagnostics")
        printer = DiagnosticPrinter(
            chunk,
            silent=mode is not None,
            operation_lines=self._operation_lines(),
            colour=self.arguments.switch("color", default=_on_a_terminal()),
            level=self.arguments.value("mlir-diagnostic-verbosity-level") or "",
            notes=not self.arguments.switch("mlir-disable-diagnostic-notes"),
        )
        context = self.context()
        with context, printer.attach(context):
            succeeded, output = self._process(chunk, context, printer)
        if mode is None:
            return succeeded, output
        complaints = verify_diagnostics(chunk, printer.messages, only_expected=mode == "only-expected")
        for complaint in complaints:
            printer.print(complaint)
        return not complaints, output

    def _operation_lines(self) -> int | None:
        """How many lines of an operation a diagnostic shows; None for all, when they were asked for."""
        if not self.arguments.switch("mlir-print-op-on-diagnostic", default=True):
            return 0
        return None if "mlir_print_op_on_diagnostic" in self.arguments.values else OPERATION_LINES

    def _process(
        self, chunk: Chunk, context: ir.Context, printer: DiagnosticPrinter
    ) -> tuple[bool, str | bytes | None]:
        timer = Timer() if self.arguments.switch("mlir-timing") else None
        about_to(lambda: f"while '{chunk.name}' was read")
        try:
            with reports.timed(timer, "Parser"):
                module = self._parse(chunk, context)
        except ir.MLIRError:
            return False, None
        watch = self._instrumentation(timer, printer)
        self._generate_reproducer(module, watch)
        try:
            result = run_parsed_pipeline(module, self.pipeline, self.pipeline_text, instrumentation=watch)
        except PipelineFailure as failure:
            self._point_to_reproducer(failure, module, printer)
            self._explain(failure, printer)
            return False, None
        about_to(lambda: "while the result was printed")
        with reports.timed(timer, "Output"):
            output = self._print(module)
        about_to(str)
        if self.arguments.switch("remarks"):
            for remark in result.remarks:
                printer.add(remark_message(remark, context, chunk))
        self._report(result, timer)
        return True, output

    def _parse(self, chunk: Chunk, context: ir.Context) -> ir.Operation:
        module = parse_chunk(chunk, context, implicit_module=not self.arguments.switch("no-implicit-module"))
        if self.arguments.switch("verify-roundtrip"):
            reports.verify_roundtrip(module)
        return module

    def _instrumentation(self, timer: Timer | None, printer: DiagnosticPrinter) -> Instrumentation:
        verify_each = self.replay.verify_each if self.replay else True
        return Instrumentation(
            verify_each=self.arguments.switch("verify-each", default=verify_each),
            printing=ir_printing(self.arguments, self.style),
            timer=timer,
            report=printer.report,
            reproducer=self._wanted_reproducer(),
        )

    def _wanted_reproducer(self) -> Reproducer | None:
        """Where a failing pass leaves its reproducer: as the flag or the environment says, nowhere otherwise."""
        path = self.arguments.value("mlir-pass-pipeline-crash-reproducer")
        policy = Reproducer(path=Path(path), before_each=True) if path else reproducer_from_environment()
        if policy is None or self.arguments.switch("no-reproducer"):
            return None
        return self._replayable(policy)

    def _replayable(self, policy: Reproducer) -> Reproducer:
        """The policy with what it takes to run its files again."""
        return replace(
            policy,
            load=(*self.arguments.list("load"), *(self.replay.load if self.replay else ())),
            irdl_files=(*self.arguments.list("irdl-file"), *(self.replay.irdl_files if self.replay else ())),
            allow_unregistered=_allows_unregistered(self.arguments, self.replay),
        )

    def _generate_reproducer(self, module: ir.Operation, watch: Instrumentation) -> None:
        if self.arguments.value("mlir-generate-reproducer") is None:
            return
        policy = self._replayable(
            Reproducer(path=Path(str(self.arguments.value("mlir-generate-reproducer"))))
        )
        write_reproducer(policy, module, str(self.pipeline), verify_each=watch.verify_each)

    def _point_to_reproducer(
        self, failure: PipelineFailure, module: ir.Operation, printer: DiagnosticPrinter
    ) -> None:
        """Reports as mlir-opt does where it was told to leave a reproducer."""
        if failure.reproducer is None or self.arguments.value("mlir-pass-pipeline-crash-reproducer") is None:
            return
        what = f"Pipeline failed while executing [`{failure.pass_name}`]"
        note = message_at(
            module.location, printer.chunk, "note", f"{what}: reproducer generated at `{failure.reproducer}`"
        )
        text = "Failures have been detected while processing an MLIR pass pipeline"
        printer.add(replace(message_at(module.location, printer.chunk, "error", text), notes=(note,)))

    def _explain(self, failure: PipelineFailure, printer: DiagnosticPrinter) -> None:
        """Says what the diagnostics did not: the hint, the pass, where the reproducer is."""
        if printer.silent:
            if not failure.reported and not printer.messages:
                print(f"wse-opt: error: {failure}", file=sys.stderr)
            return
        if self.arguments.switch("trace") and failure.__cause__ is not None:
            traceback.print_exception(failure.__cause__)
        if not any(message.severity == "error" for message in printer.messages):
            print(f"wse-opt: error: {failure}", file=sys.stderr)
            return
        layer = f" in {failure.where}" if failure.where.endswith(")") else ""
        lines = [f"wse-opt: pass '{failure.pass_name}' failed{layer}"]
        lines += [f"  note: {note}" for note in failure.notes]
        if failure.hint:
            lines.append(f"  hint: {failure.hint}")
        print("\n".join(lines), file=sys.stderr)

    def _print(self, module: ir.Operation) -> str | bytes:
        if self.arguments.switch("emit-bytecode"):
            return reports.bytecode(module, self.arguments.number("emit-bytecode-version"))
        return self.style.print(module) + "\n\n"

    def _report(self, result: RunResult, timer: Timer | None) -> None:
        if self.arguments.switch("mlir-pass-statistics"):
            merged = self.arguments.value("mlir-pass-statistics-display") == "list"
            reports.print_statistics(result.statistics, merged=merged)
        if timer is not None:
            flat = self.arguments.value("mlir-timing-display") == "list"
            reports.print_timing(
                timer, flat=flat, as_json=self.arguments.value("mlir-output-format") == "json"
            )


def _on_a_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def print_style(arguments: Arguments) -> PrintStyle:
    """How IR is printed, from the flags."""
    return PrintStyle(
        debug_info=arguments.switch("mlir-print-debuginfo"),
        pretty_debug_info=arguments.switch("mlir-pretty-debuginfo"),
        generic=arguments.switch("mlir-print-op-generic"),
        local_scope=arguments.switch("mlir-print-local-scope"),
        skip_regions=arguments.switch("mlir-print-skip-regions"),
        name_locations=arguments.switch("mlir-use-nameloc-as-prefix"),
        assume_verified=arguments.switch("mlir-print-assume-verified"),
        elements_limit=arguments.number("mlir-elide-elementsattrs-if-larger"),
        resource_limit=arguments.number("mlir-elide-resource-strings-if-larger"),
    )


def ir_printing(arguments: Arguments, style: PrintStyle) -> IRPrinting | None:
    """Which passes the IR is printed around, from the flags; None when around none."""
    on_change = arguments.switch("mlir-print-ir-after-change")
    on_failure = arguments.switch("mlir-print-ir-after-failure")
    after = frozenset(arguments.list("mlir-print-ir-after"))
    printing = IRPrinting(
        before=frozenset(arguments.list("mlir-print-ir-before")),
        after=after,
        before_all=arguments.switch("mlir-print-ir-before-all"),
        after_all=arguments.switch("mlir-print-ir-after-all") or (on_change and not after),
        only_on_change=on_change,
        only_on_failure=on_failure,
        module_scope=arguments.switch("mlir-print-ir-module-scope"),
        style=style,
        folder=Path(folder) if (folder := arguments.value("mlir-print-ir-tree-dir")) else None,
    )
    if printing.before or printing.after or printing.before_all or printing.after_all or on_failure:
        return printing
    return None
