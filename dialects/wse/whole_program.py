"""What must hold between the symbols of a program: references, types, grid, overlaps, routes.

Run by `wse.program`'s verifier, so that each pass's output is checked once for the whole module, and only where
every symbol is right by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ...wse_target.image import StridedRect
from ...wse_target.layout import common_pe
from ..host import ir
from . import read
from .checks import pair
from .dialect import Invalid, Op, listed, require

# What in a program's body names symbols.
_REFERRING = frozenset(
    {"wse.get_buffer", "wse.send", "wse.receive", "wse.relay", "wse.switch", "wse.lookup", "wse.get_scalar"}
)


@dataclass(frozen=True)
class PlacedSymbol:
    """A symbol together with the PEs it concerns."""

    op: Any
    where: StridedRect


@dataclass
class ProgramSymbols:
    """The module's symbols that make up a program.

    Attributes:
        well_formed: every symbol is right by itself; those that are not are left out.
    """

    programs: list[Any] = field(default_factory=list)
    buffers: dict[str, ir.Type] = field(default_factory=dict)
    colours: set[str] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    scalars: dict[str, Any] = field(default_factory=dict)
    functions: dict[str, Any] = field(default_factory=dict)
    routes: list[PlacedSymbol] = field(default_factory=list)
    classes: list[PlacedSymbol] = field(default_factory=list)
    scatters: list[PlacedSymbol] = field(default_factory=list)
    gathers: list[PlacedSymbol] = field(default_factory=list)
    well_formed: bool = True


def collect(module: ir.Operation) -> ProgramSymbols:
    """Sorts a module's symbols."""
    found = ProgramSymbols()
    placed = {
        "wse.route": found.routes,
        "wse.pe_class": found.classes,
        "wse.host_scatter": found.scatters,
        "wse.host_gather": found.gathers,
    }
    for view in module.regions[0].blocks[0].operations:
        name = view.operation.name
        if name == "wse.program":
            found.programs.append(view)
        elif name == "func.func":
            found.functions[view.name.value] = view
        elif not isinstance(view, Op):
            continue
        elif not _is_well_formed(view):
            found.well_formed = False
        elif name == "wse.buffer":
            found.buffers[view.sym_name.value] = view.type.value
        elif name == "wse.colour":
            found.colours.add(view.sym_name.value)
        elif name == "wse.table":
            found.tables.add(view.sym_name.value)
        elif name == "wse.scalar":
            found.scalars[view.sym_name.value] = view
        elif name in placed:
            placed[name].append(PlacedSymbol(view, read.strided_rect(view.where)))
    return found


def _is_well_formed(op: Any) -> bool:
    """Whether the operation is right by itself; when it is not, its own verifier says so."""
    try:
        op.check_all(op)
        return True
    except Invalid:
        return False


def check_whole_program(program: Any) -> None:
    """Raises `Invalid`, located at the symbol at fault."""
    parent = program.operation.parent
    if parent is None or parent.operation.name != "builtin.module":
        raise Invalid("expects to be at the module's top level")
    symbols = collect(parent.operation)
    require(
        len(symbols.programs) == 1 or symbols.programs[0] == program,
        "is a second program; expected one a module",
    )
    if not symbols.well_formed:  # their own verifiers say why; what follows from it would only distract
        return
    _check_grid(pair(program.grid, "grid"), symbols)
    _check_scalars(program.inputs, symbols)
    _check_classes(symbols)
    _check_routes(symbols)
    _check_transfers(symbols.scatters, "input", program.inputs, symbols)
    _check_transfers(symbols.gathers, "output", program.outputs, symbols)
    names = [placed.op.body.value for placed in symbols.classes]
    for name in names:  # which grow by the routines that they call
        function = symbols.functions[name]
        _check_body(function, symbols)
        called = (op for op in operations_of(function.operation) if op.name == "func.call")
        found = dict.fromkeys(ir.FlatSymbolRefAttr(op.attributes["callee"]).value for op in called)
        names += [name for name in found if name not in names]


def _check_grid(grid: tuple[int, int], symbols: ProgramSymbols) -> None:
    for item in (*symbols.routes, *symbols.classes, *symbols.scatters, *symbols.gathers):
        base, extent, step = item.where.base, item.where.extent, item.where.step
        last = tuple(b + (e - 1) * s for b, e, s in zip(base, extent, step, strict=True))
        inside = all(position < size for position, size in zip(last, grid, strict=True))
        require_at(item.op, inside, f"reaches PE {last}, outside the program's grid of {grid[0]} x {grid[1]}")


def _check_scalars(inputs: ir.Attribute, symbols: ProgramSymbols) -> None:
    """Each is an input of one integer."""
    tensors = read.types(inputs)
    for op in symbols.scalars.values():
        index = read.integer(op.argument)
        require_at(op, index < len(tensors), f"is input {index} of a program that has {len(tensors)}")
        tensor = ir.RankedTensorType(tensors[index])
        single = all(size == 1 for size in tensor.shape) and isinstance(tensor.element_type, ir.IntegerType)
        require_at(op, single, f"is input {index}, a {tensor}; expected a tensor of one integer")


def _check_classes(symbols: ProgramSymbols) -> None:
    for index, item in enumerate(symbols.classes):
        body = item.op.body.value
        function = symbols.functions.get(body)
        if function is None:
            raise Invalid(f"names body '@{body}', which is no function of this module", at=item.op)
        inputs, results = function.type.inputs, function.type.results
        fits = [str(t) for t in inputs] == ["index", "index"] and not results
        require_at(
            item.op, fits, f"has body '@{body}' of type {function.type}; expected (index, index) -> ()"
        )
        for other in symbols.classes[:index]:
            shared = common_pe(item.where, other.where)
            name = other.op.sym_name.value
            require_at(
                item.op, shared is None, f"overlaps class '@{name}' at PE {shared}; expected disjoint classes"
            )


def _check_routes(symbols: ProgramSymbols) -> None:
    """Where two routes of one colour and position meet, they must receive from one side."""
    by_key: dict[tuple[str, int], list[PlacedSymbol]] = {}
    for item in symbols.routes:
        colour = _known(item.op, "colour", symbols.colours)
        earlier = by_key.setdefault((colour, read.integer(item.op.position)), [])
        for other in earlier:
            if item.op.receive == other.op.receive:
                continue
            shared = common_pe(item.where, other.where)
            require_at(
                item.op,
                shared is None,
                f"receives colour '@{colour}' from '{item.op.receive.value}' at PE {shared}, where another route "
                f"receives it from '{other.op.receive.value}'; expected one source a colour and position",
            )
        earlier.append(item)


def _check_transfers(
    transfers: list[PlacedSymbol], what: str, specs: ir.Attribute, symbols: ProgramSymbols
) -> None:
    tensors = read.types(specs)
    for item in transfers:
        op = item.op
        buffer = ir.MemRefType(symbols.buffers[_known(op, "buffer", symbols.buffers)])
        index = read.integer(op.tensor)
        require_at(op, index < len(tensors), f"moves {what} {index} of a program that has {len(tensors)}")
        tensor = ir.RankedTensorType(tensors[index])
        loops, results = len(op.bounds), len(op.access.value.results)
        require_at(op, loops == tensor.rank, f"has {loops} bounds for {what} {index} of rank {tensor.rank}")
        require_at(
            op, results == buffer.rank, f"has {results} access results for a buffer of rank {buffer.rank}"
        )
        _check_transfer_symbols(op, symbols)
        require_at(
            op,
            tensor.element_type == buffer.element_type,
            f"moves {what} {index} of {tensor.element_type} to or from a buffer of {buffer.element_type}",
        )


def _check_transfer_symbols(op: Any, symbols: ProgramSymbols) -> None:
    """The function that a transfer names gives as many numbers as its maps have symbols after x and y."""
    for reference in op.symbols:
        name = ir.FlatSymbolRefAttr(reference).value
        function = symbols.functions.get(name)
        if function is None:
            raise Invalid(f"names function '@{name}', which this module does not have", at=op)
        inputs, results = ([str(t) for t in types] for types in (function.type.inputs, function.type.results))
        wanted = op.access.value.n_symbols - 2  # x and y are there without it
        require_at(
            op,
            inputs == ["index"] * 2 and results == ["index"] * wanted,
            f"names function '@{name}' of type {function.type}; expected (index, index) to {wanted} index",
        )


def _check_body(function: Any, symbols: ProgramSymbols) -> None:
    for op in operations_of(function.operation):
        if op.name not in _REFERRING or not _is_well_formed(op.opview):
            continue
        if op.name == "wse.get_buffer":
            name = _known(op, "buffer", symbols.buffers)
            declared, result = symbols.buffers[name], op.results[0].type
            require_at(op, declared == result, f"yields {result}, but buffer '@{name}' is {declared}")
        elif op.name == "wse.relay":
            _known(op, "receive", symbols.colours)
            _known(op, "send", symbols.colours)
        elif op.name == "wse.lookup":
            _known(op, "table", symbols.tables)
        elif op.name == "wse.get_scalar":
            _known(op, "scalar", symbols.scalars)
        else:
            _known(op, "colour", symbols.colours)


def operations_of(function: ir.Operation) -> Iterator[ir.Operation]:
    """Every operation below `function`, outer before inner, in order."""
    for region in function.regions:
        for block in region.blocks:
            for view in block.operations:
                yield view.operation
                yield from operations_of(view.operation)


def _known(op: Any, attribute: str, symbols: Any) -> str:
    """The symbol that `attribute` names; it must exist."""
    name = ir.FlatSymbolRefAttr(op.attributes[attribute]).value
    kind = attribute if attribute in ("buffer", "table", "scalar") else "colour"
    require_at(
        op, name in symbols, f"names {kind} '@{name}'; this module has {listed(sorted(symbols)) or 'none'}"
    )
    return name


def require_at(op: Any, condition: bool, message: str) -> None:
    """Raises `Invalid` located at `op` unless `condition` holds."""
    if not condition:
        raise Invalid(message, at=op)
