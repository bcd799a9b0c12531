"""Builds `wse` attributes and operations from plain Python values, at the current insertion point.

Use these and not the operation classes' constructors: those take an empty array for a missing attribute.
Every function takes `loc`, the location of the new operation (default: the current one).
Layouts may be given as `TensorLayout` or as attribute, strided rectangles as `StridedRect` or as attribute.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..host import ir
from .build_pe import control as control
from .build_pe import get_buffer as get_buffer
from .build_pe import get_scalar as get_scalar
from .build_pe import indexed as indexed
from .build_pe import join as join
from .build_pe import lookup as lookup
from .build_pe import phase as phase
from .build_pe import receive as receive
from .build_pe import relay as relay
from .build_pe import send as send
from .build_pe import switch as switch
from .build_pe import vector as vector
from .create import Loc, create, symbol
from .encode import EncodedNumber as EncodedNumber
from .encode import LayoutLike as LayoutLike
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

# Logical operations: a tensor in, the same tensor elsewhere out


def _move(name: str, tensor: ir.Value, attributes: dict[str, Any], loc: Loc) -> ir.Value:
    return create(name, attributes, operands=[tensor], results=[tensor.type], loc=loc).result


def scatter(tensor: ir.Value, to: LayoutLike, *, loc: Loc = None) -> ir.Value:
    """Host -> fabric."""
    return _move("scatter", tensor, {"layout": layout(to)}, loc)


def gather(tensor: ir.Value, where: LayoutLike, *, loc: Loc = None) -> ir.Value:
    """Fabric, where the tensor lives as `where` says -> host."""
    return _move("gather", tensor, {"layout": layout(where)}, loc)


def redistribute(
    tensor: ir.Value, source: LayoutLike, to: LayoutLike, *, steps: Sequence[str] = (), loc: Loc = None
) -> ir.Value:
    """One layout -> another, by these steps (none: by the fastest)."""
    attributes = {"source_layout": layout(source), "layout": layout(to), "steps": string_array(steps)}
    return _move("redistribute", tensor, attributes, loc)


def stream_in(tensor: ir.Value, rows: int, *, loc: Loc = None) -> ir.Value:
    """From the region to the west, whose rows have blocks of dimension `rows`, or the whole (-1)."""
    return _move("stream_in", tensor, {"rows": rows}, loc)


def stream_out(tensor: ir.Value, *, loc: Loc = None) -> ir.Value:
    """To the region to the east."""
    return _move("stream_out", tensor, {}, loc)


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
    return create("program", attributes, loc=loc)


def buffer(name: str, memref_type: ir.Type, *, offset: int = -1, loc: Loc = None) -> Any:
    """A tile in every PE's SRAM, `offset` bytes from its start (-1: not planned yet)."""
    attributes = {"sym_name": name, "type": ir.TypeAttr.get(memref_type), "offset": offset}
    return create("buffer", attributes, loc=loc)


def scalar_input(name: str, argument: int, least: int, most: int, *, loc: Loc = None) -> Any:
    """A number that the host sends to all PEs at each call."""
    return create("scalar", {"sym_name": name, "argument": argument, "least": least, "most": most}, loc=loc)


def table(name: str, values: Sequence[int], *, loc: Loc = None) -> Any:
    """Numbers that PEs look up."""
    return create("table", {"sym_name": name, "values": i64_array(values)}, loc=loc)


def colour(
    name: str, *, id: int = -1, position: int = 0, queues: tuple[int, int] = (-1, -1), loc: Loc = None
) -> Any:
    """A virtual colour; `id` is the hardware's, -1 until routed; `queues` are (input, output), -1 for the deepest."""
    attributes = {
        "sym_name": name, "id": id, "position": position, "input_queue": queues[0], "output_queue": queues[1],
    }  # fmt: skip
    return create("colour", attributes, loc=loc)


def route(
    colour: str,
    where: WhereLike,
    receive: str,
    send: Sequence[str],
    *,
    position: int = 0,
    loc: Loc = None,
) -> Any:
    """Router setting: on `where`, wavelets of `colour` from `receive` go to all of `send`."""
    attributes = {
        "colour": symbol(colour), "where": strided_rect(where), "receive": receive,
        "send": string_array(send), "position": position,
    }  # fmt: skip
    return create("route", attributes, loc=loc)


def pe_class(name: str, where: WhereLike, body: str, *, loc: Loc = None) -> Any:
    """PEs that run function `body`; `name` must differ from it (one symbol table)."""
    attributes = {"sym_name": name, "where": strided_rect(where), "body": symbol(body)}
    return create("pe_class", attributes, loc=loc)


@dataclass(frozen=True)
class TransferMaps:
    """How a tensor's elements sit in the buffers of PEs.

    Attributes:
        bounds / origin: `()[x, y, ..] -> (..)` for each tensor dimension, the minimum of the results.
        access: `(d0, ..)[x, y, ..] -> (buffer indices)`.
        symbols: name of a function of (x, y) whose results are the maps' symbols after x and y; "" for none.
    """

    bounds: Sequence[ir.AffineMap]
    origin: Sequence[ir.AffineMap]
    access: ir.AffineMap
    symbols: str = ""


def _host_transfer(
    name: str, tensor: int, buffer: str, where: WhereLike, maps: TransferMaps, resident: bool, loc: Loc
) -> Any:
    attributes = {
        "tensor": tensor, "buffer": symbol(buffer), "where": strided_rect(where),
        "bounds": map_array(maps.bounds), "origin": map_array(maps.origin),
        "access": ir.AffineMapAttr.get(maps.access),
        "symbols": ir.ArrayAttr.get([symbol(maps.symbols)] if maps.symbols else []),
        "resident": int(resident),
    }  # fmt: skip
    return create(name, attributes, loc=loc)


def host_scatter(
    tensor: int, buffer: str, where: WhereLike, maps: TransferMaps, *, resident: bool = False, loc: Loc = None
) -> Any:
    """Host -> buffers."""
    return _host_transfer("host_scatter", tensor, buffer, where, maps, resident, loc)


def host_gather(
    tensor: int, buffer: str, where: WhereLike, maps: TransferMaps, *, resident: bool = False, loc: Loc = None
) -> Any:
    """Buffers -> host; arguments as for `host_scatter`."""
    return _host_transfer("host_gather", tensor, buffer, where, maps, resident, loc)
