"""Prints the IR before and after passes, in mlir-opt's format, to a text stream."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from ...dialects.host import ir


@dataclass(frozen=True)
class PrintStyle:
    """How operations are printed: the counterparts of mlir-opt's printing flags.

    Attributes:
        elements_limit: element count above which dense constants are printed as `__elided__`; None prints all.
        resource_limit: the same for the characters of resources.
    """

    debug_info: bool = False
    pretty_debug_info: bool = False
    generic: bool = False
    local_scope: bool = False
    skip_regions: bool = False
    name_locations: bool = False
    assume_verified: bool = False
    elements_limit: int | None = None
    resource_limit: int | None = None

    def print(self, op: ir.Operation, *, local_scope: bool = False, generic: bool = False) -> str:
        """The operation's text, without a trailing newline."""
        text: Any = op.get_asm(
            large_elements_limit=self.elements_limit,
            large_resource_limit=self.resource_limit,
            enable_debug_info=self.debug_info or self.pretty_debug_info,
            pretty_debug_info=self.pretty_debug_info,
            print_generic_op_form=self.generic or generic,
            use_local_scope=self.local_scope or local_scope,
            use_name_loc_as_prefix=self.name_locations,
            assume_verified=self.assume_verified,
            skip_regions=self.skip_regions,
        )
        return text.rstrip("\n")


@dataclass
class IRPrinting:
    """Which passes the IR is printed around.

    Attributes:
        before, after: names of passes.
        only_on_change: after a pass, print only if the operation's text changed.
        only_on_failure: after a pass, print only if it failed.
        module_scope: print the whole module, not the operation the pass ran on.
        folder: a tree of files below it takes each print in a file of its own, in place of the stream.
    """

    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    before_all: bool = False
    after_all: bool = False
    only_on_change: bool = False
    only_on_failure: bool = False
    module_scope: bool = False
    style: PrintStyle = field(default_factory=PrintStyle)
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    folder: Path | None = None
    _numbers: dict[str, int] = field(default_factory=dict)

    def wants_after(self, name: str) -> bool:
        return self.after_all or name in self.after

    def fingerprint(self, name: str, op: ir.Operation) -> str:
        """What `print_after` compares with; empty when no comparison is wanted."""
        if not (self.only_on_change and self.wants_after(name)):
            return ""
        return str(op.get_asm(print_generic_op_form=True, enable_debug_info=True))

    def print_before(self, name: str, title: str, op: ir.Operation) -> None:
        if self.before_all or name in self.before:
            self._dump(f"Before {title}", op, name)

    def print_after(self, name: str, title: str, op: ir.Operation, fingerprint: str) -> None:
        if not self.wants_after(name) or self.only_on_failure:
            return
        if self.only_on_change and self.fingerprint(name, op) == fingerprint:
            return
        self._dump(f"After {title}", op, name)

    def print_failed(self, pass_name: str, title: str, op: ir.Operation) -> None:
        """After a failure the IR may be invalid: it is printed in the generic form, as mlir-opt does."""
        if self.wants_after(pass_name) or self.only_on_failure:
            name, _, arguments = title.partition(": ")
            generic = not self.style.assume_verified
            self._dump(f"After {name} Failed: {arguments}", op, pass_name, generic=generic)

    def _dump(self, title: str, op: ir.Operation, pass_name: str, *, generic: bool = False) -> None:
        shown, scope = op, ""
        if self.module_scope:
            symbol = (
                f": @{ir.StringAttr(op.attributes['sym_name']).value}" if "sym_name" in op.attributes else ""
            )
            scope = f" ('{op.name}' operation{symbol})"
            shown = _outermost(op)
        nested = _parent(shown) is not None
        text = self.style.print(shown, local_scope=nested, generic=generic)
        end = "\n" if nested else "\n\n"
        dump = f"// -----// IR Dump {title}{scope} //----- //\n{text}\n{end}"
        if self.folder is not None:
            self._write_file(dump, self.folder, op, pass_name)
            return
        self.stream.write(dump)
        self.stream.flush()

    def _write_file(self, dump: str, folder: Path, op: ir.Operation, pass_name: str) -> None:
        """As mlir-opt names files: a folder an operation, and in a file's name the count of prints of each of them."""
        places = [_file_name(around) for around in reversed(_with_ancestors(op))]
        paths = ["/".join(places[: k + 1]) for k in range(len(places))]
        for path in paths[:-1]:
            self._numbers.setdefault(path, 0)
        self._numbers[paths[-1]] = self._numbers.get(paths[-1], -1) + 1
        numbers = "_".join(str(self._numbers[path]) for path in paths)
        target = folder / paths[-1] / f"{numbers}_{pass_name}.mlir"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(dump, encoding="utf-8")


def _with_ancestors(op: ir.Operation) -> list[ir.Operation]:
    """The operation and those around it, from the inside out."""
    around = [op]
    while (parent := _parent(around[-1])) is not None:
        around.append(parent)
    return around


def _file_name(op: ir.Operation) -> str:
    symbol = (
        ir.StringAttr(op.attributes["sym_name"]).value if "sym_name" in op.attributes else "no-symbol-name"
    )
    return f"{op.name.replace('.', '_')}_{symbol}".replace("/", "_")


def _outermost(op: ir.Operation) -> ir.Operation:
    return _with_ancestors(op)[-1]


def _parent(op: ir.Operation) -> ir.Operation | None:
    """The operation around this one; asking the bindings is an error where one was parsed or cloned for itself."""
    return op.parent.operation if op.attached and op.parent is not None else None
