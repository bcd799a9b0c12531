"""`wse_mlir.opt` takes text or a module and mixes both kinds of pass."""

import subprocess
import sys

import pytest

import wse_mlir

TEXT = """
func.func @f(%a: tensor<4x8xf32>, %b: tensor<8x4xf32>, %c: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x4xf32>) outs(%c : tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = arith.addf %0, %0 : tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}
"""


def test_text_in_module_out() -> None:
    module = wse_mlir.opt(TEXT, "builtin.module(func.func(wse-generalize),canonicalize)")
    assert "linalg.generic" in str(module) and "addf %0, %0" not in str(module)


def test_a_module_is_changed_in_place() -> None:
    module = wse_mlir.opt(TEXT, "builtin.module(canonicalize)")
    assert wse_mlir.opt(module, "builtin.module(wse-generalize)") is module
    assert "linalg.generic" in str(module)


def test_text_that_does_not_parse_is_located() -> None:
    with pytest.raises(wse_mlir.CompilerError, match=r"<text>:1:\d+"):
        wse_mlir.opt("func.func @f( {", "builtin.module(cse)")


def test_importing_the_package_is_light() -> None:
    code = "import sys, wse_mlir; assert not {'torch', 'torch_mlir'} & set(sys.modules), 'heavy'"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names_resolve() -> None:
    for name in wse_mlir.__all__:
        assert getattr(wse_mlir, name) is not None
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = wse_mlir.no_such_thing
