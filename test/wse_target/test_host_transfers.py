"""Tensors to tiles and back: ragged, interleaved and permuted blocks, copies that agree and that do not."""

from __future__ import annotations

import numpy as np
import pytest
from fabric_programs import X, Y, access, ints, rect
from hypothesis import given, settings
from hypothesis import strategies as st

from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.image import HostTransfer, PEClass, Program, TensorSpec
from wse_mlir.wse_target.instructions import Buffer
from wse_mlir.wse_target.quasi_affine import Binary, Expr, const
from wse_mlir.wse_target.sim.code import place
from wse_mlir.wse_target.sim.host import HostLink
from wse_mlir.wse_target.sim.memory import Memory

WIDTH, HEIGHT, TILE = 4, 3, 5


def minimum(a: Expr, b: Expr) -> Expr:
    return Binary("min", a, b)


def link(transfers: list[HostTransfer], shape: tuple[int, ...]) -> tuple[HostLink, Memory]:
    """A grid whose PEs hold 5x5 tiles of one argument, which is the result as well."""
    spec = TensorSpec("t", shape, "f16")
    classes = (PEClass("all", rect(0, 0, WIDTH, HEIGHT), ()),)
    buffers = {"pad": Buffer("pad", 0, (3,), "f16"), "b": Buffer("b", 8, (TILE * TILE,), "f16")}
    program = Program("host", (WIDTH, HEIGHT), (spec,), (spec,), buffers, classes,
                      scatters=tuple(transfers), gathers=tuple(transfers))  # fmt: skip
    placement = place(WIDTH, HEIGHT, classes)
    return HostLink(program, placement), Memory(program, placement)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(1, TILE * HEIGHT),
    st.integers(1, TILE * WIDTH),
    st.sampled_from([(TILE, 1), (1, TILE)]),
    st.booleans(),
)
def test_ragged_blocks_go_and_come_back(
    rows: int, columns: int, strides: tuple[int, int], mirrored: bool
) -> None:
    x: Expr = const(WIDTH - 1) - X if mirrored else X
    height, width = -(-rows // HEIGHT), -(-columns // WIDTH)
    bounds = (
        minimum(const(height), const(rows) - Y * height),
        minimum(const(width), const(columns) - x * width),
    )
    transfer = HostTransfer(
        0, rect(0, 0, WIDTH, HEIGHT), bounds, (Y * height, x * width), access("b", *strides)
    )
    host, memory = link([transfer], (rows, columns))
    array = np.random.default_rng(rows).normal(size=(rows, columns)).astype(np.float16)
    host.scatter(transfer, array, memory)
    for y in range(HEIGHT):
        for column in range(WIDTH):
            at = WIDTH - 1 - column if mirrored else column
            block = array[y * height : (y + 1) * height, at * width : (at + 1) * width]
            tile = memory.bytes[y * WIDTH + column, 8:58].view(np.float16).reshape(TILE, TILE)
            tile = tile if strides == (TILE, 1) else tile.T
            np.testing.assert_array_equal(tile[: block.shape[0], : block.shape[1]], block)
    assert host.gather(0, memory).tobytes() == array.tobytes()


def test_a_scalar_and_a_transposed_array() -> None:
    transfer = HostTransfer(0, rect(2, 1, 1, 1), (), (), access("b"))
    host, memory = link([transfer], ())
    host.scatter(transfer, np.array(2.5, np.float16), memory)
    assert host.gather(0, memory) == np.float16(2.5)
    transfer = HostTransfer(0, rect(0, 0, 1, 1), ints(2, 3), ints(0, 0), access("b", 3, 1))
    host, memory = link([transfer], (2, 3))
    array = np.arange(6, dtype=np.float16).reshape(3, 2).T
    host.scatter(transfer, array, memory)
    np.testing.assert_array_equal(host.gather(0, memory), array)


def test_an_element_that_no_pe_holds() -> None:
    transfer = HostTransfer(0, rect(0, 0, 2, 1), ints(2, 2), (const(0), X * 3), access("b", 2, 1))
    host, memory = link([transfer], (2, 5))
    with pytest.raises(TargetError, match=r"no PE holds element \(0, 2\) of result 't'"):
        host.gather(0, memory)


@pytest.mark.parametrize("overlap", [0, 1])
def test_replicas_must_agree(overlap: int) -> None:
    """All columns hold the same block, or blocks that share a column."""
    width = 3
    transfer = HostTransfer(
        0,
        rect(0, 0, WIDTH, 1),
        ints(2, width),
        (const(0), X * (overlap * (width - 1))),
        access("b", width, 1),
    )
    columns = width + overlap * (width - 1) * (WIDTH - 1)
    host, memory = link([transfer], (2, columns))
    array = np.arange(2 * columns, dtype=np.float16).reshape(2, columns)
    host.scatter(transfer, array, memory)
    np.testing.assert_array_equal(host.gather(0, memory), array)
    memory.bytes[1, 8:10] += 1
    with pytest.raises(TargetError, match="PEs that hold the same elements of result 't' disagree"):
        host.gather(0, memory)
