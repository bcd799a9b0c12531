"""`@main` before it is distributed: found, checked, and brought into the form that planning needs."""

from typing import Any

from ....dialects.affine.maps import identity_maps
from ....dialects.constants import constant_attribute, splat, splat_number
from ....dialects.host import ir
from ....dialects.structured import REDUCTION, build_generic, replace_op, structured
from ....wse_target.instructions import DTYPE_BYTES
from ....wse_target.kinds import KINDS, neutral_number
from ...infra.diagnostics import PassFailure
from ...tensor.simplify.reshapes.slices_of_one_rank import keep_rank
from ..scalars.splat import scalar_constant, splat_of
from .lowering import require_static
from .nodes import analyse, op_result


def find_main(module: ir.Operation) -> Any:
    """The function `@main` of a module; raises `PassFailure` when there is none or it is not one block."""
    for op in module.regions[0].blocks[0].operations:
        if op.operation.name == "func.func" and ir.StringAttr(op.attributes["sym_name"]).value == "main":
            if len(op.regions[0].blocks) != 1:
                blocks = "several blocks" if len(op.regions[0].blocks) else "no body"
                raise PassFailure(
                    op,
                    f"@main has {blocks}",
                    hint="the wafer runs straight-line code; target='cpu' runs branches, too",
                )
            return op
    raise PassFailure(module, "the module has no function @main", hint="the wafer runs @main of a module")


def constant_values(main: Any) -> list[ir.Attribute]:
    """Values of the arguments that `prepare` made of dense constants, in order."""
    if "arg_attrs" not in main.attributes:
        return []
    described = [ir.DictAttr(a) for a in ir.ArrayAttr(main.attributes["arg_attrs"])]
    return [known["wse.value"] for known in described if "wse.value" in known]


def prepare(main: Any) -> None:
    """Checks shapes, drops dead operations, lifts dense constants to arguments, and gives reductions neutral inits."""
    require_interface(main)
    for op in main.body.blocks[0].operations:
        require_static(op)
    _erase_dead(main)
    write_slices(main)
    _lift_constants(main)
    for op in list(main.body.blocks[0].operations):
        if op.operation.name == "linalg.generic" and splat_of(op_result(op, 0)) is None:
            _neutralise(op)


def write_slices(main: Any) -> None:
    """Brings paddings and slices into the form that PEs have, as far as they have one."""
    for op in list(main.body.blocks[0].operations):
        if op.operation.name == "tensor.pad":
            _expand_pad(op)
    for op in list(main.body.blocks[0].operations):
        keep_rank(op)


def require_interface(main: Any) -> None:
    """Raises `PassFailure` for a function that the host cannot call with arrays."""
    for kind in (*main.type.inputs, *main.type.results):
        if not isinstance(kind, ir.RankedTensorType) or str(kind.element_type) not in DTYPE_BYTES:
            raise PassFailure(
                main,
                f"@main has an argument or a result of type {kind}",
                hint=f"the wafer takes ranked tensors of {', '.join(DTYPE_BYTES)}",
            )


def _erase_dead(main: Any) -> None:
    for op in reversed(list(main.body.blocks[0].operations)):
        if op.operation.name == "func.return" or any(True for r in op.results for _ in r.uses):
            continue
        op.operation.erase()


def _expand_pad(op: Any) -> None:
    """Padding by one number is an insertion into a tensor of that number."""
    number = list(op.regions[0].blocks[0].operations)[-1].operands[0]
    padded, source = ir.RankedTensorType(op.results[0].type), ir.RankedTensorType(op.operands[0].type)
    low = list(ir.DenseI64ArrayAttr(op.attributes["static_low"]))
    fits = (
        padded.has_static_shape
        and source.has_static_shape
        and all(
            start >= 0 and start + size <= total
            for start, size, total in zip(low, source.shape, padded.shape, strict=True)
        )
    )
    if scalar_constant(number) is None or len(op.operands) != 1 or not fits:
        return
    with ir.InsertionPoint(op), op.location:
        whole = splat(padded, constant_attribute(number))
        arrays = {"offsets": low, "sizes": list(source.shape), "strides": [1] * padded.rank}
        attributes: dict[str, ir.Attribute] = {
            f"static_{name}": ir.DenseI64ArrayAttr.get(values) for name, values in arrays.items()
        }
        attributes["operandSegmentSizes"] = ir.DenseI32ArrayAttr.get([1, 1, 0, 0, 0])
        inserted = ir.Operation.create(
            "tensor.insert_slice",
            results=[padded],
            operands=[op.operands[0], whole],
            attributes=attributes,
        ).result
    replace_op(op, [inserted])


def _lift_constants(main: Any) -> None:
    """A dense constant becomes an argument that carries its value as `wse.value`, brought in like a parameter."""
    block = main.body.blocks[0]
    lifted = 0
    for op in list(block.operations):
        if op.operation.name != "arith.constant" or not isinstance(op.result.type, ir.RankedTensorType):
            continue
        if splat_of(op.result) is not None:
            continue
        value = op.attributes["value"]
        if not isinstance(value, ir.DenseElementsAttr):
            raise PassFailure(
                op, "a constant whose elements are kept outside of the IR cannot be placed on the wafer"
            )
        argument = block.add_argument(op.result.type, op.location)
        _describe_argument(main, argument, f"constant{lifted}", value)
        op.result.replace_all_uses_with(argument)
        op.operation.erase()
        lifted += 1


def _describe_argument(main: Any, argument: ir.Value, name: str, value: ir.Attribute) -> None:
    arguments = list(main.body.blocks[0].arguments)
    types = [a.type for a in arguments]
    main.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(types, main.type.results))
    known = list(ir.ArrayAttr(main.attributes["arg_attrs"])) if "arg_attrs" in main.attributes else []
    known += [ir.DictAttr.get({})] * (len(arguments) - 1 - len(known))
    described = {
        "wse.kind": ir.StringAttr.get("constant"),
        "wse.name": ir.StringAttr.get(name),
        "wse.value": value,
    }
    main.attributes["arg_attrs"] = ir.ArrayAttr.get([*known, ir.DictAttr.get(described)])


def _neutralise(op: Any) -> None:
    """Splits `init + sum` into a sum that starts at the neutral number, and an addition of `init` afterwards."""
    view = structured(op)
    if view is None or REDUCTION not in view.iterators or len(view.inits) != 1:
        return
    compute = analyse(op)
    found = compute.accumulations[0]
    if found is None or compute.neutral_inits():
        return
    init, result = view.inits[0], op_result(op, 0)
    tensor = ir.RankedTensorType(result.type)
    element = tensor.element_type
    bits = ir.IntegerType(element).width if isinstance(element, ir.IntegerType) else 0
    number = neutral_number(found.kind, bits)
    if number is None or bits == 1:  # extremes of bits are those of numbers without sign
        return
    combiner = KINDS[found.kind].operations[1 if bits else 0]
    made_by: Any = init.owner
    added, added_map = _repeated(init)
    uses = [(use.owner, use.operand_number) for use in result.uses]
    with op.location:
        with ir.InsertionPoint(op):
            neutral = splat_number(tensor, number)
            empty = ir.Operation.create("tensor.empty", results=[tensor]).result
        op.operation.operands[len(view.inputs)] = neutral
        with ir.InsertionPoint.after(op):
            combined = build_generic(
                [added, result],
                [empty],
                [added_map, *identity_maps(tensor.rank, 2)],
                ["parallel"] * tensor.rank,
                lambda a, b, _: [ir.Operation.create(combiner, results=[a.type], operands=[a, b]).result],
            )
    for owner, number_of in uses:
        owner.operation.operands[number_of] = op_result(combined, 0)
    if added != init and not any(True for _ in init.uses):
        made_by.operation.erase()


def _repeated(value: ir.Value) -> tuple[ir.Value, ir.AffineMap]:
    """What a tensor repeats elements of, and which it does at an index: a bias is added as it is, one a channel."""
    view = structured(value.owner) if not isinstance(value.owner, ir.Block) else None
    identity = ir.AffineMap.get_identity(ir.RankedTensorType(value.type).rank)
    if view is None or not view.is_copy() or len(view.inits) != 1 or view.init_maps[0] != identity:
        return value, identity
    number = ir.BlockArgument(view.yielded[0]).arg_number
    source = view.inputs[number]
    is_tensor = isinstance(source.type, ir.RankedTensorType)
    return (source, view.maps[number]) if is_tensor else (value, identity)
