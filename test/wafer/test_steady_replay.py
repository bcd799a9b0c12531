"""Steady loops of products with data: trips that run as a few kernel calls give the bits that the full run gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wse_mlir.frontend.imported import import_model
from wse_mlir.runtime.wafer.simulate import simulate_module
from wse_mlir.wse_target.sim.flow import periodic
from wse_mlir.wse_target.sim.flow.engine import FlowEngine
from wse_mlir.wse_target.sim.flow.replay import replay

TEXT = """func.func @main(%a: tensor<{m}x{k}x{t}>, %b: tensor<{k}x{n}x{t}>) -> tensor<{m}x{n}x{t}> {{
  %zero = arith.constant 0.0 : {t}
  %empty = tensor.empty() : tensor<{m}x{n}x{t}>
  %init = linalg.fill ins(%zero : {t}) outs(%empty : tensor<{m}x{n}x{t}>) -> tensor<{m}x{n}x{t}>
  %c = linalg.matmul ins(%a, %b : tensor<{m}x{k}x{t}>, tensor<{k}x{n}x{t}>)
                     outs(%init : tensor<{m}x{n}x{t}>) -> tensor<{m}x{n}x{t}>
  return %c : tensor<{m}x{n}x{t}>
}}
"""


def product(folder: Path, sizes: tuple[int, int, int], side: int, algorithm: str, dtype: str) -> np.ndarray:
    """A product of numbers whose sums depend on their order."""
    m, k, n = sizes
    file = folder / "product.mlir"
    file.write_text(TEXT.format(m=m, k=k, n=n, t=dtype))
    found = simulate_module(
        import_model(str(file)), "wse3", grid=f"{side}x{side}", algorithm=algorithm, check=False, critical_path=False
    )  # fmt: skip
    return found.outputs[0]


@pytest.mark.parametrize(
    ("side", "tile", "algorithm", "dtype", "replays"),
    [
        (12, (3, 4, 5), "mesh_gemm", "f16", True),
        (13, (3, 4, 5), "mesh_gemm", "f32", True),
        (13, (2, 3, 4), "cannon", "f16", True),
        (12, (2.5, 3.25, 2.75), "mesh_gemm", "f16", False),  # blocks of several sizes: one by one
        (6, (3.34, 3, 4), "mesh_gemm", "f16", False),  # no trip is left when it is known that they repeat
    ],
)
def test_replayed_trips_give_the_same_bits(
    side: int, tile: tuple[float, float, float], algorithm: str, dtype: str, replays: bool,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    plans = []
    monkeypatch.setattr(periodic, "replay", lambda *args: plans.append(replay(*args)) or plans[-1])
    m, k, n = (int(side * part) for part in tile)
    skipped = product(tmp_path, (m, k, n), side, algorithm, dtype)
    assert (bool(plans) and None not in plans) == replays
    monkeypatch.setattr(FlowEngine, "skips", False)
    assert skipped.tobytes() == product(tmp_path, (m, k, n), side, algorithm, dtype).tobytes()
