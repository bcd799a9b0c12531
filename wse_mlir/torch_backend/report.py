"""What the backend did: which graphs it compiled, what ran where, how long it took."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..dialects.fork_lock import ForkLock, LockOrder
from ..passes.infra.timing import Timer

GraphKind = Literal["forward", "backward", "inference"]


@dataclass(frozen=True)
class Operator:
    """An operator of a graph.

    Attributes:
        name: as the user called it, such as "aten.linear".
        where: the user's line, "" where none is known.
        times: how many operators of that name and line there are, after decomposition.
        reason: why it runs in PyTorch; "" for one that is compiled.
    """

    name: str
    where: str
    times: int = 1
    reason: str = ""

    def __str__(self) -> str:
        place = self.where if self.name in self.where else ", ".join(filter(None, (self.name, self.where)))
        times = f" ({self.times} operators)" if self.times > 1 else ""
        return f"{place}{times}" + (f": {self.reason}" if self.reason else "")


@dataclass
class GraphReport:
    """One graph that AOTAutograd handed over.

    Attributes:
        kind: "forward" and "backward" of a graph that carries gradients, or "inference".
        frame: number of the function in the process, counted by TorchDynamo.
        recompilation: 0 for the first graph of a function; how many went before it otherwise, when a guard failed.
        where: first of the user's lines in it.
        compiled / eager: what runs in native code, and what runs in PyTorch because the user asked for it.
        seconds: spent on compilation, by step.
        specialisations: sizes that it was compiled for one by one; empty for native code that takes any size.
        specialised_because: why; "" where they are none.
        device: what the simulated wafer says of the last call, as `Compiled.report` does; empty on the CPU.
    """

    kind: GraphKind
    frame: str
    recompilation: int
    where: str
    compiled: list[Operator] = field(default_factory=list)
    eager: list[Operator] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    specialisations: list[str] = field(default_factory=list)
    specialised_because: str = ""
    device: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        again = f", recompilation {self.recompilation}" if self.recompilation else ""
        compiled, eager = (sum(x.times for x in listed) for listed in (self.compiled, self.eager))
        lines = [
            f"{self.kind} of function {self.frame}{f' at {self.where}' if self.where else ''}{again}: "
            f"{compiled} operators compiled, {eager} in PyTorch, {sum(self.seconds.values()):.2f} s"
        ]
        lines += [f"  compiled: {x}" for x in self.compiled]
        lines += [f"  PyTorch:  {x}" for x in self.eager]
        if self.specialisations:
            lines.append(f"  compiled for {'; '.join(self.specialisations)}: {self.specialised_because}")
        if self.device:
            cycles = self.device["cycles"]
            machine, device, host = self.device["machine"], cycles["device"], cycles["host_io"]
            lines.append(f"  last call on {machine}: {device:,.0f} cycles, {host:,.0f} of transfers")
        return "\n".join(lines)


@dataclass(frozen=True)
class TorchCompileReport:
    """All graphs since the process began, or since `torch._dynamo.reset()`; print it, or take `as_dict()`."""

    graphs: tuple[GraphReport, ...]

    @property
    def recompilations(self) -> int:
        """How often a guard failed and a function was compiled anew."""
        return len({(g.frame, g.recompilation) for g in self.graphs if g.recompilation})

    @property
    def seconds(self) -> float:
        """Spent by this compiler (and not by TorchDynamo and AOTAutograd before it)."""
        return sum(sum(g.seconds.values()) for g in self.graphs)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "recompilations": self.recompilations,
            "seconds": self.seconds,
            "graphs": [asdict(g) for g in self.graphs],
        }

    def __str__(self) -> str:
        if not self.graphs:
            return "nothing was compiled"
        return "\n".join(str(graph) for graph in self.graphs)


class _Log:
    """Reports in the order in which graphs came; threads may compile at the same time."""

    def __init__(self) -> None:
        self._lock = ForkLock(LockOrder.RECORD, "noting what was compiled")
        self._graphs: list[GraphReport] = []

    def add(self, report: GraphReport) -> None:
        with self._lock:
            self._graphs.append(report)

    def clear(self) -> None:
        with self._lock:
            self._graphs.clear()

    def snapshot(self) -> TorchCompileReport:
        with self._lock:
            return TorchCompileReport(tuple(self._graphs))


LOG = _Log()


def torch_compile_report() -> TorchCompileReport:
    """What `torch.compile(..., backend="wse_mlir")` did in this process since `torch._dynamo.reset()`."""
    return LOG.snapshot()


def add_seconds(report: GraphReport, timer: Timer) -> None:
    """Adds the time of each step to what is there."""
    for step in timer.root.children.values():
        report.seconds[step.name] = report.seconds.get(step.name, 0.0) + step.seconds
