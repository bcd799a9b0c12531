"""The base class of every pass written in Python."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from .diagnostics import PassFailure, Remark, Remarks
from .options import build_from_text, fields_of, option, option_name, print_value

if TYPE_CHECKING:
    from ...dialects.host import ir

__all__ = ["Pass", "PassRun", "option"]


@dataclasses.dataclass
class PassRun:
    """What a pass may tell about one run of itself: statistics and remarks.

    Attributes:
        previous_pass: the pass that ran before this one in the pipeline; empty for the first.
    """

    pass_name: str
    previous_pass: str = ""
    statistics: Counter[str] = dataclasses.field(default_factory=Counter)
    remarks: Remarks = dataclasses.field(default_factory=Remarks)

    def count(self, what: str, amount: int = 1) -> None:
        """Adds to the statistic `what` (e.g. "ops fused")."""
        self.statistics[what] += amount

    def remark(self, at: ir.Operation | ir.OpView | None, message: str, **data: Any) -> None:
        """Records why something was done or left alone, at an operation's location; `data` is for programs to read."""
        location = "" if at is None else str(at.location)
        self.remarks.items.append(Remark(self.pass_name, message, location, data))


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(option,))
class Pass:
    """One transformation of the IR. A subclass is a frozen dataclass whose fields are its options.

        class WseExample(Pass, name="wse-example", anchor="func.func"):
            '''One sentence on what it does.

            Before / after as short IR.
            '''
            factor: int = option(2, "how often")

            def run(self, op, run): ...

    Class attributes:
        name: the name in pipelines and on the command line.
        anchor: the operation the pass runs on ("func.func", "builtin.module"); None for any.
            At module level a func.func pass must be nested: `func.func(wse-example)`; the pass
            manager does that itself for shorthand flags.
    """

    name: ClassVar[str] = ""
    anchor: ClassVar[str | None] = None

    def __init_subclass__(cls, *, name: str = "", anchor: str | None = None) -> None:
        super().__init_subclass__()
        cls.name = name or cls.name
        cls.anchor = anchor or cls.anchor
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)

    def run(self, op: ir.Operation, run: PassRun) -> None:
        """Transforms `op` in place. Raises `PassFailure` to fail; must leave `op` verifiable."""
        raise PassFailure(op, f"'{self.name}' does not define run()", hint="def run(self, op, run): ...")

    @classmethod
    def from_options(cls, texts: dict[str, str]) -> Pass:
        """Makes the pass from textual options, e.g. `{"sizes": "8,16,0"}`."""
        return build_from_text(cls, texts, pass_name=cls.name)

    def __str__(self) -> str:
        """The pass as written in a pipeline, with the options that differ from their defaults."""
        parts = [
            f"{option_name(f.name)}={print_value(getattr(self, f.name))}"
            for f in fields_of(type(self))
            if getattr(self, f.name) != f.default
        ]
        return f"{self.name}{{{' '.join(parts)}}}" if parts else self.name
