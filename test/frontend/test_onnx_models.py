"""Whole ONNX models: what they take and return, open sizes, functions and control flow, and messages."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import wse_mlir
from wse_mlir import CompilerError

onnx = pytest.importorskip("onnx")
helper, numpy_helper, Kind = onnx.helper, onnx.numpy_helper, onnx.TensorProto
node = helper.make_node


def write(
    path: Path,
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    initializers: dict[str, np.ndarray] | None = None,
    opset: int = 21,
    **more: Any,
) -> str:
    """Writes a model; inputs and outputs are names, element types and shapes, or declared ones."""
    declared = [
        [helper.make_tensor_value_info(*v) if isinstance(v, tuple) else v for v in values]
        for values in (inputs, outputs)
    ]
    constants = [numpy_helper.from_array(value, name) for name, value in (initializers or {}).items()]
    graph = helper.make_graph(list(nodes), "graph", *declared, constants)
    opsets = [helper.make_opsetid("", opset), *more.pop("opsets", [])]
    onnx.save(helper.make_model(graph, opset_imports=opsets, **more), path / "model.onnx")
    return str(path / "model.onnx")


def refused(path: str, *args: Any) -> str:
    with pytest.raises(CompilerError) as caught:
        wse_mlir.import_model(path, args)
    text = str(caught.value)
    assert "torch.library" not in text and "Traceback" not in text and text.count("\n") < 5
    return text


FLOAT, INT64 = Kind.FLOAT, Kind.INT64


def test_elements_that_decide_shapes_are_fixed_to_the_examples(tmp_path: Path) -> None:
    nodes = [node("Reshape", ["x", "shape"], ["y"], name="to_shape")]
    inputs = [("x", FLOAT, [2, 6]), ("shape", INT64, [2])]
    path = write(tmp_path, nodes, inputs, [("y", FLOAT, ["a", "b"])])
    x, shape = torch.arange(12.0).reshape(2, 6), torch.tensor([3, 4])
    compiled = wse_mlir.compile(path, (x, shape))
    assert torch.equal(compiled(x, shape), x.reshape(3, 4))
    compiled.save(tmp_path / "saved.wse")
    for each in (compiled, wse_mlir.load(tmp_path / "saved.wse")):
        assert torch.equal(each(x, shape), x.reshape(3, 4))
        with pytest.raises(
            CompilerError, match=r"was \[3, 4\] when the model was compiled and is \[4, 3\] now"
        ):
            each(x, torch.tensor([4, 3]))
    text = refused(path)
    assert "node 'to_shape' (Reshape, opset 21)" in text and "give example arguments" in text


def test_sizes_that_are_left_open(tmp_path: Path) -> None:
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["batch"]),
        node("Unsqueeze", ["batch", "first"], ["rows"]),
        node("Concat", ["rows", "rest"], ["new"], axis=0),
        node("Reshape", ["x", "new"], ["heads"]),
        node("Transpose", ["heads"], ["turned"], perm=[0, 2, 1]),
        node("MatMul", ["turned", "w"], ["product"]),
        node("Softmax", ["product"], ["y"]),
        node("Range", ["zero", "batch", "one"], ["numbers"]),
    ]
    constants = {
        "zero": np.array(0),
        "one": np.array(1),
        "first": np.array([0]),
        "rest": np.array([-1, 4]),
        "w": np.random.default_rng(0).standard_normal((8, 16)).astype(np.float32),
    }
    outputs = [("y", FLOAT, ["b", 4, 16]), ("numbers", INT64, ["b"])]
    path = write(tmp_path, nodes, [("x", FLOAT, ["batch", 32])], outputs, constants)
    compiled = wse_mlir.compile(path)
    for batch in (1, 5):
        x = torch.randn(batch, 32)
        found, numbers = compiled(x)
        wanted = torch.softmax(x.reshape(batch, 8, 4).transpose(1, 2) @ torch.from_numpy(constants["w"]), -1)
        torch.testing.assert_close(found, wanted)
        assert numbers.tolist() == list(range(batch))


def test_unsigned_inputs_keep_their_types(tmp_path: Path) -> None:
    kinds = [
        (np.uint8, Kind.UINT8),
        (np.uint16, Kind.UINT16),
        (np.uint32, Kind.UINT32),
        (np.uint64, Kind.UINT64),
    ]
    nodes = [node("Add", [f"x{k}", f"w{k}"], [f"y{k}"]) for k in range(4)]
    constants = {f"w{k}": np.full(80, np.iinfo(t).max, t) for k, (t, _) in enumerate(kinds)}
    inputs = [(f"x{k}", code, [80]) for k, (_, code) in enumerate(kinds)]
    outputs = [(f"y{k}", code, [80]) for k, (_, code) in enumerate(kinds)]
    path = write(tmp_path, nodes, inputs, outputs, constants)
    arrays = [np.arange(80).astype(t) for t, _ in kinds]
    compiled = wse_mlir.compile(path, tuple(arrays))
    for given, found in zip(arrays, compiled(*arrays), strict=True):
        assert found.dtype == given.dtype
        np.testing.assert_array_equal(found, given + np.iinfo(given.dtype).max)  # one less, around zero
    with pytest.raises(CompilerError, match="must have dtype uint16, but has int16"):
        compiled(arrays[0], arrays[1].astype(np.int16), *arrays[2:])


def test_unsigned_integers_on_the_wafer(tmp_path: Path) -> None:
    kinds = [(np.uint8, Kind.UINT8), (np.uint16, Kind.UINT16)]
    nodes = [node("Transpose", [f"x{k}"], [f"y{k}"]) for k in range(2)]
    inputs = [(f"x{k}", code, [4, 8]) for k, (_, code) in enumerate(kinds)]
    outputs = [(f"y{k}", code, [8, 4]) for k, (_, code) in enumerate(kinds)]
    path = write(tmp_path, nodes, inputs, outputs)
    arrays = [np.full((4, 8), np.iinfo(t).max, t) for t, _ in kinds]
    for given, found in zip(
        arrays, wse_mlir.compile(path, tuple(arrays), target="tiny")(*arrays), strict=True
    ):
        assert found.dtype == given.dtype
        np.testing.assert_array_equal(found, given.T)


def graph_of(name: str, nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> Any:
    """A graph that is an attribute."""
    declared = [[helper.make_tensor_value_info(*v) for v in values] for values in (inputs, outputs)]
    return helper.make_graph(nodes, name, *declared)


def test_sequences_branches_loops_and_functions(tmp_path: Path) -> None:
    taken = graph_of("then", [node("Exp", ["x"], ["a"])], [], [("a", FLOAT, [3])])
    other = graph_of("else", [node("Neg", ["x"], ["b"])], [], [("b", FLOAT, [3])])
    steps = [
        node("Add", ["state", "x"], ["after"]),
        node("Identity", ["go"], ["on"]),
        node("Mul", ["after", "after"], ["seen"]),
    ]
    given = [("step", INT64, []), ("go", Kind.BOOL, []), ("state", FLOAT, [3])]
    body = graph_of(
        "body", steps, given, [("on", Kind.BOOL, []), ("after", FLOAT, [3]), ("seen", FLOAT, [3])]
    )
    inner = [node("Constant", [], ["c"]), node("Mul", ["v", "c"], ["r"])]
    reference = onnx.AttributeProto(name="value_float", ref_attr_name="by", type=onnx.AttributeProto.FLOAT)
    inner[0].attribute.append(reference)
    scaled = helper.make_function("own", "Scaled", ["v"], ["r"], inner, [helper.make_opsetid("", 21)], ["by"])
    nodes = [
        node("If", ["flag"], ["chosen"], then_branch=taken, else_branch=other),
        node("Loop", ["trips", "", "x"], ["last", "all"], body=body),
        node("Scaled", ["x"], ["scaled"], domain="own", by=2.5),
        node("SequenceConstruct", ["x", "last"], ["both"]),
        node("SequenceInsert", ["both", "scaled"], ["three"]),
    ]
    three = helper.make_tensor_sequence_value_info("three", FLOAT, [3])
    outputs = [("chosen", FLOAT, [3]), ("all", FLOAT, [4, 3]), three]
    inputs = [("x", FLOAT, [3]), ("flag", Kind.BOOL, [])]
    own: dict[str, Any] = {"functions": [scaled], "opsets": [helper.make_opsetid("own", 1)]}
    path = write(tmp_path, nodes, inputs, outputs, {"trips": np.array(4)}, **own)
    x = torch.tensor([0.5, -1.0, 2.0])
    compiled = wse_mlir.compile(path, (x, torch.tensor(True)))
    for flag in (True, False):
        chosen, collected, sequence = compiled(x, torch.tensor(flag))
        torch.testing.assert_close(chosen, x.exp() if flag else -x)
        torch.testing.assert_close(collected, torch.stack([(x * k) ** 2 for k in range(2, 6)]))
        assert isinstance(sequence, list)
        torch.testing.assert_close(torch.stack(sequence), torch.stack([x, 5 * x, 2.5 * x]))


def test_messages_name_the_node(tmp_path: Path) -> None:
    x, y = ("x", FLOAT, [3]), ("y", FLOAT, [3])
    random = write(tmp_path, [node("RandomUniformLike", ["x"], ["y"], name="noise")], [x], [y])
    text = refused(random, torch.zeros(3))
    assert "node 'noise' (RandomUniformLike, opset 21)" in text and "random numbers" in text
    unknown = write(tmp_path, [node("Mystery", ["x"], ["y"], domain="com.example")], [x], [y],
                    opsets=[helper.make_opsetid("com.example", 1)])  # fmt: skip
    assert "'Mystery' of the domain 'com.example' is unknown" in refused(unknown, torch.zeros(3))
    wrong = write(
        tmp_path,
        [node("MatMul", ["x", "w"], ["y"], name="product")],
        [x],
        [y],
        {"w": np.zeros((4, 3), np.float32)},
    )
    assert "node 'product' (MatMul, opset 21)" in refused(wrong, torch.zeros(3))  # fmt: skip
    huge = [node("GatherND", ["x", "i"], ["y"], name="pick", batch_dims=1000000)]
    text = refused(write(tmp_path, huge, [x], [y], {"i": np.zeros((3, 1), np.int64)}), torch.zeros(3))
    assert "node 'pick'" in text and "1000000 batch dimensions" in text
    text = refused(
        write(
            tmp_path, [node("Identity", ["x"], ["y"])], [("x", Kind.STRING, [3])], [("y", Kind.STRING, [3])]
        )
    )
    assert "the input 'x' has elements of type string" in text


def test_inputs_that_do_not_fit(tmp_path: Path) -> None:
    path = write(tmp_path, [node("Relu", ["x"], ["y"])], [("x", FLOAT, ["n", 3])], [("y", FLOAT, ["n", 3])])
    assert "input 'x' has 2 dimensions, the example has 1" in refused(path, torch.zeros(3))
    assert "dimension 1 of the input 'x' is 3, the example has 4" in refused(path, torch.zeros(2, 4))
    assert "takes 1 inputs ('x'), and there are 2 examples" in refused(
        path, torch.zeros(2, 3), torch.zeros(1)
    )
    assert "expected a tensor" in refused(path, "zeros")


def test_files_that_are_no_models(tmp_path: Path) -> None:
    x, y = ("x", FLOAT, [3]), ("y", FLOAT, [3])
    assert "opset 999" in refused(write(tmp_path, [node("Relu", ["x"], ["y"])], [x], [y], opset=999))
    text = refused(write(tmp_path, [node("Relu", ["missing"], ["y"], name="act")], [x], [y]))
    assert "not valid" in text and "act" in text
    float8 = helper.make_tensor("w", Kind.FLOAT8E5M2, [3], [1.0, 2.0, 3.0])
    graph = graph_of("graph", [node("Cast", ["w"], ["y"], to=FLOAT)], [], [y])
    graph.initializer.append(float8)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]), tmp_path / "model.onnx")
    assert "the ONNX graph has elements of type float8e5m2" in refused(str(tmp_path / "model.onnx"))
    named = write(tmp_path, [node("Relu", ["x"], ["y"], name="act")], [x], [y])
    Path(named).write_bytes(Path(named).read_bytes().replace(b"act", b"a\xff\xfe"))
    assert "a name in it is no UTF-8 text" in refused(named)
    bare = write(tmp_path, [node("Constant", [], ["c"]), node("Add", ["x", "c"], ["y"])], [x], [y])
    assert "Constant" in refused(bare)
    path = write(tmp_path, [node("Add", ["x", "w"], ["y"])], [x], [y], {"w": np.ones(3, np.float32)})
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").unlink()
    assert "cannot be read" in refused(path)
    (tmp_path / "model.onnx").write_bytes(b"")
    assert "model.onnx" in refused(path)
