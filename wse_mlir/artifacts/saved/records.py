"""What is stored of a call interface and of a program, as checked plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_type_hints

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from ...frontend.call_interface import CallInterface
from ...frontend.signature import Argument, Result
from ...passes.cpu.processor import Processor
from ...passes.infra.diagnostics import CompilerError, shown
from ...runtime.arrays import TORCH_DTYPES, numpy_dtype
from ...runtime.checks import Check, CheckKind
from ...runtime.cpu.provisions import Provisions
from .trees import read_tree, tree_text

_DTYPES = {str(dtype).removeprefix("torch."): dtype for dtype in TORCH_DTYPES}
SavedSize = Annotated[int, Field(ge=-1, lt=2**62)]
SavedShape = tuple[SavedSize, ...]


class Record(BaseModel):
    """Plain data: read from JSON without conversions, unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def dtype_named(name: str) -> torch.dtype:
    """The element type that `dtype_name` gave a name; raises ValueError for any other text."""
    if name not in _DTYPES:
        raise ValueError(f"there is no element type '{name}'")
    return _DTYPES[name]


def dtype_name(dtype: torch.dtype) -> str:
    """The name of an element type without a prefix."""
    return str(dtype).removeprefix("torch.")


class ConstantRecord(Record):
    """A Python value among arguments or results."""

    type: Literal["none", "bool", "int", "float", "str", "dtype", "tensor"]
    text: str

    @classmethod
    def of(cls, value: Any) -> ConstantRecord:
        """Raises CompilerError for a value of another type."""
        if value is None:
            return cls(type="none", text="")
        if isinstance(value, torch.dtype) and dtype_name(value) in _DTYPES:
            return cls(type="dtype", text=dtype_name(value))
        if isinstance(value, torch.Tensor):
            return cls(type="tensor", text=json.dumps([dtype_name(value.dtype), value.tolist()]))
        for kind in (bool, int, float, str):
            if type(value) is kind:
                name: Any = kind.__name__
                return cls(type=name, text=value.hex() if isinstance(value, float) else str(value))
        raise CompilerError(
            f"an argument or result that is {shown(value)} cannot be stored",
            hint="numbers, text, None and element types can be",
        )

    def value(self) -> Any:
        """Raises ValueError when the text is not a value of the type."""
        if self.type == "bool" and self.text not in ("True", "False"):
            raise ValueError(f"'{self.text}' is not a truth value")
        read: dict[str, Any] = {
            "none": lambda text: None,
            "bool": lambda text: text == "True",
            "int": int,
            "float": float.fromhex,
            "str": str,
            "dtype": dtype_named,
            "tensor": _tensor_of,
        }
        return read[self.type](self.text)


def _tensor_of(text: str) -> torch.Tensor:
    """The tensor whose element type and elements are told; raises ValueError for any other text."""
    name, elements = json.loads(text)
    try:
        return torch.tensor(elements, dtype=dtype_named(name))
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"'{text}' is not a tensor") from error


class ArgumentRecord(Record):
    """See `Argument`."""

    kind: Literal["input", "parameter", "state"]
    name: str
    shape: SavedShape
    dtype: str
    symbols: tuple[str, ...]


class ResultRecord(Record):
    """See `Result`."""

    kind: Literal["output", "state"]
    name: str
    dtype: str
    number: bool = False


class InterfaceRecord(Record):
    """A `CallInterface` without data; the keys of constants are flat positions."""

    arguments: tuple[ArgumentRecord, ...]
    results: tuple[ResultRecord, ...]
    in_spec: str | None
    out_spec: str | None
    input_labels: tuple[str, ...]
    input_constants: tuple[tuple[int, ConstantRecord], ...]
    output_constants: tuple[tuple[int, ConstantRecord], ...]

    @classmethod
    def of(cls, interface: CallInterface) -> InterfaceRecord:
        """Raises CompilerError when arguments or results have a structure that cannot be stored."""
        return cls(
            arguments=tuple(
                ArgumentRecord(
                    kind=a.kind, name=a.name, shape=a.shape, dtype=dtype_name(a.dtype), symbols=a.symbols
                )
                for a in interface.arguments
            ),
            results=tuple(
                ResultRecord(kind=r.kind, name=r.name, dtype=dtype_name(r.dtype), number=r.number)
                for r in interface.results
            ),
            in_spec=None if interface.in_spec is None else tree_text(interface.in_spec, "the arguments"),
            out_spec=None if interface.out_spec is None else tree_text(interface.out_spec, "the results"),
            input_labels=tuple(interface.input_labels),
            input_constants=_constants(interface.input_constants),
            output_constants=_constants(interface.output_constants),
        )

    def interface(self) -> CallInterface:
        """Raises ValueError or CompilerError when it cannot be one in this process."""
        kinds = [a.kind for a in self.arguments]
        if kinds != sorted(kinds, key=["input", "parameter", "state"].index):
            raise ValueError("arguments are out of order")
        return CallInterface(
            tuple(
                Argument(a.kind, a.name, a.shape, dtype_named(a.dtype), symbols=a.symbols)
                for a in self.arguments
            ),
            tuple(Result(r.kind, r.name, dtype_named(r.dtype), r.number) for r in self.results),
            None if self.in_spec is None else read_tree(self.in_spec),
            None if self.out_spec is None else read_tree(self.out_spec),
            self.input_labels,
            {position: constant.value() for position, constant in self.input_constants},
            {position: constant.value() for position, constant in self.output_constants},
        )


def _constants(values: Mapping[int, Any]) -> tuple[tuple[int, ConstantRecord], ...]:
    return tuple((position, ConstantRecord.of(value)) for position, value in values.items())


# A field for each of `Processor`'s, defaults left out: what lacks one is of another version.
_PROCESSOR_FIELDS: dict[str, Any] = {name: (kind, ...) for name, kind in get_type_hints(Processor).items()}
_ProcessorFields: Any = create_model("_ProcessorFields", __base__=Record, **_PROCESSOR_FIELDS)


class ProcessorRecord(_ProcessorFields):
    """See `Processor`; `requires` is what `missing_here` takes."""

    requires: str

    @classmethod
    def of(cls, processor: Processor) -> ProcessorRecord:
        """What code for this processor needs."""
        return cls(**vars(processor), requires=processor.requires)

    def processor(self) -> Processor:
        """The processor that code was made for."""
        return Processor(**self.model_dump(exclude={"requires"}))


class ArrayTypeRecord(Record):
    """Shape, -1 for open sizes, and element type of an array."""

    shape: SavedShape
    dtype: str

    def array_type(self) -> tuple[tuple[int, ...], np.dtype]:
        """Raises ValueError for an element type that arrays cannot have."""
        dtype = numpy_dtype(dtype_named(self.dtype))
        assert dtype is not None, "names are of such types alone"
        return self.shape, dtype


class CheckRecord(Record):
    """See `Check`."""

    kind: CheckKind
    where: str
    message: str
    dimension: int


class ProvisionsRecord(Record):
    """See `Provisions`."""

    prepare: str = Field(pattern=r"^[\w.$-]*$")
    prepared: tuple[ArrayTypeRecord, ...]
    arena_bytes: int | None = Field(ge=0, lt=2**62)
    prepare_arena_bytes: int | None = Field(ge=0, lt=2**62)
    checks: tuple[CheckRecord, ...]
    allocations: tuple[str, ...]

    @classmethod
    def of(cls, provisions: Provisions) -> ProvisionsRecord:
        """What a function takes besides its arguments."""
        prepared = tuple(
            ArrayTypeRecord(shape=shape, dtype=dtype.name) for shape, dtype in provisions.prepared
        )
        sizes = (provisions.arena_bytes, provisions.prepare_arena_bytes)
        return cls(
            prepare=provisions.prepare,
            prepared=prepared,
            arena_bytes=sizes[0],
            prepare_arena_bytes=sizes[1],
            checks=tuple(CheckRecord(**vars(check)) for check in provisions.checks),
            allocations=provisions.allocations,
        )

    def provisions(self) -> Provisions:
        """Raises ValueError when they contradict each other."""
        prepared = tuple(kind.array_type() for kind in self.prepared)
        if bool(prepared) != bool(self.prepare) or any(-1 in shape for shape, _ in prepared):
            raise ValueError("prepared tensors are not what a function prepares")
        checks = tuple(Check(**check.model_dump()) for check in self.checks)
        sizes = (self.arena_bytes, self.prepare_arena_bytes)
        return Provisions(self.prepare, prepared, *sizes, checks, self.allocations)


class CpuRecord(Record):
    """A `CpuProgram`; its code is the block "code"."""

    kind: Literal["cpu"] = "cpu"
    entry: str = Field(pattern=r"^[\w.$-]+$")
    results: tuple[ArrayTypeRecord, ...]
    processor: ProcessorRecord
    states_in_place: bool
    provisions: ProvisionsRecord


class PreparationRecord(Record):
    """What computes tensors from a wafer's parameters; its block begins with "prepare/"."""

    interface: InterfaceRecord
    program: CpuRecord


class WaferRecord(Record):
    """A `WaferProgram`; its executable stage is the block "stage". `machine` is a machine file's contents."""

    kind: Literal["wafer"] = "wafer"
    machine: dict[str, JsonValue]
    facts: dict[str, JsonValue]
    preparation: PreparationRecord | None = None


class ReturnedCheckRecord(Record):
    """See `ReturnedCheck`."""

    check: CheckRecord
    size: int


class PartRecord(Record):
    """See `PartProgram`; blocks of the program begin with "NAME/"."""

    name: str = Field(pattern=r"^[a-z]+_[0-9]+$")
    interface: InterfaceRecord
    program: CpuRecord | WaferRecord = Field(discriminator="kind")
    takes: tuple[int, ...]
    makes: tuple[int, ...]
    sources: tuple[str, ...]


class PartedRecord(Record):
    """A `PartedProgram`. `machine` is a machine file's contents."""

    kind: Literal["parts"] = "parts"
    machine: dict[str, JsonValue]
    parts: tuple[PartRecord, ...]
    returned: tuple[int, ...]
    checks: tuple[ReturnedCheckRecord, ...]
    operators: tuple[dict[str, str], ...]


ProgramRecord = Annotated[CpuRecord | WaferRecord | PartedRecord, Field(discriminator="kind")]
