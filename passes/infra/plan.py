"""Resolves a pipeline's tree to passes that exist, with options that parse, on operations they may run on.

Everything is checked before anything runs, so that a misspelt last pass does not cost the run of the first ones.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from ...dialects.host import ir
from .diagnostics import CompilerError
from .pass_base import Pass
from .pipeline_text import Entry, PassEntry, PipelineEntry, PipelineSyntaxError, split_options
from .registry import find_pass, has_pass, pass_names
from .upstream import UpstreamPass, check_upstream_pass, has_upstream_pass
from .upstream_names import UPSTREAM_PASS_NAMES

ANY = "any"


@dataclass(frozen=True, eq=False)
class PythonStep:
    """One run of a Python pass."""

    python_pass: Pass

    @property
    def name(self) -> str:
        return self.python_pass.name

    def __str__(self) -> str:
        return str(self.python_pass)

    @property
    def spelt_out(self) -> str:
        return str(self.python_pass)


@dataclass(frozen=True, eq=False)
class UpstreamStep:
    """One run of a C++ pass."""

    upstream: UpstreamPass

    @property
    def name(self) -> str:
        return self.upstream.name

    def __str__(self) -> str:
        return self.upstream.text

    @property
    def spelt_out(self) -> str:
        return self.upstream.printed


@dataclass(frozen=True, eq=False)
class NestedStep:
    """Steps that run on each operation named `anchor` in the body of the enclosing one."""

    anchor: str
    steps: tuple[PlannedStep, ...]

    def __str__(self) -> str:
        return f"{self.anchor}({','.join(str(step) for step in self.steps)})"

    @property
    def spelt_out(self) -> str:
        """The pipeline with every option of upstream's passes, defaults included; a line a pass."""
        inside = ",\n".join(textwrap.indent(step.spelt_out, "  ") for step in self.steps)
        return f"{self.anchor}(\n{inside}\n)"

    def leaves(self) -> Iterator[PythonStep | UpstreamStep]:
        """The passes, in order."""
        for step in self.steps:
            if isinstance(step, NestedStep):
                yield from step.leaves()
            else:
                yield step


PlannedStep = PythonStep | UpstreamStep | NestedStep


def near_passes(name: str) -> list[str]:
    """Names of known passes that look like `name`, best first."""
    return difflib.get_close_matches(name, [*pass_names(), *UPSTREAM_PASS_NAMES], n=3)


def plan_pipeline(pipeline: PipelineEntry, context: ir.Context, *, text: str = "") -> NestedStep:
    """Resolves a parsed pipeline.

    Args:
        pipeline: the tree that `parse_pipeline` returned.
        context: where upstream's passes are looked up.
        text: the pipeline as the user wrote it; mistakes are shown below their column of it.

    Raises:
        CompilerError: an unknown pass, a wrong option, or a pass that cannot run where it stands.
    """
    return _Planner(context, text or str(pipeline)).nested(pipeline)


@dataclass(frozen=True)
class _Planner:
    context: ir.Context
    text: str

    def nested(self, pipeline: PipelineEntry) -> NestedStep:
        return NestedStep(pipeline.anchor, tuple(self.step(e, pipeline.anchor) for e in pipeline.entries))

    def step(self, entry: Entry, anchor: str) -> PlannedStep:
        if isinstance(entry, PipelineEntry):
            return self.nested(entry)
        try:
            return (
                self.python_step(entry, anchor) if has_pass(entry.name) else self.upstream_step(entry, anchor)
            )
        except PipelineSyntaxError:
            raise
        except CompilerError as error:
            raise PipelineSyntaxError(self.text, entry.column, error.message, hint=error.hint) from None

    def python_step(self, entry: PassEntry, anchor: str) -> PlannedStep:
        cls = find_pass(entry.name)
        step = PythonStep(cls.from_options(split_options(entry.options)))
        if cls.anchor is None or anchor in (cls.anchor, ANY):
            return step
        if anchor == "builtin.module":
            return NestedStep(cls.anchor, (step,))
        raise CompilerError(f"pass '{entry.name}' runs on '{cls.anchor}', not on '{anchor}'")

    def upstream_step(self, entry: PassEntry, anchor: str) -> PlannedStep:
        if not has_upstream_pass(entry.name, self.context):
            near = near_passes(entry.name)
            hint = f"did you mean {' or '.join(near)}?" if near else "wse-opt --list-passes lists them"
            raise CompilerError(f"no pass is named '{entry.name}'", hint=hint)
        return UpstreamStep(check_upstream_pass(entry.name, entry.options, anchor, self.context))
