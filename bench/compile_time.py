"""How long models take to import and to compile, in seconds.

    python bench/compile_time.py [--json OUT]

Each import is the median of three after a warm-up one in the same process. Models are those of the tests, and ResNet-18
and a decoder layer of width 4096 on the meta device.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "test" / part) for part in (".", "frontend")]

import test_import_models as large
import zoo

import wse_mlir


def seconds(work: Callable[[], object], runs: int = 3) -> float:
    """Median duration after one run that is not counted."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def meta_decoder_layer() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    """A decoder layer of LLaMA's size, without data."""
    with torch.device("meta"):
        model = large.DecoderLayer(4096, 32, 11008, 2048).to(torch.bfloat16).eval()
        token = torch.empty(1, 1, 4096, dtype=torch.bfloat16)
        return model, (token, torch.empty(1, dtype=torch.int64), torch.empty(1, 1, 1, 2048, dtype=torch.bool))


def measure() -> dict[str, dict[str, float]]:
    """Rows by model: seconds of import, and of the whole compilation by target."""
    rows: dict[str, dict[str, float]] = {}
    for name in zoo.FAMILIES:
        made = zoo.family(name)
        rows[name] = {"import": seconds(lambda made=made: wse_mlir.import_model(made.model, made.args))}
        for target in ("cpu", "tiny") if name in ("mlp", "encoder", "lstm") else ("cpu",):
            compiled = wse_mlir.compile(made.model, made.args, target=target, cache=False)
            rows[name][target] = compiled.report["compile_seconds"]
    resnet, image = large.resnet18(), (torch.zeros(1, 3, 224, 224),)
    rows["resnet18"] = {
        "import": seconds(lambda: wse_mlir.import_model(resnet, image)),
        "cpu": wse_mlir.compile(resnet, image, cache=False).report["compile_seconds"],
    }
    layer, args = meta_decoder_layer()
    rows["meta decoder layer"] = {"import": seconds(lambda: wse_mlir.import_model(layer, args))}
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    arguments = parser.parse_args()
    rows = measure()
    print(f"{'model':<20}{'import s':>10}{'cpu s':>10}{'tiny s':>10}")
    for name, row in rows.items():
        cells = (f"{row[key]:.2f}" if key in row else "" for key in ("import", "cpu", "tiny"))
        print(f"{name:<20}" + "".join(f"{cell:>10}" for cell in cells))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
