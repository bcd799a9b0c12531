"""Weights inside of an `.mlir` file become parameters of @main, as those of a PyTorch model are.

Large constants would otherwise travel through LLVM and could neither be packed nor placed on a wafer. The
bindings cannot read a `dense_resource`; its data is taken from the file's resource section instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ..dialects.host import ir
from ..dialects.structured import replace_op
from ..passes.infra.diagnostics import CompilerError
from .interface import find_main, torch_dtype
from .signature import LITERAL_LIMIT

_BLOB = re.compile(r'^\s*(?:"([^"]+)"|([\w.$-]+)): "0x([0-9A-Fa-f]*)"', re.MULTILINE)
_RESOURCE = re.compile(r'^dense_resource<(?:"([^"]+)"|([^>]+))>')
_HEADER = 4  # a blob begins with its alignment as a 32-bit integer


def read_resources(text: str) -> dict[str, bytes]:
    """The blobs of a module's text by name."""
    _, _, section = text.rpartition("{-#")
    return {m[1] or m[2]: bytes.fromhex(m[3])[_HEADER:] for m in _BLOB.finditer(section)}


def lift_constants(module: ir.Module, resources: Mapping[str, bytes]) -> list[tuple[str, torch.Tensor]]:
    """Makes every constant tensor of 64 elements or more in @main an argument after those that there are.

    Smaller resources become dense constants. Splats and constants of element types that the bindings cannot
    read stay. A function with state is left alone, since its state has to come last.

    Returns:
        Name and value of each new argument, in order.
    Raises:
        CompilerError: a resource that the IR names has no data in the file.
    """
    main = find_main(module)
    block = main.body.blocks[0]
    if 'wse.kind = "state"' in str(main.attributes.get("arg_attrs", "")):
        return []
    lifted: list[tuple[str, torch.Tensor]] = []
    for op in [o for o in block.operations if o.operation.name == "arith.constant"]:
        name, tensor = _read_constant(op.operation, resources, f"constant_{len(lifted)}")
        if tensor is None:
            continue
        if tensor.numel() < LITERAL_LIMIT:
            _make_dense(op.operation, tensor)
            continue
        location = ir.Location.name(name, op.operation.location, context=module.context)
        value = block.add_argument(op.operation.results[0].type, location)
        replace_op(op.operation, [value])
        lifted.append((name, tensor))
    _extend_signature(main)
    return lifted


def _read_constant(
    op: ir.Operation, resources: Mapping[str, bytes], default_name: str
) -> tuple[str, torch.Tensor | None]:
    """Name and value of a constant that should not stay as it is; no value for others."""
    attribute: Any = op.attributes["value"]
    shaped = op.results[0].type
    dtype = torch_dtype(shaped.element_type) if isinstance(shaped, ir.RankedTensorType) else None
    if dtype is None or not isinstance(shaped, ir.RankedTensorType):
        return "", None
    named = _RESOURCE.match(str(attribute)) if type(attribute) is ir.Attribute else None
    if named is not None:
        name = named[1] or named[2]
        if name not in resources:
            raise CompilerError(
                f"the constant '{name}' has no data in the file",
                hint="print the module without eliding its resources",
            )
        flat = torch.frombuffer(bytearray(resources[name]), dtype=dtype)
        return name, flat.reshape(list(shaped.shape))
    if (
        not isinstance(attribute, ir.DenseElementsAttr)
        or attribute.is_splat
        or len(attribute) < LITERAL_LIMIT
    ):
        return "", None
    try:
        array = np.array(attribute)
    except (BufferError, TypeError, ValueError):  # element types without a buffer, such as bf16
        return "", None
    return default_name, torch.from_numpy(array).to(dtype)


def _make_dense(op: ir.Operation, tensor: torch.Tensor) -> None:
    if tensor.dtype == torch.bfloat16:  # NumPy's bf16 is unknown to the bindings' type inference
        tensor = tensor.view(torch.int16)
    array: Any = tensor.numpy()
    element = ir.RankedTensorType(op.results[0].type).element_type
    with op.context:
        op.attributes["value"] = ir.DenseElementsAttr.get(array, type=element, shape=list(array.shape))


def _extend_signature(main: Any) -> None:
    inputs = [argument.type for argument in main.body.blocks[0].arguments]
    added = len(inputs) - len(main.type.inputs)
    with main.context:
        main.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(inputs, main.type.results))
        if "arg_attrs" in main.attributes:
            known = list(ir.ArrayAttr(main.attributes["arg_attrs"]))
            main.attributes["arg_attrs"] = ir.ArrayAttr.get([*known, *([ir.DictAttr.get({})] * added)])
