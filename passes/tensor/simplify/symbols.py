"""Which symbols an operation refers to, in any of its attributes and of what it contains."""

from __future__ import annotations

from ....dialects.host import ir


def referenced_symbols(root: ir.Operation) -> list[str]:
    """Names of the symbols referred to in `root`, in order of first appearance, without repetition."""
    found: dict[str, None] = {}

    def visit(op: ir.Operation) -> ir.WalkResult:
        for name in op.attributes:
            try:
                attribute = op.attributes[name]
            except (
                TypeError
            ):  # the bindings have no class for it (complex numbers, locations): it names no symbol
                continue
            _collect(attribute, found)
        return ir.WalkResult.ADVANCE

    root.walk(visit)
    return list(found)


def _collect(attribute: ir.Attribute, found: dict[str, None]) -> None:
    if isinstance(attribute, ir.FlatSymbolRefAttr):
        found[attribute.value] = None
    elif isinstance(attribute, ir.SymbolRefAttr):
        found.update(dict.fromkeys(attribute.value))
    elif isinstance(attribute, ir.ArrayAttr):
        for element in attribute:
            _collect(element, found)
    elif isinstance(attribute, ir.DictAttr):
        for named in attribute:
            _collect(attribute[named] if isinstance(named, str) else named.attr, found)
    elif type(attribute) is ir.Attribute:
        _collect_from_text(str(attribute), found)


def _collect_from_text(text: str, found: dict[str, None]) -> None:
    """Attributes of other dialects, which the bindings do not open, show their references in their text."""
    for part in text.split("@")[1:]:
        name = part.split('"')[1] if part.startswith('"') else part
        found["".join(_identifier(name))] = None


def _identifier(text: str) -> list[str]:
    letters: list[str] = []
    for letter in text:
        if not (letter.isalnum() or letter in "_$.-"):
            break
        letters.append(letter)
    return letters
