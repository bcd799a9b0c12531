"""What this core can do at most: multiply-adds in registers, and bytes from each level of memory.

The loops are compiled by this project itself, in the run whose figures are set beside them.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.cpu.processor import processor
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.runtime.cpu.jit import JitFunction, compile_function

_LOWER = (
    "builtin.module(func.func(llvm-request-c-wrappers),convert-scf-to-cf,convert-vector-to-llvm,convert-arith-to-llvm,"
    "convert-index-to-llvm,finalize-memref-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,reconcile-unrealized-casts)"
)
_FOOTPRINTS = {"l2": 512 << 10, "l3": 12 << 20, "memory": 384 << 20}
_LEAST_BYTES = 32 << 20  # of one run, or the call itself would count
_STEPS = 50_000  # of the multiply-add loop: about a quarter of a millisecond


def _compiled(text: str, ranks: list[int]) -> JitFunction:
    with create_context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        run_pipeline(module, _LOWER)
        return compile_function(module, "main", ranks)


def multiply_add_loop() -> tuple[Callable[[], object], float]:
    """A loop of independent multiply-adds that never leaves the registers, and its floating-point operations."""
    chosen = processor()
    lanes, count = chosen.lanes(32), chosen.vector_registers * 3 // 4
    vector = f"vector<{lanes}xf32>"
    names = [f"%a{i}" for i in range(count)]
    starts = "\n".join(f"  %c{i} = arith.constant dense<{i}.0> : {vector}" for i in range(count))
    step = "vector.fma %x, %y, {0} : {1}" if chosen.has_fma else "arith.mulf %x, {0} : {1}"
    body = "\n".join(f"    %n{i} = {step.format(name, vector)}" for i, name in enumerate(names))
    initial = ", ".join(f"{name} = %c{i}" for i, name in enumerate(names))
    function = _compiled(
        f"""func.func @main(%in: memref<2x{lanes}xf32>, %out: memref<{lanes}xf32>) {{
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %steps = arith.constant {_STEPS} : index
  %x = vector.load %in[%zero, %zero] : memref<2x{lanes}xf32>, {vector}
  %y = vector.load %in[%one, %zero] : memref<2x{lanes}xf32>, {vector}
{starts}
  %r:{count} = scf.for %i = %zero to %steps step %one iter_args({initial}) -> ({", ".join([vector] * count)}) {{
{body}
    scf.yield {", ".join(f"%n{i}" for i in range(count))} : {", ".join([vector] * count)}
  }}
{_sums(count, vector)}
  vector.store %s{count - 1}, %out[%zero] : memref<{lanes}xf32>, {vector}
  return
}}""",
        [2, 1],
    )
    given = np.full((2, lanes), 0.5, np.float32), np.zeros(lanes, np.float32)
    arguments = list(enumerate(given))
    return lambda: function(arguments), 2.0 * lanes * count * _STEPS


def reading_loop(size: int) -> tuple[Callable[[], object], float]:
    """A loop that reads an array of about `size` bytes, small ones several times, and the bytes that it reads."""
    lanes, streams = processor().lanes(32), 8
    step = lanes * streams
    count = size // 4 // step * step
    times = max(1, _LEAST_BYTES // size)
    vector = f"vector<{lanes}xf32>"
    types = ", ".join([vector] * streams)
    loads = "\n".join(
        f"      %i{k} = arith.addi %i, %o{k} : index\n"
        f"      %v{k} = vector.load %in[%i{k}] : memref<?xf32>, {vector}\n"
        f"      %n{k} = arith.addf %a{k}, %v{k} : {vector}"
        for k in range(streams)
    )
    offsets = "\n".join(f"  %o{k} = arith.constant {k * lanes} : index" for k in range(streams))
    initial = ", ".join(f"%b{k} = %sum" for k in range(streams))
    again = ", ".join(f"%a{k} = %b{k}" for k in range(streams))
    function = _compiled(
        f"""func.func @main(%in: memref<?xf32>, %out: memref<{lanes}xf32>) {{
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %times = arith.constant {times} : index
  %step = arith.constant {step} : index
  %size = memref.dim %in, %zero : memref<?xf32>
  %sum = arith.constant dense<0.0> : {vector}
{offsets}
  %r:{streams} = scf.for %t = %zero to %times step %one iter_args({initial}) -> ({types}) {{
    %q:{streams} = scf.for %i = %zero to %size step %step iter_args({again}) -> ({types}) {{
{loads}
      scf.yield {", ".join(f"%n{k}" for k in range(streams))} : {types}
    }}
    scf.yield {", ".join(f"%q#{k}" for k in range(streams))} : {types}
  }}
{_sums(streams, vector)}
  vector.store %s{streams - 1}, %out[%zero] : memref<{lanes}xf32>, {vector}
  return
}}""",
        [1, 1],
    )
    given = np.zeros(count, np.float32), np.zeros(lanes, np.float32)
    given[0][:] = 1.0  # or all pages would be the system's one page of zeros
    arguments = list(enumerate(given))
    return lambda: function(arguments), 4.0 * count * times


def _sums(count: int, vector: str) -> str:
    """%s{count - 1}: the sum of the results %r, so that none of them is dead."""
    return "\n".join(
        f"  %s{k} = arith.addf %{'s' if k > 1 else 'r#'}{k - 1}, %r#{k} : {vector}" for k in range(1, count)
    )


def best_seconds(run: Callable[[], object], clock: Callable[[], float], seconds: float = 0.3) -> float:
    """The shortest of many runs: the machine's limit, not its usual state."""
    started, times = time.perf_counter(), []
    while len(times) < 3 or time.perf_counter() - started < seconds:
        begun = clock()
        run()
        times.append(clock() - begun)
    return min(times)


def measure(clock: Callable[[], float] = time.perf_counter) -> dict[str, Any]:
    """The machine's name, and one core's limits: GFLOP/s, and GB/s of reading by level of memory."""
    run, flops = multiply_add_loop()
    found: dict[str, Any] = {
        "cpu": _model_name(),
        "llvm_cpu": processor().cpu,
        "vector_bits": processor().vector_bits,
        "peak_gflops": flops / best_seconds(run, clock) * 1e-9,
        "read_gb_s": {},
    }
    for level, size in _FOOTPRINTS.items():
        run, count = reading_loop(size)
        found["read_gb_s"][level] = count / best_seconds(run, clock) * 1e-9
    return found


def _model_name() -> str:
    """The processor as the system calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
