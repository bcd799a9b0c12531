"""Who could have written a file: folders on the way count, links are followed, and `load` refuses what is exposed."""

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

import wse_mlir
from wse_mlir.artifacts.saved import ownership
from wse_mlir.artifacts.saved.ownership import exposure

STRANGER = 54321


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of the user's own, whatever the mode of the folder of pytest's."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o700)
        yield Path(folder)


def file_in(folder: Path, mode: int = 0o644) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "file"
    path.write_bytes(b"")
    path.chmod(mode)
    return path


def test_modes_of_the_file_and_of_each_folder(home: Path) -> None:
    path = file_in(home / "a" / "b")
    assert exposure(path) == "" and exposure(home / "none" / "file") == ""
    for changed in (path, path.parent, path.parent.parent):
        before = changed.stat().st_mode
        changed.chmod(0o777)
        assert str(changed) in exposure(path) and "everybody" in exposure(path)
        changed.chmod(before)
    path.parent.parent.chmod(0o1777)
    assert exposure(path) == "", "the sticky bit keeps others from renaming what is in it"


def test_links_and_dots_lead_where_they_lead(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, shared = file_in(home / "own"), file_in(home / "shared", 0o644)
    shared.parent.chmod(0o777)
    (home / "to_file").symlink_to(shared)
    (home / "to_folder").symlink_to("shared/../shared")
    (home / "own" / "out").symlink_to("../own/file")
    assert "shared" in exposure(home / "to_file") and "shared" in exposure(home / "to_folder" / "file")
    assert exposure(home / "own" / "out") == ""
    assert exposure(home / "shared" / ".." / "own" / "file") == "", "nobody can replace the folder itself"
    (home / "circle").symlink_to("circle")
    assert "circle" in exposure(home / "circle")
    monkeypatch.chdir(home / "own")
    assert exposure(path.name) == "" and "shared" in exposure("../shared/file")


def test_owners(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file_in(home / "own")
    monkeypatch.setattr(ownership, "_ROOT", os.stat("/").st_uid)
    if os.getuid() == 0:
        os.chown(path, STRANGER, 0)
        assert exposure(path) == f"'{path}' belongs to the user with number {STRANGER}"
        os.chown(path, 0, 0)
        path.parent.chmod(0o1777)
        link = path.parent / "link"
        link.symlink_to("file")
        os.chown(link, STRANGER, 0, follow_symlinks=False)
        assert f"'{link}' belongs to" in exposure(link), "planted in a folder such as /tmp"
    path.parent.chmod(0o770)
    assert ("group" in exposure(path)) == (not alone_in_group(path))
    monkeypatch.setattr(
        ownership.grp, "getgrgid", lambda _: ownership.grp.struct_group(("staff", "", 0, ["eve"]))
    )
    assert "group" in exposure(path)


def alone_in_group(path: Path) -> bool:
    user = pwd.getpwuid(os.getuid())
    return ownership.grp.getgrgid(path.stat().st_gid).gr_name == user.pw_name


def test_a_saved_model_that_others_could_have_written_is_refused(home: Path) -> None:
    model, x = nn.Linear(4, 2).eval(), torch.ones(3, 4)
    path = home / "folder" / "model.wse"
    path.parent.mkdir()
    wse_mlir.compile(model, (x,)).save(path)
    expected = wse_mlir.load(path)(x)
    for changed, mode in ((path, 0o666), (path.parent, 0o777)):
        before = changed.stat().st_mode
        changed.chmod(mode)
        with pytest.raises(
            wse_mlir.CompilerError, match=r"others could have written it: .*everybody"
        ) as caught:
            wse_mlir.load(path)
        assert "trusted=True" in str(caught.value) and caught.value.where == str(path)
        assert torch.equal(wse_mlir.load(path, trusted=True)(x), expected)
        changed.chmod(before)
