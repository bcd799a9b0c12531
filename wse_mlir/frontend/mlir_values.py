"""Values of parameters and states that belong to an `.mlir` file: inside of it, or in an `.npz` file beside it.

Inside, an argument of @main has its value as the attribute `wse.value`, a `dense_resource`. Beside, the file of the
same name that ends in `.npz` has an array for each of them, by its `wse.name`.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..dialects.host import ir
from ..passes.infra.diagnostics import CompilerError
from ..runtime.arrays import as_array, as_tensor, numpy_dtype
from .interface import find_main
from .signature import Argument

NO_DATA_HINT = (
    "build the model on a real device, not on 'meta'; "
    "an .mlir file has its values inside or in the .npz beside it"
)

_VALUE = "wse.value"
_RESOURCE = re.compile(r'^dense_resource<(?:"([^"]+)"|([^>]+))>')


def values_file(path: str | Path) -> Path:
    """The file beside an `.mlir` file that has its values."""
    return Path(path).with_suffix(".npz")


def has_values(arguments: Sequence[Argument]) -> bool:
    """Whether there are values to keep."""
    return any(a.tensor is not None for a in arguments)


def pack_values(arguments: Sequence[Argument]) -> bytes:
    """The values of parameters and states as an `.npz` file, the same bytes for the same values."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for argument in arguments:
            if argument.tensor is None:
                continue
            # The default date of an entry is fixed, so that the file does not depend on when it was made.
            with archive.open(zipfile.ZipInfo(f"{argument.name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, as_array(argument.tensor), allow_pickle=False)
    return packed.getvalue()


def embed_values(module: ir.Module, arguments: Sequence[Argument]) -> None:
    """Gives the arguments of @main their values as attributes."""
    main = find_main(module)
    with module.context, ir.Location.unknown():
        attributes = [dict(_items(ir.DictAttr(a))) for a in ir.ArrayAttr(main.attributes["arg_attrs"])]
        for given, argument, kind in zip(attributes, arguments, main.type.inputs, strict=True):
            if argument.tensor is not None:
                given[_VALUE] = _resource(argument, kind)
        main.arg_attrs = ir.ArrayAttr.get([ir.DictAttr.get(given) for given in attributes])


def take_values(
    module: ir.Module, arguments: Sequence[Argument], path: str, resources: Mapping[str, bytes]
) -> list[Argument]:
    """The arguments with the values that the module, read from `path`, has for them; removes the attributes.

    Arguments without a value stay so: timing and lowering do not need them.

    Raises:
        CompilerError: a value has not the shape or type of its argument, or a file is broken.
    """
    main = find_main(module)
    embedded = _take_attributes(main, path, resources)
    missing = [
        a for i, a in enumerate(arguments) if a.kind != "input" and i not in embedded and a.tensor is None
    ]
    beside = _read_beside(path, missing)
    values = {i: _tensor(arguments[i], data, path) for i, data in embedded.items()}
    values |= {i: beside[a.name] for i, a in enumerate(arguments) if a.kind != "input" and a.name in beside}
    return [replace(a, tensor=values.get(i, a.tensor)) for i, a in enumerate(arguments)]


def _items(attributes: ir.DictAttr) -> list[tuple[str, ir.Attribute]]:
    return [(named.name, named.attr) for named in attributes]


def _resource(argument: Argument, kind: ir.Type) -> ir.Attribute:
    assert argument.tensor is not None, "asked for arguments that have a value"
    array = as_array(argument.tensor)
    plain = array.view(np.uint8) if array.ndim and array.size else array.reshape(-1).view(np.uint8)
    made: Any = ir.DenseResourceElementsAttr
    return made.get_from_buffer(np.ascontiguousarray(plain), argument.name, kind, alignment=array.itemsize)


def _take_attributes(main: Any, path: str, resources: Mapping[str, bytes]) -> dict[int, bytes]:
    """The embedded values by position."""
    if "arg_attrs" not in main.attributes:
        return {}
    found: dict[int, bytes] = {}
    with main.context:
        kept = []
        for position, attributes in enumerate(ir.ArrayAttr(main.attributes["arg_attrs"])):
            given = dict(_items(ir.DictAttr(attributes)))
            named = _RESOURCE.match(str(given.pop(_VALUE, "")))
            if named is not None:
                name = named[1] or named[2]
                if name not in resources:
                    raise CompilerError(
                        f"the value '{name}' has no data in the file",
                        where=path,
                        hint="print the module without eliding its resources",
                    )
                found[position] = resources[name]
            kept.append(ir.DictAttr.get(given))
        main.arg_attrs = ir.ArrayAttr.get(kept)
    return found


def _tensor(argument: Argument, data: bytes, path: str) -> torch.Tensor:
    flat = (
        torch.frombuffer(bytearray(data), dtype=argument.dtype)
        if data
        else torch.empty(0, dtype=argument.dtype)
    )
    if flat.numel() != int(np.prod(argument.shape, dtype=np.int64)):
        raise CompilerError(
            f"the value of '{argument.name}' has {flat.numel()} elements, its type has shape {list(argument.shape)}",
            where=path,
        )
    return flat.reshape(argument.shape)


def _read_beside(path: str, wanted: Sequence[Argument]) -> dict[str, torch.Tensor]:
    if not wanted or not path or not values_file(path).is_file():
        return {}
    file = values_file(path)
    arrays = read_arrays(file, {a.name for a in wanted})
    return {a.name: _checked(a, arrays[a.name], file) for a in wanted if a.name in arrays}


def read_arrays(file: Path, wanted: Container[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file by name. Nothing in it is run.

    Args:
        wanted: names to read, those that it has; all when None.

    Raises:
        CompilerError: it is no such file, or holds something else than arrays of numbers.
    """
    try:
        if not zipfile.is_zipfile(file):
            raise ValueError("this is no .npz file")
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files if wanted is None or name in wanted}
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray):
                raise ValueError(f"'{name}' is no array")
    except Exception as error:  # broken archives raise whatever zipfile, zlib and NumPy find first
        reason = str(error).split("\n")[0] or type(error).__name__
        raise CompilerError(
            f"the values cannot be read: {reason}", where=str(file), hint="numpy.savez writes such files"
        ) from error
    return arrays


def _checked(argument: Argument, array: np.ndarray, file: Path) -> torch.Tensor:
    dtype = numpy_dtype(argument.dtype)
    if dtype is not None and array.dtype.kind == "V" and array.dtype.itemsize == dtype.itemsize:
        array = array.view(dtype)  # NumPy has no name for bf16 in files
    if array.dtype != dtype or array.shape != argument.shape:
        raise CompilerError(
            f"'{argument.name}' is {array.dtype} {list(array.shape)}, but {dtype} {list(argument.shape)} in the IR",
            where=str(file),
        )
    return as_tensor(np.ascontiguousarray(array))
