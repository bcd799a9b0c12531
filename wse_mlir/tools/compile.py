"""`wse compile`: models to IR at any stage, assembly, libraries and programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..artifacts.emit.emit import emit
from ..artifacts.emit.kinds import FileKind, Weights, choose_kind
from ..artifacts.emit.request import Emitted, Request
from ..compiler.workload import OpenedModel, open_models
from ..passes.infra.diagnostics import CompilerError
from .output import check_writable, console_beside, write_all
from .steps import Steps


def compile_models(
    sources: Sequence[str],
    out: str,
    kind: FileKind | None,
    weights: Weights | None,
    report: Path | None,
    **request: Any,
) -> None:
    """Makes what was asked for and writes it, all files or none.

    Args:
        sources: models as `open_model` takes them.
        out: a path, or "-" for standard output.
        kind: guessed from `out` when None.
        report: JSON file for what was made.
        request: further fields of `Request`.

    Raises:
        CompilerError: a model, an option or a path is at fault.
    """
    path = None if out == "-" else Path(out)
    wanted = Request(choose_kind(kind, path), path, weights=weights, **request)
    console_beside(Path("-") if path is None else path, report, wanted.header)
    for file in (path, report, wanted.header):
        if file is not None:
            check_writable(file)
    with Steps() as steps:
        steps.step("loading")
        models = open_models(sources)
        _keep_the_models(models, (path, report, wanted.header))
        made = emit(models, wanted, steps.step)
    files = [(a.path, a.data, a.is_program) for a in made.artifacts if a.path is not None]
    if report is not None:
        described = {model.name: model.source for model in models}
        text = json.dumps(_as_json(made, wanted, described), indent=2) + "\n"
        files.append((report, text.encode(), False))
    write_all(files)
    for artifact in made.artifacts:
        if artifact.path is None:
            sys.stdout.write(artifact.data.decode())
        else:
            print(f"{artifact.role:<8} {artifact.path} ({_size(len(artifact.data))})", file=sys.stderr)


def _keep_the_models(models: Sequence[OpenedModel], files: Iterable[Path | None]) -> None:
    """Refuses to write over what is compiled."""
    given = {
        Path(text).resolve() for model in models for text in (model.source, model.source.partition(":")[0])
    }
    for file in files:
        if file is not None and file.resolve() in given:
            raise CompilerError(
                f"'{file}' is the model itself, which is never changed", hint="name another file"
            )


def _as_json(made: Emitted, request: Request, models: dict[str, str]) -> dict[str, Any]:
    """What was made; times in seconds, sizes in bytes."""
    return {
        "emit": str(request.kind),
        "target": request.target,
        "stage": request.wanted_stage,
        "weights": str(request.placed_weights),
        "options": dict(request.options),
        "models": models,
        "stages": {name: list(stages) for name, stages in made.stages.items()},
        "files": [artifact.as_json() for artifact in made.artifacts],
        "seconds": dict(made.seconds),
    }


def _size(count: int) -> str:
    for unit, size in (("MB", 1_000_000), ("kB", 1_000)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
