"""IREE on the exported model, compiled for this machine's processor."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from cpu_families import Case

from .contender import Absent, Contender, as_tuple
from .onnx_export import export_args, exported

_FLAGS = ("--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O3")
_LIMIT = 600  # seconds of compilation


def compiled_module(case: Case, folder: Path) -> tuple[bytes, float]:
    """The module in this folder, made when it is not there, and the seconds that took.

    Raises:
        Absent: the compiler is not installed, or refuses the model.
    """
    path, seconds = folder / "model.vmfb", folder / "model.vmfb.seconds"
    if not path.exists():
        model = exported(case, folder)
        started = time.perf_counter()
        imported = folder / "model.mlir"
        _run("iree.compiler.tools.import_onnx", str(model), "-o", str(imported))
        words = ("--iree-input-type=onnx", "--iree-hal-target-backends=llvm-cpu", *_FLAGS, "-o", str(path))
        _run("iree.compiler.tools.scripts.iree_compile", str(imported), *words)
        seconds.write_text(str(time.perf_counter() - started))
    return path.read_bytes(), float(seconds.read_text())


def _run(module: str, *words: str) -> None:
    """Runs one of IREE's tools in a process of its own: its compiler may crash."""
    command = [sys.executable, "-m", module, *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT)
    except subprocess.TimeoutExpired as error:
        raise Absent("timeout", f"{module} took more than {_LIMIT} s") from error
    if done.returncode:
        word = "absent" if "No module named" in done.stderr else "uncompilable"
        raise Absent(word, done.stderr[:2000])


def build(case: Case, threads: int, folder: Path) -> Contender:
    """Runs synchronously in the caller's thread, or on a pool of that many.

    Raises:
        Absent: it is not installed, or refuses the model.
    """
    try:
        import iree.runtime as rt
    except ImportError as error:
        raise Absent("absent", str(error)) from error
    code, seconds = compiled_module(case, folder)
    rt.flags.parse_flags(f"--task_topology_group_count={threads}")
    try:
        context = rt.SystemContext(
            config=rt.Config(driver_name="local-sync" if threads == 1 else "local-task")
        )
        module = rt.VmModule.copy_buffer(context.instance, code)
        context.add_vm_module(module)
        function = module.lookup_function("main_graph")
        assert function is not None, "what ONNX graphs are called here"
        invoker = rt.FunctionInvoker(context.vm_context, context.config.device, function)
        inputs = [rt.asdevicearray(context.config.device, t.numpy()) for t in export_args(case)]
        given = rt.VmVariantList(len(inputs))
        for array in inputs:
            given.push_ref(array._buffer_view)  # pyright: ignore[reportArgumentType]
        count = len(as_tuple(invoker(*inputs)))
    except Exception as error:  # its bindings raise whatever they make of a status
        raise Absent("failed", f"{type(error).__name__}: {error}"[:2000]) from error

    def run() -> object:
        results = rt.VmVariantList(count)
        context.vm_context.invoke(function, given, results)
        return results

    def outputs() -> list[torch.Tensor]:
        return [torch.from_numpy(np.array(array)) for array in as_tuple(invoker(*inputs))]

    return Contender("iree", run, outputs, {"compile_seconds": seconds})
