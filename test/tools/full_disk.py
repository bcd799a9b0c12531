"""Run by `test_full_disk.py`: writes every kind of result with no room for more than LIMIT bytes a file."""

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

import wse_mlir
from wse_mlir.tools.wse import app

LIMIT = 600

PRODUCT = """
func.func @product(%a: tensor<16x8xf32>) -> tensor<16x16xf32> {
  %b = arith.constant dense<1.0> : tensor<8x16xf32>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<16x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<16x16xf32>) -> tensor<16x16xf32>
  %c = linalg.matmul ins(%a, %b : tensor<16x8xf32>, tensor<8x16xf32>)
      outs(%init : tensor<16x16xf32>) -> tensor<16x16xf32>
  return %c : tensor<16x16xf32>
}
"""


def command(*words: str) -> Callable[[], Any]:
    def run() -> None:
        try:
            app(list(words))
        except SystemExit as end:
            if end.code:
                raise wse_mlir.CompilerError(f"exit {end.code}") from None

    return run


def main(folder: Path) -> None:
    """Prints a message a case as JSON; the folder keeps what is left behind."""
    (folder / "product.mlir").write_text(PRODUCT)
    product = str(folder / "product.mlir")
    model, x = nn.Linear(64, 64).eval(), torch.ones(2, 64)
    compiled = wse_mlir.compile(model, (x,), cache=False)
    (folder / "model.wse").write_text("before")
    simulate = ("simulate", product, "--grid", "2x2")
    cases: dict[str, Callable[[], Any]] = {
        "model.wse": lambda: compiled.save(folder / "model.wse"),
        "out.s": command("compile", product, "-o", str(folder / "out.s")),
        "out.o": command("compile", product, "-o", str(folder / "out.o")),
        "out.so": command("compile", product, "-o", str(folder / "out.so")),
        "keep": command(
            "compile", product, "-o", "/dev/null", "--emit", "asm", "--keep-intermediates", str(folder / "keep")
        ),
        "report.json": command(*simulate, "--json", str(folder / "report.json")),
        "timeline.json": command(*simulate, "--timeline", str(folder / "timeline.json")),
        "pictures": command(*simulate, "--pictures", str(folder / "pictures")),
        "/dev/full": command(*simulate, "--json", "/dev/full"),
    }  # fmt: skip
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, resource.RLIM_INFINITY))
    said = {}
    for name, case in cases.items():
        try:
            case()
            said[name] = ""
        except wse_mlir.CompilerError as error:
            said[name] = str(error)
    found = wse_mlir.compile(model, (x,), cache=folder / "cache").report["cache"]
    print(json.dumps({"said": said, "cache": found["remarks"]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
