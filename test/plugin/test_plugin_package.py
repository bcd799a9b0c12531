"""A separate package adds a pass, a dialect and a machine through entry points; both tool and library see them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent / "example"
WSE_OPT = Path(sys.executable).parent / "wse-opt"

SOURCE = """func.func @main(%a: i32, %b: i32) -> i32 {
  "example.mark"() : () -> ()
  %0 = arith.addi %a, %b : i32
  return %0 : i32
}
"""

DISTRIBUTED = """func.func @main(%a: tensor<16x16xf32> {wse.kind = "input", wse.name = "0"})
    -> (tensor<16x16xf32> {wse.kind = "output", wse.name = "0"}) {
  %empty = tensor.empty() : tensor<16x16xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} ins(%a : tensor<16x16xf32>) outs(%empty : tensor<16x16xf32>) {
  ^bb0(%x: f32, %y: f32):
    %s = arith.addf %x, %x : f32
    linalg.yield %s : f32
  } -> tensor<16x16xf32>
  return %0 : tensor<16x16xf32>
}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Installs the package into a folder of its own and returns an environment in which it is found."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(EXAMPLE, folder / "source")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
    ]
    subprocess.run(
        [*command, "--target", folder / "site", folder / "source"], check=True, capture_output=True
    )
    return {**os.environ, "PYTHONPATH": str(folder / "site")}


def run(command: list[object], environment: dict[str, str], stdin: str = "") -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, env=environment, input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_pass_and_the_dialect_from_wse_opt(installed: dict[str, str]) -> None:
    text = run([WSE_OPT, "--example-swap-adds", "--canonicalize"], installed, SOURCE)
    assert "arith.addi %arg1, %arg0 {swapped}" in text and '"example.mark"() : () -> ()' in text
    assert "Swaps the operands of integer additions" in run([WSE_OPT, "--list-passes"], installed)


def test_the_pass_and_the_machine_from_python(installed: dict[str, str]) -> None:
    code = (
        "import wse_mlir, sys\n"
        "from wse_mlir.wse_target.machine_file import load_machine\n"
        "module = wse_mlir.opt(sys.stdin.read(), 'builtin.module(example-swap-adds,cse)')\n"
        "print(module, load_machine('example-corner').grid)\n"
    )
    text = run([sys.executable, "-c", code], installed, SOURCE)
    assert "arith.addi %arg1, %arg0 {swapped}" in text and "(4, 4)" in text


def test_the_machine_from_wse_opt(installed: dict[str, str]) -> None:
    text = run(
        [WSE_OPT, "--wse-generalize", "--wse-partition=machine=example-corner"], installed, DISTRIBUTED
    )
    assert "wse.layouts" in text


def test_without_the_package_the_pass_is_unknown() -> None:
    done = subprocess.run([WSE_OPT, "--example-swap-adds"], input="module {}", capture_output=True, text=True)
    assert done.returncode == 1 and "unknown flag or pass '--example-swap-adds'" in done.stderr


def test_a_file_adds_a_pass_a_dialect_and_a_machine(tmp_path: Path) -> None:
    package = EXAMPLE / "wse_example_plugin"
    text = "".join((package / name).read_text() for name in ("swap_adds.py", "dialect.py"))
    text += (
        "\nfrom wse_mlir.wse_target.machine_file import register_machine_path\n"
        f"register_machine_path('corner-too', {str(package / 'corner.toml')!r})\n"
    )
    plugin = tmp_path / "plugin.py"
    plugin.write_text(text)
    environment = dict(os.environ)
    assert "swapped" in run([WSE_OPT, "--load", plugin, "--example-swap-adds"], environment, SOURCE)
    flags = ["--wse-generalize", "--wse-partition=machine=corner-too"]
    assert "wse.layouts" in run([WSE_OPT, f"--load={plugin}", *flags], environment, DISTRIBUTED)
