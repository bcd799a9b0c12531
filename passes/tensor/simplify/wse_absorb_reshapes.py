"""`wse-absorb-reshapes`: copies that only move elements become part of how their neighbours read and write."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ....dialects.host import ir
from ....dialects.structured import Structured, names_loops, structured
from ...infra.pass_base import Pass, PassRun, option
from ..effects import is_dead
from ..traversal import tensor_blocks
from .reshapes.quotients import defer_quotient
from .reshapes.reads import absorb_copied_copies, absorb_reads, absorb_split_reads
from .reshapes.writes import absorb_write, delay_broadcast, drop_plain_copy

# In this order: what a copy can be written as by its producer needs no iterators split in its readers.
_REWRITES = (
    delay_broadcast,
    drop_plain_copy,
    absorb_write,
    absorb_reads,
    defer_quotient,
    absorb_write,
    absorb_split_reads,
    absorb_copied_copies,
    drop_plain_copy,
)
_READS = (absorb_reads, absorb_split_reads, absorb_copied_copies)


class AbsorbReshapes(Pass, name="wse-absorb-reshapes", anchor="func.func"):
    """Lets operations read and write past copies, however these are reshaped and sliced in between.

    * An operand that was transposed, repeated, sliced and reshaped is read from what it was made of, through a view
      (reshapes of whole dimensions and slices, which cost nothing) and a map. Iterators are split where it takes that;
      a contraction's columns are not. Heads that several others share are read by a map such as `h floordiv 4`,
      or, with plain maps, in two loops: over groups, and over the heads of a group.
    * A contraction's batch is split into the dimensions that its operands were made of.
    * An operation whose result is only permuted writes it permuted.
    * A widening cast of a contraction's operand moves into its body.
    * Rows of an operand that a softmax divides by their sums are divided after the product. Its numerators are at most
      one; they are made so small that the product overflows nowhere else than before. No other factor or divisor of an
      operand becomes one of the result, which could then be infinite where it was not.
    * An elementwise operation that computes the same values several times computes them once; a copy repeats them.

        %t = linalg.generic {maps = [(h, l, d) -> (l, h, d), (h, l, d) -> (h, l, d)]} ins(%x) outs(%e) { yield }
        %r = linalg.generic {maps = [(h, q, k, d) -> (h, q, d), (h, q, k, d) -> (h, k, d), (h, q, k, d) -> (h, q, k)]}
               ins(%q, %t) outs(%z) { mulf, addf }
    becomes
        %r = linalg.generic {maps = [(h, q, k, d) -> (h, q, d), (h, q, k, d) -> (k, h, d), (h, q, k, d) -> (h, q, k)]}
               ins(%q, %x) outs(%z) { mulf, addf }
    """

    plain_maps: bool = option(
        False,
        "read by maps of iterators and constants alone: what takes a quotient stays a copy, but for heads",
    )

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for block in tensor_blocks(op):
            for rewrite in _REWRITES:
                if rewrite in _READS:
                    rewrite = partial(rewrite, plain=self.plain_maps)
                _apply(rewrite, block, run)
                _erase_dead(block)


def _apply(rewrite: Callable[[Structured, PassRun], bool], block: ir.Block, run: PassRun) -> None:
    """Tries a rewrite on every generic, producers first; it may erase what comes before and the operation itself."""
    for op in list(block.operations):
        view = structured(op)
        if view is not None and len(view.op.results) and not names_loops(op):
            rewrite(view, run)


def _erase_dead(block: ir.Block) -> None:
    for op in reversed(list(block.operations)):
        if is_dead(op.operation):
            op.operation.erase()
