"""A simulation's report in a few lines for people; the layers' table is `layer_table`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .layer_table import layer_summary

_REASONS = (
    ("wait_words", "for words"), ("wait_places", "for room further on"), ("wait_join", "for microthreads"),
    ("wait_switch", "for switches"),
)  # fmt: skip
_PATH_ROWS = 6
_PLACE = re.compile(r'"([^"]+)":(\d+):\d+')  # the innermost file and line of a location's text


def summary(data: Mapping[str, Any]) -> str:
    """Where the cycles went, what the links carried, the roofline, the critical path and the comparison."""
    parts: list[str] = [
        layer_summary(dict(data)),
        _split(data),
        _links(data),
        _roofline(data),
        _critical_path(data),
    ]
    parts.append(_check(data["check"]))
    return "\n".join(part for part in parts if part)


def _split(data: Mapping[str, Any]) -> str:
    split, device = data["split"], data["cycles"]["device"] or 1.0

    def share(name: str) -> str:
        return f"{split[name] / device:.1%}"

    reasons = [f"{share(name)} {text}" for name, text in _REASONS if split[name]]
    waiting = f" ({', '.join(reasons)})" if reasons else ""
    return (
        f"Of a PE's cycles {share('compute')} compute, {share('communication')} communication, "
        f"{share('waiting')} waiting{waiting}."
    )


def _links(data: Mapping[str, Any]) -> str:
    loads = data["link_loads"]
    if not loads["used"]:
        return "No word goes over a link."
    return (
        f"Links: {loads['words']:,} words over {loads['used']:,} links; the busiest, {loads['busiest']}, passes "
        f"{loads['most_words']:,} and is busy {loads['busy']:.1%} of the time (mean {loads['mean_busy']:.1%})."
    )


def _roofline(data: Mapping[str, Any]) -> str:
    line = data["roofline"]
    if line["bound"] == "none":
        return f"{data['sram_bytes']:,} bytes between cores and SRAM; no arithmetic."
    fabric = line["fabric_intensity"]
    more = f", {fabric:.3g} a byte from the fabric" if fabric is not None else ""
    repeated = data["repeated_flops"]
    again = f"{repeated:,} more repeat what other PEs compute; " if repeated else ""
    return (
        f"{data['flops']:,} FLOPs ({line['dtype']}), {line['intensity'] or 0:.3g} a byte of SRAM traffic{more}; {again}"
        f"{line['attained']:.3g} of at most {line['roof']:.3g} a cycle and PE, bound by {line['bound']}."
    )


def _critical_path(data: Mapping[str, Any]) -> str:
    path = data["critical_path"]
    if path is None:
        return f"Critical path: {data['critical_path_note']}."
    rows = [
        (cycles, f"{phase['module_path'] or phase['name'] or 'start'}: {operation}")
        for phase in path["phases"]
        for operation, cycles in phase["operations"].items()
    ]
    rows.sort(key=lambda row: -row[0])
    lines = [f"  {cycles:12,.0f}  {text}" for cycles, text in rows[:_PATH_ROWS]]
    if rest := sum(cycles for cycles, _ in rows[_PATH_ROWS:]):
        lines.append(f"  {rest:12,.0f}  other")
    return "\n".join([f"Critical path, {path['cycles']:,.0f} cycles over {path['pes']:,} PEs:", *lines])


def _check(check: Mapping[str, Any] | None) -> str:
    if check is None:
        return ""
    worst = max(check["errors"], default=0.0)
    verdict = "match" if check["matches"] else "DIFFER from"
    drawn = f"arguments without data drawn at random ({check['inputs']}, seed {check['seed']})"
    return f"Results {verdict} the CPU's, largest error {worst:.1e}; {drawn}."


def explanation(choices: Sequence[Mapping[str, Any]]) -> str:
    """The alternatives that the compiler had, with their predicted cycles."""
    return "\n".join(line for choice in choices for line in _choice(choice))


def _choice(choice: Mapping[str, Any]) -> Iterable[str]:
    chosen = choice["chosen"]
    place = _PLACE.search(choice["location"])
    where = f" at {place[1].rpartition('/')[2]}:{place[2]}" if place else ""
    yield f"Chosen{where}: {chosen['name']}, about {chosen['cycles']:,.0f} cycles"
    for other in choice["alternatives"]:
        if other["name"] != chosen["name"]:
            yield f"  {other['cycles']:12,.0f}  {other['name']}"
    for refused in choice.get("refused", ()):
        yield f"  not possible: {refused['name']}: {refused['reason']}"
