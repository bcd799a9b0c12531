"""Machine files: what they hold, and errors that point at a line."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from wse_mlir.wse_target import machine_file
from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.kinds import ARITY
from wse_mlir.wse_target.machine import Machine, machine_from, target_text
from wse_mlir.wse_target.machine_file import MACHINES, available_machines, load_machine, register_machine_path
from wse_mlir.wse_target.machine_settings import read_setting

TINY = (MACHINES / "tiny.toml").read_text()
HOP = 'hop_latency = { value = 1.0, unit = "cycles", source = "invented" }'
WIDTH = 'width = { value = 8, unit = "PEs", source = "invented" }'


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


@pytest.mark.parametrize("name", ["tiny", "wse2", "wse3"])
def test_built_in_machines(name: str) -> None:
    machine = load_machine(name)
    assert machine.name == name and machine.invented == (name == "tiny")
    assert machine.sram.bytes == 48 * 1024 and 0 < machine.sram_available < machine.sram.bytes
    assert len(machine.usable_colours) == 21 and not {21, 22, 23} & set(machine.usable_colours)
    assert all(
        machine.rate(kind, dtype) > 0 for kind in ARITY for dtype in ("f32", "f16", "bf16", "i8", "f64")
    )


def test_numbers_of_the_wafers() -> None:
    wse2, wse3, tiny = load_machine("wse2"), load_machine("wse3"), load_machine("tiny")
    assert tiny.grid == (8, 8) and wse2.grid == (750, 994)
    assert wse2.stream_capacity == 14  # words that a stalled stream holds end to end, SDKdoc
    assert wse3.rate("fma", "f16") == 3.35 and wse3.rate("fma", "f32") == 0.5
    assert wse3.fabric.hop_latency == 2.0 and wse3.source("fabric.hop_latency").startswith("FAB")


def test_every_number_names_its_source() -> None:
    for name in ("tiny", "wse2", "wse3"):
        machine = load_machine(name)
        for section in ("grid", "sram", "vector", "rates", "control", "fabric", "queues", "host", "clock"):
            for key in machine._raw[section]:
                assert machine.source(f"{section}.{key}").strip()


def broken(tmp_path: Path, old: str, new: str) -> tuple[str, int]:
    """The message about a copy of tiny.toml with one change, and the changed line's number."""
    assert old in TINY
    text = TINY.replace(old, new, 1)
    path = tmp_path / "my.toml"
    path.write_text(text)
    with pytest.raises(TargetError) as caught:
        load_machine(str(path))
    return str(caught.value), line_of(text, new.split(" = ")[0])


CASES = {
    "truth": (HOP, HOP.replace("1.0", "true"), "fabric.hop_latency: expected a number, got true"),
    "number in quotes": (HOP, HOP.replace("1.0", '"2"'), 'fabric.hop_latency: expected a number, got "2"'),
    "no PEs": (WIDTH, WIDTH.replace("8", "0", 1), "grid.width: expected a number > 0, got 0"),
    "no width": (
        "bank_bytes = { value = 4,",
        "bank_bytes = { value = 0,",
        "sram.bank_bytes: expected a number > 0, got 0",
    ),
    "overflow": (
        WIDTH,
        WIDTH.replace("8", "9" * 20, 1),
        "grid.width: expected a number <= 2147483647, got 9",
    ),
    "source left out": (
        HOP,
        'hop_latency = { value = 1.0, unit = "cycles" }',
        'expected a table of value, unit = "cycles" and source, got a table of value, unit',
    ),
    "no memory left": (
        "runtime = { value = 4096",
        "runtime = { value = 49152",
        "sram.runtime: expected less than sram.bytes, 49152, got 49152",
    ),
    "no colour left": (
        "[21, 22, 23]",
        f"{list(range(24))}",
        "fabric.reserved_colours: expected at least one of 24 colours to be free, got [0, 1,",
    ),
    "a queue of true": (
        "[8, 8, 8, 8, 8, 8, 8, 8]",
        "[8, true]",
        "queues.input.1: expected a whole number, got true",
    ),
    "wrong type": (HOP, HOP.replace("1.0", '"two"'), 'fabric.hop_latency: expected a number, got "two"'),
    "negative": (HOP, HOP.replace("1.0", "-1"), "fabric.hop_latency: expected a number >= 0, got -1"),
    "not a number": (HOP, HOP.replace("1.0", "nan"), "fabric.hop_latency: expected"),
    "bare number": (
        WIDTH,
        "width = 8",
        'grid.width: expected a table of value, unit = "PEs" and source, got 8',
    ),
    "fraction": (WIDTH, WIDTH.replace("8", "8.5", 1), "grid.width: expected a whole number, got 8.5"),
    "unit": (HOP, HOP.replace("cycles", "ns"), 'fabric.hop_latency: expected unit "cycles", got "ns"'),
    "no source": (HOP, HOP.replace("invented", " "), "fabric.hop_latency: expected the source of the number"),
    "misspelt": (
        HOP,
        HOP.replace("latency", "latencyy"),
        "fabric.hop_latencyy: unknown key; did you mean 'hop_latency'",
    ),
    "colour list": ("[21, 22, 23]", "[21, 22, 'x']", "fabric.reserved_colours.2: expected a whole number"),
    "element type": (
        "{ default = 0.02 }",
        "{ default = 0.02, f23 = 1 }",
        "rates.transcendental: expected element types",
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_errors_name_file_line_key_and_expectation(tmp_path: Path, case: str) -> None:
    old, new, expected = CASES[case]
    message, line = broken(tmp_path, old, new)
    assert expected in message
    if " = " in new and "default" not in new:
        assert message.startswith(f"my.toml:{line}: ")


def test_a_missing_key_is_located_at_its_table(tmp_path: Path) -> None:
    message, _ = broken(tmp_path, HOP + "\n", "")
    assert message.startswith(f"my.toml:{line_of(TINY, '[fabric]')}: fabric.hop_latency: missing")


def test_text_that_is_not_toml(tmp_path: Path) -> None:
    message, line = broken(tmp_path, "[fabric]", "[fabric")
    assert message.startswith(f"my.toml:{line}: not valid TOML")


FILES = {
    "empty": (b"", "my.toml:1: clock: missing"),
    "binary": (b"name = 'x'\n\xff\xfe\x00", "my.toml:2: not a text file: byte 0xff is not UTF-8"),
    "zeros": (b"\0\0", "my.toml:1: not valid TOML"),
    "cut off": (TINY[: TINY.index("[rates]") + 30].encode(), "my.toml:"),
    "a section twice": (f"{TINY}\n[grid]\n".encode(), "not valid TOML: Cannot declare ('grid',) twice"),
    "nested": (TINY.replace("[0, 1, 2, 3, 5, 6]", "[" * 100_000 + "]" * 100_000).encode(), "nested too deep"),
    "a number without end": (TINY.replace("49152", "9" * 5000).encode(), "a number has thousands of digits"),
    "a long text": (TINY.replace("49152", '"' + "x" * 5000 + '"').encode(), 'got "xxx'),
    "unknown section": (f"{TINY}[bogus]\nx = 1\n".encode(), "bogus: unknown key"),
}


@pytest.mark.parametrize("case", list(FILES))
def test_files_that_are_no_machine(tmp_path: Path, case: str) -> None:
    content, expected = FILES[case]
    path = tmp_path / "my.toml"
    path.write_bytes(content)
    with pytest.raises(TargetError) as caught:
        load_machine(path)
    assert expected in str(caught.value)
    assert re.match(r"my\.toml:(\d+:)? ", str(caught.value))
    assert len(str(caught.value)) < 1000


def test_a_byte_order_mark_and_windows_lines_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TINY.replace("\n", "\r\n").encode())
    assert load_machine(path).grid == (8, 8)


def test_paths_that_no_file_has(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.toml", "a\0.toml"):
        with pytest.raises(TargetError, match="cannot read the machine file"):
            load_machine(path)


def test_unknown_names_list_the_machines() -> None:
    with pytest.raises(TargetError, match=r"there is no machine 'wse4'") as caught:
        load_machine("wse4")
    assert "did you mean" in caught.value.hint and "tiny, wse2, wse3" in caught.value.hint
    with pytest.raises(TargetError, match=r"cannot read the machine file 'nowhere\.toml': No such file"):
        load_machine("nowhere.toml")


def test_ones_own_file_and_registered_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(TINY.replace('name = "tiny"', 'name = "mine"').replace("value = 8,", "value = 9,", 1))
    assert load_machine(str(path)).grid == (9, 8)
    register_machine_path("mine", path)
    assert load_machine("mine").name == "mine" and "mine" in available_machines()
    path.write_text(path.read_text().replace("value = 9,", "value = 10,", 1))
    assert load_machine("mine").grid == (10, 8)


def test_replacing_a_number() -> None:
    machine: Machine = load_machine("wse3")
    assert machine.replace(fabric__hop_latency=4.0).fabric.hop_latency == 4.0
    assert machine.fabric.hop_latency == 2.0
    with pytest.raises(
        TargetError, match=r"no number 'fabric\.hop_latncy'[^?]*did you mean 'fabric\.hop_latency'\?"
    ):
        machine.replace(fabric__hop_latncy=1)
    with pytest.raises(TargetError, match=r"fabric\.hop_latency: expected a number >= 0, got -1"):
        machine.replace(fabric__hop_latency=-1)


def test_a_machine_with_other_numbers_is_read_from_its_text(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text((machine_file.MACHINES / "tiny.toml").read_text())
    settings = {"queues__input": [8, 1], "rates__add": {"default": 0.5}, "description": 'a "quoted" one}'}
    for base in ("wse3", str(tmp_path / "own.toml")):
        changed = load_machine(base).replace(**settings).replace(fabric__hop_latency=7.5)
        again = load_machine(target_text(changed))
        assert changed.target.startswith(base + "{") and again == changed != load_machine(base)
        assert again.queues.input == (8, 1) and again.fabric.hop_latency == 7.5
    assert load_machine("tiny{rates.add.f16=9}").rates.add["f16"] == 9
    own = machine_from({**load_machine("tiny").contents, "name": "mine"})
    assert target_text(own).startswith("mine#") and load_machine(target_text(own)) is own
    for text, words in {
        "tiny{fabric.hop_latency}": "cannot read the setting",
        "tiny{fabric.hop_latency=two}": "cannot read the setting",
        "tiny{fabrik.hop_latency=1}": "did you mean 'fabric'",
        "tiny{sram.bytes=10 sram.runtime=20}": "expected less than sram.bytes",
        "tinny{sram.bytes=10}": "did you mean 'tiny'",
        "tiny{rates.add.f17=9}": "expected element types",
    }.items():
        with pytest.raises(TargetError, match=words):
            load_machine(text)
    assert read_setting("queues.input = [1, 2]") == ("queues.input", [1, 2])
    assert read_setting("name=other one") == ("name", "other one")
    with pytest.raises(TargetError, match="KEY=VALUE"):
        read_setting("fabric.hop_latency")


def test_a_plugin_that_fails_hurts_its_own_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = EntryPoint("odd", "no_such_package:machine", "wse_mlir.targets")
    monkeypatch.setattr(machine_file, "_installed", lambda: {"odd": bad})
    assert load_machine("tiny").name == "tiny"
    with pytest.raises(
        TargetError, match=r"no_such_package:machine: the plugin that provides the machine 'odd' fails"
    ):
        load_machine("odd")
