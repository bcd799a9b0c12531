"""What is known of a machine: every number of a `machines/*.toml` file, typed and checked.

In the file each number is a table `{ value = 2.0, unit = "cycles", source = "FAB" }`; here it is the plain value, and
`Machine.sources` keeps the rest. Files are read by `machine_file.py`.

IR carries a machine by its text alone, so such a text has to be enough to read the machine again, in any process. A
machine that was built in Python from nothing has a name that only its own process knows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from pydantic import Field, PrivateAttr, ValidationError

from . import kinds
from .errors import TargetError
from .instructions import DTYPE_BYTES
from .machine_problems import describe_problem
from .machine_sections import (
    ClockSection,
    ControlSection,
    FabricSection,
    GridSection,
    HostSection,
    QueuesSection,
    RatesSection,
    Section,
    SramSection,
    VectorSection,
)
from .machine_settings import join_target, split_target

REPLACED = "replaced"
_WHOLE_PATH = 2  # table and number; a rate's element type comes third


class Machine(Section):
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
        return _of_type(
            getattr(self.rates, _RATE_FIELD.get(kinds.RATE_CLASS[kind], kinds.RATE_CLASS[kind])), dtype
        )

    def rate_into_one(self, kind: str, dtype: str) -> float:
        """The same where every element is combined with what one place holds: each waits for the one before."""
        rates = self.rates.dot if kind == "fma" else self.rates.sum
        rate = self.rate(kind, dtype)
        return rate if rates is None else min(rate, _of_type(rates, dtype))

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
        return with_settings(self, {key.replace("__", "."): value for key, value in values.items()})


def _of_type(rates: Mapping[str, float], dtype: str) -> float:
    for key in (dtype, _RATE_OF.get(dtype, dtype)):
        if key in rates:
            return rates[key]
    return rates["default"] * min(4.0 / DTYPE_BYTES[dtype], 1.0)


_RATE_FIELD = {"copy": "copy_"}
_RATE_OF = {"bf16": "f16", "i16": "f16"}


def machine_from(raw: dict[str, Any]) -> Machine:
    """Checks the contents of a machine file; raises pydantic's `ValidationError`."""
    machine = Machine.model_validate(raw)
    machine._raw = raw
    return machine


_in_memory: dict[str, Machine] = {}


def target_text(machine: Machine) -> str:
    """A text that `load_machine` reads this machine from; in this process alone if it is from no file."""
    if machine.target:
        return machine.target
    digest = hashlib.sha256(json.dumps(machine.contents, sort_keys=True, default=str).encode()).hexdigest()
    name = f"{machine.name}#{digest[:12]}"
    _in_memory[name] = machine
    return name


def machine_in_memory(name: str) -> Machine | None:
    """The machine that `target_text` gave that name."""
    return _in_memory.get(name)


def with_settings(machine: Machine, settings: Mapping[str, Any]) -> Machine:
    """The machine with other numbers.

    Args:
        settings: by key as a machine file has it, `fabric.hop_latency` or, for one element type, `rates.fma.f16`.

    Raises:
        TargetError: there is no such key, or a value is none that it can have; names the key.
    """
    raw = {key: dict(value) if isinstance(value, dict) else value for key, value in machine.contents.items()}
    for key, value in settings.items():
        _set(raw, key, value)
    try:
        changed = machine_from(raw)
    except ValidationError as error:
        raise _refused(error, settings, machine) from None
    if machine.target:
        base, before = split_target(machine.target)
        changed.named(join_target(base, {**before, **settings}))
    return changed


def _set(raw: dict[str, Any], key: str, value: Any) -> None:
    first, *rest = key.split(".")
    if not rest and isinstance(raw.get(first), str):
        raw[first] = value
        return
    table = raw.get(first)
    if not isinstance(table, dict):
        raise _unknown(key, first, [k for k, v in raw.items() if isinstance(v, dict)])
    if not rest or rest[0] not in table:
        raise _unknown(key, ".".join([first, *rest[:1]]), [f"{first}.{name}" for name in table])
    entry = table[rest[0]]
    if len(rest) > 1:
        if len(rest) > _WHOLE_PATH or not isinstance(entry["value"], dict):
            raise _unknown(key, key, [f"{first}.{name}" for name in table])
        value = {**entry["value"], rest[1]: value}
    table[rest[0]] = {**entry, "value": value, "source": REPLACED}


def _unknown(key: str, wrong: str, known: Sequence[str]) -> TargetError:
    near = get_close_matches(wrong, known, n=1, cutoff=0.5)
    meant = f"did you mean '{near[0]}'? " if near else ""
    return TargetError(
        f"a machine has no number '{key}'", hint=f"{meant}there are {', '.join(sorted(known))}"
    )


def _refused(error: ValidationError, settings: Mapping[str, Any], machine: Machine) -> TargetError:
    problems = [describe_problem(item, Machine) for item in error.errors(include_url=False)]
    shown = join_target(machine.target or machine.name, settings)
    return TargetError(
        problems[0], where=shown, notes=tuple(problems[1:]), hint="docs/machine-files.md lists the keys"
    )
