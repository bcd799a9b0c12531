"""Turns linalg on buffers into loops whose bodies work on vectors in registers."""

from typing import Any

from ....dialects.affine.expressions import dim_position
from ....dialects.affine.maps import depends_on
from ....dialects.host import ir
from ....dialects.structured import PARALLEL, Structured, structured
from ...infra.pass_base import Pass, PassRun, option
from ...tensor.access import has_strides
from ...tensor.traversal import collect
from ..parallel.marks import next_nest
from ..processor import Processor, processor
from .contraction.lowering import lower_contraction
from .loops.collapsed_loops import collapse_loops
from .loops.loop_nest import LoopNest
from .loops.schedule_choice import choose_schedule
from .loops.staged_nest import lower_with_stages


class Vectorize(Pass, name="wse-vectorize", anchor="func.func"):
    """Lowers `linalg.generic` on buffers to scf loops over vectors.

    One iterator is chosen to fill the lanes, so that most operands are read side by side; products get a register tile
    (several rows times several vectors) whose accumulators stay in registers over the whole reduction, and are begun
    and finished there by the pointwise operations around them. Of the other operations, neighbouring dimensions that
    are walked alike become one; what lies across the lanes is transposed in registers; windows are unrolled, so that
    neighbouring points share what they read; sums along the lanes have several vectors of partial sums. A remainder is
    a masked vector, or vectors of powers of two where processors mask badly. A body that has no vector form becomes
    scalar loops. The outermost loops of each nest are marked for threads.

    Operations whose results do not depend on every parallel iterator, or whose iteration space no operand spells out,
    are left for `convert-linalg-to-loops`.

        linalg.generic {matmul} ins(%a, %b : memref<8x64xf32>, memref<64x32xf32>) outs(%c : memref<8x32xf32>)
    becomes
        %acc:16 = vector.load %c[...]
        %sum:16 = scf.for %k = 0 to 64 iter_args(...) { %b0 = vector.load %b[%k, 0] ... math.fma ... }
        vector.store %sum#0, %c[0, 0] ...
    """

    vector_bits: int = option(0, "width of a vector register in bits; the processor's when 0", least=0)
    cpu: str = option("", "LLVM's name of the processor that code is for; this machine's when empty")
    features: str = option("", "LLVM's processor features on top of that, '+avx2,-avx512f'")
    threads: int = option(1, "how many threads will share the outermost loops", least=1)

    def run(self, op: ir.Operation, run: PassRun) -> None:
        cpu = processor(self.cpu, self.features).with_vectors(self.vector_bits)
        self._lower_contractions(op, cpu, run)
        self._lower_reductions(op, cpu, run)
        for nest, generic in enumerate(_generics(op), next_nest(op)):
            self._lower(generic, cpu, nest, run)

    def _lower_contractions(self, op: ir.Operation, cpu: Processor, run: PassRun) -> None:
        """Lowers contractions first: they take the elementwise operations around them along."""
        number = next_nest(op)
        views = [structured(generic) for generic in _generics(op)]
        for view in [v for v in views if v is not None and not v.is_parallel() and has_strides(v)]:
            replaced = lower_contraction(view, cpu, self.threads, number)
            if replaced:
                number += 1
                run.count("contractions in register tiles")
                run.count("ops evaluated with contractions", replaced - 1)

    def _lower_reductions(self, op: ir.Operation, cpu: Processor, run: PassRun) -> None:
        """Lowers other reductions that have elementwise operations around them."""
        number = next_nest(op)
        views = [structured(generic) for generic in _generics(op)]
        for view in [v for v in views if v is not None and not v.is_parallel() and not _refusal(v)]:
            replaced = lower_with_stages(view, cpu, number, shared=self.threads > 1)
            if replaced:
                number += 1
                run.count("ops vectorised")
                run.count("ops evaluated with reductions", replaced - 1)

    def _lower(self, generic: Any, cpu: Processor, nest: int, run: PassRun) -> None:
        view = structured(generic)
        if view is None:
            return
        if not any(isinstance(v.type, ir.RankedTensorType) for v in view.operands) and has_strides(view):
            view = collapse_loops(view)
            generic = view.op
        reason = _refusal(view)
        if reason:
            run.count("ops left to scalar loops")
            run.remark(generic, f"left to scalar loops: {reason}")
            return
        sizes = view.loop_sizes()
        schedule = choose_schedule(view, sizes, cpu)
        with generic.location, ir.InsertionPoint(generic):
            LoopNest(view, schedule, sizes, cpu, nest, shared=self.threads > 1).emit()
        if schedule.vector is None:
            run.count("ops lowered to scalar loops")
            run.remark(generic, "no iterator can be vectorised at a profit")
        else:
            run.count("ops vectorised")
        generic.operation.erase()


def _refusal(view: Structured) -> str:
    """Why the loops of this operation cannot be emitted here; empty when they can."""
    if any(isinstance(v.type, ir.RankedTensorType) for v in view.operands):
        return "it works on tensors"
    if not has_strides(view):
        return "the layout of one of its buffers is no strides and offset"
    plain = {dim_position(e) for m in view.maps for e in m.results}
    if not set(range(len(view.iterators))) <= plain:
        return "no operand has some iterator as a plain dimension"
    parallel = [i for i, kind in enumerate(view.iterators) if kind == PARALLEL]
    for amap in view.init_maps:
        dims = [dim_position(e) for e in amap.results]
        if any(dims.count(i) != 1 for i in parallel):
            return "a result does not depend on every parallel iterator"
        if any(depends_on(amap, i) for i in _reductions(view)):
            return "a result depends on a reduction iterator"
    return ""


def _reductions(view: Structured) -> list[int]:
    return [i for i, kind in enumerate(view.iterators) if kind != PARALLEL]


def _generics(root: ir.Operation) -> list[ir.Operation]:
    return collect(root, lambda op: op.name == "linalg.generic")
