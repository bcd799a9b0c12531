"""The folder: entries are whole or absent, only the user's own are trusted, and nothing that goes wrong is an error."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import wse_mlir
import wse_mlir.cache.folder as folder_module
from wse_mlir.cache.folder import CacheFolder
from wse_mlir.cache.settings import default_folder, open_cache
from wse_mlir.tools.wse import app

KEYS = [f"{i:064x}" for i in range(20)]


@pytest.fixture
def folder(tmp_path: Path) -> CacheFolder:
    return CacheFolder(tmp_path / "cache", 1 << 20)


def entry_file(folder: CacheFolder, key: str) -> Path:
    return folder.path / f"program-{key}.wse"


def test_what_is_kept_is_found_again(folder: CacheFolder) -> None:
    assert folder.read("program", KEYS[0]) is None
    folder.write("program", KEYS[0], {"a": 1}, {"data": np.arange(5)})
    found = folder.read("program", KEYS[0])
    assert found is not None and found.document["a"] == 1
    assert found.array("data", (5,), np.dtype(np.int64)).tolist() == [0, 1, 2, 3, 4]
    assert folder.read("model", KEYS[0]) is None and folder.read("program", KEYS[1]) is None
    assert folder.path.stat().st_mode & 0o777 == 0o700 and folder.remarks == []


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign", "flipped", "renamed"])
def test_entries_that_are_no_entries_are_removed_with_a_remark(folder: CacheFolder, damage: str) -> None:
    folder.write("program", KEYS[0], {"a": 1}, {"data": b"x" * 1000})
    path = entry_file(folder, KEYS[0])
    data = path.read_bytes()
    path.write_bytes(
        {
            "cut": data[:-70],
            "empty": b"",
            "foreign": b"GIF89a" * 50,
            "flipped": data[:-500] + b"y" + data[-499:],
        }.get(damage, data)
    )
    key = KEYS[0]
    if damage == "renamed":
        key = KEYS[1]
        path.rename(entry_file(folder, key))
    assert folder.read("program", key) is None
    assert (
        len(folder.remarks) == 1
        and "is ignored" in folder.remarks[0]
        and not entry_file(folder, key).exists()
    )
    folder.write("program", key, {"a": 1}, {"data": b"x" * 1000})
    assert folder.read("program", key) is not None


def test_the_least_recently_used_make_room(folder: CacheFolder) -> None:
    for number, key in enumerate(KEYS[:10]):
        folder.write("program", key, {}, {"data": bytes(1000)})
        os.utime(entry_file(folder, key), (number, number))
    assert folder.read("program", KEYS[0]) is not None, "used just now"
    small = CacheFolder(folder.path, 5 * entry_file(folder, KEYS[0]).stat().st_size)
    small.write("program", KEYS[10], {}, {"data": bytes(1000)})
    left = [key for key in KEYS[:11] if entry_file(folder, key).exists()]
    assert left == [KEYS[0], KEYS[8], KEYS[9], KEYS[10]]


def test_what_writers_left_unfinished_is_cleared(folder: CacheFolder) -> None:
    folder.write("program", KEYS[0], {}, {})
    (folder.path / f".program-{KEYS[1]}.wse.abc").write_text("half")
    (folder.path / "notes.txt").write_text("not ours")
    assert folder.clear() == 1 and [p.name for p in folder.path.iterdir()] == ["notes.txt"]


def test_only_what_the_user_alone_can_write_is_trusted(folder: CacheFolder) -> None:
    folder.write("program", KEYS[0], {}, {})
    path = entry_file(folder, KEYS[0])
    path.chmod(0o666)
    assert folder.read("program", KEYS[0]) is None
    path.chmod(0o644)
    elsewhere = folder.path.parent / "open"
    elsewhere.mkdir()
    elsewhere.chmod(0o777)
    path.rename(elsewhere / "real")
    path.symlink_to(elsewhere / "real")
    assert folder.read("program", KEYS[0]) is None
    path.unlink()
    (elsewhere / "real").rename(path)
    folder.path.chmod(0o777)
    assert folder.read("program", KEYS[0]) is None
    folder.write("program", KEYS[1], {}, {})
    assert not entry_file(folder, KEYS[1]).exists() and all("others could" in r for r in folder.remarks)
    assert len(folder.remarks) == 4
    folder.path.chmod(0o700)
    folder.path.parent.chmod(0o777)
    assert folder.read("program", KEYS[0]) is None, "others can put another folder in its place"
    folder.path.parent.chmod(0o1777)
    assert folder.read("program", KEYS[0]) is not None, "nobody but the owner can, with the sticky bit"
    folder.path.parent.chmod(0o700)
    assert folder.read("program", KEYS[0]) is not None


def test_a_folder_of_somebody_else_is_not_used(folder: CacheFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write("program", KEYS[0], {}, {})
    monkeypatch.setattr("wse_mlir.artifacts.saved.ownership._ROOT", -1)  # tests may run as root
    monkeypatch.setattr(os, "getuid", lambda: os.stat(folder.path).st_uid + 1)
    assert folder.read("program", KEYS[0]) is None and "belongs to" in folder.remarks[0]


def test_a_folder_that_cannot_be_written_is_a_remark(
    folder: CacheFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    blocked = CacheFolder(tmp_path / "file" / "cache", 1 << 20)
    blocked.write("program", KEYS[0], {}, {})
    assert blocked.read("program", KEYS[0]) is None and "nothing was kept" in blocked.remarks[0]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder_module, "write_container", full)
    folder.write("program", KEYS[0], {}, {})
    assert folder.remarks == [f"nothing was kept in '{folder.path}': No space left on device"]


HAMMER = """
import random, sys
from pathlib import Path
from wse_mlir.cache.folder import CacheFolder
folder, chance = CacheFolder(Path(sys.argv[1]), 40_000), random.Random(int(sys.argv[2]))
found = 0
for turn in range(400):
    key = f"{chance.randrange(12):064x}"
    if chance.random() < 0.5:
        folder.write("program", key, {"a": key}, {"data": key.encode() * 100})
    else:
        entry = folder.read("program", key)
        if entry is not None:
            found += 1
            assert entry.document["a"] == key and entry.bytes("data") == key.encode() * 100
assert found > 10, found
assert not folder.remarks, folder.remarks
"""


def test_processes_that_read_write_and_make_room_at_once(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", HAMMER, str(tmp_path / "cache")]
    running = [
        subprocess.Popen([*arguments, str(seed)], stderr=subprocess.PIPE, text=True) for seed in range(3)
    ]
    for process in running:
        _, said = process.communicate()
        assert process.returncode == 0, said
    assert not list((tmp_path / "cache").glob(".*")), "no temporary file is left"


def test_which_folder_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WSE_CACHE", "WSE_CACHE_DIR", "WSE_CACHE_LIMIT", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_folder() == tmp_path / ".cache" / "wse-mlir"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_folder() == tmp_path / "xdg" / "wse-mlir"
    monkeypatch.setenv("WSE_CACHE_DIR", str(tmp_path / "own"))
    chosen = open_cache()
    assert chosen is not None and chosen.path == tmp_path / "own" and chosen.limit == 1 << 30
    assert open_cache(False) is None
    monkeypatch.setenv("WSE_CACHE", "0")
    assert open_cache() is None and open_cache(True) is not None
    other = open_cache(tmp_path / "other")
    assert other is not None and other.path == tmp_path / "other"
    for wrong in (3, "", "a\0b"):
        with pytest.raises(wse_mlir.CompilerError, match=r"cache is .*, which is no choice"):
            open_cache(wrong)  # type: ignore[arg-type]
    monkeypatch.setenv("WSE_CACHE_LIMIT", "much")
    with pytest.raises(wse_mlir.CompilerError, match="WSE_CACHE_LIMIT=much"):
        open_cache(True)


def test_the_command_shows_and_clears(
    folder: CacheFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WSE_CACHE_DIR", str(folder.path))
    folder.write("program", KEYS[0], {}, {"data": bytes(3 << 18)})
    folder.write("model", KEYS[0], {}, {})
    app(["cache", "show"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert str(folder.path) in shown and "1 model" in shown and "1 program" in shown and "0.8 MiB" in shown
    app(["cache", "clear"], standalone_mode=False)
    assert "2 entries" in capsys.readouterr().out and folder.entries() == []
