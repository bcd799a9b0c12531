"""The pass `wse-share-text`: what a class's text has several times is in memory once, where memory is short."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from ....dialects.host import ir
from ....dialects.wse import build, read
from ...infra.pass_base import Pass, PassRun, option
from ...tensor.traversal import collect
from ..executable import RECORD, WORDS, mark_of
from .text_bytes import CODE_BYTES, saved_by_call, saved_by_words
from .wse_plan_memory import MemoryPlan


class ShareText(Pass, name="wse-share-text", anchor="builtin.module"):
    """Makes calls of as many routines that `wse-emit-programs` marked as programs need to fit; other marks go.

    A call costs a branch there and one back; what calls differ in, descriptors alone, they bring along in a record.

        wse.control "branch" x 0 {wse.enters = "shared_0"}           wse.control "branch" x 1 {..}
        wse.vector "add" %a, %b, %c                                  wse.vector "add" %a, %b, %c
        wse.control "branch" x 0 {wse.leaves = "shared_0"}     ->    wse.control "branch" x 1 {..}
        wse.control "branch" x 0 {wse.enters = "shared_0", ..}       wse.control "branch" x 1 {..}
        wse.vector "add" %d, %e, %f                                  wse.vector "add" %d, %e, %f
        wse.control "branch" x 0 {wse.leaves = "shared_0"}           wse.control "branch" x 1 {..}

    Where all of them are not enough, as many as are needed set what differs word by word: records are shorter, and each
    call has scalar operations, one for a word.

        wse.control "branch" x 0 {wse.enters = "shared_0",           wse.control "branch" x 1 {..}
                                  wse.words = [12, 3], ..}     ->    wse.control "scalar" x 3
    """

    always: bool = option(False, "whether all calls are made even if the program fits without")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        marks = collect(op, lambda o: bool(mark_of(o)[0]))
        if not marks:
            return
        every = {mark_of(mark)[0] for mark in marks}
        memory = MemoryPlan.of(op, ())
        routines, by_words = (every, set[str]()) if self.always else _needed(memory)
        cycles = max(
            text.call_cycles(memory.machine.control, routines, by_words) for text in memory.read.values()
        )
        run.remark(op, f"calls of what is shared take {cycles:,.0f} cycles", cycles=cycles)
        once = ir.AffineMapAttr.get(ir.AffineMap.get_constant(1))
        for mark in marks:
            name = mark_of(mark)[0]
            if name not in routines:
                mark.erase()
                continue
            mark.attributes["count"] = once
            if WORDS in mark.attributes:
                _settle(mark, is_by_words=name in by_words)
        run.count("routines", len(routines))
        run.count("routines that set words", len(by_words))


def _settle(mark: Any, *, is_by_words: bool) -> None:
    """Decides what a call brings along; the first one, which brings nothing, stands for the routine's own text."""
    if is_by_words:
        taken, words = read.integers(mark.attributes[WORDS])
        with ir.InsertionPoint.after(mark), mark.location:
            setting = build.control("scalar", ir.AffineMap.get_constant(words), [])
        if ir.IntegerAttr(mark.attributes[RECORD]).value:
            mark.attributes[RECORD] = build.i64(taken)
        else:
            setting.attributes[RECORD] = build.i64(taken - CODE_BYTES["wse.control"])
    del mark.attributes[WORDS]


def _needed(memory: MemoryPlan) -> tuple[set[str], set[str]]:
    """The fewest routines with which the program fits, and of all of them the fewest that set words.

    Those first that save most for the time that they take; all of both if none suffice.
    """
    texts = list(memory.read.values())
    order = _by_value(saved_by_call(texts))
    routines = _fewest(order, lambda names: memory.with_routines(names).fits)
    if len(routines) < len(order):
        return set(routines), set()
    order = _by_value(saved_by_words(texts))
    by_words = _fewest(order, lambda names: memory.with_routines(routines, names).fits)
    return set(routines), set(by_words)


def _by_value(saved: dict[str, float]) -> list[str]:
    return sorted(saved, key=lambda name: (-saved[name], name))


def _fewest(order: Sequence[str], fits: Callable[[Collection[str]], bool]) -> Sequence[str]:
    """The fewest first ones with which a program fits; all if none suffice."""
    too_few, enough = -1, 0 if fits(()) else len(order)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if fits(order[:middle]):
            enough = middle
        else:
            too_few = middle
    return order[:enough]
