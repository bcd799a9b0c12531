"""`torch.scan`: a step that is repeated along the first dimension of some tensors becomes an `scf.for`.

torch-mlir does not know it. The step is imported as a function; the scan is a call of a function without a body, which
remembers the step, until sizes and types are known and the loop can be made around operators of torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import Graph, Node

from ..dialects.host import arith, func, ir, scf, tensor
from ..dialects.structured import clone_into, replace_op
from ..passes.infra.diagnostics import CompilerError
from ..passes.tensor.sizes import constant_index, size_value
from ..passes.tensor.traversal import collect
from .torch_tensors import OPEN, builtin_type, converted

SCAN = torch.ops.higher_order.scan

_STEP, _COUNTS = "wse.scan_step", "wse.scan_counts"
_SIZES = "wse.scan_sizes"
_BACKWARDS_IN, _BACKWARDS_OUT = "wse.scan_backwards_in", "wse.scan_backwards_out"
_CONSTANTS = ("torch.constant.", "torch.prim.ListConstruct")
_FLIP = torch.ops.aten.flip.default
_OPEN_OFFSET = ir.ShapedType.get_dynamic_stride_or_offset()


@dataclass(frozen=True)
class ScanNode:
    """The operands of a scan: first states, tensors that it walks along, and what is the same in all steps."""

    step: Node
    states: tuple[Node, ...]
    inputs: tuple[Node, ...]
    others: tuple[Node, ...]

    @staticmethod
    def of(node: Node) -> ScanNode:
        step, states, inputs, others = node.args
        operands = [*states, *inputs, *others]  # type: ignore[misc]
        if not all(isinstance(o, Node) and isinstance(o.meta.get("val"), torch.Tensor) for o in operands):
            raise CompilerError(
                "operator 'scan' is given something else than tensors",
                hint="pass sizes as tensors, or compute them inside of the step",
            )
        return ScanNode(step, tuple(states), tuple(inputs), tuple(others))  # type: ignore[arg-type]

    def sizes_of(self, output: torch.Tensor) -> Iterator[int]:
        """For each open dimension but the first: an operand and its dimension of the same size."""
        for size in output.shape[1:]:
            if not isinstance(size, int):
                same = (
                    (k, d)
                    for k, o in enumerate(self.operands)
                    for d, other in enumerate(o.meta["val"].shape)
                    if not isinstance(other, int) and other.node.expr == size.node.expr
                )
                found = next(same, None)
                if found is None:
                    raise CompilerError(
                        f"operator 'scan' makes tensors of a size '{size}' that none of its operands has",
                        hint="leave that dimension out of dynamic_shapes",
                    )
                yield from found

    @property
    def operands(self) -> tuple[Node, ...]:
        return (*self.states, *self.inputs, *self.others)


def walk_backwards(graph: Graph) -> None:
    """Lets scans read and write from the end what is flipped along the first dimension before and after them."""
    for node in graph.find_nodes(op="call_function", target=SCAN):
        scan = ScanNode.of(node)
        backwards = [k for k, given in enumerate(scan.inputs) if _is_flip(given)]
        inputs = [x.args[0] if k in backwards else x for k, x in enumerate(scan.inputs)]
        node.args = (scan.step, list(scan.states), inputs, scan.others)
        node.meta[_BACKWARDS_IN] = backwards
        node.meta[_BACKWARDS_OUT] = []
        for result in list(node.users):
            output = int(str(result.args[1])) - len(scan.states)
            flips = list(result.users)
            if output >= 0 and flips and all(_is_flip(f) and not _is_returned(f) for f in flips):
                node.meta[_BACKWARDS_OUT].append(output)
                for flip in flips:
                    flip.replace_all_uses_with(result)
    graph.eliminate_dead_code()


def import_scan(importer: Any, location: ir.Location, node: Node) -> None:
    """Imports a scan as a call of a declared function, whose attributes say what it repeats."""
    scan = ScanNode.of(node)
    fx = importer.fx_importer
    graphs = node.graph.owning_module
    assert graphs is not None
    step = fx._graph_module_to_func_name[id(graphs.get_submodule(str(scan.step.target)))]
    operands = [importer.resolve_node_value(o) for o in scan.operands]
    results = [importer._cc.value_info_to_type(v) for v in node.meta["val"]]
    with location:
        kind = ir.FunctionType.get([o.type for o in operands], results)
        declared = func.FuncOp("scan", kind, visibility="private", ip=fx._m_ip)
        name = fx.symbol_table.insert(declared)
        declared.attributes[_STEP] = ir.FlatSymbolRefAttr.get(step)
        # For each open size of an output: an operand and its dimension of the same size.
        numbers: dict[str, Sequence[int]] = {
            _SIZES: [n for output in node.meta["val"][len(scan.states) :] for n in scan.sizes_of(output)],
            _COUNTS: (len(scan.states), len(scan.inputs)),
            _BACKWARDS_IN: node.meta.get(_BACKWARDS_IN, ()),
            _BACKWARDS_OUT: node.meta.get(_BACKWARDS_OUT, ()),
        }
        for key, value in numbers.items():
            declared.attributes[key] = ir.DenseI64ArrayAttr.get(list(value))
        call = func.CallOp(results, name.value, operands)
    importer._multi_result_nodes.add(node)
    for position, value in enumerate(call.results):
        importer.bind_node_value(node, value, position)


def expand_scans(module: ir.Module) -> None:
    """Makes loops on builtin tensors of the scans of a module in the torch dialect, and removes their steps."""
    functions = {f.name.value: f for f in module.body.operations if isinstance(f, func.FuncOp)}
    scans = {name: f for name, f in functions.items() if _STEP in f.attributes}
    steps = {name: functions[ir.FlatSymbolRefAttr(f.attributes[_STEP]).value] for name, f in scans.items()}
    for function in functions.values():
        if function not in steps.values():
            while calls := _calls(function, scans):  # a step that is repeated may hold another scan
                for call in calls:
                    name = ir.FlatSymbolRefAttr(call.attributes["callee"]).value
                    with call.location, ir.InsertionPoint(call):
                        loop = _Loop(scans[name], steps[name], list(call.operands)).emit()
                        results = [converted(v, old.type) for v, old in zip(loop, call.results, strict=True)]
                    replace_op(call, results)
    for name in [*scans, *dict.fromkeys(f.name.value for f in steps.values())]:
        functions[name].erase()


def _calls(function: func.FuncOp, scans: Mapping[str, Any]) -> list[ir.Operation]:
    def is_scan(op: ir.Operation) -> bool:
        return op.name == "func.call" and ir.FlatSymbolRefAttr(op.attributes["callee"]).value in scans

    return collect(function.operation, is_scan)


class _Loop:
    """The loop that takes the place of a scan."""

    def __init__(self, scan: func.FuncOp, step: func.FuncOp, operands: list[ir.Value]) -> None:
        states, inputs = _numbers(scan, _COUNTS)
        self._trips: ir.Value
        self._operands = operands
        self._sizes = iter(_numbers(scan, _SIZES))
        self._step = step.regions[0].blocks[0]
        self._states = operands[:states]
        self._inputs = [converted(v, _builtin(v.type)) for v in operands[states : states + inputs]]
        self._others = operands[states + inputs :]
        self._outputs = [_builtin(kind) for kind in list(scan.type.results)[states:]]
        self._backwards_in, self._backwards_out = (_numbers(scan, k) for k in (_BACKWARDS_IN, _BACKWARDS_OUT))

    def emit(self) -> list[ir.Value]:
        """The last states, then all outputs."""
        zero, one = constant_index(0), constant_index(1)
        self._trips = size_value(self._inputs[0], 0)
        count = len(self._states)
        parameters = list(self._step.arguments)
        varying, fixed = (
            parameters[: -len(self._others) or None],
            parameters[len(parameters) - len(self._others) :],
        )
        values = {p: converted(v, p.type) for p, v in zip(fixed, self._others, strict=True)}
        inside = self._hoist(values)
        states = [converted(v, _builtin(p.type)) for v, p in zip(self._states, varying, strict=False)]
        loop = scf.ForOp(zero, self._trips, one, [*states, *(self._empty(o) for o in self._outputs)])
        with ir.InsertionPoint(loop.body):
            carried, at = list(loop.inner_iter_args), loop.induction_variable
            parts = [
                _part(given, self._place(at, backwards=k in self._backwards_in))
                for k, given in enumerate(self._inputs)
            ]
            given = zip(varying, [*carried[:count], *parts], strict=True)
            values.update((p, converted(v, p.type)) for p, v in given)
            clone_into(inside[:-1], values)
            made = [values.get(v, v) for v in inside[-1].operands]
            yielded = [converted(v, state.type) for v, state in zip(made, states, strict=False)]
            for k, (value, target) in enumerate(zip(made[count:], carried[count:], strict=True)):
                place = self._place(at, backwards=k in self._backwards_out)
                yielded.append(_with_part(value, target, place))
            scf.YieldOp(yielded)
        return list(loop.results)

    def _hoist(self, values: dict[ir.Value, ir.Value]) -> list[ir.Operation]:
        """Computes what is the same in all steps, a transposed weight say, and returns the operations that are not."""
        same, inside = set(values), []
        for view in self._step.operations:
            op = view.operation
            if op.name.startswith(_CONSTANTS):  # also left in the step, for what is there
                clone_into([op], values)
            elif (
                op.operands
                and all(v in values for v in op.operands)
                and same & set(op.operands)
                and not len(op.regions)
            ):
                clone_into([op], values)
                same.update(op.results)
                continue
            inside.append(op)
        return inside

    def _empty(self, kind: ir.RankedTensorType) -> ir.Value:
        sizes: list[ir.Value | int] = [self._trips if kind.is_dynamic_dim(0) else kind.shape[0]]
        for size in kind.shape[1:]:
            if size == OPEN:
                operand, dimension = next(self._sizes), next(self._sizes)
                given = self._operands[operand]
                sizes.append(tensor.dim(converted(given, _builtin(given.type)), constant_index(dimension)))
            else:
                sizes.append(size)
        return tensor.empty(sizes, kind.element_type)

    def _place(self, at: ir.Value, *, backwards: bool) -> ir.Value:
        if not backwards:
            return at
        return arith.SubIOp(arith.SubIOp(self._trips, constant_index(1)).result, at).result


def _part(source: ir.Value, place: ir.Value) -> ir.Value:
    """What a step reads of a tensor."""
    kind = ir.RankedTensorType(source.type)
    shape = [1, *kind.shape[1:]]
    sizes = [tensor.dim(source, constant_index(d)) for d, size in enumerate(shape) if size == OPEN]
    slice_kind = ir.RankedTensorType.get(shape, kind.element_type)
    static = [_OPEN_OFFSET, *[0] * (kind.rank - 1)]
    part = tensor.ExtractSliceOp(slice_kind, source, [place], sizes, [], static, shape, [1] * kind.rank)
    kept = ir.RankedTensorType.get(shape[1:], kind.element_type)
    return tensor.CollapseShapeOp(kept, part.result, _without_first(kind.rank)).result


def _with_part(value: ir.Value, target: ir.Value, place: ir.Value) -> ir.Value:
    """What a step writes into a tensor."""
    kind = ir.RankedTensorType(target.type)
    shape = [1, *kind.shape[1:]]
    value = converted(value, ir.RankedTensorType.get(shape[1:], kind.element_type))
    slice_kind = ir.RankedTensorType.get(shape, kind.element_type)
    sizes = [tensor.dim(target, constant_index(d)) for d, size in enumerate(shape) if size == OPEN]
    part = tensor.ExpandShapeOp(slice_kind, value, _without_first(kind.rank), sizes, shape)
    static = [_OPEN_OFFSET, *[0] * (kind.rank - 1)]
    return tensor.InsertSliceOp(
        part.result, target, [place], sizes, [], static, shape, [1] * kind.rank
    ).result


def _without_first(rank: int) -> list[list[int]]:
    """How dimensions are grouped where the first, of size one, goes or comes."""
    return [[0, 1], *([d] for d in range(2, rank))] if rank > 1 else []


def _builtin(kind: ir.Type) -> ir.RankedTensorType:
    found = builtin_type(kind)
    if found is None:
        raise CompilerError(
            f"operator 'scan' computes with '{kind}', which is not supported", hint="give its tensors ranks"
        )
    return found


def _numbers(op: func.FuncOp, key: str) -> list[int]:
    return list(ir.DenseI64ArrayAttr(op.attributes[key]))


def _is_flip(node: Node) -> bool:
    return node.target is _FLIP and list(node.args[1]) == [0]  # type: ignore[arg-type]


def _is_returned(node: Node) -> bool:
    return any(user.op == "output" for user in node.users)
