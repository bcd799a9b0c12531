"""What a user asks to be made of models, and what was made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...passes.infra.diagnostics import CompilerError
from ...pipelines.named import NamedPipeline, named_pipeline
from .kinds import FileKind, Weights

_TENSOR_STAGES = ("imported", "tensor")


@dataclass(frozen=True)
class Request:
    """What to make.

    Attributes:
        kind: see `FileKind`.
        out: the file; None for standard output.
        target: "cpu", or a wafer for MLIR and saved models.
        stage: of MLIR; the one that `kind` means when empty.
        weights: where values go; None for what suits the kind: in the library, or beside MLIR.
        header: where a library's C header goes; beside it when None.
        pipeline: name or text of a pipeline to use in place of the target's.
        options: the target's own, those that are given.
        debug: source locations: in IR, or as debug information in machine code.
        keep: folder for every intermediate form.
    """

    kind: FileKind
    out: Path | None
    target: str = "cpu"
    stage: str = ""
    weights: Weights | None = None
    header: Path | None = None
    pipeline: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    debug: bool = False
    keep: Path | None = None

    @property
    def on_cpu(self) -> bool:
        """Whether the target is the CPU."""
        return self.target == "cpu"

    @property
    def wanted_stage(self) -> str:
        """The stage of the MLIR that is asked for; "" for other kinds and for the end of a pipeline of one's own."""
        if not self.kind.is_mlir:
            return ""
        default = "tensor" if self.kind == FileKind.LINALG else "" if self.pipeline else "imported"
        return self.stage or default

    @property
    def placed_weights(self) -> Weights:
        """Where values go, settled."""
        if self.weights is not None:
            return self.weights
        if self.kind.is_mlir and self.out is not None and self.wanted_stage in _TENSOR_STAGES:
            return Weights.BESIDE
        return Weights.EMBEDDED if self.kind.is_library or self.kind == FileKind.SAVED else Weights.NONE

    @property
    def target_pipeline(self) -> NamedPipeline:
        """The table of the pipeline that lowers to the target."""
        return named_pipeline("cpu" if self.on_cpu else "wafer")

    def check(self, names: Sequence[str]) -> None:
        """Refuses what does not go together.

        Args:
            names: of the models.

        Raises:
            CompilerError: says which option does not fit which kind.
        """
        if len(names) > 1 and not self.kind.is_library:
            raise CompilerError(
                f"--emit={self.kind} takes one model, and {len(names)} are given",
                hint="several become one library with --emit=shared, object or executable",
            )
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise CompilerError(f"two models are named '{twice}'", hint="name them: NAME=FILE")
        if not self.on_cpu and not (self.kind.is_mlir or self.kind == FileKind.SAVED):
            raise CompilerError(
                f"--emit={self.kind} is for the CPU, not for '{self.target}'",
                hint="a wafer's model can be emitted as mlir at every --stage, or saved",
            )
        self._check_options()
        if self.stage and self.stage != "imported" and not self.pipeline:
            self.target_pipeline.until(self.stage)  # refuses stages that the target does not have

    def _check_options(self) -> None:
        unfit = {
            "--stage": bool(self.stage) and not self.kind.is_mlir,
            "--header": self.header is not None and self.kind not in (FileKind.SHARED, FileKind.OBJECT),
            "--pipeline": bool(self.pipeline)
            and (
                not self.on_cpu
                or self.kind not in (FileKind.MLIR, FileKind.LINALG, FileKind.LLVM, FileKind.ASM)
            ),
        }
        for option, is_unfit in unfit.items():
            if is_unfit:
                raise CompilerError(
                    f"{option} has no meaning for --emit={self.kind} and target '{self.target}'",
                    hint=f"leave {option} out",
                )
        if self.kind == FileKind.LINALG and self.stage:
            raise CompilerError(
                "--emit=linalg is the stage 'tensor'", hint="use --emit=mlir for other stages"
            )
        self._check_weights()

    def _check_weights(self) -> None:
        weights = self.weights
        if weights is None:
            return
        if weights == Weights.NONE and (self.kind.is_library or self.kind == FileKind.SAVED):
            raise CompilerError(
                f"--emit={self.kind} cannot do without weights", hint="use --weights embedded or beside"
            )
        if weights != Weights.NONE and self.kind in (FileKind.LLVM, FileKind.ASM):
            raise CompilerError(
                f"--emit={self.kind} holds code alone: its functions take the weights as arguments",
                hint="leave --weights out; --emit=mlir, shared and others hold them",
            )
        if weights == Weights.BESIDE and (self.out is None or self.kind == FileKind.SAVED):
            raise CompilerError(
                "there is no place for weights beside it", hint="use --weights embedded, or -o FILE for mlir"
            )
        if weights == Weights.EMBEDDED and self.kind.is_mlir and self.wanted_stage not in _TENSOR_STAGES:
            raise CompilerError(
                f"weights are embedded at the stages {' and '.join(_TENSOR_STAGES)}, not at '{self.wanted_stage}'",
                hint="use --weights beside",
            )


@dataclass(frozen=True)
class Artifact:
    """A file that was made and is to be written.

    Attributes:
        path: where; None for standard output.
        role: "output", "header" or "weights".
        is_program: whether it can be executed.
    """

    path: Path | None
    role: str
    data: bytes
    is_program: bool = False

    def as_json(self) -> dict[str, Any]:
        """What the file is, its size in bytes and its SHA-256."""
        return {
            "path": str(self.path) if self.path else "-",
            "role": self.role,
            "bytes": len(self.data),
            "sha256": hashlib.sha256(self.data).hexdigest(),
        }


@dataclass(frozen=True)
class Emitted:
    """What was made, and how.

    Attributes:
        seconds: by step.
        stages: by model, the stages that its IR went through.
    """

    artifacts: Sequence[Artifact]
    seconds: Mapping[str, float]
    stages: Mapping[str, Sequence[str]]
