"""Versions of values live until their own last readers, and those of aliases keep what they are made of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.wafer.communicate import movements
from wse_mlir.passes.wafer.shard.choice.lifetimes import Lifetimes
from wse_mlir.passes.wafer.shard.nodes import Node, Option
from wse_mlir.wse_target.layout.text import parse_layout
from wse_mlir.wse_target.machine_file import load_machine

MESH = " on x:4; y:2 at (0, 0)"
ROWS, COLUMNS = (
    parse_layout(f"[{dims}]{MESH}", (8, 8)) for dims in ("y:2/4, -", "-, x:4/2")
)  # 128 and 64 bytes


def node(operands: list[Any], results: list[Any], needs: list[Any], gives: list[Any]) -> tuple[Node, Option]:
    op: Any = SimpleNamespace(operands=operands, results=results)
    return Node(op), Option(None, tuple(needs), tuple(gives))


def test_a_version_lives_until_its_own_last_reader() -> None:
    with create_context():
        text = "func.func @f(%a: tensor<8x8xf32>, %b: tensor<8x8xf32>, %c: tensor<8x8xf32>) { return }"
        module = ir.Module.parse(text)
        a, b, c = module.body.operations[0].arguments
        way = movements(ROWS, COLUMNS, "f32", load_machine("tiny"))[0]
        made, moved = node([], [a], [], [ROWS]), node([a], [b], [COLUMNS], [COLUMNS])
        again, last = node([a], [c], [COLUMNS], [ROWS]), node([c], [], [ROWS], [])

        lives = Lifetimes(frozenset(), frozenset())
        for at, (step, moves) in enumerate([(made, {}), (moved, {0: way}), (again, {}), (last, {})]):
            lives.add(at, *step, moves)
        assert lives.spans[a, ROWS] == (0, 1) and lives.spans[a, COLUMNS] == (1, 2)
        assert lives.most([0] * 4, [0] * 4) == 128 + 64 + 64  # while it moves, and with what is made of it
        assert lives.most([0, 0, 0, 500], [0] * 4) == 128 + 500
        assert lives.most([0] * 4, [0, 40, 0, 0]) == 256 + 40

        aliased = Lifetimes(frozenset(), frozenset({b}))
        for at, step in enumerate(
            [made, node([a], [b], [ROWS], [ROWS]), node([], [c], [], [ROWS]), node([b], [], [ROWS], [])]
        ):
            aliased.add(at, *step, {})
        assert aliased.spans == {(a, ROWS): (0, 3), (c, ROWS): (2, 2)}
        assert Lifetimes(frozenset({a}), frozenset()).most([], []) == 0


def test_parts_that_later_readers_want_are_copied_out_when_nobody_else_reads_the_whole() -> None:
    with create_context():
        text = "func.func @f(%a: tensor<8x8xf32>, %b: tensor<8x8xf32>, %c: tensor<8x8xf32>) { return }"
        module = ir.Module.parse(text)
        a, b, c = module.body.operations[0].arguments
        machine = load_machine("tiny")
        whole, across = (parse_layout(f"[{dims}]{MESH}", (8, 8)) for dims in ("-, -", "-, y:2/4"))
        rows, columns = (movements(whole, part, "f32", machine)[0] for part in (ROWS, across))
        made, read = node([], [a], [], [whole]), node([a], [b], [whole], [COLUMNS])
        other, part = node([], [c], [], [COLUMNS]), node([a], [], [ROWS], [])

        def lives(*steps: tuple[tuple[Node, Option], dict[int, Any]]) -> Lifetimes:
            found = Lifetimes(frozenset(), frozenset())
            for at, (step, moves) in enumerate(steps):
                found.add(at, *step, moves)
            found.settle()
            return found

        early = lives((made, {}), (read, {}), (other, {}), (part, {0: rows}))
        assert (early.spans[a, whole], early.spans[a, ROWS]) == ((0, 1), (1, 3))
        assert early.early == {2: [(3, 0)]}

        later = lives((made, {}), (part, {0: rows}), (other, {}), (read, {}))
        assert later.spans[a, whole] == (0, 3) and not later.early

        halves = node([a], [], [ROWS], []), node([a], [], [across], [])  # as large as the whole together
        kept = lives((made, {}), (other, {}), (halves[0], {0: rows}), (halves[1], {0: columns}))
        assert kept.spans[a, whole] == (0, 3) and not kept.early


def test_what_is_left_of_a_way_begins_with_the_part_that_was_copied_out() -> None:
    with create_context():
        text = "func.func @f(%a: tensor<8x8x8xf32>, %b: tensor<8x8x8xf32>, %c: tensor<8x8x8xf32>) { return }"
        module = ir.Module.parse(text)
        a, b, c = module.body.operations[0].arguments
        whole, part, turned = (
            parse_layout(f"[{dims}]{MESH}", (8, 8, 8))
            for dims in ("-, -, x:4/2", "y:2/4, -, x:4/2", "y:2/4, x:4/2, -")
        )
        way = movements(whole, turned, "f32", load_machine("tiny"))[0]
        assert [step.target for step in way.steps] == [part, turned]
        steps = [
            node([], [a], [], [whole]), node([a], [b], [whole], [whole]),
            node([], [c], [], [whole]), node([a], [], [turned], []),
        ]  # fmt: skip
        moves: list[Any] = [{}, {}, {}, {0: way}]
        lives = Lifetimes(frozenset(), frozenset())
        for at, (step, own) in enumerate(zip(steps, moves, strict=True)):
            lives.add(at, *step, own)
        nodes = [of for of, _ in steps]
        assert lives.moving(nodes, moves)[3] == way.peak_bytes - 256
        lives.settle()
        assert [lives.spans[a, layout] for layout in (whole, part, turned)] == [(0, 1), (1, 3), (3, 3)]
        assert lives.early == {2: [(3, 0)]}
        assert lives.moving(nodes, moves)[3] == way.peak_bytes - 256 - 256  # the part is a version of its own
