"""Samples of one operator in a worker: compiled together, and in smaller groups where that fails."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

import wse_mlir

from .judgements import Call
from .rules import rule_for, tolerances
from .samples import Sample
from .verdicts import Verdict, described, difference, word_for

Report = Callable[[str, Any], None]
Variations = dict[str, tuple[list[torch.Tensor], Any]]  # name -> tensors, what PyTorch computes of them


class Calls(torch.nn.Module):
    """Calls samples one after the other."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        super().__init__()
        self.samples = samples

    def forward(self, tensors: list[list[torch.Tensor]]) -> list[Any]:
        return [sample(given) for sample, given in zip(self.samples, tensors, strict=True)]


@dataclass(frozen=True)
class Trial:
    """Samples of one operator on one target.

    Attributes:
        report: called as `report("stage", (stage, name))` before anything that may end the process, where the name
            is that of a sample or group, and as `report("verdict", verdict)`.
        judged: words of the samples that have a verdict already, or ended PyTorch itself.
        deadly: groups that ended a process.
    """

    operator: str
    target: str
    report: Report
    judged: dict[str, str]
    deadly: frozenset[str]

    def run(self, samples: Sequence[Sample], apart: Sequence[Sample]) -> None:
        """Judges every variation of every sample that PyTorch itself computes; those of `apart` alone."""
        self._settle("all", [(s, v) for s in samples if (v := self._expected(s))])
        for sample in apart:
            variations = self._expected(sample)
            if variations:
                self._alone(sample, variations)

    def _expected(self, sample: Sample) -> Variations:
        found: Variations = {}
        for name, tensors in sample.variations():
            called = _called(sample, name)
            if called in self.judged:
                continue
            self.report("stage", ("reference", called))
            try:
                with _silence():
                    found[name] = tensors, sample([t.clone() for t in tensors])
            except Exception:
                if not name:
                    break
        return found

    def _settle(self, group: str, chosen: Sequence[tuple[Sample, Variations]]) -> None:
        """Judges samples together; those of each type, then each alone, where that fails."""
        types = list(dict.fromkeys(s.dtype for s, _ in chosen))
        reason = "died" if group in self.deadly else ""
        if len(chosen) > 1 and not reason:
            reason = self._together(group, chosen)
            if not reason:
                return
        before = self._crashes()
        if len(types) > 1:
            for dtype in types:
                name = str(dtype).removeprefix("torch.")
                self._settle(name, [(s, v) for s, v in chosen if s.dtype == dtype])
        else:
            for sample, variations in chosen:
                self._alone(sample, variations)
        if reason and reason != "refused" and self._crashes() == before:
            detail = f"together only: {reason}"
            self._tell(Verdict("torch", self.operator, group, "crash", detail))

    def _crashes(self) -> int:
        return list(self.judged.values()).count("crash")

    def _together(self, group: str, chosen: Sequence[tuple[Sample, Variations]]) -> str:
        """Judges the samples in one program; returns "refused", or what failed, or else nothing."""
        self.report("stage", ("together", group))
        judged: list[Verdict] = []
        try:
            compiled = self._compile([(s, next(iter(v.values()))[0]) for s, v in chosen])
            for name in dict.fromkeys(name for _, v in chosen for name in v):
                given = [v.get(name, next(iter(v.values())))[0] for _, v in chosen]
                actual = compiled([[t.clone() for t in tensors] for tensors in given])
                for (sample, variations), value in zip(chosen, actual, strict=True):
                    if name in variations:
                        judged.append(self._judged(sample, name, variations[name], value))
        except wse_mlir.CompilerError:
            return "refused"
        except Exception as error:
            return described(error)
        for verdict in judged:
            self._tell(verdict)
        return ""

    def _alone(self, sample: Sample, variations: Variations) -> None:
        compiled = None
        for name, (tensors, value) in variations.items():
            self.report("stage", ("alone", _called(sample, name)))
            try:
                compiled = compiled or self._compile([(sample, tensors)])
                actual = compiled([[t.clone() for t in tensors]])[0]
            except wse_mlir.CompilerError as error:
                verdict = self._verdict(sample, name, word_for(str(error)), str(error))
            except Exception as error:
                verdict = self._verdict(sample, name, "crash", described(error))
            else:
                verdict = self._judged(sample, name, (tensors, value), actual)
            self._tell(verdict)
            if compiled is None:
                return

    def _compile(self, given: Sequence[tuple[Sample, list[torch.Tensor]]]) -> Any:
        with _silence():
            tensors = [[t.clone() for t in tensors] for _, tensors in given]
            model = Calls([sample for sample, _ in given])
            return wse_mlir.compile(model, (tensors,), target=self.target, cache=False)

    def _judged(
        self, sample: Sample, name: str, given: tuple[list[torch.Tensor], Any], actual: Any
    ) -> Verdict:
        tensors, expected = given
        found = difference(actual, expected, on_wafer=self.target != "cpu")
        if not found:
            return self._verdict(sample, name, "match", "")
        leaves = pytree.tree_leaves(actual), pytree.tree_leaves(expected)
        same_count = len(leaves[0]) == len(leaves[1])
        call = Call(sample, name, tensors, *leaves, tolerances(self.target))
        rule = rule_for(self.operator, call) if same_count else None
        if rule:
            return self._verdict(sample, name, "match", rule.name)
        return self._verdict(sample, name, "wrong", found)

    def _verdict(self, sample: Sample, variation: str, word: Any, detail: str) -> Verdict:
        return Verdict("torch", self.operator, _called(sample, variation), word, detail)

    def _tell(self, verdict: Verdict) -> None:
        self.judged[verdict.sample] = verdict.word
        self.report("verdict", verdict)


def _called(sample: Sample, variation: str) -> str:
    return f"{sample.name}+{variation}" if variation else sample.name


@contextmanager
def _silence() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
