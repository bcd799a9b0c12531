"""`wse-block-attention`: attention over blocks of keys, with a running maximum and running sums."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ....dialects.affine.maps import identity_maps
from ....dialects.constants import splat_number
from ....dialects.host import arith, ir, math, scf, tensor
from ....dialects.structured import PARALLEL, build_generic
from ...infra.diagnostics import PassFailure
from ...infra.pass_base import Pass, PassRun, option
from ..effects import is_dead
from ..sizes import constant_index
from ..traversal import collect
from .attention.attention import Attention, find_attention, finds_greatest, readers_between
from .attention.key_block import KeyBlock, block_operations
from .attention.running_sums import RunningSum

KEYS = "wse.keys"  # how many keys an attention's block has at most, on one of its operations


class BlockAttention(Pass, name="wse-block-attention", anchor="func.func"):
    """Takes a softmax over keys, and the sums that it goes into, for one block of keys after the other.

    Scores and exponentials of one block are there at a time. What is known of a row is the greatest score until now,
    and sums of exponentials with regard to that one; a greater score scales the sums down. A block has every J-th key,
    so that whoever holds some of the keys has part of each block. An attribute `wse.keys` on one of the operations says
    for this attention how many keys a block has at most, 0 for all.

        %s = linalg.generic {product} ins(%q, %k : tensor<64x8xf32>, tensor<64x8xf32>) -> tensor<64x64xf32>
        %m = linalg.generic {maximum over keys} ins(%s)
        %e = linalg.generic {exp(s - m)} ins(%s, %m)
        %l = linalg.generic {sum over keys} ins(%e)
        %o = linalg.generic {product} ins(%e, %v : tensor<64x64xf32>, tensor<64x8xf32>) -> tensor<64x8xf32>
    becomes, with keys=16,
        %m, %l, %o = scf.for %j = 0 to 4 iter_args(%m0 = -inf, %l0 = 0, %o0 = 0) {
          %kj = tensor.extract_slice %k[%j, 0] [16, 8] [4, 1]
          %sj = linalg.generic {product} ins(%q, %kj) -> tensor<64x16xf32>
          %mj = linalg.generic {maximum over keys} ins(%sj)
          %m1, %r, %scale = linalg.generic { max(m0, mj), the same without infinity, exp(r0 - r) } ins(%m0, %mj)
          %ej = linalg.generic {exp(s - r)} ins(%sj, %r)
          %l1 = %l0 * %scale + sum over keys of %ej
          %o1 = %o0 * %scale + %ej * %vj
          scf.yield %m1, %l1, %o1
        }

    Rows without any score above minus infinity stay NaN where they were. Sums of half types run on in f32.
    """

    keys: int = option(0, "most keys of a block; 0: all keys at once", least=0)

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for peak in collect(op, finds_greatest):
            found = find_attention(peak)
            if found is None:
                continue
            asked = asked_keys(found)
            keys = self.keys if asked is None else asked
            scores = ir.RankedTensorType(found.powers.op.results[0].type)
            run.remark(peak, f"attention over {found.size} keys, whose scores are {scores}", keys=found.size)
            if 0 < keys < found.size:
                _Blocks(found, block_count(found.size, keys)).write()
                run.count("attentions in blocks")


def block_count(size: int, keys: int) -> int:
    """How many blocks of at most so many keys there are: one that divides `size`, if that takes no more than twice as
    many as are needed, so that all are equal."""
    fewest = -(-size // keys)
    return next((n for n in range(fewest, min(2 * fewest, size) + 1) if size % n == 0), fewest)


def asked_keys(found: Attention) -> int | None:
    """How many keys an attention asks for by its attribute; None where it has none.

    Raises:
        PassFailure: that is no number of keys.
    """
    given = [
        (op, op.operation.attributes[KEYS]) for op in found.operations if KEYS in op.operation.attributes
    ]
    if not given:
        return None
    op, number = given[0]
    if not isinstance(number, ir.IntegerAttr) or number.value < 0:
        raise PassFailure(
            op, f"{KEYS} = {number} is no number of keys", hint=f"e.g. {KEYS} = 64 : i64, 0 for all"
        )
    return number.value


@dataclass(frozen=True)
class _State:
    """What is known of rows: their greatest score, and what sums over the keys have come to."""

    peak: ir.Value
    sums: Sequence[ir.Value]


class _Blocks:
    """Writes an attention as a loop over `count` blocks in place of its last sum."""

    def __init__(self, found: Attention, count: int) -> None:
        self.found, self.count = found, count
        self.chosen = block_operations(found)
        self.sums = [RunningSum(total) for total in found.sums]
        self.rows = ir.RankedTensorType(found.peak.op.results[0].type)
        self.guard = _least(self.rows.element_type) if found.guard is None else found.guard

    def write(self) -> None:
        """Replaces what the attention makes, and erases it."""
        found, last = self.found, self.found.sums[-1].view.op
        waiting = list(readers_between(found))
        with found.peak.op.location, ir.InsertionPoint(last):
            state = _State(splat_number(self.rows, float("-inf")), [running.start() for running in self.sums])
            size, longer = divmod(found.size, self.count)
            for first, stop, keys in ((0, longer, size + 1), (longer, self.count, size)):
                state = self._loop(state, first, stop, keys) if stop > first else state
            empty = self._not_a_number(state.peak) if found.guard is None else None
            self._replace(state, empty, scaled=False)
            for op in waiting:
                op.operation.move_before(last.operation)
            self._replace(state, empty, scaled=True)
        self._erase()

    def _replace(self, state: _State, empty: ir.Value | None, *, scaled: bool) -> None:
        """Lets readers of sums, those whose rows are scaled or the others, read what the loop has come to."""
        for running, value in zip(self.sums, state.sums, strict=True):
            if (running.total.factors is not None) == scaled:
                running.total.result.replace_all_uses_with(running.finished(value, empty))

    def _loop(self, state: _State, first: int, stop: int, keys: int) -> _State:
        """The state after blocks of so many keys."""
        lower, upper, step = map(constant_index, (first, stop, 1))
        loop = scf.ForOp(lower, upper, step, [state.peak, *state.sums])
        with ir.InsertionPoint(loop.body):
            peak, *sums = loop.inner_iter_args
            block = KeyBlock(self.chosen, loop.induction_variable, self.count, keys)
            after = self._step(block, _State(peak, sums))
            scf.YieldOp([after.peak, *after.sums])
        peak, *sums = loop.results
        return _State(peak, sums)

    def _step(self, block: KeyBlock, state: _State) -> _State:
        found = self.found
        among = block.clone(found.peak, found.peak_key, {})
        peak, reference, scale = self._raised(state.peak, among)
        powers = block.clone(found.powers, found.powers_key, {found.peak_position: reference})
        sums = [
            running.updated(before, scale, running.of_block(block, powers))
            for running, before in zip(self.sums, state.sums, strict=True)
        ]
        return _State(peak, sums)

    def _raised(self, peak: ir.Value, among: ir.Value) -> list[ir.Value]:
        """The greatest score with those of a block, what powers are taken with regard to, and what scales sums so far.

        That is never minus infinity: a row without scores until now is no difference of infinities.
        """
        element = self.rows.element_type

        def body(before: ir.Value, given: ir.Value, *_: ir.Value) -> list[ir.Value]:
            guard = arith.constant(element, self.guard)
            after = arith.maximumf(before, given)
            reference = arith.maximumf(after, guard)
            return [after, reference, math.exp(arith.subf(arith.maximumf(before, guard), reference))]

        inits = [tensor.empty(list(self.rows.shape), element)] * 3
        maps = identity_maps(self.rows.rank, 5)
        return list(build_generic([peak, among], inits, maps, [PARALLEL] * self.rows.rank, body).results)

    def _not_a_number(self, peak: ir.Value) -> ir.Value:
        """NaN for each row whose greatest score is infinite, else 0."""
        init = tensor.empty(list(self.rows.shape), self.rows.element_type)
        maps = identity_maps(self.rows.rank, 2)
        iterators = [PARALLEL] * self.rows.rank
        return build_generic([peak], [init], maps, iterators, lambda x, _: [arith.subf(x, x)]).results[0]

    def _erase(self) -> None:
        """Erases what nobody reads any more."""
        mine = {op.operation for op in self.found.operations} | self.chosen
        for op in reversed(list(self.found.peak.op.operation.block.operations)):
            if op.operation in mine and is_dead(op.operation):
                op.operation.erase()


def _least(element: ir.Type) -> float:
    """The least finite number of a type."""
    return {"f16": -65504.0, "bf16": -(2.0**127) * (2 - 2.0**-7), "f32": -(2.0**127) * (2 - 2.0**-23)}.get(
        str(element), -sys.float_info.max
    )
