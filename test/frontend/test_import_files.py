"""Models from files: what can be compiled is read, everything else gets one message that says what to do."""

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from wse_mlir.frontend.imported import ImportedModel, import_model
from wse_mlir.passes.infra.diagnostics import CompilerError

ARGS = (torch.zeros(2, 8),)

ADD = """
func.func @add(%x: tensor<2x8xf32>, %y: tensor<8xf32> {wse.kind = "parameter", wse.name = "bias"}) -> tensor<2x8xf32> {
  %e = tensor.empty() : tensor<2x8xf32>
  %b = linalg.broadcast ins(%y : tensor<8xf32>) outs(%e : tensor<2x8xf32>) dimensions = [0]
  %r = linalg.add ins(%x, %b : tensor<2x8xf32>, tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  return %r : tensor<2x8xf32>
}
"""


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 4), nn.ReLU()).eval()


def without_locations(imported: ImportedModel) -> str:
    return str(imported.module)


def failure(path: Path | str) -> str:
    with pytest.raises(CompilerError) as caught:
        import_model(str(path), ARGS)
    text = str(caught.value)
    assert str(path) in text and len(text.splitlines()) <= 4
    return text


def test_an_exported_program_and_its_file_give_the_modules_ir(tmp_path: Path) -> None:
    program = torch.export.export(model(), ARGS, strict=False)
    torch.export.save(program, tmp_path / "model.pt2")
    direct = import_model(model(), ARGS)
    read = import_model(str(tmp_path / "model.pt2"))
    assert without_locations(read) == without_locations(direct) == without_locations(import_model(program))
    for ours, theirs in zip(read.arguments, direct.arguments, strict=True):
        assert ours == theirs
        if theirs.tensor is not None:
            assert ours.tensor is not None and torch.equal(ours.tensor, theirs.tensor)


def test_linalg_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "add.mlir").write_text(ADD)
    imported = import_model(tmp_path / "add.mlir")
    assert [(a.kind, a.name, a.shape, a.dtype) for a in imported.arguments] == [
        ("input", "0", (2, 8), torch.float32),
        ("parameter", "bias", (8,), torch.float32),
    ]
    assert "func.func @main" in str(imported.module)
    x = torch.ones(2, 8)
    assert imported.interface.flatten_inputs((x,)) == [x]
    assert imported.interface.unflatten_outputs([x]) is x


def test_the_torch_dialect_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "relu.mlir").write_text(
        "func.func @main(%x: !torch.vtensor<[2,8],f32>) -> !torch.vtensor<[2,8],f32> {\n"
        "  %r = torch.aten.relu %x : !torch.vtensor<[2,8],f32> -> !torch.vtensor<[2,8],f32>\n"
        "  return %r : !torch.vtensor<[2,8],f32>\n}\n"
    )
    text = str(import_model(tmp_path / "relu.mlir").module)
    assert "linalg.generic" in text and "torch" not in text


WEIGHTS = """
func.func @main(%x: tensor<64xf32>) -> (tensor<64xf32>, tensor<2xbf16>) {
  %w = arith.constant dense_resource<weight> : tensor<64xf32>
  %b = arith.constant dense_resource<"small one"> : tensor<2xbf16>
  %r = linalg.mul ins(%x, %w : tensor<64xf32>, tensor<64xf32>) outs(%x : tensor<64xf32>) -> tensor<64xf32>
  return %r, %b : tensor<64xf32>, tensor<2xbf16>
}
{-# dialect_resources: { builtin: {
  weight: "0x04000000WEIGHT",
  "small one": "0x04000000803F0040"
} } #-}
"""


def test_weights_in_a_file_become_parameters(tmp_path: Path) -> None:
    weight = torch.arange(64.0)
    (tmp_path / "weights.mlir").write_text(WEIGHTS.replace("WEIGHT", weight.numpy().tobytes().hex().upper()))
    imported = import_model(tmp_path / "weights.mlir")
    assert [(a.kind, a.name) for a in imported.arguments] == [("input", "0"), ("parameter", "weight")]
    assert imported.arguments[1].tensor is not None
    assert torch.equal(imported.arguments[1].tensor, weight)
    text = str(imported.module)
    assert "dense_resource" not in text
    assert "dense<[1.000000e+00, 2.000000e+00]> : tensor<2xbf16>" in text


def test_weights_that_were_elided(tmp_path: Path) -> None:
    (tmp_path / "elided.mlir").write_text(WEIGHTS.partition("{-#")[0])
    assert "'weight' has no data" in failure(tmp_path / "elided.mlir")


def test_an_imported_module_reads_back(tmp_path: Path) -> None:
    imported = import_model(model(), ARGS)
    (tmp_path / "again.mlir").write_text(str(imported.module))
    again = import_model(tmp_path / "again.mlir")
    assert again.arguments == imported.arguments and again.results == imported.results
    assert without_locations(again) == without_locations(imported)


def test_functions_that_main_calls_are_inlined(tmp_path: Path) -> None:
    (tmp_path / "call.mlir").write_text(
        ADD.replace("func.func @add", "func.func private @add")
        + "func.func @main(%x: tensor<2x8xf32>, %y: tensor<8xf32>) -> tensor<2x8xf32> {\n"
        "  %r = call @add(%x, %y) : (tensor<2x8xf32>, tensor<8xf32>) -> tensor<2x8xf32>\n"
        "  return %r : tensor<2x8xf32>\n}\n"
    )
    text = str(import_model(tmp_path / "call.mlir").module)
    assert "call" not in text and "linalg.add" in text and "@add" not in text


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    assert "no such file" in failure(tmp_path / "nowhere.pt2")
    assert "folder" in failure(tmp_path)


def test_torchscript(tmp_path: Path) -> None:
    for name in ("model.pt", "model.pt2"):
        with warnings.catch_warnings(action="ignore"):
            torch.jit.trace(model(), ARGS).save(str(tmp_path / name))
        text = failure(tmp_path / name)
        assert "TorchScript" in text and "torch.export.save" in text


def test_weights_and_pickled_modules(tmp_path: Path) -> None:
    torch.save(model().state_dict(), tmp_path / "weights.pth")
    torch.save(model(), tmp_path / "module.pt")
    for name in ("weights.pth", "module.pt"):
        text = failure(tmp_path / name)
        assert "pickled" in text and "torch.export.save" in text


def test_tflite_and_other_kinds(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3rest")
    assert "TFLite" in failure(tmp_path / "model.tflite")
    (tmp_path / "model.h5").write_bytes(b"\x89HDF")
    assert "'*.h5'" in failure(tmp_path / "model.h5")


def test_a_broken_exported_program(tmp_path: Path) -> None:
    (tmp_path / "broken.pt2").write_bytes(b"PK\x03\x04 not a zip")
    message = failure(tmp_path / "broken.pt2")
    assert "cannot be read" in message and "internal" not in message


def test_ir_that_does_not_parse_is_located(tmp_path: Path) -> None:
    (tmp_path / "bad.mlir").write_text("func.func @main() {\n  %0 = no.such_op\n}\n")
    assert "bad.mlir:2:" in failure(tmp_path / "bad.mlir")


@pytest.mark.parametrize(
    ("signature", "complaint"),
    [
        ("func.func @main(%x: f32) -> f32 { return %x : f32 }", "0-d tensors"),
        (
            "func.func @main(%x: memref<4xf32>) -> memref<4xf32> { return %x : memref<4xf32> }",
            "ranked tensor",
        ),
        ("func.func private @f()", "one public function"),
        ("func.func @f() { return } func.func @g() { return }", "@f, @g"),
    ],
)
def test_functions_that_are_not_models(tmp_path: Path, signature: str, complaint: str) -> None:
    (tmp_path / "other.mlir").write_text(signature)
    assert complaint in failure(tmp_path / "other.mlir")


def test_onnx_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    (tmp_path / "model.onnx").write_bytes(b"")
    assert "wse-mlir[onnx]" in failure(tmp_path / "model.onnx")


def test_an_onnx_models_weights_are_parameters(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    numpy_helper = pytest.importorskip("onnx.numpy_helper")
    weight = np.arange(128, dtype=np.float32).reshape(8, 16)
    float32, helper = onnx.TensorProto.FLOAT, onnx.helper
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"], name="fc"),
            helper.make_node("Relu", ["h"], ["y"], name="act"),
        ],
        "net",
        [helper.make_tensor_value_info("x", float32, ["batch", 8])],
        [helper.make_tensor_value_info("y", float32, ["batch", 16])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "net.onnx")
    imported = import_model(tmp_path / "net.onnx", (torch.zeros(2, 8),))
    assert [(a.kind, a.name, a.shape) for a in imported.arguments] == [
        ("input", "0", (2, 8)),
        ("parameter", "w", (8, 16)),
    ]
    assert imported.arguments[1].tensor is not None
    assert torch.equal(imported.arguments[1].tensor, torch.from_numpy(weight))
    assert "dense<" not in str(imported.module)
    open_sizes = import_model(tmp_path / "net.onnx")
    assert open_sizes.arguments[0].shape == (-1, 8)
    (tmp_path / "broken.onnx").write_bytes(b"not a protobuf")
    assert "cannot be read" in failure(tmp_path / "broken.onnx")


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    (tmp_path / "round.onnx").symlink_to("round.onnx")
    assert "symbolic link to a file that is not there" in failure(tmp_path / "round.onnx")
    (tmp_path / "cut.onnx").write_bytes(b"\x08\x07\x12\xff")
    assert "hint: the file is cut off" in failure(tmp_path / "cut.onnx")
    onnx = pytest.importorskip("onnx")
    weights = onnx.numpy_helper.from_array(np.ones((8, 8), np.float32), "w")
    x, y = (onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [8, 8]) for n in "xy")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [weights]
    )
    onnx.save(
        onnx.helper.make_model(graph), tmp_path / "outside.onnx",
        save_as_external_data=True, location="outside.data", size_threshold=0,
    )  # fmt: skip
    (tmp_path / "outside.data").unlink()
    message = failure(tmp_path / "outside.onnx")
    assert "outside.data" in message and "hint: the files that hold its data have to lie beside it" in message
