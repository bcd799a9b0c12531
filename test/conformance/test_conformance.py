"""PyTorch's operator database and the ONNX node tests: nothing is wrong, nothing crashes, nothing is lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TEST = Path(__file__).resolve().parents[1]


def run(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "--workers", "1", *arguments],
        cwd=TEST,
        env={**os.environ, "WSE_CACHE": "0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"


@pytest.mark.parametrize("shard", ["0/2", "1/2"])
def test_a_part_of_the_operators_of_pytorch(shard: str) -> None:
    run("--suite", "torch", "--part", "--shard", shard)


@pytest.mark.parametrize("shard", ["0/2", "1/2"])
def test_a_part_of_the_node_tests_of_onnx(shard: str) -> None:
    run("--suite", "onnx", "--part", "--shard", shard)


@pytest.mark.parametrize("shard", ["0/2", "1/2"])
def test_a_part_of_the_operators_of_pytorch_on_a_wafer(shard: str) -> None:
    run("--suite", "torch", "--target", "tiny", "--part", "--shard", shard)


@pytest.mark.slow
@pytest.mark.parametrize("suite", ["torch", "onnx"])
@pytest.mark.parametrize("shard", ["0/2", "1/2"])
def test_everything(suite: str, shard: str) -> None:
    run("--suite", suite, "--shard", shard)


@pytest.mark.slow
def test_everything_that_a_wafer_takes() -> None:
    run("--suite", "torch", "--target", "tiny")
