"""Options of `compile` for wafers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...passes.infra.diagnostics import CompilerError, shown

OPTIONS: Mapping[str, str] = {
    "grid": "WIDTHxHEIGHT in PEs; chosen by cost when not given",
    "algorithm": "name{option=value ...} that products or reductions use; chosen by cost when not given",
    "accumulate": "element type that f16 and bf16 products sum in: f16 or f32; as imported when not given",
    "fallback": "'cpu': what has no lowering to the wafer runs on the CPU, in parts between those on the wafer",
    "programs": "how many programs the model becomes, which take turns on the wafer, or 'auto': one where it fits, "
    "else as many as it takes; the same with a warning when not given",
    "regions": "how many parts of the model sit side by side on the wafer, for inputs in a row, or 'auto': as many as "
    "let results follow each other soonest; 1 when not given",
    "objective": "'throughput': as many regions as let results follow each other soonest; 'latency', the time of one "
    "call, when not given",
    "effort": "'high': layouts are looked for by parts of dimensions, and longer: takes several times as long to plan",
    "keys": "most keys that attention holds scores of at a time, 0 for all; chosen by bytes and cycles when not given",
    "origin": "column and row of the program's first PE, e.g. '2,1'; 0,0 when not given",
}

MOST_PROGRAMS = 1000
MOST_REGIONS = 1000


def programs(options: Mapping[str, Any]) -> int | None:
    """How many programs a model shall become; None: one where it fits, else as many as it takes.

    Raises:
        CompilerError: the option `programs` is no such number.
    """
    given = options.get("programs")
    if given in (None, "", "auto"):
        return None
    number = int(given) if isinstance(given, str) and given.isdecimal() else given
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= MOST_PROGRAMS:
        raise CompilerError(
            f"programs is {shown(given)}, and has to be a number from 1 to {MOST_PROGRAMS}, or 'auto'"
        )
    return number


def regions(options: Mapping[str, Any]) -> int | None:
    """How many regions a model shall have; None: as many as let results follow each other soonest.

    Raises:
        CompilerError: the option `regions` is no such number, or another option does not go with it.
    """
    is_open = options.get("objective", "") == "throughput" and not options.get("regions")
    given = "auto" if is_open else options.get("regions") or 1
    if options.get("objective") not in (None, "", "latency", "throughput"):
        raise CompilerError(
            f"objective is {shown(options['objective'])}, and has to be 'latency' or 'throughput'"
        )
    number = int(given) if isinstance(given, str) and given.isdecimal() else given
    is_number = isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= MOST_REGIONS
    if not is_number and number != "auto":
        raise CompilerError(
            f"regions is {shown(given)}, and has to be a number from 1 to {MOST_REGIONS}, or 'auto'"
        )
    if number != 1 and is_in_parts(options):
        raise CompilerError(
            "regions are parts of one program, and with 'fallback' or 'programs' there are several",
            hint="leave either out",
        )
    if number != 1 and options.get("origin"):
        raise CompilerError("regions have places of their own, so 'origin' says nothing", hint="leave it out")
    return number if isinstance(number, int) else None


def keys(options: Mapping[str, Any]) -> int | None:
    """Of how many keys attention shall hold scores at a time, 0 for all; None: whatever is best.

    Raises:
        CompilerError: the option `keys` is no such number.
    """
    given = options.get("keys")
    if given in (None, ""):
        return None
    number = int(given) if isinstance(given, str) and given.isdecimal() else given
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise CompilerError(f"keys is {shown(given)}, and has to be a number of keys, 0 for all of them")
    return number


def is_thorough(options: Mapping[str, Any]) -> bool:
    """Whether more time shall go into planning.

    Raises:
        CompilerError: the option `effort` names anything else.
    """
    return _asks_for(options, "effort", "high")


def is_in_parts(options: Mapping[str, Any]) -> bool:
    """Whether several programs are asked for: what the CPU runs between them, or several that take turns.

    Raises:
        CompilerError: an option has no such value.
    """
    return falls_back(options) or (bool(options.get("programs")) and programs(options) != 1)


def falls_back(options: Mapping[str, Any]) -> bool:
    """Whether what has no lowering to the wafer may run on the CPU.

    Raises:
        CompilerError: the option `fallback` names anything else.
    """
    return _asks_for(options, "fallback", "cpu")


def _asks_for(options: Mapping[str, Any], name: str, only: str) -> bool:
    """Whether an option has the one value that it may have.

    Raises:
        CompilerError: it has another one.
    """
    given = options.get(name)
    if given not in (None, "", only):
        raise CompilerError(f"{name} is {shown(given)}, and the only one that there is is '{only}'")
    return given == only
