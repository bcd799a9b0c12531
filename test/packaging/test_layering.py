"""The folders are the architecture: imports point left only, and the wheel holds what the disk holds."""

import ast
import tomllib
from pathlib import Path

import pytest
from import_graph import Import, arrows_back, cycles, imports, sources

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [ROOT / path for path in sources()]


def package_of(path: Path) -> list[str]:
    """The dotted package of a source file, as installed: dialects/wse/ops.py -> wse_mlir, dialects, wse."""
    parts = list(path.relative_to(ROOT).parts[:-1])
    return parts if parts[0] == "wse_mlir" else ["wse_mlir", *parts]


def test_imports_point_left() -> None:
    """Inside functions too; passes for both targets know neither."""
    assert [f"{i.importer}:{i.line} imports {i.imported}" for i in arrows_back(imports())] == []


def test_an_arrow_back_is_noticed() -> None:
    wrong = [
        ("dialects/nesting.py", "passes/infra/options.py"),
        ("passes/tensor/sizes.py", "passes/cpu/processor.py"),
    ]
    right = [
        ("passes/cpu/processor.py", "passes/tensor/sizes.py"),
        ("passes/tensor/sizes.py", "passes/tensor/uniform.py"),
    ]
    found = [Import(Path(a), Path(b), 1, False) for a, b in (*wrong, *right)]
    assert arrows_back(found) == found[: len(wrong)]


def test_no_files_import_each_other() -> None:
    assert cycles(imports()) == []


def test_a_cycle_is_noticed() -> None:
    a, b, c = Path("passes/a.py"), Path("passes/b.py"), Path("passes/c.py")
    assert cycles([Import(x, y, 1, True) for x, y in ((a, b), (b, c), (c, b), (c, a))]) == [[a, b, c]]


def type_name(node: ast.stmt) -> str | None:
    """The public class or type that a statement of a file defines, if it does: `class Loop`, `Rows = list[int]`."""
    target = node.targets[0] if isinstance(node, ast.Assign) else None
    name = node.name if isinstance(node, ast.ClassDef) else target.id if isinstance(target, ast.Name) else ""
    return name if name[:1].isupper() and not name.isupper() else None


def defined_twice(texts: dict[str, str]) -> dict[str, list[str]]:
    """Public types by name with the files that define them, where there are several; `texts` is source by file."""
    homes: dict[str, list[str]] = {}
    for path, text in texts.items():
        for name in filter(None, map(type_name, ast.parse(text).body)):
            homes.setdefault(name, []).append(path)
    return {name: files for name, files in homes.items() if len(files) > 1}


def test_a_public_type_has_its_name_for_itself() -> None:
    """A reader who finds a class or an alias by its name finds the one that is meant."""
    assert defined_twice({str(path.relative_to(ROOT)): path.read_text() for path in SOURCES}) == {}


def test_a_name_that_is_taken_is_noticed() -> None:
    texts = {
        "a.py": "class Loop: ...\nclass _Part: ...\nRow = list[int]",
        "b.py": "class Loop(Base): ...\nclass _Part: ...",
        "c.py": "Row = tuple[int, ...]\nLIMIT = 1",
        "d.py": "LIMIT = 2",
    }
    assert defined_twice(texts) == {"Loop": ["a.py", "b.py"], "Row": ["a.py", "c.py"]}


def too_long(text: str, lines: int, of_function: int) -> list[str]:
    """What of a file's source is longer than it may be: the file itself, and functions by name."""
    functions = [
        n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = [f.name for f in functions if (f.end_lineno or f.lineno) - f.lineno >= of_function]
    return [*(["file"] if text.count("\n") > lines else []), *long]


def test_files_and_functions_are_short() -> None:
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in SOURCES}
    assert {path: long for path, text in texts.items() if (long := too_long(text, 400, 60))} == {}


def test_what_is_too_long_is_noticed() -> None:
    text = "def f():\n    a = 1\n    return a\n\n\ndef g(): ...\n"
    assert too_long(text, 6, 3) == []
    assert too_long(text, 5, 2) == ["file", "f"]


# Files that import inside functions, and why.
_COMMANDS = "a command imports what it runs: others, and --help, begin sooner"
_LATER = (
    "torch or MLIR are loaded when they are needed, and not by `import wse_mlir` or where saved programs run"
)
_OPTIONAL = "an optional package"
LATE_IMPORTS = {
    "dialects/host.py": "the bindings are found where they are",
    "wse_mlir/__init__.py": _LATER,
    "wse_mlir/artifacts/saved/programs.py": _LATER,
    "wse_mlir/compiler/compile.py": _LATER,
    "wse_mlir/compiler/compiled.py": _LATER,
    "wse_mlir/compiler/targets.py": _LATER,
    "wse_mlir/compiler/workload.py": _LATER,
    "wse_mlir/frontend/__init__.py": _LATER,
    "wse_mlir/frontend/files.py": _OPTIONAL,
    "wse_mlir/frontend/onnx_files.py": _OPTIONAL,
    "wse_mlir/runtime/cpu/jit.py": _LATER,
    "wse_mlir/runtime/cpu/target.py": _LATER,
    "wse_mlir/tools/command_options.py": _COMMANDS,
    "wse_mlir/tools/entry_points.py": _COMMANDS,
    "wse_mlir/tools/opt/driver.py": _COMMANDS,
    "wse_mlir/tools/opt/information.py": _COMMANDS,
    "wse_mlir/tools/opt/irdl.py": _COMMANDS,
    "wse_mlir/tools/output.py": _COMMANDS,
    "wse_mlir/tools/pictures.py": _OPTIONAL,
    "wse_mlir/tools/simulate.py": _OPTIONAL,
    "wse_mlir/tools/wse.py": _COMMANDS,
    "wse_mlir/tools/wse_opt.py": _COMMANDS,
    "wse_mlir/tools/wse_reduce.py": _COMMANDS,
}


def test_imports_are_at_the_top_but_for_a_reason() -> None:
    late = set()
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        inside = [node for function in functions for node in ast.walk(function)]
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in inside):
            late.add(path.relative_to(ROOT).as_posix())
    assert late == set(LATE_IMPORTS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_inside_the_package_imports_are_relative(path: Path) -> None:
    own = {"dialects", "passes", "pipelines", "wse_target", "wse_mlir"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert (node.module or "").split(".")[0] not in own
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & own


def test_the_target_knows_no_mlir() -> None:
    for path in (ROOT / "wse_target").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [n for n in names if n.startswith(("torch", "mlir"))], path


def test_dialect_definitions_keep_their_annotations() -> None:
    """`ext` reads annotations at run time; postponing them makes load() fail."""
    for path in (ROOT / "dialects" / "wse").rglob("*.py"):
        text = path.read_text()
        if ".Operation" in text or ".Attribute" in text or ".Type" in text:
            assert "from __future__ import annotations" not in text, path


def test_listed_packages_are_those_on_disk() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    on_disk = {".".join(package_of(path)) for path in SOURCES}
    assert sorted(listed) == sorted(on_disk)
    assert all((ROOT / Path(*name.split(".")) / "__init__.py").exists() for name in listed)


def test_links_let_tools_see_the_package_as_python_does() -> None:
    for folder in ("dialects", "passes", "pipelines", "wse_target"):
        assert (ROOT / "wse_mlir" / folder).resolve() == ROOT / folder
