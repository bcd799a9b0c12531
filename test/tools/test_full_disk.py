"""No room left, for every writer: a message that names the file, what was there stays, and nothing is half-written."""

import json
import subprocess
import sys
from pathlib import Path


def test_every_writer_names_its_file_and_leaves_nothing(tmp_path: Path) -> None:
    script = Path(__file__).with_name("full_disk.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    errors = done.stderr.splitlines()
    assert found["said"]["model.wse"] == f"cannot write '{tmp_path}/model.wse': File too large"
    for name, said in found["said"].items():
        if name == "model.wse":
            continue
        assert said == "exit 1", f"{name} was written"
        named = [
            line for line in errors if line.startswith("error: cannot write") and Path(name).stem in line
        ]
        tool = name in ("out.o", "out.so")  # temporary files are the first that do not fit
        assert named or tool, f"no message names {name}:\n{done.stderr}"
    assert "internal error" not in done.stderr
    assert found["cache"] and all("nothing was kept" in r and "File too large" in r for r in found["cache"])
    assert (tmp_path / "model.wse").read_text() == "before"
    left = {p.name for p in tmp_path.rglob("*") if p.is_file() and p.parent.name != "keep"}
    assert left == {"model.wse", "product.mlir"}
    assert all(p.stat().st_size for p in (tmp_path / "keep").iterdir())
