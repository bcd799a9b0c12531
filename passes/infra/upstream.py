"""What can be known about upstream's C++ passes: which there are, what they are called, where they may run."""

from __future__ import annotations

import functools
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ...dialects.host import ir, passmanager, register_upstream_passes
from .crashes import rehearse
from .diagnostics import CompilerError, PassFailure
from .native_errors import captured_stderr


@dataclass(frozen=True)
class UpstreamPass:
    """A C++ pass with its options.

    Attributes:
        name: the name in pipelines ("canonicalize").
        text: the pass as written in a pipeline, options included.
        printed: `text` as MLIR prints it back, with every option's value.
    """

    name: str
    text: str
    printed: str


# What the parsers of a pass's options print.
_PARSER_SAYS = re.compile(
    r": for the --|expected pass pipeline|<Pass-Options-Parser>|MLIR Textual PassPipeline|$"
)


def _parse(text: str, context: ir.Context) -> passmanager.PassManager:
    """Parses a pipeline natively; errors come as exceptions, never on the error stream."""
    register_upstream_passes()
    if "{" not in text:
        with context:
            return passmanager.PassManager.parse(text)
    # What the parsers of single options complain about goes to the error stream, not into the exception.
    with context, captured_stderr() as captured:
        manager, failure = None, ""
        try:
            manager = passmanager.PassManager.parse(text)
        except ValueError as error:
            failure = str(error)
    # A pipeline within an option is shown with the place of its mistake.
    said = captured.take(lambda line: _PARSER_SAYS.match(line) or line.strip() == "^" or line in text)
    if manager is None:
        raise ValueError(f"{failure}\n{said}")
    return manager


def has_upstream_pass(name: str, context: ir.Context) -> bool:
    """Whether upstream (or torch-mlir, or StableHLO) registers a pass or a pipeline of that name."""
    if not re.fullmatch(r"[A-Za-z0-9_.\-]+", name):
        return False
    try:
        _parse(f"any({name})", context)
    except ValueError as error:
        return "does not refer to a registered pass" not in str(error)
    return True


def check_upstream_pass(name: str, options: str, anchor: str, context: ir.Context) -> UpstreamPass:
    """Checks a pass, its options and whether it may run on `anchor`.

    Raises:
        CompilerError: with MLIR's own explanation.
    """
    text = f"{name}{{{options}}}" if options else name
    try:
        manager = _parse(f"{anchor}({text})", context)
    except ValueError as error:
        raise CompilerError(_explain(name, str(error))) from None
    printed = str(manager)
    return UpstreamPass(name, text, printed[printed.index("(") + 1 : -1])


def _explain(name: str, message: str) -> str:
    restricted = re.search(r"restricted to '([^']+)' on a PassManager intended to run on '([^']+)'", message)
    if restricted:
        wanted, found = restricted.groups()
        return f"pass '{name}' runs on '{wanted}', not on '{found}': nest it as {wanted}({name})"
    unknown = re.search(r"no such option (\S+)", message)
    if unknown:
        return f"pass '{name}' has no option '{unknown.group(1)}'"
    lines = [line for line in message.splitlines() if line and not line.startswith("failed to add")]
    detail = re.sub(
        r"^(<Pass-Options-Parser>|MLIR Textual PassPipeline Parser:[\d:]*( error:)?)?:?\s*",
        "",
        lines[0] if lines else "its options cannot be read",
    )
    return f"pass '{name}': {detail}"


def required_anchor(name: str, options: str, context: ir.Context) -> str | None:
    """The operation a pass is restricted to ("func.func"), or None when it may run on the module."""
    text = f"{name}{{{options}}}" if options else name
    try:
        _parse(f"builtin.module({text})", context)
    except ValueError as error:
        restricted = re.search(r"restricted to '([^']+)'", str(error))
        return restricted.group(1) if restricted else None
    return None


_CRASHING = frozenset(
    {
        "refback-munge-calling-conventions",
        "remove-dead-values",
        "torch-function-to-torch-backend-pipeline",
        "torch-lower-to-backend-contract",
    }
)
"""Passes that are known to crash on some registered input."""


def check_for_crash(upstream: UpstreamPass, op: ir.Operation) -> None:
    """Tries a pass in a fork where one is known to crash: it would take the caller's process with it.

    Many of upstream's passes crash on operations that have regions and belong to no registered dialect.

    Raises:
        PassFailure: it crashes on this input.
    """
    unknown = _unknown_with_regions(op)
    if unknown is None and upstream.name not in _CRASHING:
        return
    crash = rehearse(lambda: run_upstream(upstream, op, verify=True))
    if not crash:
        return
    hint = "this is a defect of upstream's pass"
    if unknown is not None:
        hint = f"many passes crash on regions of unregistered operations ('{unknown.name}'); --irdl-file registers some"
    raise PassFailure(unknown or op, f"the pass crashes on this input: {crash}", hint=hint)


def _unknown_with_regions(root: ir.Operation) -> ir.Operation | None:
    """The first operation with regions that belongs to no registered dialect."""
    if not root.context.allow_unregistered_dialects:
        return None
    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        if len(op.regions) and not root.context.is_registered_operation(op.name):
            found.append(op)
            return ir.WalkResult.INTERRUPT
        return ir.WalkResult.ADVANCE

    root.walk(visit, ir.WalkOrder.PRE_ORDER)
    return found[0] if found else None


def run_upstream(upstream: UpstreamPass, op: ir.Operation, *, verify: bool) -> None:
    """Runs one C++ pass on `op`.

    Raises:
        ir.MLIRError: the pass failed; carries the diagnostics unless the context emits them.
    """
    try:
        manager = _parse(f"{op.name}({upstream.text})", op.context)
    except ValueError:  # below any(...) it can meet operations that it does not run on, and says so itself
        manager = _parse(f"any({upstream.text})", op.context)
    manager.enable_verifier(verify)
    manager.run(op)


@functools.cache
def pass_class_name(name: str) -> str:
    """The C++ class name that mlir-opt shows for a pass ("CSEPass" for `cse`).

    The bindings do not give it, so it is read from what the pass manager prints about an empty module.
    """
    with ir.Context() as context, ir.Location.unknown():
        context.enable_multithreading(False)
        context.emit_error_diagnostics = False
        module = ir.Module.create()
        manager = _parse(f"any({name})", context)
        message = printed = ""
        with tempfile.TemporaryDirectory() as folder:
            manager.enable_ir_printing(
                print_before_all=True, print_after_all=False, tree_printing_dir_path=folder
            )
            try:
                manager.run(module.operation)
            except ir.MLIRError as error:
                message = str(error)
            for file in sorted(Path(folder).rglob("*.mlir"))[:1]:
                printed = file.read_text()
    found = re.search(r"IR Dump Before ([^:\n]+): ", printed)
    found = found or re.search(r"trying to schedule pass '([^']+)'", message)
    return found.group(1) if found else name
