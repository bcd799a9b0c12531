"""What is known of a machine: every number of a `machines/*.toml` file, typed and checked.

In the file each number is a table `{ value = 2.0, unit = "cycles", source = "FAB" }`; here it is the plain value, and
`Machine.sources` keeps the rest. `load_machine` is in this module; locating errors in the text is `machine_file.py`.
"""

from __future__ import annotations

from functools import cached_property
from os import PathLike
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from . import kinds
from .image import DTYPE_BYTES

Unit = Literal[
    "PEs", "bytes", "cycles", "words", "words/cycle", "elements/cycle", "GHz", "count", "ratio", "ids", "flag"
]
_QUANTITY_KEYS = {"value", "unit", "source"}


def _quantity(unit: str) -> BeforeValidator:
    """Unwraps `{ value, unit, source }`; the unit must be the one the schema counts in."""

    def unwrap(raw: Any) -> Any:
        if not isinstance(raw, dict) or not set(raw) >= _QUANTITY_KEYS or set(raw) - _QUANTITY_KEYS:
            raise PydanticCustomError(
                "quantity", 'expected a table of value, unit = "{unit}" and source', {"unit": unit}
            )
        if raw["unit"] != unit:
            raise PydanticCustomError(
                "unit", 'expected unit "{unit}", got "{got}"', {"unit": unit, "got": str(raw["unit"])}
            )
        if not isinstance(raw["source"], str) or not raw["source"].strip():
            raise PydanticCustomError("source", "expected the source of the number, as text", {})
        return raw["value"]

    return BeforeValidator(unwrap)


def _complete(rates: dict[str, float]) -> dict[str, float]:
    """A rate table names element types and has a default."""
    wrong = sorted(set(rates) - {"default", *DTYPE_BYTES})
    if wrong or "default" not in rates:
        raise PydanticCustomError(
            "rates",
            "expected element types and 'default', got {got}",
            {"got": ", ".join(sorted(rates)) or "none"},
        )
    return rates


# Booleans and numbers in quotes are no numbers; larger ones than these overflow the simulator's counters.
MOST = 2**31 - 1
NonNegative = Annotated[float, Field(ge=0, le=MOST, strict=True, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=MOST, strict=True, allow_inf_nan=False)]
Natural = Annotated[int, Field(ge=0, le=MOST, strict=True)]
Several = Annotated[int, Field(gt=0, le=MOST, strict=True)]

Cycles = Annotated[NonNegative, _quantity("cycles")]
PositiveCycles = Annotated[Positive, _quantity("cycles")]
PEs = Annotated[Several, _quantity("PEs")]
Bytes = Annotated[Natural, _quantity("bytes")]
SomeBytes = Annotated[Several, _quantity("bytes")]
Count = Annotated[Several, _quantity("count")]
Ratio = Annotated[float, _quantity("ratio"), Field(ge=1, le=MOST, strict=True, allow_inf_nan=False)]
GHz = Annotated[Positive, _quantity("GHz")]
WordsPerCycle = Annotated[Positive, _quantity("words/cycle")]
Words = Annotated[Several, _quantity("words")]
Depths = Annotated[tuple[Several, ...], _quantity("words"), Field(min_length=1)]
Ids = Annotated[tuple[Natural, ...], _quantity("ids")]
Rate = Positive
Rates = Annotated[dict[str, Rate], AfterValidator(_complete), _quantity("elements/cycle")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GridSection(_Section):
    """The rectangle of PEs that a program can get."""

    width: PEs
    height: PEs


class SramSection(_Section):
    """A PE's memory. `runtime` is taken by the host-transfer runtime."""

    bytes: Bytes
    runtime: Bytes
    banks: Count
    bank_bytes: SomeBytes
    full_rate_strides: Ids
    conflict_penalty: Ratio

    @field_validator("runtime")
    @classmethod
    def _leaves_room(cls, runtime: int, info: ValidationInfo) -> int:
        if runtime >= info.data.get("bytes", runtime + 1):
            raise PydanticCustomError(
                "room", "expected less than sram.bytes, {bytes}", {"bytes": info.data["bytes"]}
            )
        return runtime


class VectorSection(_Section):
    """Cost of a vector operation: setup + elements / rate, plus the loops outside the innermost one.

    Attributes:
        mapped_row / mapped_map: cycles of each further trip of the second innermost loop and of the loops outside
            it, when the loop nest is a hardware map.
        looped_row: cycles of each further trip of any outer loop when scalar code runs it.
        scalar_element: cycles of an element when scalar code runs every loop, arithmetic included.
        index: cycles of reading an index from memory, seeing whether the PE has it, and finding its address.
    """

    setup: Cycles
    mapped_row: Cycles
    mapped_map: Cycles
    looped_row: Cycles
    scalar_element: Cycles
    index: Cycles


class RatesSection(_Section):
    """Elements per cycle by rate class (`kinds.RATE_CLASS`) and element type.

    The key "default" stands for the types that are not listed; 8-byte types run at half of it, and
    16-bit integers and bf16 at the rate of "f16" where that is given.
    """

    copy_: Rates = Field(alias="copy")
    fill: Rates
    add: Rates
    mul: Rates
    fma: Rates
    divide: Rates
    square_root: Rates
    transcendental: Rates
    convert: Rates


class ControlSection(_Section):
    """Scalar control.

    Attributes:
        loop / branch: a loop's back-edge; a branch.
        task: start of a task on the main thread.
        phase: start of a phase.
        launch: start of a transfer on a microthread.
        join: from a microthread's last word to what waited for it.
        microthread_word: cycles that the main thread loses to each word that a microthread moves: both share the
            data path and the memory. Charged at the launch.
        library_call: entry of a routine of the vendor's library of collectives, for each colour that it sets up.
        descriptor: loading one data descriptor.
        scalar: one scalar operation.
    """

    loop: Cycles
    branch: Cycles
    task: Cycles
    phase: Cycles
    launch: Cycles
    join: Cycles
    microthread_word: Cycles
    library_call: Cycles
    descriptor: Cycles
    scalar: Cycles


class FabricSection(_Section):
    """Routers and links. A wavelet carries 32 bits.

    Attributes:
        ramp_out / ramp_in: cycles from the core to its router's link, and from the router to the core.
        cycles_per_wavelet: of one wavelet on a link.
        turn_latency: extra cycles where a path changes between x and y.
        transfer_setup: cycles to start a send, receive or relay.
        relay_latency: cycles from a relay's taking a word to its passing it on.
        router_words: words of a stalled stream that the routers hold, for each hop of its path.
        route_rewrite: cycles of the main thread to write another setting of a colour into the router.
        switch: cycles of the main thread to advance a colour's switch to another position.
    """

    hop_latency: Cycles
    ramp_out: Cycles
    ramp_in: Cycles
    cycles_per_wavelet: PositiveCycles
    turn_latency: Cycles
    transfer_setup: Cycles
    relay_latency: Cycles
    router_words: Words
    route_rewrite: Cycles
    switch: Cycles
    colours: Count
    reserved_colours: Ids
    switch_positions: Count

    @field_validator("reserved_colours")
    @classmethod
    def _leaves_colours(cls, reserved: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        colours = info.data.get("colours", MOST)
        if len({c for c in reserved if c < colours}) == colours:
            raise PydanticCustomError(
                "room", "expected at least one of {colours} colours to be free", {"colours": colours}
            )
        return reserved


class QueuesSection(_Section):
    """Depths in words of a PE's queues, and how many microthreads it has."""

    input: Depths
    output: Depths
    microthreads: Count


class HostSection(_Section):
    """Transfers between the host and the wafer's edge, through channels."""

    channels: Count
    rows_per_channel: Count
    words_per_cycle_in: WordsPerCycle
    words_per_cycle_out: WordsPerCycle
    fixed_in: Cycles
    fixed_out: Cycles


class ClockSection(_Section):
    ghz: GHz


class Machine(_Section):
    """A machine. All times are in cycles, sizes in bytes, distances in hops.

    Attributes:
        name / description: as the file says.
        invented: true for machines that stand for no real one.
    """

    name: str = Field(min_length=1)
    description: str
    invented: bool = Field(default=False, strict=True)
    fabric_size: GridSection = Field(alias="grid")
    sram: SramSection
    vector: VectorSection
    rates: RatesSection
    control: ControlSection
    fabric: FabricSection
    queues: QueuesSection
    host: HostSection
    clock: ClockSection
    _raw: dict[str, Any] = PrivateAttr(default_factory=dict)
    _target: str = PrivateAttr(default="")

    @property
    def target(self) -> str:
        """The text that `load_machine` reads this machine from; "" for one that is from no file."""
        return self._target

    def named(self, target: str) -> Machine:
        """Itself, after noting what it was read from."""
        self._target = target
        return self

    @property
    def grid(self) -> tuple[int, int]:
        """(width, height) in PEs that a program can get."""
        return (self.fabric_size.width, self.fabric_size.height)

    @property
    def sram_available(self) -> int:
        """Bytes of a PE's SRAM left to a program's code and data."""
        return self.sram.bytes - self.sram.runtime

    @cached_property
    def usable_colours(self) -> tuple[int, ...]:
        """Hardware colours that a program may route."""
        reserved = set(self.fabric.reserved_colours)
        return tuple(c for c in range(self.fabric.colours) if c not in reserved)

    @property
    def stream_capacity(self) -> int:
        """Words that a stalled stream holds end to end: the deepest queue at each end and the routers."""
        return max(self.queues.input) + max(self.queues.output) + self.fabric.router_words

    def rate(self, kind: str, dtype: str) -> float:
        """Elements per cycle of `kind` (of `kinds.ARITY`) on elements of `dtype`."""
        rates: dict[str, float] = getattr(
            self.rates, _RATE_FIELD.get(kinds.RATE_CLASS[kind], kinds.RATE_CLASS[kind])
        )
        for key in (dtype, _RATE_OF.get(dtype, dtype)):
            if key in rates:
                return rates[key]
        return rates["default"] * min(4.0 / DTYPE_BYTES[dtype], 1.0)

    def rates_for(self, dtype: str) -> dict[str, float]:
        """Elements per cycle by rate class for one element type."""
        first = {rate_class: kind for kind, rate_class in reversed(kinds.RATE_CLASS.items())}
        return {rate_class: self.rate(kind, dtype) for rate_class, kind in sorted(first.items())}

    def source(self, key: str) -> str:
        """Where a number comes from, e.g. `source("fabric.hop_latency")`."""
        entry: Any = self._raw
        for part in key.split("."):
            entry = entry[part]
        return entry["source"]

    @property
    def contents(self) -> dict[str, Any]:
        """What its file says, as plain data that `machine_from` takes; not to be changed."""
        return self._raw

    def replace(self, **values: Any) -> Machine:
        """A copy with other numbers; `__` stands for the dot: `replace(fabric__hop_latency=1.0)`.

        Raises:
            TargetError: the machine has no such number, or the value is none that it can have.
        """
        from .machine_settings import with_settings

        return with_settings(self, {key.replace("__", "."): value for key, value in values.items()})


_RATE_FIELD = {"copy": "copy_"}
_RATE_OF = {"bf16": "f16", "i16": "f16"}


def machine_from(raw: dict[str, Any]) -> Machine:
    """Checks the contents of a machine file; raises pydantic's `ValidationError`."""
    machine = Machine.model_validate(raw)
    machine._raw = raw
    return machine


def load_machine(target: str | PathLike[str]) -> Machine:
    """The machine called `target`, or the one described by the file at that path.

    Raises:
        TargetError: no such machine, or a broken file; names the file, the line, the key and what is expected.
    """
    from .machine_file import read_machine

    return read_machine(target)
