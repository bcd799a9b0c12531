"""The built wheel, alone in a fresh environment and an empty folder."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.wheel

IR = """
func.func @add(%a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>) -> tensor<4xf32> {
  %0 = linalg.add ins(%a, %b : tensor<4xf32>, tensor<4xf32>) outs(%c : tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
"""

SCRIPT = """
import torch, wse_mlir
model = torch.nn.Linear(8, 4).eval()
x = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
expected = model(x).detach()
for target in ("cpu", "tiny"):
    actual = wse_mlir.compile(model, (x,), target=target)(x)
    assert (actual - expected).abs().max() <= 1e-4 * expected.abs().max(), target
print("wheel works from", wse_mlir.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: what an earlier build left in the source tree must not reach the wheel."""
    out = tmp_path_factory.mktemp("wheel")
    copy = shutil.copytree(ROOT, out / "source", ignore=shutil.ignore_patterns(".*", "build", "*.egg-info"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return next(out.glob("*.whl"))


def test_nothing_generic_reaches_site_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        top = {name.split("/")[0] for name in archive.namelist()}
        names = archive.namelist()
    assert {t for t in top if not t.endswith(".dist-info")} == {"wse_mlir"}
    assert "wse_mlir/wse_target/machines/tiny.toml" in names
    assert "wse_mlir/py.typed" in names
    assert {"wse_mlir/artifacts/aot/wse_abi.h", "wse_mlir/artifacts/aot/runtime/runs.c"} <= set(names)
    pool = ("pool.c", "pool_x86_64.ll", "pool_aarch64.ll")
    assert {f"wse_mlir/runtime/native/{name}" for name in pool} <= set(names)


def test_the_wheel_alone_compiles_and_simulates(wheel: Path, tmp_path: Path) -> None:
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "-c", str(ROOT / ".ci/constraints.txt"), str(wheel)]
    subprocess.run(install, check=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    opt = subprocess.run(
        [python.with_name("wse-opt"), "-", "--wse-generalize"],
        input=IR, cwd=empty, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "linalg.generic" in opt.stdout
    run = subprocess.run(
        [python, "-c", SCRIPT], cwd=empty, capture_output=True, text=True, check=False, env={"PATH": ""}
    )
    assert run.returncode == 0, run.stderr
    assert str(tmp_path) in run.stdout
