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


def test_files_that_documents_name_are_there() -> None:
    named = re.compile(r"`((?:wse_target|dialects|passes|pipelines|wse_mlir|test|bench|examples)/[\w./-]+)`")
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    found = {(document.name, path) for document in documents for path in named.findall(document.read_text())}
    assert found
    assert {(document, path) for document, path in found if not (ROOT / path).exists()} == set()


def test_words_of_the_glossary_are_those_of_the_code() -> None:
    """Types and passes that it names are defined somewhere."""
    text = (ROOT / "docs" / "glossary.md").read_text()
    types, passes = set(re.findall(r"`([A-Z]\w+)`", text)), set(re.findall(r"`(wse-[\w-]+)[`{]", text))
    code = "\n".join(path.read_text() for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    assert types - set(re.findall(r"^(?:class )?([A-Z]\w+)(?:\(.*|:| =.*)$", code, re.MULTILINE)) == set()
    assert passes - set(BUILTIN) - {"wse-opt", "wse-reduce"} == set()
    assert types and passes
