"""Workload files: what a user's file must define, and the one message it gets otherwise."""

from pathlib import Path

import pytest
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.pipelines.workload import Workload, load_workload


def test_a_pair_of_model_and_arguments_is_a_workload(tmp_path: Path) -> None:
    (tmp_path / "pair.py").write_text("def load():\n    return 'model', (1, 2)\n")
    workload = load_workload(str(tmp_path / "pair.py"))
    assert workload.model == "model" and workload.example_args == (1, 2)


def test_another_function_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text("def other():\n    return 'other', (1,)\n")
    assert load_workload(f"{tmp_path}/two.py:other").model == "other"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", r"does not define load\(\)"),
        ("def load():\n    return 3\n", "returned int"),
        ("def load():\n    return 1 / 0\n", r"bad.py:2: ZeroDivisionError"),
        ("import nothing_of_the_sort\n", r"bad.py:1: ModuleNotFoundError"),
        ("def load(:\n", r"bad.py:1: SyntaxError"),
        ("from wse_mlir import Workload\ndef load():\n    return Workload(None, [])\n", "no batches"),
    ],
)
def test_a_bad_file_gets_one_message(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(CompilerError, match=message):
        load_workload(str(tmp_path / "bad.py"))


def test_a_missing_file_and_a_file_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(CompilerError, match="no file"):
        load_workload(str(tmp_path / "missing.py"))
    (tmp_path / "model.tflite").write_bytes(b"TFL3")
    with pytest.raises(CompilerError, match="not a Python file"):
        load_workload(str(tmp_path / "model.tflite"))


def test_the_first_batch_is_the_example() -> None:
    assert Workload("m", [(1,), (2,)]).example_args == (1,)
