"""The flags of `wse-opt` that print something and exit."""

from __future__ import annotations

import inspect
import re
import textwrap
from importlib.metadata import version

from ...passes.infra.options import annotations_of, describe_type, fields_of, option_name, print_value
from ...passes.infra.pass_base import Pass
from ...passes.infra.registry import find_pass, pass_names
from ...pipelines import stages as stages  # makes the pass wse-check-stage known
from .arguments import Arguments
from .flags import ALIASES, GROUPS, Flag

_WIDTH = 44


def answer(arguments: Arguments) -> str | None:
    """The text that was asked for, or None when the command line asks for a run."""
    if arguments.switch("help"):
        return help_text()
    if arguments.switch("version"):
        return f"wse-mlir {version('wse-mlir')}, torch-mlir {version('torch-mlir')}\n"
    if arguments.switch("list-passes"):
        return list_passes()
    if arguments.switch("show-dialects"):
        return show_dialects(arguments)
    if arguments.value("print-pipeline") is not None:
        return print_pipeline(str(arguments.value("print-pipeline")))
    if arguments.switch("dump-irdl"):
        from .irdl import dump_irdl

        return dump_irdl()
    return None


def help_text() -> str:
    """Every flag, and every Python pass with its documentation and options."""
    parts = [
        "wse-opt: mlir-opt over upstream's passes and those of this project\n",
        "usage: wse-opt [FLAGS] [PASSES] [FILE]     reads standard input when FILE is missing or -\n",
        "Flags may have one dash or two, and take values as --flag=value or --flag value. A pass is asked for by",
        "its name with options after =, e.g. --wse-tile='sizes=8,16,0 loops=for'; passes run in the order given.\n",
    ]
    for group, flags in GROUPS.items():
        parts.append(f"{group}:")
        for flag in flags:
            parts.append(_entry(_usage(flag), flag.help))
            parts += [_entry(f"-{a}", f"- Alias for --{flag.name}") for a in _letters_of(flag.name)]
        parts.append("")
    parts.append("Passes written in Python (upstream's are listed by --list-passes):\n")
    parts += [_pass_help(name) for name in pass_names()]
    return "\n".join(parts) + "\n"


def _letters_of(flag: str) -> list[str]:
    return [alias for alias, name in ALIASES.items() if name == flag and len(alias) == 1]


def list_passes() -> str:
    """Every pass: Python's with one line each, then the names of upstream's."""
    from ...passes.infra.upstream_names import UPSTREAM_PASS_NAMES

    lines = ["Passes written in Python:"]
    for name in pass_names():
        lines.append(_entry(f"--{name}", _summary(name)))
    lines += ["", "Passes of MLIR, torch-mlir and StableHLO:"]
    lines += [f"  --{name}" for name in sorted(UPSTREAM_PASS_NAMES)]
    return "\n".join(lines) + "\n"


def show_dialects(arguments: Arguments) -> str:
    """The names of the dialects that input may use, as mlir-opt prints them."""
    from ...dialects.context import create_context
    from ...dialects.host import ir
    from .irdl import load_irdl_file

    context = create_context()
    for file in arguments.list("irdl-file"):
        load_irdl_file(file, context)
    found = None
    try:  # the bindings do not list dialects, their parser does
        ir.Operation.parse("an.operation", context=context)
    except ir.MLIRError as error:
        found = re.search(r"Available dialects: ([\w, ()*]+)", str(error))
    names = found[1].partition(" (* ")[0].replace(" (*)", "").split(", ") if found else []
    return f"Available Dialects: {','.join(names)}\n"


def print_pipeline(name: str) -> str:
    """The table of a named pipeline, or the list of all when `name` is empty."""
    from ...pipelines.named import NAMED_PIPELINES, named_pipeline

    if name:
        return named_pipeline(name).table() + "\n"
    lines = [_entry(pipeline.name, pipeline.description) for pipeline in NAMED_PIPELINES.values()]
    return "\n".join(["Named pipelines (wse-opt --pipeline=NAME, --print-pipeline=NAME):", *lines]) + "\n"


def _usage(flag: Flag) -> str:
    if flag.kind == "switch":
        return flag.typed
    if flag.kind == "optional":
        return f"{flag.typed}[={flag.metavar}]"
    return f"{flag.typed}{' ' if len(flag.name) == 1 else '='}{flag.metavar}"


def _entry(left: str, right: str, *, indent: int = 2) -> str:
    head = " " * indent + left
    if len(head) >= _WIDTH:
        return f"{head}\n{' ' * _WIDTH}{right}"
    return f"{head.ljust(_WIDTH)}{right}"


def _load(name: str) -> type[Pass] | str:
    """The pass's class, or why it cannot be had: one broken plugin must not take the help away."""
    try:
        return find_pass(name)
    except Exception as error:
        return f"cannot be loaded: {error}"


def _summary(name: str) -> str:
    cls = _load(name)
    if isinstance(cls, str):
        return cls
    documentation = inspect.getdoc(cls) or ""
    return documentation.split("\n\n")[0].replace("\n", " ")


def _pass_help(name: str) -> str:
    cls = _load(name)
    if isinstance(cls, str):
        return f"  --{name}    {cls}\n"
    anchor = f"   (runs on {cls.anchor})" if cls.anchor else ""
    lines = [f"  --{name}{anchor}", textwrap.indent(inspect.getdoc(cls) or "", "      ")]
    annotations = annotations_of(cls)
    fields = fields_of(cls)
    if fields:
        lines += ["", "      Options:"]
    for field in fields:
        usage = f"{option_name(field.name)}=<{describe_type(annotations[field.name])}>"
        default = print_value(field.default) or "empty"
        lines.append(_entry(usage, f"{field.metadata.get('help', '')} (default {default})", indent=8))
    return "\n".join(lines) + "\n"
