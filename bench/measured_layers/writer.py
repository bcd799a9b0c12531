"""A layer's program under construction: buffers, and one step after the other, in the library's fragments."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from wse_mlir.dialects.context import COMPILING, create_context
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.passes.wafer.algorithms.fragment import Fragment, RectangleText
from wse_mlir.passes.wafer.algorithms.products.blocks import everywhere
from wse_mlir.passes.wafer.algorithms.roles import in_classes
from wse_mlir.passes.wafer.emit.write.program import program_module
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.runtime.wafer.image_builder import build_image
from wse_mlir.wse_target.footprint import all_buffers
from wse_mlir.wse_target.image import HostTransfer, PEClass, Program, Route, TensorSpec
from wse_mlir.wse_target.instructions import Access, Buffer, Instruction, Phase, Vector
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.quasi_affine import Expr, Var, const

X, Y = Var("x"), Var("y")
Walk = tuple[str, int, tuple[int, ...]]  # buffer, offset, strides
_MOST_CLASSES = (
    256  # roles along both axes; a choice at run time would cost what the measured programs do not spend
)


@dataclass
class Writer:
    """Collects the steps of a layer on a square of PEs.

    Attributes:
        routes / colours: of all steps, each once: sums along an axis share theirs.
    """

    side: int
    machine: Machine
    buffers: dict[str, Buffer] = field(default_factory=dict)
    fragments: list[Fragment] = field(default_factory=list)
    routes: dict[Route, None] = field(default_factory=dict)
    colours: dict[str, None] = field(default_factory=dict)
    resident: list[str] = field(default_factory=list)

    @property
    def grid(self) -> tuple[int, int]:
        return self.side, self.side

    def buffer(self, name: str, *shape: int, resident: bool = False) -> str:
        """A buffer of f16 on every PE; one that is resident is filled before the layer runs."""
        self.buffers[name] = Buffer(name, -1, shape, "f16")
        if resident:
            self.resident.append(name)
        return name

    def phase(self, name: str) -> None:
        """What follows is reported under this name."""
        self.run(Phase(name))

    def run(self, *body: Instruction) -> None:
        """Every PE runs these instructions."""
        self.fragments.append(Fragment((RectangleText(everywhere(self.grid), body),)))

    def add(self, fragment: Fragment) -> None:
        """A fragment of the library."""
        for scratch in fragment.scratch:
            self.buffers[scratch.name] = Buffer(scratch.name, -1, scratch.shape, scratch.dtype)
        self.routes |= dict.fromkeys(fragment.routes)
        self.colours |= dict.fromkeys(fragment.colours)
        self.fragments.append(replace(fragment, scratch=(), colours=(), routes=()))

    def program(self, name: str) -> Program:
        """The whole program, without addresses of buffers and numbers of colours."""
        whole = in_classes(self.fragments, self.grid, most=_MOST_CLASSES)
        used = {name for part in whole.parts for name in all_buffers(part.body)}
        self.buffers = {name: buffer for name, buffer in self.buffers.items() if name in used}
        self.resident = [name for name in self.resident if name in used]
        arguments = tuple(
            TensorSpec(name, (self.side, self.side, math.prod(self.buffers[name].shape)), "f16")
            for name in self.resident
        )
        return Program(
            name, self.grid, arguments, (), self.buffers,
            tuple(PEClass(f"pes_{i}", part.where, part.body) for i, part in enumerate(whole.parts)),
            dict.fromkeys(self.colours, -1), tuple(self.routes), tuple(self._transfers()),
        )  # fmt: skip

    def _transfers(self) -> Iterator[HostTransfer]:
        """Each PE's tile of a tensor [y, x, elements]."""
        for number, name in enumerate(self.resident):
            bounds = (const(1), const(1), const(math.prod(self.buffers[name].shape)))
            access = Access(name, const(0), (0, 0, 1))
            yield HostTransfer(number, everywhere(self.grid), bounds, (Y, X, const(0)), access, resident=True)


def lowered(program: Program, machine: str) -> Program:
    """The program behind the rows of the pipeline `wafer` that follow the emission of texts.

    Raises:
        CompilerError: it needs more memory or colours than a PE has.
    """
    with COMPILING, create_context():
        module = program_module(program, machine)
        run_pipeline(module.operation, named_pipeline("wafer").since("route").text)
        return build_image(module.operation)


def walk(buffer: str, *strides: int, at: Expr | int = 0) -> Access:
    """A walk over a buffer, element by element when no strides are given."""
    return Access(buffer, at if isinstance(at, Expr) else const(at), strides or (1,))


def vector(
    kind: str, bounds: int | tuple[int, ...], dst: Access, *srcs: Access | float, looped: bool = False
) -> Vector:
    """One synchronous operation; `looped`: scalar code issues one for each trip of the outer loops."""
    trips = (bounds,) if isinstance(bounds, int) else bounds
    return Vector(kind, tuple(map(const, trips)), dst, srcs, schedule="looped" if looped else "mapped")


def folded(kind: str, count: int, dst: str, src: str) -> Instruction:
    """A vector folded into one number: each element waits for the one before it."""
    return vector(kind, count, walk(dst, 0), walk(dst, 0), walk(src))
