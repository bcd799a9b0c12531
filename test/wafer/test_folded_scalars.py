"""What is computed of constants when programs are made is what PEs compute of them, bit for bit but for functions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wse_mlir.passes.wafer.scalars.constant_folding import fold
from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.kinds import KINDS
from wse_mlir.wse_target.sim.arithmetic import NUMPY_DTYPE, operand_dtypes
from wse_mlir.wse_target.sim.kernels import KernelKey, Walk, result_of

FLOATS = [0.0, -0.0, 1.0, -1.5, 2.5, 3e-8, -70000.0, 1e30, math.inf, -math.inf, math.nan]
INTEGERS = [0, 1, -1, 2, 5, -7, 100, -128, 127]

OWN_TYPES = ("convert", "select")  # whose first operand has a type of its own


def on_a_pe(kind: str, dtype: str, values: tuple[float, ...]) -> np.ndarray:
    walk = Walk(dtype, ())
    key = KernelKey(kind, (), walk, (walk,) * len(values), (False,) * len(values))
    types = [NUMPY_DTYPE[name] for name in operand_dtypes(kind, dtype, [dtype] * len(values))]
    with np.errstate(all="ignore"):
        sources = [np.asarray([value]).astype(NUMPY_DTYPE[dtype]) for value in values]
        return result_of(key, types, np.zeros(1, NUMPY_DTYPE[dtype]), sources)[0]


@pytest.mark.parametrize("dtype", ["f64", "f32", "f16", "bf16", "i32", "i8"])
@pytest.mark.parametrize(
    "kind", [name for name, kind in KINDS.items() if kind.evaluate and not kind.compares]
)
def test_folding_is_computing(kind: str, dtype: str) -> None:
    try:
        operand_dtypes(kind, dtype, [dtype] * KINDS[kind].sources)
    except TargetError:
        return
    numbers = FLOATS if dtype in ("f64", "f32", "f16", "bf16") else INTEGERS
    for first in numbers:
        for second in numbers:
            values = (first, second, numbers[2])[: KINDS[kind].sources]
            folded = None if kind in OWN_TYPES else fold(kind, list(values), dtype)
            if folded is None:
                continue
            expected = float(on_a_pe(kind, dtype, values))
            if math.isnan(expected):
                assert math.isnan(folded), values
            else:
                assert (expected, math.copysign(1, expected)) == (folded, math.copysign(1, folded)), values


def test_most_kinds_are_folded() -> None:
    on_floats = KINDS.keys() - {"and", "or", "xor"}
    left = {kind for kind in on_floats if fold(kind, [0.5, 2.0, 1.5][: KINDS[kind].sources], "f32") is None}
    assert left == {"fill", "copy", "fma", "iota"}
