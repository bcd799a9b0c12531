"""Which operations are contractions, what their iterators are to them, and which register tiles they get."""

import pytest
from contractions import contraction_text, viewed

from wse_mlir.passes.cpu.processor import Processor
from wse_mlir.passes.cpu.vectorize.contraction.tile import choose_tile
from wse_mlir.passes.tensor.contraction.form import ContractionForm, contraction_form

AVX512 = Processor("x86-64-v4", "", 512, 32, True, True, 48 << 10, 12, 1 << 20, 32 << 20)
AVX2 = Processor("x86-64-v3", "", 256, 16, True, True)
SSE2 = Processor("x86-64", "", 128, 16, False, False)

CONVOLUTION = (
    "(n, h, w, f, y, x, c) -> (n, h * 2 + y, w * 2 + x, c)",
    "(n, h, w, f, y, x, c) -> (f, c, y, x)",
    "(n, h, w, f, y, x, c) -> (n, h, w, f)",
)


def product_text(rows: int | str, columns: int | str, depth: int, kind: str = "f32") -> str:
    maps = ("(m, n, k) -> (m, k)", "(m, n, k) -> (n, k)", "(m, n, k) -> (m, n)")
    kinds = (f"{rows}x{depth}x{kind}", f"{columns}x{depth}x{kind}", f"{rows}x{columns}x{kind}")
    return contraction_text(maps, "ppr", kinds)


def form_of(text: str) -> ContractionForm | None:
    with viewed(text) as view:
        return contraction_form(view)


def test_product() -> None:
    assert form_of(product_text(8, 16, 4)) == ContractionForm(0, 1, (), (0,), (1,), (2,), 1)


def test_convolution() -> None:
    kinds = ("1x9x9x3xf32", "8x3x3x3xf32", "1x4x4x8xf32")
    form = ContractionForm(0, 1, (), (0, 1, 2), (3,), (4, 5, 6), 3)
    assert form_of(contraction_text(CONVOLUTION, "pppprrr", kinds)) == form


def test_result_with_rows_innermost_exchanges_the_operands() -> None:
    maps = ("(m, n, k) -> (m, k)", "(m, n, k) -> (n, k)", "(m, n, k) -> (n, m)")
    form = form_of(contraction_text(maps, "ppr", ("8x4xf32", "16x4xf32", "16x8xf32")))
    assert form == ContractionForm(1, 0, (), (1,), (0,), (2,), 0)


def test_packed_rhs_is_the_same_contraction() -> None:
    maps = ("(m, n, k) -> (m, k)", "(m, n, k) -> (n floordiv 8, k, n mod 8)", "(m, n, k) -> (m, n)")
    form = form_of(contraction_text(maps, "ppr", ("8x4xf32", "2x4x8xf32", "8x15xf32")))
    assert form == ContractionForm(0, 1, (), (0,), (1,), (2,), 1)


def test_shared_heads_are_batches() -> None:
    maps = (
        "(h, q, k, d) -> (h, q, d)",
        "(h, q, k, d) -> (h floordiv 2, k, d)",
        "(h, q, k, d) -> (h, q, k)",
    )
    form = form_of(contraction_text(maps, "pppr", ("4x5x6xf32", "2x8x6xf32", "4x5x8xf32")))
    assert form == ContractionForm(0, 1, (0,), (1,), (2,), (3,), 2)


def test_innermost_dimension_of_one_element_is_no_column() -> None:
    maps = ("(m, n, k) -> (m, k)", "(m, n, k) -> (n, k)", "(m, n, k) -> (n, m)")
    form = form_of(contraction_text(maps, "ppr", ("1x4xf32", "16x4xf32", "16x1xf32")))
    assert form is not None
    assert (form.rhs, form.column) == (1, 1)


def test_narrow_operands_are_widened() -> None:
    maps = ("(m, n, k) -> (m, k)", "(m, n, k) -> (k, n)", "(m, n, k) -> (m, n)")
    body = """%u = arith.extf %x : f16 to f32
    %v = arith.extf %y : f16 to f32
    %p = arith.mulf %u, %v : f32
    %s = arith.addf %p, %z : f32
    linalg.yield %s : f32"""
    assert form_of(contraction_text(maps, "ppr", ("2x4xf16", "4x8xf16", "2x8xf32"), body)) is not None


@pytest.mark.parametrize(
    "text",
    [
        # depthwise: both operands depend on the innermost dimension
        contraction_text(
            ("(w, c, x) -> (w + x, c)", "(w, c, x) -> (x, c)", "(w, c, x) -> (w, c)"),
            "ppr",
            ("6x8xf32", "3x8xf32", "4x8xf32"),
        ),
        product_text(8, 3, 64),  # too few columns
        # nothing is summed
        contraction_text(
            ("(m, n) -> (m)", "(m, n) -> (n)", "(m, n) -> (m, n)"), "pp", ("4xf32", "8xf32", "4x8xf32")
        ),
        # the largest of the products
        contraction_text(
            ("(m, n, k) -> (m, k)", "(m, n, k) -> (n, k)", "(m, n, k) -> (m, n)"),
            "ppr",
            ("8x4xf32", "16x4xf32", "8x16xf32"),
            "%p = arith.mulf %x, %y : f32\n%s = arith.maximumf %z, %p : f32\nlinalg.yield %s : f32",
        ),
        # the product of an operand with itself
        contraction_text(
            ("(m, n, k) -> (m, k)", "(m, n, k) -> (n, k)", "(m, n, k) -> (m, n)"),
            "ppr",
            ("8x4xf32", "16x4xf32", "8x16xf32"),
            "%p = arith.mulf %x, %x : f32\n%s = arith.addf %z, %p : f32\nlinalg.yield %s : f32",
        ),
    ],
)
def test_others_are_no_contractions(text: str) -> None:
    assert form_of(text) is None


@pytest.mark.parametrize("cpu", [AVX512, AVX2, SSE2])
@pytest.mark.parametrize("rows", [1, 2, 7, 49, 512, "?"])
@pytest.mark.parametrize("columns", [4, 10, 17, 64, 100, 1000])
def test_tiles_fit_the_registers(cpu: Processor, rows: int | str, columns: int) -> None:
    with viewed(product_text(rows, columns, 64)) as view:
        form = contraction_form(view)
        assert form is not None
        tile = choose_tile(view, form, view.loop_sizes(), cpu)
        count = tile.rows.get(0, 1)
        loaded = tile.vectors if count > 1 else 1  # one row multiplies each vector as it comes
        assert count * tile.vectors + loaded + 1 <= cpu.vector_registers
        assert tile.lanes <= cpu.lanes(32)
        assert (tile.vectors - 1) * tile.lanes < columns, "no vector is all padding"
        assert choose_tile(view, form, view.loop_sizes(), cpu, tile.width) == tile


def test_tiles_of_large_products_keep_both_multipliers_busy() -> None:
    for cpu in (AVX512, AVX2, SSE2):
        with viewed(product_text(512, 768, 768)) as view:
            form = contraction_form(view)
            assert form is not None
            tile = choose_tile(view, form, view.loop_sizes(), cpu)
            assert tile.rows.get(0, 1) * tile.vectors >= 10


def test_one_row_gets_many_vectors() -> None:
    with viewed(product_text(1, 1024, 1024)) as view:
        form = contraction_form(view)
        assert form is not None
        assert choose_tile(view, form, view.loop_sizes(), AVX512).vectors == 8


def test_rows_that_share_a_set_of_the_cache_are_few() -> None:
    with viewed(product_text(512, 512, 1024)) as view:
        form = contraction_form(view)
        assert form is not None
        assert choose_tile(view, form, view.loop_sizes(), AVX512).rows[0] <= 9


def test_panels_of_small_images_fit_the_second_level_cache() -> None:
    maps = ("(n, h, w, f, y, x, c) -> (n, h + y, w + x, c)", *CONVOLUTION[1:])
    kinds = ("1x9x9x512xf32", "512x512x3x3xf32", "1x7x7x512xf32")
    with viewed(contraction_text(maps, "pppprrr", kinds)) as view:
        form = contraction_form(view)
        assert form is not None
        tile = choose_tile(view, form, view.loop_sizes(), AVX512)
        assert tile.rows.get(2) == 7
        assert tile.width * 4608 * 4 <= 0.875 * AVX512.l2_bytes
