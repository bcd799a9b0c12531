"""Constants of one number: what is made is what is read, of scalars, vectors and tensors."""

from __future__ import annotations

import pytest

from wse_mlir.dialects.constants import (
    constant_attribute,
    constant_number,
    splat_attribute,
    splat_number,
    zeros,
)
from wse_mlir.dialects.host import arith, ir


@pytest.mark.parametrize(
    "text", ["f32", "i8", "index", "vector<4xf16>", "vector<[4]xi32>", "tensor<2x3xf64>", "i1"]
)
def test_what_is_made_is_read(text: str) -> None:
    with ir.Context(), ir.Location.unknown():
        module = ir.Module.create()
        kind = ir.Type.parse(text)
        element = kind.element_type if isinstance(kind, ir.ShapedType) else kind
        is_float = isinstance(element, ir.FloatType)
        with ir.InsertionPoint(module.body):
            for value, number in ((splat_number(kind, 1), 1), (zeros(kind), 0)):
                assert value.type == kind
                wanted = ir.Attribute.parse(f"{float(number) if is_float else number} : {element}")
                assert constant_attribute(value) == wanted
                assert constant_number(value) == number
                assert splat_attribute(value) == (wanted if isinstance(kind, ir.ShapedType) else None)
        assert module.operation.verify()


def test_several_numbers_are_none() -> None:
    with ir.Context(), ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            kind = ir.Type.parse("tensor<2xi32>")
            several = arith.ConstantOp(kind, ir.Attribute.parse("dense<[1, 2]> : tensor<2xi32>")).result
            assert constant_attribute(several) is None and splat_attribute(several) is None
            assert constant_attribute(arith.addi(several, several)) is None


def test_complex_numbers_are_left_alone() -> None:
    with ir.Context(), ir.Location.unknown():
        module = ir.Module.parse("%c = arith.constant dense<(1.0, 0.0)> : tensor<2xcomplex<f32>>")
        (op,) = module.body.operations
        assert constant_attribute(op.results[0]) is None and constant_number(op.results[0]) is None
