"""What the IR holds, counted: operations, bytes that computations touch, memory that they ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from ..dialects.host import ir
from ..passes.infra.plan import PythonStep, UpstreamStep
from ..passes.tensor.bufferization.arena import element_bytes

_ALLOCATIONS = ("memref.alloc", "memref.alloca", "tensor.empty")
_PROGRAM_BUFFER = "wse.buffer"
_COMPUTATIONS = ("linalg.", "tm_tensor.")
_NOT_COMPUTATIONS = ("linalg.yield", "linalg.index")
_CHECK = "wse-check-stage"


@dataclass(frozen=True)
class Census:
    """What a module holds.

    Attributes:
        operations: of all kinds, those in bodies included; a module itself is not counted.
        computations: `linalg` operations.
        traffic: bytes of the operands of `linalg` operations, each operand once: what moves between memory and core
            when nothing stays in a cache. None once loops have taken the place of some of them.
        allocations / allocated: `tensor.empty`, `memref.alloc` and `wse.buffer` operations, and their bytes; of
            buffers of a PE program those of one PE.
        peak: most bytes of `memref.alloc` that are alive at a time, by the order of operations; sizes that are known
            only at run time count as 0 everywhere.
    """

    operations: int
    computations: int
    traffic: int | None
    allocations: int
    allocated: int
    peak: int


def take_census(root: ir.Operation) -> Census:
    """Counts what is inside of an operation."""
    counter = _Counter()
    root.walk(counter.visit, ir.WalkOrder.PRE_ORDER)
    traffic = None if counter.loops else counter.traffic
    return Census(
        counter.operations - 1,
        counter.computations,
        traffic,
        counter.allocations,
        counter.allocated,
        counter.peak,
    )


class _Counter:
    def __init__(self) -> None:
        self.operations = self.computations = self.traffic = 0
        self.allocations = self.allocated = self.live = self.peak = 0
        self.loops = False

    def visit(self, op: ir.Operation) -> ir.WalkResult:
        name = op.name
        self.operations += 1
        if name in _ALLOCATIONS:
            self._allocate(byte_size(op.results[0].type), name != "tensor.empty")
        elif name == _PROGRAM_BUFFER:
            self._allocate(byte_size(ir.TypeAttr(op.attributes["type"]).value), False)
        elif name == "memref.dealloc":
            self.live -= byte_size(op.operands[0].type)
        elif name.startswith(_COMPUTATIONS) and name not in _NOT_COMPUTATIONS:
            self.computations += 1
            self.traffic += sum(byte_size(value.type) for value in op.operands)
        elif name.startswith(("scf.for", "scf.parallel", "cf.cond_br", "llvm.cond_br", "wse.vector")):
            self.loops = True
        return ir.WalkResult.ADVANCE

    def _allocate(self, size: int, in_memory: bool) -> None:
        self.allocations += 1
        self.allocated += size
        if in_memory:
            self.live += size
            self.peak = max(self.peak, self.live)


def byte_size(kind: ir.Type) -> int:
    """Bytes of a tensor or buffer of static shape; 0 for every other type."""
    if not isinstance(kind, (ir.RankedTensorType, ir.MemRefType)) or not kind.has_static_shape:
        return 0
    return prod(kind.shape) * element_bytes(kind.element_type)


@dataclass(frozen=True)
class PassEffect:
    """What one run of a pass changed.

    Attributes:
        name: the pass; options: the pass with its options, as in a pipeline.
        before / after: the whole module around the run.
    """

    name: str
    options: str
    before: Census
    after: Census

    @property
    def changed(self) -> bool:
        """Whether a count differs."""
        return self.before != self.after


class EffectsObserver:
    """Collects what every pass changed; of several runs of a pipeline the last one's (see `PassObserver`)."""

    def __init__(self, watch: Callable[[str], None] = lambda name: None) -> None:
        """
        Args:
            watch: told the name of every pass before it runs.
        """
        self.effects: list[PassEffect] = []
        self.peak = 0
        self._watch = watch
        self._root: ir.Operation | None = None
        self._census: Census | None = None

    def before_pass(self, step: PythonStep | UpstreamStep, root: ir.Operation) -> None:
        """Begins anew when another module is being lowered: a wafer's plan is made again when it does not fit."""
        self._watch(step.name)
        if self._census is None or self._root != root:
            self._root, self._census = root, take_census(root)
            self.effects, self.peak = [], 0

    def after_pass(self, step: PythonStep | UpstreamStep, root: ir.Operation) -> None:
        """Counts again; stage checks change nothing."""
        if step.name == _CHECK:
            return
        assert self._census is not None, "before_pass comes first"
        before, self._census = self._census, take_census(root)
        self.peak = max(self.peak, self._census.peak)
        self.effects.append(PassEffect(step.name, str(step), before, self._census))
