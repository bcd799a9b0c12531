"""The flags of `wse-opt`, as one table from which parsing and `--help` both follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FlagKind = Literal["switch", "value", "list", "number", "optional"]


@dataclass(frozen=True)
class Flag:
    """One flag.

    Attributes:
        name: as typed, without dashes.
        help: one line for `--help`.
        kind: `switch` takes no value (or =true/=false), `value` and `number` take one, `list` may be repeated and
            takes commas, `optional` may be given a value after `=`.
        metavar: what stands for the value in `--help`.
        choices: the values that are allowed; empty for any.
        implied: what an `optional` flag means when it is given no value.
        paths: a list's commas belong to the value.
    """

    name: str
    help: str
    kind: FlagKind = "switch"
    metavar: str = ""
    choices: tuple[str, ...] = ()
    implied: str = ""
    paths: bool = False

    @property
    def field(self) -> str:
        return self.name.replace("-", "_")

    @property
    def typed(self) -> str:
        """The flag as people type it."""
        return f"-{self.name}" if len(self.name) == 1 else f"--{self.name}"


GROUPS: dict[str, tuple[Flag, ...]] = {
    "Passes": (
        Flag("pass-pipeline", "run a textual pipeline, Python and upstream's passes mixed", "value", "TEXT"),
        Flag("pipeline", "run a named pipeline", "value", "NAME"),
        Flag(
            "override",
            "run other passes in a stage of the named pipeline",
            "list",
            "STAGE=PASSES",
            paths=True,
        ),
        Flag("print-pipeline", "print a named pipeline, or list them all, and exit", "optional", "NAME"),
        Flag("dump-pass-pipeline", "print the pipeline that will be run to the error stream"),
        Flag("show-dialects", "list the dialects that the input may use, and exit"),
        Flag("list-passes", "list every pass, Python's with what it does, and exit"),
        Flag("verify-each", "verify the IR after every pass (on unless =false)"),
    ),
    "Input and output": (
        Flag(
            "o", "write to a file instead of standard output; nothing is written on failure", "value", "FILE"
        ),
        Flag("emit-bytecode", "write bytecode instead of text"),
        Flag("emit-bytecode-version", "the version of the bytecode, the newest if not given", "number", "N"),
        Flag(
            "split-input-file",
            "process the chunks between marker lines on their own",
            "optional",
            "MARKER",
            implied="// -----",
        ),
        Flag("output-split-marker", "what separates the chunks' outputs", "value", "MARKER"),
        Flag(
            "verify-diagnostics",
            "check that the diagnostics are those that expected-* comments announce",
            "optional",
            "all|only-expected",
            choices=("all", "only-expected"),
            implied="all",
        ),
        Flag("allow-unregistered-dialect", "accept operations of dialects that nobody defined"),
        Flag("no-implicit-module", "do not wrap the input's operation in a module"),
        Flag(
            "verify-roundtrip", "check that the input survives printing and parsing, as text and as bytecode"
        ),
    ),
    "Plugins": (
        Flag(
            "load",
            "load a plugin: a Python file or module that defines passes or dialects",
            "list",
            "FILE.py|MODULE",
            paths=True,
        ),
        Flag("irdl-file", "load the dialects that an IRDL file defines", "list", "FILE", paths=True),
        Flag("dump-irdl", "print the IRDL of this project's dialect and exit"),
    ),
    "Printing IR around passes": (
        Flag("mlir-print-ir-before", "print before these passes", "list", "PASS,..."),
        Flag("mlir-print-ir-after", "print after these passes", "list", "PASS,..."),
        Flag("mlir-print-ir-before-all", "print before every pass"),
        Flag("mlir-print-ir-after-all", "print after every pass"),
        Flag("mlir-print-ir-after-change", "after a pass, print only if it changed something"),
        Flag("mlir-print-ir-after-failure", "after a pass, print only if it failed"),
        Flag("mlir-print-ir-module-scope", "print the whole module, not the operation the pass ran on"),
        Flag("mlir-print-ir-tree-dir", "print into a tree of files below a folder", "value", "FOLDER"),
    ),
    "Style of printed IR": (
        Flag("mlir-print-debuginfo", "print locations"),
        Flag("mlir-pretty-debuginfo", "print locations for people; the text cannot be read back"),
        Flag("mlir-print-op-generic", "print the generic form"),
        Flag("mlir-print-local-scope", "print aliases where they are used"),
        Flag("mlir-print-skip-regions", "leave out regions"),
        Flag("mlir-use-nameloc-as-prefix", "name values after their name locations"),
        Flag("mlir-elide-elementsattrs-if-larger", "elide constants of more elements", "number", "N"),
        Flag("mlir-elide-resource-strings-if-larger", "elide resources of more characters", "number", "N"),
        Flag("mlir-print-assume-verified", "print invalid operations in their own form, not the generic one"),
        Flag("mlir-print-op-on-diagnostic", "show the operation below its diagnostic (on unless =false)"),
    ),
    "Diagnostics": (
        Flag("color", "colour diagnostics (on by default where the error stream is a terminal)"),
        Flag(
            "mlir-diagnostic-verbosity-level",
            "show nothing less severe",
            "value",
            "LEVEL",
            choices=("errors", "warnings", "remarks"),
        ),
        Flag("mlir-disable-diagnostic-notes", "show no notes that stand by themselves"),
    ),
    "Reports": (
        Flag("mlir-timing", "print a tree of the passes' wall-clock times"),
        Flag("mlir-timing-display", "how", "value", "tree|list", choices=("tree", "list")),
        Flag("mlir-output-format", "how times are printed", "value", "text|json", choices=("text", "json")),
        Flag("mlir-pass-statistics", "print what each pass counted"),
        Flag(
            "mlir-pass-statistics-display",
            "how: in the pipeline's order or merged by pass",
            "value",
            "pipeline|list",
            choices=("pipeline", "list"),
        ),
        Flag("remarks", "print what passes did or declined to do, and why"),
        Flag("trace", "show the full Python trace of a failure"),
    ),
    "Reproducers": (
        Flag("run-reproducer", "run the pipeline that the input file carries"),
        Flag(
            "mlir-pass-pipeline-crash-reproducer",
            "where a pass that fails or crashes leaves what it ran on and what was still to run",
            "value",
            "FILE",
        ),
        Flag(
            "mlir-generate-reproducer", "write a reproducer of the whole run, failing or not", "value", "FILE"
        ),
        Flag(
            "mlir-pass-pipeline-local-reproducer",
            "accepted: reproducers always begin at the pass at fault",
        ),
        Flag("no-reproducer", "write none, though WSE_REPRODUCERS asks for it"),
    ),
    "Other": (
        Flag("mlir-disable-threading", "accepted for compatibility: threading is always off"),
        Flag("help", "print this text and exit"),
        Flag("version", "print the version and exit"),
    ),
}

FLAGS: dict[str, Flag] = {flag.name: flag for flags in GROUPS.values() for flag in flags}
ALIASES = {
    "h": "help",
    "help-hidden": "help",
    "help-list": "help",
    "help-list-hidden": "help",
    "v": "version",
    "p": "pass-pipeline",
    "mlir-unsafe-print-assume-verified": "mlir-print-assume-verified",
}
