"""ONNX operators against the standard's own reference, many nodes in one compiled model."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wse_mlir

onnx = pytest.importorskip("onnx")
helper, numpy_helper = onnx.helper, onnx.numpy_helper
reference = pytest.importorskip("onnx.reference")


@dataclass
class Case:
    """One node: its inputs by value, and how many outputs are compared."""

    operator: str
    inputs: list[Any]
    outputs: int = 1
    attributes: dict[str, Any] = field(default_factory=dict)
    constant: tuple[int, ...] = ()  # positions of inputs that are initializers
    domain: str = ""


def merged_model(cases: list[Case], opset: int) -> tuple[Any, dict[str, np.ndarray]]:
    """All cases as one model, and its inputs; constants are initializers."""
    nodes: list[Any] = []
    inputs: dict[str, np.ndarray] = {}
    initializers: list[Any] = []
    outputs: list[str] = []
    for k, case in enumerate(cases):
        names: list[str] = []
        for position, value in enumerate(case.inputs):
            name = "" if value is None else f"x{k}_{position}"
            names.append(name)
            if value is not None and position in case.constant:
                initializers.append(numpy_helper.from_array(np.asarray(value), name))
            elif value is not None:
                inputs[name] = np.asarray(value)
        made = [f"y{k}_{n}" for n in range(case.outputs)]
        outputs += made
        nodes.append(helper.make_node(case.operator, names, made, domain=case.domain, **case.attributes))
    declared = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for n, v in inputs.items()
    ]
    bare = [onnx.ValueInfoProto(name=name) for name in outputs]
    graph = helper.make_graph(nodes, "cases", declared, bare, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]), inputs


def check(cases: list[Case], path: Path, opset: int = 23) -> None:
    """Compiles all cases at once and compares with the reference, element types included."""
    model, inputs = merged_model(cases, opset)
    wanted = [np.asarray(w) for w in reference.ReferenceEvaluator(model).run(None, inputs)]
    for output, array in zip(model.graph.output, wanted, strict=True):
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        output.CopyFrom(helper.make_tensor_value_info(output.name, kind, array.shape))
    onnx.save(model, path / "cases.onnx")
    found = wse_mlir.compile(path / "cases.onnx", tuple(inputs.values()))(*inputs.values())
    found = found if isinstance(found, tuple) else (found,)
    assert len(found) == len(wanted)
    owner = [case for case in cases for _ in range(case.outputs)]
    for case, a, b in zip(owner, found, wanted, strict=True):
        compare(case.operator, np.asarray(a), np.asarray(b))


def compare(name: str, found: np.ndarray, wanted: np.ndarray) -> None:
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape), name
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(found, wanted, err_msg=name)
        return
    bound = (1e-2 if wanted.dtype.itemsize < 4 else 1e-4) * np.abs(
        np.where(np.isfinite(wanted), wanted, 0)
    ).max()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=max(float(bound), 1e-30), err_msg=name)


generator = np.random.default_rng(5)


def floats(*shape: int) -> np.ndarray:
    return generator.standard_normal(shape).astype(np.float32)


def whole(dtype: Any, *shape: int) -> np.ndarray:
    """Every value of an integer type."""
    info = np.iinfo(dtype)
    return generator.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


UNSIGNED = [np.uint8, np.uint16, np.uint32, np.uint64]


def unsigned_cases() -> list[Case]:
    cases: list[Case] = []
    for kind in UNSIGNED:
        x, y = whole(kind, 3, 5), whole(kind, 3, 5) | kind(1)
        cases += [Case(name, [x, y]) for name in ("Add", "Sub", "Mul", "Div", "Mod", "BitwiseXor")]
        cases += [Case(name, [x, y]) for name in ("Max", "Min", "Less", "GreaterOrEqual", "Equal")]
        cases += [Case("BitShift", [x, y % kind(8)], attributes={"direction": d}) for d in ("LEFT", "RIGHT")]
        cases += [Case("BitwiseNot", [x]), Case("Clip", [x, kind(100), kind(200)])]
        cases += [
            Case("Cast", [x], attributes={"to": onnx.TensorProto.DataType.Value(to)})
            for to in ("FLOAT", "INT64")
        ]
        cases += [
            Case(
                "Cast",
                [np.abs(floats(4)) * 90],
                attributes={"to": helper.np_dtype_to_tensor_dtype(np.dtype(kind))},
            )
        ]
        cases += [Case("Transpose", [x])]
        if x.dtype.itemsize >= 4:  # the standard's types of reductions
            cases += [Case("ReduceMax", [x]), Case("ReduceSum", [x])]
    exponents = np.array([0, 1, 2, 3, 63, 64, 2**62 + 3, 2**63, 2**64 - 1], np.uint64)
    bases = np.array([7, 2**63 + 1, 2**40, 3, 2, 2, 5, 9, 2**64 - 3], np.uint64)
    few, short = np.array([2, 3, -5], np.int64), np.array([0, 3, 7], np.uint64)
    cases += [
        Case("Pow", [bases, exponents]),
        Case("Pow", [bases, np.float32([0, 1, 1, 2, 3, 63, 0.5, 1, 0])]),
    ]
    cases += [Case("Pow", [few, short]), Case("Pow", [np.array([1, -1.5, 0.5], np.float32), short])]
    return cases


def test_unsigned_integers_of_all_widths(tmp_path: Path) -> None:
    check(unsigned_cases(), tmp_path)


def test_quantised_integers(tmp_path: Path) -> None:
    a, b = whole(np.uint8, 2, 4), whole(np.int8, 4, 3)
    scales = [np.float32(0.013), np.float32(0.027), np.float32(1.7)]
    image, kernel = whole(np.uint8, 1, 3, 6, 6), whole(np.uint8, 4, 3, 3, 3)
    weight_scales = np.array([0.1, 0.02, 0.3, 0.04], np.float32)
    none = np.zeros(4, np.uint8)
    cases = [
        Case("DynamicQuantizeLinear", [floats(3, 7)], 3),
        Case("QuantizeLinear", [floats(3, 7) * 300, np.float32(1.5), np.uint8(128)]),
        Case("QuantizeLinear", [floats(3, 7) * 3e4, np.float32(1.5), np.uint16(32767)]),
        Case(
            "QuantizeLinear",
            [floats(3, 7), np.array([0.1, 0.2, 0.3], np.float32), np.array([1, 2, 3], np.int8)],
            attributes={"axis": 0},
        ),
        Case("DequantizeLinear", [whole(np.uint16, 5), np.float32(0.1), np.uint16(1000)]),
        Case("DequantizeLinear", [a, scales[0], np.uint8(200)]),
        Case(
            "QLinearMatMul", [a, scales[0], np.uint8(113), b, scales[1], np.int8(-5), scales[2], np.int8(3)]
        ),
        Case("MatMulInteger", [a, b, np.uint8(12), np.array([1, -2, 3], np.int8)]),
        Case("ConvInteger", [image, kernel, np.uint8(7)], attributes={"pads": [1, 1, 1, 1]}, constant=(1, 2)),
        Case("ConvInteger", [image, kernel, np.uint8(7)], attributes={"pads": [0, 1, 1, 0]}),
        Case(
            "QLinearConv",
            [image, scales[0], np.uint8(3), kernel, weight_scales, none, scales[2], np.uint8(9)],
        ),
    ]
    check(cases, tmp_path, 21)


def test_losses_embeddings_and_norms(tmp_path: Path) -> None:
    targets = np.array([[0, 2, 4], [1, 1, 3]])
    cos = floats(50, 4)
    cases = [
        Case(
            "SoftmaxCrossEntropyLoss",
            [floats(2, 5, 3), targets, np.abs(floats(5))],
            attributes={"reduction": kind},
        )
        for kind in ("mean", "sum", "none")
    ]
    cases += [
        Case("SoftmaxCrossEntropyLoss", [floats(2, 5, 3), targets], 2, {"ignore_index": 1}),
        Case("NegativeLogLikelihoodLoss", [floats(2, 5, 3), targets, np.abs(floats(5))]),
        Case("RotaryEmbedding", [floats(2, 4, 3, 8), cos, floats(50, 4), np.arange(6).reshape(2, 3)]),
        Case("RotaryEmbedding", [floats(2, 4, 3, 8), cos[:3][None].repeat(2, 0), floats(2, 3, 4)]),
        Case(
            "RotaryEmbedding",
            [floats(2, 3, 32), cos, floats(50, 4), np.arange(6).reshape(2, 3)],
            attributes={"num_heads": 4, "interleaved": 1},
        ),
        Case("LayerNormalization", [floats(2, 3, 8), floats(8), floats(8)], 3),
        Case("GroupNormalization", [floats(2, 4, 3), floats(4), floats(4)], attributes={"num_groups": 2}),
        Case("LpNormalization", [floats(3, 4)]),
        Case("RMSNormalization", [floats(3, 4), floats(4)]),
        Case("Attention", [floats(2, 3, 4, 8), floats(2, 3, 6, 8), floats(2, 3, 6, 8)]),
        Case("Hardmax", [floats(3, 4)], attributes={"axis": 0}),
    ]
    check(cases, tmp_path)


def test_edges_of_definitions(tmp_path: Path) -> None:
    """What differs from PyTorch: division, remainders, bounds in the wrong order, reductions of nothing."""
    whole_numbers, divisors = np.array([-7, 7, -8, 8]), np.array([3, -3, -3, 3])
    nan = np.array([np.nan, 1.0, -np.inf, np.inf, -0.5], np.float32)
    cases = [
        Case("Div", [whole_numbers, divisors]),
        Case("Mod", [whole_numbers, divisors]),
        Case("Mod", [whole_numbers, divisors], attributes={"fmod": 1}),
        Case("Clip", [nan, np.float32(2), np.float32(1)]),
        Case("Max", [nan, np.zeros(5, np.float32)]),
        Case("Min", [np.zeros(5, np.float32), nan, np.ones(5, np.float32)]),
        Case("ReduceMax", [np.zeros((2, 0, 3), np.float32), np.array([1])], constant=(1,)),
        Case("ReduceMin", [np.zeros((2, 0, 3), np.float32), np.array([1])], constant=(1,)),
        Case(
            "ReduceLogSumExp",
            [np.array([[-5.0, -np.inf], [1e3, 1e3]], np.float32), np.array([1])],
            constant=(1,),
        ),
        Case("IsInf", [nan], attributes={"detect_negative": 0}),
        Case("Pow", [np.array([1, 2, 3]), np.array([4.0, 5.0, 6.0], np.float32)]),
        Case("Round", [np.array([0.5, 1.5, 2.5, -0.5], np.float32)]),
        Case("Gather", [floats(5, 4), np.array([[0, -1], [2, -5]])]),
        Case(
            "GatherND", [floats(2, 3, 4), np.array([[[1], [-1]], [[0], [2]]])], attributes={"batch_dims": 1}
        ),
        Case(
            "ScatterND", [floats(5, 4), np.array([[1], [3]]), floats(2, 4)], attributes={"reduction": "max"}
        ),
        Case(
            "Slice",
            [floats(6, 5), np.array([-1, 4]), np.array([-100, 0]), np.array([0, 1]), np.array([-2, -1])],
            constant=(1, 2, 3, 4),
        ),
        Case("Pad", [floats(3, 4), np.array([2, 0, 1, 3])], attributes={"mode": "wrap"}, constant=(1,)),
        Case("Pad", [floats(3, 4), np.array([0, 2, 2, 1])], attributes={"mode": "reflect"}, constant=(1,)),
        Case("Pad", [floats(3, 4), np.array([0, 2, 1, 1]), np.float32(7)], constant=(1,)),
        Case("CumSum", [floats(3, 4), np.array(1)], attributes={"exclusive": 1, "reverse": 1}, constant=(1,)),
        Case("CumSum", [whole(np.int32, 6), np.array(0)], constant=(1,)),
        Case("OneHot", [np.array([1, 7, -1]), np.array(4), floats(2)], attributes={"axis": 0}, constant=(1,)),
        Case("TopK", [floats(3, 6), np.array([4])], 2, {"axis": 0 - 1, "largest": 0}, constant=(1,)),
        Case("Trilu", [floats(4, 5), np.array(-1)], attributes={"upper": 0}, constant=(1,)),
        Case(
            "ArgMax",
            [np.array([[2.0, 2.0, 1.0]], np.float32)],
            attributes={"axis": 1, "select_last_index": 1},
        ),
    ]
    check(cases, tmp_path)


def test_windows_and_images(tmp_path: Path) -> None:
    image = floats(1, 2, 7, 6)
    cases = [
        Case("MaxPool", [image], 2, {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]}),
        Case(
            "MaxPool",
            [image],
            1,
            {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "dilations": [1, 2]},
        ),
        Case(
            "AveragePool", [image], 1, {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_LOWER"}
        ),
        Case(
            "AveragePool", [image], 1, {"kernel_shape": [3, 2], "pads": [1, 1, 0, 0], "count_include_pad": 1}
        ),
        Case("LpPool", [image], 1, {"kernel_shape": [2, 2], "p": 3}),
        Case(
            "Conv",
            [image, floats(4, 1, 3, 3)],
            1,
            {"group": 2, "auto_pad": "SAME_UPPER", "strides": [2, 2]},
            (1,),
        ),
        Case("ConvTranspose", [image, floats(2, 3, 3, 3)], 1, {"strides": [3, 2], "pads": [1, 0, 1, 2]}),
        Case("Resize", [image, None, np.array([1, 1, 0.6, 1.7], np.float32)], 1, {"mode": "linear"}, (2,)),
        Case(
            "Resize",
            [image, None, np.array([1, 1, 2, 2], np.float32)],
            1,
            {"mode": "cubic", "coordinate_transformation_mode": "asymmetric"},
            (2,),
        ),
        Case(
            "Resize", [image, None, None, np.array([1, 2, 4, 9])], 1, {"mode": "cubic", "antialias": 1}, (3,)
        ),
        Case(
            "Resize",
            [image, None, None, np.array([1, 2, 9, 11])],
            1,
            {"nearest_mode": "ceil", "coordinate_transformation_mode": "align_corners"},
            (3,),
        ),
        Case("GridSample", [image, floats(1, 3, 4, 2)], 1, {"mode": "linear", "padding_mode": "reflection"}),
        Case("GridSample", [image, floats(1, 3, 4, 2)], 1, {"mode": "nearest", "padding_mode": "border"}),
        Case("DFT", [floats(2, 5, 1), None, np.array(1)], 1, {"onesided": 1}, (2,)),
        Case("Col2Im", [floats(1, 8, 12), np.array([4, 5]), np.array([2, 2])], 1, {}, (1, 2)),
    ]
    check(cases, tmp_path)


def test_recurrent_layers(tmp_path: Path) -> None:
    x = floats(4, 2, 3)
    cases = [
        Case(
            "LSTM",
            [x, floats(2, 20, 3), floats(2, 20, 5), floats(2, 40)],
            3,
            {"hidden_size": 5, "direction": "bidirectional"},
        ),
        Case(
            "LSTM",
            [
                x,
                floats(1, 20, 3),
                floats(1, 20, 5),
                floats(1, 40),
                None,
                floats(1, 2, 5),
                floats(1, 2, 5),
                floats(1, 15),
            ],
            3,
            {"hidden_size": 5},
        ),
        Case(
            "GRU",
            [x, floats(1, 15, 3), floats(1, 15, 5), floats(1, 30)],
            2,
            {"hidden_size": 5, "linear_before_reset": 1},
        ),
        Case("GRU", [x, floats(1, 15, 3), floats(1, 15, 5)], 2, {"hidden_size": 5, "direction": "reverse"}),
        Case("RNN", [x, floats(1, 5, 3), floats(1, 5, 5)], 2, {"hidden_size": 5}),
    ]
    check(cases[1:2] + cases[2:3] + cases[4:], tmp_path, 14)
