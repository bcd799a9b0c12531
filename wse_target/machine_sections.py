"""The tables of a machine file, typed and checked: every number with its unit and what it may be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from .instructions import DTYPE_BYTES

QuantityUnit = Literal[
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


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GridSection(Section):
    """The rectangle of PEs that a program can get."""

    width: PEs
    height: PEs


class SramSection(Section):
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


class VectorSection(Section):
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

    def mapped(self, rows: Any, maps: Any) -> Any:
        """Cycles of the loops outside the innermost one of a hardware map, numbers or arrays of them.

        Args:
            rows: trips of all of them together.
            maps: trips of those outside the second innermost one together.
        """
        return (rows - 1) * self.mapped_row + (maps - 1) * self.mapped_map


class RatesSection(Section):
    """Elements per cycle by rate class (`kinds.RATE_CLASS`) and element type.

    The key "default" stands for the types that are not listed; 8-byte types run at half of it, and
    16-bit integers and bf16 at the rate of "f16" where that is given.

    Attributes:
        dot / sum: of fma, and of other operations that combine two numbers, where all elements go into one place one
            after the other; where not given as fast as anywhere.
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
    dot: Rates | None = None
    sum: Rates | None = None


class ControlSection(Section):
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


class FabricSection(Section):
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


class QueuesSection(Section):
    """Depths in words of a PE's queues, and how many microthreads it has."""

    input: Depths
    output: Depths
    microthreads: Count


class HostSection(Section):
    """Transfers between the host and the wafer's edge, through channels."""

    channels: Count
    rows_per_channel: Count
    words_per_cycle_in: WordsPerCycle
    words_per_cycle_out: WordsPerCycle
    fixed_in: Cycles
    fixed_out: Cycles


class ClockSection(Section):
    ghz: GHz
