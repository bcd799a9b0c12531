"""What goes wrong in a library is a status; what goes wrong in building one is one message, and no file is left."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from library_programs import PROGRAMS, Zoo, compile_program, run_alone
from torch import nn

from wse_mlir import CompilerError
from wse_mlir.artifacts.aot.library import Library, LibraryFunction, build_library
from wse_mlir.artifacts.aot.weights import lay_out
from wse_mlir.frontend.imported import ImportedModel, import_model


def weights_of(zoo: Zoo) -> bytes:
    """The weights as a file, cut out of the library that embeds them."""
    library = zoo.library.path.read_bytes()
    start = library.index(b"WSEWTS\r\n\1\0\0\0")
    size = int.from_bytes(library[start + 16 : start + 24], "little")
    return library[start : start + size]


def write_weights_files(zoo: Zoo, folder: Path) -> None:
    good = weights_of(zoo)
    changed = bytearray(good)
    changed[1000] ^= 1
    files = {
        "good": good,
        "empty": b"",
        "text": b"no weights at all" * 10,
        "other": good[:24] + bytes(16) + good[40:],
        "newer": good[:8] + b"\x09\0\0\0" + good[12:],
        "cut": good[:-64],
        "stub": good[:20],
        "changed": bytes(changed),
    }
    for name, data in files.items():
        (folder / f"{name}.weights").write_bytes(data)


def test_every_mistake_of_a_caller_has_a_status_and_a_text(zoo: Zoo, tmp_path: Path) -> None:
    program = compile_program(PROGRAMS / "errors.c", zoo.library.path, tmp_path / "errors")
    write_weights_files(zoo, tmp_path)
    done = run_alone([program], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def tiny() -> ImportedModel:
    return import_model(nn.Linear(4, 3).eval().requires_grad_(False), (torch.randn(2, 4),))


@pytest.fixture(scope="module")
def unused() -> ImportedModel:
    """A model for builds that are refused before anything is compiled."""
    return tiny()


def build(out: Path, **arguments: object) -> Library:
    return build_library([LibraryFunction("main", tiny())], out, **arguments)  # type: ignore[arg-type]


OPEN = """
#include <stdio.h>
#include "net.h"
int main(void) {
  wse_instance *instance;
  wse_error error;
  wse_status status = net_open(NULL, &instance, &error);
  if (status) printf("%d %s", (int)status, error.text);
  net_close(instance);
  return 0;
}
"""


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library, its weights and a program that opens it."""
    folder = tmp_path_factory.mktemp("beside")
    library = build(folder / "libnet.so", weights="beside", options={"features": "+fma4"})
    (folder / "open.c").write_text(OPEN)
    compile_program(folder / "open.c", library.path, folder / "open")
    return folder


def test_a_processor_that_lacks_instructions_is_refused(beside: Path) -> None:
    done = run_alone([beside / "open"], beside)
    assert done.stdout == "13 this processor has no fma4, which the library uses"


def test_weights_are_looked_for_beside_the_library(tmp_path: Path) -> None:
    library = build(tmp_path / "libnet.so", weights="beside")
    assert library.weights == tmp_path / "net.weights"
    (tmp_path / "open.c").write_text(OPEN)
    program = compile_program(tmp_path / "open.c", library.path, tmp_path / "open")
    assert run_alone([program], Path("/")).stdout == ""
    library.weights.rename(tmp_path / "elsewhere")
    said = run_alone([program], Path("/")).stdout
    assert said == f"14 there is no file '{tmp_path}/net.weights', or it may not be read"


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(CompilerError, match="there is no C compiler: none of cc, gcc, clang is on the PATH"):
        build(tmp_path / "libnet.so")
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    with pytest.raises(
        CompilerError, match="no C compiler 'no-such-compiler', which the environment variable CC"
    ):
        build(tmp_path / "libnet.so")
    assert files_in(tmp_path) == []


def test_a_compiler_without_a_linker_and_one_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    compiler = tmp_path / "fake-cc"
    real = shutil.which("gcc")
    compiler.write_text(
        f'#!/bin/sh\ncase "$*" in *-shared*) exec {real} -B{tmp_path} "$@" -fuse-ld=nothing;; esac\nexec {real} "$@"'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    with pytest.raises(CompilerError, match=r"linking 'libnet\.so' failed") as raised:
        build(out / "libnet.so", weights="beside")
    assert "command: " in str(raised.value) and len(str(raised.value).splitlines()) < 12
    compiler.write_text('#!/bin/sh\necho "disk of the compiler is full" >&2\nexit 3')
    with pytest.raises(CompilerError, match=r"compiling the interface of 'libnet\.so' failed") as raised:
        build(out / "libnet.so")
    assert "disk of the compiler is full" in str(raised.value)
    assert files_in(out) == []


def test_what_cannot_be_written_is_said_before_anything_is_compiled(
    tmp_path: Path, unused: ImportedModel
) -> None:
    (tmp_path / "net.h").mkdir()
    (tmp_path / "file").write_text("")
    for out, message in (
        (tmp_path / "missing" / "libnet.so", "there is no folder"),
        (tmp_path / "libnet.so", "net.h': it is a folder"),
        (Path("/dev/null"), "not an ordinary file"),
    ):
        with pytest.raises(CompilerError, match=message):
            build_library([LibraryFunction("main", unused)], out, name="net")
    with pytest.raises(CompilerError, match="cannot write to the folder"):
        build_library([LibraryFunction("main", unused)], tmp_path / "a.so", keep=tmp_path / "file" / "kept")
    assert files_in(tmp_path) == ["file", "net.h"]


def test_a_folder_in_which_nothing_can_be_created() -> None:
    with pytest.raises(CompilerError, match="cannot write"):
        build(Path("/proc/libnet.so"))


@pytest.mark.parametrize("name", ["", "9lives", "int", "class", "wse_net", "a__b", "a-b"])
def test_names_are_identifiers(tmp_path: Path, unused: ImportedModel, name: str) -> None:
    with pytest.raises(CompilerError, match="cannot be the name of a function"):
        build_library([LibraryFunction(name, unused)], tmp_path / "libnet.so")


def test_names_are_different_and_there_is_one(tmp_path: Path, unused: ImportedModel) -> None:
    twice = [LibraryFunction("main", unused), LibraryFunction("main", unused)]
    with pytest.raises(CompilerError, match="two functions have the name 'main'"):
        build_library(twice, tmp_path / "libnet.so")
    with pytest.raises(CompilerError, match="at least one function"):
        build_library([], tmp_path / "libnet.so")
    with pytest.raises(CompilerError, match=r"kind='static' is not one of shared, object"):
        build_library(twice[:1], tmp_path / "libnet.so", kind="static")  # type: ignore[arg-type]
    assert files_in(tmp_path) == []


def test_a_model_without_values_has_no_weights() -> None:
    with torch.device("meta"):
        model = nn.Linear(4, 3).requires_grad_(False)
    imported = import_model(model, (torch.randn(2, 4, device="meta"),))
    with pytest.raises(CompilerError, match="parameter 'weight' has no data"):
        lay_out([imported.arguments])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(CompilerError, match="no permission"):
        build(tmp_path / "libnet.so")
