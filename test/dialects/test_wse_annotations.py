"""What linalg operations carry at the logical stage."""

import pytest
from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.dialects.wse.annotations import verify_annotations

BLOCKS = '#wse.layout<["y", "x"], #wse.rect<0, 0, 4, 4>>'


def matmul(annotations: str) -> str:
    return f"""
    func.func @f(%a: tensor<8x8xf32>, %b: tensor<8x8xf32>, %c: tensor<8x8xf32>) -> tensor<8x8xf32> {{
      %0 = linalg.generic {{indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>,
                                            affine_map<(m, n, k) -> (m, n)>],
                           iterator_types = ["parallel", "parallel", "reduction"]}}
          ins(%a, %b : tensor<8x8xf32>, tensor<8x8xf32>) outs(%c : tensor<8x8xf32>) attrs = {{{annotations}}} {{
        ^bb0(%x: f32, %y: f32, %z: f32):
          %1 = arith.mulf %x, %y : f32
          %2 = arith.addf %1, %z : f32
          linalg.yield %2 : f32
      }} -> tensor<8x8xf32>
      return %0 : tensor<8x8xf32>
    }}"""


def errors(annotations: str) -> list[str]:
    with create_context():
        module = ir.Module.parse(matmul(annotations))
        return [message for _, message in verify_annotations(module)]


@pytest.mark.parametrize(
    "annotations",
    [
        "",
        f'wse.iterators = ["y", "x", ""], wse.layouts = [{BLOCKS}]',
        'wse.iterators = ["y", "", "x"], wse.layouts = [#wse.layout<["y", ""], #wse.rect<0, 0, 4, 4>>]',
        f'wse.algorithm = "mesh_gemm{{aligned=2}}", wse.layouts = [{BLOCKS}]',
    ],
)
def test_right(annotations):
    assert errors(annotations) == []


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ('wse.iterators = "y"', 'has wse.iterators = "y"; expected an array of grid axes, one per loop'),
        ("wse.iterators = [1, 2, 3]", "expects wse.iterators to be strings"),
        ('wse.iterators = ["y", "x"]', "has 2 axes in wse.iterators; expected 3, one per loop"),
        (
            'wse.iterators = ["y", "x", "z"]',
            "has unknown axis 'z' in wse.iterators; expected one of 'x', 'y', ''",
        ),
        ('wse.iterators = ["y", "y", ""]', "splits two loops over one axis in wse.iterators: ['y', 'y', '']"),
        ("wse.algorithm = 1 : i64", "has wse.algorithm = 1 : i64; expected the form name{option=value ...}"),
        ('wse.algorithm = "cannon{"', "has malformed algorithm 'cannon{'"),
        (
            'wse.algorithm = "cannon"',
            "has wse.algorithm without wse.layouts; expected where its result lives",
        ),
        (
            f'wse.algorithm = "cannon", wse.iterators = ["y", "x", ""], wse.layouts = [{BLOCKS}]',
            "has both wse.algorithm and wse.iterators",
        ),
        ("wse.layouts = 1 : i64", "expected an array of #wse.layout, one per result"),
        ("wse.layouts = []", "has 0 layouts; expected 1, one per result"),
        ("wse.layouts = [#wse.rect<0, 0, 4, 4>]", "has wse.layouts[0] = #wse.rect<0"),
        (
            'wse.layouts = [#wse.layout<["x"], #wse.rect<0, 0, 4, 4>>]',
            "has 1 axes in wse.layouts[0] for a tensor of rank 2",
        ),
        (
            f'wse.iterators = ["x", "y", ""], wse.layouts = [{BLOCKS}]',
            "splits loop 0 over 'x', but wse.layouts[0] splits the dimension it walks, 0, over 'y'",
        ),
    ],
)
def test_wrong(annotations, message):
    (found,) = errors(annotations)
    assert found.startswith("'linalg.generic' ") and message in found
