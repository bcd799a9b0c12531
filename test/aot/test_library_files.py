"""The files of a library: position independent, with documented symbols alone, complete headers, the same each time."""

import inspect
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from library_models import Outer
from library_programs import CPP, STRICT, Zoo
from torch import nn

from wse_mlir import CompilerError
from wse_mlir.artifacts.aot.c_header import API
from wse_mlir.artifacts.aot.library import LibraryFunction, build_library
from wse_mlir.artifacts.aot.weights import lay_out
from wse_mlir.frontend.imported import import_model
from wse_mlir.frontend.signature import Argument


def readelf(option: str, file: Path) -> str:
    return subprocess.run(
        ["readelf", "-W", option, str(file)], check=True, capture_output=True, text=True
    ).stdout


def test_shared_objects_have_no_text_relocations_and_need_the_c_library_alone(zoo: Zoo) -> None:
    dynamic = readelf("-d", zoo.library.path)
    assert "TEXTREL" not in dynamic
    assert "Library soname: [libzoo.so]" in dynamic
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", dynamic))
    assert needed <= {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def test_the_documented_symbols_are_exported_and_no_others(zoo: Zoo) -> None:
    table = readelf("--dyn-syms", zoo.library.path)
    exported = {
        line.split()[7] for line in table.splitlines() if re.search(r"(GLOBAL|WEAK)\s+DEFAULT\s+\d", line)
    }
    typed = {f"zoo_run_{name}" for name in zoo.cases if name not in ("open_batch", "outer")}
    assert exported == {"wse_get_library", *(f"zoo_{name}" for name in API), *typed}


@pytest.mark.parametrize(
    "command", [["gcc", "-std=c99", "-x", "c", *STRICT], [*CPP[:1], "-std=c++98", "-Wno-long-long", *CPP[2:]]]
)
def test_the_header_is_complete_and_can_be_included_twice_and_with_others(
    zoo: Zoo, tmp_path: Path, command: list[str]
) -> None:
    text = zoo.folder.joinpath("zoo.h").read_text()
    (tmp_path / "other.h").write_text(text.replace("zoo", "other").replace("ZOO", "OTHER"))
    (tmp_path / "zoo.h").write_text(text)
    source = tmp_path / "source"
    source.write_text('#include "zoo.h"\n#include "zoo.h"\n#include "other.h"\n')
    subprocess.run([*command, "-fsyntax-only", str(source)], check=True)


def test_headers_of_two_versions_of_the_interface_do_not_mix(zoo: Zoo, tmp_path: Path) -> None:
    text = zoo.folder.joinpath("zoo.h").read_text()
    (tmp_path / "newer.h").write_text(
        text.replace("define WSE_ABI_VERSION 1", "define WSE_ABI_VERSION 2").replace("zoo", "newer")
    )
    (tmp_path / "source.c").write_text(f'#include "newer.h"\n#include "{zoo.folder}/zoo.h"\n')
    done = subprocess.run(
        ["gcc", "-fsyntax-only", str(tmp_path / "source.c")], capture_output=True, text=True
    )
    assert "different versions of the C interface" in done.stderr


def test_what_a_library_was_made_of_can_be_kept(zoo: Zoo) -> None:
    kept = {path.name for path in zoo.keep.iterdir()}
    assert {
        "zoo.c",
        "zoo.h",
        "zoo__kernel_lenet.o",
        "zoo__kernel_lenet.ll",
        "commands.txt",
        "exports.map",
    } <= kept
    assert "define" in (zoo.keep / "zoo__kernel_lenet.ll").read_text()


def linear() -> LibraryFunction:
    torch.manual_seed(0)
    return LibraryFunction("main", import_model(nn.Linear(4, 3).requires_grad_(False), (torch.randn(2, 4),)))


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        build_library([linear()], tmp_path / folder / "libnet.so", weights="beside")
    for name in ("libnet.so", "net.h", "net.weights"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_debug_information_leads_to_lines_of_the_model(tmp_path: Path) -> None:
    function = LibraryFunction("main", import_model(Outer(), (torch.randn(4),)))
    library = build_library([function], tmp_path / "libouter.so", debug=True)
    lines = readelf("--debug-dump=decodedline", library.path)
    source = Path(inspect.getfile(Outer))
    first = inspect.getsourcelines(Outer.forward)[1]
    assert re.search(rf"^{source.name}\s+{first + 1}\s", lines, re.M), lines
    assert str(tmp_path) not in lines


def parameter(name: str, tensor: torch.Tensor, kind: str = "parameter") -> Argument:
    return Argument(kind, name, tuple(tensor.shape), tensor.dtype, tensor=tensor)  # type: ignore[arg-type]


def test_equal_tensors_are_stored_once() -> None:
    a, b = torch.randn(100), torch.randn(100)
    layout, bindings = lay_out([[parameter("a", a), parameter("b", b)], [parameter("c", a.clone())]])
    assert bindings[1] == bindings[0][:1] and bindings[0][0] != bindings[0][1]
    assert layout.size == 64 + 2 * 448


def test_what_one_function_changes_is_a_state_for_all() -> None:
    cache = torch.ones(10)
    layout, bindings = lay_out([[parameter("read", cache)], [parameter("cache", cache, "state")]])
    assert bindings[0] == bindings[1] and layout.parameters == [] and len(layout.states) == 1


def test_a_state_that_is_a_part_of_another_tensor_is_refused() -> None:
    cache = torch.zeros(4, 6)
    for other in (cache[1:2], cache[:, 3], cache.view(24)):
        with pytest.raises(CompilerError, match="'cache' and 'view' share memory"):
            lay_out([[parameter("cache", cache, "state")], [parameter("view", other)]])
    lay_out([[parameter("a", cache[:2], "state")], [parameter("b", cache[2:], "state")]])
    lay_out([[parameter("a", cache)], [parameter("b", cache[2:])]])


def test_equal_states_are_different_states() -> None:
    first, second = torch.zeros(10), torch.zeros(10)
    layout, _ = lay_out([[parameter("a", first, "state")], [parameter("b", second, "state")]])
    assert [slot.place for slot in layout.states] == [0, 64] and layout.size == 64


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.bool, torch.int64])
def test_the_checksum_sees_every_byte_and_their_order(tmp_path: Path, dtype: torch.dtype) -> None:
    def checksum(tensor: torch.Tensor) -> bytes:
        lay_out([[parameter("a", tensor)]])[0].write(tmp_path / "file")
        return (tmp_path / "file").read_bytes()[40:56]

    values = torch.arange(70001).remainder(2 if dtype == torch.bool else 100).to(dtype)
    words = np.frombuffer(as_file(values, tmp_path)[64:], "<u8")
    total = totals = 0
    for word in words.tolist():
        total = (total + word) % 2**64
        totals = (totals + total) % 2**64
    assert checksum(values) == total.to_bytes(8, "little") + totals.to_bytes(8, "little")


def as_file(tensor: torch.Tensor, folder: Path) -> bytes:
    lay_out([[parameter("a", tensor)]])[0].write(folder / "whole")
    return (folder / "whole").read_bytes()


def test_objects_of_two_libraries_link_into_one_program(tmp_path: Path) -> None:
    for name in ("one", "two"):
        build_library([linear()], tmp_path / f"{name}.o", kind="object", name=name)
    (tmp_path / "main.c").write_text(
        '#include "one.h"\n#include "two.h"\nint main(void) { return one_library() == two_library(); }\n'
    )
    objects = [str(tmp_path / f"{name}.o") for name in ("one", "two")]
    subprocess.run(
        ["gcc", *STRICT, str(tmp_path / "main.c"), *objects, "-lm", "-o", str(tmp_path / "main")], check=True
    )
    assert subprocess.run([tmp_path / "main"], env={}).returncode == 0
