"""The suite itself: workers that die are replaced, samples are the same every time, rules accept what is open only."""

import functools
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conformance import recorded
from conformance.extremes import PLANTS, plant, planted_groups
from conformance.judgements import Call
from conformance.recorded import Recorded, regressions
from conformance.rules import rule_for, tolerances
from conformance.samples import Sample
from conformance.tables import reason
from conformance.verdicts import Verdict, difference, word_for
from conformance.workers import Task, run_tasks
from torch.utils import _pytree as pytree


def settle(name: str, report: Any, judged: Any) -> None:
    if name in judged:
        return
    report("stage", ("alone", name))
    if name == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    while name == "hangs":
        pass
    report("verdict", Verdict("torch", "case", name, "match"))


def work(task: Task, report: Any) -> None:
    report("stage", ("reference", "ends PyTorch"))
    if "ends PyTorch" not in task.judged:
        os.kill(os.getpid(), signal.SIGKILL)
    if "all" not in task.deadly:
        report("stage", ("together", "all"))
        os.kill(os.getpid(), signal.SIGKILL)
    for name in ("first", "dies", "second", "hangs", "last"):
        settle(name, report, task.judged)


def test_what_ends_or_stops_a_worker_is_a_crash_and_the_rest_goes_on() -> None:
    verdicts = list(run_tasks([Task("torch", "case")], 1, work, limit=0.5))
    assert [(v.sample, v.word) for v in verdicts] == [
        ("first", "match"), ("dies", "crash"), ("second", "match"), ("hangs", "crash"), ("last", "match"),
    ]  # fmt: skip
    assert verdicts[1].detail.startswith("SIGKILL") and verdicts[3].detail == "no end after 0.5 s"


def test_an_internal_error_is_no_refusal() -> None:
    assert (
        word_for("pass 'wse-partition' failed: internal error: IndexError: tuple index out of range")
        == "crash"
    )
    assert word_for("operator 'aten.bincount' has no lowering to linalg") == "refused"


def operator_named(name: str) -> Any:
    return functools.reduce(getattr, name.split("."), torch)


def sample(operator: str, *args: Any, dtype: torch.dtype = torch.float32) -> Sample:
    leaves, spec = pytree.tree_flatten((args, {}))
    function = operator_named(operator)
    return Sample(operator, "float32#0", dtype, function, tuple(leaves), spec)


def call(made: Sample, actual: Any, variation: str = "") -> Call:
    expected = pytree.tree_leaves(made(made.tensors))
    return Call(made, variation, made.tensors, pytree.tree_leaves(actual), expected, tolerances("cpu"))


@pytest.mark.parametrize(
    ("positions", "holds"),
    [([2, 0, 1], True), ([0, 2, 1], True), ([0, 1, 2], False), ([0, 0, 1], False), ([0, 2, 3], False)],
)
def test_equal_elements_may_come_in_any_order_and_no_others(positions: list[int], holds: bool) -> None:
    made = sample("sort", torch.tensor([1.0, 5.0, 1.0]))
    actual = torch.tensor([1.0, 1.0, 5.0]), torch.tensor(positions)
    assert bool(rule_for("sort", call(made, actual))) == holds


def test_narrow_floats_may_be_nearer_to_double_precision_than_pytorch() -> None:
    x = torch.full((8,), 0.3).half()
    made = replace(sample("cumprod", x, 0, dtype=torch.float16))
    exact = x.double().cumprod(0)
    assert rule_for("cumprod", replace(call(made, exact.half()), expected=[exact.half() * 1.1]))
    assert not rule_for("cumprod", replace(call(made, exact.half() * 1.1), expected=[exact.half()]))


def test_distances_that_cancel_are_as_exact_as_rounded_inputs() -> None:
    x = [torch.tensor([row], dtype=torch.bfloat16) for row in ([7.0, -6.0], [-6.0, 6.0], [4.0, 8.0])]
    tried = sample("nn.functional.triplet_margin_loss", *x, dtype=torch.bfloat16)
    exact = tried([t.double() for t in x])  # 17.69 + 1 - 14.32

    def held(offset: float) -> bool:
        actual = [(exact + offset).to(torch.bfloat16)]
        call = Call(tried, "", x, actual, [tried(x)], tolerances("cpu"))
        return rule_for("nn.functional.triplet_margin_loss", call) is not None

    assert held(0.06) and held(-0.06) and not held(0.2) and not held(-0.2)


def test_overflow_on_the_way_is_open_only_where_the_largest_values_were_planted() -> None:
    top = torch.finfo(torch.float32).max
    terms = torch.cat([torch.full((1, 64), top), torch.full((1, 63), -top)], 1)  # however they are added up
    made = sample("addmm", torch.zeros(1, 1), terms, torch.ones(127, 1))
    actual = torch.tensor([[1.0]])
    assert rule_for("addmm", call(made, actual, "large"))
    assert not rule_for("addmm", call(made, actual, ""))


def test_the_mode_of_a_line_with_nan_is_open_and_that_of_others_is_not() -> None:
    made = sample("mode", torch.tensor([[torch.nan, 1.0, 1.0], [2.0, 3.0, 2.0]]))
    expected = made(made.tensors)
    other = torch.tensor([torch.nan, 2.0]), torch.tensor([0, 2])
    assert rule_for("mode", call(made, other)) or torch.equal(expected[0].isnan(), other[0].isnan())
    assert not rule_for("mode", call(made, (torch.tensor([torch.nan, 3.0]), torch.tensor([0, 1]))))


def test_what_hardly_overflows_may_be_the_largest_value() -> None:
    half = torch.finfo(torch.float16).max
    made = sample("mul", torch.tensor([half]).half(), torch.tensor([1.002]).half())
    actual = torch.tensor([half]).half()
    assert made(made.tensors).isinf().all() and rule_for("mul", call(made, actual, "large"))
    assert not rule_for("mul", call(made, actual, ""))
    twice = sample("mul", actual, torch.tensor([2.0]).half())
    assert not rule_for("mul", call(twice, actual, "large"))


def test_what_a_far_quotient_leaves_is_open_and_what_zero_leaves_is_not() -> None:
    divisors = torch.full((16,), 2.9e-39)  # a vector of any processor's
    made = sample("fmod", torch.full((16,), 4.5), divisors)
    left = torch.full((16,), 3.7e-40)
    assert rule_for("fmod", call(made, left)) or not made(made.tensors).isnan().any()
    assert not rule_for("fmod", call(sample("fmod", torch.full((16,), 4.5), torch.zeros(16)), left))


def test_products_are_open_only_where_a_partial_sum_can_overflow() -> None:
    top = torch.finfo(torch.float32).max
    x, weight = torch.tensor([[[top, -top, 1.0]]]), torch.tensor([[[2.0, 2.0, 1.0]], [[1.0, 0.0, 2.0]]])
    made = sample("nn.functional.conv1d", x, weight)
    expected = made(made.tensors)
    other = expected.clone()
    other[0, 0] = torch.inf
    assert rule_for("nn.functional.conv1d", call(made, other, "large")) or torch.equal(other, expected)
    other[0, 1] = 3.0
    assert not rule_for("nn.functional.conv1d", call(made, other, "large"))


def test_border_of_a_transposed_convolution_is_open_only_to_nan_from_weights_that_are_not_finite() -> None:
    name = "nn.functional.conv_transpose1d"
    x, weight = torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[[1.0, 2.0, torch.inf]]])
    made = sample(name, x, weight, None, 2)
    expected = made(
        made.tensors
    )  # [1, 2, inf, 4, inf, 6, inf]: only the first one reads before the first element
    assert rule_for(name, call(made, expected.index_fill(2, torch.tensor([0]), torch.nan), "inf"))
    assert not rule_for(name, call(made, expected.index_fill(2, torch.tensor([0]), 5.0), "inf"))
    for position in range(1, 7):
        assert not rule_for(
            name, call(made, expected.index_fill(2, torch.tensor([position]), torch.nan), "inf")
        )
    finite = sample(name, x, torch.ones(1, 1, 3), None, 2)
    wrong = finite(finite.tensors).index_fill(2, torch.tensor([0]), torch.nan)
    assert not rule_for(name, call(finite, wrong, "inf"))


def test_means_of_a_batch_norm_that_cancel_are_as_exact_as_their_largest_element() -> None:
    top = torch.finfo(torch.float32).max
    x = torch.tensor([[[top, 1.0, -top, 5.0]]])
    made = sample("native_batch_norm", x, None, None, None, None, True, 0.1, 1e-5)
    result, mean, scale = made(made.tensors)
    assert rule_for("native_batch_norm", call(made, (result, mean + 1, scale), "large"))
    assert not rule_for("native_batch_norm", call(made, (result, mean + 1, scale), ""))
    assert not rule_for("native_batch_norm", call(made, (result, mean + 1e30, scale), "large"))


def test_an_infinite_activation_may_be_infinite_and_nothing_else() -> None:
    made = sample("nn.functional.gelu", torch.full((16,), torch.inf))
    nan = torch.full((16,), torch.nan)
    right = replace(call(made, torch.full((16,), torch.inf), "inf"), expected=[nan])
    assert rule_for("nn.functional.gelu", right)
    assert not rule_for("nn.functional.gelu", replace(right, actual=[torch.zeros(16)]))


def test_a_running_mean_may_be_nan_where_ours_is_infinite() -> None:
    made = sample("std_mean", torch.tensor([torch.inf, 1.0]))
    nan, inf = torch.tensor(torch.nan), torch.tensor(torch.inf)
    assert rule_for("std_mean", call(made, (nan, inf), "inf"))
    assert not rule_for("std_mean", call(made, (nan, inf), ""))
    assert not rule_for("std_mean", call(made, (nan, torch.tensor(1.0)), "inf"))


def test_a_running_mean_of_what_cancels_is_as_exact_as_its_largest_element() -> None:
    top = torch.finfo(torch.float32).max
    made = sample("std_mean", torch.tensor([top, -1.0, -4.0, -top, -8.0]))
    deviation = made(made.tensors)[0]
    assert rule_for("std_mean", call(made, (deviation, torch.tensor(-2.6)), "large"))
    assert not rule_for("std_mean", call(made, (deviation, torch.tensor(1e25)), "large"))


def test_the_largest_values_are_not_planted_where_no_wider_type_can_tell() -> None:
    assert "large" in planted_groups(torch.float64, elementwise=True)
    assert "large" in planted_groups(torch.float32, elementwise=False)
    left = planted_groups(torch.float64, elementwise=False)
    assert "large" not in left and torch.finfo(torch.float64).max not in left["all"] and left["inf"]


def test_values_are_planted_in_turn_and_the_original_is_left() -> None:
    x = torch.zeros(7)
    assert plant(x, [1.0, 2.0], 1).tolist() == [0, 2, 0, 0, 1, 0, 0]
    assert not x.any()
    assert plant(torch.zeros(1), [1.0], 2).tolist() == [0]
    assert {torch.uint8, torch.int64, torch.bfloat16} <= set(PLANTS)


def test_results_of_other_shape_type_structure_or_value_differ() -> None:
    x = torch.tensor([1.0, torch.nan])
    assert difference([x], [x.clone()], on_wafer=False) == ""
    for other in ([x, x], [x.double()], [x[:1]], [3.0], [torch.tensor([torch.nan, 1.0])]):
        assert difference(other, [x], on_wafer=False)
    assert "2.0 instead of 1.0 at [0]" in difference(x * 2, x, on_wafer=False)


def test_a_recording_knows_what_was_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    words = {"int8#0": "refused", "int8#1": "match", "int8#2+ends": "refused", "bool#0": "refused"}
    verdicts = [Verdict("torch", "add", name, word) for name, word in words.items()]  # type: ignore[arg-type]
    recorded.write("torch", "cpu", verdicts)
    recorded.write("onnx", "cpu", [Verdict("onnx", "test_add", "0", "refused")])
    assert (tmp_path / "torch-cpu.txt").read_text() == "add bool:* int8:0,2+ends\n"
    again = [Verdict("torch", "add", name, "refused") for name in (*words, "bool#7", "int16#0")]
    newly = regressions(Recorded.read("torch", "cpu"), again)
    assert [v.sample for v in newly] == ["int8#1", "int16#0"]
    assert Recorded.read("onnx", "cpu").is_refused("test_add", "0")
    assert not Recorded.read("onnx", "cpu").is_refused("test_sub", "0")


def test_messages_are_counted_by_what_they_are_about() -> None:
    where = "model (samples.py:49, aten.uniform_): "
    assert reason(where + "operator 'aten.uniform' draws random numbers, which ...") == "random numbers"
    assert reason(where + "7 'x' are not 3 'y'") == "N '...' are not N '...'"
