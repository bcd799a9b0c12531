"""How much memory a call takes: ours by its plan, ONNX Runtime's seen from outside."""

from __future__ import annotations

import ctypes
from collections import Counter
from pathlib import Path
from typing import Any

from cpu_families import Case

import wse_mlir
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.pipelines.named import named_pipeline

from .contender import Absent
from .onnx_export import export_args, exported

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5): resets the peak of the resident set
_MMAP_THRESHOLD, _BYTES = -3, 64 << 10  # mallopt(3): larger blocks go back to the system when they are freed
_ARENA_ROW = "arena"


def measure_memory(case: Case, folder: Path) -> dict[str, Any]:
    """Bytes; in a process that has done nothing else, or what its allocator kept would be used again unseen."""
    found: dict[str, Any] = {}
    try:
        found["ort_call_bytes"] = ort_call_bytes(case, folder)
    except Absent as reason:
        found["ort_call_bytes_absent"] = str(reason)
    return found | planned(case)


def ort_call_bytes(case: Case, folder: Path) -> int | None:
    """What ONNX Runtime takes for its first call, outputs included, each block while it is needed.

    Its arena is off: that keeps blocks for later calls, and takes them in powers of two.

    Raises:
        Absent: it is not installed, or the system does not tell.
    """
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise Absent("absent", str(error)) from error
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.enable_cpu_mem_arena, options.log_severity_level = 1, False, 3
    path = exported(case, folder)
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feeds = {i.name: t.numpy() for i, t in zip(session.get_inputs(), export_args(case), strict=True)}
    libc = ctypes.CDLL(None)
    try:
        libc.mallopt(_MMAP_THRESHOLD, _BYTES)
        libc.malloc_trim(0)
        _CLEAR.write_text(_RESET_PEAK)
    except (OSError, AttributeError) as error:
        raise Absent("unknown", f"this system does not tell: {error}") from error
    before = _field("VmRSS")
    session.run(None, feeds)
    return max(0, _field("VmHWM") - before)


def _field(name: str) -> int:
    fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(fields[name].split()[0]) << 10


def planned(case: Case) -> dict[str, int]:
    """Bytes of arenas as the compiler plans them, of the function and what prepares its weights, and the least that
    lifetimes allow."""
    module = wse_mlir.import_model(case.model, case.args)
    pipeline = named_pipeline("cpu")
    names = [stage.name for stage in pipeline.stages]
    rows = pipeline.stages[: names.index(_ARENA_ROW) + 1] if _ARENA_ROW in names else ()
    counts: Counter[str] = Counter()
    text = f"builtin.module({','.join(stage.text for stage in rows if stage.text)})"
    with module.context:
        for _, statistics in run_pipeline(module, text).statistics:
            counts.update(statistics)
    return {"planned_bytes": counts["arena bytes"], "least_bytes": counts["liveness lower bound"]}
