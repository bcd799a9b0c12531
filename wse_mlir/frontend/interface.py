"""@main's arguments and results as attributes in the IR, written after import and read from `.mlir` files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch

from ..dialects.element_types import TORCH_NAMES
from ..dialects.host import func, ir
from ..passes.infra.diagnostics import CompilerError
from .signature import Argument, Result


def find_main(module: ir.Module) -> Any:
    """The function that a module is called by: @main, or else the only public function.

    Raises:
        CompilerError: there is none, or several.
    """
    functions = [op for op in module.body.operations if isinstance(op, func.FuncOp) and not op.is_external]
    public = [f for f in functions if "sym_visibility" not in f.attributes]
    named = [f for f in public if f.name.value == "main"]
    chosen = named or public
    if len(chosen) != 1:
        listed = ", ".join(f"@{f.name.value}" for f in public) or "none"
        raise CompilerError(
            f"expected one public function or one named @main, found {listed}",
            hint="make the others private",
        )
    return chosen[0]


def annotate_main(module: ir.Module, arguments: Sequence[Argument], results: Sequence[Result]) -> None:
    """Writes `wse.kind` and `wse.name` on the arguments and results of @main."""
    main = find_main(module)
    with module.context:
        main.arg_attrs = ir.ArrayAttr.get([_attributes(a.kind, a.name) for a in arguments])
        main.attributes["res_attrs"] = ir.ArrayAttr.get([_attributes(r.kind, r.name) for r in results])
        for attribute in list(main.attributes):
            if attribute.startswith("torch."):
                del main.attributes[attribute]


def read_main(module: ir.Module) -> tuple[list[Argument], list[Result]]:
    """Arguments and results of @main from its attributes; what has none is an input or an output by position.

    Raises:
        CompilerError: an argument or result is not a tensor of a known element type.
    """
    main = find_main(module)
    arguments: list[Argument] = []
    results: list[Result] = []
    inputs = outputs = 0
    for position, value in enumerate(main.type.inputs):
        kind, name = _read_attributes(main, "arg_attrs", position, "input", str(inputs))
        inputs += kind == "input"
        shape, dtype = _tensor_type(value, f"argument {position}")
        arguments.append(Argument(cast(Any, kind), name, shape, dtype))
    for position, value in enumerate(main.type.results):
        kind, name = _read_attributes(main, "res_attrs", position, "output", str(outputs))
        outputs += kind == "output"
        _shape, dtype = _tensor_type(value, f"result {position}")
        results.append(Result(cast(Any, kind), name, dtype))
    return arguments, results


def torch_dtype(element: ir.Type) -> torch.dtype | None:
    """PyTorch's type of an MLIR element type, None when there is none."""
    return _DTYPES.get(str(element))


_DTYPES = {element: getattr(torch, name) for element, name in TORCH_NAMES.items()}


def _attributes(kind: str, name: str) -> ir.Attribute:
    return ir.DictAttr.get({"wse.kind": ir.StringAttr.get(kind), "wse.name": ir.StringAttr.get(name)})


def _read_attributes(main: Any, which: str, position: int, kind: str, name: str) -> tuple[str, str]:
    if which not in main.attributes:
        return kind, name
    found = ir.DictAttr(ir.ArrayAttr(main.attributes[which])[position])
    if "wse.kind" in found:
        kind = ir.StringAttr(found["wse.kind"]).value
    if "wse.name" in found:
        name = ir.StringAttr(found["wse.name"]).value
    return kind, name


def _tensor_type(value: ir.Type, what: str) -> tuple[tuple[int, ...], torch.dtype]:
    if not isinstance(value, ir.RankedTensorType):
        raise CompilerError(
            f"{what} of @main has type {value}, expected a ranked tensor",
            hint="scalars are 0-d tensors (tensor<f32>), buffers are made by the compiler",
        )
    dtype = torch_dtype(value.element_type)
    if dtype is None:
        raise CompilerError(
            f"{what} of @main has elements of type {value.element_type}, which PyTorch has not"
        )
    shape = tuple(-1 if value.is_dynamic_dim(d) else value.get_dim_size(d) for d in range(value.rank))
    return shape, dtype
