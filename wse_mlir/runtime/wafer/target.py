"""The wafer target: runs the `wafer` pipeline, builds the program image, and calls it on the simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...dialects.host import ir
from ...frontend.imported import ImportedModel
from ...passes.infra.options import print_value
from ...passes.infra.pass_manager import Instrumentation, PipelineFailure, run_pipeline
from ...passes.infra.timing import Timer
from ...passes.wafer.communicate import remembered_ways
from ...passes.wafer.emit.kept_states import has_states
from ...passes.wafer.memory.wse_plan_memory import DoesNotFit
from ...passes.wafer.too_large import TooLarge
from ...pipelines.named import NamedPipeline, named_pipeline
from ...pipelines.rows import run
from ...wse_target.analysis.deadlock import require_free
from ...wse_target.image import Program
from ...wse_target.machine import Machine
from ...wse_target.machine_file import load_machine
from ...wse_target.sim.check import check_program
from .image_builder import build_image
from .key_blocks import TriedKeys, chosen_keys, other_keys, scores_of
from .options import is_thorough, keys, regions
from .preparation import compile_preparation, take_preparation
from .program import WaferProgram, printed_bytes, read_checks, read_constants, stage_bytes
from .regions.lowering import lower_regions
from .regions.objective import with_best_count
from .sram_shares import FIRST_SHARE, Shares

PREPARING = "prepare"  # the row of what the host computes of parameters
PLANNING = "attention"  # the row that the search for a plan begins with
_SPLIT = "func.func(wse-split-dims,wse-dce),canonicalize,cse"
_UNFUSE = "func.func(wse-unfuse-parameters,wse-dce)"
_STACK = (
    f"func.func(wse-stack-reductions,wse-dce),canonicalize,cse,{_UNFUSE},"
    "func.func(wse-transpose-parameters),wse-split-parameters"
)
PREPARE = f"{_UNFUSE},wse-split-parameters{{constants=false returned=false}},canonicalize,cse"
SPLIT_DIMS = f"{_SPLIT},{_STACK},wse-shape-interface"
SPLIT_DIMS_OF_PARTS = f"{_SPLIT},wse-shape-interface"  # parts have the model's own parameters


def pipeline_text(
    machine: str,
    options: Mapping[str, Any],
    sram_share: int = FIRST_SHARE,
    *,
    keep_states: bool = True,
    brief: int = 0,
    keys: int = 0,
    since: str = "",
) -> str:
    """The named pipeline `wafer` for one machine, with the target's options filled in.

    Args:
        keys: of a block of attention at most; 0 for all.
        since: the first row; all when empty.
    """
    rows = _pipeline(machine, options, sram_share, keep_states=keep_states, brief=brief)
    rows = rows.given({"wse-block-attention"}, keys=keys) if keys else rows
    return (rows.since(since) if since else rows).text


def pipeline_before(row: str, machine: str, options: Mapping[str, Any], then: str) -> str:
    """What `pipeline_text` runs in front of a row, and a pass of modules behind that."""
    rows = _pipeline(machine, options, FIRST_SHARE, keep_states=True, brief=0)
    if is_thorough(options):
        rows = rows.override(split_dims=SPLIT_DIMS_OF_PARTS)
    text = rows.before(row).text
    return f"{text.removesuffix(')')},{then})"


def _pipeline(
    machine: str, options: Mapping[str, Any], sram_share: int, *, keep_states: bool, brief: int
) -> NamedPipeline:
    rows = named_pipeline("wafer")
    if options.get("accumulate"):
        rows = rows.override(accumulate=accumulate_pass(options["accumulate"]))
    rows = rows.override(split_dims=SPLIT_DIMS) if is_thorough(options) else rows.override(prepare=PREPARE)
    asked = {name: options[name] for name in ("grid", "within", "algorithm", "effort") if options.get(name)}
    how = {"brief": True} if brief else {}
    partition = run("wse-partition", machine=machine, sram_share=sram_share, **how, **asked)
    rows = rows.changed(lambda entry: partition if entry.name == partition.name else entry)
    if not keep_states or brief:
        rows = rows.given({"wse-emit-programs"}, keep_states=keep_states, brief=brief)
    return rows.given({"wse-place"}, origin=options["origin"]) if options.get("origin") else rows


def accumulate_pass(element_type: str) -> str:
    """The pass that makes products sum in a type, as a pipeline of modules."""
    return f"func.func(wse-narrow-factors,wse-accumulate{{type={print_value(element_type)}}})"


def compile_program(
    imported: ImportedModel,
    machine: str,
    options: Mapping[str, Any],
    timer: Timer,
    instrumentation: Instrumentation | None = None,
    *,
    since: str = "",
) -> WaferProgram:
    """Compiles a model for a machine; consumes `imported.module`.

    Args:
        since: the row of the pipeline that its IR is at; the first one when not given.

    Raises:
        CompilerError: an operation has no lowering, or the model does not fit; says where and what to do.
    """
    description = load_machine(machine)
    with timer.scope("passes"):
        found = lower(imported.module, machine, options, instrumentation, since=since)
    preparation, lowered = compile_preparation(found.preparation, timer), found.module
    with timer.scope("image"):
        image, constants, stage = build_image(lowered), read_constants(lowered), stage_bytes(lowered)
        checks = read_checks(lowered)
    with timer.scope("proof"):
        facts = {
            "choices": found.choices,
            "deadlock": prove(image, description),
            "ir_bytes": printed_bytes(lowered),
        }
        if found.regions:
            facts["regions"] = list(found.regions)
        if found.tried:
            facts["regions_tried"] = list(found.tried)
    interface = imported.interface.without_data()
    return WaferProgram(stage, interface, description, image, tuple(constants), facts, checks, preparation)


def prove(program: Program, machine: Machine) -> str:
    """Checks a program against a machine before it runs: "free" of deadlock, or "undecided" and why.

    Raises:
        TargetError: the machine cannot run it, or it deadlocks.
    """
    check_program(program, machine)
    verdict = require_free(program, machine)
    return verdict.outcome if verdict.outcome == "free" else f"undecided: {verdict.reason}"


@dataclass(frozen=True)
class LoweredModule:
    """A model at stage `executable`.

    Attributes:
        choices: what the partitioner chose among (see `passes.wafer.explanation`).
        preparation: what computes tensors from the parameters, see `preparation`.
        regions: where each region is, if there are several; see `LinkedModule`.
        tried: numbers of regions with the intervals that their plans promise, where the number was open.
    """

    module: ir.Operation
    choices: list[dict[str, Any]]
    preparation: ImportedModel | None
    regions: Sequence[Mapping[str, Any]] = ()
    tried: Sequence[Mapping[str, Any]] = ()


@remembered_ways()
def lower(
    module: ir.Module,
    machine: str,
    options: Mapping[str, Any],
    instrumentation: Instrumentation | None = None,
    *,
    since: str = "",
    prepares: bool = True,
) -> LoweredModule:
    """The executable stage of `module`, which is left alone: one program, of several regions where these are asked for.

    Args:
        since: as for `compile_program`.
        prepares: whether the host computes what parameters determine, when these are bound; of regions it does not.

    Raises:
        CompilerError: a pass failed; of several plans that do not fit, the first one's message.
    """
    count = regions(options)
    if count is None:
        best, tried = with_best_count(
            lambda number: _lower_in(
                number, module, machine, options, instrumentation, since=since, prepares=prepares
            )
        )
        return replace(best, tried=tried)
    return _lower_in(count, module, machine, options, instrumentation, since=since, prepares=prepares)


def _lower_in(
    count: int,
    module: ir.Module,
    machine: str,
    options: Mapping[str, Any],
    instrumentation: Instrumentation | None,
    *,
    since: str,
    prepares: bool,
) -> LoweredModule:
    """`lower` with so many regions."""
    if count == 1:
        return _lower_whole(module, machine, options, instrumentation, since=since, prepares=prepares)
    outline = pipeline_before(PREPARING, machine, options, f"wse-outline-regions{{regions={count}}}")
    own = {name: value for name, value in options.items() if name not in ("regions", "grid", "origin")}

    def lower_region(region: ir.Operation, **given: Any) -> tuple[ir.Operation, list[dict[str, Any]]]:
        asked = {name: value for name, value in {**own, **given}.items() if value}
        found = _lower_whole(region, machine, asked, instrumentation, since=PLANNING)
        return found.module, found.choices

    made = lower_regions(module, machine, options, outline, lower_region)
    return LoweredModule(made.module, made.choices, None, made.regions)


def _lower_whole(
    module: ir.Module | ir.Operation,
    machine: str,
    options: Mapping[str, Any],
    instrumentation: Instrumentation | None = None,
    *,
    since: str = "",
    prepares: bool = True,
) -> LoweredModule:
    """`lower` for a program that is one region.

    Plans again with less memory for data when code and transfers need more than planned, with fewer colours when these
    run out, and gives up that states stay on the PEs when nothing else is left; with attention in blocks of keys where
    all scores take too much, or most of what there is.

    Args:
        since / prepares: as for `lower`.

    Raises:
        CompilerError: a pass failed; of several plans that do not fit, the first one's message.
    """
    watch = instrumentation or Instrumentation(verify_each=False)
    whole, preparation = module.operation.clone(), None
    rows = _pipeline(machine, options, FIRST_SHARE, keep_states=True, brief=0)
    rows = rows if prepares else rows.override(prepare="", split_dims="")
    rows = rows.since(since) if since else rows
    if any(stage.name == PLANNING for stage in rows.stages[1:]):
        run_pipeline(whole, rows.before(PLANNING).text, instrumentation=watch)
        preparation, since = take_preparation(whole), PLANNING
    found = _Attempts(whole, machine, options, watch, since, has_states(module.operation)).best()
    return LoweredModule(found.module, found.choices, preparation)


@dataclass(frozen=True)
class _Attempt:
    """A program with so many keys to a block of attention, or why there is none.

    Attributes:
        calls: cycles that calls of shared text take, which plans do not foresee.
    """

    keys: int
    result: LoweredModule | None
    failure: PipelineFailure | None = None
    calls: float = 0.0

    def told(self) -> TriedKeys:
        """For reports."""
        if self.result is None:
            return TriedKeys(self.keys, refused=str(self.failure.__cause__ if self.failure else ""))
        chosen = self.result.choices[0]["chosen"]
        return TriedKeys(self.keys, chosen["name"], chosen["cycles"], chosen["bytes"])

    @property
    def cycles(self) -> float:
        """Predicted, of a program that fits."""
        return self.told().cycles + self.calls


@dataclass(frozen=True)
class _Attempts:
    """Plans for a module that is ready to be planned, until one of their programs fits."""

    whole: ir.Operation
    machine: str
    options: Mapping[str, Any]
    watch: Instrumentation
    since: str
    has_states: bool

    def best(self) -> LoweredModule:
        """The program that fits and is predicted to be fastest, of those with more and fewer keys to a block.

        Raises:
            CompilerError: none fits; says why the first one does not.
        """
        asked, scores = keys(self.options), scores_of(self.whole)
        attempts = [self._with_keys(asked or 0)]
        first = attempts[0]
        may_block = first.result is not None or isinstance(
            first.failure and first.failure.__cause__, TooLarge
        )
        if asked is None and may_block:
            asked_grid = self.options.get("grid") or self.options.get("within", "")
            grid = first.told().grid or asked_grid
            for fewer in other_keys(scores, load_machine(self.machine), grid, fits=first.result is not None):
                attempts.append(self._with_keys(fewer))
                if attempts[-1].result is not None:
                    break
        fitting = [attempt for attempt in attempts if attempt.result is not None]
        if not fitting:
            assert first.failure is not None, "every attempt has either a program or a failure"
            raise first.failure
        chosen = min(fitting, key=lambda attempt: attempt.cycles)
        assert chosen.result is not None, "it is one of those"
        if scores:
            others = [attempt.told() for attempt in attempts if attempt is not chosen]
            chosen.result.choices[0]["attention"] = chosen_keys([*others, chosen.told()], scores)
        return chosen.result

    def _with_keys(self, number: int) -> _Attempt:
        failure: PipelineFailure | None = None
        for keep_states in (True, False):
            if not keep_states and not self.has_states:
                break
            shares, fitting = Shares(), list[_Attempt]()
            while shares.next is not None:
                made = self._planned(number, shares, keep_states=keep_states)
                if made.result is not None:
                    fitting.append(made)
                    shares.note_calls(made.calls, made.told().cycles)
                    continue
                if fitting:
                    break
                failure = failure or made.failure
                shares.note(made.failure and made.failure.__cause__)
            if fitting:
                return min(fitting, key=lambda attempt: attempt.cycles)
            if not isinstance(failure.__cause__ if failure else None, DoesNotFit):
                break
        return _Attempt(number, None, failure)

    def _planned(self, number: int, shares: Shares, *, keep_states: bool) -> _Attempt:
        assert shares.next is not None, "there is something to try"
        module = self.whole.clone()
        text = pipeline_text(
            self.machine, self.options, shares.next,
            keep_states=keep_states, brief=shares.brief, keys=number, since=self.since,
        )  # fmt: skip
        try:
            result = run_pipeline(module.operation, text, instrumentation=self.watch)
        except PipelineFailure as error:
            return _Attempt(number, None, error)
        told = [r for r in result.remarks if r.data]
        choices = [
            {"message": r.message, "location": r.location, **r.data}
            for r in told
            if r.pass_name == "wse-partition"
        ]
        calls = sum(r.data["cycles"] for r in told if r.pass_name == "wse-share-text")
        return _Attempt(number, LoweredModule(module.operation, choices, None), calls=calls)
