"""The smallest program that shows a fault, as a file that replays it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..dialects.context import create_context
from ..dialects.host import ir
from ..dialects.parsing import parse_module
from ..frontend.interface import find_main
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.pass_manager import Instrumentation, run_pipeline
from ..passes.infra.pipeline_text import PassEntry, PipelineEntry, parse_pipeline
from ..passes.infra.plugins import load_plugin
from ..passes.infra.reproducer import Reproducer, read_reproducer, write_reproducer
from ..reduce.attributes import RemoveAttributes
from ..reduce.reducer import STRATEGIES, NotInteresting, reduce
from ..reduce.shapes import ShrinkShapes
from ..tools.output import write_atomically
from .calls import Calls
from .extract import Extract, extracts
from .inputs import attach, calls_like, detach
from .suspicion import Evidence, Suspicion
from .trace import PassText, passes_between
from .verify import Fault

MOST_TESTS = 150  # of one reduction
_RETURNED = "wse-bufferize{results=return}"
_SUSPECTS = "wse.suspects"  # attribute of the module: how many passes, from the last one on, are suspected
_WHOLE = tuple(s for s in STRATEGIES if not isinstance(s, RemoveAttributes))  # attributes name the arguments
_SHAPES = tuple(s for s in STRATEGIES if isinstance(s, ShrinkShapes))


@dataclass(frozen=True)
class Smallest:
    """A small program that shows a fault.

    Attributes:
        text: on tensors; calls: with its arguments.
        suspicion: the passes to run on it.
        evidence: what they do to it.
        operation / origin: the operation of the model that it is; empty when it takes several.
    """

    text: str
    calls: Calls
    suspicion: Suspicion
    evidence: Evidence
    operation: str = ""
    origin: str = ""


def smallest(fault: Fault, calls: Calls, most_tests: int = MOST_TESTS) -> Smallest | None:
    """The smallest program that shows a fault: one operation where that is enough, else what reduction leaves.

    None for a fault that the program as a whole does not show either once it is started at its tensors.
    """
    search = _Search(fault, most_tests)
    start = fault.trace.snapshots[search.start]
    for extract in sorted(extracts(start, calls), key=_elements):
        text = extract.snapshot.text
        if search.shows(text, extract.calls):
            return search.reduced(text, extract.calls, _SHAPES, extract)
    if not search.shows(start.text, calls):
        return None
    one_call = replace(calls, inputs=calls.inputs[:1])
    if search.shows(start.text, one_call):
        calls = one_call
    return search.reduced(start.text, calls, _WHOLE, None)


def _elements(extract: Extract) -> int:
    return sum(value.size for value in extract.calls.initial)


class _Search:
    def __init__(self, fault: Fault, most_tests: int) -> None:
        trace, found = fault.trace, fault.found
        tensor = trace.at_stage("tensor")
        self.kind = fault.kind
        self.start = found.last_good if tensor is None else min(found.last_good, tensor)
        message = ""
        passes = passes_between(trace.snapshots, self.start, found.first_bad)
        suspects = len(fault.passes)
        if fault.kind == "failure" and trace.broken is not None:
            if trace.broken.is_contract:
                self.start = max(0, min(self.start, found.last_good - 1))
                passes = passes_between(trace.snapshots, self.start, len(trace.snapshots) - 1)
                suspects += 1
            passes.append(trace.broken.at)
            message = trace.broken.message
        self.suspicion = Suspicion(tuple(passes), suspects, message)
        self.most_tests = most_tests
        self.known: dict[str, tuple[Evidence, Calls, Suspicion]] = {}

    def suspicion_for(self, module: ir.Module) -> Suspicion:
        """A program whose results have static shapes takes them as arguments, whatever the model did."""
        static = all(
            isinstance(t, ir.RankedTensorType) and t.has_static_shape for t in find_main(module).type.results
        )
        if not static:
            return self.suspicion
        passes = tuple(replace(p, text=p.name) if p.text == _RETURNED else p for p in self.suspicion.passes)
        return replace(self.suspicion, passes=passes)

    def evidence(self, text: str, calls: Calls) -> tuple[Evidence, Calls, Suspicion]:
        """What the passes do to a program, its arguments, and the passes."""
        key = f"{len(calls.inputs)} {text}"
        if key not in self.known:
            module = ir.Module.parse(text, create_context())
            suspicion = self.suspicion_for(module)
            given = calls_like(module, calls)
            evidence = suspicion.evidence(text, given, run_code=self.kind != "failure")
            self.known[key] = evidence, given, suspicion
        return self.known[key]

    def shows(self, text: str, calls: Calls) -> bool:
        evidence, _, suspicion = self.evidence(text, calls)
        return suspicion.is_shown(self.kind, evidence)

    def reduced(self, text: str, calls: Calls, strategies: Any, extract: Extract | None) -> Smallest:
        def interesting(candidate: str) -> bool:
            try:
                return self.shows(candidate, calls)
            except Exception:  # a signature that is no model's any more
                return False

        try:
            result = reduce(
                text,
                interesting,
                keep_locations=extract is not None,
                max_tests=self.most_tests,
                strategies=strategies,
            )
            text = result.text
        except NotInteresting:
            pass  # printed without its locations it does not show the fault: it stays as it is
        evidence, given, suspicion = self.evidence(text, calls)
        name, origin = (extract.name, extract.origin) if extract is not None else ("", "")
        return Smallest(text, given, suspicion, evidence, name, origin)


def write(found: Smallest, directory: Path, load: tuple[str, ...] = ()) -> Path:
    """Writes a reproducer, with an .npz file beside it where arguments are large; returns its path.

    Raises:
        CompilerError: it cannot be written.
    """
    module = ir.Module.parse(found.text, create_context())
    if not found.origin:  # places in the text that was reduced
        run_pipeline(
            module, "builtin.module(strip-debuginfo)", instrumentation=Instrumentation(reproducer=None)
        )
    beside = attach(module, found.calls)
    with module.context:
        count = ir.IntegerAttr.get(ir.IntegerType.get_signless(64), found.suspicion.suspects)
        module.operation.attributes[_SUSPECTS] = count
    policy = Reproducer(directory=directory, load=load)
    path = write_reproducer(policy, module.operation, found.suspicion.pipeline, verify_each=True)
    content = path.read_text(encoding="utf-8").split("\n", 1)[1]
    write_atomically(path, f"// wse verify --replay THIS_FILE\n{content}")
    if beside:
        file = io.BytesIO()
        np.savez_compressed(file, **beside)  # type: ignore[arg-type]
        write_atomically(_beside(path), file.getvalue())
    return path


def replay(path: Path) -> tuple[Suspicion, Evidence]:
    """Runs what a reproducer says, and the program before and after the suspected passes.

    Raises:
        CompilerError: the file is no reproducer of `wse verify`.
    """
    settings = read_reproducer(_text_of(path))
    for plugin in settings.load:
        load_plugin(plugin)
    module = parse_module(settings.ir_text, create_context(), file=str(path))
    attributes = module.operation.attributes
    suspects = ir.IntegerAttr(attributes[_SUSPECTS]).value if _SUSPECTS in attributes else 1
    calls = detach(module, _beside(path))
    suspicion = Suspicion(tuple(_passes(parse_pipeline(settings.pipeline))), suspects)
    text = module.operation.get_asm(enable_debug_info=True)
    assert isinstance(text, str)
    return suspicion, suspicion.evidence(text, calls)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CompilerError(f"this is not text: byte {error.start} is not UTF-8", where=str(path)) from None


def _beside(path: Path) -> Path:
    return path.with_suffix(".npz")


def _passes(pipeline: PipelineEntry, anchor: str = "") -> Iterator[PassText]:
    for entry in pipeline.entries:
        if isinstance(entry, PassEntry):
            yield PassText(entry.name, str(entry), anchor)
        else:
            yield from _passes(entry, entry.anchor)
