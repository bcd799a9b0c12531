"""Rows of the pipelines' tables: which passes, with which options, and why there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..passes.infra.pipeline_text import Entry, PassEntry, PipelineEntry


@dataclass(frozen=True)
class Stage:
    """A row of a pipeline's table.

    Attributes:
        name: the row's name, for people and for `override`.
        entries: its passes, as they stand inside `builtin.module(...)`.
        reason: one sentence: why the step is there.
        establishes: the stage contract that is checked after it; empty for none.
    """

    name: str
    entries: tuple[Entry, ...]
    reason: str
    establishes: str = ""

    @property
    def passes(self) -> str:
        """The passes in MLIR's textual syntax, separated by commas."""
        return ",".join(str(entry) for entry in self.entries)

    @property
    def text(self) -> str:
        """The passes and the check of what they establish."""
        check = f"wse-check-stage{{stage={self.establishes}}}" if self.establishes else ""
        return ",".join(part for part in (self.passes, check) if part)


def run(name: str, **options: Any) -> PassEntry:
    """A pass with options; underscores of their names stand for dashes."""
    return PassEntry(name).given(**options)


def functions(*passes: Entry | str) -> PipelineEntry:
    """Passes that run on every function."""
    return PipelineEntry("func.func", _entries(passes))


def row(name: str, passes: Sequence[Entry | str], reason: str, establishes: str = "") -> Stage:
    """A row; passes without options are given by name."""
    return Stage(name, _entries(passes), reason, establishes)


def _entries(passes: Sequence[Entry | str]) -> tuple[Entry, ...]:
    return tuple(PassEntry(entry) if isinstance(entry, str) else entry for entry in passes)


IMPORTED_STAGE = row(
    "lower-tm-tensor",
    ("wse-lower-tm-tensor",),
    "torch-mlir leaves scatter, sort and the like behind",
    "imported",
)

SCANS_STAGE = row(
    "scans",
    (functions("wse-expand-scans"),),
    "a CPU takes running sums one number after the other",
)

WAFER_SCANS_STAGE = row(
    "scans",
    (functions("wse-block-scans", "wse-separate-extremes"),),
    "PEs take the steps of many running sums at a time, and look for an extreme and its place side by side",
)

ACCUMULATE_STAGE = row(
    "accumulate", (), "products sum in the type they were imported with; wse-accumulate gives another"
)

# The CPU's row `lay-out` does it for those contractions whose form its registers gain by.
NARROW_STAGE = replace(
    ACCUMULATE_STAGE,
    entries=(functions("wse-narrow-factors"),),
    reason="products read the types that tensors have; they sum in the type they were imported with, and "
    "wse-accumulate gives another",
)

RETURN_STAGE = row(
    "return-checks",
    ("wse-return-checks",),
    "what a run asserts of indices and divisors becomes results for the host",
)

NUMBERS_STAGE = row(
    "numbers",
    (functions("wse-lift-numbers"), "canonicalize", "cse"),
    "PEs hold tensors and nothing between them: what a program computes of single elements is on tensors, too",
)

FOLD_STAGE = row(
    "fold",
    (functions("wse-fold-constants"), "canonicalize", "cse"),
    "what is known now is not computed later",
)


def _fusing(fuse: PassEntry, purpose: str) -> Stage:
    """Fusion of elementwise chains."""
    fused = functions("convert-elementwise-to-linalg", "wse-generalize", fuse, "wse-dce")
    return row("fuse", (fused, "canonicalize", "cse"), purpose, "tensor")


FUSE_STAGE = _fusing(run("wse-fuse"), "one pass over the data, not several")

# A PE keeps what it computes once: reading two operands again takes an instruction more, and keeps both alive.
WAFER_FUSE_STAGE = _fusing(
    run("wse-fuse", recompute_inputs=1),
    "one pass over the data, not several; what is computed of several tensors is not computed twice",
)

CHECK_STAGE = row(
    "checks",
    (functions("wse-collect-checks"), "canonicalize", "cse"),
    "what a run asserts, of indices above all, is told to the caller: nothing branches and nothing ends the process",
)

ROLL_STAGE = row(
    "reroll-loops",
    (functions("wse-reroll-loops"), "canonicalize", "cse"),
    "the steps of a recurrent model are one loop, however long the sequence is",
)

UNROLL_STAGE = row(
    "unroll-loops",
    (functions("wse-unroll-loops"), "canonicalize", "cse"),
    "PEs' programs are made of steps that are known: those of a recurrence are written out, each fused by itself",
)


def _simplify(drop: PassEntry) -> Stage:
    simplified = functions(
        "wse-separate-resampling", "wse-shrink-padded-filters", "wse-transposed-convolutions",
        "wse-permute-insertions", drop,
    )  # fmt: skip
    return row(
        "simplify",
        (simplified, "canonicalize", "cse"),
        "no products with zeros that padding or strides put there, no dimensions of size one: a window of one tap is "
        "none",
    )


SIMPLIFY_STAGE = _simplify(run("wse-drop-unit-dims"))
WAFER_SIMPLIFY_STAGE = _simplify(run("wse-drop-unit-dims", keep_products=True))

# PEs read by maps of iterators alone.
ABSORB_STAGE = row(
    "absorb",
    (functions(run("wse-absorb-reshapes", plain_maps=True)), "canonicalize", "cse"),
    "copies between operations become how they read and write",
)

# LLVM multiplies by reciprocals of powers of two, and the row `reciprocals` by those of a softmax's sums.
INVERT_STAGE = row(
    "invert",
    (functions("wse-invert-divisors"),),
    "PEs have no instruction for division: it takes as long as a hundred multiplications",
)

CPU_STAGES = (
    row(
        "masks",
        (functions("wse-inline-masks"),),
        "conditions are asked for where they are needed; first, for copies of them are views of nothing then",
    ),
    row(
        "absorb",
        (functions("wse-absorb-reshapes"),),
        "copies between operations become how they read and write; orders of dimensions are chosen for what is left",
    ),
    row(
        "lay-out",
        (functions("wse-channels-last"), "canonicalize", "cse"),
        "channels lie innermost; what follows sees tensors as they lie in memory",
    ),
    row(
        "epilogues",
        (functions("wse-sink-epilogues"),),
        "what all readers of a product do first is done where it is produced, before products are made others",
    ),
    row(
        "reciprocals",
        (functions("wse-softmax-reciprocals"),),
        "a softmax divides once a row, and multiplies",
    ),
    row(
        "parameters",
        (functions("wse-unfuse-parameters"),),
        "what is computed of parameters alone is an operation of its own, which can be moved",
    ),
    row(
        "bytes",
        (functions("wse-read-bytes", "wse-fold-zero-points", "wse-dce"),),
        "bits and bytes are read as they lie in memory; zero points of weights leave sums over them, parameters too",
    ),
    row(
        "winograd",
        (functions("wse-winograd-convolutions"),),
        "convolutions of few taps need fewer products; their filters are other weights then",
    ),
    row(
        "pack",
        (functions("wse-pack-weights"),),
        "weights lie as register tiles read them; after all that changes what the weights of a product are",
    ),
    row(
        "widen",
        (functions("wse-widen-rows"),),
        "rows of f16 that are read for many columns are converted once; packed weights are none of them",
    ),
    row(
        "prepare",
        ("wse-split-parameters", "canonicalize", "cse"),
        "what parameters determine by now is computed once, when they are bound",
    ),
    row(
        "bufferize",
        (
            functions("wse-pad-in-place", "wse-loop-state-in-place"),
            "wse-bufferize",
            "canonicalize",
            "cse",
            functions("wse-generalize"),
        ),
        "tensors become buffers, results become arguments that the caller allocates",
        "bufferized",
    ),
    row(
        "kernels",
        ("wse-form-kernels", "canonicalize", "cse", functions("wse-tile-and-fuse"), "cse"),
        "what belongs together is one function, equal layers share theirs, and rows are worked on in a cache",
    ),
    row(
        "vectorise",
        (functions("wse-expand-copies", "wse-vectorize", "convert-linalg-to-loops"),),
        "innermost loops work on vectors, accumulators stay in registers",
    ),
    row(
        "parallelise",
        ("wse-parallelize", "canonicalize", "cse", "loop-invariant-code-motion"),
        "independent loops are divided among the threads of a call, if it has several; edges are loops until then",
    ),
    row(
        "arena",
        ("wse-plan-arena", "canonicalize", "cse"),
        "temporaries share memory that is allocated once, not at every call",
    ),
    row(
        "expand-math",
        (
            functions("wse-round-conversions"),
            run("arith-emulate-unsupported-floats", source_types=("bf16", "f16"), target_type="f32"),
            run("math-extend-to-supported-types", target_type="f32"),
            functions("wse-expand-math", "wse-expand-half"),
            run("arith-expand", include_bf16=True),
            "canonicalize",
            "cse",
        ),
        "bf16 and f16 are computed in f32, and exp, tanh and erf in vectors: there is no library for either",
    ),
    row(
        "lower-to-llvm",
        (
            "wse-bare-pointers",
            functions("wse-bound-allocations"),
            "expand-strided-metadata",
            "lower-affine",
            "canonicalize",
            "convert-scf-to-cf",
            "convert-math-to-llvm",
            "convert-math-to-libm",
            "convert-vector-to-llvm",
            "convert-ub-to-llvm",
            "finalize-memref-to-llvm",
            "convert-arith-to-llvm",
            "convert-index-to-llvm",
            "convert-func-to-llvm",
            "convert-cf-to-llvm",
            "reconcile-unrealized-casts",
            "wse-fork-threads",
            "canonicalize",
            "cse",
        ),
        "LLVM makes the machine code; math functions come before vectors, whose operations they leave behind",
        "llvm",
    ),
)

WAFER_STAGES = (
    row(
        "compose-functions",
        (functions("wse-compose-functions"), "canonicalize", "cse"),
        "functions that PEs have none for are arithmetic; late, for whatever is fused counts them as one operation",
    ),
    row(
        "bind-tables",
        (
            "lower-affine",
            functions("wse-generalize-writes", "wse-separate-reads", "wse-bind-tables", "wse-own-tables"),
        ),
        "tensors that are read or written at indices from data are operands, which planning distributes like others",
    ),
    row(
        "split-dims",
        (),
        "dimensions stay as they are; with effort=high wse-split-dims splits them where reshapes do, and "
        "wse-shape-interface leaves reshapes of arguments to the host",
    ),
    row(
        "prepare",
        (),
        "calls compute what parameters determine; compile, which knows when these are bound, leaves it to the host: "
        "wse-unfuse-parameters and wse-split-parameters",
    ),
    row(
        "attention",
        (functions("wse-block-attention", "wse-unroll-loops"), "canonicalize", "cse"),
        "scores are held for all keys; where memory is short, or keys are given, for one block of them at a time",
    ),
    row(
        "partition",
        (run("wse-partition", machine="tiny"),),
        "which PE holds and computes what, chosen by a cost model; communication becomes explicit",
        "logical",
    ),
    row("place", ("wse-place",), "where on the fabric the program sits", "placed"),
    row(
        "emit", ("wse-emit-programs",), "program text for each class of PEs: vector operations and transfers"
    ),
    row("route", ("wse-route",), "hardware colours and router settings", "routed"),
    row("share-text", ("wse-share-text",), "where memory is short it has once what texts have several times"),
    row(
        "plan-memory",
        ("wse-plan-memory",),
        "addresses in each PE's SRAM, shared where lifetimes allow",
        "executable",
    ),
)

# Upstream's own bufferization and plain loops: something simple to compare the pipeline `cpu` with.
REFERENCE_STAGES = (
    row(
        "reference-bufferize",
        (
            functions("linalg-generalize-named-ops"),
            run(
                "one-shot-bufferize",
                bufferize_function_boundaries=True,
                function_boundary_type_conversion="identity-layout-map",
            ),
            run("buffer-results-to-out-params", hoist_static_allocs=True, modify_public_functions=True),
            "buffer-deallocation-pipeline",
            "canonicalize",
            functions("linalg-generalize-named-ops"),
        ),
        "upstream's one-shot bufferization",
    ),
)
LOOP_STAGES = (
    row(
        "loops",
        (functions("wse-expand-copies", "convert-linalg-to-loops"),),
        "one scalar operation after the other",
    ),
    *CPU_STAGES[-2:],
)
