"""Files that replay a failing pipeline: the IR before the failing pass and what was still to run.

The format is mlir-opt's own (`mlir_reproducer` in the file's metadata), with a second section for what
mlir-opt does not know: modules that were loaded and IRDL files.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ...dialects.host import ir
from .diagnostics import CompilerError

_SECTION = re.compile(r"\n?\{-#\s*external_resources:\s*\{\s*(mlir|wse)_reproducer:.*?#-\}\s*", re.DOTALL)


@dataclass(frozen=True)
class Reproducer:
    """Where reproducers go and what else is needed to replay them.

    Attributes:
        path: the file to write, where a reproducer may be but nothing else; None takes the first free
            `wse-reproducer-N.mlir` in `directory`.
        before_each: write before each pass and remove after it, so that a crash of native code leaves one too.
        load: what `--load` was given: files or modules that register passes and dialects.
        irdl_files: what `--irdl-file` was given.
        allow_unregistered: whether the context accepts unregistered dialects.
    """

    path: Path | None = None
    directory: Path = Path(".")
    before_each: bool = False
    load: tuple[str, ...] = ()
    irdl_files: tuple[str, ...] = ()
    allow_unregistered: bool = False


def reproducer_from_environment() -> Reproducer | None:
    """Where `WSE_REPRODUCERS=FOLDER` wants reproducers; None when it is not set."""
    folder = os.environ.get("WSE_REPRODUCERS")
    return Reproducer(directory=Path(folder), before_each=True) if folder else None


@dataclass(frozen=True)
class ReproducerFile:
    """What a reproducer file says."""

    ir_text: str
    pipeline: str
    verify_each: bool
    load: tuple[str, ...]
    irdl_files: tuple[str, ...]
    allow_unregistered: bool


def write_reproducer(policy: Reproducer, module: ir.Operation, pipeline: str, *, verify_each: bool) -> Path:
    """Writes a reproducer to a file that did not exist before, or was a reproducer, and returns its path.

    Raises:
        CompilerError: the file is something else or cannot be written.
    """
    text = module.get_asm(enable_debug_info=True, print_generic_op_form=not _prints_back(module))
    assert isinstance(text, str)
    content = (
        f"// {os.path.basename(sys.argv[0]) or 'wse-opt'} --run-reproducer THIS_FILE\n{text}\n"
        "{-#\n  external_resources: {\n    mlir_reproducer: {\n"
        f"      pipeline: {_quote(pipeline)},\n      disable_threading: true,\n"
        f"      verify_each: {_bool(verify_each)}\n    }}\n  }}\n#-}}\n"
        "{-#\n  external_resources: {\n    wse_reproducer: {\n"
        f"      load: {_quote(json.dumps(policy.load))},\n      irdl_files: {_quote(json.dumps(policy.irdl_files))},\n"
        f"      allow_unregistered: {_bool(policy.allow_unregistered)}\n    }}\n  }}\n#-}}\n"
    )
    path = policy.path or policy.directory / "wse-reproducer-1.mlir"
    number = 1
    while True:
        try:
            with path.open("w" if policy.path and _holds_reproducer(path) else "x", encoding="utf-8") as file:
                file.write(content)
            return path
        except FileExistsError:
            if policy.path:
                message = f"the reproducer was not written: '{path}' exists and is none"
                raise CompilerError(message, hint="name a file that does not exist") from None
            number += 1
            path = policy.directory / f"wse-reproducer-{number}.mlir"
        except OSError as error:
            reason = f"the reproducer could not be written to '{path}': {error.strerror}"
            raise CompilerError(reason) from None


def _holds_reproducer(path: Path) -> bool:
    try:
        return is_reproducer(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return False


def is_reproducer(text: str) -> bool:
    """Whether the text carries a pipeline to replay."""
    return "mlir_reproducer" in text


def without_reproducer(text: str) -> str:
    """The IR alone; line numbers stay what they are."""
    return _SECTION.sub("\n", text) if is_reproducer(text) else text


def read_reproducer(text: str) -> ReproducerFile:
    """Splits a reproducer into IR and settings; the IR keeps its line numbers.

    Raises:
        CompilerError: the file holds no `mlir_reproducer` section with a pipeline.
    """
    pipeline = _string(text, "pipeline")
    if not is_reproducer(text) or pipeline is None:
        raise CompilerError(
            "the file holds no reproducer",
            hint="a failing pass writes one; it ends in a section 'mlir_reproducer' with a 'pipeline'",
        )
    return ReproducerFile(
        ir_text=without_reproducer(text),
        pipeline=pipeline,
        verify_each=_flag(text, "verify_each", default=True),
        load=_names(text, "load"),
        irdl_files=_names(text, "irdl_files"),
        allow_unregistered=_flag(text, "allow_unregistered", default=False),
    )


def _prints_back(module: ir.Operation) -> bool:
    """Whether the custom assembly can be trusted, i.e. the IR verifies."""
    try:
        return bool(module.verify())
    except ir.MLIRError:
        return False


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\5C").replace('"', "\\22").replace("\n", "\\0A") + '"'


def _unquote(text: str) -> str:
    return re.sub(r'\\([0-9A-Fa-f]{2}|["\\nt])', _unescape, text)


def _unescape(match: re.Match[str]) -> str:
    code = match.group(1)
    return {"n": "\n", "t": "\t"}.get(code, code) if len(code) == 1 else chr(int(code, 16))


def _sections(text: str) -> str:
    return "\n".join(match.group(0) for match in _SECTION.finditer(text))


def _string(text: str, key: str) -> str | None:
    found = re.search(rf'\b{key}:\s*"((?:[^"\\]|\\.)*)"', _sections(text))
    return None if found is None else _unquote(found.group(1))


def _names(text: str, key: str) -> tuple[str, ...]:
    try:
        names = json.loads(_string(text, key) or "[]")
    except json.JSONDecodeError:
        names = None
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise CompilerError(f"the reproducer's '{key}' is not a list of names")
    return tuple(names)


def _flag(text: str, key: str, *, default: bool) -> bool:
    found = re.search(rf"\b{key}:\s*(true|false)\b", _sections(text))
    return default if found is None else found.group(1) == "true"
