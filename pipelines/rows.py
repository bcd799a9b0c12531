"""Rows of the pipelines' tables: which passes, and why there."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Stage:
    """A row of a pipeline's table.

    Attributes:
        name: the row's name, for people and for `override`.
        passes: comma-separated passes in MLIR's textual syntax, as they stand inside `builtin.module(...)`.
        reason: one sentence: why the step is there.
        establishes: the stage contract that is checked after it; empty for none.
    """

    name: str
    passes: str
    reason: str
    establishes: str = ""

    @property
    def text(self) -> str:
        check = f"wse-check-stage{{stage={self.establishes}}}" if self.establishes else ""
        return ",".join(part for part in (self.passes, check) if part)


IMPORTED_STAGE = Stage(
    "lower-tm-tensor",
    "wse-lower-tm-tensor",
    "torch-mlir leaves scatter, sort and the like behind",
    "imported",
)

SCANS_STAGE = Stage(
    "scans",
    "func.func(wse-expand-scans)",
    "a CPU takes running sums one number after the other",
)

WAFER_SCANS_STAGE = Stage(
    "scans",
    "func.func(wse-block-scans,wse-separate-extremes)",
    "PEs take the steps of many running sums at a time, and look for an extreme and its place side by side",
)

ACCUMULATE_STAGE = Stage(
    "accumulate", "", "products sum in the type they were imported with; wse-accumulate gives another"
)

# The CPU's row `lay-out` does it for those contractions whose form its registers gain by.
NARROW_STAGE = replace(
    ACCUMULATE_STAGE,
    passes="func.func(wse-narrow-factors)",
    reason="products read the types that tensors have; they sum in the type they were imported with, and "
    "wse-accumulate gives another",
)

RETURN_STAGE = Stage(
    "return-checks",
    "wse-return-checks",
    "what a run asserts of indices and divisors becomes results for the host",
)

NUMBERS_STAGE = Stage(
    "numbers",
    "func.func(wse-lift-numbers),canonicalize,cse",
    "PEs hold tensors and nothing between them: what a program computes of single elements is on tensors, too",
)

FOLD_STAGE = Stage(
    "fold", "func.func(wse-fold-constants),canonicalize,cse", "what is known now is not computed later"
)


def _fusing(options: str, purpose: str) -> Stage:
    """Fusion of elementwise chains, by `wse-fuse` with these options."""
    text = (
        f"func.func(convert-elementwise-to-linalg,wse-generalize,wse-fuse{options},wse-dce),canonicalize,cse"
    )
    return Stage("fuse", text, purpose, "tensor")


FUSE_STAGE = _fusing("", "one pass over the data, not several")

# A PE keeps what it computes once: reading two operands again takes an instruction more, and keeps both alive.
WAFER_FUSE_STAGE = _fusing(
    "{recompute-inputs=1}",
    "one pass over the data, not several; what is computed of several tensors is not computed twice",
)

CHECK_STAGE = Stage(
    "checks",
    "func.func(wse-collect-checks),canonicalize,cse",
    "what a run asserts, of indices above all, is told to the caller: nothing branches and nothing ends the process",
)

ROLL_STAGE = Stage(
    "reroll-loops",
    "func.func(wse-reroll-loops),canonicalize,cse",
    "the steps of a recurrent model are one loop, however long the sequence is",
)

UNROLL_STAGE = Stage(
    "unroll-loops",
    "func.func(wse-unroll-loops),canonicalize,cse",
    "PEs' programs are made of steps that are known: those of a recurrence are written out, each fused by itself",
)


def _simplify(drop: str) -> Stage:
    return Stage(
        "simplify",
        "func.func(wse-separate-resampling,wse-shrink-padded-filters,wse-transposed-convolutions,wse-permute-insertions,"
        f"{drop}),canonicalize,cse",
        "no products with zeros that padding or strides put there, no dimensions of size one: a window of one tap is "
        "none",
    )


SIMPLIFY_STAGE = _simplify("wse-drop-unit-dims")
WAFER_SIMPLIFY_STAGE = _simplify("wse-drop-unit-dims{keep-products=true}")

# PEs read by maps of iterators alone.
ABSORB_STAGE = Stage(
    "absorb",
    "func.func(wse-absorb-reshapes{plain-maps=true}),canonicalize,cse",
    "copies between operations become how they read and write",
)

# LLVM multiplies by reciprocals of powers of two, and the row `reciprocals` by those of a softmax's sums.
INVERT_STAGE = Stage(
    "invert",
    "func.func(wse-invert-divisors)",
    "PEs have no instruction for division: it takes as long as a hundred multiplications",
)

CPU_STAGES = (
    Stage(
        "masks",
        "func.func(wse-inline-masks)",
        "conditions are asked for where they are needed; first, for copies of them are views of nothing then",
    ),
    Stage(
        "absorb",
        "func.func(wse-absorb-reshapes)",
        "copies between operations become how they read and write; orders of dimensions are chosen for what is left",
    ),
    Stage(
        "lay-out",
        "func.func(wse-channels-last),canonicalize,cse",
        "channels lie innermost; what follows sees tensors as they lie in memory",
    ),
    Stage(
        "epilogues",
        "func.func(wse-sink-epilogues)",
        "what all readers of a product do first is done where it is produced, before products are made others",
    ),
    Stage(
        "reciprocals",
        "func.func(wse-softmax-reciprocals)",
        "a softmax divides once a row, and multiplies",
    ),
    Stage(
        "parameters",
        "func.func(wse-unfuse-parameters)",
        "what is computed of parameters alone is an operation of its own, which can be moved",
    ),
    Stage(
        "bytes",
        "func.func(wse-read-bytes,wse-fold-zero-points,wse-dce)",
        "bits and bytes are read as they lie in memory; zero points of weights leave sums over them, parameters too",
    ),
    Stage(
        "winograd",
        "func.func(wse-winograd-convolutions)",
        "convolutions of few taps need fewer products; their filters are other weights then",
    ),
    Stage(
        "pack",
        "func.func(wse-pack-weights)",
        "weights lie as register tiles read them; after all that changes what the weights of a product are",
    ),
    Stage(
        "widen",
        "func.func(wse-widen-rows)",
        "rows of f16 that are read for many columns are converted once; packed weights are none of them",
    ),
    Stage(
        "prepare",
        "wse-split-parameters,canonicalize,cse",
        "what parameters determine by now is computed once, when they are bound",
    ),
    Stage(
        "bufferize",
        "func.func(wse-pad-in-place,wse-loop-state-in-place),wse-bufferize,canonicalize,cse,func.func(wse-generalize)",
        "tensors become buffers, results become arguments that the caller allocates",
        "bufferized",
    ),
    Stage(
        "kernels",
        "wse-form-kernels,canonicalize,cse,func.func(wse-tile-and-fuse),cse",
        "what belongs together is one function, equal layers share theirs, and rows are worked on in a cache",
    ),
    Stage(
        "vectorise",
        "func.func(wse-expand-copies,wse-vectorize,convert-linalg-to-loops)",
        "innermost loops work on vectors, accumulators stay in registers",
    ),
    Stage(
        "parallelise",
        "wse-parallelize,canonicalize,cse,loop-invariant-code-motion",
        "independent loops are divided among the threads of a call, if it has several; edges are loops until then",
    ),
    Stage(
        "arena",
        "wse-plan-arena,canonicalize,cse",
        "temporaries share memory that is allocated once, not at every call",
    ),
    Stage(
        "expand-math",
        "func.func(wse-round-conversions),arith-emulate-unsupported-floats{source-types=bf16,f16 target-type=f32},"
        "math-extend-to-supported-types{target-type=f32},func.func(wse-expand-math,wse-expand-half),"
        "arith-expand{include-bf16=true},canonicalize,cse",
        "bf16 and f16 are computed in f32, and exp, tanh and erf in vectors: there is no library for either",
    ),
    Stage(
        "lower-to-llvm",
        "wse-bare-pointers,func.func(wse-bound-allocations),expand-strided-metadata,lower-affine,canonicalize,convert-scf-to-cf,convert-math-to-llvm,"
        "convert-math-to-libm,convert-vector-to-llvm,convert-ub-to-llvm,finalize-memref-to-llvm,"
        "convert-arith-to-llvm,convert-index-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,"
        "reconcile-unrealized-casts,wse-fork-threads,canonicalize,cse",
        "LLVM makes the machine code; math functions come before vectors, whose operations they leave behind",
        "llvm",
    ),
)

WAFER_STAGES = (
    Stage(
        "compose-functions",
        "func.func(wse-compose-functions),canonicalize,cse",
        "functions that PEs have none for are arithmetic; late, for whatever is fused counts them as one operation",
    ),
    Stage(
        "bind-tables",
        "lower-affine,func.func(wse-generalize-writes,wse-separate-reads,wse-bind-tables,wse-own-tables)",
        "tensors that are read or written at indices from data are operands, which planning distributes like others",
    ),
    Stage(
        "partition",
        "wse-partition{machine=tiny}",
        "which PE holds and computes what, chosen by a cost model; communication becomes explicit",
        "logical",
    ),
    Stage("place", "wse-place", "where on the fabric the program sits", "placed"),
    Stage("emit", "wse-emit-programs", "program text for each class of PEs: vector operations and transfers"),
    Stage("route", "wse-route", "hardware colours and router settings", "routed"),
    Stage("share-text", "wse-share-text", "where memory is short it has once what texts have several times"),
    Stage(
        "plan-memory",
        "wse-plan-memory",
        "addresses in each PE's SRAM, shared where lifetimes allow",
        "executable",
    ),
)

# Upstream's own bufferization and plain loops: something simple to compare the pipeline `cpu` with.
REFERENCE_STAGES = (
    Stage(
        "reference-bufferize",
        "func.func(linalg-generalize-named-ops),one-shot-bufferize{bufferize-function-boundaries=true "
        "function-boundary-type-conversion=identity-layout-map},buffer-results-to-out-params{"
        "hoist-static-allocs=true modify-public-functions=true},buffer-deallocation-pipeline,canonicalize,"
        "func.func(linalg-generalize-named-ops)",
        "upstream's one-shot bufferization",
    ),
)
LOOP_STAGES = (
    Stage(
        "loops",
        "func.func(wse-expand-copies,convert-linalg-to-loops)",
        "one scalar operation after the other",
    ),
    *CPU_STAGES[-2:],
)
