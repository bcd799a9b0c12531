"""Builders of what PEs execute; part of `build`, which says what all builders have in common."""

from collections.abc import Sequence
from typing import Any

from ...wse_target.kinds import COMPARISONS
from ..host import ir
from .create import Loc, create, symbol
from .encode import EncodedNumber, i64, i64_array, map_array, scalar
from .vector_checks import COPIES

MAX_SOURCES = 3


def phase(label: str, *, loc: Loc = None) -> Any:
    """Starts a phase."""
    return create("phase", {"label": label}, loc=loc)


def get_buffer(name: str, memref_type: ir.Type, *, loc: Loc = None) -> ir.Value:
    """The PE's copy of a buffer."""
    return create("get_buffer", {"buffer": symbol(name)}, results=[memref_type], loc=loc).result


def get_scalar(name: str, *, loc: Loc = None) -> ir.Value:
    """The number that a scalar has in this call."""
    return create("get_scalar", {"scalar": symbol(name)}, results=[ir.IndexType.get()], loc=loc).result


def indexed(
    buffer: ir.Value,
    numbers: ir.Value,
    amap: ir.AffineMap,
    size: ir.AffineMap,
    origin: ir.AffineMap,
    symbols: Sequence[ir.Value],
    *,
    stride: int = 1,
    partial: bool = False,
    loc: Loc = None,
) -> ir.Value:
    """The buffer, moved by `stride` * (number - origin) elements where `numbers`, walked over by `amap`, say so."""
    attributes = {
        "map": ir.AffineMapAttr.get(amap), "size": ir.AffineMapAttr.get(size), "origin": ir.AffineMapAttr.get(origin),
        "stride": stride, "partial": int(partial),
    }  # fmt: skip
    segments = [1, 1, len(symbols)]
    operands = [buffer, numbers, *symbols]
    return create(
        "indexed", attributes, operands=operands, results=[buffer.type], segments=segments, loc=loc
    ).result


def vector(
    kind: str,
    dst: ir.Value,
    srcs: Sequence[ir.Value | EncodedNumber | ir.Attribute],
    bounds: Sequence[ir.AffineMap],
    maps: Sequence[ir.AffineMap],
    symbols: Sequence[ir.Value],
    *,
    schedule: str = "mapped",
    copies: int = 1,
    loc: Loc = None,
) -> Any:
    """`dst[...] = kind(srcs[...])`; numbers among `srcs` are immediates.

    `maps`: the destination's access, then one for each source that is a memref; `copies`: PEs that compute the same.
    """
    memrefs = [s for s in srcs if isinstance(s, ir.Value)]
    # A comparison's immediate has the type of what it is compared with, not of the i1 destination.
    typed_by = memrefs[0] if kind in COMPARISONS and memrefs else dst
    element = ir.ShapedType(typed_by.type).element_type
    scalars = [ir.UnitAttr.get() if isinstance(s, ir.Value) else scalar(s, element) for s in srcs]
    attributes = {
        "kind": kind, "bounds": map_array(bounds), "maps": map_array(maps),
        "scalars": ir.ArrayAttr.get(scalars), "schedule": schedule,
    }  # fmt: skip
    if copies > 1:
        attributes[COPIES] = i64(copies)
    given = [int(isinstance(s, ir.Value)) for s in srcs]
    segments = [1, *given, *[0] * (MAX_SOURCES - len(given)), len(symbols)]
    return create("vector", attributes, operands=[dst, *memrefs, *symbols], segments=segments, loc=loc)


def send(
    colour: str,
    src: ir.Value,
    bounds: Sequence[ir.AffineMap],
    amap: ir.AffineMap,
    symbols: Sequence[ir.Value],
    *,
    thread: int = 0,
    packed: bool = True,
    loc: Loc = None,
) -> Any:
    """Sends elements of `src` as wavelets of `colour`; `thread` 0 waits, 1 and up run beside."""
    attributes = {
        "colour": symbol(colour), "bounds": map_array(bounds), "map": ir.AffineMapAttr.get(amap),
        "thread": thread, "packed": int(packed),
    }  # fmt: skip
    return create("send", attributes, operands=[src, *symbols], segments=[1, len(symbols)], loc=loc)


def receive(
    colour: str,
    dst: ir.Value,
    bounds: Sequence[ir.AffineMap],
    amap: ir.AffineMap,
    symbols: Sequence[ir.Value],
    *,
    combine: str = "store",
    thread: int = 0,
    loc: Loc = None,
) -> Any:
    """Takes elements of `colour` into `dst`; `combine`: store, add, mul, max, min."""
    attributes = {
        "colour": symbol(colour), "bounds": map_array(bounds), "map": ir.AffineMapAttr.get(amap),
        "combine": combine, "thread": thread,
    }  # fmt: skip
    return create("receive", attributes, operands=[dst, *symbols], segments=[1, len(symbols)], loc=loc)


def relay(
    receive: str,
    send: str,
    bounds: Sequence[ir.AffineMap],
    symbols: Sequence[ir.Value],
    *,
    own: tuple[ir.Value, ir.AffineMap] | None = None,
    dst: tuple[ir.Value, ir.AffineMap] | None = None,
    combine: str = "",
    thread: int = 0,
    loc: Loc = None,
) -> Any:
    """Takes from `receive`, combines with `own`, sends as `send`, and stores to `dst` when given.

    `own` and `dst` are (memref, access). `combine` defaults to add, or to store without `own`.
    """
    given = [access for access in (own, dst) if access is not None]
    attributes = {
        "receive": symbol(receive), "send": symbol(send), "bounds": map_array(bounds),
        "maps": map_array([amap for _, amap in given]),
        "combine": combine or ("store" if own is None else "add"), "thread": thread,
    }  # fmt: skip
    segments = [int(own is not None), int(dst is not None), len(symbols)]
    operands = [*(value for value, _ in given), *symbols]
    return create("relay", attributes, operands=operands, segments=segments, loc=loc)


def join(threads: Sequence[int], *, tasks: bool = False, loc: Loc = None) -> Any:
    """Waits for microthreads; with `tasks` each one's end activates a task."""
    return create("join", {"threads": i64_array(threads), "tasks": int(tasks)}, loc=loc)


def control(unit: str, count: ir.AffineMap, symbols: Sequence[ir.Value], *, loc: Loc = None) -> Any:
    """Scalar code that costs `count` times `unit`."""
    attributes = {"unit": unit, "count": ir.AffineMapAttr.get(count)}
    return create("control", attributes, operands=symbols, segments=[len(symbols)], loc=loc)


def switch(
    colour: str,
    position: ir.AffineMap,
    symbols: Sequence[ir.Value],
    *,
    rewrite: bool = False,
    loc: Loc = None,
) -> Any:
    """Gives the PE's router another setting of `colour`."""
    attributes = {
        "colour": symbol(colour), "position": ir.AffineMapAttr.get(position), "rewrite": int(rewrite),
    }  # fmt: skip
    return create("switch", attributes, operands=symbols, segments=[len(symbols)], loc=loc)


def lookup(table: str, index: ir.Value, *, loc: Loc = None) -> ir.Value:
    """An entry of a table."""
    operands, results = [index], [ir.IndexType.get()]
    return create("lookup", {"table": symbol(table)}, operands=operands, results=results, loc=loc).result
