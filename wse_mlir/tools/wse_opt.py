"""`wse-opt`: mlir-opt over upstream's and this project's passes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..passes.infra.diagnostics import CompilerError
from .interrupts import EXIT_CODE, interruptible, tell_interrupt
from .opt.arguments import Arguments, parse_arguments
from .own_process import in_own_process

_AFTER_A_CRASH = "hint: --mlir-pass-pipeline-crash-reproducer=FILE keeps the IR on which this happens"


def main(argv: list[str] | None = None) -> int:
    """Entry point of the console script; returns the exit code, 1 after any error.

    As a console script, without `argv`, it works in a process of its own and tells of crashes.
    """
    if argv is None:
        return in_own_process("wse-opt", lambda: _answer(sys.argv[1:]), hint=_AFTER_A_CRASH)
    return _answer(argv)


def _answer(words: list[str]) -> int:
    trace = "--trace" in words or "-trace" in words or os.environ.get("WSE_TRACE", "") not in ("", "0")
    try:
        with interruptible():
            arguments = parse_arguments(words)
            arguments.values["trace"] = trace
            return _run(arguments)
    except CompilerError as error:
        if trace:
            raise
        print(f"wse-opt: error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # a reader such as `head` has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        tell_interrupt()
        return EXIT_CODE
    except OSError as error:  # a full disk, a name that is too long
        if trace:
            raise
        subject = f"'{error.filename}': " if error.filename else ""
        print(f"wse-opt: error: {subject}{error.strerror or error}", file=sys.stderr)
        return 1
    except MemoryError as error:
        if trace:
            raise
        print(f"wse-opt: error: memory has run out: {error}".rstrip(": "), file=sys.stderr)
        return 1
    except Exception as error:
        if trace:
            raise
        print(f"wse-opt: internal error: {type(error).__name__}: {error}", file=sys.stderr)
        print("  hint: please report it; --trace shows where", file=sys.stderr)
        return 1


def _run(arguments: Arguments) -> int:
    from ..passes.infra.plugins import load_plugin

    for plugin in _plugins(arguments):
        load_plugin(plugin)
    from .opt.information import answer

    text = answer(arguments)
    if text is not None:
        _write(arguments, text)
        return 0
    from .opt.driver import process_input

    result = process_input(arguments)
    if result.output is not None:
        _write(arguments, result.output)
    return 0 if result.succeeded else 1


def _plugins(arguments: Arguments) -> tuple[str, ...]:
    """What `--load` names; files by their whole path, so that a reproducer works from any folder."""
    named = arguments.list("load")
    found = tuple(os.path.abspath(name) if name.endswith(".py") else name for name in named)
    if found:
        arguments.values["load"] = list(found)
    return found


def _write(arguments: Arguments, data: str | bytes) -> None:
    target = arguments.value("o")
    if target in (None, "-"):
        if sys.stdout is None:
            raise CompilerError("standard output is closed", hint="-o FILE writes to a file")
        try:
            sys.stdout.buffer.write(data.encode() if isinstance(data, str) else data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CompilerError(f"cannot write to standard output: {error.strerror}") from None
        return
    from .output import write_atomically

    write_atomically(Path(str(target)), data)


if __name__ == "__main__":
    sys.exit(main())
