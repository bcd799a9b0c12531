"""A fabric program: symbols at module level. Each mirrors one class of `wse_target/image.py`."""

from ..host import ir
from .attributes import StridedRectAttr
from .checks import integer, pair
from .dialect import Op, require
from .program_checks import (
    check_buffer_type,
    check_colour_id,
    check_directions,
    check_position,
    check_queues,
    check_specs,
    check_start_position,
    check_strided_rect,
    check_table,
    check_transfer,
)
from .whole_program import check_whole_program


class ProgramOp(Op, name="program"):
    """The program as a whole: machine, rectangle of PEs, and the tensors it takes and gives.

    `grid` = [width, height] and `origin` = [x, y] of the rectangle on the machine. All other coordinates
    are relative to the origin. `inputs` / `outputs` are tensor types, with a name for each.
    """

    sym_name: ir.StringAttr
    machine: ir.StringAttr
    grid: ir.ArrayAttr
    origin: ir.ArrayAttr
    inputs: ir.ArrayAttr
    input_names: ir.ArrayAttr
    outputs: ir.ArrayAttr
    output_names: ir.ArrayAttr

    def check(self) -> None:
        require(self.machine.value, "expects the name or path of a machine")
        width, height = pair(self.grid, "grid")
        require(width > 0 and height > 0, f"expects a grid of at least 1 x 1 PEs, got {width} x {height}")
        x, y = pair(self.origin, "origin")
        require(x >= 0 and y >= 0, f"expects an origin on the wafer, got ({x}, {y})")
        check_specs(self.inputs, self.input_names, "input")
        check_specs(self.outputs, self.output_names, "output")
        check_whole_program(self)


class BufferOp(Op, name="buffer"):
    """A tile in every PE's SRAM. `type` is its memref type, `offset` its first byte, -1 until planned."""

    sym_name: ir.StringAttr
    type: ir.TypeAttr
    offset: ir.IntegerAttr

    def check(self) -> None:
        check_buffer_type(self.type.value, integer(self.offset, "offset"))


class TableOp(Op, name="table"):
    """Numbers that every PE of a class that looks them up holds in its SRAM, 2 bytes an entry; see `wse.lookup`."""

    sym_name: ir.StringAttr
    values: ir.ArrayAttr

    def check(self) -> None:
        check_table(self.values)


class ScalarOp(Op, name="scalar"):
    """A number that the host sends to all PEs at each call: program input `argument`, from `least` to `most`.

    `wse.get_scalar` gives it to program texts.
    """

    sym_name: ir.StringAttr
    argument: ir.IntegerAttr
    least: ir.IntegerAttr
    most: ir.IntegerAttr

    def check(self) -> None:
        least, most = integer(self.least, "least"), integer(self.most, "most")
        require(integer(self.argument, "argument") >= 0, "expects the position of an input, 0 and up")
        require(least <= most, f"is to be from {least} to {most}; expected at least one number")


class ColourOp(Op, name="colour"):
    """A virtual colour; `id` is the hardware colour (0 to 23), -1 until routed.

    `position` is the setting that its routers start with, -1 for none. `input_queue` and `output_queue` are those
    of every PE that receives or sends it; both are -1 for the machine's deepest ones.
    """

    sym_name: ir.StringAttr
    id: ir.IntegerAttr
    position: ir.IntegerAttr
    input_queue: ir.IntegerAttr
    output_queue: ir.IntegerAttr

    def check(self) -> None:
        check_colour_id(self.id)
        check_start_position(self.position)
        check_queues(self.input_queue, self.output_queue)


class RouteOp(Op, name="route"):
    """Router setting of one colour on a strided rectangle: wavelets from `receive` go to all of `send`.

    `position` numbers the colour's settings on these routers: `wse.colour` names the first one, `wse.switch` the next.
    """

    colour: ir.FlatSymbolRefAttr
    where: StridedRectAttr
    receive: ir.StringAttr
    send: ir.ArrayAttr
    position: ir.IntegerAttr

    def check(self) -> None:
        check_directions(self.receive, self.send)
        check_position(self.position)
        check_strided_rect(self.where)


class PEClassOp(Op, name="pe_class"):
    """PEs that share one program text, the function `body`: (%x: index, %y: index) -> ()."""

    sym_name: ir.StringAttr
    where: StridedRectAttr
    body: ir.FlatSymbolRefAttr

    def check(self) -> None:
        check_strided_rect(self.where)


class HostScatterOp(Op, name="host_scatter"):
    """Moves program input `tensor` from the host into one buffer on every PE of `where`.

    `bounds[k]` / `origin[k]`: maps `()[x, y] -> (...)` giving extent and first index (minimum of the results) of
    the PE's block in tensor dimension k. `access`: `(d0, ..)[x, y] -> (buffer indices)` for each element.
    `symbols` is empty, or names a function of (x, y) whose results are further symbols of all these maps.
    `resident` = 1: moved once at load time, as parameters and states are.
    """

    tensor: ir.IntegerAttr
    buffer: ir.FlatSymbolRefAttr
    where: StridedRectAttr
    bounds: ir.ArrayAttr
    origin: ir.ArrayAttr
    access: ir.AffineMapAttr
    symbols: ir.ArrayAttr
    resident: ir.IntegerAttr

    def check(self) -> None:
        check_transfer(self)


class HostGatherOp(Op, name="host_gather"):
    """Moves one buffer on every PE of `where` into program output `tensor`; fields as in `wse.host_scatter`.

    `resident` = 1: a state, which stays where it is until somebody asks for it.
    """

    tensor: ir.IntegerAttr
    buffer: ir.FlatSymbolRefAttr
    where: StridedRectAttr
    bounds: ir.ArrayAttr
    origin: ir.ArrayAttr
    access: ir.AffineMapAttr
    symbols: ir.ArrayAttr
    resident: ir.IntegerAttr

    def check(self) -> None:
        check_transfer(self)
