"""The program image: what runs on a wafer, as plain data. Past this border no MLIR object exists.

A program is SPMD. Program text belongs to a *class* of PEs, a strided rectangle of the grid, and its
parameters are quasi-affine in the PE's coordinates `x`, `y` (relative to the program's rectangle) and the
variables of enclosing loops. The instructions (`instructions.py`) are the single source of both numbers and cycles.

Units: offsets and strides of an `Access` count *elements*; buffer offsets and sizes count bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .instructions import Access, Buffer, Direction, Dtype, Instruction, Source, buffer_bytes
from .quasi_affine import Expr


@dataclass(frozen=True)
class StridedRect:
    """PEs at base + step * (i, j) for i, j below extent; (x, y) pairs relative to the program."""

    base: tuple[int, int]
    extent: tuple[int, int]
    step: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class PEClass:
    """PEs that share one program text."""

    name: str
    where: StridedRect
    body: tuple[Instruction, ...]


@dataclass(frozen=True)
class Route:
    """Router setting of one colour on a strided rectangle: wavelets from `receive` go to all of `send`.

    Attributes:
        position: which of the colour's settings on these routers; see `Switch`.
    """

    colour: str
    where: StridedRect
    receive: Direction
    send: tuple[Direction, ...]
    position: int = 0


@dataclass(frozen=True)
class HostTransfer:
    """Moves a tensor between host memory and one buffer on every PE of `where`.

    Element `bounds`-index (i, j, ...) of the buffer (strides in `access`) holds the tensor element at
    `index[k](x, y, d0, d1, ...)` for each tensor dimension k. Several PEs may hold one element: on the way
    in it is replicated, on the way out they must agree and one PE's copy is taken (`where` says whose).

    Attributes:
        tensor: position of the argument (scatter) or result (gather) of the program.
        bounds: extent per tensor dimension on each PE; may differ between PEs, 0 on PEs without a part.
        origin: first index of the PE's block per tensor dimension.
        resident: moved once at load time (parameters, states) or, on the way out, when somebody asks for it (states),
            hence not counted in a call's host cycles.
    """

    tensor: int
    where: StridedRect
    bounds: tuple[Expr, ...]
    origin: tuple[Expr, ...]
    access: Access
    resident: bool = False
    source: Source = field(default_factory=Source)


@dataclass(frozen=True)
class TensorSpec:
    """Shape and element type of a program's argument or result on the host.

    Attributes:
        shape: as transfers index it.
        host_shape: as the host has it: the same elements in the same order; () where it is `shape`.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Dtype
    host_shape: tuple[int, ...] = ()

    @property
    def on_host(self) -> tuple[int, ...]:
        """The shape of the host's array."""
        return self.host_shape or self.shape


@dataclass(frozen=True)
class ScalarSpec:
    """A number that the host sends to all PEs at each call, for expressions in their text (`quasi_affine.Scalar`).

    Attributes:
        argument: position of the program's argument that it is, a tensor of one integer.
        least / most: what it may be, both included; memory, code and freedom from deadlock are those of all of these.
    """

    name: str
    argument: int
    least: int
    most: int


@dataclass(frozen=True)
class Program:
    """A complete image for a rectangle of `grid` = (width, height) PEs.

    Attributes:
        colours: virtual colour name -> hardware colour id.
        buffers: by name; lifetimes may overlap in space when they do not in time.
        code_bytes: estimated program text per class name.
        queues: (input, output) queue of each colour on every PE that receives or sends it; a colour that is not
            named has the deepest ones. Two colours may name one queue when no PE uses both at a time.
        positions: setting that each colour's routers start with, 0 where it is not named; -1 is none.
        scalars: numbers that the text depends on and the host sends.
    """

    name: str
    grid: tuple[int, int]
    arguments: tuple[TensorSpec, ...]
    results: tuple[TensorSpec, ...]
    buffers: dict[str, Buffer]
    classes: tuple[PEClass, ...]
    colours: dict[str, int] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    scatters: tuple[HostTransfer, ...] = ()
    gathers: tuple[HostTransfer, ...] = ()
    code_bytes: dict[str, int] = field(default_factory=dict)
    queues: dict[str, tuple[int, int]] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    scalars: tuple[ScalarSpec, ...] = ()

    def sram_bytes(self) -> int:
        """Bytes of SRAM that buffers reach up to on each PE, code not included."""
        return max((b.offset + buffer_bytes(b) for b in self.buffers.values()), default=0)
