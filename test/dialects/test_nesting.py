"""Text that is nested beyond any program is refused before a parser without a limit sees it, wherever text comes in."""

from pathlib import Path

import pytest

import wse_mlir
from wse_mlir.dialects.nesting import LIMIT, check_nesting
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.reduce import reduce
from wse_mlir.tools.wse_opt import main

DEEP = 200_000


def alias_chain(length: int) -> str:
    names = [f"#a{i + 1} = [\n  #a{i}]\n" for i in range(length)]
    return "#a0 = [1]\n" + "".join(names) + f"module attributes {{x.a = #a{length}}} {{}}"


NESTED = {
    "regions": lambda n: '"a.b"() ({' * n + "}) : () -> ()" * n,
    "modules": lambda n: "module {\n" * n + "}" * n,
    "attributes": lambda n: "module attributes {x.a = " + "[" * n + "]" * n + "} {}",
    "function types": lambda n: "module attributes {x.a = " + "(" * n + "i1" + ") -> ()" * n + "} {}",
    "signs": lambda n: "module attributes {x.a = affine_map<(d0) -> (" + "- " * n + "d0)>} {}",
    "locations": lambda n: "module {} loc(" + '"a"(' * n + '"b"' + ")" * n + ")",
    "brackets after strings that close them": lambda n: (
        'module attributes {x.a = [" \\" ]]]", // ]]\n' * n + "1" + "]} {}" * n
    ),
    "aliases": alias_chain,
}


@pytest.mark.parametrize("kind", NESTED)
def test_too_deep_is_refused_where_it_is_and_half_of_it_is_not(kind: str) -> None:
    check_nesting(NESTED[kind](LIMIT // 4), "deep.mlir")
    with pytest.raises(CompilerError, match=rf"deep\.mlir:\d+: .* {LIMIT} levels deep\n  hint"):
        check_nesting(NESTED[kind](3 * LIMIT), "deep.mlir")


def test_place_is_the_line_of_the_first_bracket_beyond() -> None:
    with pytest.raises(CompilerError, match=rf"f:{LIMIT + 3}: "):
        check_nesting('// (((\n"]]]\\"" // "\n' + "[->\n" * (LIMIT + 1), "f")


def test_what_is_long_and_not_deep_is_read() -> None:
    brackets = "([{<" * LIMIT
    flat = f'module attributes {{x.s = "{brackets}"}} {{}} // {brackets}'
    check_nesting(flat, "f")
    check_nesting("() -> [1 >= 2]\n" * 2 * LIMIT, "f")
    check_nesting("".join(f"#a{i} = [1]\n" for i in range(2 * LIMIT)), "f")


def test_every_way_in_refuses_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = NESTED["modules"](DEEP)
    file = tmp_path / "deep.mlir"
    file.write_text(text)
    for enter in (
        lambda: wse_mlir.opt(text, "builtin.module(cse)"),
        lambda: wse_mlir.compile(text, ()),
        lambda: wse_mlir.compile(str(file), ()),
        lambda: reduce(text, lambda _: True),
    ):
        with pytest.raises(CompilerError, match="levels deep"):
            enter()
    with pytest.raises(CompilerError, match=r"no such file") as failure:
        wse_mlir.compile(NESTED["regions"](DEEP), ())  # taken for a path, which is not said back whole
    assert len(str(failure.value)) < 200
    for arguments in ([str(file)], ["--irdl-file", str(file), str(file)], [str(file), "--run-reproducer"]):
        assert main(arguments) == 1
    assert capfd.readouterr().err.count("levels deep") == 2
