"""Operations and small models on the simulated wafer against PyTorch, on grids that divide sizes and that do not."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lowering import Function, error, wafer_errors
from torch import nn

from wse_mlir.compiler.compile import compile as compile_model

TOLERANCE = 1e-3
GRIDS = ("1x3", "4x3")


def masked_attention(x: torch.Tensor) -> torch.Tensor:
    scores = (x @ x.transpose(-1, -2)).masked_fill(torch.ones(7, 7).triu(1).bool(), float("-inf"))
    return torch.softmax(scores, -1) @ x


FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[torch.Size, ...]]] = {
    name: (function, tuple(map(torch.Size, shapes)))
    for name, function, shapes in (
        ("matmul", torch.matmul, ((5, 13), (13, 9))),
        ("batch_matmul", torch.bmm, ((3, 5, 7), (3, 7, 4))),
        ("broadcast", lambda a, b: a * b + 2.0, ((5, 7), (7,))),
        ("sums", lambda a: (a.sum(0), a.mean(1), a.sum()), ((9, 11),)),
        ("extrema", lambda a: (a.amax(1), a.amin(0), a.max()), ((9, 11),)),
        ("product", lambda a: a.prod(1), ((4, 9),)),
        ("argmax", lambda a: a.argmax(1), ((9, 11),)),
        ("softmax", lambda a: torch.softmax(a, -1), ((5, 13),)),
        ("log_softmax", lambda a: torch.log_softmax(a, 0), ((5, 13),)),
        ("layer_norm", lambda a: nn.functional.layer_norm(a, (13,)), ((5, 13),)),
        ("variance", lambda a: a.var(1), ((5, 13),)),
        ("gelu", nn.functional.gelu, ((5, 13),)),
        ("silu", nn.functional.silu, ((5, 13),)),
        ("tanh", torch.tanh, ((5, 13),)),
        ("clamp", lambda a: a.clamp(-0.5, 0.5).abs().sqrt(), ((5, 13),)),
        ("compare", lambda a, b: ((a > b) & (a != 0)) | (b <= -1), ((5, 13), (5, 13))),
        ("where", lambda a, b: torch.where(a > 0, a, b), ((5, 13), (5, 13))),
        ("transpose", lambda a: a.t() + 1.0, ((5, 13),)),
        ("reshape", lambda a: a.view(4, 6, 10).transpose(0, 1).reshape(6, 40) + 1, ((24, 10),)),
        ("concatenate", lambda a, b: torch.cat([a, b], 1)[:, 2:9] * 2, ((9, 5), (9, 6))),
        ("split", lambda a: a.chunk(3, -1)[1] * a.chunk(3, -1)[2], ((5, 12),)),
        ("constant", lambda a: a * torch.tensor([1.0, 2.0, 3.0]) + torch.ones(3), ((5, 3),)),
        ("bool_constant", lambda a: torch.where(torch.tensor([True, False, True]), a, -a), ((5, 3),)),
        ("scalar_result", lambda a: a.sum() * 2, ((5, 3),)),
        ("pad", lambda a: nn.functional.pad(a, (1, 2), value=0.5), ((5, 3),)),
        ("einsum", lambda a, b: torch.einsum("bij,bkj->ik", a, b), ((2, 4, 5), (2, 3, 5))),
        (
            "vector",
            lambda a: (nn.functional.gelu(a), a.sum() + a.amax(), a.softmax(0), a.view(19, 7) + 1),
            ((133,),),
        ),
        ("outer", lambda a: a[:, None] - a[None, :], ((12,),)),
        ("rows_left_out", lambda a: torch.cat([a[1], a[:, 0], a[3, 2:4] + a[0, 1]]) * 2, ((5, 7),)),
        ("running_product", lambda a: a.cumprod(0), ((4, 5),)),
        ("masked_attention", masked_attention, ((7, 6),)),
    )
}


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_on_a_grid(name: str, grid: str) -> None:
    function, shapes = FUNCTIONS[name]
    generator = torch.Generator().manual_seed(3)
    args = tuple(torch.randn(shape, generator=generator) for shape in shapes)
    errors = wafer_errors(Function(function), args, grid=grid)
    assert max(errors) <= TOLERANCE, errors


@pytest.mark.parametrize("grid", ["1x1", "8x8", "3x8"])
@pytest.mark.parametrize("name", ["matmul", "sums", "argmax", "softmax"])
def test_a_function_on_extreme_grids(name: str, grid: str) -> None:
    test_a_function_on_a_grid(name, grid)


def test_nan_and_infinity_stay_in_their_places() -> None:
    x = torch.tensor([[1.0, float("nan"), -2.0], [float("inf"), -float("inf"), 0.5]])
    assert wafer_errors(nn.ReLU(), (x,), grid="2x2") == [0.0]
    compared = Function(lambda a: (a > 0, a <= 0, a != a, a.isinf()))
    assert wafer_errors(compared, (x,), grid="2x2") == [0.0] * 4


def test_nothing_is_computed_of_a_size_of_zero() -> None:
    result = compile_model(lambda a: (torch.linspace(0, 1, 0) + 1, a + 1), (torch.ones(3),), target="tiny")
    assert result(torch.ones(3))[0].shape == (0,)


def test_a_vector_is_split_over_both_axes() -> None:
    x = torch.randn(1000)
    compiled = compile_model(torch.exp, (x,), target="tiny", grid="8x8")
    assert error(compiled(x), x.exp()) <= TOLERANCE
    exponentials = compiled.report["phases"][-1]
    assert exponentials["pes"] == 63 and exponentials["flops"] == 1000


def test_a_known_number_that_is_reduced() -> None:
    x = torch.tensor(3.0)
    numbers = Function(lambda x: torch.bitwise_xor(x.argmin(), x.argmin()).prod(0))
    assert wafer_errors(numbers, (x,), grid="1x1") == [0.0]
    compared = Function(lambda x: torch.rsqrt(torch.full_like(x, 1).abs() + 1).var(-1))  # one of one: NaN
    assert wafer_errors(compared, (x,), grid="1x1") == [0.0]


def test_a_number_that_repeats_in_a_result_and_is_read_on() -> None:
    def numbers(scale: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        zero = torch.zeros_like(x).copysign(scale)
        one = torch.exp(zero)
        return torch.hypot(zero, one).expand(2, *x.shape) - one

    assert max(wafer_errors(Function(numbers), (torch.tensor(0.5), torch.randn(4, 6)))) <= TOLERANCE


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_narrow_floats(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    errors = wafer_errors(nn.Linear(33, 7).to(dtype), (torch.randn(4, 33).to(dtype),), grid="4x2")
    assert max(errors) <= 1e-2


def test_integers_are_exact() -> None:
    torch.manual_seed(0)
    numbers = torch.randint(-9, 9, (5, 12))
    functions = Function(lambda a: (a.sum(1), a.amax(0), a // 3, a % 3, a * torch.arange(12)))
    assert wafer_errors(functions, (numbers,), grid="3x3") == [0.0] * 5


class RunningMean(nn.Module):
    """Keeps state between calls, of which one part has rank 0."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(5, 7))
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x)
        self.count.add_(1.0)
        return self.total.sum(1) / self.count


def test_state_is_kept_between_calls() -> None:
    torch.manual_seed(0)
    compiled = compile_model(RunningMean(), (torch.zeros(5, 7),), target="tiny", grid="3x2")
    model = RunningMean()
    for _ in range(3):
        x = torch.randn(5, 7)
        assert error(compiled(x), model(x)) <= TOLERANCE
    assert compiled.state["count"] == 3
    assert error(compiled.state["total"], model.total) <= TOLERANCE


def test_new_parameters_are_loaded_on_request() -> None:
    torch.manual_seed(0)
    model, x = nn.Linear(6, 5), torch.randn(3, 6)
    compiled = compile_model(model, (x,), target="tiny", grid="2x2")
    with torch.no_grad():
        model.weight.mul_(-2.0)
    compiled.update_parameters()
    assert error(compiled(x), model(x).detach()) <= TOLERANCE


def test_an_lstm_cell() -> None:
    torch.manual_seed(0)
    state = (torch.randn(3, 24), torch.randn(3, 24))
    assert max(wafer_errors(nn.LSTMCell(20, 24), (torch.randn(3, 20), state))) <= TOLERANCE


def test_a_sequence_whose_steps_are_imported_as_a_loop() -> None:
    assert max(wafer_errors(nn.RNN(2, 3), (torch.randn(8, 1, 2),))) <= TOLERANCE


def mlp() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10), nn.Softmax(-1)).eval()


def encoder() -> nn.Module:
    torch.manual_seed(0)
    return nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True).eval()


@pytest.mark.parametrize("target", ["tiny", "wse2"])
def test_an_mlp(target: str) -> None:
    assert max(wafer_errors(mlp(), (torch.randn(16, 64),), target)) <= TOLERANCE


@pytest.mark.parametrize("target", ["tiny", "wse2"])
def test_a_transformer_encoder_layer(target: str) -> None:
    torch.manual_seed(1)
    assert max(wafer_errors(encoder(), (torch.randn(2, 9, 32),), target)) <= TOLERANCE


def test_a_batch_of_one_over_many_pes() -> None:
    torch.manual_seed(1)
    assert max(wafer_errors(mlp(), (torch.randn(1, 64),), grid="7x5")) <= TOLERANCE
