"""What a pipeline made of the IR, pass by pass."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from ..dialects.host import ir
from ..passes.infra.pass_manager import Instrumentation
from ..passes.infra.plan import PythonStep, UpstreamStep
from ..passes.infra.upstream import required_anchor
from .isolation import Outcome, SendResult, isolated

_CHECK = "wse-check-stage"
_FUNCTION = "func.func"
PASS_TIME_LIMIT = 1800.0  # seconds: planning a deep network takes minutes, and is no hanging


@dataclass(frozen=True)
class PassText:
    """A pass in a pipeline of modules.

    Attributes:
        name: "wse-fuse".
        text: with its options, "wse-fuse{max-uses=2}".
        anchor: "func.func" when it runs on functions, else "".
    """

    name: str = ""
    text: str = ""
    anchor: str = ""

    @staticmethod
    def of(step: PythonStep | UpstreamStep, context: ir.Context) -> PassText:
        """A pass that ran; anchorless ones of ours stand inside of functions in every pipeline."""
        if isinstance(step, PythonStep):
            on_functions = step.python_pass.anchor in (_FUNCTION, None)
        else:
            name, _, options = str(step).partition("{")
            on_functions = required_anchor(name, options.removesuffix("}"), context) == _FUNCTION
        return PassText(step.name, str(step), _FUNCTION if on_functions else "")


def pipeline_of(passes: Iterable[PassText]) -> str:
    """The pipeline that runs these passes one after the other on a module."""
    entries = []
    for anchor, group in groupby(passes, key=lambda p: p.anchor):
        inside = ",".join(p.text for p in group)
        entries.append(f"{anchor}({inside})" if anchor else inside)
    return f"builtin.module({','.join(entries)})"


@dataclass(frozen=True)
class Snapshot:
    """The IR after a pass.

    Attributes:
        after: the pass; one without a name for the IR before the first one.
        data: the IR's text, compressed; source locations included.
        stage: the stage whose contract was found to hold here, mostly "".
        step: the pass's number in the pipeline; one that runs on several functions has the same for all of them.
    """

    after: PassText
    data: bytes = field(repr=False)
    stage: str = ""
    step: int = 0

    @property
    def text(self) -> str:
        """The IR."""
        return zlib.decompress(self.data).decode()

    def module(self, context: ir.Context) -> ir.Module:
        """The IR, parsed."""
        return ir.Module.parse(self.text, context)


def snapshot(module: ir.Module | ir.Operation, after: PassText | None = None) -> Snapshot:
    """The IR as it is now."""
    return Snapshot(after or PassText(), _compressed(module.operation))


def _compressed(op: ir.Operation) -> bytes:
    text = op.get_asm(enable_debug_info=True)
    assert isinstance(text, str)
    return zlib.compress(text.encode(), 1)


@dataclass(frozen=True)
class Break:
    """Where a pipeline ended before its end.

    Attributes:
        at: the pass that was running; for a stage's contract, the pass `wse-check-stage`.
        reason: its message, with the place in the model, or the signal; message: without the place.
        crashed: whether native code took the process down, or did not end.
    """

    at: PassText
    reason: str
    message: str = ""
    crashed: bool = False

    @property
    def is_contract(self) -> bool:
        """Whether what failed was the check of a stage's contract."""
        return self.at.name == _CHECK


@dataclass(frozen=True)
class Trace:
    """A pipeline's run.

    Attributes:
        snapshots: the IR before the first pass, then after every run of a pass that is no check of a stage.
        broken: where the run ended, None when it came to its end.
    """

    snapshots: tuple[Snapshot, ...]
    broken: Break | None = None

    def at_stage(self, stage: str) -> int | None:
        """The snapshot whose IR is at `stage`, None when the pipeline did not get there."""
        return next((i for i, s in enumerate(self.snapshots) if s.stage == stage), None)

    def stages_around(self, index: int) -> tuple[str, str]:
        """The stage that held last before snapshot `index` was made, and the one that holds next; "" for none."""
        before = [s.stage for s in self.snapshots[:index] if s.stage]
        after = [s.stage for s in self.snapshots[index:] if s.stage]
        return before[-1] if before else "", after[0] if after else ""


def record(
    module: ir.Module,
    run: Callable[[ir.Module, Instrumentation], Any],
    time_limit: float = PASS_TIME_LIMIT,
) -> Trace:
    """Runs a pipeline in a process of its own and keeps what it made of the IR; `module` stays as it is.

    The IR is verified after every pass, so that one that leaves invalid IR is the one that fails.

    Args:
        time_limit: of one pass, in seconds; one that takes longer hangs.
    """

    def work(send: SendResult) -> None:
        observer = _Recorder(send)
        run(module, Instrumentation(verify_each=True, reproducer=None, observers=(observer,)))

    return _assembled(snapshot(module), isolated(work, time_limit))


@dataclass(frozen=True)
class _Started:
    """A pass begins.

    Attributes:
        found: the IR where it is not what the pass before left: the target begins anew, maybe from a stage it kept.
    """

    number: int
    step: PassText
    found: bytes = b""


@dataclass(frozen=True)
class _Ended:
    data: bytes


class _Recorder:
    """Sends what happens to the process that asked for it."""

    def __init__(self, send: SendResult) -> None:
        self._send = send
        self._root: ir.Operation | None = None
        self._steps: list[PythonStep | UpstreamStep] = []  # in the order in which they first ran

    def before_pass(self, step: PythonStep | UpstreamStep, root: ir.Operation) -> None:
        goes_on = self._root is not None and root == self._root
        found = b"" if goes_on else _compressed(root)
        self._root = root
        if not any(known is step for known in self._steps):
            self._steps.append(step)
        number = next(n for n, known in enumerate(self._steps) if known is step)
        self._send(_Started(number, PassText.of(step, root.context), found))

    def after_pass(self, step: PythonStep | UpstreamStep, root: ir.Operation) -> None:
        self._send(_Ended(b"" if step.name == _CHECK else _compressed(root)))


def _assembled(first: Snapshot, outcome: Outcome) -> Trace:
    """The last attempt of the run, behind the passes that led to where it began."""
    snapshots, running = [first], None
    number = 0
    for event in outcome.sent:
        if isinstance(event, _Started):
            if event.found:
                snapshots = _led_to(snapshots, event.found)
            running, number = event.step, event.number
        elif running is not None:
            if running.name == _CHECK:
                stage = running.text.partition("stage=")[2].removesuffix("}")
                snapshots[-1] = replace(snapshots[-1], stage=stage or "tensor")
            else:
                snapshots.append(Snapshot(running, event.data, step=number))
            running = None
    return Trace(tuple(snapshots), _broken(running, outcome))


def _led_to(snapshots: Sequence[Snapshot], found: bytes) -> list[Snapshot]:
    """What was recorded up to this IR; that alone where nothing recorded leads there."""
    last = next((n for n in reversed(range(len(snapshots))) if snapshots[n].data == found), None)
    return [Snapshot(PassText(), found)] if last is None else list(snapshots[: last + 1])


def _broken(running: PassText | None, outcome: Outcome) -> Break | None:
    if outcome.returned:
        return None
    at = running or PassText("the pipeline", "the pipeline")
    if outcome.failure is not None:
        return Break(at, str(outcome.failure), outcome.failure.message)
    return Break(at, outcome.crash, outcome.crash, crashed=True)


def passes_between(snapshots: Sequence[Snapshot], first: int, last: int) -> list[PassText]:
    """The passes that made snapshot `last` of snapshot `first`, as a pipeline for modules.

    On functions, a pass runs on one after the other, with the passes behind it in the pipeline in between: it is here
    once, and these are not if they come after the last pass.
    """
    ran = snapshots[first + 1 : last + 1]
    return list({s.step: s.after for s in ran if s.step <= ran[-1].step}.values())
