"""wse-fold-constants evaluates scalar operations as MLIR defines them, corner cases included."""

import numpy as np
import pytest

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_base import PassRun
from wse_mlir.passes.tensor.simplify.wse_fold_constants import FoldConstants

NAN = float("nan")


def _fold(source: str, source_type: str, result_type: str, body: str) -> np.ndarray | None:
    """The folded constant of a generic over a constant vector of two or more elements, or None if it stays."""
    count = source.count(",") + 1
    text = f"""func.func @main() -> tensor<{count}x{result_type}> {{
      %c = arith.constant dense<[{source}]> : tensor<{count}x{source_type}>
      %e = tensor.empty() : tensor<{count}x{result_type}>
      %0 = linalg.generic {{indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                            iterator_types = ["parallel"]}}
        ins(%c : tensor<{count}x{source_type}>) outs(%e : tensor<{count}x{result_type}>) {{
      ^bb0(%x: {source_type}, %out: {result_type}):
        {body}
        linalg.yield %y : {result_type}
      }} -> tensor<{count}x{result_type}>
      return %0 : tensor<{count}x{result_type}>
    }}"""
    with create_context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        function = module.body.operations[0]
        FoldConstants().run(function.operation, PassRun("wse-fold-constants"))
        module.operation.verify()
        returned = list(function.entry_block.operations)[-1].operands[0].owner
        return np.array(returned.attributes["value"]) if returned.operation.name == "arith.constant" else None


@pytest.mark.parametrize(
    ("source", "source_type", "result_type", "body", "expected"),
    [
        ("-1.5, 2.0", "f32", "f32", "%y = arith.negf %x : f32", [1.5, -2.0]),
        # NaN: 0x7FC00000 is the quiet one
        ("0x7FC00000, 2.0", "f32", "i1", "%y = arith.cmpf ult, %x, %x : f32", [True, False]),
        ("0x7FC00000, 2.0", "f32", "i1", "%y = arith.cmpf oeq, %x, %x : f32", [False, True]),
        ("0x7FC00000, 2.0", "f32", "i1", "%y = arith.cmpf une, %x, %x : f32", [True, False]),
        (
            "0x7FC00000, 2.0", "f32", "f32",
            "%k = arith.constant 1.0 : f32\n%y = arith.maximumf %x, %k : f32", [NAN, 2.0],
        ),
        (
            "0x7FC00000, 2.0", "f32", "f32",
            "%k = arith.constant 1.0 : f32\n%y = arith.minnumf %x, %k : f32", [1.0, 1.0],
        ),
        # i1 is -1 where it is read as signed, 1 where it is read as unsigned
        ("true, false", "i1", "i32", "%y = arith.extsi %x : i1 to i32", [-1, 0]),
        ("true, false", "i1", "i32", "%y = arith.extui %x : i1 to i32", [1, 0]),
        ("true, false", "i1", "i1", "%y = arith.addi %x, %x : i1", [False, False]),
        ("-1, 3", "i8", "f32", "%y = arith.uitofp %x : i8 to f32", [255.0, 3.0]),
        ("-1, 3", "i8", "i1", "%k = arith.constant 5 : i8\n%y = arith.cmpi ugt, %x, %k : i8", [True, False]),
        ("-1, 3", "i8", "i8", "%k = arith.constant 5 : i8\n%y = arith.maxui %x, %k : i8", [-1, 5]),
        ("200, 3", "i32", "i8", "%y = arith.trunci %x : i32 to i8", [-56, 3]),
        ("2, 3", "i32", "i1", "%y = arith.trunci %x : i32 to i1", [False, True]),
        # rounded once to the program's type: half to even in roundeven, away from zero in round
        ("0.5, 2.5", "f32", "f32", "%y = math.roundeven %x : f32", [0.0, 2.0]),
        ("0.5, -2.5", "f32", "f32", "%y = math.round %x : f32", [1.0, -3.0]),
        ("2049.0, 1.0", "f32", "f16", "%y = arith.truncf %x : f32 to f16", [2048.0, 1.0]),
        ("4.0, -1.0", "f32", "f32", "%y = math.sqrt %x : f32", [2.0, NAN]),
    ],
)  # fmt: skip
def test_value(source: str, source_type: str, result_type: str, body: str, expected: list[object]) -> None:
    actual = _fold(source, source_type, result_type, body)
    if actual is None:  # equal elements become a fill
        assert len(set(map(str, expected))) == 1
    else:
        np.testing.assert_array_equal(actual, np.array(expected, actual.dtype))


@pytest.mark.parametrize(
    "body",
    [
        "%y = arith.divsi %x, %x : i32",
        "%k = arith.constant 40 : i32\n%y = arith.shli %x, %k : i32",
        "%y = arith.remui %x, %x : i32",
    ],
)
def test_undefined_results_are_left_to_run_time(body: str) -> None:
    assert _fold("0, 3", "i32", "i32", body) is None


def test_zeros_of_different_sign_are_not_uniform() -> None:
    actual = _fold("0.0, -0.0", "f32", "f32", "%y = arith.mulf %x, %x : f32")
    assert actual is None  # both products are +0: a fill
    actual = _fold("0.0, -0.0", "f32", "f32", "%k = arith.constant 2.0 : f32\n%y = arith.mulf %x, %k : f32")
    assert actual is not None
    np.testing.assert_array_equal(np.signbit(actual), [False, True])
