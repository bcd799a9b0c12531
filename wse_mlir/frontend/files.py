"""Models from files: what a file is, decided by its content, and how each kind is read."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch.export import ExportedProgram

from ..dialects.host import ir
from ..dialects.parsing import parse_module, parse_module_file
from ..passes.infra.diagnostics import CompilerError
from .call_interface import CallInterface
from .constants import lift_constants, read_resources
from .imported_model import ImportedModel
from .interface import annotate_main, find_main, read_main
from .lowering import finish_import, lower_torch_to_linalg, run_upstream
from .mlir_values import take_values

_LONGEST_NAME = 500
_EXPORT_HINT = (
    "load it in Python, then torch.export.save(torch.export.export(model, example_args), 'model.pt2')"
)


def read_model_file(
    path: str, context: ir.Context, example_args: Sequence[Any] = ()
) -> ExportedProgram | ImportedModel:
    """Reads a `.pt2`, `.mlir` or `.onnx` file; an ONNX model's symbolic sizes are those of `example_args`.

    Raises:
        CompilerError: there is no such file, it is broken, or of a kind that cannot be compiled.
    """
    if os.path.islink(path) and not os.path.exists(path):
        raise CompilerError("this is a symbolic link to a file that is not there", where=path)
    if not os.path.exists(path):
        shown = (
            path if len(path) < _LONGEST_NAME else f"{path[:60]}..."
        )  # a text may have been taken for a path
        raise CompilerError("no such file", where=shown, hint="check the path of the model")
    if os.path.isdir(path):
        raise CompilerError("this is a folder, expected a model's file", where=path)
    suffix = os.path.splitext(path)[1].lower()
    if suffix == ".mlir":
        return _read_mlir(path, context)
    if suffix == ".onnx":
        from .onnx_files import read_onnx

        return read_onnx(path, context, example_args)
    _refuse_other_kinds(path)
    if suffix != ".pt2":
        raise CompilerError(
            f"files named '*{suffix}' are not models that can be compiled",
            where=path,
            hint="give a .pt2 (torch.export.save), .mlir or .onnx file",
        )
    from .exported_files import read_exported_program

    return read_exported_program(path)


def _refuse_other_kinds(path: str) -> None:
    with open(path, "rb") as file:
        head = file.read(8)
    if head[4:8] == b"TFL3":
        raise CompilerError(
            "this is a TensorFlow Lite (TFLite) model, which cannot be compiled",
            where=path,
            hint="export the original model from PyTorch with torch.export.save, or to ONNX",
        )
    if not zipfile.is_zipfile(path):
        if os.path.splitext(path)[1].lower() in (".pt", ".pth", ".bin", ".ckpt"):
            raise CompilerError(
                "this is not a PyTorch archive (it may be a pickle of the old format, or broken)",
                where=path,
                hint=_EXPORT_HINT,
            )
        return
    inner = {name.partition("/")[2] for name in _names_in(path)}
    if any(name.startswith("code/") for name in inner) and "constants.pkl" in inner:
        raise CompilerError(
            "this is a TorchScript model, which cannot be compiled", where=path, hint=_EXPORT_HINT
        )
    if "data.pkl" in inner:
        raise CompilerError(
            "this is a pickled object (weights, or a whole module), not an exported program",
            where=path,
            hint=_EXPORT_HINT,
        )


def _names_in(path: str) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, ValueError) as error:
        raise CompilerError(
            f"this archive is broken: {error}", where=path, hint="write it again, or copy it again"
        ) from None


def _read_mlir(path: str, context: ir.Context) -> ImportedModel:
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    return import_mlir_module(parse_module_file(path, context, text), path, read_resources(text))


def read_mlir_text(text: str, context: ir.Context) -> ImportedModel:
    """MLIR that is no file's; see `import_mlir_module`.

    Raises:
        CompilerError: it does not parse, or holds no model.
    """
    return import_mlir_module(parse_module(text, context), "", read_resources(text))


def import_mlir_module(
    module: ir.Module, path: str = "", resources: Mapping[str, bytes] | None = None
) -> ImportedModel:
    """Brings a module on tensors (linalg, or the torch dialect) to stage `imported`, in place.

    Its function becomes @main; arguments without `wse.kind` are inputs, large constants become parameters, and
    parameters and states have the values that `mlir_values` finds.

    Args:
        resources: data of the `dense_resource` constants by name, see `read_resources`.
    """
    try:
        main = find_main(module)
        if _holds_torch(module):
            lower_torch_to_linalg(module)
            main = find_main(module)
        for function in module.body.operations:
            if function != main and function.operation.name == "func.func":
                function.operation.attributes["sym_visibility"] = ir.StringAttr.get("private", module.context)
        main.attributes["sym_name"] = ir.StringAttr.get("main", module.context)
        run_upstream(module, "inline,symbol-dce")
        finish_import(module)
        lifted = lift_constants(module, resources or {})
        arguments, results = read_main(module)
        arguments = take_values(module, arguments, path, resources or {})
    except CompilerError as error:
        error.where = error.where or path
        raise
    first = len(arguments) - len(lifted)
    for position, (name, tensor) in enumerate(lifted, start=first):
        arguments[position] = replace(arguments[position], kind="parameter", name=name, tensor=tensor)
    annotate_main(module, arguments, results)
    return ImportedModel(module, CallInterface(tuple(arguments), tuple(results)), module.context)


def _holds_torch(module: ir.Module) -> bool:
    found = False

    def visit(op: ir.Operation) -> ir.WalkResult:
        nonlocal found
        found = found or op.name.startswith("torch.")
        return ir.WalkResult.INTERRUPT if found else ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    return found
