"""Which files of the package import which: `make imports` prints the graph by folder, and what is wrong with it.

Imports inside functions count: they hide a cycle from Python, and not from a reader. Those for type checkers alone
count as well.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import networkx
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("wse_target", "dialects", "passes", "pipelines", "wse_mlir")


@dataclass(frozen=True)
class Import:
    """One file's import of another.

    Attributes:
        importer: a file, from the project's root.
        imported: another one.
        line: where it is imported.
        inside: whether in a function.
    """

    importer: Path
    imported: Path
    line: int
    inside: bool


def sources() -> list[Path]:
    """The package's Python files, from the project's root; folders that are linked into others are met once."""
    return sorted(path.relative_to(ROOT) for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))


def imports() -> list[Import]:
    """All imports between the package's files."""
    files = {_module(path): path for path in sources()}
    return [found for path in files.values() for found in _imports(path, files)]


def layer(path: Path) -> int:
    """The position of a file's folder among the layers; a file may import from its own and those before it."""
    return LAYERS.index(path.parts[0])


def arrows_back(found: list[Import]) -> list[Import]:
    """Imports from layers that come later, and from passes for one target where those for both are."""
    both = Path("passes/tensor")
    return [
        i
        for i in found
        if layer(i.imported) > layer(i.importer)
        or (both in i.importer.parents and i.imported.parts[:2] in (("passes", "cpu"), ("passes", "wafer")))
    ]


def cycles(found: list[Import]) -> list[list[Path]]:
    """Sets of files that import each other, in turns."""
    graph = networkx.DiGraph((i.importer, i.imported) for i in found)
    return sorted(sorted(c) for c in networkx.strongly_connected_components(graph) if len(c) > 1)


def _module(path: Path) -> tuple[str, ...]:
    parts = path.with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return parts if parts[:1] == ("wse_mlir",) else ("wse_mlir", *parts)


def _imports(path: Path, files: dict[tuple[str, ...], Path]) -> Iterator[Import]:
    tree = ast.parse((ROOT / path).read_text())
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    package = _module(path) if path.name == "__init__.py" else _module(path)[:-1]
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.level == 0:
            continue
        base = (*package[: len(package) - (node.level - 1)], *(node.module.split(".") if node.module else ()))
        for name in node.names:
            imported = files.get((*base, name.name), files.get(base))
            if imported is not None and imported != path:
                yield Import(path, imported, node.lineno, id(node) in inside)


def _folder(path: Path) -> str:
    return "/".join(path.parts[: min(len(path.parts) - 1, 2)])


def main() -> int:
    """Prints the graph; 1 if there is a cycle or an arrow back."""
    found = imports()
    arrows = Counter((_folder(i.importer), _folder(i.imported)) for i in found)
    table = Table("folder", "imports from (times)")
    for folder in sorted({_folder(path) for path in sources()}):
        others = {to: count for (frm, to), count in arrows.items() if frm == folder != to}
        table.add_row(folder, ", ".join(f"{to} {others[to]}" for to in sorted(others)))
    console = Console(width=160)
    console.print(table)
    wrong = [f"{i.importer}:{i.line} imports {i.imported}" for i in arrows_back(found)]
    rings = [" <-> ".join(map(str, ring)) for ring in cycles(found)]
    for text in (*wrong, *rings):
        console.print(text)
    console.print(f"{len(found)} imports, {len(wrong)} arrows back, {len(rings)} cycles")
    return int(bool(wrong or rings))


if __name__ == "__main__":
    sys.exit(main())
