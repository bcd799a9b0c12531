"""Which symbols an operation refers to, in any of its attributes and of what it contains."""

from __future__ import annotations

from ...dialects.host import ir


def referenced_symbols(root: ir.Operation) -> list[str]:
    """Names of the symbols referred to in `root`, in order of first appearance, without repetition."""
    found: dict[str, None] = {}

    def visit(op: ir.Operation) -> ir.WalkResult:
        for name in op.attributes:
            _collect(op.attributes[name], found)
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
    elif not isinstance(attribute, ir.ElementsAttr if hasattr(ir, "ElementsAttr") else ir.DenseElementsAttr):
        _collect_from_text(attribute, found)


def _collect_from_text(attribute: ir.Attribute, found: dict[str, None]) -> None:
    """Attributes of other dialects show their references only in their text."""
    text = str(attribute) if type(attribute) is ir.Attribute else ""
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
