"""Fuzzing for a while: cases of all kinds by seed, problems reduced and written down."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.parsing import parse_module
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.reduce import NotInteresting, reduce

from .case import Case, Problem, Verdict, judge
from .commands import draw_command, draw_keywords
from .damaged_files import DamagedFile, draw_damaged_file
from .machines import draw_machine
from .models import draw_model
from .pipelines import CompiledModuleCase, PipelineCase, draw_compiled_module, draw_pipeline

# Kinds of cases; how often each is drawn follows from how often it stands in the schedule.
KINDS: dict[str, Callable[[int], Case]] = {
    "models": draw_model,
    "pipelines": draw_pipeline,
    "modules": draw_compiled_module,
    "files": draw_damaged_file,
    "machines": draw_machine,
    "commands": draw_command,
    "keywords": draw_keywords,
}
SCHEDULE = (
    "models",
    "pipelines",
    "files",
    "models",
    "modules",
    "commands",
    "models",
    "machines",
    "files",
    "keywords",
)
MOST_TRIALS = 150  # of one reduction


@dataclass(frozen=True)
class Finding:
    """A problem and the smallest case found that shows it."""

    kind: str
    seed: int
    problem: Problem
    case: Case

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.seed}"

    def write(self, folder: Path) -> Path:
        """Writes what is needed to see it again."""
        place = folder / self.name
        place.mkdir(parents=True, exist_ok=True)
        for name, content in self.case.files().items():
            (place / name).write_bytes(content)
        (place / "problem.txt").write_text(f"{self.problem.kind}\n{self.problem.detail}\n")
        return place


@dataclass
class Tally:
    """How many cases of each kind ended in which way."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def add(self, kind: str, verdict: Verdict) -> None:
        self.counts[kind, verdict.outcome] += 1


def cases(kinds: list[str], first: int, step: int) -> Iterator[tuple[str, int]]:
    """Kinds and seeds without end, every `step`-th of a fixed sequence."""
    schedule = [kind for kind in SCHEDULE if kind in kinds]
    seed = first
    while True:
        yield schedule[seed % len(schedule)], seed
        seed += step


def run_case(kind: str, seed: int) -> tuple[Verdict, Finding | None]:
    """Judges the case of that seed; a problem comes reduced."""
    case = KINDS[kind](seed)
    verdict = judge(case)
    if verdict.problem is None:
        return verdict, None
    smallest = reduced(case, verdict.problem)
    return verdict, Finding(kind, seed, judge(smallest).problem or verdict.problem, smallest)


def run_for(
    seconds: float,
    kinds: list[str],
    first: int,
    step: int,
    report: Callable[[str, int, Verdict, Finding | None], Any],
) -> None:
    """Runs cases until the time is over; `report` gets each."""
    end = time.monotonic() + seconds
    for kind, seed in cases(kinds, first, step):
        if time.monotonic() >= end:
            return
        report(kind, seed, *run_case(kind, seed))


def reduced(case: Case, problem: Problem) -> Case:
    """The smallest case found that shows a problem like the given one."""
    trials = MOST_TRIALS
    found = True
    while found and trials > 0:
        found = False
        for candidate in case.smaller():
            trials -= 1
            if problem.is_like(judge(candidate).problem):
                case, found = candidate, True
                break
            if trials <= 0:
                break
    return _with_small_module(case, problem, trials)


def _with_small_module(case: Case, problem: Problem, trials: int) -> Case:
    """With the case's IR made smaller by wse-reduce, where it has any that can be read."""
    if isinstance(case, (PipelineCase, CompiledModuleCase)):
        text = case.module
    elif isinstance(case, DamagedFile) and case.name.endswith(".mlir"):
        text = case.content.decode(errors="replace")
    else:
        return case
    try:
        parse_module(text, create_context())
        small = reduce(
            text,
            lambda candidate: problem.is_like(judge(_of(case, candidate)).problem),
            max_tests=max(trials, 20),
        ).text
    except (CompilerError, NotInteresting):
        return case
    return _of(case, small)


def _of(case: Case, module: str) -> Case:
    if isinstance(case, DamagedFile):
        return replace(case, content=module.encode())
    return replace(case, module=module)  # type: ignore[type-var]
