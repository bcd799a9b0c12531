"""Python code that calls native code on tensors: written for one graph, so that a call does nothing but what it must.

For `relu(x @ w.T)` with an open batch size it reads

    def call(args):
        s77 = args[0].shape[0]
        a0 = args[0]
        if not a0.is_contiguous(): a0 = a0.contiguous()
        a1 = args[1]
        if not a1.is_contiguous(): a1 = a1.contiguous()
        r0 = new0((s77, 8), (8, 1), dtype=d0)
        block = take()
        words = block.words
        words[1] = a0.data_ptr()
        words[3] = s77
        words[5] = 4
        words[8] = a1.data_ptr()
        words[15] = r0.data_ptr()
        words[17] = s77
        words[19] = 8
        run(block.address)
        give(block)
        args.clear()
        return [r0, ]

A graph without gradients whose weight is a parameter has `found = find(args[1])` and reads the packed weight's address
from that. Sizes that are numbers stand in the blocks already. A block is taken for a call and given back after it, so
that threads do not wait for each other. Where a run checks something, the block has the words for its status, and
`if words[30]: raise failure(words[30:33])` stands behind the run.
"""

from __future__ import annotations

import ctypes
import linecache
import math
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, count
from typing import Any

import torch
from torch.utils._sympy.printers import PythonPrinter

from ..passes.infra.diagnostics import CompilerError
from ..runtime.arena import arena_array
from ..runtime.checks import STATUS_WORDS, failure_of
from ..runtime.cpu.jit import NativeModule
from ..runtime.cpu.large_outputs import allocator_for
from ..runtime.cpu.provisions import NO_PROVISIONS, Provisions
from .boundary import Boundary, Input, Output, WrittenTensor
from .parameters import PreparedParameters

_HEADER = 3  # words of a memref descriptor before its sizes: allocated pointer, aligned pointer, offset
_POINTER = 1  # the aligned pointer; code that does not free its arguments reads no other
_OWN = "the block's own"  # memory that its block points to for good
_NUMBERS = count()

BoxedCall = Callable[[list[Any]], list[Any]]


class ArgumentBlocks:
    """Memref descriptors of all arguments of a function, a block for each call that runs at the same time.

    Args:
        shapes: per argument, in memory order; -1 where each call gives size and strides.
        arena: position of the argument that is temporary memory, a row of bytes; each block has its own.
        status: position of the argument that says what a run found wrong; it lies behind the descriptors.
    """

    def __init__(
        self, shapes: Sequence[Sequence[int]], arena: int | None = None, status: int | None = None
    ) -> None:
        self._shapes = shapes
        self._arena = arena
        self._status = status
        self.starts = [0, *accumulate(_HEADER + 2 * len(shape) for shape in shapes)]
        self._free: deque[_Block] = deque()

    def take(self) -> _Block:
        """A block that no other call uses."""
        try:
            return self._free.pop()
        except IndexError:
            return _Block(self.starts, self._shapes, self._arena, self._status)

    def give(self, block: _Block) -> None:
        """Returns a block."""
        self._free.append(block)


class _Block:
    """Descriptors one after the other, and the pointers to them that a packed entry takes at `address`."""

    __slots__ = ("_memory", "_pointers", "address", "status", "words")

    def __init__(
        self,
        starts: Sequence[int],
        shapes: Sequence[Sequence[int]],
        arena: int | None,
        status: int | None,
    ) -> None:
        words = (ctypes.c_int64 * (starts[-1] + STATUS_WORDS))()
        self.words = memoryview(words).cast("B").cast("q")  # quicker to write than what it keeps alive
        first = ctypes.addressof(words)
        self._pointers = (ctypes.c_int64 * max(len(shapes), 1))(*(first + 8 * start for start in starts[:-1]))
        self.address = ctypes.addressof(self._pointers)
        self.status = first + 8 * starts[-1]
        for start, shape in zip(starts, shapes, strict=False):
            if -1 not in shape:
                self._write(start + _HEADER, shape)
        if status is not None:
            self.words[starts[status] + _POINTER] = self.status
        if arena is not None:
            self._memory = arena_array(shapes[arena][0])
            self.words[starts[arena] + _POINTER] = self._memory.__array_interface__["data"][0]

    def _write(self, at: int, shape: Sequence[int]) -> None:
        for dim, size in enumerate(shape):
            self.words[at + dim] = size
            self.words[at + len(shape) + dim] = math.prod(shape[dim + 1 :])


def write_call(
    boundary: Boundary,
    native: NativeModule | None = None,
    entry: str = "",
    constants: Sequence[torch.Tensor] = (),
    prepared: PreparedParameters | None = None,
    provisions: Provisions = NO_PROVISIONS,
) -> BoxedCall:
    """A function from the graph's arguments (a list, which it empties) to its outputs.

    Args:
        native / entry: the function that takes descriptors of inputs, constants, the status, prepared tensors, the
            arena and buffers; None where there is no buffer to be written.
        constants: contiguous tensors that every call reads.
        prepared: what is prepared of the parameters; None when there is nothing.
        provisions: what the function takes besides tensors.
    """
    shapes = [_memory_shape(x) for x in boundary.inputs]
    shapes += [tuple(x.shape) for x in constants]
    status = len(shapes) if provisions.checks else None
    shapes += [(STATUS_WORDS,)] if provisions.checks else []
    shapes += [] if prepared is None else prepared.shapes
    arena = None if provisions.arena_bytes is None else len(shapes)
    shapes += [] if provisions.arena_bytes is None else [(provisions.arena_bytes,)]
    shapes += [_memory_shape(x) for x in boundary.buffers]
    known = [[s if isinstance(s, int) else -1 for s in shape] for shape in shapes]
    blocks = ArgumentBlocks(known, arena, status)
    names: dict[str, Any] = {
        "take": blocks.take,
        "give": blocks.give,
        "run": _entry(native, entry),
        "native": native,  # code lives as long as its module
        "empty_strided": torch.empty_strided,
        "math": math,
        "torch": torch,
    }
    if prepared is not None:
        names["find"] = prepared.find
    allocates = native is not None and native.allocates
    if provisions.checks or allocates:
        names["failure"] = partial(failure_of, checks=provisions.checks, allocations=provisions.allocations)
    writer = _Writer(boundary, names)
    count = len(prepared.shapes) if prepared is not None else 0
    code = writer.write(
        blocks.starts, shapes, constants, count, arena, is_checked=status is not None, allocates=allocates
    )
    file = f"<wse_mlir call {next(_NUMBERS)}>"
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    exec(compile(code, file, "exec"), names)
    weakref.finalize(names["call"], linecache.cache.pop, file, None)
    return names["call"]


def _entry(native: NativeModule | None, name: str) -> Callable[..., None] | None:
    if native is None:
        return None
    return native.guarded_entry(name) if native.allocates else native.entry(name)


def _memory_shape(tensor: Input | WrittenTensor) -> tuple[Any, ...]:
    order = tensor.order or range(len(tensor.shape))
    return tuple(tensor.shape[d] for d in order)


class _Writer:
    """Writes the lines of one function."""

    def __init__(self, boundary: Boundary, names: dict[str, Any]) -> None:
        self._boundary = boundary
        self._names = names
        self._symbols: set[Any] = set()
        self._lines: list[str] = []

    def write(
        self,
        starts: Sequence[int],
        shapes: Sequence[Sequence[Any]],
        constants: Sequence[torch.Tensor],
        prepared: int,
        arena: int | None,
        *,
        is_checked: bool,
        allocates: bool,
    ) -> str:
        boundary = self._boundary
        tensors: list[str] = [self._input(i, x) for i, x in enumerate(boundary.inputs)]
        for index, constant in enumerate(constants):
            self._names[f"c{index}"] = constant
            tensors.append(f"c{index}")
        pointers = [f"{tensor}.data_ptr()" for tensor in tensors]
        pointers += [_OWN] if is_checked else []
        if prepared:
            given = ", ".join(f"args[{x.position}]" for x in boundary.inputs if x.is_parameter)
            self._lines += [f"found = find({given})", "addresses = found.addresses"]
        pointers += [f"addresses[{index}]" for index in range(prepared)]
        pointers += [] if arena is None else [_OWN]
        pointers += [f"{self._allocate(i, x)}.data_ptr()" for i, x in enumerate(boundary.buffers)]
        if boundary.buffers:
            self._lines += ["block = take()", "words = block.words"]
            for position, pointer in enumerate(pointers):
                if pointer != _OWN:
                    self._describe(pointer, starts[position], shapes[position])
            self._lines += ["run(block.address, block.status)" if allocates else "run(block.address)"]
            if is_checked or allocates:
                end = starts[-1]
                self._lines += [f"if words[{end}]: raise failure(words[{end}:{end + STATUS_WORDS}])"]
            self._lines += ["give(block)"]
        self._lines += [line for i, x in enumerate(boundary.buffers) for line in self._into_strides(i, x)]
        returned = "".join(f"{self._output(x)}, " for x in boundary.outputs)
        body = [
            *self._read_sizes(),
            *self._lines,
            f"results = [{returned}]",
            "args.clear()",
            "return results",
        ]
        return "def call(args):\n" + "".join(f"    {line}\n" for line in body)

    def _input(self, index: int, given: Input) -> str:
        name = f"a{index}"
        if given.number is not None:
            self._lines.append(f"{name} = torch.tensor(args[{given.position}], dtype={given.number})")
            return name
        resolved = ".resolve_neg()" if given.negated else ""
        self._lines.append(f"{name} = args[{given.position}]{resolved}")
        if given.order is None or list(given.order) == sorted(given.order):
            self._lines.append(f"if not {name}.is_contiguous(): {name} = {name}.contiguous()")
        else:
            strides = self._tuple(given.strides)
            copied = f"{name}.permute({given.order}).contiguous()"
            self._lines.append(f"if {name}.stride() != {strides}: {name} = {copied}")
        return name

    def _allocate(self, index: int, buffer: WrittenTensor) -> str:
        dtype = f"d{index}"
        self._names[dtype] = buffer.dtype
        shape = self._tuple(buffer.shape)
        is_plain, new = buffer.order is None, f"new{index}"
        allocate = torch.empty if is_plain else torch.empty_strided
        self._names[new] = allocator_for(tuple(buffer.shape), buffer.dtype, allocate)
        strides = "" if is_plain else f"{self._tuple(buffer.strides)}, "
        self._lines.append(f"r{index} = {new}({shape}, {strides}dtype={dtype})")
        return f"r{index}"

    def _into_strides(self, index: int, buffer: WrittenTensor) -> list[str]:
        if buffer.order is not None:
            return []
        shape, strides = self._tuple(buffer.shape), self._tuple(buffer.strides)
        return [f"r{index} = empty_strided({shape}, {strides}, dtype=d{index}).copy_(r{index})"]

    def _describe(self, pointer: str, start: int, shape: Sequence[Any]) -> None:
        self._lines.append(f"words[{start + _POINTER}] = {pointer}")
        if all(isinstance(size, int) for size in shape):
            return
        sizes = start + _HEADER
        stride = "1"
        for dim in range(len(shape) - 1, -1, -1):
            size = self._text(shape[dim])
            self._lines.append(f"words[{sizes + dim}] = {size}")
            self._lines.append(f"words[{sizes + len(shape) + dim}] = {stride}")
            stride = size if stride == "1" else f"{stride} * ({size})"

    def _output(self, output: Output) -> str:
        if output.source == "value":
            if isinstance(output.of, (torch.SymInt, torch.SymFloat, torch.SymBool)):
                return self._text(output.of)
            name = f"v{len(self._names)}"
            self._names[name] = output.of
            return name
        source = f"args[{output.of}]" if output.source == "input" else f"r{output.of}"
        if output.view is None:
            return source
        shape, strides, offset = output.view
        start = self._text(offset)
        if output.source == "input":
            start = f"{source}.storage_offset() + {start}"
        return f"{source}.as_strided({self._tuple(shape)}, {self._tuple(strides)}, {start})"

    def _tuple(self, sizes: Sequence[Any]) -> str:
        return "(" + "".join(f"{self._text(size)}, " for size in sizes) + ")"

    def _text(self, size: Any) -> str:
        if isinstance(size, (int, float)):
            return str(size)
        self._symbols |= size.node.expr.free_symbols
        return PythonPrinter().doprint(size.node.expr)

    def _read_sizes(self) -> list[str]:
        lines: list[str] = []
        for symbol in sorted(self._symbols, key=str):
            if symbol not in self._boundary.sizes:
                raise CompilerError(f"the size '{symbol}' of a result is the size of no input")
            lines.append(f"{symbol} = {self._boundary.sizes[symbol]}")
        return lines
