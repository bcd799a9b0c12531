"""Delta debugging of IR: which strategies are tried in which order, and which candidates are tested."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..dialects.context import create_context
from ..dialects.host import ir
from ..dialects.nesting import check_nesting
from ..passes.infra.diagnostics import CompilerError
from .attributes import RemoveAttributes
from .constants import SimplifyConstants
from .control_flow import MergeBlocks, StraightenBranches
from .draft import Base
from .inline_regions import EmptyRegions, InlineRegions
from .linalg_operands import RemoveLinalgInputs
from .region_results import RemoveRegionResults
from .remove_bodies import RemoveBodies
from .remove_operations import PassArguments, RemoveOperations, RemoveOutermost
from .return_early import ReturnEarly
from .shapes import ShrinkShapes
from .signatures import RemoveArguments, RemoveResults
from .size import Size, size_of
from .strategy import Strategy

# What removes most comes first, and makes the rest cheap.
STRATEGIES: tuple[Strategy[Any], ...] = (
    RemoveOutermost(),
    RemoveBodies(),
    RemoveOperations(),
    ReturnEarly(),
    StraightenBranches(),
    MergeBlocks(),
    RemoveResults(),
    InlineRegions(),
    RemoveRegionResults(),
    EmptyRegions(),
    PassArguments(),
    RemoveLinalgInputs(),
    RemoveArguments(),
    SimplifyConstants(),
    RemoveAttributes(),
    ShrinkShapes(),
)


@dataclass(frozen=True)
class Progress:
    """Where a reduction stands.

    Attributes:
        text: the smallest interesting module so far.
        size: its size.
        tests: how often the predicate has been asked.
        strategy: what is being tried.
    """

    text: str
    size: Size
    tests: int
    strategy: str


@dataclass(frozen=True)
class Reduction:
    """The result of a reduction.

    Attributes:
        text: the smallest module that was found; it verifies and is interesting.
        before: size of the input.
        after: size of the result.
        tests: how often the predicate was asked.
        complete: whether no strategy finds anything more; False when `max_tests` ended it.
    """

    text: str
    before: Size
    after: Size
    tests: int
    complete: bool


class NotInteresting(CompilerError):
    """The input itself does not have the property that is to be kept."""


def reduce(
    module: str | ir.Module | ir.Operation,
    is_interesting: Callable[[str], bool],
    *,
    context: ir.Context | None = None,
    keep_locations: bool = False,
    max_tests: int | None = None,
    strategies: Sequence[Strategy[Any]] = STRATEGIES,
    observer: Callable[[Progress], None] | None = None,
) -> Reduction:
    """Finds a small module that is still interesting; the argument is left as it is.

    Every candidate verifies, and is smaller than the best one so far in the order of `Size`. The same text is
    never tested twice. Deterministic if the predicate is.

    Args:
        module: a `builtin.module`, or text in which one can be read.
        is_interesting: whether a module's text has the property to be kept.
        context: where text is read; by default a new one that knows all dialects.
        keep_locations: keep source locations in the text; they are dropped otherwise.
        max_tests: ask the predicate at most so often.
        strategies: what to try, in this order, again and again until nothing helps.
        observer: called after every test that the input has passed.

    Raises:
        NotInteresting: the predicate does not hold of the input, as it is printed.
        ir.MLIRError: the text is not valid IR.
        CompilerError: it is nested too deep to be parsed.
    """
    if isinstance(module, str):
        check_nesting(module, "<text>")
        module = ir.Module.parse(module, context or create_context())
    return _Reducer(is_interesting, keep_locations, max_tests, observer).run(module.operation, strategies)


class _TestsUsedUp(Exception):
    pass


class _Reducer:
    def __init__(
        self,
        is_interesting: Callable[[str], bool],
        keep_locations: bool,
        max_tests: int | None,
        observer: Callable[[Progress], None] | None,
    ) -> None:
        self.is_interesting = is_interesting
        self.keep_locations = keep_locations
        self.max_tests = max_tests
        self.observer = observer
        self.answers: dict[bytes, bool] = {}  # by digest: texts may be large
        self.tests = 0
        self.strategy = ""
        self.generic = False  # whether operations' own syntax cannot be trusted to be read back
        self.context: ir.Context
        self.best: Base
        self.size: Size

    def run(self, module: ir.Operation, strategies: Sequence[Strategy[Any]]) -> Reduction:
        module.verify()
        self.context = module.context
        if self._parse(self._print(module)) is None:
            self.generic = True
        self.best = Base(module, self._print(module))
        self.size = before = size_of(module, self.best.text)
        complete = False
        try:
            if not self._ask(self.best.text):
                raise NotInteresting("the input is not interesting", hint="the predicate must hold of it")
            self._report()
            before_round: Base | None = None
            while self.best is not before_round:
                before_round = self.best
                for strategy in strategies:
                    self._shrink(strategy)
            complete = True
        except _TestsUsedUp:
            pass
        return Reduction(self.best.text, before, self.size, self.tests, complete)

    def _shrink(self, strategy: Strategy[Any]) -> None:
        """Tries groups of targets, all of them first, then half as many, single ones in the end."""
        self.strategy = strategy.name
        if not strategy.grouped:
            return self._try_each(strategy)
        count = len(strategy.targets(self.best))
        while count:
            self._sweep(strategy, count)
            count //= 2

    def _sweep(self, strategy: Strategy[Any], count: int) -> None:
        """Tries every group of `count` neighbours on top of those that have succeeded."""
        base = self.best
        targets = strategy.targets(base)
        taken: list[Any] = []
        for start in range(0, len(targets), count):
            chosen = [*taken, *targets[start : start + count]]
            candidate = strategy.candidate(base, chosen)
            if candidate is not None and self._accept(candidate):
                taken = chosen

    def _try_each(self, strategy: Strategy[Any]) -> None:
        """Tries every target, going on with those of the smaller module after each success."""
        targets = strategy.targets(self.best)
        position = 0
        while position < len(targets):
            candidate = strategy.candidate(self.best, [targets[position]])
            if candidate is not None and self._accept(candidate):
                targets = strategy.targets(self.best)
            else:
                position += 1

    def _accept(self, candidate: ir.Operation | str) -> bool:
        """Whether the candidate is valid, smaller and interesting: then it is the best one."""
        module = self._parse(candidate) if isinstance(candidate, str) else candidate
        if module is None or not _verifies(module):
            return False
        text = self._print(module)
        size = size_of(module, text)
        if size >= self.size:
            return False
        tests = self.tests
        # What is kept is what the text says: there is valid IR whose text cannot be read.
        kept = self._parse(text) if self._ask(text) else None
        if kept is not None:
            self.best, self.size = Base(kept, text), size
        if self.tests > tests:
            self._report()
        return kept is not None

    def _ask(self, text: str) -> bool:
        key = hashlib.sha256(text.encode()).digest()
        if key not in self.answers:
            if self.tests == self.max_tests:
                raise _TestsUsedUp
            self.tests += 1
            self.answers[key] = self.is_interesting(text)
        return self.answers[key]

    def _report(self) -> None:
        if self.observer is not None:
            self.observer(Progress(self.best.text, self.size, self.tests, self.strategy))

    def _print(self, module: ir.Operation) -> str:
        text = module.get_asm(enable_debug_info=self.keep_locations, print_generic_op_form=self.generic)
        assert isinstance(text, str)
        return text if text.endswith("\n") else text + "\n"

    def _parse(self, text: str) -> ir.Operation | None:
        """The module that the text says, or None when it is not valid."""
        try:
            return ir.Module.parse(text, self.context).operation
        except Exception:  # see _verifies
            return None


def _verifies(module: ir.Operation) -> bool:
    try:
        return bool(module.verify())
    except Exception:  # MLIR's, or of a verifier in Python that did not expect such an operation
        return False
