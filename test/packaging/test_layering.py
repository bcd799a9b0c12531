"""The folders are the architecture: imports point left only, and the wheel holds what the disk holds."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ["wse_target", "dialects", "passes", "pipelines", "wse_mlir"]
SOURCES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))


def package_of(path: Path) -> list[str]:
    """The dotted package of a source file, as installed: dialects/wse/ops.py -> wse_mlir, dialects, wse."""
    parts = list(path.relative_to(ROOT).parts[:-1])
    return parts if parts[0] == "wse_mlir" else ["wse_mlir", *parts]


def imported_modules(path: Path) -> list[list[str]]:
    """Dotted names of what a file imports by relative imports, as installed."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom) or node.level == 0:
            continue
        base = package_of(path)
        base = base[: len(base) - (node.level - 1)]
        target = [*base, *(node.module or "").split(".")]
        found += [target] if node.module else [[*base, alias.name] for alias in node.names]
    return found


def imported_layers(path: Path) -> set[str]:
    """Names of the top-level folders that a file imports from, through relative imports."""
    return {name[1] for name in imported_modules(path) if len(name) > 1 and name[1] in LAYERS}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_left(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0]
    allowed = set(LAYERS[: LAYERS.index(layer) + 1])
    assert imported_layers(path) <= allowed


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_inside_the_package_imports_are_relative(path: Path) -> None:
    own = {"dialects", "passes", "pipelines", "wse_target", "wse_mlir"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert (node.module or "").split(".")[0] not in own
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & own


def test_passes_for_both_targets_know_neither() -> None:
    for path in (ROOT / "passes" / "tensor").rglob("*.py"):
        rooms = {name[2] for name in imported_modules(path) if name[1] == "passes" and len(name) > 2}
        assert not rooms & {"cpu", "wafer"}, path


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
    assert all((ROOT / Path(*name.split(".")[1:]) / "__init__.py").exists() for name in listed[1:])
