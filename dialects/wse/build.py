"""Builds `wse` attributes and operations from plain Python values, at the current insertion point.

Use these and not the operation classes' constructors: those take an empty array for a missing attribute.
Every function takes `loc`, the location of the new operation (default: the current one).
Layouts may be given as `Layout` or as attribute, strided rectangles as `StridedRect` or as attribute.
"""

from collections.abc import Sequence
from typing import Any

from ..host import ir
from .encode import LayoutLike as LayoutLike
from .encode import Scalar as Scalar
from .encode import WhereLike as WhereLike
from .encode import i64 as i64
from .encode import i64_array as i64_array
from .encode import layout as layout
from .encode import map_array as map_array
from .encode import rect as rect
from .encode import scalar as scalar
from .encode import sram as sram
from .encode import strided_rect as strided_rect
from .encode import string_array as string_array

Loc = ir.Location | None
MAX_SOURCES = 3
COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})


def _symbol(name: str) -> ir.FlatSymbolRefAttr:
    return ir.FlatSymbolRefAttr.get(name)


def _create(
    name: str,
    attributes: dict[str, Any],
    *,
    operands: Sequence[ir.Value] = (),
    segments: Sequence[int] | None = None,
    results: Sequence[ir.Type] = (),
    loc: Loc = None,
) -> Any:
    """Creates `wse.name`; strings and integers among the attributes are converted."""
    attrs: dict[str, ir.Attribute] = {
        key: ir.StringAttr.get(v) if isinstance(v, str) else i64(v) if isinstance(v, int) else v
        for key, v in attributes.items()
    }
    if segments is not None:
        attrs["operandSegmentSizes"] = ir.DenseI32ArrayAttr.get(list(segments))
    op = ir.Operation.create(
        f"wse.{name}", results=list(results), operands=list(operands), attributes=attrs, loc=loc
    )
    return op.opview


# Logical operations: a tensor in, the same tensor elsewhere out


def _move(name: str, tensor: ir.Value, attributes: dict[str, Any], loc: Loc) -> ir.Value:
    return _create(name, attributes, operands=[tensor], results=[tensor.type], loc=loc).result


def scatter(tensor: ir.Value, to: LayoutLike, *, loc: Loc = None) -> ir.Value:
    """Host -> fabric."""
    return _move("scatter", tensor, {"layout": layout(to)}, loc)


def gather(tensor: ir.Value, where: LayoutLike, *, loc: Loc = None) -> ir.Value:
    """Fabric, where the tensor lives as `where` says -> host."""
    return _move("gather", tensor, {"layout": layout(where)}, loc)


def redistribute(tensor: ir.Value, source: LayoutLike, to: LayoutLike, *, loc: Loc = None) -> ir.Value:
    """One layout -> another."""
    return _move("redistribute", tensor, {"source_layout": layout(source), "layout": layout(to)}, loc)


def transpose_distribution(
    tensor: ir.Value, source: LayoutLike, to: LayoutLike, *, loc: Loc = None
) -> ir.Value:
    """Swaps the grid axes of a layout on a square rectangle."""
    return _move(
        "transpose_distribution", tensor, {"source_layout": layout(source), "layout": layout(to)}, loc
    )


def all_reduce(
    tensor: ir.Value, axis: str, kind: str, where: LayoutLike, *, algorithm: str = "", loc: Loc = None
) -> ir.Value:
    """Combines partial results along `axis` on every PE; `kind`: add, mul, max, min."""
    attributes = {"axis": axis, "kind": kind, "algorithm": algorithm, "layout": layout(where)}
    return _move("all_reduce", tensor, attributes, loc)


def reduce(
    tensor: ir.Value,
    axis: str,
    kind: str,
    where: LayoutLike,
    *,
    root: int = 0,
    algorithm: str = "",
    loc: Loc = None,
) -> ir.Value:
    """Combines partial results along `axis` on the PE at position `root` of each line."""
    attributes = {"axis": axis, "kind": kind, "root": root, "algorithm": algorithm, "layout": layout(where)}
    return _move("reduce", tensor, attributes, loc)


def broadcast(
    tensor: ir.Value, axis: str, where: LayoutLike, *, root: int = 0, algorithm: str = "", loc: Loc = None
) -> ir.Value:
    """Copies the block of the PE at `root` to every PE along `axis`."""
    attributes = {"axis": axis, "root": root, "algorithm": algorithm, "layout": layout(where)}
    return _move("broadcast", tensor, attributes, loc)


def all_gather(
    tensor: ir.Value,
    axis: str,
    dim: int,
    source: LayoutLike,
    to: LayoutLike,
    *,
    algorithm: str = "",
    loc: Loc = None,
) -> ir.Value:
    """Makes dimension `dim`, split along `axis` in `source`, whole on every PE."""
    attributes = {
        "axis": axis, "dim": dim, "algorithm": algorithm,
        "source_layout": layout(source), "layout": layout(to),
    }  # fmt: skip
    return _move("all_gather", tensor, attributes, loc)


def reduce_scatter(
    tensor: ir.Value,
    axis: str,
    kind: str,
    dim: int,
    source: LayoutLike,
    to: LayoutLike,
    *,
    algorithm: str = "",
    loc: Loc = None,
) -> ir.Value:
    """Combines partial results along `axis`, leaving dimension `dim` split along it."""
    attributes = {
        "axis": axis, "kind": kind, "dim": dim, "algorithm": algorithm,
        "source_layout": layout(source), "layout": layout(to),
    }  # fmt: skip
    return _move("reduce_scatter", tensor, attributes, loc)


def shift(
    tensor: ir.Value, axis: str, distance: int, where: LayoutLike, *, wrap: bool = False, loc: Loc = None
) -> ir.Value:
    """Blocks move `distance` PEs along `axis`, round the end when `wrap`."""
    attributes = {"axis": axis, "distance": distance, "wrap": int(wrap), "layout": layout(where)}
    return _move("shift", tensor, attributes, loc)


def halo_exchange(
    tensor: ir.Value, low: Sequence[int], high: Sequence[int], where: LayoutLike, *, loc: Loc = None
) -> ir.Value:
    """Adds borders of `low[k]` / `high[k]` neighbouring elements to every block in dimension k."""
    attributes = {"low": i64_array(low), "high": i64_array(high), "layout": layout(where)}
    return _move("halo_exchange", tensor, attributes, loc)


# Program symbols


Specs = Sequence[tuple[str, ir.Type]]


def program(
    name: str,
    machine: str,
    grid: tuple[int, int],
    inputs: Specs,
    outputs: Specs,
    *,
    origin: tuple[int, int] = (0, 0),
    loc: Loc = None,
) -> Any:
    """The program on `grid` = (width, height) PEs; inputs and outputs are (name, tensor type)."""
    attributes = {"sym_name": name, "machine": machine, "grid": i64_array(grid), "origin": i64_array(origin)}
    for what, specs in (("input", inputs), ("output", outputs)):
        attributes[f"{what}s"] = ir.ArrayAttr.get([ir.TypeAttr.get(t) for _, t in specs])
        attributes[f"{what}_names"] = string_array([n for n, _ in specs])
    return _create("program", attributes, loc=loc)


def buffer(name: str, memref_type: ir.Type, *, offset: int = -1, loc: Loc = None) -> Any:
    """A tile in every PE's SRAM, `offset` bytes from its start (-1: not planned yet)."""
    attributes = {"sym_name": name, "type": ir.TypeAttr.get(memref_type), "offset": offset}
    return _create("buffer", attributes, loc=loc)


def colour(name: str, *, id: int = -1, loc: Loc = None) -> Any:
    """A virtual colour; `id` is the hardware's, -1 until routed."""
    return _create("colour", {"sym_name": name, "id": id}, loc=loc)


def route(
    colour: str,
    where: WhereLike,
    receive: str,
    send: Sequence[str],
    *,
    position: int = 0,
    phases: Sequence[str] = (),
    loc: Loc = None,
) -> Any:
    """Router setting: on `where`, wavelets of `colour` from `receive` go to all of `send`."""
    attributes = {
        "colour": _symbol(colour), "where": strided_rect(where), "receive": receive,
        "send": string_array(send), "position": position, "phases": string_array(phases),
    }  # fmt: skip
    return _create("route", attributes, loc=loc)


def pe_class(name: str, where: WhereLike, body: str, *, loc: Loc = None) -> Any:
    """PEs that run function `body`; `name` must differ from it (one symbol table)."""
    attributes = {"sym_name": name, "where": strided_rect(where), "body": _symbol(body)}
    return _create("pe_class", attributes, loc=loc)


def _host_transfer(
    name: str, tensor: int, buffer: str, where: WhereLike, rest: dict[str, Any], loc: Loc
) -> Any:
    attributes = {
        "tensor": tensor, "buffer": _symbol(buffer), "where": strided_rect(where),
        "bounds": map_array(rest["bounds"]), "origin": map_array(rest["origin"]),
        "access": ir.AffineMapAttr.get(rest["access"]), "resident": int(rest["resident"]),
    }  # fmt: skip
    return _create(name, attributes, loc=loc)


def host_scatter(
    tensor: int,
    buffer: str,
    where: WhereLike,
    bounds: Sequence[ir.AffineMap],
    origin: Sequence[ir.AffineMap],
    access: ir.AffineMap,
    *,
    resident: bool = False,
    loc: Loc = None,
) -> Any:
    """Host -> buffers. Maps: bounds, origin `()[x, y] -> (..)`, access `(d..)[x, y] -> (indices)`."""
    rest = {"bounds": bounds, "origin": origin, "access": access, "resident": resident}
    return _host_transfer("host_scatter", tensor, buffer, where, rest, loc)


def host_gather(
    tensor: int,
    buffer: str,
    where: WhereLike,
    bounds: Sequence[ir.AffineMap],
    origin: Sequence[ir.AffineMap],
    access: ir.AffineMap,
    *,
    resident: bool = False,
    loc: Loc = None,
) -> Any:
    """Buffers -> host; arguments as for `host_scatter`."""
    rest = {"bounds": bounds, "origin": origin, "access": access, "resident": resident}
    return _host_transfer("host_gather", tensor, buffer, where, rest, loc)


# PE operations


def phase(label: str, *, loc: Loc = None) -> Any:
    """Starts a phase."""
    return _create("phase", {"label": label}, loc=loc)


def get_buffer(name: str, memref_type: ir.Type, *, loc: Loc = None) -> ir.Value:
    """The PE's copy of a buffer."""
    return _create("get_buffer", {"buffer": _symbol(name)}, results=[memref_type], loc=loc).result


def vector(
    kind: str,
    dst: ir.Value,
    srcs: Sequence[ir.Value | Scalar | ir.Attribute],
    bounds: Sequence[ir.AffineMap],
    maps: Sequence[ir.AffineMap],
    symbols: Sequence[ir.Value],
    *,
    schedule: str = "mapped",
    loc: Loc = None,
) -> Any:
    """`dst[...] = kind(srcs[...])`; numbers among `srcs` are immediates.

    `maps`: the destination's access, then one for each source that is a memref.
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
    given = [int(isinstance(s, ir.Value)) for s in srcs]
    segments = [1, *given, *[0] * (MAX_SOURCES - len(given)), len(symbols)]
    return _create("vector", attributes, operands=[dst, *memrefs, *symbols], segments=segments, loc=loc)


def send(
    colour: str,
    src: ir.Value,
    bounds: Sequence[ir.AffineMap],
    amap: ir.AffineMap,
    symbols: Sequence[ir.Value],
    *,
    thread: int = 0,
    loc: Loc = None,
) -> Any:
    """Sends elements of `src` as wavelets of `colour`; `thread` 0 waits, 1 and up run beside."""
    attributes = {
        "colour": _symbol(colour), "bounds": map_array(bounds), "map": ir.AffineMapAttr.get(amap),
        "thread": thread,
    }  # fmt: skip
    return _create("send", attributes, operands=[src, *symbols], segments=[1, len(symbols)], loc=loc)


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
        "colour": _symbol(colour), "bounds": map_array(bounds), "map": ir.AffineMapAttr.get(amap),
        "combine": combine, "thread": thread,
    }  # fmt: skip
    return _create("receive", attributes, operands=[dst, *symbols], segments=[1, len(symbols)], loc=loc)


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
        "receive": _symbol(receive), "send": _symbol(send), "bounds": map_array(bounds),
        "maps": map_array([amap for _, amap in given]),
        "combine": combine or ("store" if own is None else "add"), "thread": thread,
    }  # fmt: skip
    segments = [int(own is not None), int(dst is not None), len(symbols)]
    operands = [*(value for value, _ in given), *symbols]
    return _create("relay", attributes, operands=operands, segments=segments, loc=loc)


def join(threads: Sequence[int], *, loc: Loc = None) -> Any:
    """Waits for microthreads."""
    return _create("join", {"threads": i64_array(threads)}, loc=loc)
