"""Finds passes by name; a pass's module is imported when the pass is first asked for."""

from __future__ import annotations

import difflib
import functools
import importlib
import re
from importlib.metadata import EntryPoint, entry_points

from .diagnostics import CompilerError
from .options import annotations_of
from .pass_base import Pass
from .upstream_names import UPSTREAM_PASS_NAMES

_PACKAGE = __package__.rsplit(".", 1)[0] if __package__ else ""

# name -> "module:Class", relative to the `passes` package
BUILTIN: dict[str, str] = {
    "wse-invert-divisors": "tensor.algebra.wse_invert_divisors:InvertDivisors",
    "wse-softmax-reciprocals": "tensor.algebra.wse_softmax_reciprocals:SoftmaxReciprocals",
    "wse-lower-tm-tensor": "tensor.loops.wse_lower_tm_tensor:LowerTmTensor",
    "wse-expand-scans": "tensor.loops.wse_expand_scans:ExpandScans",
    "wse-block-scans": "wafer.prepare.wse_block_scans:BlockScans",
    "wse-separate-extremes": "wafer.prepare.wse_separate_extremes:SeparateExtremes",
    "wse-check-indices": "tensor.checks.wse_check_indices:CheckIndices",
    "wse-check-divisions": "tensor.checks.wse_check_divisions:CheckDivisions",
    "wse-guard-arc-tangents": "tensor.algebra.wse_guard_arc_tangents:GuardArcTangents",
    "wse-collect-checks": "tensor.checks.wse_collect_checks:CollectChecks",
    "wse-generalize": "tensor.simplify.wse_generalize:Generalize",
    "wse-accumulate": "tensor.contraction.wse_accumulate:Accumulate",
    "wse-narrow-factors": "tensor.contraction.wse_narrow_factors:NarrowFactors",
    "wse-specialize": "tensor.simplify.wse_specialize:Specialize",
    "wse-fuse": "tensor.fuse.wse_fuse:Fuse",
    "wse-fold-constants": "tensor.simplify.wse_fold_constants:FoldConstants",
    "wse-dce": "tensor.simplify.wse_dce:DeadCode",
    "wse-tile": "tensor.loops.wse_tile:Tile",
    "wse-bufferize": "tensor.bufferization.wse_bufferize:Bufferize",
    "wse-unfuse-parameters": "tensor.prepack.wse_unfuse_parameters:UnfuseParameters",
    "wse-loop-state-in-place": "tensor.loops.wse_loop_state_in_place:LoopStateInPlace",
    "wse-block-attention": "tensor.loops.wse_block_attention:BlockAttention",
    "wse-unroll-loops": "tensor.loops.wse_unroll_loops:UnrollLoops",
    "wse-pack-weights": "cpu.prepack.wse_pack_weights:PackWeights",
    "wse-fold-zero-points": "cpu.prepack.wse_fold_zero_points:FoldZeroPoints",
    "wse-widen-rows": "cpu.prepack.wse_widen_rows:WidenRows",
    "wse-split-parameters": "tensor.prepack.wse_split_parameters:SplitParameters",
    "wse-split-dims": "tensor.simplify.wse_split_dims:SplitDims",
    "wse-transpose-parameters": "tensor.prepack.wse_transpose_parameters:TransposeParameters",
    "wse-stack-reductions": "tensor.contraction.wse_stack_reductions:StackReductions",
    "wse-shape-interface": "wafer.prepare.wse_shape_interface:ShapeInterface",
    "wse-drop-unit-dims": "tensor.simplify.wse_drop_unit_dims:DropUnitDims",
    "wse-permute-insertions": "tensor.simplify.wse_permute_insertions:PermuteInsertions",
    "wse-winograd-convolutions": "cpu.winograd.wse_winograd_convolutions:WinogradConvolutions",
    "wse-separate-resampling": "tensor.algebra.wse_separate_resampling:SeparateResampling",
    "wse-transposed-convolutions": "tensor.algebra.wse_transposed_convolutions:TransposedConvolutions",
    "wse-reroll-loops": "tensor.loops.wse_reroll_loops:RerollLoops",
    "wse-shrink-padded-filters": "tensor.simplify.wse_shrink_padded_filters:ShrinkPaddedFilters",
    "wse-inline-masks": "cpu.masks.wse_inline_masks:InlineMasks",
    "wse-sink-epilogues": "tensor.fuse.wse_sink_epilogues:SinkEpilogues",
    "wse-read-bytes": "cpu.masks.wse_read_bytes:ReadBytes",
    "wse-absorb-reshapes": "tensor.simplify.wse_absorb_reshapes:AbsorbReshapes",
    "wse-form-kernels": "cpu.kernels.wse_form_kernels:FormKernels",
    "wse-plan-arena": "cpu.memory.wse_plan_arena:PlanArena",
    "wse-tile-and-fuse": "cpu.kernels.wse_tile_and_fuse:TileAndFuse",
    "wse-expand-copies": "cpu.memory.wse_expand_copies:ExpandCopies",
    "wse-vectorize": "cpu.vectorize.wse_vectorize:Vectorize",
    "wse-parallelize": "cpu.parallel.wse_parallelize:Parallelize",
    "wse-bare-pointers": "cpu.llvm.wse_bare_pointers:BarePointers",
    "wse-fork-threads": "cpu.parallel.wse_fork_threads:ForkThreads",
    "wse-bound-allocations": "cpu.memory.wse_bound_allocations:BoundAllocations",
    "wse-name-allocations": "cpu.memory.wse_name_allocations:NameAllocations",
    "wse-expand-half": "cpu.math.wse_expand_half:ExpandHalf",
    "wse-round-conversions": "cpu.math.wse_round_conversions:RoundConversions",
    "wse-expand-math": "cpu.math.wse_expand_math:ExpandMath",
    "wse-channels-last": "tensor.layout.wse_channels_last:ChannelsLast",
    "wse-pad-in-place": "cpu.memory.wse_pad_in_place:PadInPlace",
    "wse-debug-locations": "cpu.llvm.wse_debug_locations:DebugLocations",
    "wse-outline-parts": "wafer.parts.wse_outline_parts:OutlineParts",
    "wse-outline-regions": "wafer.parts.wse_outline_regions:OutlineRegions",
    "wse-stream-interface": "wafer.parts.wse_stream_interface:StreamInterface",
    "wse-partition": "wafer.shard.wse_partition:Partition",
    "wse-place": "wafer.place.wse_place:Place",
    "wse-lift-numbers": "wafer.prepare.wse_lift_numbers:LiftNumbers",
    "wse-return-checks": "wafer.prepare.wse_return_checks:ReturnChecks",
    "wse-generalize-writes": "wafer.prepare.wse_generalize_writes:GeneralizeWrites",
    "wse-own-tables": "wafer.prepare.wse_own_tables:OwnTables",
    "wse-separate-reads": "wafer.prepare.wse_separate_reads:SeparateReads",
    "wse-bind-tables": "wafer.prepare.wse_bind_tables:BindTables",
    "wse-compose-functions": "wafer.prepare.wse_compose_functions:ComposeFunctions",
    "wse-emit-programs": "wafer.emit.wse_emit_programs:EmitPrograms",
    "wse-route": "wafer.route.wse_route:RouteColours",
    "wse-plan-memory": "wafer.memory.wse_plan_memory:PlanMemory",
    "wse-share-text": "wafer.memory.wse_share_text:ShareText",
}

_registered: dict[str, type[Pass]] = {}


def register_pass(cls: type[Pass]) -> type[Pass]:
    """Makes a pass known by its name; usable as a decorator in a plugin's module.

    Raises:
        CompilerError: another pass of the same name exists, here or upstream, or the name or an option cannot
            be written in a pipeline.
    """
    known = _registered.get(cls.name)
    if not cls.name:
        raise CompilerError(
            f"pass class {cls.__qualname__} has no name", hint="class X(Pass, name='my-pass')"
        )
    if not re.fullmatch(r"[A-Za-z0-9_.\-]+", cls.name):
        raise CompilerError(
            f"a pass cannot be named '{cls.name}'", hint="letters, digits, '-', '_' and '.' can be used"
        )
    annotations_of(cls)
    if (
        cls.name in BUILTIN
        or cls.name in UPSTREAM_PASS_NAMES
        or (known is not None and known.__qualname__ != cls.__qualname__)
    ):
        raise CompilerError(f"a pass named '{cls.name}' exists already", hint="choose another name")
    _registered[cls.name] = cls
    return cls


@functools.cache
def _plugin_targets() -> dict[str, EntryPoint]:
    points = sorted(entry_points(group="wse_mlir.passes"), key=lambda point: (point.name, point.value))
    return {point.name: point for point in points}


def _load(point: EntryPoint) -> type[Pass]:
    """The pass that an installed package announces.

    Raises:
        CompilerError: it cannot be imported or is no pass of that name; names the package.
    """
    package = point.dist.name if point.dist is not None else "an unknown package"
    try:
        cls = point.load()
    except Exception as error:
        message = f"pass '{point.name}' ({point.value}) of {package} cannot be imported: {error}"
        raise CompilerError(message) from error
    if not (isinstance(cls, type) and issubclass(cls, Pass) and cls.name == point.name):
        raise CompilerError(f"{point.value} of {package} is not a pass named '{point.name}'")
    return cls


def pass_names() -> list[str]:
    """Names of every Python pass that can be found, sorted; imports none of them."""
    return sorted({*BUILTIN, *_registered, *_plugin_targets()})


def has_pass(name: str) -> bool:
    """Whether a Python pass of that name exists."""
    return name in BUILTIN or name in _registered or name in _plugin_targets()


def find_pass(name: str) -> type[Pass]:
    """Returns the pass class of that name, importing its module.

    Raises:
        CompilerError: there is no such pass; the message offers names that are near.
    """
    if name in _registered:
        return _registered[name]
    if name in BUILTIN:
        module, _, attribute = BUILTIN[name].partition(":")
        return getattr(importlib.import_module(f"{_PACKAGE}.{module}"), attribute)
    point = _plugin_targets().get(name)
    if point is not None:
        return _load(point)
    near = difflib.get_close_matches(name, pass_names(), n=3)
    raise CompilerError(
        f"no pass is named '{name}'", hint=f"did you mean {' or '.join(near)}?" if near else ""
    )
