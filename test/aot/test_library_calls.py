"""Libraries are called from C, C++ and plain Python in an empty environment; results are those of eager PyTorch."""

import copy
import json
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from library_models import Cache, Case, Decode, Peek, Prefill
from library_programs import C99, CPP, PROGRAMS, Zoo, compile_program, run_alone
from torch import nn
from torch.utils import _pytree as pytree

from wse_mlir.artifacts.aot.library import LibraryFunction, build_library
from wse_mlir.compare.agreement import relative_error
from wse_mlir.frontend.imported import import_model
from wse_mlir.runtime.arrays import as_array


def as_bytes(tensors: list[torch.Tensor], alignment: int = 64) -> bytes:
    """Tensors one after the other, each on a multiple of `alignment`."""
    parts = (as_array(t).tobytes() for t in tensors)
    return b"".join(part + bytes(-len(part) % alignment) for part in parts)


def from_bytes(data: bytes, like: list[torch.Tensor], alignment: int = 1) -> list[torch.Tensor]:
    tensors, at = [], 0
    for tensor in like:
        size = tensor.numel() * tensor.element_size()
        part = bytearray(data[at : at + size])
        tensors.append(torch.frombuffer(part, dtype=tensor.dtype).view(tensor.shape))
        at += -(-size // alignment) * alignment
    assert at == len(data)
    return tensors


def tensors_of(outputs: Any) -> list[torch.Tensor]:
    return [leaf for leaf in pytree.tree_leaves(outputs) if leaf is not None]


def eager(case: Case, calls: list[tuple[torch.Tensor, ...]]) -> list[list[torch.Tensor]]:
    """Outputs of a fresh copy of the model, for calls in a row."""
    model = copy.deepcopy(case.model)
    return [tensors_of(model(*(a.clone() for a in call))) for call in calls]


def assert_close(actual: list[torch.Tensor], expected: list[torch.Tensor]) -> None:
    for a, b in zip(actual, expected, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        tolerance = {torch.float32: 1e-4, torch.float64: 1e-4, torch.float16: 1e-2, torch.bfloat16: 1e-2}
        assert relative_error(a, b) <= tolerance.get(a.dtype, 0), (a, b)


def decode_calls(case: Case) -> list[tuple[torch.Tensor, ...]]:
    tokens = torch.randn(3, 1, 32, generator=torch.Generator().manual_seed(5))
    return [(token, torch.tensor([step])) for step, token in enumerate(tokens)]


def changed_inputs(case: Case) -> list[torch.Tensor]:
    """The inputs that a call changes, as they are after it."""
    after = [a.clone() for a in case.args]
    copy.deepcopy(case.model)(*after)
    return [a for a, before in zip(after, case.args, strict=True) if not torch.equal(a, before)]


@pytest.mark.parametrize("command", [C99, CPP], ids=["c99", "c++11"])
def test_typed_functions_compute_what_eager_computes(zoo: Zoo, tmp_path: Path, command: list[str]) -> None:
    program = compile_program(PROGRAMS / "typed.c", zoo.library.path, tmp_path / "typed", command)
    for name in ("mlp", "lenet", "every_type"):
        (tmp_path / f"{name}.in").write_bytes(as_bytes(list(zoo.cases[name].args)))
    (tmp_path / "accumulate.in").write_bytes(as_bytes(list(zoo.cases["accumulate"].args), 1))
    calls = decode_calls(zoo.cases["decode"])
    (tmp_path / "decode.in").write_bytes(as_bytes([token for token, _ in calls], 1))
    done = run_alone([program], tmp_path)
    assert done.returncode == 0, done.stderr
    for name, alignment in (("mlp", 1), ("lenet", 1), ("every_type", 64)):
        case = zoo.cases[name]
        (expected,) = eager(case, [case.args])
        assert_close(from_bytes((tmp_path / f"{name}.out").read_bytes(), expected, alignment), expected)
    accumulate = zoo.cases["accumulate"]
    expected = [*eager(accumulate, [accumulate.args])[0], *changed_inputs(accumulate)]
    assert_close(from_bytes((tmp_path / "accumulate.out").read_bytes(), expected), expected)
    steps = [output for outputs in eager(zoo.cases["decode"], calls) for output in outputs]
    assert_close(from_bytes((tmp_path / "decode.out").read_bytes(), steps * 2), steps * 2)


def test_threads_share_an_instance(zoo: Zoo, tmp_path: Path) -> None:
    program = compile_program(
        PROGRAMS / "threads.c", zoo.library.path, tmp_path / "threads", C99, ["-pthread"]
    )
    done = run_alone([program], tmp_path)
    assert done.returncode == 0, done.stderr


def run_client(
    library: Path, cases: dict[str, Case], calls: dict[str, tuple[torch.Tensor, ...]]
) -> dict[str, Any]:
    """Runs all functions of a library from plain Python and compares with eager; returns what the library says."""
    folder = library.parent
    shutil.copy(PROGRAMS / "client.py", folder)
    for name, args in calls.items():
        (folder / f"{name}.in").write_bytes(as_bytes(list(args)))
    done = run_alone([sys.executable, "-I", "-S", "client.py", f"./{library.name}", "7"], folder)
    assert done.returncode == 0, done.stderr
    known = json.loads(done.stdout)
    assert list(known["functions"]) == list(calls)
    for name, args in calls.items():
        (expected,) = eager(cases[name], [args])
        assert known["functions"][name]["shapes"] == [list(t.shape) for t in expected]
        expected += changed_inputs(replace(cases[name], args=args))
        assert_close(from_bytes((folder / f"{name}.out").read_bytes(), expected), expected)
    return known


def test_python_needs_ctypes_and_the_file_alone(zoo: Zoo, tmp_path: Path) -> None:
    calls = {name: case.args for name, case in zoo.cases.items()}
    calls["open_batch"] = (torch.randn(7, 8), torch.randn(7, 5))
    calls["outer"] = (torch.randn(7),)
    renamed = shutil.copy(zoo.library.path, tmp_path / "renamed.so")
    known = run_client(Path(renamed), zoo.cases, calls)
    assert known["name"] == "zoo"
    decode, batch = known["functions"]["decode"], known["functions"]["open_batch"]
    assert decode["input"] == [["token", "float32", [1, 32], 0], ["position", "int64", [1], 0]]
    assert decode["state"] == [["keys", "float32", [4, 12, 8], 0], ["values", "float32", [4, 12, 8], 0]]
    assert ["key.weight", "float32", [32, 32], 0] in decode["parameter"]
    assert batch["input"] == [["left", "float32", [-1, 8], 0], ["right", "float32", [-1, 5], 0]]
    assert batch["output"] == [["scores", "float32", [-1, 5], 0], ["mean", "float32", [5], 0]]
    assert known["functions"]["accumulate"]["input"][1] == ["total", "float32", [4], 1]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names a processor of that architecture")
def test_code_for_a_processor_without_newer_instructions(zoo: Zoo, tmp_path: Path) -> None:
    cases = {name: zoo.cases[name] for name in ("lenet", "every_type")}
    functions = [LibraryFunction(name, import_model(case.model, case.args)) for name, case in cases.items()]
    library = build_library(functions, tmp_path / "libold.so", weights="beside", options={"cpu": "x86-64"})
    run_client(library.path, cases, {name: case.args for name, case in cases.items()})
    code = subprocess.run(["objdump", "-d", library.path], check=True, capture_output=True, text=True).stdout
    assert "%xmm" in code and "%ymm" not in code


def test_a_network_that_was_trained_further_needs_its_new_weights_alone(tmp_path: Path) -> None:
    model, x = nn.Linear(4, 3).requires_grad_(False), torch.randn(2, 4)
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
        function = LibraryFunction("main", import_model(model, (x,)))
        build_library([function], tmp_path / folder / "libnet.so", weights="beside")
        model.weight.add_(1)
    model.weight.sub_(1)
    shutil.copy(tmp_path / "after" / "net.weights", tmp_path / "before")
    run_client(tmp_path / "before" / "libnet.so", {"main": Case(model, (x,))}, {"main": (x,)})


SERVE = """
#include <string.h>
#include <stdio.h>
#include "serve.h"
int main(void) {
  static float prompt[4 * 16], token[16], filled[16], decoded[16], rows[6 * 16], scale = 2;
  int64_t positions[4] = {0, 1, 2, 3}, position = 4;
  wse_instance *instance;
  wse_state *state;
  FILE *file = fopen("prompt.in", "rb");
  if (!file || fread(prompt, sizeof prompt, 1, file) != 1 || fread(token, sizeof token, 1, file) != 1) return 1;
  fclose(file);
  if (serve_open(NULL, &instance, NULL) || serve_state_create(instance, &state, NULL)) return 2;
  if (serve_run_prefill(instance, state, prompt, positions, filled)) return 3;
  if (serve_run_decode(instance, state, token, &position, decoded)) return 4;
  if (serve_run_peek(instance, state, &scale, rows)) return 5;
  serve_state_destroy(state);
  serve_close(instance);
  file = fopen("serve.out", "wb");
  fwrite(filled, sizeof filled, 1, file);
  fwrite(decoded, sizeof decoded, 1, file);
  fwrite(rows, sizeof rows, 1, file);
  return fclose(file);
}
"""


def test_functions_share_weights_and_state_in_one_object_file(tmp_path: Path) -> None:
    torch.manual_seed(2)
    cache = Cache().requires_grad_(False)
    prompt, token = torch.randn(4, 16), torch.randn(1, 16)
    positions, position, scale = torch.arange(4), torch.tensor([4]), torch.tensor(2.0)
    models = {
        "prefill": (Prefill(cache), (prompt, positions)),
        "decode": (Decode(cache), (token, position)),
        "peek": (Peek(cache), (scale,)),
    }
    functions = [LibraryFunction(name, import_model(m.eval(), args)) for name, (m, args) in models.items()]
    library = build_library(functions, tmp_path / "serve.o", kind="object", weights="beside")
    assert library.weights is not None
    assert library.weights.stat().st_size == 64 + 4 * (16 * 16 + 16), "the cache begins as zeros: not stored"
    (tmp_path / "main.c").write_text(SERVE)
    program = compile_program(tmp_path / "main.c", library.path, tmp_path / "serve", C99, ["-lm"])
    (tmp_path / "prompt.in").write_bytes(as_bytes([prompt, token], 1))
    done = run_alone([program], Path("/"))
    assert done.returncode == 1, "no prompt there"
    done = run_alone([program], tmp_path)
    assert done.returncode == 0, done
    expected = [models["prefill"][0](prompt, positions), models["decode"][0](token, position), cache.rows * 2]
    assert_close(from_bytes((tmp_path / "serve.out").read_bytes(), expected), expected)


def test_memory_that_ends_in_the_middle_of_a_call(zoo: Zoo, tmp_path: Path) -> None:
    program = compile_program(PROGRAMS / "scarce.c", zoo.library.path, tmp_path / "scarce")
    done = run_alone([program], tmp_path)
    assert done.returncode == 0, done.stdout
    counts = dict(re.findall(r"(\w+): 0 after (\d+)\n", done.stdout))
    assert set(counts) == {"lenet", "open_batch", "decode"} and all(int(n) >= 2 for n in counts.values())


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
@pytest.mark.parametrize("program", ["typed", "errors", "scarce"])
def test_memory_is_used_properly(zoo: Zoo, tmp_path: Path, program: str) -> None:
    from test_library_errors import write_weights_files

    built = compile_program(PROGRAMS / f"{program}.c", zoo.library.path, tmp_path / program)
    write_weights_files(zoo, tmp_path)
    for name in ("mlp", "lenet", "every_type", "accumulate", "decode"):
        (tmp_path / f"{name}.in").write_bytes(np.zeros(4096, np.float32).tobytes())
    valgrind = ["valgrind", "--error-exitcode=77", "--leak-check=full", "--quiet", built]
    done = subprocess.run(valgrind, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
