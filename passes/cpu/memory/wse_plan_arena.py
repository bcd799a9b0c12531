"""`wse-plan-arena`: temporaries live side by side in memory that the caller provides once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ....dialects.host import func, ir, memref
from ...infra.pass_base import Pass, PassRun, option
from ...tensor.bufferization.arena import ALIGNMENT, arena_bytes, liveness_bound, plan_offsets
from ...tensor.bufferization.lifetimes import operations_below
from ..kernels.temporaries import lifetimes, plannable, put_into, put_on_stack, small_ones

ARENA_BYTES = "wse.arena_bytes"
_KIND, _OUTPUT, _CHUNK = "wse.kind", "output", "wse.fork"


class PlanArena(Pass, name="wse-plan-arena", anchor="builtin.module"):
    """Replaces the allocations of static size: a call allocates nothing, and buffers share memory over time.

    Functions that are called have their small buffers on the stack, and get memory for the others from their callers.
    In functions that nobody calls all buffers are views of one argument of bytes, the arena, which stands before the
    outputs. Its size is the function's attribute `wse.arena_bytes`; it has to begin at a multiple of 64 bytes. Buffers
    of sizes that are known only at run time, buffers that are returned, and those of code that several threads run
    at once stay on the heap.

    Before:

        func.func @main(%x: memref<512x512xf32>, %out: memref<512xf32> {wse.kind = "output"}) {
          %0 = memref.alloc() : memref<512x512xf32>
          call @kernel_0(%x, %0)
          call @kernel_1(%0, %out)
          memref.dealloc %0

    After:

        func.func @main(%x: memref<512x512xf32>, %arena: memref<1048576xi8> {wse.kind = "arena"},
                        %out: memref<512xf32> {wse.kind = "output"}) attributes {wse.arena_bytes = 1048576 : i64} {
          %0 = memref.view %arena[%c0][] : memref<1048576xi8> to memref<512x512xf32>
          call @kernel_0(%x, %0)
          call @kernel_1(%0, %out)
    """

    stack_bytes: int = option(1 << 16, "of a called function's buffers that may lie on the stack", least=0)

    def run(self, op: ir.Operation, run: PassRun) -> None:
        calls = _Calls.of(op)
        for name in calls.callees_first():
            buffers = plannable(calls.functions[name])
            if not buffers:
                continue
            if not calls.is_called(name):
                self._give_arena(calls, name, buffers, run)
            else:
                self._give_memory(calls, name, buffers, run)

    def _give_arena(self, calls: _Calls, name: str, buffers: list[ir.Operation], run: PassRun) -> None:
        function = calls.functions[name]
        total, bound = _place(function, buffers, calls.least)
        run.count("arena bytes", total)
        run.count("liveness lower bound", bound)
        function.attributes[ARENA_BYTES] = ir.IntegerAttr.get(ir.IntegerType.get_signless(64), total)

    def _give_memory(self, calls: _Calls, name: str, buffers: list[ir.Operation], run: PassRun) -> None:
        """Puts buffers of a called function on the stack; if they are too many, the rest into memory of callers."""
        function = calls.functions[name]
        small = small_ones(buffers, self.stack_bytes)
        large = [op for op in buffers if op not in small]
        put_on_stack(function, small)
        run.count("buffers on the stack", len(small))
        if not large or not calls.all_known(name):
            return
        total, bound = _place(function, large, calls.least)
        for call in calls.sites[name]:
            with_memory, memory = _with_memory(call, total)
            calls.replace(call, with_memory)
            calls.least[memory] = bound
        run.count("bytes from callers", total)


@dataclass
class _Calls:
    """Who calls whom in a module.

    Attributes:
        functions: those with a body, by name.
        sites: their calls, by name.
        shared: functions that are referred to in other ways, or that threads call at the same time.
        least: of memory that is allocated for a call, the bytes that the callee's lifetimes need.
    """

    functions: dict[str, ir.Operation]
    sites: dict[str, list[ir.Operation]] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    least: dict[ir.Operation, int] = field(default_factory=dict)

    @classmethod
    def of(cls, module: ir.Operation) -> _Calls:
        found = cls({})
        for op in module.regions[0].blocks[0].operations:
            if op.operation.name == "func.func" and len(op.operation.regions[0].blocks):
                found.functions[ir.StringAttr(op.operation.attributes["sym_name"]).value] = op.operation
        for function in found.functions.values():
            if _CHUNK in function.attributes:
                found.shared.add(ir.FlatSymbolRefAttr(function.attributes[_CHUNK]).value)
            for op in operations_below(function):
                if op.name == "func.call":
                    found.sites.setdefault(ir.FlatSymbolRefAttr(op.attributes["callee"]).value, []).append(op)
                elif op.name.startswith(("func.", "llvm.")):
                    found.shared |= set(_symbols(op))
        return found

    def is_called(self, name: str) -> bool:
        return name in self.sites or name in self.shared

    def all_known(self, name: str) -> bool:
        """Whether all calls are seen, and follow each other."""
        return name not in self.shared

    def replace(self, old: ir.Operation, new: ir.Operation) -> None:
        """Puts one call in the place of another."""
        name = ir.FlatSymbolRefAttr(old.attributes["callee"]).value
        self.sites[name] = [new if call == old else call for call in self.sites[name]]
        old.erase()

    def callees_first(self) -> list[str]:
        """The functions, each after those that it calls."""
        callees: dict[str, list[str]] = {name: [] for name in self.functions}
        for callee, calls in self.sites.items():
            for call in calls:
                callees[_function_around(call)].append(callee)
        order: list[str] = []
        seen: set[str] = set()

        def visit(name: str) -> None:
            if name in seen or name not in callees:
                return
            seen.add(name)
            for callee in callees[name]:
                visit(callee)
            order.append(name)

        for name in callees:
            visit(name)
        return order


def _symbols(op: ir.Operation) -> Iterator[str]:
    for name in op.attributes:
        if isinstance(attribute := op.attributes[name], ir.FlatSymbolRefAttr):
            yield attribute.value


def _function_around(op: ir.Operation) -> str:
    while op.name != "func.func":
        op = op.parent.operation  # type: ignore[union-attr]
    return ir.StringAttr(op.attributes["sym_name"]).value


def _place(
    function: ir.Operation, buffers: list[ir.Operation], least: Mapping[ir.Operation, int]
) -> tuple[int, int]:
    """Puts buffers into a new argument of bytes; returns how many it has, and how few lifetimes allow.

    Args:
        least: bytes of which a buffer holds no more at a time, where that is less than its size.
    """
    intervals = lifetimes(function, buffers)
    offsets = plan_offsets(intervals)
    total = arena_bytes(intervals, offsets)
    needed = [replace(i, size=least.get(op, i.size)) for op, i in zip(buffers, intervals, strict=True)]
    with function.location:
        kind = ir.MemRefType.get([total], ir.IntegerType.get_signless(8))
        memory = _add_argument(function, kind)
    put_into(memory, buffers, offsets)
    return total, liveness_bound(needed)


def _add_argument(function: ir.Operation, kind: ir.Type) -> ir.Value:
    """A new argument of a function, before those that are outputs."""
    block = function.regions[0].blocks[0]
    marks = _argument_marks(function)
    # what `wse.prepare` names writes the tensors that the function of the attribute takes
    outputs = (_OUTPUT,) if "wse.prepared" in function.attributes else (_OUTPUT, "prepared")
    position = next((k for k, mark in enumerate(marks) if _kind_of(mark) in outputs), len(marks))
    block.add_argument(kind, function.location)
    arguments = list(block.arguments)
    for k in range(len(arguments) - 1, position, -1):  # the bindings can only append
        arguments[k].set_type(arguments[k - 1].type)
        arguments[k - 1].replace_all_uses_with(arguments[k])
    arguments[position].set_type(kind)
    marks.insert(position, ir.DictAttr.get({_KIND: ir.StringAttr.get("arena")}))
    function.attributes["arg_attrs"] = ir.ArrayAttr.get(marks)
    results = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value).results
    signature = ir.FunctionType.get([a.type for a in block.arguments], results)
    function.attributes["function_type"] = ir.TypeAttr.get(signature)
    return arguments[position]


def _argument_marks(function: ir.Operation) -> list[ir.Attribute]:
    if "arg_attrs" in function.attributes:
        return list(ir.ArrayAttr(function.attributes["arg_attrs"]))
    return [ir.DictAttr.get({})] * len(function.regions[0].blocks[0].arguments)


def _kind_of(mark: ir.Attribute) -> str:
    marks = ir.DictAttr(mark)
    return ir.StringAttr(marks[_KIND]).value if _KIND in marks else ""


def _with_memory(call: ir.Operation, total: int) -> tuple[ir.Operation, ir.Operation]:
    """A call that also hands over memory, which its function allocates, and the allocation."""
    with ir.InsertionPoint(call), call.location:
        kind = ir.MemRefType.get([total], ir.IntegerType.get_signless(8))
        memory = memref.AllocOp(kind, [], [], alignment=ALIGNMENT)
        operands: Sequence[ir.Value] = [*call.operands, memory.memref]
        new = func.CallOp([r.type for r in call.results], call.attributes["callee"], operands)
        for old, result in zip(call.results, new.results, strict=True):
            old.replace_all_uses_with(result)
        memref.DeallocOp(memory.memref)
    return new.operation, memory.operation
