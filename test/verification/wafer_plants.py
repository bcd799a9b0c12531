"""Faults planted inside of the wafer's passes, see `plants`."""

import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from plants import SQUARE, Monkey, Plant, normal

from wse_mlir.dialects.host import arith, ir
from wse_mlir.passes.tensor.algebra import wse_invert_divisors
from wse_mlir.passes.tensor.loops.attention.running_sums import RunningSum
from wse_mlir.passes.wafer.algorithms.fragment import Fragment
from wse_mlir.passes.wafer.emit import collectives as emit_collectives
from wse_mlir.passes.wafer.emit import tiles as emit_tiles
from wse_mlir.passes.wafer.emit import wse_emit_programs
from wse_mlir.passes.wafer.memory import wse_plan_memory, wse_share_text
from wse_mlir.passes.wafer.place import wse_place
from wse_mlir.passes.wafer.prepare import (
    wse_bind_tables,
    wse_block_scans,
    wse_compose_functions,
    wse_generalize_writes,
    wse_lift_numbers,
    wse_own_tables,
    wse_return_checks,
    wse_separate_extremes,
    wse_separate_reads,
)
from wse_mlir.passes.wafer.route import wse_route
from wse_mlir.passes.wafer.shard import wse_partition
from wse_mlir.pipelines import named
from wse_mlir.wse_target.quasi_affine import Var, const


def _lift_numbers(monkey: Monkey) -> None:
    """Differences of numbers take their operands the other way around."""
    clone = wse_lift_numbers.clone_into

    def turned(operations: Any, mapping: Any) -> Any:
        if [op.name for op in operations] == ["arith.subf"]:
            mapping = dict(zip(mapping, reversed(mapping.values()), strict=True))
        return clone(operations, mapping)

    monkey.setattr(wse_lift_numbers, "clone_into", turned)


def _invert(monkey: Monkey) -> None:
    """Quotients by constants become products by the constants."""
    monkey.setattr(wse_invert_divisors, "_multiply_by_constant", _multiply)


def _multiply(view: Any, division: Any, divisor: float) -> bool:
    with division.location, ir.InsertionPoint(division):
        wse_invert_divisors._replace(division, arith.mulf(division.lhs, division.rhs))
    return True


def _block_attention(monkey: Monkey) -> None:
    """Blocks before the last one are forgotten; the pass is made to cut what would fit as it is."""
    monkey.setattr(RunningSum, "updated", lambda self, before, scale, of_block: of_block)
    wafer = named.named_pipeline("wafer").given({"wse-block-attention"}, keys=4)
    monkey.setitem(named.NAMED_PIPELINES, "wafer", wafer)


def _compose(monkey: Monkey) -> None:
    """A hyperbolic cosine is a hyperbolic sine."""
    composed = wse_compose_functions._COMPOSED
    monkey.setitem(composed, "cosh", composed["sinh"])


def _generalize_writes(monkey: Monkey) -> None:
    """All elements are written but those that are hit."""
    select = arith.select
    body = wse_generalize_writes._Generalizer._body

    def missed(self: Any, *arguments: ir.Value) -> list[ir.Value]:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(wse_generalize_writes.arith, "select", lambda hit, new, old: select(hit, old, new))
            return body(self, *arguments)

    monkey.setattr(wse_generalize_writes._Generalizer, "_body", missed)


def _bind_tables(monkey: Monkey) -> None:
    """Tables are read where their operands' maps say, whatever the indices."""
    monkey.setattr(wse_bind_tables, "is_plain", lambda view, place, dim, index: True)


def _separate_reads(monkey: Monkey) -> None:
    """What was read takes the place of another operand, and that its own."""
    rebuild = wse_separate_reads.rebuild_generic

    def swapped(view: Any, inputs: Any, **rest: Any) -> Any:
        other = next(k for k, value in enumerate(inputs) if value.type == inputs[-1].type)
        inputs[other], inputs[-1] = inputs[-1], inputs[other]
        return rebuild(view, inputs, **rest)

    monkey.setattr(wse_separate_reads, "_LARGE", 0)
    monkey.setattr(wse_separate_reads, "rebuild_generic", swapped)


def _own_tables(monkey: Monkey) -> None:
    """Whoever has not the place of a table adds one."""
    monkey.setattr(wse_own_tables, "_neutral", lambda element: ir.FloatAttr.get(element, 1.0))


def _block_scans(monkey: Monkey) -> None:
    """What is added to a block has the block's own sum in it."""
    steps = wse_block_scans.steps
    monkey.setattr(wse_block_scans, "steps", lambda *scan, exclusive=False: steps(*scan))


def _separate_extremes(monkey: Monkey) -> None:
    """Places are told along the other dimension."""
    search = wse_separate_extremes._search

    def beside(view: Any) -> Any:
        found = search(view)
        return found and replace(found, loop=1 - found.loop)

    monkey.setattr(wse_separate_extremes, "_search", beside)


def _return_checks(monkey: Monkey) -> None:
    """What tells of divisors comes in front of the model's results."""
    create = ir.Operation.create

    def first(name: str, operands: Any) -> ir.Operation:
        return create(name, operands=[*operands[1:], operands[0]])

    returned = wse_return_checks._return

    def in_front(*args: Any) -> None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(wse_return_checks.ir.Operation, "create", first)
            returned(*args)

    monkey.setattr(wse_return_checks, "_return", in_front)


def _partition(monkey: Monkey) -> None:
    """Parts of a sum are never added up."""
    monkey.setattr(wse_partition._Rewriter, "reduce", _remember)


def _remember(rewriter: Any, op: Any, chosen: Any) -> None:
    for result, axes in zip(op.results, chosen.gives, strict=True):
        rewriter.versions[result] = {axes: result}


def _move(monkey: Monkey) -> None:
    """A movement between layouts moves nothing."""
    monkey.setattr(emit_collectives, "emit_steps", lambda *args: [Fragment(())])


def _place(monkey: Monkey) -> None:
    """What comes from the host is spread over the other axis."""
    moved = wse_place._moved
    other = {"x": "y", "y": "x"}
    done: list[ir.Attribute] = []

    def misplaced(attribute: ir.Attribute, rect: Any) -> ir.Attribute:
        found = moved(attribute, rect)
        done.append(attribute)
        if len(done) > 1:
            return found
        dims, mesh = ir.StringAttr(wse_place.LayoutAttr(found).params[0]).value.split(" on ")
        extents = {"x": rect.w, "y": rect.h}

        def swapped(digit: re.Match[str]) -> str:
            axis = other[digit[1]]
            return f"{axis}:{extents[axis]}/{-(-int(digit[2]) * int(digit[3]) // extents[axis])}"

        dims = re.sub(r"([xy]):(\d+)/(\d+)", swapped, dims)
        return wse_place.LayoutAttr.get(ir.StringAttr.get(f"{dims} on {mesh}"))

    monkey.setattr(wse_place, "_moved", misplaced)


def _emit(monkey: Monkey) -> None:
    """Results are taken from the rows of PEs in the opposite order."""
    origin, finish = emit_tiles.LocalTile.origin, wse_emit_programs._Emitter._finish

    def reversed_rows(self: Any) -> tuple[Any, ...]:
        found = list(origin(self))
        for dim, held in enumerate(self.layout.dims):
            if held.axes == ("y",):
                found[dim] = (const(self.layout.mesh.rect.h - 1) - Var("y")) * self.shape[dim]
        return tuple(found)

    def finish_reversed(self: Any, op: Any) -> None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(emit_tiles.LocalTile, "origin", reversed_rows)
            finish(self, op)

    monkey.setattr(wse_emit_programs._Emitter, "_finish", finish_reversed)


def _route(monkey: Monkey) -> None:
    """All colours have one number."""

    def number(self: Any) -> tuple[int, int]:
        for colour in self.colours.values():
            colour.attributes["id"] = wse_route.build.i64(self.machine.usable_colours[0])
        return 0, 0

    monkey.setattr(wse_route._Router, "number", number)


def _plan_memory(monkey: Monkey) -> None:
    """Buffers that are needed at the same time share memory."""
    monkey.setattr(wse_plan_memory, "_conflicts", lambda module, buffers: {b.name: set() for b in buffers})


def _share_text(monkey: Monkey) -> None:
    """Operations go with marks of routines."""
    collect = wse_share_text.collect
    monkey.setattr(
        wse_share_text, "collect", lambda module, wanted: collect(module, lambda o: o.name == "wse.vector")
    )


def _write_row(x: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    return x.index_copy(0, place, torch.ones(1, 5))


WAFER_PLANTS = (
    Plant(
        "wse-lift-numbers", _lift_numbers, lambda x, n, m: x * (n.item() - m.item()),
        (normal(5, 6), torch.tensor(2.5), torch.tensor(0.5)), True, "linalg.generic",
    ),
    Plant("wse-invert-divisors", _invert, lambda a: a / 7, (normal(5, 6),), True, "linalg.generic"),
    Plant(
        "wse-block-attention", _block_attention, torch.nn.functional.scaled_dot_product_attention,
        (normal(5, 4), normal(8, 4, seed=1), normal(8, 3, seed=2)), True,
    ),
    Plant("wse-compose-functions", _compose, torch.cosh, (normal(5, 6),), True, "linalg.generic"),
    Plant(
        "wse-generalize-writes", _generalize_writes, _write_row, (normal(4, 5), torch.tensor([2])), True,
        "tensor.insert_slice",
    ),
    Plant(
        "wse-bind-tables", _bind_tables, lambda t, i: t[i], (normal(7, 3), torch.tensor([5, 2])), True,
        "linalg.generic",
    ),
    Plant(
        "wse-separate-reads", _separate_reads, lambda t, i, p: t[i] - p,
        (normal(7, 3), torch.tensor([5, 2]), normal(2, 3)), True, "linalg.generic",
    ),
    Plant(
        "wse-own-tables", _own_tables, lambda t, i: t[i], (normal(7, 3), torch.tensor([5, 2])), True,
        "linalg.generic",
    ),
    Plant("wse-block-scans", _block_scans, lambda a: a.cumsum(1), (normal(3, 20),), True, "linalg.generic"),
    Plant(
        "wse-separate-extremes", _separate_extremes, lambda a: a.argmax(1), (normal(4, 9),), True,
        "linalg.generic",
    ),
    Plant(
        "wse-return-checks", _return_checks, lambda a, b: (a // b).sum(),
        (torch.tensor([7, -8, 9]), torch.tensor([2, 3, -4])), True,
    ),
    Plant("wse-partition", _partition, lambda a: a.sum(1), (normal(2, 64),), True, "linalg.generic"),
    Plant(
        "wse-emit-programs", _move, lambda a: torch.softmax(a @ a.t(), 1), (normal(6, 40),), True,
        "linalg.generic",
    ),
    Plant("wse-place", _place, lambda a: a.exp(), (normal(3, 32),), True, "linalg.generic", False),
    Plant("wse-emit-programs", _emit, torch.exp, (normal(8, 8),), True, "linalg.generic"),
    Plant(
        "wse-route", _route, lambda a: torch.softmax(a @ a.t(), 1), (normal(6, 40),), True, "linalg.generic", False,
    ),
    Plant("wse-share-text", _share_text, torch.exp, (normal(8, 8),), True, "linalg.generic"),
    Plant("wse-plan-memory", _plan_memory, torch.add, SQUARE, True, "linalg.generic"),
)  # fmt: skip
