"""The map in docs/architecture.md is of the folders that there are."""

import re
from pathlib import Path

from wse_mlir.passes.infra.registry import BUILTIN

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("wse_target", "dialects", "passes", "pipelines", "wse_mlir")


def test_every_folder_has_its_place_on_the_map_and_no_other_has() -> None:
    rows = re.findall(
        r"^\| `([\w/*]+/)` \|(.*)\|$", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE
    )
    named = {folder.rstrip("/") for folder, _ in rows if "*" not in folder}
    for folder, text in rows:
        named |= {f"{folder.rstrip('*/')}/{name}" for name in re.findall(r"`(\w+)/(?:`|\*)", text)}
    named |= {parent.as_posix() for folder in named for parent in Path(folder).parents} - {"."}
    packages = {
        path.parent.relative_to(ROOT).as_posix() for room in ROOMS for path in (ROOT / room).rglob("*.py")
    }
    assert packages - named == set()
    assert {folder for folder in named if not (ROOT / folder).is_dir()} == set()


def documents() -> dict[str, str]:
    return {path.name: path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))}


def test_files_that_documents_name_are_there() -> None:
    """By their whole path, or by the end of it; names that a document makes up are in capitals or written by it."""
    named = re.compile(r"`([\w./-]*[a-z_]+\.(?:py|c|h|ll|toml|mlir|md))`")
    folders = re.compile(rf"`((?:{'|'.join(ROOMS)}|test|bench|examples)/[\w./-]*/)`")
    skipped = {".git", ".venv", "build"}
    files = [
        path.relative_to(ROOT)
        for path in ROOT.rglob("*.*")
        if not skipped & set(path.relative_to(ROOT).parts)
    ]
    ends = {"/".join(path.parts[start:]) for path in files for start in range(len(path.parts))}
    found = {(name, path) for name, text in documents().items() for path in named.findall(text)}
    made = {
        (name, path)
        for name, text in documents().items()
        for path in re.findall(r"^```\w+ file=(\S+)", text, re.M)
    }
    assert found
    assert {(name, path) for name, path in found - made if path not in ends} == set()
    wrong = {(name, path) for name, text in documents().items() for path in folders.findall(text)}
    assert {(name, path) for name, path in wrong if not (ROOT / path).is_dir()} == set()


def test_sections_that_documents_name_are_there() -> None:
    """`[stages](stages.md), "Where state lives"` is a heading of that document, and `see "Families"` one of its own."""
    headings = {name: set(re.findall(r"^#+ (.+)$", text, re.M)) for name, text in documents().items()}
    found = set()
    for name, text in documents().items():
        flat = " ".join(text.split())
        found |= {(name, other, title) for other, title in re.findall(r'([\w-]+\.md)\)?, "([^"]+)"', flat)}
        found |= {(name, name, title) for title in re.findall(r'see "([^"]+)"', flat)}
    assert found
    assert {
        (name, other, title) for name, other, title in found if title not in headings.get(other, ())
    } == set()


def test_words_of_the_glossary_are_those_of_the_code() -> None:
    """Types and passes that it names are defined somewhere."""
    text = (ROOT / "docs" / "glossary.md").read_text()
    types, passes = set(re.findall(r"`([A-Z]\w+)`", text)), set(re.findall(r"`(wse-[\w-]+)[`{]", text))
    code = "\n".join(path.read_text() for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    assert types - set(re.findall(r"^(?:class )?([A-Z]\w+)(?:\(.*|:| =.*)$", code, re.MULTILINE)) == set()
    assert passes - set(BUILTIN) - {"wse-opt", "wse-reduce"} == set()
    assert types and passes
