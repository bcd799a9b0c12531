"""A compact rendering of an executable program for people; it is not meant to be parsed.

program @sum on tiny, 4 x 1 PEs at (2, 3)
  in  0 x: tensor<16xf32>
  buffers
         0 +16     @part  memref<4xf32>
  colours
    @even  id 5
      ramp -> east  on (0..2:2, 0)
  host
    in  0 -> part[i] on (0..3, 0): [min(4, 16 - x * 4)] from [x * 4]
  class @first on (0, 0): @first_body
    phase scale, from fc1 (model.py:12, aten.linear)
    mul part[i] = part[i], scale[]  for i < min(4, 16 - x * 4)

Coordinates are relative to the program's origin; `0..2:2` has a step of 2; buffers show offset and bytes.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from ...wse_target.image import StridedRect
from ...wse_target.instructions import DTYPE_BYTES
from ..host import ir
from ..provenance import read_location
from . import read
from .affine_text import index_names, render, render_bound
from .indexed_checks import indexed_chain, unmoved
from .whole_program import PlacedSymbol, ProgramSymbols, collect


def print_program(module: ir.Module | ir.Operation) -> str:
    """The program that a module at the executable stage holds, as text; "" when it holds none."""
    with module.context:
        return _print_in_context(module.operation)


def _print_in_context(module: ir.Operation) -> str:
    symbols = collect(module)
    if not symbols.programs:
        return ""
    lines = [*_header(symbols.programs[0])]
    lines += _section("buffers", _buffers(module))
    lines += _section("colours", _colours(module.operation, symbols.routes))
    lines += _section("tables", _tables(module))
    lines += _section("scalars", _scalars(module))
    lines += _section("host", _transfers(symbols))
    bodies = {item.op.body.value for item in symbols.classes}
    for name, function in symbols.functions.items():
        if name not in bodies and not function.type.results:  # those with results are for host transfers
            lines += [f"  routine @{name}", *_Body(function).lines()]
    for item in symbols.classes:
        body = item.op.body.value
        lines.append(f"  class @{item.op.sym_name.value} on {where_text(item.where)}: @{body}")
        function = symbols.functions.get(body)
        if function is not None:
            lines += _Body(function).lines()
    return "\n".join(lines) + "\n"


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"  {title}", *(f"    {line}" for line in lines)] if lines else []


def _header(program: Any) -> Iterator[str]:
    width, height = read.integers(program.grid)
    x, y = read.integers(program.origin)
    yield f"program @{program.sym_name.value} on {program.machine.value}, {width} x {height} PEs at ({x}, {y})"
    for what, types, names in (
        ("in ", program.inputs, program.input_names),
        ("out", program.outputs, program.output_names),
    ):
        for position, (tensor, name) in enumerate(zip(read.types(types), read.strings(names), strict=True)):
            yield f"  {what} {position} {name}: {tensor}"


def where_text(where: StridedRect) -> str:
    """A strided rectangle: "(0..3, 2)", with ":2" for a step of 2."""
    parts = []
    for base, extent, step in zip(where.base, where.extent, where.step, strict=True):
        last = base + (extent - 1) * step
        parts.append(str(base) if extent == 1 else f"{base}..{last}" + (f":{step}" if step > 1 else ""))
    return f"({', '.join(parts)})"


def _symbols_named(module: ir.Operation, name: str) -> list[Any]:
    return [view for view in module.regions[0].blocks[0].operations if view.operation.name == name]


def _buffers(module: ir.Operation) -> list[str]:
    rows = []
    for buffer in _symbols_named(module, "wse.buffer"):
        memref = ir.MemRefType(buffer.type.value)
        size = DTYPE_BYTES.get(str(memref.element_type), 0)
        for extent in memref.shape:
            size *= extent
        rows.append((read.integer(buffer.offset), size, buffer.sym_name.value, memref))
    rows.sort(key=lambda row: row[0])  # stable: buffers that share an offset stay in their order
    place = [f"{offset:6d}" if offset >= 0 else "     ?" for offset, *_ in rows]
    return [
        f"{at} +{size:<6d} @{name}  {memref}" for at, (_, size, name, memref) in zip(place, rows, strict=True)
    ]


def _colours(module: ir.Operation, routes: list[PlacedSymbol]) -> list[str]:
    lines = []
    for colour in _symbols_named(module, "wse.colour"):
        name, identifier = colour.sym_name.value, read.integer(colour.id)
        line = f"@{name}" + (f"  id {identifier}" if identifier >= 0 else "")
        queues = read.integer(colour.input_queue), read.integer(colour.output_queue)
        line += f"  queues {queues[0]} in, {queues[1]} out" if queues[0] >= 0 else ""
        lines.append(line + ("" if read.integer(colour.position) == 0 else f"  {_start(colour)}"))
        lines += [f"  {_route(item)}" for item in routes if item.op.colour.value == name]
    return lines


def _start(colour: Any) -> str:
    position = read.integer(colour.position)
    return "starts unrouted" if position < 0 else f"starts at position {position}"


def _route(item: PlacedSymbol) -> str:
    position = read.integer(item.op.position)
    text = f"{item.op.receive.value} -> {'+'.join(read.strings(item.op.send))}  on {where_text(item.where)}"
    return text + (f", position {position}" if position else "")


def _tables(module: ir.Operation) -> list[str]:
    tables = _symbols_named(module, "wse.table")
    return [f"@{t.sym_name.value} = {', '.join(map(str, read.integers(t.values)))}" for t in tables]


def _scalars(module: ir.Operation) -> list[str]:
    return [
        f"@{s.sym_name.value} = in {read.integer(s.argument)}, {read.integer(s.least)} to {read.integer(s.most)}"
        for s in _symbols_named(module, "wse.scalar")
    ]


def _transfers(symbols: ProgramSymbols) -> list[str]:
    lines = []
    for what, arrow, items in (("in ", "->", symbols.scatters), ("out", "<-", symbols.gathers)):
        for item in items:
            known = _transfer_symbols(item.op, symbols)
            bounds = ", ".join(render_bound(m, known) for m in read.maps(item.op.bounds))
            origins = ", ".join(render_bound(m, known) for m in read.maps(item.op.origin))
            access = render(item.op.access.value, index_names(len(item.op.bounds)), known)
            resident = ", resident" if read.integer(item.op.resident) else ""
            lines.append(
                f"{what} {read.integer(item.op.tensor)} {arrow} {item.op.buffer.value}[{access}] "
                f"on {where_text(item.where)}: [{bounds}] from [{origins}]{resident}"
            )
    return lines


def _transfer_symbols(op: Any, symbols: ProgramSymbols) -> list[str]:
    """What the symbols of a transfer's maps stand for."""
    known = ["x", "y"]
    for reference in op.symbols:
        body = _Body(symbols.functions[ir.FlatSymbolRefAttr(reference).value])
        body.lines()
        known += [body.name(value) for value in list(body.block.operations)[-1].operands]
    return known


class _Body:
    """Renders one class body; values get the names that a reader expects: x, y, loop variables."""

    def __init__(self, function: Any) -> None:
        self.block = function.operation.regions[0].blocks[0]
        further = (f"s{number}" for number in range(len(self.block.arguments)))
        self.names: dict[ir.Value, str] = dict(zip(self.block.arguments, ("x", "y", *further), strict=False))
        self.moves: dict[ir.Value, str] = {}  # what a memref's accesses are moved by
        self.loops = 0

    def lines(self) -> list[str]:
        return self._block(self.block, "    ")

    def _block(self, block: ir.Block, indent: str) -> list[str]:
        lines: list[str] = []
        for view in block.operations:
            name = view.operation.name
            if name == "wse.get_buffer":
                self.names[view.operation.results[0]] = view.operation.attributes["buffer"].value  # type: ignore[attr-defined]
            elif name == "wse.indexed":
                self.moves[view.operation.results[0]] = self._index_text(view)
            elif name == "wse.get_scalar":
                self.names[view.operation.results[0]] = view.operation.attributes["scalar"].value  # type: ignore[attr-defined]
            elif name == "wse.lookup":
                table = view.operation.attributes["table"].value  # type: ignore[attr-defined]
                self.names[view.operation.results[0]] = f"{table}[{self.name(view.operation.operands[0])}]"
            elif name.startswith("wse."):
                lines.append(indent + getattr(self, f"_{name.removeprefix('wse.')}")(view))
            elif name == "scf.for":
                lines += self._loop(view, indent)
            elif name == "func.call":
                variables = [self.name(value) for value in list(view.operation.operands)[2:]]
                called = ir.FlatSymbolRefAttr(view.operation.attributes["callee"]).value
                lines.append(f"{indent}call {called}" + (f" at {', '.join(variables)}" if variables else ""))
            elif name == "scf.index_switch":
                lines += self._choice(view, indent)
            elif name == "arith.constant":
                self.names[view.operation.results[0]] = str(view.operation.attributes["value"]).split(" : ")[
                    0
                ]
            elif name == "arith.muli":
                left, right = (self.name(value) for value in view.operation.operands)
                self.names[view.operation.results[0]] = f"({left}) * ({right})"
            elif name.startswith("affine."):
                self._index(view)
            elif name not in ("func.return", "scf.yield"):
                lines.append(indent + name)
        return lines

    def _loop(self, view: Any, indent: str) -> list[str]:
        self.loops += 1
        variable = f"t{self.loops}"
        block = view.operation.regions[0].blocks[0]
        self.names[block.arguments[0]] = variable
        low, high, step = (self.name(value) for value in view.operation.operands[:3])
        by = "" if step == "1" else f" by {step}"
        return [f"{indent}for {variable} = {low} .. {high}{by}", *self._block(block, indent + "  ")]

    def _choice(self, view: Any, indent: str) -> list[str]:
        lines = [f"{indent}choose {self.name(view.operation.operands[0])}"]
        for number, region in enumerate(list(view.operation.regions)[1:]):
            lines += [f"{indent}{number}:", *self._block(region.blocks[0], indent + "  ")]
        return lines

    def _index(self, view: Any) -> None:
        amap = ir.AffineMapAttr(view.operation.attributes["map"]).value
        operands = [self.name(value) for value in view.operation.operands]
        text = render(amap, operands[: amap.n_dims], operands[amap.n_dims :])
        combine = {"affine.min": "min", "affine.max": "max"}.get(view.operation.name)
        self.names[view.operation.results[0]] = f"{combine}({text})" if combine else text

    def name(self, value: ir.Value) -> str:
        """What a value is called."""
        return self.names.get(value, "?")

    def _access(self, value: ir.Value, amap: ir.AffineMap, op: Any) -> str:
        symbols = [self.name(s) for s in op.symbols]
        moves = "".join(f" + {self.moves[moved.result]}" for moved in reversed(list(indexed_chain(value))))
        return f"{self.name(unmoved(value))}[{render(amap, index_names(amap.n_dims), symbols)}{moves}]"

    def _index_text(self, op: Any) -> str:
        """`6 * (ids[i] - x * 4 < 4)`: elements that an access is moved by, and the positions that there are; a
        question mark where others are left out."""
        symbols = [self.name(s) for s in op.symbols]
        origin, size = render(op.origin.value, (), symbols), render_bound(op.size.value, symbols)
        number = self._access(op.numbers, op.map.value, op) + ("" if origin == "0" else f" - ({origin})")
        return f"{read.integer(op.stride)} * ({number} < {size}{' ?' if read.integer(op.partial) else ''})"

    def _over(self, op: Any) -> str:
        symbols = [self.name(s) for s in op.symbols]
        bounds = [render_bound(m, symbols) for m in read.maps(op.bounds)]
        names = index_names(len(bounds))
        return (
            f"  for {', '.join(f'{n} < {b}' for n, b in zip(names, bounds, strict=True))}" if bounds else ""
        )

    def _phase(self, op: Any) -> str:
        origin = read_location(op.location)
        return f"phase {op.label.value}" + (f", from {origin}" if origin.module_path else "")

    def _vector(self, op: Any) -> str:
        accesses = iter(read.maps(op.maps))
        target = self._access(op.destination, next(accesses), op)
        sources = [
            str(immediate) if source is None else self._access(source, next(accesses), op)
            for source, immediate in zip(op.sources, read.scalars(op.scalars), strict=True)
        ]
        kind = op.kind.value
        equals = "+=" if kind == "fma" else "="
        schedule = op.schedule.value
        # A single loop is run by one operation in either way.
        shown = schedule == "scalar" or (schedule == "looped" and len(op.bounds) > 1)
        how = f"  {schedule}" if shown else ""
        return f"{kind} {target} {equals} {', '.join(sources)}{self._over(op)}{how}"

    def _send(self, op: Any) -> str:
        source = self._access(op.source, op.map.value, op)
        how = "" if read.integer(op.packed) else "  unpacked"
        return f"send {op.colour.value} <- {source}{self._over(op)}{how}{_thread(op)}"

    def _receive(self, op: Any) -> str:
        combine = op.combine.value
        how = "" if combine == "store" else f" {combine}"
        target = self._access(op.destination, op.map.value, op)
        return f"receive {op.colour.value} ->{how} {target}{self._over(op)}{_thread(op)}"

    def _relay(self, op: Any) -> str:
        accesses = iter(read.maps(op.maps))
        text = f"relay {op.receive.value}"
        if op.own is not None:
            text += f" {op.combine.value} {self._access(op.own, next(accesses), op)}"
        text += f" -> {op.send.value}"
        if op.destination is not None:
            text += f" and {self._access(op.destination, next(accesses), op)}"
        return text + self._over(op) + _thread(op)

    def _join(self, op: Any) -> str:
        how = "  by tasks" if read.integer(op.tasks) else ""
        return f"join {_numbers(read.integers(op.threads))}{how}"

    def _number(self, amap: ir.AffineMap, op: Any) -> str:
        return render(amap, (), [self.name(s) for s in op.symbols])

    def _control(self, op: Any) -> str:
        return f"control {op.unit.value} x {self._number(op.count.value, op)}"

    def _switch(self, op: Any) -> str:
        how = "  by rewrite" if read.integer(op.rewrite) else ""
        return f"switch {op.colour.value} to position {self._number(op.position.value, op)}{how}"


def _thread(op: Any) -> str:
    thread = read.integer(op.thread)
    return f"  on thread {thread}" if thread else ""


def _numbers(values: Sequence[int]) -> str:
    return ", ".join(str(value) for value in values)
