"""Instructions of PEs, the buffers that they work on, and where in the user's model they come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from .quasi_affine import Const, Expr

Dtype = Literal["f32", "f16", "bf16", "f64", "i1", "i8", "i16", "i32", "i64"]


Direction = Literal["north", "east", "south", "west", "ramp"]


Combine = Literal["store", "add", "mul", "max", "min"]


Schedule = Literal["mapped", "looped", "scalar"]


Unit = Literal["task", "branch", "library_call", "descriptor", "scalar"]


MAIN_THREAD = 0


@dataclass(frozen=True)
class Source:
    """Where an instruction comes from in the user's model.

    Attributes:
        module_path: the layer's path ("encoder.0.linear1"), empty when unknown.
        location: "file.py:12" of the user's line, empty when unknown.
        operator: the ATen operator or linalg operation it implements.
    """

    module_path: str = ""
    location: str = ""
    operator: str = ""

    @property
    def place(self) -> str:
        """ "layer (file:line)", as far as it is known."""
        if self.module_path and self.location:
            return f"{self.module_path} ({self.location})"
        return self.module_path or self.location


@dataclass(frozen=True)
class Buffer:
    """A block of every PE's SRAM.

    Attributes:
        offset: bytes from the start of the PE's SRAM.
        shape / dtype: the tile it holds, row-major.
    """

    name: str
    offset: int
    shape: tuple[int, ...]
    dtype: Dtype


@dataclass(frozen=True)
class Access:
    """A strided walk over one buffer: element address = offset + sum(strides[i] * i-th loop index).

    A stride of 0 repeats an element (broadcast when read, accumulation when written).

    Attributes:
        indices: what moves the element further, by numbers that are in memory; vector operations only.
    """

    buffer: str
    offset: Expr
    strides: tuple[int, ...]
    indices: tuple[Index, ...] = ()


@dataclass(frozen=True)
class Index:
    """A dimension of an access in which a number in memory says where the element is: at `stride` * (number - origin).

    The PE holds the positions from `origin` on, `size` of them. Every iteration reads its number anew.

    Attributes:
        numbers: a walk over integers in the loops of the operation, without indices of its own.
        stride: elements from one position to the next, above 0.
        partial: an iteration whose number is none of the PE's positions does nothing, whether the access is read or
            written: what another PE owns is none of its business. If not, such a number is an error.
    """

    numbers: Access
    stride: int
    size: Expr
    origin: Expr
    partial: bool = False


@dataclass(frozen=True)
class Vector:
    """One vector operation: `dst[...] = kind(srcs[...])` over the loop nest `bounds`.

    Loops run in order, outermost first, each iteration seeing what earlier ones wrote. Hence `add` whose first
    source is the destination's own access, with stride 0 in some loop, is a sum in that order, and `fma`
    (dst += src0 * src1) a dot product. Kinds: see `wse_target.kinds`.

    Accesses with indices make it a gather, a scatter, or a sum of what is scattered; of equal places the last one
    written stays.

    Attributes:
        bounds: trip counts, outermost first; a bound of 0 or less runs nothing.
        srcs: accesses, or scalars held in a register.
        dtype: element type of the destination; of each source see its buffer.
        schedule: how the loops are run: "mapped", the whole nest is one operation of the hardware; "looped", scalar
            code issues one operation for each trip of the outer loops; "scalar", scalar code for every element.
        copies: PEs that compute the same elements, this one counted: only a share of the work is of use.
    """

    kind: str
    bounds: tuple[Expr, ...]
    dst: Access
    srcs: tuple[Access | float | int, ...]
    source: Source = Source()
    schedule: Schedule = "mapped"
    copies: int = 1


@dataclass(frozen=True)
class Send:
    """Sends the elements of `src`, in loop order, as wavelets of `colour`.

    On thread 0 it holds the main thread until the last word has left; on a microthread (1 and up) it
    runs beside it until a `Join` of that thread.

    Attributes:
        packed: whether elements narrower than 32 bits share a wavelet; if not, each has one of its own.
    """

    colour: str
    bounds: tuple[Expr, ...]
    src: Access
    thread: int = MAIN_THREAD
    source: Source = Source()
    packed: bool = True


@dataclass(frozen=True)
class Receive:
    """Takes as many elements as `bounds` say from `colour` and stores or combines them into `dst`."""

    colour: str
    bounds: tuple[Expr, ...]
    dst: Access
    combine: Combine = "store"
    thread: int = MAIN_THREAD
    source: Source = Source()


@dataclass(frozen=True)
class Relay:
    """Takes elements from `receive`, combines each with `own` and sends the result on as `send`.

    One streaming vector operation from queue to queue; the stream is never stored unless `dst` is given.
    """

    receive: str
    send: str
    bounds: tuple[Expr, ...]
    own: Access | None
    combine: Combine = "add"
    dst: Access | None = None
    thread: int = MAIN_THREAD
    source: Source = Source()


@dataclass(frozen=True)
class Join:
    """Waits until the given microthreads are done.

    Attributes:
        tasks: each microthread's end activates a task of its own on the main thread; if not, the main thread goes
            on when the last one ends.
    """

    threads: tuple[int, ...]
    source: Source = Source()
    tasks: bool = False


@dataclass(frozen=True)
class Control:
    """Scalar code of the main thread that is worth its cycles: `count` times what the machine says `unit` costs.

    Units: "task" (a task's activation), "branch", "library_call" (entry and set-up of a routine of the vendor's
    library of collectives), "descriptor" (loading one data descriptor), "scalar" (one scalar operation).
    """

    unit: Unit
    count: Expr
    source: Source = Source()


@dataclass(frozen=True)
class Switch:
    """Gives the PE's router another of its settings of `colour`: the routes with that `position`; -1 is none.

    The k-th `Switch` of a colour begins the colour's *epoch* k on that PE. A wavelet belongs to the epoch its sender
    was in, goes through every router by that router's setting of the same epoch, and waits at routers whose PE has
    not come so far. Routers whose PE never switches the colour keep their setting for all epochs.

    Attributes:
        rewrite: the setting is written by the PE (any number of positions), and costs `fabric.route_rewrite`;
            otherwise it is one of the machine's switch positions and costs `fabric.switch`.
    """

    colour: str
    position: Expr
    rewrite: bool = False
    source: Source = Source()


@dataclass(frozen=True)
class Loop:
    """Runs `body` `trips` times with `variable` = 0, 1, ..."""

    variable: str
    trips: Expr
    body: tuple[Instruction, ...]


@dataclass(frozen=True)
class Choose:
    """Runs the case whose number, from 0, is `selector`; none where there is no such case.

    PEs of one class that have different roles share a text in this way. One jump through a table, however many cases
    there are; it costs a branch.
    """

    selector: Expr
    cases: tuple[tuple[Instruction, ...], ...]


@dataclass(frozen=True)
class Phase:
    """Starts the phase `name`; cycles until the next one are attributed to it and to `source`."""

    name: str
    source: Source = Source()


Transfer = Send | Receive | Relay
Instruction = Vector | Transfer | Join | Control | Switch | Loop | Choose | Phase


def inner_bodies(op: Instruction) -> tuple[tuple[Instruction, ...], ...]:
    """The texts inside of an instruction: a loop's body, the cases of a `Choose`."""
    return (op.body,) if isinstance(op, Loop) else op.cases if isinstance(op, Choose) else ()


def all_instructions(body: Iterable[Instruction]) -> Iterator[Instruction]:
    """All instructions of a text, those inside of others behind them."""
    for op in body:
        yield op
        for inner in inner_bodies(op):
            yield from all_instructions(inner)


DTYPE_BYTES: dict[str, int] = {
    "f64": 8, "f32": 4, "f16": 2, "bf16": 2, "i1": 1, "i8": 1, "i16": 2, "i32": 4, "i64": 8,
}  # fmt: skip


def buffer_bytes(buffer: Buffer) -> int:
    """Size of a buffer in bytes."""
    count = 1
    for size in buffer.shape:
        count *= size
    return count * DTYPE_BYTES[buffer.dtype]


ZERO = Const(0)
