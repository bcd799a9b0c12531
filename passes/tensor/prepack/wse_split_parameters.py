"""`wse-split-parameters`: what parameters determine is computed when they are bound, and not at every call."""

from __future__ import annotations

from collections.abc import Sequence

from ....dialects.element_types import TORCH_NAMES
from ....dialects.host import func, ir
from ....dialects.structured import clone_into, outer_operands
from ...infra.pass_base import Pass, PassRun, option
from ..bufferization.lifetimes import ancestor_in
from .known_values import (
    PREPARED,
    KnownValues,
    arguments_of_kind,
    is_kept_small,
    static_bytes,
)

# Operations whose result is a view of their operand: nothing is gained by computing them before.
_VIEWS = frozenset(
    {"tensor.expand_shape", "tensor.collapse_shape", "tensor.cast", "tensor.extract_slice", "tensor.reshape"}
)
_FROM_NOTHING = 1 << 18  # bytes that may be prepared of constants and indices alone


class SplitParameters(Pass, name="wse-split-parameters", anchor="builtin.module"):
    """Moves what depends on parameters and constants alone into a function that runs when parameters are bound.

    Before:

        func.func @main(%x: tensor<4x8xf32>, %w: tensor<16x8xf32> {wse.kind = "parameter"}) -> tensor<4x16xf32> {
          %t = linalg.generic ... ins(%w) outs(%e) -> tensor<8x16xf32>
          %y = linalg.generic ... ins(%x, %t) outs(%z) -> tensor<4x16xf32>

    After:

        func.func private @prepare(%w: tensor<16x8xf32> {wse.kind = "parameter"})
            -> (tensor<8x16xf32> {wse.kind = "prepared"}) {
          %t = linalg.generic ... ins(%w) outs(%e) -> tensor<8x16xf32>
          return %t
        }
        func.func @main(%x: tensor<4x8xf32>, %w: tensor<16x8xf32> {wse.kind = "parameter"},
                        %t: tensor<8x16xf32> {wse.kind = "prepared"}) -> tensor<4x16xf32>
            attributes {wse.prepare = @prepare, wse.prepared = [tensor<8x16xf32>]} {
          %y = linalg.generic ... ins(%x, %t) outs(%z) -> tensor<4x16xf32>

    @prepare takes all parameters of the function, in order; prepared arguments come after all others. Its attributes
    tell the runtime what to call and to allocate when tensors have become pointers. Left where they are: views of
    parameters, tensors of indices, and what is more than twice as large as what it is made of, such as a bias spread
    over an image.
    """

    constants: bool = option(
        True, "whether what no parameter is needed for, masks for instance, is moved as well"
    )

    returned: bool = option(
        True, "whether what the function returns is moved as well, so that it returns an argument"
    )

    def run(self, op: ir.Operation, run: PassRun) -> None:
        functions = [f for f in op.regions[0].blocks[0].operations if isinstance(f, func.FuncOp)]
        names = {f.name.value for f in functions}
        for function in functions:
            if "sym_visibility" in function.attributes or len(function.regions[0].blocks) != 1:
                continue
            known = KnownValues.of(function)
            kept = set[ir.Value]() if self.returned else _returned(function)
            moved, copied, results = _worth_preparing(known, _FROM_NOTHING if self.constants else 0, kept)
            if not results or arguments_of_kind(function, PREPARED):
                continue
            name = _free_name(names)
            names.add(name)
            _write_preparation(function, name, known, [*moved, *copied], results)
            _take_prepared(function, name, results)
            for computed in reversed(moved):
                computed.erase()
            run.count("tensors prepared", len(results))
            run.count("operations moved", len(moved))


def _returned(function: func.FuncOp) -> set[ir.Value]:
    """What a function returns, and what that is a view of."""
    *_, terminator = function.regions[0].blocks[0].operations
    found, left = set[ir.Value](), list(terminator.operands)
    while left:
        value = left.pop()
        found.add(value)
        if not isinstance(value.owner, ir.Block) and value.owner.name in _VIEWS:
            left += value.owner.operands
    return found


def _worth_preparing(
    known: KnownValues, from_nothing: int, kept: set[ir.Value]
) -> tuple[list[ir.Operation], list[ir.Operation], list[ir.Value]]:
    """Operations to move, those to repeat, and the results of the former that the rest of the function needs, in order.

    What is not worth storing stays, and what it needs is then stored if that is. Where something that is moved needs it
    as well, it is computed in both places.
    """
    moved: list[ir.Operation] = []
    copied: list[ir.Operation] = []
    taken: set[ir.Operation] = set()
    results: list[ir.Value] = []
    for op in reversed(known.computed):
        needed = [
            r
            for r in op.results
            if any(ancestor_in(op.block, u.owner.operation) not in taken for u in r.uses)
        ]
        users = [ancestor_in(op.block, u.owner.operation) for r in op.results for u in r.uses]
        if any(r in kept or not _is_storable(r, op, from_nothing) for r in needed) or not users:
            if any(user in taken or user in copied for user in users):
                copied.append(op)
            continue
        moved.append(op)
        taken.add(op)
        results += reversed(needed)
    return moved[::-1], copied[::-1], results[::-1]


def _is_storable(result: ir.Value, op: ir.Operation, from_nothing: int) -> bool:
    """Whether a value is worth computing before and keeping; of constants alone, if it has at most so many bytes."""
    size = static_bytes(result.type)
    # A tensor of indices, for one, cannot be kept between calls.
    if size is None or op.name in _VIEWS or str(result.type.element_type) not in TORCH_NAMES:
        return False
    sources = [static_bytes(v.type) or 0 for v in outer_operands(op) if not _is_destination(v)]
    return is_kept_small(size, sources) if any(sources) else size <= from_nothing


def _is_destination(value: ir.Value) -> bool:
    """Whether a value is no more than a place for results."""
    return not isinstance(value.owner, ir.Block) and value.owner.name in ("tensor.empty", "linalg.fill")


def _free_name(taken: set[str]) -> str:
    name, number = "prepare", 0
    while name in taken:
        name, number = f"prepare_{number}", number + 1
    return name


def _write_preparation(
    function: func.FuncOp,
    name: str,
    known: KnownValues,
    moved: Sequence[ir.Operation],
    results: Sequence[ir.Value],
) -> None:
    """Makes the function that computes `results` of the parameters, in front of the one that needs them."""
    parameters = [function.regions[0].blocks[0].arguments[k] for k in known.parameters]
    kinds = ir.FunctionType.get([p.type for p in parameters], [r.type for r in results])
    made = func.FuncOp(
        name, kinds, visibility="private", loc=function.location, ip=ir.InsertionPoint(function)
    )
    for inherited in ("llvm.emit_c_interface", "passthrough"):
        if inherited in function.attributes:
            made.attributes[inherited] = function.attributes[inherited]
    if parameters:
        given = ir.ArrayAttr(function.attributes["arg_attrs"])
        made.attributes["arg_attrs"] = ir.ArrayAttr.get([given[k] for k in known.parameters])
    made.attributes["res_attrs"] = ir.ArrayAttr.get([_prepared(i) for i in range(len(results))])
    block = made.regions[0].blocks.append(*kinds.inputs, arg_locs=[_place(p) for p in parameters])
    mapping: dict[ir.Value, ir.Value] = dict(zip(parameters, block.arguments, strict=True))
    needed = {v for op in moved for v in outer_operands(op)}
    for op in reversed(known.free):
        if any(r in needed for r in op.results):
            needed.update(outer_operands(op))
    free = [op for op in known.free if any(r in needed for r in op.results)]
    order = {op: k for k, op in enumerate(o.operation for o in function.regions[0].blocks[0].operations)}
    with ir.InsertionPoint(block):
        clone_into(sorted([*free, *moved], key=order.__getitem__), mapping)
        func.ReturnOp([mapping[r] for r in results], loc=function.location)


def _take_prepared(function: func.FuncOp, name: str, results: Sequence[ir.Value]) -> None:
    """Lets the function take the prepared tensors as further arguments."""
    block = function.regions[0].blocks[0]
    before = len(block.arguments)
    given = [ir.DictAttr.get({})] * before
    if "arg_attrs" in function.attributes:
        given = list(ir.ArrayAttr(function.attributes["arg_attrs"]))
    for result in results:
        result.replace_all_uses_with(block.add_argument(result.type, _place(result)))
    kinds = ir.FunctionType.get([a.type for a in block.arguments], list(function.type.results))
    function.attributes["function_type"] = ir.TypeAttr.get(kinds)
    function.attributes["arg_attrs"] = ir.ArrayAttr.get([*given, *map(_prepared, range(len(results)))])
    function.attributes["wse.prepare"] = ir.FlatSymbolRefAttr.get(name)
    function.attributes["wse.prepared"] = ir.ArrayAttr.get([ir.TypeAttr.get(r.type) for r in results])


def _prepared(number: int) -> ir.DictAttr:
    return ir.DictAttr.get(
        {"wse.kind": ir.StringAttr.get(PREPARED), "wse.name": ir.StringAttr.get(str(number))}
    )


def _place(value: ir.Value) -> ir.Location:
    return ir.BlockArgument(value).location if isinstance(value.owner, ir.Block) else value.owner.location
