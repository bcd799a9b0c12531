"""Flags of mlir-opt that `wse-opt` refuses: why, and what serves instead."""

from __future__ import annotations

from ...passes.infra.diagnostics import CompilerError

_TRACED = "actions are traced inside of native code, out of the bindings' reach"
_PRINTER = "the bindings' printer has no such option"
_COUNTERS = "debug counters are set inside of native code, out of the bindings' reach"
_RELEASE = "upstream's libraries are built without it"
_REMARKS = "native passes' remarks are out of the bindings' reach"
_PLUGIN = "a native plugin cannot be loaded into the bindings' libraries"

_AROUND_PASSES = "--mlir-print-ir-before-all and --mlir-timing show what runs"
_OURS = "--remarks prints what this project's passes tell"
_STATISTICS = "--mlir-pass-statistics prints what this project's passes count"

_REFUSED: dict[str, tuple[str, str]] = {
    "debug": (_RELEASE, _AROUND_PASSES),
    "debug-only": (_RELEASE, _AROUND_PASSES),
    "stats": (_RELEASE, _STATISTICS),
    "stats-json": (_RELEASE, _STATISTICS),
    "log-actions-to": (_TRACED, _AROUND_PASSES),
    "log-mlir-actions-filter": (_TRACED, _AROUND_PASSES),
    "profile-actions-to": (_TRACED, _AROUND_PASSES),
    "mlir-enable-debugger-hook": (_TRACED, ""),
    "debug-counter": (_COUNTERS, ""),
    "mlir-debug-counter": (_COUNTERS, ""),
    "mlir-print-debug-counter": (_COUNTERS, ""),
    "print-debug-counter": (_COUNTERS, ""),
    "mlir-print-stacktrace-on-diagnostic": (
        "native stacks are out of the bindings' reach",
        "--trace shows Python's",
    ),
    "mlir-print-value-users": (_PRINTER, ""),
    "mlir-print-unique-ssa-ids": (_PRINTER, ""),
    "mlir-print-elementsattrs-with-hex-if-larger": (
        _PRINTER,
        "constants of more than 100 elements are hexadecimal",
    ),
    "mlir-very-unsafe-disable-verifier-on-parsing": ("the bindings verify all that they parse", ""),
    "load-dialect-plugin": (_PLUGIN, "--irdl-file=FILE or --load FILE.py"),
    "load-pass-plugin": (_PLUGIN, "--load FILE.py"),
    "emit-bytecode-producer": ("the bindings name themselves as producer", ""),
    "remark-format": (_REMARKS, _OURS),
    "remark-policy": (_REMARKS, _OURS),
    "remarks-filter": (_REMARKS, _OURS),
    "remarks-filter-analyse": (_REMARKS, _OURS),
    "remarks-filter-failed": (_REMARKS, _OURS),
    "remarks-filter-missed": (_REMARKS, _OURS),
    "remarks-filter-passed": (_REMARKS, _OURS),
    "remarks-output-file": (_REMARKS, _OURS),
}


def check_refused(name: str) -> None:
    """Raises for a flag that mlir-opt has and this tool cannot have.

    Raises:
        CompilerError: with the reason and what to use instead.
    """
    if name in _REFUSED:
        reason, instead = _REFUSED[name]
        raise CompilerError(f"--{name} is mlir-opt's and not available here: {reason}", hint=instead)
