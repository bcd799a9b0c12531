"""Textual pipelines: what is read is printed back, and mistakes are shown below their column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.passes.infra.pipeline_text import (
    PassEntry,
    PipelineEntry,
    PipelineSyntaxError,
    parse_entries,
    parse_pipeline,
    split_options,
)

NAMES = st.from_regex(r"[a-z][a-z0-9]*(-[a-z0-9]+){0,2}", fullmatch=True)
OPTIONS = st.lists(
    st.tuples(NAMES, st.sampled_from(["1", "true", "8,16,0", '"x y"', "{a=1 b={c=2}}"])), max_size=3
)
PASSES = st.builds(
    lambda name, options: PassEntry(name, " ".join(f"{key}={value}" for key, value in options)),
    NAMES,
    OPTIONS,
)
ENTRIES = st.recursive(
    PASSES,
    lambda inner: st.builds(
        lambda name, parts: PipelineEntry(name, tuple(parts)), NAMES, st.lists(inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.builds(lambda parts: PipelineEntry("builtin.module", tuple(parts)), st.lists(ENTRIES, max_size=4)))
def test_printing_and_parsing_are_inverse(pipeline: PipelineEntry) -> None:
    text = str(pipeline)
    assert str(parse_pipeline(text)) == text


def test_the_tree() -> None:
    pipeline = parse_pipeline("builtin.module( func.func(a{x=1 y=2}) , b )")
    assert pipeline.anchor == "builtin.module"
    nested, last = pipeline.entries
    assert isinstance(nested, PipelineEntry) and nested.anchor == "func.func"
    assert nested.entries[0].options == "x=1 y=2"  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(last, PassEntry) and last.name == "b" and last.column == 40


def test_space_between_entries_means_nothing() -> None:
    assert str(parse_pipeline(" m (\n a {x=1 y=2} ,\tf ( b )\n) ")) == "m(a{x=1 y=2},f(b))"


def test_a_bare_list() -> None:
    assert [str(entry) for entry in parse_entries("a,f(b),c{d=1}")] == ["a", "f(b)", "c{d=1}"]
    assert parse_entries(" ") == ()


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 0, "expected the name"),
        ("m(", 2, "expected the name"),
        ("m(a", 1, "missing closing '\\)'"),
        ("m(a,)", 4, "expected the name"),
        ("m(a{x=1)", 3, "missing closing '}'"),
        ('m(a{x="1})', 3, "missing closing '}'"),
        ("m(a)b", 4, "unexpected 'b'"),
        ("m(a b)", 4, "expected ',' or '\\)'"),
        ("m(a{x=1}{y=2})", 8, "expected ',' or '\\)'"),
        ("m", 0, "anchored"),
    ],
)
def test_mistakes_are_located(text: str, column: int, message: str) -> None:
    with pytest.raises(PipelineSyntaxError, match=message) as caught:
        parse_pipeline(text)
    assert caught.value.column == column
    lines = str(caught.value).splitlines()
    assert any(line == " " * column + "^" for line in lines)


def test_a_mistake_on_a_later_line() -> None:
    with pytest.raises(PipelineSyntaxError) as caught:
        parse_pipeline("m(a,\n  b c)")
    assert caught.value.where == "pass pipeline:2:5"
    assert str(caught.value).splitlines()[1:3] == ["  b c)", "    ^"]


def test_options_are_split() -> None:
    assert split_options("sizes=8,16,0 loops=for") == {"sizes": "8,16,0", "loops": "for"}
    assert split_options("""a="x y" b='{' c={d=1 e="}"} flag""") == {
        "a": "x y",
        "b": "{",
        "c": 'd=1 e="}"',
        "flag": "",
    }
    assert split_options("list=1,2 list=3") == {"list": "1,2,3"}
    with pytest.raises(CompilerError, match="missing closing"):
        split_options('a="x')
