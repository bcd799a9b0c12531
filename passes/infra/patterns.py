"""Rewrite patterns written in Python, and their greedy driver.

A pattern is a function `(op, rewriter) -> bool` that returns True when it rewrote `op` and False when it
did not match (the bindings use the opposite truth value; this module is where that is turned round). It
must match completely before it creates anything: operations created in a pattern that then gives up stay
in the IR.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...dialects.host import ir, rewrite
from .diagnostics import PassFailure

Rewriter = rewrite.PatternRewriter
PatternFn = Callable[[Any, Any], bool]


@dataclass(frozen=True)
class Pattern:
    """A rewrite of one kind of operation.

    Attributes:
        root: the operation's name ("linalg.generic") or OpView class.
        rewrite: the function that matches and rewrites.
        benefit: patterns of higher benefit are tried first.
    """

    root: str | type
    rewrite: PatternFn
    benefit: int = 1

    @property
    def label(self) -> str:
        return getattr(self.rewrite, "__name__", "pattern")


class _Log:
    """What callbacks leave behind. They must not refer to the set: the native set refers to them, and nobody would see
    the circle and free it."""

    def __init__(self) -> None:
        self.applications: Counter[str] = Counter()
        self.error: Exception | None = None


def _callback(pattern: Pattern, log: _Log) -> Callable[[Any, Any], bool]:
    def run(op: Any, rewriter: Any) -> bool:
        if log.error is not None:
            return True
        try:
            with op.location, rewriter.ip:
                matched = pattern.rewrite(op, rewriter)
        except Exception as error:  # re-raised after the native driver has returned
            log.error = error
            return True
        if matched:
            log.applications[pattern.label] += 1
        return not matched

    return run


class PatternSet:
    """Owns patterns for as long as they run and counts how often each applies.

    The bindings do not keep Python callables alive, hence the object must outlive `apply`.
    """

    def __init__(self, *patterns: Pattern) -> None:
        self._log = _Log()
        self._callbacks = [_callback(p, self._log) for p in patterns]
        self._set = rewrite.RewritePatternSet()
        for pattern, callback in zip(patterns, self._callbacks, strict=True):
            self._set.add(pattern.root, callback, pattern.benefit)
        self._frozen = self._set.freeze()

    @property
    def applications(self) -> Counter[str]:
        """How often each pattern applied so far."""
        return self._log.applications

    def apply(self, op: ir.Operation) -> Counter[str]:
        """Applies the patterns and folds until nothing changes; returns how often each pattern applied.

        Raises:
            PassFailure: no fixed point was reached; names the busiest pattern.
        """
        try:
            rewrite.apply_patterns_and_fold_greedily(op, self._frozen)
        except RuntimeError as error:
            if self._log.error is None:
                busiest = self.applications.most_common(1)
                name = busiest[0][0] if busiest else "folding"
                raise PassFailure(op, f"patterns did not converge; the busiest is '{name}'") from error
        if self._log.error is not None:
            raise self._log.error
        return self.applications
