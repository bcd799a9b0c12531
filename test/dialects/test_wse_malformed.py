"""Whatever an attribute is replaced by, verification answers with a diagnostic and never with a Python error."""

from pathlib import Path

import pytest

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.dialects.wse.whole_program import operations_of

EXAMPLES = Path(__file__).resolve().parents[1] / "lit" / "dialects" / "wse"

STRANGE = [
    "unit",
    "true",
    "-7 : i64",
    "7 : i3",
    "1.5 : f32",
    '"strange"',
    "f32",
    "memref<?xf32>",
    "[]",
    "[1]",
    '["x"]',
    "[unit, unit, unit, unit]",
    "[f32, tensor<4xf32>]",
    "@strange",
    "@strange::@nested",
    "affine_map<(d0, d1)[s0] -> (d0 floordiv s0, d1)>",
    "[affine_map<(d0, d1)[s0] -> (d0 floordiv s0, d1)>]",
    "array<i32: -1, 5>",
    "array<i32>",
    "#wse.rect<0, 0, 0, -1>",
    "#wse.strided_rect<-1, 0, 0, 0, 0, 0>",
    '#wse.layout<"[x:4/2, -] on x:3; y:1 at (0, 0)">',
    '#wse.layout<"">',
    "#wse.sram<3>",
]


@pytest.mark.parametrize("name", ["logical-ops.mlir", "program-ops.mlir"])
def test_no_attribute_makes_a_verifier_stumble(name):
    answers = {True: 0, False: 0}
    with create_context():
        module = ir.Module.parse((EXAMPLES / name).read_text())
        replacements = [ir.Attribute.parse(text) for text in STRANGE]
        for op in list(operations_of(module.operation)):
            if not op.name.startswith("wse."):
                continue
            for attribute in [name for name in op.attributes if "." not in name]:
                original = op.attributes[attribute]
                for strange in replacements:
                    op.attributes[attribute] = strange
                    answers[verifies(module)] += 1
                del op.attributes[attribute]
                assert not verifies(module), f"{op.name} verifies without {attribute}"
                op.attributes[attribute] = original
        assert verifies(module)
    assert answers[False] > 20 * answers[True]


def verifies(module: ir.Module) -> bool:
    try:
        return module.operation.verify()
    except ir.MLIRError as error:
        assert error.error_diagnostics
        return False


@pytest.mark.parametrize(
    "text",
    [
        "#wse.rect<0, 0, 1>",
        "#wse.rect<0, 0, 1, 1.0>",
        '#wse.layout<"x", #wse.rect<0, 0, 1, 1>>',
        "#wse.unknown",
    ],
)
def test_malformed_attributes_do_not_parse(text):
    with create_context(), pytest.raises(ir.MLIRError):
        ir.Attribute.parse(text)
