"""Checks of one module-level symbol on its own; what concerns several is in `whole_program.py`."""

from typing import Any

from ...wse_target.instructions import DTYPE_BYTES
from ..host import ir
from . import read
from .access_checks import check_access, check_bounds
from .attributes import SramAttr
from .checks import check_element_type, flag, integer, integers, one_of, strings
from .dialect import Invalid, require

COLOURS = 24
DIRECTIONS = ("north", "east", "south", "west", "ramp")
COORDINATES = 2  # symbols of a transfer's maps: x and y


def check_specs(types: ir.Attribute, names: ir.Attribute, what: str) -> None:
    """Static tensor types with a name each."""
    labels = strings(names, f"{what} names")
    for item in ir.ArrayAttr(types):
        tensor = item.value if isinstance(item, ir.TypeAttr) else None
        if not isinstance(tensor, ir.RankedTensorType) or not tensor.has_static_shape:
            raise Invalid(f"expects each {what} to be a static tensor type, got {item}")
        check_element_type(tensor.element_type, f"an {what}")
    count = len(ir.ArrayAttr(types))
    require(
        count == len(labels), f"has {count} {what} types and {len(labels)} {what} names; expected as many"
    )
    require(len(set(labels)) == len(labels), f"names an {what} twice: {list(labels)}")


def check_buffer_type(buffer_type: ir.Type, offset: int) -> None:
    """A static, row-major memref of an element type that PEs know, at an aligned offset."""
    if not isinstance(buffer_type, ir.MemRefType) or not buffer_type.has_static_shape:
        raise Invalid(f"expects a static memref type, got {buffer_type}")
    require(
        buffer_type.affine_map == ir.AffineMap.get_identity(buffer_type.rank),
        f"expects a row-major memref without a layout map, got {buffer_type}",
    )
    check_element_type(buffer_type.element_type, "a buffer")
    size = DTYPE_BYTES[str(buffer_type.element_type)]
    require(offset >= -1, f"has offset {offset}; expected bytes from the start of SRAM, or -1 for none yet")
    require(offset == -1 or offset % size == 0, f"has offset {offset}; expected a multiple of {size} bytes")
    space = buffer_type.memory_space
    if space is not None:
        require(isinstance(space, SramAttr), f"is in memory space {space}; expected #wse.sram or none")
        at = read.sram_offset(buffer_type)
        require(at == offset, f"has offset {offset}, but its type says {at}")


def check_colour_id(identifier: ir.Attribute) -> None:
    """A hardware colour, or -1 before routing."""
    value = integer(identifier, "id")
    require(-1 <= value < COLOURS, f"has id {value}; expected 0 to {COLOURS - 1}, or -1 until routed")


def check_directions(receive: ir.StringAttr, send: ir.Attribute) -> None:
    """One direction in, at least one out, none both."""
    source = one_of(receive, "direction", DIRECTIONS)
    targets = strings(send, "send")
    require(targets, "sends nowhere; expected at least one direction")
    require(len(set(targets)) == len(targets), f"names a direction twice in send: {list(targets)}")
    for item in ir.ArrayAttr(send):
        one_of(ir.StringAttr(item), "direction", DIRECTIONS)
    require(source not in targets, f"sends wavelets back to '{source}', where they come from")


def check_position(position: ir.Attribute) -> None:
    """The number of a router's setting; how many can be switched to without a rewrite is the machine's matter."""
    value = integer(position, "position")
    require(value >= 0, f"has position {value}; expected 0 and up")


def check_start_position(position: ir.Attribute) -> None:
    """The number of a setting, or -1 for routers that start without one."""
    value = integer(position, "position")
    require(value >= -1, f"has start position {value}; expected 0 and up, or -1 for none")


def check_queues(input_queue: ir.Attribute, output_queue: ir.Attribute) -> None:
    """Two queue ids, or -1 twice."""
    pair = integer(input_queue, "input_queue"), integer(output_queue, "output_queue")
    require(
        pair == (-1, -1) or min(pair) >= 0,
        f"has queues {pair[0]} (input) and {pair[1]} (output); expected 0 and up, or -1 for both",
    )


def check_table(values: ir.Attribute) -> None:
    """At least one entry, each a signed number of 2 bytes."""
    entries = integers(values, "values")
    require(entries, "has no values; expected at least one")
    for entry in entries:
        require(-(2**15) <= entry < 2**15, f"has the value {entry}; expected numbers of 2 bytes")


def check_strided_rect(where: ir.Attribute) -> None:
    """At least one PE, none at a negative coordinate, steps forward."""
    rect = read.strided_rect(where)
    require(min(rect.base) >= 0, f"starts at PE {rect.base}; expected coordinates of 0 and up")
    require(min(rect.extent) > 0, f"has extent {rect.extent}; expected at least 1 x 1 PEs")
    require(min(rect.step) > 0, f"has step {rect.step}; expected 1 and up")


def check_transfer(op: Any) -> None:
    """Fields of a host scatter or gather on their own."""
    check_strided_rect(op.where)
    require(integer(op.tensor, "tensor") >= 0, "expects the position of a tensor, 0 and up")
    symbols = _transfer_symbols(op)
    loops = check_bounds(op.bounds, symbols)
    origins = check_bounds(op.origin, symbols, "origin")
    require(loops == origins, f"has {loops} bounds and {origins} origins; expected one each per dimension")
    check_access(op.access, loops, symbols, None, "access")
    flag(op.resident, "resident")


def _transfer_symbols(op: Any) -> int:
    """How many symbols a transfer's maps have: x, y and the results of the function it names, if any."""
    named = list(op.symbols)
    if not named:
        return COORDINATES
    require(
        len(named) == 1 and isinstance(named[0], ir.FlatSymbolRefAttr),
        f"has symbols {op.symbols}; expected nothing, or the name of one function",
    )
    count = op.access.value.n_symbols
    require(count > COORDINATES, f"has {count} symbols in access {op.access.value}; expected x, y and more")
    return count
