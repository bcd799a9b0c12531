"""Writes the LLVM IR of the thread pool, one text for each architecture, from `pool.c`: `make pool`.

    python .ci/make_pool.py [--out FOLDER]

Clang is that of the package `ziglang`, which has the system headers of every architecture with it, so that the texts
are the same wherever they are made. Its LLVM must not be newer than llvmlite's, which reads them.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "wse_mlir/runtime/native/pool.c"
ARCHITECTURES = ("x86_64", "aarch64")

# The text is to be short: it is optimised once more, for speed, where models are compiled. What metadata says about
# types and loops, and to debuggers, is of no use there.
_OPTIONS = (
    *("-S", "-emit-llvm", "-std=c11", "-Os", "-fPIC", "-g0"),
    *("-fno-discard-value-names", "-fno-strict-aliasing", "-fno-finite-loops", "-fno-sanitize=undefined"),
    *("-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-unused-command-line-argument"),  # its own -c
)
_HEAD = "; Made of pool.c for {architecture} by `make pool`: change that.\n"
# What says where and for which processor the text was made: the code generator is told when models are compiled.
_OF_THE_MAKER = re.compile(
    r"^(?:; ModuleID|source_filename|target datalayout|target triple|!llvm\.(?:ident|module\.flags)) ?=.*\n"
    r'|^!\d+ = !\{(?:i32 \d+, !".*", i32 \d+|!"clang version .*")\}\n'
    r"|^; Function Attrs: .*\n",
    re.MULTILINE,
)
_GROUP = re.compile(r"^attributes #.*", re.MULTILINE)
_ATTRIBUTE_OF_THE_MAKER = re.compile(r' (?:"[^"]*"(?:="[^"]*")?|optsize\b)')


def portable(text: str) -> str:
    """LLVM IR without the names of files, versions and processors."""
    text = _GROUP.sub(lambda group: _ATTRIBUTE_OF_THE_MAKER.sub("", group[0]), _OF_THE_MAKER.sub("", text))
    for empty in re.findall(r"^attributes (#\d+) = \{ \}$", text, re.MULTILINE):
        text = re.sub(rf"^attributes {empty} .*\n| {empty}\b", "", text, flags=re.MULTILINE)
    return re.sub(r"\n\n+(?=\n|declare)", "\n", text).strip() + "\n"


def llvm_ir(architecture: str) -> str:
    """The text for one architecture.

    Raises:
        subprocess.CalledProcessError: clang does not accept the source; it has said why.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "pool.ll")
        clang = [sys.executable, "-m", "ziglang", "cc", "-target", f"{architecture}-linux-gnu"]
        caches = {f"ZIG_{which}_CACHE_DIR": folder for which in ("GLOBAL", "LOCAL")}
        subprocess.run(
            [*clang, *_OPTIONS, SOURCE.name, "-o", str(made)],
            cwd=SOURCE.parent,
            env={**os.environ, **caches},
            check=True,
        )
        return _HEAD.format(architecture=architecture) + portable(made.read_text())


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes the LLVM IR of the thread pool from pool.c.")
    parser.add_argument("--out", type=Path, default=SOURCE.parent, help="where to (default: beside pool.c)")
    out: Path = parser.parse_args().out
    if find_spec("ziglang") is None:
        print("make_pool: there is no package 'ziglang'; `make setup` installs it", file=sys.stderr)
        return 1
    try:
        texts = {architecture: llvm_ir(architecture) for architecture in ARCHITECTURES}
    except subprocess.CalledProcessError as error:
        print(f"make_pool: clang failed with status {error.returncode}", file=sys.stderr)
        return 1
    for architecture, text in texts.items():
        (out / f"pool_{architecture}.ll").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
