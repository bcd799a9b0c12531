"""Programs around one product, for the tests of this folder: tensors in, the product's fragment, C out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.passes.wafer.algorithms.fragment import Held, Product, ProductRequest
from wse_mlir.wse_target.image import HostTransfer, PEClass, Program, TensorSpec
from wse_mlir.wse_target.instructions import Buffer, buffer_bytes
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim import Simulation
from wse_mlir.wse_target.sim.arithmetic import NUMPY_DTYPE, convert, fma
from wse_mlir.wse_target.sim.report import SimulationResult

WSE3 = load_machine("wse3")


def request(
    grid: tuple[int, int], sizes: tuple[int, int, int], dtype: str = "f32", accumulate: str = "", batch: int = 0,
    machine: Machine = WSE3,
) -> ProductRequest:  # fmt: skip
    """A request for sizes (m, k, n); sums have the elements' type unless another one is named."""
    total: Any = accumulate or dtype
    return ProductRequest(grid, *sizes, dtype, total, machine, "p_", batch)  # type: ignore[arg-type]


def program_of(product: Product, asked: ProductRequest) -> Program:
    """A program that scatters A and B, runs the product and gathers C."""
    buffers: dict[str, Buffer] = {}
    offset = 0
    tiles = [(h.buffer, h.shape, h.dtype) for h in (product.a, product.b, product.c)]
    for name, shape, dtype in [*tiles, *((s.name, s.shape, s.dtype) for s in product.fragment.scratch)]:
        buffers[name] = Buffer(name, offset, shape, dtype)
        offset += -(-buffer_bytes(buffers[name]) // 8) * 8
    lead = (asked.batch,) if asked.batch else ()

    def spec(name: str, rows: int, columns: int, dtype: Any) -> TensorSpec:
        return TensorSpec(name, (*lead, rows, columns), dtype)

    def transfer(position: int, held: Held) -> HostTransfer:
        return HostTransfer(position, held.where, held.bounds, held.origin, held.access)

    fragment, m, k, n = product.fragment, asked.m, asked.k, asked.n
    return Program(
        "product", asked.grid, (spec("a", m, k, asked.dtype), spec("b", k, n, asked.dtype)),
        (spec("c", m, n, asked.accumulate),), buffers,
        tuple(PEClass(f"part{i}", p.where, p.body) for i, p in enumerate(fragment.parts)),
        dict(zip(fragment.colours, asked.machine.usable_colours, strict=False)), fragment.routes,
        (transfer(0, product.a), transfer(1, product.b)), (transfer(0, product.c),),
        positions=dict(fragment.positions),
    )  # fmt: skip


def tensors(asked: ProductRequest, *, whole: bool = False, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random A and B; `whole` numbers are small, so that their sums do not depend on the order."""
    rng = np.random.default_rng(seed)
    lead = (asked.batch,) if asked.batch else ()
    dtype = NUMPY_DTYPE[asked.dtype]

    def draw(*shape: int) -> np.ndarray:
        values = rng.integers(-4, 5, shape) if whole else rng.normal(size=shape)
        return values.astype(np.float32).astype(dtype)

    return draw(*lead, asked.m, asked.k), draw(*lead, asked.k, asked.n)


def run(name: str, asked: ProductRequest, a: np.ndarray, b: np.ndarray) -> SimulationResult:
    """Runs the algorithm `name{option=value ...}` on A and B."""
    operation = "matvec" if "gemv" in name else "matmul"
    product = choose(operation, name).build(asked)
    return Simulation(program_of(product, asked), asked.machine).call([a, b])


def summed(asked: ProductRequest, a: np.ndarray, b: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """A B with every element summed over k in `order`, each step rounded as `fma` rounds."""
    dtype = NUMPY_DTYPE[asked.accumulate]
    left, right = convert(a, dtype), convert(b, dtype)
    total = np.zeros((a.shape[0], b.shape[1]), dtype)
    for k in order:
        total = fma(total, *np.broadcast_arrays(left[:, k, None], right[None, k, :]))
    return total
