"""One library of many models, built once for the tests of this folder."""

from pathlib import Path

import pytest
from executable_models import build
from library_models import cases
from library_programs import VALGRIND_CPU, Zoo

from wse_mlir.artifacts.aot.library import LibraryFunction, build_library
from wse_mlir.frontend.imported import import_model


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    folder = tmp_path_factory.mktemp("zoo")
    made = cases()
    functions = [
        LibraryFunction(name, import_model(case.model, case.args, **case.kwargs))
        for name, case in made.items()
    ]
    keep = folder / "kept"
    options = {"cpu": VALGRIND_CPU}
    library = build_library(functions, folder / "libzoo.so", options=options, keep=keep)
    return Zoo(library, made, keep)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An executable of several functions for processors with SSE2 alone, weights inside."""
    out = tmp_path_factory.mktemp("program") / "models"
    return build(out, "every", "tally", "rows", "write", options=("--cpu", "x86-64"))
