"""What a PE executes, inside `func.func @class_body(%x: index, %y: index)`.

`bounds` are maps `()[x, y, i, ..] -> (a, b, ..)`, one per loop, outermost first, whose value is the minimum of
their results. Accesses are maps `(d0, ..)[x, y, i, ..] -> (buffer indices)`. `symbols` are the values of the
maps' symbols: the PE's coordinates and the variables of enclosing loops.
"""

from collections.abc import Sequence
from typing import get_args

from ...wse_target.instructions import Unit
from ..host import ext, ir
from .access_checks import (
    check_access,
    check_bounds,
    check_combine,
    check_number,
    check_relay,
    check_thread,
)
from .checks import flag, integers, one_of
from .dialect import Op, ReadsAndWrites, require
from .indexed_checks import check_indexed, check_unmoved
from .vector_checks import check_vector

UNITS: tuple[str, ...] = get_args(Unit)


class PhaseOp(Op, name="phase", traits=[ReadsAndWrites]):
    """Starts the phase `label`; cycles until the next one are attributed to it and to this location."""

    label: ir.StringAttr

    def check(self) -> None:
        require(self.label.value, "expects a label")


class GetBufferOp(Op, name="get_buffer", traits=[ext.Pure]):
    """The PE's own copy of a `wse.buffer`."""

    buffer: ir.FlatSymbolRefAttr
    result: ir.OpResult[ir.MemRefType]


class GetScalarOp(Op, name="get_scalar", traits=[ext.Pure]):
    """The number that a `wse.scalar` has in this call, the same on all PEs."""

    scalar: ir.FlatSymbolRefAttr
    result: ir.OpResult[ir.IndexType]


class IndexedOp(Op, name="indexed", traits=[ext.Pure]):
    """`buffer`, every access to it moved by numbers in memory; for operands of `wse.vector`.

    In each iteration `map`, a map of the vector operation's loops, finds a number in `numbers`, and the element is
    `stride` * (number - origin) elements further. The PE has `size` positions (the minimum of the map's results); an
    iteration whose number is none of them does nothing if `partial` is 1, else it is an error.
    """

    map: ir.AffineMapAttr
    size: ir.AffineMapAttr
    origin: ir.AffineMapAttr
    stride: ir.IntegerAttr
    partial: ir.IntegerAttr
    buffer: ir.Value[ir.MemRefType]
    numbers: ir.Value[ir.MemRefType]
    symbols: Sequence[ir.Value[ir.IndexType]]
    result: ir.OpResult[ir.MemRefType]

    def check(self) -> None:
        check_indexed(self)


class VectorOp(Op, name="vector", traits=[ReadsAndWrites]):
    """`dst[...] = kind(sources[...])` over the loop nest `bounds`; kinds are in `wse_target/kinds.py`.

    A source is a memref, or a number: `scalars` has an entry per source, `unit` where `source<k>` is given, else
    the immediate. `maps` holds the destination's access, then one for each source that is a memref.
    `schedule` is how the loops run: "mapped", the whole nest is one operation of the hardware; "looped", scalar
    code issues one for each trip of the outer loops; "scalar", scalar code for every element. `wse.copies` says how
    many PEs compute the same elements, where several do: reports count their work once.
    """

    # Sources are separate operands because all values of an IRDL variadic operand must have one type.

    kind: ir.StringAttr
    bounds: ir.ArrayAttr
    maps: ir.ArrayAttr
    scalars: ir.ArrayAttr
    schedule: ir.StringAttr
    destination: ir.Value[ir.MemRefType]
    source0: ir.Value[ir.MemRefType] | None
    source1: ir.Value[ir.MemRefType] | None
    source2: ir.Value[ir.MemRefType] | None
    symbols: Sequence[ir.Value[ir.IndexType]]

    @property
    def sources(self) -> tuple[ir.Value | None, ...]:
        """The sources in order; None where a source is an immediate."""
        return (self.source0, self.source1, self.source2)[: len(self.scalars)]

    @property
    def buffers(self) -> tuple[ir.Value, ...]:
        """The destination, then the sources that are memrefs, in the order of `maps`."""
        return (self.destination, *(value for value in self.sources if value is not None))

    def check(self) -> None:
        check_vector(self)


class SendOp(Op, name="send", traits=[ReadsAndWrites]):
    """Sends the elements of `source`, in loop order, as wavelets of `colour`; threads 1 and up run beside.

    `packed` = 1: elements narrower than 32 bits share a wavelet; 0: each has one of its own.
    """

    colour: ir.FlatSymbolRefAttr
    bounds: ir.ArrayAttr
    map: ir.AffineMapAttr
    thread: ir.IntegerAttr
    packed: ir.IntegerAttr
    source: ir.Value[ir.MemRefType]
    symbols: Sequence[ir.Value[ir.IndexType]]

    def check(self) -> None:
        symbols = len(self.symbols)
        loops = check_bounds(self.bounds, symbols)
        check_access(self.map, loops, symbols, self.source.type, "map")
        check_unmoved(self.source)
        check_thread(self.thread)
        flag(self.packed, "packed")


class ReceiveOp(Op, name="receive", traits=[ReadsAndWrites]):
    """Takes as many elements as `bounds` say from `colour` and stores or combines them into `destination`."""

    colour: ir.FlatSymbolRefAttr
    bounds: ir.ArrayAttr
    map: ir.AffineMapAttr
    combine: ir.StringAttr
    thread: ir.IntegerAttr
    destination: ir.Value[ir.MemRefType]
    symbols: Sequence[ir.Value[ir.IndexType]]

    def check(self) -> None:
        symbols = len(self.symbols)
        loops = check_bounds(self.bounds, symbols)
        check_access(self.map, loops, symbols, self.destination.type, "map")
        check_unmoved(self.destination)
        check_combine(self.combine)
        check_thread(self.thread)


class RelayOp(Op, name="relay", traits=[ReadsAndWrites]):
    """Takes elements from colour `receive`, combines each with `own` and sends it on as colour `send`.

    `destination`, when given, also stores the stream. `maps` has an access for `own`, then `destination`, as
    far as they are given.
    """

    receive: ir.FlatSymbolRefAttr
    send: ir.FlatSymbolRefAttr
    bounds: ir.ArrayAttr
    maps: ir.ArrayAttr
    combine: ir.StringAttr
    thread: ir.IntegerAttr
    own: ir.Value[ir.MemRefType] | None
    destination: ir.Value[ir.MemRefType] | None
    symbols: Sequence[ir.Value[ir.IndexType]]

    def check(self) -> None:
        check_relay(self)
        for value in (self.own, self.destination):
            if value is not None:
                check_unmoved(value)


class JoinOp(Op, name="join", traits=[ReadsAndWrites]):
    """Waits until the given microthreads are done; with `tasks` = 1 each one's end activates a task of its own."""

    threads: ir.ArrayAttr
    tasks: ir.IntegerAttr

    def check(self) -> None:
        threads = integers(self.threads, "threads")
        require(threads, "expects at least one thread")
        require(len(set(threads)) == len(threads), f"names a thread twice: {threads}")
        require(all(thread > 0 for thread in threads), f"expects microthreads (1 and up), got {threads}")
        flag(self.tasks, "tasks")


class ControlOp(Op, name="control", traits=[ReadsAndWrites]):
    """Scalar code of the main thread: `count` times what the machine says `unit` costs.

    `unit`: "task", "branch", "library_call", "descriptor" or "scalar"; see `wse_target/instructions.py`. `count` is a
    map of the symbols.
    """

    unit: ir.StringAttr
    count: ir.AffineMapAttr
    symbols: Sequence[ir.Value[ir.IndexType]]

    def check(self) -> None:
        one_of(self.unit, "unit", UNITS)
        check_number(self.count, len(self.symbols), "count")


class SwitchOp(Op, name="switch", traits=[ReadsAndWrites]):
    """Gives the PE's router the setting `position`, a map of the symbols, of `colour`; -1 is none.

    `rewrite` = 1: the PE writes the setting into its router; 0: it is one of the machine's switch positions.
    """

    colour: ir.FlatSymbolRefAttr
    position: ir.AffineMapAttr
    rewrite: ir.IntegerAttr
    symbols: Sequence[ir.Value[ir.IndexType]]

    def check(self) -> None:
        check_number(self.position, len(self.symbols), "position")
        flag(self.rewrite, "rewrite")


class LookupOp(Op, name="lookup", traits=[ext.Pure]):
    """Entry `index` of a `wse.table`."""

    table: ir.FlatSymbolRefAttr
    index: ir.Value[ir.IndexType]
    result: ir.OpResult[ir.IndexType]
