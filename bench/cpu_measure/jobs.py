"""What is measured in a process of its own: one model with one number of threads, all contenders in turn."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from cpu_families import FAMILIES, Case

from . import iree_runtime, onnx_runtime, ours, pytorch
from .contender import Absent, Contender
from .roofline import work_of
from .rounds import Budget, Times, alternate

PEERS = ("eager", "inductor", "ort", "iree")
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Job:
    """One row of the table.

    Attributes:
        peers: of PEERS, to compare with; folder: for files that jobs of the same model share.
        details: whether a warm cache is looked at too; roofline: whether operations and bytes are counted.
    """

    family: str
    size: str
    threads: int
    peers: Sequence[str]
    folder: str
    rounds: int
    seconds: float
    clock: str = "wall"
    details: bool = True
    roofline: bool = True


def run_case(job: Job) -> dict[str, Any]:
    """Builds all contenders, compares their outputs with PyTorch's, and times those that can take part."""
    torch.set_num_threads(job.threads)
    case = FAMILIES[job.family].case(job.size)
    reference = pytorch.eager(case, job.threads)
    expected = [output.clone() for output in reference.outputs()]
    rows: dict[str, dict[str, Any]] = {}
    ready: list[Contender] = []
    for name, build in _builders(job, case).items():
        contender = reference if name == "eager" else _built(build, rows, name)
        if contender is None:
            continue
        rows[name] = {"error": largest_error(contender.outputs(), expected), **contender.facts}
        ready.append(contender)
    torch.set_num_threads(job.threads)
    budget = Budget(job.rounds, job.seconds)
    for contender, times in zip(
        ready, alternate(ready, budget, settle=job.threads > 1, clock=job.clock), strict=True
    ):
        rows[contender.name] |= _as_row(times)
    if ours.NAME in rows and not rows[ours.NAME].get("error", 0.0) <= TOLERANCE:
        rows[ours.NAME]["wrong"] = True
    work = {"work": asdict(work_of(case))} if job.roofline else {}
    return {"contenders": rows, **work}


def _builders(job: Job, case: Case) -> Mapping[str, Callable[[], Contender]]:
    folder = Path(job.folder)
    known: dict[str, Callable[[], Contender]] = {
        "eager": lambda: pytorch.eager(case, job.threads),
        "inductor": lambda: pytorch.inductor(case, job.threads),
        "ort": lambda: onnx_runtime.build(case, job.threads, folder),
        "iree": lambda: iree_runtime.build(case, job.threads, folder),
    }
    chosen = {ours.NAME: lambda: ours.build(case, job.threads, warm=job.details)}
    return {**chosen, **{name: known[name] for name in PEERS if name in job.peers}}


def _built(build: Callable[[], Contender], rows: dict[str, dict[str, Any]], name: str) -> Contender | None:
    """The contender; where there is none the row says why."""
    try:
        return build()
    except Absent as reason:
        rows[name] = {"absent": reason.word, "why": str(reason)}
    except Exception as error:  # a contender that crashes must not take the others along
        rows[name] = {"absent": "FAILED", "why": "".join(traceback.format_exception(error))[-3000:]}
    return None


def largest_error(actual: Sequence[torch.Tensor], expected: Sequence[torch.Tensor]) -> float:
    """The largest relative error of the model's outputs; infinite where they cannot be compared."""
    worst = 0.0
    for got, wanted in zip(actual, expected, strict=False):  # state may follow the outputs
        if got.shape != wanted.shape or not torch.isfinite(got).all():
            return float("inf")
        scale = float(wanted.abs().max()) or 1.0
        worst = max(worst, float((got - wanted).abs().max()) / scale)
    return worst


def _as_row(times: Times) -> dict[str, Any]:
    return {"median_ms": times.median * 1e3, "best_ms": times.best * 1e3, "samples": times.samples}
