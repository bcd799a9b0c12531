"""Where an operation came from in the user's model, written into and read back from MLIR locations.

An operation that was imported from a model carries

    loc(fused<"aten.linear">["encoder.linear1"("/home/me/model.py":12:0)])

the ATen operator that the user called, the path of the module that called it, and the innermost frame
of the user's own code. Rewrites keep or fuse locations, so this survives to the last stage.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from .host import ir


@dataclass(frozen=True)
class Provenance:
    """A place in the user's model; what is not known is empty (or line 0).

    Attributes:
        module_path: the submodule, as `named_modules()` calls it ("encoder.linear1"); "" for the model itself.
        file: path of the source file.
        line: line in `file`, from 1.
        operator: the operator as the user called it, without its overload ("aten.linear").
    """

    module_path: str = ""
    file: str = ""
    line: int = 0
    operator: str = ""

    @property
    def is_known(self) -> bool:
        """Whether anything at all is known."""
        return bool(self.module_path or self.file or self.operator)

    def __str__(self) -> str:
        source = os.path.basename(self.file)
        if self.line:  # a module that nobody wrote down begins at line 0
            source += f":{self.line}"
        if not self.module_path and not self.operator:
            return source or "unknown location"
        details = ", ".join(part for part in (source, self.operator) if part)
        name = self.module_path or "model"
        return f"{name} ({details})" if details else name


def make_location(provenance: Provenance, context: ir.Context | None = None) -> ir.Location:
    """Encodes a provenance as a location; `read_location` gives it back."""
    location: ir.Location = ir.Location.unknown(context)
    if provenance.file:
        location = ir.Location.file(provenance.file, provenance.line, 0, context=context)
    if provenance.module_path:
        location = ir.Location.name(provenance.module_path, childLoc=location, context=context)
    if provenance.operator:
        operator = ir.StringAttr.get(provenance.operator, context=context)
        location = ir.Location.fused([location], operator, context=context)
    return location


def all_provenances(location: ir.Location) -> tuple[Provenance, ...]:
    """Every known place in a location, in order and without repetition (a fused operation has several)."""
    return tuple(dict.fromkeys(p for p in _walk(location) if p.is_known))


def read_location(location: ir.Location) -> Provenance:
    """The place an operation is attributed to: the first that names a module, else the first known one."""
    found = all_provenances(location)
    for provenance in found:
        if provenance.module_path:
            return provenance
    return found[0] if found else Provenance()


def describe_location(location: ir.Location) -> str:
    """A location for people, e.g. `encoder.linear1 (model.py:12, aten.linear)`."""
    return str(read_location(location))


def _walk(location: ir.Location) -> Iterator[Provenance]:
    if type(location) is ir.Location:  # a diagnostic's location does not know what it is
        location = ir.Location.from_attr(location.attr, location.context)
    if isinstance(location, ir.FileLineColLoc):
        yield Provenance(file=location.filename, line=location.start_line)
    elif isinstance(location, ir.NameLoc):
        inner = next(_walk(location.child_loc), Provenance())
        yield Provenance(location.name_str, inner.file, inner.line, inner.operator)
    elif isinstance(location, ir.CallSiteLoc):
        yield from _walk(location.callee)
        yield from _walk(location.caller)
    elif isinstance(location, ir.FusedLoc):
        operator = _operator_of(location)
        if operator is None:
            for child in _children(location):
                yield from _walk(child)
        else:
            inner = next((p for child in _children(location) for p in _walk(child)), Provenance())
            yield Provenance(inner.module_path, inner.file, inner.line, operator)


def _children(location: ir.FusedLoc) -> list[ir.Location]:
    return list(location.locations)  # type: ignore[arg-type]  # the stubs say object


def _operator_of(location: ir.FusedLoc) -> str | None:
    if location.metadata is None:
        return None
    try:
        return ir.StringAttr(location.metadata).value
    except ValueError:  # metadata that is not ours
        return None
