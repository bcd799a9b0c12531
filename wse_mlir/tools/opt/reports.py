"""What `wse-opt` prints to the error stream besides diagnostics: times and statistics."""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

from ...dialects.host import ir
from ...passes.infra.diagnostics import CompilerError
from ...passes.infra.timing import Timer, TimerNode, timing_json, timing_report

_RULE = "===" + "-" * 73 + "==="


def timed(timer: Timer | None, name: str) -> AbstractContextManager[None]:
    """The timer's scope, or nothing when times are not wanted."""
    return nullcontext() if timer is None else timer.scope(name)


def print_timing(timer: Timer, *, flat: bool, as_json: bool) -> None:
    root = timer.stop()
    shown = _flattened(root) if flat else root
    print(timing_json(shown) if as_json else timing_report(shown), file=sys.stderr)


def _flattened(root: TimerNode) -> TimerNode:
    """One entry a pass, longest first; nested pipelines give way to the passes in them."""

    def leaves(node: TimerNode) -> Iterator[TimerNode]:
        for child in node.children.values():
            yield from leaves(child)
        if not node.children:
            yield node

    totals: dict[str, float] = {}
    for node in leaves(root):
        totals[node.name] = totals.get(node.name, 0.0) + node.seconds
    ordered = sorted(totals.items(), key=lambda entry: -entry[1])
    return TimerNode(root.name, root.seconds, {name: TimerNode(name, seconds) for name, seconds in ordered})


def print_statistics(statistics: list[tuple[str, Counter[str]]], *, merged: bool) -> None:
    """Counts of each pass in mlir-opt's format; the wheel's C++ passes are built without theirs."""
    if merged:
        totals: dict[str, Counter[str]] = {}
        for name, counts in statistics:
            totals.setdefault(name, Counter()).update(counts)
        statistics = sorted(totals.items())
    lines = [_RULE, "... Pass statistics report ...".center(79).rstrip(), _RULE]
    for name, counts in statistics:
        lines.append(f"'{name}' Pass")
        lines += [f"  (S) {count} {what}" for what, count in counts.items()]
    print("\n".join([*lines, ""]), file=sys.stderr)


def bytecode(module: ir.Operation, version: int | None) -> bytes:
    """The module as bytecode of a version, the newest for None.

    Raises:
        CompilerError: upstream writes no such version.
    """
    buffer = io.BytesIO()
    try:
        module.write_bytecode(buffer, version)
    except ValueError as error:
        raise CompilerError(f"--emit-bytecode-version={version}: {error}") from None
    return buffer.getvalue()


def verify_roundtrip(module: ir.Operation) -> None:
    """Checks that printing and parsing give the same operation, as text and as bytecode.

    Raises:
        CompilerError: they do not.
    """
    buffer = io.BytesIO()
    module.write_bytecode(buffer)
    generic = module.get_asm(print_generic_op_form=True)
    for form, source in (("text", str(module)), ("bytecode", buffer.getvalue())):
        again = ir.Module.parse(source, module.context).operation
        if again.get_asm(print_generic_op_form=True) != generic:
            raise CompilerError(f"the input does not survive the round trip through {form}")
