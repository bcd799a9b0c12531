"""`wse verify` judges every stage of the model families of bench/, and finds nothing wrong."""

from __future__ import annotations

import pytest
from cpu_families import FAMILIES

from wse_mlir.compiler.workload import OpenedModel
from wse_mlir.verify import Verification, subject_of
from wse_mlir.verify.verify import CPU_STAGES, WAFER_STAGES

SHORT = ("matmul", "matvec", "mlp")  # verified in ten seconds; others take up to five minutes


@pytest.mark.parametrize(
    "family", [f if f in SHORT else pytest.param(f, marks=pytest.mark.slow) for f in FAMILIES]
)
def test_every_stage_is_judged_and_matches(family: str) -> None:
    case = FAMILIES[family].case("tiny")
    calls = [case.args] * 2  # states go on
    verification = Verification(subject_of(OpenedModel(family, family, case.model, calls)), "tiny")
    stages = list(verification.stages())
    assert [stage.name for stage in stages] == [*CPU_STAGES, *WAFER_STAGES]
    for stage in stages:
        assert stage.comparison is not None and stage.matches, stage
