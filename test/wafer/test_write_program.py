"""A program of the image written as IR and read back is the same program."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fabric_programs import access, chain_reduce, ints, rect, two_phase_reduce
from random_programs import features, random_program
from same_programs import difference

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.dialects.wse.printer import print_program
from wse_mlir.passes.wafer.emit.write.program import program_module
from wse_mlir.passes.wafer.executable import bodies as bodies_of
from wse_mlir.passes.wafer.executable import instructions, symbols
from wse_mlir.runtime.wafer.image_builder import build_image
from wse_mlir.wse_target.errors import CompilerError, TargetError
from wse_mlir.wse_target.image import PEClass, Program, StridedRect
from wse_mlir.wse_target.instructions import (
    Buffer,
    Choose,
    Control,
    Loop,
    Send,
    Source,
    Switch,
    Vector,
    all_instructions,
)
from wse_mlir.wse_target.quasi_affine import Expr, Lookup, Var, binary, const, maximum, minimum

X, Y = Var("x"), Var("y")
KINDS = (
    "Vector fma",
    "Send",
    "Receive",
    "Relay",
    "Join",
    "Control task",
    "Switch",
    "Switch rewrite",
    "Loop",
    "unpacked",
    "tasks",
    "indirect",
)


@pytest.fixture
def context() -> Iterator[ir.Context]:
    with create_context() as context:
        yield context


def there_and_back(program: Program) -> Program:
    module = program_module(program, "tiny")
    assert module.operation.verify()
    text = str(module.operation.get_asm(enable_debug_info=True))
    return build_image(ir.Module.parse(text).operation)


def with_body(program: Program, *body) -> Program:
    first = program.classes[0]
    return replace(program, classes=(PEClass(first.name, first.where, body), *program.classes[1:]))


def test_random_programs(context: ir.Context) -> None:
    seen: Counter[str] = Counter()
    for seed in (*range(12), 20):
        case = random_program(seed)
        assert difference(case.program, there_and_back(case.program)) == ""
        seen += features(case)
    assert {*KINDS} <= set(seen), "the random programs hold every kind of instruction"
    assert case.program.scalars


def test_choices(context: ir.Context) -> None:
    """Of what all PEs run with the classes' own texts as cases, some of them in a loop."""
    for seed in range(4):
        program = random_program(seed).program
        cases = tuple(pe_class.body for pe_class in program.classes)
        role = Lookup("roles", tuple(range(len(cases))), minimum(X * 2 + Y, len(cases) - 1))
        choose = Choose(role, cases)
        chosen = with_body(program, choose, Loop("again", const(2), (choose,)))
        assert difference(chosen, there_and_back(chosen)) == ""


@pytest.mark.parametrize("program", [chain_reduce(9, 5), two_phase_reduce(9, 3, 3)], ids=lambda p: p.name)
def test_programs_written_by_hand(context: ir.Context, program: Program) -> None:
    assert difference(program, there_and_back(program)) == ""


def test_sources_code_bytes_queues_and_settings_survive(context: ir.Context) -> None:
    program = replace(
        chain_reduce(4, 5), code_bytes={"root": 120}, queues={"odd": (3, 2)}, positions={"even": -1}
    )
    again = there_and_back(program)
    assert again.classes[0].body[0].source == Source("model.sum", "model.py:7", "aten.sum")  # type: ignore[union-attr]
    assert (again.code_bytes, again.queues, again.positions) == (
        {"root": 120},
        {"odd": (3, 2)},
        {"even": -1},
    )


TABLE = Lookup("order", (3, 0, 2, 1), X)
EXPRESSIONS: tuple[Expr, ...] = (
    minimum(X, Y) + maximum(X * 2, minimum(3, Y)) * 5,
    (X + Y * 3) // 4 - X % 3,
    binary("ceildiv", maximum(X - 2, 0), 3),
    Lookup("order", (3, 0, 2, 1), (X + Y) % 4) * 2 + TABLE,
    minimum(Lookup("order", (3, 0, 2, 1), minimum(TABLE, 1)), 7),
    minimum(3, const(9) - X * 2) * (TABLE // 2 % 2) + X * Y,
)


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
def test_expressions_everywhere(context: ir.Context, expression: Expr) -> None:
    program = chain_reduce(4, 5, height=3)
    i = Var("i")
    walk = Vector("copy", (expression, minimum(expression, i)), access("r", 2, 1, offset=expression + i),
                  (access("a", 0, 1, offset=expression),))  # fmt: skip
    body = (
        Control("scalar", expression),
        Switch("odd", expression % 2, rewrite=True),
        Loop("i", expression, (walk,)),
    )
    transfer = replace(program.scatters[0], origin=(expression, *program.scatters[0].origin[1:]))
    changed = replace(with_body(program, *body), scatters=(transfer,))
    again = there_and_back(changed)
    assert difference(changed, again) == ""
    shifted = replace(transfer, origin=(expression + 1, *transfer.origin[1:]))
    assert difference(replace(changed, scatters=(shifted,)), again), "the comparison sees expressions"


def test_a_walk_over_rows_is_written_as_one(context: ir.Context) -> None:
    program = chain_reduce(4, 24)
    matrix = replace(program.buffers["r"], shape=(4, 6))
    program = replace(program, buffers={**program.buffers, "r": matrix})
    walk = Vector("fill", ints(3, 2), access("r", 6, 1, offset=X * 6 + 2), (0.0,))
    text = str(program_module(with_body(program, walk), "tiny"))
    assert "affine_map<(d0, d1)[s0, s1] -> (d0 + s0, d1 + 2)>" in text


def test_what_is_not_quasi_affine_is_refused(context: ir.Context) -> None:
    program = chain_reduce(4, 5)
    with pytest.raises(CompilerError, match=r"'\(x mod y\)' has a divisor that is no constant"):
        program_module(with_body(program, Control("task", X % Y)), "tiny")
    with pytest.raises(CompilerError, match="'k' is neither a coordinate nor the variable"):
        program_module(with_body(program, Control("task", Var("k"))), "tiny")
    tables = Control("task", TABLE), Control("task", Lookup("order", (1, 2), X))
    with pytest.raises(TargetError, match="two tables are called 'order'"):
        program_module(with_body(program, *tables), "tiny")


def test_classes_on_strided_rectangles(context: ir.Context) -> None:
    program = chain_reduce(9, 5)
    again = there_and_back(program)
    assert [c.where for c in again.classes] == [c.where for c in program.classes]
    assert rect(2, 0, 3, 1, 2) in [c.where for c in again.classes]
    assert isinstance(again.classes[1].body[1], Send) and again.grid == (9, 1)
    assert StridedRect((8, 0), (1, 1)) == again.classes[1].where


def test_what_texts_have_in_common_is_written_once(context: ir.Context) -> None:
    """Runs of instructions of several classes, some of them inside of a loop that differs otherwise."""
    program = random_program(3).program
    shared = tuple(Vector("add", ints(4), access("p", 1), (access("p", 1), float(k))) for k in range(9))
    moving = tuple(replace(op, bounds=(Var("layer") + k,)) for k, op in enumerate(shared))
    program = replace(program, buffers={**program.buffers, "p": Buffer("p", 0, (16,), "f32")})
    bodies = [
        (*shared, Control("scalar", const(k)), Loop("layer", const(3), (*moving, Control("task", const(k)))))
        for k, _ in enumerate(program.classes)
    ]
    classes = tuple(
        replace(c, body=(*body, *c.body)) for c, body in zip(program.classes, bodies, strict=True)
    )
    program = replace(program, classes=classes)
    assert len(classes) > 2
    module = program_module(program, "tiny")
    routines = [f for f in symbols(module.operation, "func.func") if f.name.value.startswith("routine_")]
    assert {len(f.type.inputs) for f in routines} == {2, 3}
    assert difference(program, there_and_back(program)) == ""
    for (_, function), pe_class in zip(bodies_of(module.operation), classes, strict=True):
        kinds = [op.operation.name for op in instructions(function.body.blocks[0])]
        expected = [op for op in all_instructions(pe_class.body) if isinstance(op, Vector)]
        assert kinds.count("wse.vector") == len(expected)
    assert print_program(module).count("add p[i] = p[i], 1.0") == 2
