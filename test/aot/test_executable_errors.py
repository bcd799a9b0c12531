"""What is wrong with files and words that an executable is given gets one message and leaves nothing behind."""

import random
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.ones((2, 6), np.float32))


def call(program: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [program, *words], env={}, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )


def header(text: str, version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode()


DESCRIPTION = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 6), }"
MALFORMED = {
    b"": "ends within its header",
    b"no numbers": "does not begin as one",
    b"\x93NUMPY\x01\x00": "ends within its header",
    b"\x93NUMPY\x04\x00\x10\x00": "version is not",
    b"\x93NUMPY\x02\x00\xff\xff\xff\xff": "longer than any real one",
    b"\x93NUMPY\x01\x00\xff\xff": "ends within its header",
    header("[]"): "not a dictionary",
    header(DESCRIPTION[:-1]): "not a dictionary",
    header(DESCRIPTION + " x"): "does not end after",
    header(DESCRIPTION.replace("shape", "form")): "says more than",
    header("{'descr': '<f4', 'fortran_order': False}"): "lacks one of",
    header(DESCRIPTION.replace("'<f4'", "[('a', '<f4')]")): "records, not numbers",
    header(DESCRIPTION.replace("<f4", "<f4" * 50)): "too long",
    header(DESCRIPTION.replace("2, 6", "-1, 6")): "not a tuple of sizes",
    header(DESCRIPTION.replace("2, 6", "99999999999999999999, 6")): "too large",
    header(DESCRIPTION.replace("2, 6", "9223372036854775807, 6")): "too large for any memory",
    header(DESCRIPTION.replace("2, 6", "1," * 40)): "more dimensions",
    header(DESCRIPTION.replace("False", "True")) + bytes(48): "must be in C order",
    header(DESCRIPTION.replace("<f4", ">f4")) + bytes(48): "the file holds big-endian float32[2, 6]",
    header(DESCRIPTION.replace("<f4", "<f8"))
    + bytes(96): "must be float32[?, 6], but the file holds float64[2, 6]",
    header(DESCRIPTION.replace("2, 6", "6, 2"))
    + bytes(48): "must be float32[?, 6], but the file holds float32[6, 2]",
    header(DESCRIPTION.replace("2, 6", "12,")) + bytes(48): "the file holds float32[12]",
    header(DESCRIPTION) + bytes(47): "48 bytes, but the file ends after 47 of them",
    header(DESCRIPTION) + bytes(49): "more in the file than input 'images'",
}


@pytest.mark.parametrize("content", MALFORMED, ids=MALFORMED.values())
def test_a_file_that_does_not_fit_is_named(program: Path, content: bytes) -> None:
    Path("bad.npy").write_bytes(content)
    done = call(program, "-f", "rows", "bad.npy", "y.npy")
    text = done.stderr.decode()
    assert done.returncode == 1 and done.stdout == b""
    assert text.startswith("models: error: bad.npy: ") and text.count("\n") == 1
    assert MALFORMED[content] in text and "input 'images'" in text
    assert not Path("y.npy").exists()


def test_no_bytes_break_the_reader(program: Path) -> None:
    """Whatever a file holds, the program ends by itself, with one message if it does not like it."""
    chance = random.Random(7)
    good = header(DESCRIPTION) + bytes(48)
    words = [
        b"'descr'",
        b"'",
        b'"',
        b"(",
        b")",
        b",",
        b"}",
        b"{",
        b"\x00",
        b"9" * 18,
        b"%n%s",
        b"True",
        b"L",
        b"[",
    ]
    outcomes = set()
    for _ in range(150):
        data = bytearray(good)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(data) - 48)
            data[at : at + chance.choice([0, 1, 4])] = chance.choice([*words, bytes([chance.randrange(256)])])
        Path("f.npy").write_bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])
        done = call(program, "-f", "rows", "f.npy", "y.npy")
        assert done.returncode in (0, 1), (done, bytes(data))
        assert done.returncode == 0 or done.stderr.count(b"\n") == 1, (done, bytes(data))
        outcomes.add(done.stderr)
    assert len(outcomes) >= 8


WRONG_WORDS = {
    ("x.npy",): "several functions: choose with --function one of every, tally, rows, write",
    ("-f", "columns", "x.npy"): "no function 'columns'; there is every, tally, rows, write",
    ("-f", "rows"): "no file is given for input 'images', which is float32[?, 6]",
    ("-f", "rows", "-i", "picture=x.npy"): "no input 'picture'; there is 'images'",
    ("-f", "rows", "-i", "images=x.npy", "-i", "0=x.npy"): "input 'images' is given twice",
    ("-f", "rows", "-i", "x.npy", "-i", "x.npy"): "more inputs than the function has",
    ("-f", "rows", "x.npy", "y.npy", "z.npy"): "more files than the function has inputs and outputs: 'z.npy'",
    ("-f", "rows", "x.npy", "-o", "images=y.npy"): "'images' is not changed by a call",
    ("-f", "rows", "x.npy", "--state-in", "s"): "'rows' keeps no state",
    ("-f", "rows", "x.npy", "--repeat", "many"): "--repeat many: give a number",
    ("-f", "rows", "x.npy", "--repeat", "0"): "--repeat 0: give a number",
    ("-f", "rows", "x.npy", "--verbose"): "no option '--verbose'",
    ("-f", "rows", "x.npy", "-o"): "-o needs a value",
    ("-f", "rows", "-f", "rows"): "--function is given twice",
}


@pytest.mark.parametrize("words", WRONG_WORDS, ids=WRONG_WORDS.values())
def test_a_wrong_command_line(program: Path, words: tuple[str, ...]) -> None:
    done = call(program, *words)
    assert done.returncode == 2 and done.stdout == b""
    assert WRONG_WORDS[words] in done.stderr.decode() and b"models --help" in done.stderr
    assert [p.name for p in Path().iterdir()] == ["x.npy"]


UNUSABLE = {
    ("none.npy", "y.npy"): "none.npy: cannot be read",
    (".", "y.npy"): ".: cannot be read",
    ("x.npy", "nowhere/y.npy"): "nowhere/y.npy: cannot be written",
    ("x.npy", "."): ".: this is a folder",
    ("x.npy", "/dev/full"): "/dev/full: could not be written whole",
    ("x.npy", "--weights", "x.npy", "y.npy"): "x.npy",
}


@pytest.mark.parametrize("words", UNUSABLE, ids=UNUSABLE.values())
def test_files_that_cannot_be_used(program: Path, words: tuple[str, ...]) -> None:
    done = call(program, "-f", "rows", *words)
    text = done.stderr.decode()
    if words[1] == "--weights" and done.returncode == 0:
        pytest.skip("embedded weights need no file")
    assert done.returncode == 1 and UNUSABLE[words] in text and text.count("\n") == 1
    assert [p.name for p in Path().iterdir()] == ["x.npy"]


def test_all_outputs_appear_or_none(program: Path) -> None:
    np.save("three.npy", np.ones(3, np.float32))
    Path("y.npy").write_bytes(b"what was there")
    done = call(program, "-f", "write", "three.npy", "three.npy", "-o", "y.npy", "-o", "cache=nowhere/z.npy")
    assert done.returncode == 1
    assert Path("y.npy").read_bytes() == b"what was there"
    assert sorted(p.name for p in Path().iterdir()) == ["three.npy", "x.npy", "y.npy"]


def test_a_link_stays_a_link_and_a_file_keeps_its_permissions(program: Path) -> None:
    Path("real.npy").write_bytes(b"")
    Path("real.npy").chmod(0o600)
    Path("y.npy").symlink_to("real.npy")
    assert call(program, "-f", "rows", "x.npy", "y.npy").returncode == 0
    assert Path("y.npy").is_symlink() and np.load("real.npy").shape == (2, 3)
    assert Path("real.npy").stat().st_mode & 0o777 == 0o600


def test_a_full_standard_output_is_noticed(program: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [program, "-f", "rows", "x.npy", "--print"], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 1 and b"standard output could not be written whole" in done.stderr


def test_raw_elements_that_do_not_come_out_even(program: Path) -> None:
    Path("x.raw").write_bytes(bytes(25))
    done = call(program, "-f", "rows", "x.raw", "y.raw")
    assert done.returncode == 1 and b"25 bytes are no whole number of those" in done.stderr
