"""What linalg operations carry at the logical stage."""

import pytest

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.dialects.wse.annotations import verify_annotations

MESH = "x:4; y:4 at (0, 0)"
BLOCKS = f'#wse.layout<"[y:4/2, x:4/2] on {MESH}">'


def loops(dims: str) -> str:
    return f'wse.iterators = #wse.layout<"[{dims}] on {MESH}">'


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
        'wse.iterators = ["y", "x", ""]',
        f"{loops('y:4/2, x:4/2, -')}, wse.layouts = [{BLOCKS}]",
        f'{loops("y:4/2, -, x:4/2")}, wse.layouts = [#wse.layout<"[y:4/2, -] on {MESH}, partial add over x">]',
        f'wse.algorithm = "mesh_gemm{{aligned=2}}", wse.layouts = [{BLOCKS}]',
    ],
)
def test_right(annotations):
    assert errors(annotations) == []


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (
            'wse.iterators = "y"',
            'has wse.iterators = "y"; expected #wse.layout of its loops, or an axis for each',
        ),
        ("wse.iterators = [1, 2, 3]", "expects wse.iterators to be strings"),
        ('wse.iterators = ["y", "x"]', "has 2 axes in wse.iterators; expected 3, one per loop"),
        (
            'wse.iterators = ["y", "x", "z"]',
            "has unknown axis 'z' in wse.iterators; expected 'x', 'y', 'x y' or ''",
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
            f'wse.layouts = [#wse.layout<"[x:4/2] on {MESH}">]',
            "has a wse.layouts[0] that is none: '[x:4/2] on x:4; y:4 at (0, 0)' has 1 dimensions, the tensor has 2",
        ),
        (
            f"{loops('x:4/2, y:4/2, -')}, wse.layouts = [{BLOCKS}]",
            "has loop 0 cut as x:4/2, but wse.layouts[0] the dimension it walks, 0, as y:4/2; expected one",
        ),
        (
            loops("y:4/2, x:4/2"),
            "has wse.iterators that are no layout of its loops: '[y:4/2, x:4/2] on x:4; y:4 at (0, 0)' has",
        ),
    ],
)
def test_wrong(annotations, message):
    (found,) = errors(annotations)
    assert found.startswith("'linalg.generic' ") and message in found
