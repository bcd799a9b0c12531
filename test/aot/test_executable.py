"""Executables run alone, with an empty environment, and compute what PyTorch computes."""

import io
import re
import subprocess
from pathlib import Path

import executable_models as models
import numpy as np
import pytest
import torch
from executable_models import build

from wse_mlir import Workload
from wse_mlir.runtime.arrays import as_array, as_tensor


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(program: Path, *words: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([program, *words], env={}, input=data, capture_output=True, check=False)


def ok(program: Path, *words: str, data: bytes = b"") -> bytes:
    done = call(program, *words, data=data)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def save(path: str, tensor: torch.Tensor) -> None:
    np.save(path, as_array(tensor))


def load(path: str, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    array = np.load(path)
    return (
        as_tensor(array).view(dtype)
        if dtype != torch.bfloat16
        else as_tensor(array.view(np.int16)).view(dtype)
    )


def expected(workload: Workload) -> torch.Tensor:
    with torch.no_grad():
        return workload.model(*workload.batches[0])


def test_every_element_type_goes_through_files(program: Path) -> None:
    workload = models.every()
    (given,) = workload.batches
    for i, tensor in enumerate(given):
        save(f"in{i}.npy", tensor)
    names = [f"in{i}.npy" for i in range(len(given))] + [f"out{i}.npy" for i in range(len(given))]
    ok(program, "--function=every", *names)
    for i, wanted in enumerate(expected(workload)):
        assert torch.equal(load(f"out{i}.npy", wanted.dtype), wanted), wanted.dtype


@pytest.mark.parametrize("cpu", ["x86-64", "x86-64-v3", ""])
def test_cross_compiled_programs_give_right_answers(cpu: str, program: Path) -> None:
    workload = models.rows()
    save("x.npy", workload.batches[0][0])
    if cpu != "x86-64":
        program = build(Path("rows"), "rows", options=("--cpu", cpu) if cpu else ())
    ok(program, "--function", "rows", "x.npy", "y.npy")
    torch.testing.assert_close(load("y.npy"), expected(workload), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "words",
    [
        ("x.npy", "y.npy"),
        ("--input", "x.npy", "--output", "y.npy"),
        ("--output=output=y.npy", "--input=images=x.npy"),
        ("-o", "0=y.npy", "-i", "0=x.npy"),
        ("-o", "y.npy", "--", "x.npy"),
    ],
)
def test_files_by_order_name_and_position(program: Path, words: tuple[str, ...]) -> None:
    workload = models.rows()
    save("x.npy", workload.batches[0][0])
    assert ok(program, "-f", "rows", *words) == b""
    torch.testing.assert_close(load("y.npy"), expected(workload), rtol=1e-5, atol=1e-6)
    assert sorted(p.name for p in Path().iterdir()) == ["x.npy", "y.npy"]


def test_standard_input_and_output_carry_one_array_after_the_other(program: Path) -> None:
    cache, x = torch.ones(3), torch.tensor([1.0, 2.0, 3.0])
    stream = io.BytesIO()
    np.save(stream, as_array(cache))
    np.save(stream, as_array(x))
    words = ("-f", "write", "-i", "-", "-i", "-", "-o", "cache=-", "-o", "-", "--print")
    done = call(program, *words, data=stream.getvalue())
    assert done.returncode == 0, done.stderr.decode()
    answer = io.BytesIO(done.stdout)
    assert np.load(answer).tolist() == [2, 6, 12] and np.load(answer).tolist() == [2, 3, 4]
    assert answer.read() == b"" and b"output: float32[3]" in done.stderr  # text is not mixed into the data


def test_raw_elements_and_the_open_size_they_imply(program: Path) -> None:
    workload = models.rows()
    Path("x.raw").write_bytes(as_array(workload.batches[0][0]).tobytes())
    ok(program, "-f", "rows", "x.raw", "y.raw")
    ok(program, "-f", "rows", "x.raw", "z.npy", "--raw")
    assert Path("z.npy").read_bytes() == Path("y.raw").read_bytes()
    actual = torch.from_numpy(np.fromfile("y.raw", np.float32).reshape(5, 3))
    torch.testing.assert_close(actual, expected(workload), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_headers_of_every_version(program: Path, version: tuple[int, int]) -> None:
    with open("x.npy", "wb") as file:
        np.lib.format.write_array(file, np.ones((2, 6), np.float32), version=version)
    ok(program, "-f", "rows", "x.npy", "y.npy")
    assert np.load("y.npy").shape == (2, 3)


def test_no_rows_and_a_written_shape(program: Path) -> None:
    np.save("x.npy", np.ones((0, 6), np.float32))
    ok(program, "-f", "rows", "x.npy", "y.npy")
    assert np.load("y.npy").shape == (0, 3)


def test_state_goes_on_from_call_to_call_and_through_files(program: Path) -> None:
    save("x.npy", torch.tensor([1.0, 2.0, 3.0, 4.0]))
    done = call(program, "-f", "tally", "x.npy", "y.npy", "--repeat", "3", "--state-out", "state")
    assert re.match(rb"3 calls: median \d+\.\d+ us, fastest", done.stderr)
    assert np.load("y.npy").tolist() == [6, 12, 18, 24]
    with open("state", "rb") as file:
        assert np.load(file).tolist() == [3, 6, 9, 12] and np.load(file) == 3
    ok(program, "-f", "tally", "x.npy", "y.npy", "--state-in", "state", "--state-out", "state")
    assert np.load("y.npy").tolist() == [8, 16, 24, 32]
    ok(program, "-f", "tally", "x.npy", "y.npy")
    assert np.load("y.npy").tolist() == [2, 4, 6, 8]


def test_printing_shows_values_and_the_largest(program: Path) -> None:
    save("x.npy", torch.tensor([1.0, 2.5, -3.0, 4.0]))
    lines = ok(program, "-f", "tally", "x.npy", "--print").decode().splitlines()
    assert lines == ["output: float32[4]", "  2  5  -6  8  argmax 3"]


def test_help_lists_functions_with_their_tensors(program: Path) -> None:
    text = ok(program, "--help").decode()
    for part in ("total: float32[4]", "calls: int64[]", "for x86-64", "--state-in"):
        assert part in text
    assert "input   cache: float32[3], changed by a call" in text
    assert re.search(r"input   images: float32\[s\d+, 6\]", text)  # a name for the size, wherever it occurs


def test_weights_are_found_beside_the_program_or_where_told(program: Path) -> None:
    Path("there").mkdir()
    made = build(Path("there/rows"), "rows", options=("--weights", "beside"))
    np.save("x.npy", np.ones((1, 6), np.float32))
    ok(made, "x.npy", "y.npy")
    ok(program, "-f", "rows", "x.npy", "embedded.npy")
    np.testing.assert_allclose(np.load("y.npy"), np.load("embedded.npy"), rtol=1e-5)
    Path("there/rows.weights").rename("moved")
    before = sorted(Path().rglob("*"))
    lost = call(made, "x.npy", "z.npy")
    assert lost.returncode == 1 and b"rows.weights" in lost.stderr and lost.stderr.count(b"\n") == 1
    assert sorted(Path().rglob("*")) == before
    ok(made, "x.npy", "z.npy", "--weights", "moved")
    assert np.array_equal(np.load("z.npy"), np.load("y.npy"))


def test_nothing_but_the_c_library_is_needed(program: Path) -> None:
    said = subprocess.run(["readelf", "-d", program], capture_output=True, text=True, check=True).stdout
    needed = set(re.findall(r"NEEDED.*\[(.*?)\]", said))
    assert needed <= {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"} and "TEXTREL" not in said
