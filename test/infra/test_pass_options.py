"""Options of Python passes: typed, printed so that they are read back, wrong values refused by name."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.diagnostics import CompilerError, PassFailure
from wse_mlir.passes.infra.options import describe_type
from wse_mlir.passes.infra.pass_base import Pass, PassRun, option
from wse_mlir.passes.infra.pipeline_text import parse_entries, split_options


class Every(Pass, name="test-every-option"):
    """Has an option of every type."""

    count: int = option(0, "an integer")
    share: float = option(0.5, "a number")
    deep: bool = option(False, "a truth value")
    label: str = option("", "text")
    loops: Literal["for", "forall"] = option("for", "a choice")
    sizes: tuple[int, ...] = option((), "a list", least=0)
    limit: int | None = option(None, "an integer or none", least=0)


@given(
    st.builds(
        Every,
        count=st.integers(-1000, 1000),
        share=st.floats(allow_nan=False, allow_infinity=False),
        deep=st.booleans(),
        label=st.text(alphabet="ab {}=,'-", max_size=6).filter(lambda t: t.count("{") == t.count("}") == 0),
        loops=st.sampled_from(["for", "forall"]),
        sizes=st.lists(st.integers(0, 99), max_size=3).map(tuple),
        limit=st.none() | st.integers(0, 9),
    )
)
def test_a_printed_pass_is_read_back(chosen: Every) -> None:
    (entry,) = parse_entries(str(chosen))
    assert Every.from_options(split_options(getattr(entry, "options"))) == chosen  # noqa: B009


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"cuont": "1"}, "has no option 'cuont'"),
        ({"count": "many"}, "expected an integer, got 'many'"),
        ({"share": "half"}, "expected a number"),
        ({"deep": "maybe"}, "expected true or false"),
        ({"loops": "while"}, "expected one of for, forall"),
        ({"sizes": "8,x"}, "expected an integer"),
        ({"sizes": "8,-1"}, "expected numbers >= 0, got '8,-1'"),
        ({"limit": "-2"}, "expected a number >= 0, got '-2'"),
    ],
)
def test_wrong_options_are_named(texts: dict[str, str], message: str) -> None:
    with pytest.raises(CompilerError, match=message):
        Every.from_options(texts)


def test_options_cannot_be_changed_and_compare_by_value() -> None:
    assert Every(count=2) == Every(count=2) and hash(Every(count=2)) == hash(Every(count=2))
    with pytest.raises(AttributeError):
        Every().count = 3  # type: ignore[misc]


def test_types_are_described() -> None:
    assert describe_type(tuple[int, ...]) == "int,..."
    assert describe_type(Literal["for", "forall"]) == "for|forall"
    assert describe_type(int | None) == "int"


def test_a_pass_without_run_says_what_is_missing() -> None:
    class Idle(Pass, name="test-idle"):
        """Does nothing, by mistake."""

    with create_context(), pytest.raises(PassFailure, match=r"'test-idle' does not define run\(\)"):
        Idle().run(ir.Module.parse("module {}").operation, PassRun("test-idle"))
