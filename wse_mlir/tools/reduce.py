"""What `wse-reduce` does: read, choose the predicate, reduce with progress on standard error, write."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ..dialects.context import create_context
from ..dialects.host import ir
from ..dialects.parsing import parsed
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.pass_manager import check_pipeline
from ..passes.infra.pipeline_text import parse_pipeline
from ..passes.infra.plugins import load_plugin
from ..passes.infra.reproducer import ReproducerFile, is_reproducer, read_reproducer
from ..pipelines.named import named_pipeline
from ..reduce import NotInteresting, Progress, Size, reduce
from ..reduce.command_predicate import CommandPredicate
from ..reduce.pipeline_predicate import PipelinePredicate
from ..reduce.predicate import Predicate
from .opt.irdl import load_irdl_file
from .opt.source import Chunk, parse_chunk, read_input
from .output import check_writable, write_atomically
from .reduce_options import Options


def reduce_file(options: Options) -> bool:
    """Runs the command line; returns whether it went to its end, not interrupted by the user.

    Raises:
        CompilerError: the file is not valid IR or not interesting, or an option is wrong; nothing is written.
    """
    if options.out is not None:
        check_writable(options.out)
        if options.out.resolve() == Path(options.file).resolve():
            raise CompilerError("-o names the input, which is never changed", hint="name another file")
    chunk = read_input(options.file)
    replay = _replay(chunk, options)
    for plugin in (*options.load, *(replay.load if replay else ())):
        load_plugin(plugin)
    unregistered = options.allow_unregistered or (replay is not None and replay.allow_unregistered)
    context = create_context(allow_unregistered=unregistered)
    for file in (*options.irdl_files, *(replay.irdl_files if replay else ())):
        load_irdl_file(file, context)
    with ExitStack() as stack:
        predicate = _predicate(options, replay, context, stack)
        return _Run(options, predicate).run(parsed(lambda: parse_chunk(chunk, context), chunk.name))


def _replay(chunk: Chunk, options: Options) -> ReproducerFile | None:
    """A reproducer's settings, unless the command line says what is interesting."""
    ways = {"--test": options.test, "--pipeline": options.pipeline, "--pass-pipeline": options.pass_pipeline}
    given = [flag for flag, value in ways.items() if value is not None]
    if len(given) > 1:
        raise CompilerError(f"{' and '.join(given)} exclude each other", hint="one says what is interesting")
    if options.message is not None and options.test is not None:
        raise CompilerError("--message belongs to a pipeline's failure, --test decides by the exit code")
    if given:
        return None
    if isinstance(chunk.text, str) and is_reproducer(chunk.text):
        return read_reproducer(chunk.text)
    raise CompilerError(
        "nothing says what is interesting, and the file is no reproducer",
        hint="--test COMMAND, or --pass-pipeline=TEXT for a pipeline that fails",
    )


def _predicate(
    options: Options, replay: ReproducerFile | None, context: ir.Context, stack: ExitStack
) -> Predicate:
    if options.test is not None:
        return stack.enter_context(CommandPredicate(options.test, options.timeout))
    if options.pipeline is not None:
        pipeline = named_pipeline(options.pipeline).text
    else:
        pipeline = options.pass_pipeline if replay is None else replay.pipeline
    assert pipeline is not None
    check_pipeline(parse_pipeline(pipeline), context, pipeline)
    verify_each = replay is None or replay.verify_each
    return PipelinePredicate(
        pipeline, context, message=options.message, verify_each=verify_each, timeout=options.timeout
    )


@dataclass
class _Run:
    """One reduction, with what is known of it so far."""

    options: Options
    predicate: Predicate
    console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))
    before: Size | None = None
    best: Progress | None = None

    def run(self, module: ir.Operation) -> bool:
        started = time.monotonic()
        try:
            with _signals_interrupt(), self._progress() as observer:
                complete = self._reduce(module, observer)
        except KeyboardInterrupt:
            if self.best is None:
                raise
            self._write()
            self._say(f"interrupted; {self._summary(started)}")
            return False
        self._write()
        self._say(self._summary(started))
        if not complete:
            self._say(
                f"stopped after {self.options.max_tests} tests (--max-tests), there may be more to remove"
            )
        return True

    def _reduce(self, module: ir.Operation, observer: Callable[[Progress], None]) -> bool:
        try:
            return self._reduce_with(module, observer, keep_locations=self.options.keep_locations)
        except NotInteresting:
            reason = self.predicate.explain()
        located = module.get_asm(enable_debug_info=True)
        if not self.options.keep_locations and self.predicate(str(located)):
            self._say("locations are kept: without them the input is not interesting")
            return self._reduce_with(module, observer, keep_locations=True)
        raise reason

    def _reduce_with(
        self, module: ir.Operation, observer: Callable[[Progress], None], *, keep_locations: bool
    ) -> bool:
        done = reduce(
            module,
            self.predicate,
            keep_locations=keep_locations,
            max_tests=self.options.max_tests,
            observer=observer,
        )
        return done.complete

    @contextmanager
    def _progress(self) -> Iterator[Callable[[Progress], None]]:
        """A line on a terminal that is drawn again after every test. It has no thread: tests fork this process."""
        with Live(console=self.console, auto_refresh=False, transient=True) as live:

            def observe(progress: Progress) -> None:
                self.before = self.before or progress.size
                self.best = progress
                if self.console.is_terminal:
                    line = Text(_progress_line(progress), no_wrap=True, overflow="ellipsis")
                    live.update(line, refresh=True)

            yield observe

    def _write(self) -> None:
        assert self.best is not None
        if self.options.out is None:
            sys.stdout.write(self.best.text)
            sys.stdout.flush()
        else:
            write_atomically(self.options.out, self.best.text)

    def _summary(self, started: float) -> str:
        assert self.best is not None and self.before is not None
        seconds = time.monotonic() - started
        where = "" if self.options.out is None else f"; the result is in {self.options.out}"
        late = self.predicate.timeouts
        timed_out = f", {late} of them stopped at the timeout" if late else ""
        return (
            f"{self.before.operations} operations, {self.before.characters} characters -> "
            f"{self.best.size.operations} operations, {self.best.size.characters} characters; "
            f"{self.best.tests} tests{timed_out}, {seconds:.1f} s{where}"
        )

    def _say(self, text: str) -> None:
        self.console.print(f"wse-reduce: {text}", markup=False, soft_wrap=True)


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Lets SIGTERM, as `timeout` sends it, do what Ctrl-C does: the result so far is written, whatever is going on."""
    heard = [n for n in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, signal.default_int_handler) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _progress_line(progress: Progress) -> str:
    size = f"{progress.size.operations} operations, {progress.size.characters} characters"
    return f"{progress.tests} tests, {size}; removing {progress.strategy}"
