"""A tree of wall-clock times, printed as `mlir-opt --mlir-timing` prints it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Announce = Callable[[str], None]
"""Is told what begins now, in words for the user."""

_RULE = "===" + "-" * 73 + "==="


@dataclass
class TimerNode:
    """Time spent under one name; `children` is keyed by what makes a step unique and kept in order.

    Attributes:
        seconds: wall-clock time, children included.
    """

    name: str
    seconds: float = 0.0
    children: dict[Hashable, TimerNode] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Name, seconds and children as plain Python data."""
        return {
            "name": self.name,
            "seconds": self.seconds,
            "children": [child.as_json() for child in self.children.values()],
        }


class Timer:
    """Measures nested scopes; entering a scope of the same key again adds to its time."""

    def __init__(self) -> None:
        self.root = TimerNode("Total")
        self._stack = [self.root]
        self._started = time.perf_counter()

    @contextmanager
    def scope(self, name: str, key: Hashable | None = None) -> Iterator[None]:
        """Adds the time that the block takes to the child `name` of the scope that is open."""
        node = self._stack[-1].children.setdefault(key if key is not None else name, TimerNode(name))
        self._stack.append(node)
        started = time.perf_counter()
        try:
            yield
        finally:
            node.seconds += time.perf_counter() - started
            self._stack.pop()

    def stop(self) -> TimerNode:
        """Fixes the total time and returns the tree."""
        self.root.seconds = time.perf_counter() - self._started
        return self.root


def timing_report(root: TimerNode) -> str:
    """The tree as text, with each entry's share of the total."""
    total = root.seconds or 1e-9
    measured = sum(child.seconds for child in root.children.values())

    def line(name: str, seconds: float, depth: int) -> str:
        return f"  {seconds:8.4f} ({100 * seconds / total:5.1f}%)  {'  ' * depth}{name}"

    def lines(node: TimerNode, depth: int) -> Iterator[str]:
        yield line(node.name, node.seconds, depth)
        for child in node.children.values():
            yield from lines(child, depth + 1)

    body = [text for child in root.children.values() for text in lines(child, 0)]
    return "\n".join(
        [
            _RULE,
            "... Execution time report ...".center(79).rstrip(),
            _RULE,
            f"  Total Execution Time: {root.seconds:.4f} seconds",
            "",
            "  ----Wall Time----  ----Name----",
            *body,
            line("Rest", max(0.0, total - measured), 0),
            line("Total", root.seconds, 0),
            "",
        ]
    )


def timing_json(root: TimerNode) -> str:
    """The tree as JSON in the form of mlir-opt's: `wall` holds seconds and the share of the total."""
    total = root.seconds or 1e-9

    def entry(name: str, seconds: float) -> dict[str, object]:
        share = {"duration": round(seconds, 6), "percentage": round(100 * seconds / total, 1)}
        return {"wall": share, "name": name}

    def node(timed: TimerNode) -> dict[str, object]:
        passes = [*map(node, timed.children.values()), {}]
        return {**entry(timed.name, timed.seconds), "passes": passes}

    measured = sum(child.seconds for child in root.children.values())
    entries = [
        *map(node, root.children.values()),
        entry("Rest", max(0.0, total - measured)),
        entry("Total", total),
    ]
    return "[\n" + ",\n".join(json.dumps(e) for e in entries) + "\n]"
