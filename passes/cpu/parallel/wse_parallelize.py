"""`wse-parallelize`: nests of independent loops become functions whose chunks threads may share."""

from typing import Any

from ....dialects.host import ir
from ...infra.pass_base import Pass, PassRun, option
from .nests import allocates, find_nests
from .outline import outline
from .scratch import is_on_the_stack, scratch_buffers
from .shares import balance, cuts


class Parallelize(Pass, name="wse-parallelize", anchor="builtin.module"):
    """Turns nests of loops that are marked as independent into functions of a chunk.

    Marks are `wse.parallel`, the number of the nest, and `wse.cost`, its time as the floating-point operations that a
    matrix product does in it. A nest is divided into as many chunks as there are threads, or fewer, so that each is
    worth the fork; chunks depend on the number of threads alone, and so do results. Iterations are divided by their
    cost, the edges of a nest along with its whole tiles. Where outer loops have too few iterations to go round,
    they are divided together with the marked loops directly in them: of seven panels on two threads each has three and
    a half.

    Calls of the chunks stand in a loop, so that the IR means the same as before; `wse-fork-threads` lets the
    threads of a pool make them. Buffers on the stack that only the nest uses, or that are its iterations' scratch,
    belong to each chunk. A nest that takes memory from the heap, or has its scratch there, stays as it is.

    Before, in @main, with threads=2:
        scf.for %i = %c0 to %c8 step %c1 { A(%i, %x) } {wse.cost = 900000 : i64, wse.parallel = 0 : i64}
    After:
        func.call @main_nest_0(%x)
      and
        func.func private @main_nest_0(%x) attributes {wse.fork = @main_nest_0_chunk, wse.chunks = 2, wse.threads = 2} {
          scf.for %chunk = %c0 to %c2 step %c1 { func.call @main_nest_0_chunk(%chunk, %x) }
        }
        func.func private @main_nest_0_chunk(%chunk, %x) {
          scf.for %i = %chunk * 4 to %chunk * 4 + 4 step %c1 { A(%i, %x) }
        }
    """

    threads: int = option(1, "how many threads there are; with one, nothing changes", least=1)
    minimal_cost: int = option(
        250_000,
        "of a chunk, in floating-point operations: a microsecond's worth, as a fork costs a fourth of one",
    )

    def run(self, op: ir.Operation, run: PassRun) -> None:
        if self.threads < 2:
            return
        for function in [f.operation for f in op.regions[0].blocks[0].operations]:
            if function.name == "func.func":
                self._divide(function, run)

    def _divide(self, function: Any, run: PassRun) -> None:
        name = ir.StringAttr(function.attributes["sym_name"]).value
        for position, nest in enumerate(find_nests(function)):
            first = nest.loops[0].op
            chunks = min(self.threads, nest.cost // max(self.minimal_cost, 1))
            if chunks < 2:
                run.count("nests too small for threads")
            elif any(allocates(loop) for loop in nest.loops):
                run.count("nests that allocate")
                run.remark(first, "left to one thread: it allocates memory or calls functions")
            elif not all(map(is_on_the_stack, scratch_buffers(nest))):
                run.count("nests with scratch on the heap")
                run.remark(first, "left to one thread: its iterations share scratch memory")
            else:
                chosen = cuts(nest.loops, chunks)
                run.count("nests divided")
                even = round(100 * balance(chosen, chunks))
                run.remark(first, f"divided into {chunks} chunks, balance {even}%", cost=nest.cost)
                outline(nest, chosen, f"{name}_nest_{position}", chunks, self.threads)
