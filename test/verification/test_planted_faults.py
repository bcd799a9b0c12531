"""A fault planted in any pass is found: the pass is named, and a small file repeats the fault."""

import re
from pathlib import Path

import pytest
from plants import PLANTS, Function, Plant
from wafer_plants import WAFER_PLANTS

from wse_mlir.compiler.workload import OpenedModel
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.verify import Verification, subject_of
from wse_mlir.verify.reproduce import replay, smallest, write


def test_every_pass_of_the_wafers_pipeline_has_a_fault() -> None:
    passes = set(re.findall(r"wse-[a-z-]+", named_pipeline("wafer").text)) - {"wse-check-stage"}
    assert passes <= {plant.pass_name for plant in (*PLANTS, *WAFER_PLANTS)}


@pytest.mark.parametrize("plant", (*PLANTS, *WAFER_PLANTS), ids=lambda plant: plant.pass_name)
def test_the_pass_is_named_and_the_fault_repeated(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plant.sow(monkeypatch)
    subject = subject_of(OpenedModel("planted", "planted", Function(plant.function), [plant.args]))
    verification = Verification(subject, "tiny" if plant.on_wafer else "cpu")
    assert not all(stage.matches for stage in verification.stages())

    (fault,) = verification.faults()
    assert [p.name for p in fault.passes] == [plant.pass_name]
    assert fault.before is not None and fault.before.matches
    if plant.runs:
        assert fault.kind == "numbers" and fault.after is not None and not fault.after.matches
    else:
        assert fault.kind == "crash" and fault.reason

    found = smallest(fault, subject.calls, most_tests=12)
    assert found is not None and found.operation == plant.alone
    assert found.suspicion.passes[-1].name == plant.pass_name
    file = write(found, tmp_path)
    assert found.suspicion.is_shown(fault.kind, replay(file)[1])

    monkeypatch.undo()  # the file is about this fault and no other
    _, evidence = replay(file)
    assert not evidence.is_wrong and evidence.after is not None
