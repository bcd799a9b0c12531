"""Objects in this process: what happens with threads, with many of them, and with what is missing."""

import ctypes
import gc
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest
import torch

import wse_mlir
from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.cpu.instruction_sets import create_target_machine, initialise
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.passes.infra.native_errors import captured_stderr
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.runtime.cpu.jit import JitFunction, NativeModule, compile_function


def object_code(body: str) -> bytes:
    """An object whose function `f` has a packed entry."""
    initialise()
    text = f"declare i64 @nobody_has_this(i64)\ndefine void @wse_packed_f(ptr %p) {{\n{body}\nret void\n}}"
    return create_target_machine("", "").emit_object(llvm.parse_assembly(text))


def scaling_function(size: int) -> JitFunction:
    """y = 3 x on vectors."""
    text = f"""
#i = affine_map<(d) -> (d)>
func.func @main(%x: memref<{size}xf32>, %y: memref<{size}xf32>) attributes {{llvm.emit_c_interface}} {{
  %three = arith.constant 3.0 : f32
  linalg.generic {{indexing_maps = [#i, #i], iterator_types = ["parallel"]}}
      ins(%x : memref<{size}xf32>) outs(%y : memref<{size}xf32>) {{
  ^bb0(%v: f32, %old: f32):
    %r = arith.mulf %v, %three : f32
    linalg.yield %r : f32
  }}
  return
}}"""
    with create_context():
        module = ir.Module.parse(text)
        run_pipeline(module, "builtin.module(func.func(wse-vectorize),canonicalize,cse)")
        run_pipeline(module, f"builtin.module({named_pipeline('cpu').stages[-1].text})")
        return compile_function(module, "main", [1, 1])


def test_threads_share_a_function() -> None:
    function = scaling_function(4096)

    def calls(number: int) -> bool:
        x, y = np.full(4096, number, np.float32), np.empty(4096, np.float32)
        for _ in range(50):
            y.fill(0)
            function([(0, x), (1, y)])
            if not (y == 3 * number).all():
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(calls, range(8)))


def test_threads_generate_and_link_code_at_once() -> None:
    def linked(number: int) -> int:
        word = ctypes.c_int64()
        entry = NativeModule(object_code(f"store i64 {number}, ptr %p"), ("f",), "'f'").entry("f")
        entry(ctypes.addressof(word))
        return word.value

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(linked, range(64))) == list(range(64))


def test_threads_call_a_model_with_outputs_of_open_size() -> None:
    model = torch.nn.Linear(4, 4).eval().requires_grad_(False)
    rows = torch.export.Dim("rows", min=2, max=64)
    compiled = wse_mlir.compile(model, (torch.zeros(3, 4),), dynamic_shapes=({0: rows},))

    def calls(size: int) -> bool:
        x = torch.full((size, 4), float(size))
        return all(torch.allclose(compiled(x), model(x)) for _ in range(20))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(calls, range(2, 10)))


def test_the_error_stream_is_restored_whatever_threads_do() -> None:
    before = os.fstat(2)

    def capture(number: int) -> str:
        with captured_stderr() as said:
            os.write(2, f"thread {number}".encode())
        return said.text

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(capture, range(40))) == [f"thread {number}" for number in range(40)]
    after = os.fstat(2)
    assert (before.st_dev, before.st_ino) == (after.st_dev, after.st_ino)
    with captured_stderr() as outer:
        with captured_stderr() as inner:
            os.write(2, b"inside")
        os.write(2, b"outside")
    assert (inner.text, outer.text) == ("inside", "outside")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells what is mapped")
def test_modules_are_unloaded_when_nothing_refers_to_them() -> None:
    def mapped() -> int:
        gc.collect()
        return len(Path("/proc/self/maps").read_text().splitlines())

    code = object_code("store i64 1, ptr %p")
    NativeModule(code, ("f",), "'f'")
    before = mapped()
    kept = [NativeModule(code, ("f",), "'f'") for _ in range(40)]
    assert mapped() > before + 40
    kept.clear()
    for _ in range(100):
        NativeModule(code, ("f",), "'f'")
    assert mapped() < before + 20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells how much memory there is")
def test_thousands_of_modules_leave_no_memory_behind() -> None:
    """LLVM forgets no library: a linker of its own for each few dozen does. The libraries that stay are callable."""

    def resident() -> int:
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def link_many(count: int) -> None:
        for number in range(count):
            module = NativeModule(code, ("f",), "'f'")
            if number % 250 == 0:
                kept.append(module)

    code, word = object_code("store i64 1, ptr %p"), ctypes.c_int64()
    kept: list[NativeModule] = []
    link_many(500)
    before = resident()
    link_many(1500)
    assert resident() < before + (6 << 20)  # 13 MiB with one linker for all
    for module in kept:
        word.value = 0
        module.entry("f")(ctypes.addressof(word))
        assert word.value == 1


def test_an_entry_keeps_its_module() -> None:
    entry = NativeModule(object_code("store i64 7, ptr %p"), ("f",), "'f'").entry("f")
    gc.collect()
    word = ctypes.c_int64()
    entry(ctypes.addressof(word))
    assert word.value == 7


def test_what_is_missing_is_named() -> None:
    needy = "%a = call i64 @nobody_has_this(i64 1)\nstore i64 %a, ptr %p"
    with pytest.raises(CompilerError, match="code of 'the model' could not be linked") as caught:
        NativeModule(object_code(needy), ("f",), "'the model'")
    assert "nothing here has 'nobody_has_this'\n" in str(caught.value)
    with pytest.raises(CompilerError, match="could not be linked"):
        NativeModule(object_code("store i64 1, ptr %p"), ("f", "g"), "'f'")
    with pytest.raises(CompilerError, match="could not be linked"):
        NativeModule(b"no object at all", ("f",), "'f'")
    module = NativeModule(object_code("store i64 1, ptr %p"), ("f",), "'f'")
    with pytest.raises(KeyError):
        module.entry("g")
