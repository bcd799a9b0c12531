"""What is stored of a processor: every field of it, and nothing that does not fit."""

from typing import Any

import pytest
from pydantic import ValidationError

from wse_mlir.artifacts.saved.records import ProcessorRecord
from wse_mlir.passes.cpu.processor import processor


@pytest.mark.parametrize("cpu", ["", "x86-64-v3", "x86-64"])
def test_a_processor_comes_back_as_it_was(cpu: str) -> None:
    chosen = processor(cpu, "")
    record = ProcessorRecord.model_validate_json(ProcessorRecord.of(chosen).model_dump_json())
    assert record.processor() == chosen and record.requires == chosen.requires


@pytest.mark.parametrize("field", [*vars(processor()), "requires"])
def test_a_field_that_is_missing_or_of_another_type_is_refused(field: str) -> None:
    stored: dict[str, Any] = ProcessorRecord.of(processor()).model_dump()
    for wrong in ({k: v for k, v in stored.items() if k != field}, {**stored, field: [stored[field]]}):
        with pytest.raises(ValidationError, match=field):
            ProcessorRecord.model_validate(wrong)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="more"):
        ProcessorRecord.model_validate({**ProcessorRecord.of(processor()).model_dump(), "more": 1})
