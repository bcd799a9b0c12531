"""Gathers, scatters and what is accumulated by index: values, errors, and cycles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fabric_programs import X, access, chain_reduce, ints
from hypothesis import given, settings
from hypothesis import strategies as st
from indirect_operations import (
    NUMBER_TYPES,
    SIZE,
    TINY,
    WIDTH,
    contents_of,
    operations,
    program_of,
    reference,
    run,
)

from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.image import HostTransfer, PEClass, Program, Route, StridedRect, TensorSpec
from wse_mlir.wse_target.instructions import Access, Buffer, Dtype, Index, Send, Vector
from wse_mlir.wse_target.quasi_affine import const
from wse_mlir.wse_target.sim import Simulation

DTYPES: dict[str, Dtype] = {"p": "f32", "q": "f32", "n": "i32"}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    operations(),
    st.sampled_from(["f32", "f16", "i16"]),
    st.sampled_from(NUMBER_TYPES),
    st.sampled_from(["flow", "wavelet"]),
    st.integers(0, 2**32 - 1),
)
def test_agrees_with_one_element_at_a_time(
    op: Vector, dtype: Dtype, numbers: Dtype, engine: Any, seed: int
) -> None:
    dtypes: dict[str, Dtype] = {"p": dtype, "q": dtype, "n": numbers}
    contents = contents_of(seed, dtypes)
    with np.errstate(all="ignore"):
        expected = reference(op, contents)
    got = run(op, contents, dtypes, engine=engine)
    for name in "pqn":
        assert got[name].tobytes() == expected[name].tobytes(), (op, name)


def rows(size: int, *, origin: int = 0, partial: bool = True) -> Index:
    """Numbers that say rows of 6 elements; one number for each trip of the outer of two loops."""
    return Index(access("n", 1, 0), 6, const(size), const(origin), partial=partial)


def moved(buffer: str, index: Index, *strides: int) -> Access:
    return Access(buffer, const(0), strides, (index,))


GATHER = Vector("copy", ints(4, 6), access("q", 6, 1), (moved("p", rows(4), 0, 1),))


def test_of_equal_places_the_last_one_written_stays() -> None:
    contents = contents_of(0, DTYPES)
    contents["n"][:, :4] = [2, 0, 2, 2]
    op = Vector("copy", ints(4, 6), moved("q", rows(4), 0, 1), (access("p", 6, 1),))
    got = run(op, contents, DTYPES)["q"]
    np.testing.assert_array_equal(got[:, 12:18], contents["p"][:, 18:24])
    np.testing.assert_array_equal(got[:, :6], contents["p"][:, 6:12])
    np.testing.assert_array_equal(got[:, 18:], contents["q"][:, 18:])


def test_owners_contribute_their_rows_and_others_nothing() -> None:
    """Four rows a PE: what the PEs gather adds up to the gather from all of them."""
    contents = contents_of(1, DTYPES)
    contents["n"][:, :4] = [11, 0, 5, 7]
    contents["q"][:] = 0
    op = replace(GATHER, srcs=(moved("p", replace(rows(4), origin=X * 4), 0, 1),))
    got = run(op, contents, DTYPES)["q"].sum(axis=0)[:24].reshape(4, 6)
    table = contents["p"][:, :24].reshape(12, 6)
    np.testing.assert_array_equal(got, table[[11, 0, 5, 7]])


def test_a_position_that_the_pe_does_not_have_is_an_error_unless_it_is_another_ones() -> None:
    op = replace(GATHER, srcs=(moved("p", rows(4, origin=2, partial=False), 0, 1),))
    contents = contents_of(2, DTYPES)
    contents["n"][:, :4] = [2, 3, 4, 5]
    run(op, contents, DTYPES)
    contents["n"][1, 2] = 6
    message = r"PE \(1, 0\): buffer 'p' is accessed at position 6, as 'n' says; the PE has positions 2 to 5"
    for engine in ("flow", "wavelet"):
        with pytest.raises(TargetError, match=message):
            run(op, contents, DTYPES, engine=engine)


def test_positions_beyond_the_buffer_are_refused_even_if_no_number_says_them() -> None:
    op = replace(GATHER, srcs=(moved("p", rows(9), 0, 1),))
    with pytest.raises(TargetError, match=r"elements 0 to 53 of buffer 'p' are accessed, which has 48"):
        run(op, contents_of(3, DTYPES), DTYPES)


def test_the_numbers_are_not_to_be_overwritten() -> None:
    op = Vector(
        "add", ints(4), moved("n", Index(access("n", 1), 1, const(4), const(0), partial=True), 0), (1, 2)
    )
    with pytest.raises(
        TargetError, match="an operation that buffer 'n' moves writes to the same memory, to 'n'"
    ):
        run(op, contents_of(4, DTYPES), DTYPES)


def _index(**changes: Any) -> Vector:
    return replace(GATHER, srcs=(moved("p", replace(rows(4), **changes), 0, 1),))


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (_index(stride=0), "positions of 'p' are 0 elements apart, expected 1 and up"),
        (_index(numbers=access("n", 1)), "an access to 'n' has 1 strides for 2 loops"),
        (_index(numbers=access("m", 1, 0)), "there is no buffer 'm'"),
        (_index(numbers=access("q", 1, 0)), "'p' is moved by 'q' of f32, not by integers"),
        (_index(numbers=moved("n", rows(4), 1, 0)), "a walk over indices reaches 'n' by indices"),
        (Send("c", ints(4, 6), moved("p", rows(4), 0, 1)), "a transfer reaches 'p' by indices"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_runs(op: Any, message: str) -> None:
    program = replace(
        program_of(op, DTYPES), colours={"c": 0}, routes=(Route("c", StridedRect((0, 0), (1, 1)), "ramp", ("east",)),)
    )  # fmt: skip
    with pytest.raises(TargetError, match=message):
        Simulation(program, TINY)
    move = replace(program.gathers[0], access=replace(program.gathers[0].access, indices=(rows(4),)))
    with pytest.raises(TargetError, match="a host transfer reaches 'p' by indices"):
        Simulation(replace(program_of(GATHER, DTYPES), gathers=(move,)), TINY)


def cycles(op: Vector, machine: Any = TINY, **how: Any) -> float:
    found = Simulation(program_of(op, DTYPES), machine, timing_only=True, **how).call([]).report
    return found.cycles.device


def test_cycles_are_those_of_the_machine_file() -> None:
    """A row is an operation of the hardware that scalar code issues; an element of its own is scalar code."""
    vector, rate = TINY.vector, TINY.rate("copy", "f32")
    row = vector.setup + 4 * (6 / rate + vector.index) + 3 * vector.looped_row
    assert cycles(GATHER) == row
    single = Index(access("n", 6, 1), 1, const(4), const(0), partial=True)
    assert cycles(replace(GATHER, srcs=(moved("p", single, 0, 0),))) == 24 * (
        vector.scalar_element + vector.index
    )
    assert cycles(replace(GATHER, schedule="scalar")) == 24 * vector.scalar_element + 4 * vector.index
    dearer = TINY.replace(vector__index=vector.index + 100)
    assert cycles(GATHER, dearer) == row + 400
    assert cycles(GATHER, engine="wavelet") == row
    assert cycles(replace(GATHER, bounds=ints(0, 6))) == 0.0


def test_an_index_that_two_operands_share_is_read_once() -> None:
    place = moved("p", rows(4), 0, 1)
    shared = Vector("add", ints(4, 6), place, (place, 1.0))
    apart = replace(shared, srcs=(moved("p", rows(3), 0, 1), 1.0))
    assert cycles(apart) - cycles(shared) == 4 * TINY.vector.index
    sizes = [
        Simulation(program_of(op, DTYPES), TINY, timing_only=True).call([]).report for op in (shared, apart)
    ]
    assert sizes[1].sram_bytes == sizes[0].sram_bytes, "a number stays in a register for its row"


def test_time_does_not_depend_on_data() -> None:
    contents = contents_of(5, DTYPES)
    program = program_of(GATHER, DTYPES)
    found = Simulation(program, TINY).call([contents[n] for n in "pqn"]).report.cycles.device
    assert found == cycles(GATHER)


def test_a_loop_that_gathers_runs_trip_by_trip() -> None:
    """Trips that repeat are run on data alone; with indices, operation by operation."""
    from wse_mlir.wse_target.instructions import Loop
    from wse_mlir.wse_target.quasi_affine import Var

    index = replace(rows(4), numbers=Access("n", Var("k"), (0, 0)))
    total = access("q", 0, 1)
    body = Loop("k", const(20), (Vector("add", ints(1, 6), total, (total, moved("p", index, 0, 1))),))
    program = program_of(GATHER, DTYPES)
    program = replace(program, classes=(PEClass("all", program.classes[0].where, (body,)),))
    contents = contents_of(6, DTYPES)
    contents["q"][:] = 0
    result = Simulation(program, TINY).call([contents[n] for n in "pqn"])
    for x in range(WIDTH):
        table, numbers = contents["p"][x, :24].reshape(4, 6), contents["n"][x, :20]
        inside = numbers[(numbers >= 0) & (numbers < 4)]
        np.testing.assert_array_equal(result.outputs[1][x, :6], table[inside].sum(axis=0))
    assert SIZE == 48 and isinstance(program, Program)


def embedding(width: int = 3) -> Program:
    """Two rows of a table of which each PE owns four: all gather what they own, a chain adds it up on PE 0."""
    program, everywhere = chain_reduce(width, 12), StridedRect((0, 0), (width, 1))
    index = replace(rows(4), origin=X * 4)
    own = (
        Vector("fill", ints(12), access("a", 1), (0.0,)),
        Vector("copy", ints(2, 6), access("a", 6, 1), (moved("p", index, 0, 1),)),
    )
    buffers = {**program.buffers, "p": Buffer("p", 256, (24,), "f32"), "n": Buffer("n", 384, (2,), "i32")}
    arguments = TensorSpec("table", (width * 4, 6), "f32"), TensorSpec("ids", (2,), "i32")
    return replace(
        program, buffers=buffers, arguments=arguments,
        classes=tuple(replace(c, body=(c.body[0], *own, *c.body[1:])) for c in program.classes),
        scatters=(
            HostTransfer(0, everywhere, ints(4, 6), (X * 4, const(0)), access("p", 6, 1), resident=True),
            HostTransfer(1, everywhere, ints(2), ints(0), access("n", 1)),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("engine", ["flow", "wavelet"])
def test_nothing_of_an_owner_computes_gather_is_for_show(engine: Any) -> None:
    random = np.random.default_rng(7)
    table, ids = random.normal(size=(12, 6)).astype(np.float32), np.array([9, 2], np.int32)

    def found(program: Program) -> tuple[np.ndarray, float]:
        simulation = Simulation(program, TINY, engine=engine).load({0: table})
        result = simulation.call([ids])
        return result.outputs[0][0, 0].reshape(2, 6), result.report.cycles.makespan

    whole = embedding()
    got, cycles = found(whole)
    np.testing.assert_array_equal(got, table[ids])

    def without(at: int, change: Any = None) -> Program:
        classes = tuple(
            replace(c, body=(*c.body[:at], *((change(c.body[at]),) if change else ()), *c.body[at + 1 :]))
            for c in whole.classes
        )
        return replace(whole, classes=classes)

    got, less = found(without(2))
    assert not np.array_equal(got, table[ids]) and less < cycles, "no gather"
    got, less = found(without(1))
    assert less < cycles, "nothing is cleared: what is left over from before counts"
    moved_index = without(2, lambda op: replace(op, srcs=(moved("p", rows(4, origin=0), 0, 1),)))
    assert not np.array_equal(found(moved_index)[0], table[ids]), "all own the same rows"
    strict = without(2, lambda op: replace(op, srcs=(moved("p", rows(4, partial=False), 0, 1),)))
    with pytest.raises(TargetError, match="is accessed at position"):
        found(strict)
    with pytest.raises(TargetError):
        found(without(3))


def test_rows_of_a_cache_are_written_by_their_owner() -> None:
    """`index_copy` on rows that PEs share out, into a buffer that stays from call to call."""
    index = Index(access("n", 1, 0), 6, const(4), X * 4, partial=True)
    write = Vector("copy", ints(2, 6), moved("p", index, 0, 1), (access("q", 6, 1),))
    contents = contents_of(8, DTYPES)
    contents["n"][:, :2] = [5, 10]
    got = run(write, contents, DTYPES)["p"]
    expected = contents["p"].copy()
    for x, (row, slot) in enumerate(((None, None), (1, 0), (2, 1))):
        if row is not None and slot is not None:
            expected[x, row * 6 : row * 6 + 6] = contents["q"][x, slot * 6 : slot * 6 + 6]
    np.testing.assert_array_equal(got, expected)
