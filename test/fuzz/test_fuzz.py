"""A short run of the fuzzer with fixed seeds, and that it sees what it is there to see."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest
from fuzz.campaign import KINDS, reduced, run_case
from fuzz.case import Problem, Wrong, complaint_about, judge
from fuzz.models import draw_model

from wse_mlir import CompilerError

# Eight more models, two of which take longer than all others together, are left to `make test-full`.
SEEDS = {
    "models": range(1005, 1013),
    "pipelines": range(1000, 1012),
    "modules": range(1000, 1008),
    "files": range(1000, 1024),
    "machines": range(1000, 1008),
    "commands": range(1000, 1012),
    "keywords": range(1000, 1010),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_fixed_seeds(kind: str) -> None:
    assert_no_finding(kind, SEEDS[kind])


@pytest.mark.slow
def test_more_models() -> None:
    assert_no_finding("models", [seed for seed in range(1000, 1016) if seed not in SEEDS["models"]])


def assert_no_finding(kind: str, seeds: Iterable[int]) -> None:
    for seed in seeds:
        verdict, finding = run_case(kind, seed)
        assert finding is None, f"{finding.name}: {finding.problem}\n{finding.case.files()}"
        assert verdict.outcome in ("ran", "refused")


@dataclass(frozen=True)
class Planted:
    """A case that ends as it is told to once it has enough of its parts."""

    end: str
    parts: frozenset[int]

    def run(self) -> None:
        if not {3, 7} <= self.parts:
            return
        if self.end == "killed":
            os.abort()
        if self.end == "internal":
            raise KeyError("no such thing")
        if self.end == "wrong":
            raise Wrong("1 is not 2")
        if self.end == "unreadable":
            raise CompilerError("AssertionError at 0x1234")
        raise CompilerError("use another operator")

    def files(self) -> dict[str, bytes]:
        return {"parts": str(sorted(self.parts)).encode()}

    def smaller(self) -> Iterator[Planted]:
        yield from (Planted(self.end, self.parts - {part}) for part in sorted(self.parts))


@pytest.mark.parametrize(
    ("end", "kind"),
    [("killed", "crash"), ("internal", "crash"), ("wrong", "wrong"), ("unreadable", "unreadable")],
)
def test_problems_are_seen_and_reduced(end: str, kind: str) -> None:
    case = Planted(end, frozenset(range(10)))
    problem = judge(case).problem
    assert problem is not None and problem.kind == kind
    smallest = reduced(case, problem)
    assert isinstance(smallest, Planted) and smallest.parts == {3, 7}


def test_what_is_nearer_to_the_truth_is_not_wrong() -> None:
    """sin(exp(x)) in bf16: upstream's lowering rounds the exponential, which the sine makes larger."""
    verdict, finding = run_case("modules", 140834)
    assert finding is None and verdict.outcome == "ran"


def test_refusals_are_no_problems() -> None:
    verdict = judge(Planted("refused", frozenset({3, 7})))
    assert (verdict.outcome, verdict.message) == ("refused", "use another operator")


def test_a_hang_is_seen() -> None:
    @dataclass(frozen=True)
    class Endless(Planted):
        def run(self) -> None:
            while True:
                pass

    problem = judge(Endless("", frozenset()), time_limit=0.5).problem
    assert problem is not None and problem.kind == "hang"


def test_messages_that_cannot_be_read() -> None:
    assert complaint_about(" ") and complaint_about("x" * 5000) and complaint_about("KeyError: 3")
    assert not complaint_about("argument 'x' is 4xf32, expected 8xf32")


def test_unlike_problems_are_told_apart() -> None:
    first = Problem("crash", 'File "/a/wse_fuse.py", line 3, in run\nKeyError: 17')
    assert first.is_like(Problem("crash", 'File "/b/wse_fuse.py", line 9, in run\nKeyError: 18'))
    assert not first.is_like(Problem("crash", 'File "/b/wse_tile.py", line 9, in run\nKeyError: 18'))
    assert not first.is_like(None)


def test_models_are_the_same_for_a_seed() -> None:
    assert draw_model(5) == draw_model(5)
    assert draw_model(5).files() == draw_model(5).files()
