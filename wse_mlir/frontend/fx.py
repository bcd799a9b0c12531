"""Imports an exported graph into the torch dialect: parameters and state as arguments, each op located."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ml_dtypes  # makes NumPy know bf16
import numpy as np
import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols
from torch.fx.node import map_aggregate
from torch_mlir.extras import fx_importer

from ..dialects.host import func, ir
from ..dialects.provenance import describe_location, make_location
from ..passes.infra.diagnostics import CompilerError
from .provenance import node_provenance
from .scans import import_scan
from .signature import LITERAL_LIMIT, Argument, Signature
from .value_types import check_tensors

UNSUPPORTED_HINT = (
    "write it with other operators, or give torch-mlir a decomposition of it (torch.library.custom_op)"
)


class _ProvenanceCache(fx_importer.ContextCache):
    """Locates nodes by module path, user's frame and operator instead of by the whole Python stack."""

    __slots__ = ("_operators",)

    def __init__(self, context: ir.Context, operators: Mapping[str, str]) -> None:
        super().__init__(context)
        self._operators = operators

    def get_node_location(self, node: Node) -> ir.Location | None:
        provenance = node_provenance(node, self._operators)
        return make_location(provenance, self._c) if provenance.is_known else None


class _LiteralHooks(fx_importer.FxImporterHooks):
    """Makes small tensors dense constants; the importer's default makes resources, which cannot be read."""

    def resolve_literal(self, gni: Any, literal: Any, info: Any) -> ir.Value | None:
        if not isinstance(literal, torch.Tensor):
            return None
        if literal.numel() >= LITERAL_LIMIT or literal.is_meta:
            raise CompilerError(
                f"a tensor of {literal.numel()} elements is made inside of the graph",
                hint="register it as a buffer of the module",
            )
        value = literal.detach()
        array: Any = _numpy_of(value.contiguous())
        element = fx_importer.TORCH_DTYPE_TO_MLIR_TYPE[value.dtype]()
        attribute = ir.DenseElementsAttr.get(array, type=element, shape=list(array.shape))
        result = gni._cc.tensor_to_vtensor_type(value)
        return ir.Operation.create("torch.vtensor.literal", [result], attributes={"value": attribute}).result


class _NodeImporter(fx_importer.GraphNodeImporter):
    """Imports operators that are given graphs, too."""

    def _import_hop_scan(self, loc: ir.Location, node: Node, hop: Any) -> None:
        import_scan(self, loc, node)


class LiftingImporter(fx_importer.FxImporter):
    """Imports a program as a function of all its tensors: inputs, parameters and state, in the signature's order."""

    def __init__(self, context: ir.Context, operators: Mapping[str, str]) -> None:
        super().__init__(context=context, hooks=_LiteralHooks())
        self._cc = _ProvenanceCache(context, operators)
        self._graph_node_importer_cls = _NodeImporter

    def import_lifted(
        self, program: ExportedProgram | GraphModule, signature: Signature, name: str = "main"
    ) -> ir.Module:
        """Adds `func.func @name` for the program and returns the module, in the torch dialect.

        Raises:
            CompilerError: the importer does not know an operator or a type; names it and its place.
        """
        for argument, node in signature.arguments:
            check_tensors(node, _called(argument, node), lambda _: "")
        calls = [node for node in program.graph.nodes if node.op == "call_function"]
        for node in calls:
            check_tensors(node, f"operator '{node.target}'", self._where)
        inputs = [self._type_of(node) for _, node in signature.arguments]
        outputs = [self._type_of(node) for _, node in signature.results]
        located = (self._cc.get_node_location(node) for node in calls)
        location = next((loc for loc in located if loc is not None), ir.Location.unknown(self._c))
        with location:
            function = func.FuncOp(name, (inputs, outputs), ip=self._m_ip)
            function.attributes["torch.assume_strict_symbolic_shapes"] = ir.UnitAttr.get()
            names = [argument.name for argument, _ in signature.arguments]
            block = function.add_entry_block([ir.Location.name(name) for name in names])
        for node in calls:
            _forget_device(node)
        importer = self._graph_node_importer_cls(self, self._c, self._cc, block)
        for (_, node), value in zip(signature.arguments, block.arguments, strict=True):
            importer.bind_node_value(node, value)
        for node, value in signature.literals:
            importer.import_constant(location, node, value)
        for node, binder in signature.aliases:
            importer.bind_node_value(node, importer.resolve_node_value(binder))
        bound = [
            *(n for _, n in signature.arguments),
            *(n for n, _ in signature.literals + signature.aliases),
        ]
        for node in bound:
            if node.op == "get_attr":  # torch-mlir would import it again where it is used, and fail
                node.op = "placeholder"
        module = program.graph_module if isinstance(program, ExportedProgram) else program
        self._import_all_child_modules(module, name)
        for node in calls:
            self._import_call(importer, node)
        importer.return_node_values(location, [node for _, node in signature.results], {})
        return self.module

    def _import_call(self, importer: Any, node: Node) -> None:
        if str(node.target) == "with_effects":
            raise CompilerError(
                f"operator '{node.args[1]}' does more than compute its results, which is not supported",
                where=self._where(node),
                hint="write it with other operators; a check of values belongs outside of the model",
            )
        if _has_unknown_size(node):
            raise CompilerError(
                f"operator '{node.target}' makes a tensor whose size depends on the values of its input",
                where=self._where(node),
                hint="keep the size fixed: use torch.where or a mask instead of selecting elements",
            )
        try:
            with self._c:
                importer.import_nodes([node], skip_placeholders_outputs=True)
        except CompilerError as error:
            error.where = error.where or self._where(node)
            raise
        except (NotImplementedError, TypeError, ValueError, AssertionError, KeyError, RuntimeError) as error:
            message = f"operator '{node.target}' cannot be imported: {_first_line(error)}"
            raise CompilerError(message, where=self._where(node), hint=UNSUPPORTED_HINT) from error

    def _type_of(self, node: Node) -> ir.Type:
        try:
            return self._cc.node_val_to_type(node)
        except (NotImplementedError, TypeError, AssertionError, KeyError, ir.MLIRError) as error:
            value = node.meta.get("val")
            is_tensor = isinstance(value, torch.Tensor)
            kind = f"{value.layout} of {value.dtype}" if is_tensor else type(value).__name__
            raise CompilerError(
                f"'{node.name}' is of a kind that compiled functions do not take or return: {kind}",
                where=self._where(node),
                hint="pass and return dense tensors of bool, 8 to 64-bit signed integers, uint8 or floats",
            ) from error

    def _where(self, node: Node) -> str:
        location = self._cc.get_node_location(node)
        return describe_location(location) if location is not None else ""


def _called(argument: Argument, node: Node) -> str:
    return f"{argument.kind} '{node.name if argument.kind == 'input' else argument.name}'"


def _numpy_of(tensor: torch.Tensor) -> np.ndarray:
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def _forget_device(node: Node) -> None:
    """Names the CPU wherever a node names a device ("meta", "cuda"): here that means only "a tensor"."""

    def on_cpu(leaf: Any) -> Any:
        return torch.device("cpu") if isinstance(leaf, torch.device) else leaf

    node.args = map_aggregate(node.args, on_cpu)
    node.kwargs = map_aggregate(node.kwargs, on_cpu)


def _has_unknown_size(node: Node) -> bool:
    values = node.meta.get("val")
    values = values if isinstance(values, (tuple, list)) else (values,)
    return any(isinstance(value, torch.Tensor) and free_unbacked_symbols(value.shape) for value in values)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
