"""Layouts of reshaped, transposed, sliced and joined tensors: every PE holds what it held, says NumPy."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from random_layouts import layouts, tiles

from wse_mlir.wse_target.layout.algebra import concatenated, permuted, reshaped, sliced
from wse_mlir.wse_target.layout.dimension import Digit, Dimension
from wse_mlir.wse_target.layout.mesh import Mesh
from wse_mlir.wse_target.layout.rectangle import Rect
from wse_mlir.wse_target.layout.tensor_layout import TensorLayout
from wse_mlir.wse_target.layout.text import layout_text

SQUARE = Mesh.of(Rect(0, 0, 8, 4))


def numbered(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(math.prod(shape)).reshape(shape)


def other_shapes(elements: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes of up to four dimensions with so many elements."""

    @st.composite
    def shape(draw: st.DrawFn) -> tuple[int, ...]:
        rest, sizes = elements, []
        for _ in range(draw(st.integers(0, 3))):
            divisors = [d for d in range(1, rest + 1) if rest % d == 0]
            sizes.append(draw(st.sampled_from(divisors)))
            rest //= sizes[-1]
        return (*sizes, rest)

    return shape() if elements > 1 else st.one_of(st.just(()), shape())


@given(st.data())
def test_reshapes(data: st.DataObject) -> None:
    layout = data.draw(st.one_of(layouts(), layouts([]), layouts([1, 1])))
    shape = data.draw(other_shapes(math.prod(layout.shape)))
    result = reshaped(layout, shape)
    assume(result is not None)
    assert result is not None and result.shape == shape and result.problem() == ""
    before, after = tiles(layout, numbered(layout.shape)), tiles(result, numbered(shape))
    for pe, tile in before.items():
        assert list(after[pe].flatten()) == list(tile.flatten())


def test_reshapes_that_move_nothing_are_found() -> None:
    def made(dims: list[Dimension], shape: tuple[int, ...]) -> str:
        found = reshaped(TensorLayout(SQUARE, tuple(dims)), shape)
        return layout_text(found) if found is not None else "none"

    tokens, width = Dimension.blocks(16, "y", 4), Dimension.blocks(96, "x", 8)
    # heads: the axis is cut in two where a head is spread over several PEs, and is theirs where it is not
    assert made([tokens, width], (16, 12, 8)) == "none"
    assert made([tokens, width], (16, 4, 24)) == "[y:4/4, xo:4/1, xi:2/12] on xo:4 xi:2; y:4 at (0, 0)"
    assert made([tokens, width], (16, 8, 12)) == "[y:4/4, x:8/1, -] on x:8; y:4 at (0, 0)"
    assert made([tokens, width], (16, 16, 6)) == "[y:4/4, x:8/2, -] on x:8; y:4 at (0, 0)"
    assert made([tokens, width], (16 * 96,)) == "[y:4/384 *4/96 x:8/12] on x:8; y:4 at (0, 0)"
    assert made([tokens, width], (2, 8, 96)) == "[yo:2/1, yi:2/4, x:8/12] on x:8; yo:2 yi:2 at (0, 0)"
    assert made([tokens, width], (16, 96, 1)) == "[y:4/4, x:8/12, -] on x:8; y:4 at (0, 0)"
    assert (
        made([tokens, width], (16, 2, 2, 24))
        == "[y:4/4, xo:2/1, xio:2/1, xii:2/12] on xo:2 xio:2 xii:2; y:4 at (0, 0)"
    )
    flat = [Dimension(1536, (Digit(4, 384, ("y",)), Digit(4, 96), Digit(8, 12, ("x",))), 0, 1536)]
    assert made(flat, (16, 96)) == "[y:4/4, x:8/12] on x:8; y:4 at (0, 0)"


@given(layouts(), st.randoms(use_true_random=False))
def test_transpositions(layout: TensorLayout, random: object) -> None:
    order = list(range(len(layout.dims)))
    random.shuffle(order)  # type: ignore[attr-defined]
    result = permuted(layout, order)
    after = tiles(result, numbered(layout.shape).transpose(order))
    for pe, tile in tiles(layout, numbered(layout.shape)).items():
        assert np.array_equal(after[pe], tile.transpose(order))


@given(st.data())
def test_slices(data: st.DataObject) -> None:
    layout = data.draw(layouts())
    size = layout.shape[0]
    step = data.draw(st.sampled_from([1, 1, 2, 3]))
    offset = data.draw(st.integers(0, size - 1))
    count = data.draw(st.integers(1, (size - offset + step - 1) // step))
    result = sliced(layout, 0, offset, count, step)
    assume(result is not None)
    assert result is not None
    tensor = numbered(layout.shape)
    after = tiles(result, tensor[offset : offset + (count - 1) * step + 1 : step])
    for pe, tile in tiles(layout, tensor).items():
        rows = layout.indices(*pe)[0]
        kept = (rows >= offset) & ((rows - offset) % step == 0) & (rows < offset + count * step)
        assert np.array_equal(after[pe], tile[kept])


@given(layouts(), st.integers(1, 3), st.data())
def test_joins(layout: TensorLayout, parts: int, data: st.DataObject) -> None:
    dim = data.draw(st.integers(0, len(layout.shape) - 1))
    result = concatenated([layout] * parts, dim)
    assert result is not None and result.problem() == ""
    tensors = [numbered(layout.shape) + 1000 * k for k in range(parts)]
    after = tiles(result, np.concatenate(tensors, dim))
    held = [tiles(layout, tensor) for tensor in tensors]
    for pe, tile in after.items():
        assert np.array_equal(tile, np.concatenate([h[pe] for h in held], dim))


def test_what_cannot_be_joined_or_sliced_in_place() -> None:
    a = TensorLayout.blocks((6, 4), ("x", ""), SQUARE)
    b = TensorLayout.blocks((5, 4), ("x", ""), SQUARE)
    assert concatenated([a, b], 0) is None
    assert (
        concatenated([TensorLayout.whole((6, 4), SQUARE), TensorLayout.whole((5, 4), SQUARE)], 0) is not None
    )
    assert concatenated([a, TensorLayout.whole((6, 4), SQUARE)], 1) is None
    assert sliced(a, 0, 0, 3, step=2) is None
    assert sliced(TensorLayout.blocks((16, 4), ("x", ""), SQUARE), 0, 0, 8, step=2) is not None
