"""What ends a reduction early, what it refuses, and what it keeps."""

import pytest

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.reduce import NotInteresting, Progress, reduce

TEXT = """
func.func @f(%x: f32) -> f32 {
  %0 = math.exp %x : f32
  %1 = math.sqrt %0 : f32
  %2 = math.cos %1 : f32
  return %2 : f32
}
"""


@pytest.mark.parametrize("limit", range(1, 8))
def test_a_limit_of_tests_leaves_the_best_so_far(limit: int) -> None:
    steps: list[Progress] = []
    asked: list[str] = []

    def is_interesting(text: str) -> bool:
        asked.append(text)
        return "math.sqrt" in text

    result = reduce(TEXT, is_interesting, max_tests=limit, observer=steps.append)
    assert len(asked) == result.tests == limit and not result.complete
    assert result.text == steps[-1].text and result.after == steps[-1].size
    assert "math.sqrt" in result.text


def test_what_is_not_interesting_is_refused() -> None:
    with pytest.raises(NotInteresting, match="the input is not interesting") as failure:
        reduce(TEXT, lambda text: "math.tan" in text)
    assert isinstance(failure.value, CompilerError)


def test_what_is_not_valid_is_refused() -> None:
    with pytest.raises(ir.MLIRError):
        reduce("func.func @f() { return %x : f32 }", lambda text: True)


def test_a_module_is_left_as_it_is() -> None:
    module = ir.Module.parse(TEXT, create_context())
    before = str(module)
    assert reduce(module, lambda text: "math.cos" in text).text != before
    assert str(module) == before


def test_an_exception_of_the_predicate_is_the_callers() -> None:
    def fails(text: str) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        reduce(TEXT, fails)


def test_locations_are_kept_on_request() -> None:
    located = '#here = loc("model.py":3:4)\n' + TEXT.replace("sqrt %0 : f32", "sqrt %0 : f32 loc(#here)")
    assert "loc(" not in reduce(located, lambda text: "math.sqrt" in text).text
    kept = reduce(located, lambda text: "math.sqrt" in text, keep_locations=True).text
    assert 'loc("model.py":3:4)' in kept and kept.count("math.") == 1
