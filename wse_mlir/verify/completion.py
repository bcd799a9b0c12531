"""From IR after any pass of the CPU's pipeline to native code, by upstream's passes alone.

That makes the judge of our passes: none of them takes part in judging what another one did. Two exceptions:
`wse-round-conversions` keeps upstream from leaving out roundings; on a processor that has no instructions for f16,
`wse-expand-half` converts, for upstream knows calls into a library alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..dialects.host import bufferization, ir
from ..frontend.interface import find_main, torch_dtype
from ..passes.cpu.processor import processor
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.pass_manager import Instrumentation, run_pipeline
from ..passes.tensor.prepack.known_values import PARAMETER, arguments_of_kind
from ..runtime.arena import arena_array
from ..runtime.arrays import numpy_dtype
from ..runtime.checks import new_status
from ..runtime.cpu.jit import JitFunction, NativeModule
from ..runtime.cpu.lowering import read_provisions
from ..runtime.cpu.provisions import ArrayType, Provisions
from ..runtime.native.codegen import NativeCode
from .isolation import PATTERN

# Tensors: upstream's buffers. Arguments are never written (see `_protect_arguments`): calls do not disturb each other.
_GENERALIZE = (
    "func.func(tm-tensor-bufferize,refback-generalize-tensor-pad,refback-generalize-tensor-concat,"
    "convert-elementwise-to-linalg,linalg-generalize-named-ops)"
)
_BUFFERIZE = (
    "one-shot-bufferize{bufferize-function-boundaries=true allow-return-allocs-from-loops=true "
    "function-boundary-type-conversion=identity-layout-map%s}"
)
_WITHOUT_ANALYSIS = " copy-before-write=true"  # which does not know what tm_tensor's bufferization leaves
_OUT_PARAMS = "buffer-results-to-out-params{hoist-static-allocs=true modify-public-functions=true}"
# Buffers: plain loops. tm_tensor's, and copies, which would call into a library, have upstream passes of their own.
_FROM_BUFFERS = (
    "func.func(tm-tensor-to-loops,refback-munge-memref-copy,linalg-generalize-named-ops,convert-linalg-to-loops)",
    "func.func(wse-round-conversions),arith-emulate-unsupported-floats{source-types=bf16,f16 target-type=f32}",
    "math-extend-to-supported-types{target-type=f32}",
    "arith-expand{include-bf16=true}",
    "canonicalize,cse,expand-strided-metadata,lower-affine,canonicalize,convert-scf-to-cf",
    "convert-math-to-funcs,convert-math-to-llvm,convert-math-to-libm,convert-vector-to-llvm,convert-ub-to-llvm",
    "finalize-memref-to-llvm,convert-arith-to-llvm,convert-index-to-llvm,convert-func-to-llvm,convert-cf-to-llvm",
    "reconcile-unrealized-casts",
)
_QUIET = Instrumentation(verify_each=False, reproducer=None)


@dataclass(frozen=True)
class ArraySignature:
    """A function's arguments and results as arrays; -1 stands for sizes that are known only at run time.

    Attributes:
        in_place: per result, the argument that holds it after the call; None for results of their own.
        parameters: positions of the arguments that are the model's parameters.
        all_returned: results are returned though their sizes are known.
    """

    arguments: tuple[ArrayType, ...]
    results: tuple[ArrayType, ...]
    in_place: tuple[int | None, ...] = ()
    parameters: tuple[int, ...] = ()
    all_returned: bool = False

    @property
    def returns(self) -> bool:
        """Whether results are returned, since callers cannot know how much to allocate."""
        return self.all_returned or any(-1 in shape for shape, _ in self.results)


def signature_of(function: Any) -> ArraySignature:
    """The signature of a function on tensors.

    Raises:
        CompilerError: an argument or result is no tensor of a type that arrays can hold.
    """
    kinds = function.type
    return ArraySignature(
        tuple(map(_array_type, kinds.inputs)),
        tuple(map(_array_type, kinds.results)),
        parameters=tuple(arguments_of_kind(function, PARAMETER)),
    )


def _array_type(kind: ir.Type) -> ArrayType:
    if isinstance(kind, ir.RankedTensorType):
        dtype = torch_dtype(kind.element_type)
        array = numpy_dtype(dtype) if dtype is not None else None
        if array is not None:
            shape = (-1 if kind.is_dynamic_dim(d) else kind.get_dim_size(d) for d in range(kind.rank))
            return tuple(shape), array
    raise CompilerError(f"a value of type {kind} cannot be exchanged as an array")


class Native:
    """A function as native code; called with arrays, gives arrays.

    Args:
        native: holds the function.
        provided: what it takes between its arguments and results, see `Provided`.
    """

    def __init__(
        self, native: NativeModule, name: str, signature: ArraySignature, provided: Provided | None = None
    ) -> None:
        own = [t for t, place in zip(signature.results, _places(signature), strict=True) if place is None]
        self._own = own
        self._signature = signature
        self._provided = provided
        ranks = [len(shape) for shape, _ in signature.arguments]
        ranks += provided.ranks if provided else []
        returned = [(len(shape), dtype) for shape, dtype in own] if signature.returns else []
        ranks += [] if signature.returns else [len(shape) for shape, _ in own]
        self._function = JitFunction(native, name, ranks, returned)

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The results; arguments that the function writes into are written."""
        given = list(enumerate([*arrays, *(self._provided(arrays) if self._provided else [])]))
        if self._signature.returns:
            own = self._function(given)
        else:
            own = [_unwritten(*kind) for kind in self._own]
            self._function([*given, *enumerate(own, start=len(given))])
        rest = iter(own)
        return [next(rest) if place is None else arrays[place] for place in _places(self._signature)]


class Provided:
    """What a function is called with besides its arguments, computed anew for each call.

    Args:
        prepare: computes the prepared tensors.
        parameters: positions of the arguments that it takes.
        arena_bytes: temporary memory; None where the function takes none.
    """

    def __init__(self, prepare: Native | None, parameters: Sequence[int], provisions: Provisions) -> None:
        self._prepare = prepare
        self._parameters = parameters
        self._arena_bytes = provisions.arena_bytes
        self._checks = bool(provisions.checks)
        self.ranks = provisions.ranks

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The further arguments of a call with these."""
        made = self._prepare([arrays[k] for k in self._parameters]) if self._prepare else []
        status = [new_status()] if self._checks else []
        return [*status, *made, *([] if self._arena_bytes is None else [arena_array(self._arena_bytes)])]


def _places(signature: ArraySignature) -> tuple[int | None, ...]:
    return signature.in_place or (None,) * len(signature.results)


def _unwritten(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array filled with a pattern, so that elements that the program does not write stand out."""
    array = np.empty(shape, dtype)
    if array.dtype != np.bool_:
        array.reshape(-1).view(np.uint8)[:] = PATTERN
    return array


def native_functions(
    module: ir.Module, signatures: Mapping[str, ArraySignature], *, checked: bool = False
) -> dict[str, Native]:
    """Completes a module and links it; consumes the module.

    Args:
        signatures: of the functions that are wanted, as they were on tensors.
        checked: whether an access outside of a buffer ends the process.

    Raises:
        CompilerError: upstream's passes or LLVM do not take the module.
    """
    provisions = {name: read_provisions(module, name) for name in signatures}
    preparing = _preparations(signatures, provisions, on_tensors=_has_tensors(module))
    wanted = {**signatures, **preparing}
    complete(module, wanted, checked=checked)
    code = NativeCode(module, processor(), "the reference", tuple(wanted)).object()
    native = NativeModule(code, tuple(wanted), "the reference")

    def function(name: str) -> Native:
        given, signature = provisions[name], signatures[name]
        prepare = None
        if given.prepare:
            arena = Provided(None, (), Provisions(arena_bytes=given.prepare_arena_bytes))
            prepare = Native(native, given.prepare, preparing[given.prepare], arena)
        return Native(native, name, signature, Provided(prepare, signature.parameters, given))

    return {name: function(name) for name in signatures}


def _preparations(
    signatures: Mapping[str, ArraySignature], provisions: Mapping[str, Provisions], *, on_tensors: bool
) -> dict[str, ArraySignature]:
    """The functions that prepare tensors for others, and their signatures.

    Upstream's bufferization returns the results of all functions or of none; ours never returns prepared tensors.
    """
    found = {}
    for name, given in provisions.items():
        if given.prepare:
            arguments = tuple(signatures[name].arguments[k] for k in signatures[name].parameters)
            returned = on_tensors and signatures[name].returns
            found[given.prepare] = ArraySignature(arguments, given.prepared, all_returned=returned)
    return found


def complete(module: ir.Module, signatures: Mapping[str, ArraySignature], *, checked: bool = False) -> None:
    """Brings a module of any stage of the CPU's pipeline to the llvm dialect by upstream's passes."""
    operations = operation_names(module)
    with module.context:
        for function in _functions(module, signatures):
            function.attributes["llvm.emit_c_interface"] = ir.UnitAttr.get()
            _protect_arguments(function)
            _copy_repeated_results(function)
    passes: list[str] = []
    if _has_tensors(module):
        returns = {signature.returns for signature in signatures.values()}
        copies = any(name.startswith("tm_tensor.") for name in operations)
        passes += [_GENERALIZE, _BUFFERIZE % (_WITHOUT_ANALYSIS if copies else "")]
        passes += [] if True in returns else [_OUT_PARAMS]
        passes += ["buffer-deallocation-pipeline,canonicalize"]
    if any(not name.startswith("llvm.") and name != "builtin.module" for name in operations):
        loops, *rest = _FROM_BUFFERS
        passes += [loops, *(["generate-runtime-verification"] if checked else []), *rest]
        if not processor().converts_half:
            passes.insert(-5, "func.func(wse-expand-half)")
    if passes:
        run_pipeline(module, f"builtin.module({','.join(passes)})", instrumentation=_QUIET)


def _functions(module: ir.Module, names: Mapping[str, ArraySignature]) -> list[Any]:
    """Those of the functions that are not in the llvm dialect yet."""
    return [
        op
        for op in module.body.operations
        if op.operation.name == "func.func" and ir.StringAttr(op.attributes["sym_name"]).value in names
    ]


def _protect_arguments(function: Any) -> None:
    """Says that arguments may not be written; only tensors' bufferization heeds it."""
    kinds = list(function.type.inputs)
    if not any(isinstance(kind, ir.RankedTensorType) for kind in kinds):
        return
    protected = ir.DictAttr.get({"bufferization.writable": ir.BoolAttr.get(False)})
    function.attributes["arg_attrs"] = ir.ArrayAttr.get([protected] * len(kinds))


def _copy_repeated_results(function: Any) -> None:
    """Returns a copy of what is returned already: upstream cannot make two arguments of one allocation, and crashes."""
    for block in function.body.blocks:
        terminator = list(block.operations)[-1]
        seen: list[ir.Value] = []
        for position, value in enumerate(terminator.operands):
            if value in seen and isinstance(value.type, ir.RankedTensorType):
                with ir.InsertionPoint(terminator), terminator.location:
                    copied = bufferization.alloc_tensor(value.type, [], copy=value)
                terminator.operation.operands[position] = copied
            seen.append(value)


def operation_names(module: ir.Module) -> set[str]:
    """The names of all operations that are used."""
    names: set[str] = set()

    def visit(op: ir.Operation) -> ir.WalkResult:
        names.add(op.name)
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    return names


def _has_tensors(module: ir.Module) -> bool:
    """Whether any function takes, gives or computes a tensor."""
    found = False

    def visit(op: ir.Operation) -> ir.WalkResult:
        nonlocal found
        if op.name == "func.func":
            kind = ir.FunctionType(ir.TypeAttr(op.attributes["function_type"]).value)
            values = [*kind.inputs, *kind.results]
        else:
            values = [value.type for value in op.results]
        found = found or any(isinstance(kind, ir.RankedTensorType) for kind in values)
        return ir.WalkResult.INTERRUPT if found else ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    return found


def main_signature(module: ir.Module) -> ArraySignature:
    """The signature of @main on tensors."""
    return signature_of(find_main(module))
