"""A model or a call that cannot work gets one message: what, where in the user's source, what to do."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from wse_mlir.frontend.imported import import_model
from wse_mlir.passes.infra.diagnostics import CompilerError


class Wrapped(nn.Module):
    """Calls a function in a submodule, so that a message has a module path to name."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.block = Block(function)

    def forward(self, *args: torch.Tensor) -> Any:
        return self.block(*args)


class Block(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: torch.Tensor) -> Any:
        return self.function(*args)


def svd(x: torch.Tensor) -> torch.Tensor:
    return torch.linalg.svd(x)[1]


def dropout(x: torch.Tensor) -> torch.Tensor:
    return nn.functional.dropout(x, 0.5, training=True)


def fourier(x: torch.Tensor) -> torch.Tensor:
    return torch.fft.rfft(x)


def gamma(x: torch.Tensor) -> torch.Tensor:
    return torch.lgamma(x)


def branch(x: torch.Tensor) -> torch.Tensor:
    return x if x.sum() > 0 else -x


def conditional(x: torch.Tensor) -> torch.Tensor:
    return torch.cond(x.sum() > 0, torch.sin, torch.cos, (x,))


def failure(function: Callable[..., Any], *args: torch.Tensor) -> str:
    with pytest.raises(CompilerError) as caught:
        import_model(Wrapped(function).eval(), args)
    text = str(caught.value)
    assert len(text.splitlines()) <= 4, text
    return text


@pytest.mark.parametrize(
    ("function", "parts"),
    [
        (svd, ["aten._linalg_svd", "no lowering", "hint"]),
        (gamma, ["operator 'aten.lgamma' has no lowering to linalg"]),
        (dropout, ["aten.dropout", "random", "model.eval()"]),
        (fourier, ["fft_r", "complex", "real and imaginary"]),
        (conditional, ["'cond' cannot be imported"]),
    ],
)
def test_an_operator_that_cannot_be_lowered(function: Callable[..., Any], parts: list[str]) -> None:
    text = failure(function, torch.zeros(4, 4))
    line = function.__code__.co_firstlineno + 1
    assert text.startswith(f"block (test_import_errors.py:{line}")
    for part in parts:
        assert part in text


def test_a_model_that_cannot_be_exported() -> None:
    text = failure(branch, torch.zeros(4))
    assert f"test_import_errors.py:{branch.__code__.co_firstlineno + 1}" in text and "control flow" in text


def test_example_arguments_that_do_not_fit() -> None:
    with pytest.raises(CompilerError, match="could not export"):
        import_model(nn.Linear(4, 2), (torch.zeros(1, 5),))


@pytest.mark.parametrize(
    ("tensor", "kind"),
    [
        (torch.eye(3).to_sparse(), "sparse_coo"),
        (torch.ones(3) * 1j, "complex"),
    ],
)
def test_tensors_of_other_kinds(tensor: torch.Tensor, kind: str) -> None:
    assert f"is a {kind} tensor" in failure(lambda x: x, tensor)


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn])
def test_tensors_of_other_elements(dtype: torch.dtype) -> None:
    assert f"has elements of type {dtype}, which" in failure(lambda x: x, torch.ones(3).to(dtype))


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (lambda x: x.to_sparse(), "is a sparse_coo tensor"),
        (lambda x: (x > 0).to_sparse(), "is a sparse_coo tensor"),
        (lambda x: x.to(torch.uint64), "has elements of type torch.uint64"),
        (lambda x: x.to(torch.float8_e5m2).float(), "has elements of type torch.float8_e5m2"),
    ],
)
def test_operators_that_make_other_tensors(function: Callable[..., Any], what: str) -> None:
    text = failure(function, torch.ones(3))
    assert what in text and text.startswith("block (test_import_errors.py:")


def test_what_is_not_a_model() -> None:
    with pytest.raises(CompilerError, match="an object of type dict is not a model"):
        import_model({}, ())


def test_a_call_is_checked_against_the_example() -> None:
    class Scaled(nn.Module):
        def forward(self, x: torch.Tensor, factor: int, *, bias: torch.Tensor) -> torch.Tensor:
            return x * factor + bias

    imported = import_model(Scaled(), (torch.zeros(2, 3), 2), {"bias": torch.zeros(3)})
    x, bias = torch.zeros(2, 3), torch.zeros(3)
    assert [t.shape for t in imported.interface.flatten_inputs((x, 2), {"bias": bias})] == [(2, 3), (3,)]

    def message(args: tuple[Any, ...], **kwargs: Any) -> str:
        with pytest.raises(CompilerError) as caught:
            imported.interface.flatten_inputs(args, kwargs)
        return str(caught.value)

    wrong_shape = message((torch.zeros(3, 3), 2), bias=bias)
    assert "argument 0 ('x')" in wrong_shape and "[3, 3]" in wrong_shape and "[2, 3]" in wrong_shape
    wrong_dtype = message((x, 2), bias=bias.double())
    assert "argument 1 ('bias')" in wrong_dtype and ".to(torch.float32)" in wrong_dtype
    assert "2 tensors (x: float32[2, 3], bias: float32[3])" in message((x,))
    assert "was 2" in message((x, 5), bias=bias) and "0-d tensor" in message((x, 5), bias=bias)
    assert "is a str" in message(("x", 2), bias=bias)


def test_keyword_order_does_not_matter_and_numpy_is_taken() -> None:
    class Two(nn.Module):
        def forward(self, *, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return a - b

    imported = import_model(Two(), (), {"a": torch.zeros(1), "b": torch.ones(1)})
    first, second = imported.interface.flatten_inputs(
        (), {"b": torch.full((1,), 2.0), "a": torch.ones(1).numpy()}
    )
    assert first.item() == 1.0 and second.item() == 2.0


def select(x: torch.Tensor) -> torch.Tensor:
    return x[x > 0]


@pytest.mark.parametrize("function", [select, torch.nonzero, torch.unique])
def test_size_that_depends_on_values(function: Callable[..., Any]) -> None:
    text = failure(function, torch.ones(4))
    assert "whose size depends on the values" in text and "block" in text


def test_failed_export_prints_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    failure(branch, torch.ones(4))
    assert capfd.readouterr().err == ""


class Pair:
    """An output that PyTorch cannot take apart."""

    def __init__(self, first: torch.Tensor) -> None:
        self.first = first


def test_unknown_class_of_output_names_what_registers_it() -> None:
    assert "register_dataclass(Pair)" in failure(Pair, torch.ones(4))


def test_operator_with_effects_is_named() -> None:
    text = failure(torch.linalg.inv, torch.eye(4))
    assert "_linalg_check_errors" in text and "token" not in text


def test_types_of_results_that_no_tensor_here_has_are_refused() -> None:
    class Hash(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.hash_tensor(x)

    with pytest.raises(CompilerError, match="uint64"):
        import_model(Hash(), (torch.ones(3),))
