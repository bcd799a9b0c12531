"""A model as an ONNX file, made once for all that read it."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path

import torch
from cpu_families import Case

from .contender import Absent


def exported(case: Case, folder: Path) -> Path:
    """The file in this folder, written when it is not there; weights are inside.

    Raises:
        Absent: the exporter is missing or refuses the model.
    """
    path = folder / "model.onnx"
    if path.exists():
        return path
    model, args = (case.model, case.args) if case.stateless is None else (case.stateless, case.stateless_args)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            torch.onnx.export(model, args, str(path), dynamo=True, external_data=False, verbose=False)
    except ImportError as error:
        raise Absent("absent", f"the ONNX exporter: {error}") from error
    except Exception as error:  # the exporter wraps every cause in exceptions of its own
        path.unlink(missing_ok=True)
        raise Absent("unexportable", f"{type(error).__name__}: {error}"[:2000]) from error
    return path


def export_args(case: Case) -> tuple[torch.Tensor, ...]:
    """Arguments of what is exported."""
    return case.args if case.stateless is None else case.stateless_args
