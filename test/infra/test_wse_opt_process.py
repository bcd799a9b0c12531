"""`wse-opt` as a process: exit codes, streams, files, and how light it is."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

WSE_OPT = Path(sys.executable).parent / "wse-opt"
MODULE = "func.func @f() { return }\n"
CRASHING = """
import os, signal, sys, time
from wse_mlir import Pass
class Crash(Pass, name='test-segfault'):
  'Crashes, or waits for a signal.'
  how: str = 'crash'
  def run(self, op, run):
    if self.how == 'wait':
      print(os.getpid(), file=sys.stderr, flush=True)
      time.sleep(60)
    os.kill(os.getpid(), signal.SIGSEGV)
"""


def wse_opt(*flags: str, stdin: str = MODULE, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([WSE_OPT, *flags], input=stdin, cwd=cwd, capture_output=True, text=True)


def test_it_does_not_import_torch() -> None:
    code = (
        "import sys; from wse_mlir.tools.wse_opt import main;"
        "code = main(['--pass-pipeline=builtin.module(func.func(wse-fuse),cse)']);"
        "heavy = {'torch', 'pydantic', 'typer', 'rich'} & set(sys.modules); sys.exit(code or str(heavy or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=MODULE, capture_output=True, text=True)
    assert done.stderr.strip() == ""


def test_a_failure_leaves_nothing_behind_unless_asked(tmp_path: Path) -> None:
    flags = ("--cse", "--transform-interpreter", "-o", "out.mlir")
    done = wse_opt(*flags, cwd=tmp_path)
    assert done.returncode == 1 and done.stdout == "" and not list(tmp_path.iterdir())
    for _ in range(2):
        kept = wse_opt(*flags, "--mlir-pass-pipeline-crash-reproducer=kept.mlir", cwd=tmp_path)
        assert kept.returncode == 1 and "kept.mlir repeats this failure" in kept.stderr
    again = wse_opt("--run-reproducer", "kept.mlir", cwd=tmp_path)
    assert again.returncode == 1 and done.stderr.splitlines()[0] == again.stderr.splitlines()[0]
    assert [p.name for p in tmp_path.iterdir()] == ["kept.mlir"]


UNKNOWN_REGION = '"unknown.op"() ({ "unknown.end"() : () -> () }) : () -> ()'


def test_a_crash_of_a_pass_is_told(tmp_path: Path) -> None:
    flags = ("--load=plugin.py", "--allow-unregistered-dialect", "--cse", "--test-segfault")
    (tmp_path / "plugin.py").write_text(CRASHING)
    done = wse_opt(*flags, stdin=UNKNOWN_REGION, cwd=tmp_path)
    assert done.returncode == 139 and done.stdout == ""
    assert "crashed in pass 'test-segfault' on 'builtin.module' at <stdin>: segmentation fault" in done.stderr
    assert "--mlir-pass-pipeline-crash-reproducer=FILE keeps" in done.stderr
    kept = wse_opt(
        *flags, "--mlir-pass-pipeline-crash-reproducer=kept.mlir", stdin=UNKNOWN_REGION, cwd=tmp_path
    )
    assert kept.returncode == 139 and "wse-opt --run-reproducer kept.mlir repeats this" in kept.stderr
    assert wse_opt("--run-reproducer", "kept.mlir", cwd=tmp_path).returncode == 139


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_both_processes(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(CRASHING)
    flags = ["--load=plugin.py", "--test-segfault=how=wait"]
    process = subprocess.Popen([WSE_OPT, *flags], cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None and process.stderr is not None
    process.stdin.write(MODULE.encode())
    process.stdin.close()
    child = int(process.stderr.readline())
    process.send_signal(number)
    assert process.wait(20) == (-number if number == signal.SIGTERM else 130)
    assert process.stderr.read() == (b"" if number == signal.SIGTERM else b"interrupted\n")
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_an_existing_output_survives_a_failure(tmp_path: Path) -> None:
    (tmp_path / "out.mlir").write_text("before")
    done = wse_opt("-o", "out.mlir", stdin="func.func @f( {", cwd=tmp_path)
    assert done.returncode == 1 and (tmp_path / "out.mlir").read_text() == "before"
    assert done.stderr.startswith("<stdin>:1:14: error: ") and "Traceback" not in done.stderr
    assert wse_opt("-o", "out.mlir", cwd=tmp_path).returncode == 0
    assert "func.func @f" in (tmp_path / "out.mlir").read_text()


def test_output_to_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = wse_opt("-o", "no/such/out.mlir", cwd=tmp_path)
    assert done.returncode == 1 and "there is no folder" in done.stderr


def test_a_file_that_is_no_mlir(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3\xff\xfe")
    done = wse_opt("model.tflite", cwd=tmp_path)
    assert done.returncode == 1 and "neither MLIR text nor MLIR bytecode" in done.stderr


def test_a_reader_that_leaves_early() -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {WSE_OPT} --help | head -1"], capture_output=True, text=True
    )
    assert done.stdout.startswith("wse-opt:") and done.stderr == ""


def test_empty_input_is_an_empty_module() -> None:
    assert wse_opt(stdin="").stdout == "module {\n}\n\n"


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_the_same_input_gives_the_same_text(seed: str) -> None:
    command = [WSE_OPT, "--list-passes"]
    done = subprocess.run(command, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True)
    assert done.stdout == wse_opt("--list-passes").stdout


PASS = "from wse_mlir import Pass\nclass A(Pass, name='{}'):\n  'No.'\n"


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        ("import no_such_module", "cannot be imported: ModuleNotFoundError"),
        ("def", "cannot be imported: SyntaxError at line 1"),
        ("\0", "cannot be imported: SyntaxError: "),
        ("raise SystemExit(3)", "ends the process"),
        (PASS.format("wse-fuse"), "'wse-fuse' exists already"),
        (PASS.format("cse"), "'cse' exists already"),
        (PASS.format("two words"), "cannot be named 'two words'"),
        (PASS.format("a") + "  n: 'Nope' = 1\n", "the options of pass class A: name 'Nope'"),
        (PASS.format("a") + "  n: dict = None\n", "option 'n' of pass class A cannot be read"),
    ],
)
def test_a_broken_plugin_gets_one_message(plugin: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(plugin)
    done = wse_opt("--load", "plugin.py", cwd=tmp_path)
    assert done.returncode == 1 and message in done.stderr and done.stdout == ""
    assert "Traceback" not in done.stderr and "internal error" not in done.stderr


def test_a_crash_of_native_code_leaves_the_reproducer_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(
        "import os\nfrom wse_mlir import Pass\n"
        "class Abort(Pass, name='test-abort'):\n  'Ends the process.'\n"
        "  def run(self, op, run): os._exit(139)\n"
    )
    flags = ["--load=plugin.py", "--mlir-pass-pipeline-crash-reproducer=crash.mlir", "--cse"]
    assert wse_opt(*flags, cwd=tmp_path).returncode == 0 and not (tmp_path / "crash.mlir").exists()
    assert wse_opt(*flags, "--test-abort", cwd=tmp_path).returncode == 139
    text = (tmp_path / "crash.mlir").read_text()
    assert 'pipeline: "builtin.module(test-abort)"' in text and "func.func @f" in text


def test_a_diagnostic_shows_no_page_of_ir() -> None:
    functions = "".join(f"func.func @f{n}() {{ return }}\n" for n in range(40))
    done = wse_opt("--transform-interpreter", "--no-reproducer", stdin=functions)
    assert done.returncode == 1 and len(done.stderr.splitlines()) <= 8 and "more lines" in done.stderr
    whole = wse_opt(
        "--transform-interpreter", "--no-reproducer", "--mlir-print-op-on-diagnostic", stdin=functions
    )
    assert "f39" in whole.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("-o", "-o needs a value"),
        ("-o=", "-o: the file's name is empty"),
        ("-o a -o b", "-o is given twice"),
        ("-o /dev/full", "No space left on device"),
        ("-o folder", "it is a folder"),
        (f"-o {'x' * 300}", "File name too long"),
        ("--irdl-file=binary", "is not text: byte 0 is not UTF-8"),
        ("--override=fuse=cse", "--override changes a named pipeline"),
        ("--mlir-elide-elementsattrs-if-larger=-1", "expected a number from 0 to"),
        ("--mlir-elide-elementsattrs-if-larger=99999999999999999999", "expected a number from 0 to"),
        ("--canonicalize=max-iterations=abc", "'abc' value invalid for long argument"),
        ("--inline=op-pipelines=func.func(nope)", "'nope' does not refer to a registered pass"),
        ("--load=..", "neither a Python file nor a module's name"),
        (f"--pass-pipeline={'any(' * 2000}cse{')' * 2000}", "nested more than 100 deep"),
        (f"--pass-pipeline=any({'cse,' * 2000}nope)", "...se,cse,"),
        ("--run-reproducer damaged", "the reproducer's 'load' is not a list of names"),
    ],
)
def test_a_mistake_gets_one_short_message(flags: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    sections = ['mlir_reproducer: { pipeline: "any(cse)" }', 'wse_reproducer: { load: "[1," }']
    text = "module {}\n" + "".join(f"{{-# external_resources: {{ {s} }} #-}}\n" for s in sections)
    (tmp_path / "damaged").write_text(text)
    done = wse_opt(*flags.split(" "), cwd=tmp_path)
    assert done.returncode == 1 and message in done.stderr and done.stdout == ""
    assert "Traceback" not in done.stderr and "internal error" not in done.stderr
    assert len(done.stderr) < 600 and len(done.stderr.splitlines()) <= 4
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("closed", "message"), [("<&-", "input is closed"), ("< /dev/null >&-", "output is closed")]
)
def test_a_closed_stream(closed: str, message: str) -> None:
    done = subprocess.run(["bash", "-c", f"{WSE_OPT} {closed}"], capture_output=True, text=True)
    assert done.returncode == 1 and message in done.stderr


def test_a_closed_error_stream() -> None:
    command = f"{WSE_OPT} --canonicalize=max-iterations=5 </dev/null 2>&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("module")


def test_a_pass_that_ends_the_process_has_failed(tmp_path: Path) -> None:
    text = PASS.format("test-exit") + "  def run(self, op, run): raise SystemExit(0)\n"
    (tmp_path / "plugin.py").write_text(text)
    done = wse_opt("--load=plugin.py", "--test-exit", cwd=tmp_path)
    assert done.returncode == 1 and "it ended the process" in done.stderr and done.stdout == ""


def test_a_pass_that_erases_what_it_runs_on_has_failed(tmp_path: Path) -> None:
    text = PASS.format("test-erase").replace("):", ", anchor='func.func'):")
    (tmp_path / "plugin.py").write_text(text + "  def run(self, op, run): op.erase()\n")
    done = wse_opt("--load=plugin.py", "--test-erase", "--no-reproducer", cwd=tmp_path)
    assert done.returncode == 1 and "error: it erased the operation that it runs on" in done.stderr


def test_a_full_disk_is_named() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([WSE_OPT], input=MODULE, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "wse-opt: error: cannot write to standard output: No space left on device\n"


def test_input_that_is_nested_too_deeply_or_in_another_encoding(tmp_path: Path) -> None:
    done = wse_opt(stdin=f"func.func private @f({'tuple<' * 200_000}")
    assert (
        done.returncode == 1
        and len(done.stderr.splitlines()) == 2
        and "would run out of stack" in done.stderr
    )
    (tmp_path / "wide.mlir").write_bytes("module {}".encode("utf-16"))
    done = wse_opt("wide.mlir", cwd=tmp_path)
    assert done.returncode == 1 and "is UTF-16" in done.stderr


def test_a_pass_of_upstream_that_gives_no_reason() -> None:
    done = wse_opt("--sparse-vectorization")
    assert done.returncode == 1 and "<stdin>: pass 'sparse-vectorization' failed" in done.stderr
