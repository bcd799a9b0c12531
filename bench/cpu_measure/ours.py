"""This project's compiler, through its public interface and with its default options."""

from __future__ import annotations

import tempfile
from typing import Any

from cpu_families import Case

import wse_mlir

from .contender import Absent, Contender, as_tuple

NAME = "wse_mlir"


def build(case: Case, threads: int, *, warm: bool = True) -> Contender:
    """Compiles the model, and once more to see what a filled cache is worth.

    Raises:
        Absent: the compiler has no threads yet.
    """
    options: dict[str, Any] = {} if threads == 1 else {"num_threads": threads}
    with tempfile.TemporaryDirectory() as folder:
        try:
            compiled = wse_mlir.compile(case.model, case.args, cache=folder, **options)
        except wse_mlir.CompilerError as error:
            if "num_threads" not in str(error):
                raise
            raise Absent("refused", str(error)) from error
        report = compiled.report
        facts: dict[str, Any] = {
            "compile_seconds": sum(
                report["timings"].get(step, 0.0) for step in ("passes", "codegen", "load")
            ),
            "timings": report["timings"],
        }
        if warm:
            again = wse_mlir.compile(case.model, case.args, cache=folder, **options)
            facts["warm_seconds"] = again.report["compile_seconds"]
    facts |= report.get("memory", {})
    args = case.args
    facts["output_bytes"] = sum(output.nbytes for output in as_tuple(compiled(*args)))
    return Contender(NAME, lambda: compiled(*args), lambda: as_tuple(compiled(*args)), facts)
