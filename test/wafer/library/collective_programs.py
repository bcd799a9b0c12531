"""Programs around one collective, for the tests of this folder: tiles in, the fragment, tiles out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.passes.wafer.algorithms.fragment import CollectiveRequest, Fragment, Line, TileWalk
from wse_mlir.wse_target.image import HostTransfer, PEClass, Program, StridedRect, TensorSpec
from wse_mlir.wse_target.instructions import DTYPE_BYTES, Access, Buffer
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import Expr, Var, const
from wse_mlir.wse_target.sim import Simulation

X, Y = Var("x"), Var("y")
NUMPY = {"f32": np.float32, "f16": np.float16, "i32": np.int32}
COMBINE = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def textbook_machine(pes: int = 512, **values: Any) -> Machine:
    """Hop 1, one wavelet a cycle, T_R 2 on each ramp, deep queues, nothing else: the machine of HPDC24's formulas."""
    return load_machine("tiny").replace(**{
        "grid__width": pes, "grid__height": pes, "fabric__transfer_setup": 0.0, "fabric__switch": 0.0,
        "control__join": 0.0, "control__launch": 0.0, "control__loop": 0.0, "control__branch": 0.0,
        "control__microthread_word": 0.0, "vector__setup": 0.0, "rates__add": {"default": 4.0},
        "rates__copy": {"default": 1e9}, "queues__input": [1 << 14] * 8, "queues__output": [1 << 14] * 8,
        "sram__bytes": 1 << 24, **values,
    })  # fmt: skip


def wide(name: str, pes: int = 512) -> Machine:
    """A machine with room for lines of `pes` PEs."""
    machine = load_machine(name)
    width, height = machine.grid
    return machine.replace(grid__width=max(width, pes), grid__height=max(height, pes))


def line(axis: str, extent: int, lines: int = 1) -> Line:
    return Line(axis, (extent, lines) if axis == "x" else (lines, extent))  # type: ignore[arg-type]


def tile(buffer: str, count: Expr | int, dtype: str = "f32") -> TileWalk:
    """The first `count` elements of a buffer."""
    bound = count if isinstance(count, Expr) else const(count)
    return TileWalk(Access(buffer, const(0), (1,)), (bound,), dtype)  # type: ignore[arg-type]


def program_of(
    fragment: Fragment,
    grid: tuple[int, int],
    buffers: Sequence[tuple[str, int, str]],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> Program:
    """A program that runs a fragment; `buffers` (name, elements, type) come and go as [height, width, elements]."""
    width, height = grid
    everywhere = StridedRect((0, 0), grid)
    placed, offset = {}, 0
    scratch = [(s.name, int(np.prod(s.shape)), s.dtype) for s in fragment.scratch]
    for name, count, dtype in [*buffers, *scratch]:
        placed[name] = Buffer(name, offset, (count,), dtype)  # type: ignore[arg-type]
        offset += -(-count * DTYPE_BYTES[dtype] // 8) * 8

    def transfer(number: int, name: str) -> HostTransfer:
        count = placed[name].shape[0]
        bounds, origin = (const(1), const(1), const(count)), (Y, X, const(0))
        return HostTransfer(number, everywhere, bounds, origin, Access(name, const(0), (0, 0, 1)))

    def spec(name: str) -> TensorSpec:
        return TensorSpec(name, (height, width, placed[name].shape[0]), placed[name].dtype)

    classes = [PEClass(f"part{i}", p.where, p.body) for i, p in enumerate(fragment.parts)]
    classes += [PEClass(f"idle{i}", r, ()) for i, r in enumerate(_uncovered(fragment, grid))]
    return Program(
        "collective", grid, tuple(map(spec, inputs)), tuple(map(spec, outputs)), placed, tuple(classes),
        {colour: number for number, colour in enumerate(fragment.colours)}, fragment.routes,
        scatters=tuple(transfer(i, n) for i, n in enumerate(inputs)),
        gathers=tuple(transfer(i, n) for i, n in enumerate(outputs)), positions=dict(fragment.positions),
    )  # fmt: skip


def _uncovered(fragment: Fragment, grid: tuple[int, int]) -> list[StridedRect]:
    covered = np.zeros((grid[1], grid[0]), bool)
    for part in fragment.parts:
        (bx, by), (w, h), (sx, sy) = part.where.base, part.where.extent, part.where.step
        block = covered[by : by + sy * h : sy, bx : bx + sx * w : sx]
        assert not block.any(), "parts overlap"
        block[...] = True
    return [StridedRect((int(x), int(y)), (1, 1)) for y, x in np.argwhere(~covered)]


def contents(grid: tuple[int, int], count: int, dtype: str = "f32", seed: int = 0) -> np.ndarray:
    """Values of one buffer on all PEs, [height, width, count]."""
    values = np.random.default_rng(seed).normal(size=(grid[1], grid[0], count))
    return (values * 100 if dtype.startswith("i") else values).astype(NUMPY[dtype])


def in_place(
    operation: str,
    text: str,
    request: CollectiveRequest,
    count: int,
    data: np.ndarray,
    *,
    engine: str = "flow",
) -> np.ndarray:
    """Runs a collective that works on buffer "t"; returns the tiles afterwards, [height, width, count]."""
    fragment = choose(operation, text).build(request)
    buffers = [("t", count, request.tile.dtype)]
    program = program_of(fragment, request.line.grid, buffers, inputs=["t"], outputs=["t"])
    return Simulation(program, request.machine, engine=engine).call([data]).outputs[0]  # type: ignore[arg-type]


def makespan(
    operation: str, text: str, request: CollectiveRequest, count: int, *, engine: str = "flow"
) -> float:
    """Cycles of such a run, timing only."""
    fragment = choose(operation, text).build(request)
    buffers = [("t", count, request.tile.dtype), ("r", count, request.tile.dtype)]
    return timed(fragment, request.machine, request.line.grid, buffers, engine=engine)


def timed(
    fragment: Fragment,
    machine: Machine,
    grid: tuple[int, int],
    buffers: Sequence[tuple[str, int, str]],
    *,
    engine: str = "flow",
) -> float:
    """Cycles of a fragment, timing only."""
    program = program_of(fragment, grid, buffers, inputs=[], outputs=[])
    simulation = Simulation(program, machine, timing_only=True, engine=engine)  # type: ignore[arg-type]
    return simulation.call([]).report.cycles.makespan


def along(data: np.ndarray, axis: str) -> np.ndarray:
    """[lines, positions, elements] of [height, width, elements]."""
    return data if axis == "x" else data.swapaxes(0, 1)


def combined(tiles: Sequence[np.ndarray], combine: str = "add") -> np.ndarray:
    """Tiles combined from the first to the last, each step rounded to their type."""
    return reduce(lambda total, tile: COMBINE[combine](total, tile).astype(tile.dtype), tiles)
