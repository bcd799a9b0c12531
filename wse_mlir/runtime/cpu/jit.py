"""Native code in this process: objects are linked into it and their functions called on arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import llvmlite.binding as llvm
import numpy as np

from ...dialects.fork_lock import ForkLock, LockOrder
from ...passes.cpu.processor import processor
from ...passes.infra.diagnostics import CompilerError
from ..arena import OutOfMemory, empty_array
from ..checks import STATUS_WORDS, Check, CheckFailed, failure_of
from ..native.linker import link
from ..native.packed import ALLOCATE, ALLOCATIONS_BEGIN, POOL_RUN, RELEASE, RUN_GUARDED, packed_entry
from .blocks import Block, CallBlocks, Pool
from .descriptors import Descriptors, ReturnedBuffer

if TYPE_CHECKING:
    from ...dialects.host import ir

_ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_LIBC = ctypes.CDLL(None)
_LIBC.free.argtypes = [ctypes.c_void_p]
_LIBC.free.restype = None
_GUARDED = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
_POOL_LOCK = ForkLock(LockOrder.POOL, "linking")

ReturnedType = tuple[int, np.dtype]


class NativeModule:
    """An object file, linked into this process; it is unloaded when nothing refers to this object or its entries.

    Args:
        code: the object file's bytes, see `NativeCode.object`.
        entries: functions that have a packed entry.
        what: names the module in messages.

    Raises:
        CompilerError: it cannot be linked or a symbol is missing; says which.
    """

    def __init__(self, code: bytes, entries: Sequence[str], what: str) -> None:
        imports = {}
        self._memory: _Memory | None = None
        with _POOL_LOCK:
            if POOL_RUN.encode() in code:
                imports |= {POOL_RUN: _pool()[POOL_RUN]}
            if ALLOCATE.encode() in code:
                self._memory = _memory()
                imports |= self._memory.imports
        self._library = link(code, map(packed_entry, entries), what, imports)

    def entry(self, name: str) -> Callable[[int], None]:
        """Calls function `name` with the address of its packed arguments, see `packed_entry`.

        Calls release the interpreter's lock; the module lives at least as long as what is returned here.

        Raises:
            KeyError: the function is not among the module's entries.
        """
        function = _ENTRY(self._library[packed_entry(name)])
        function.module = self  # type: ignore[attr-defined]
        return function

    @property
    def allocates(self) -> bool:
        """Whether a run may ask for memory: it has to be started by `guarded_entry` then."""
        return self._memory is not None

    def guarded_entry(self, name: str) -> Callable[[int, int], None]:
        """As `entry`; also takes the address of a status, which tells whether there was enough memory."""
        assert self._memory is not None, "code that asks for memory"
        run: Any = partial(self._memory.run_guarded, self._library[packed_entry(name)])
        run.module = self  # kept by all that is made of it
        return run

    def free(self, memory: int) -> None:
        """Frees a buffer that a run returned."""
        (_LIBC.free if self._memory is None else self._memory.release)(memory)


@cache
def _pool() -> llvm.ResourceTracker:
    """The thread pool of this process; it stays, since its workers run its code until the process ends."""
    from ..native.pool import pool_object

    return link(pool_object(), [POOL_RUN], "the thread pool")


def _runner(native: NativeModule, name: str) -> Callable[[int, int], Callable[[], None]]:
    """From the addresses of packed arguments and of a status to what runs a function on them."""
    if native.allocates:
        guarded = native.guarded_entry(name)
        return lambda arguments, status: partial(guarded, arguments, status)  # no frame of Python's between
    entry = native.entry(name)
    return lambda arguments, status: partial(entry, arguments)


class _Memory(NamedTuple):
    """Memory for code that runs, see `allocations.ll`.

    Attributes:
        imports: addresses of what code calls.
        run_guarded: calls the function at an address with the address of its arguments; the status at the third
            address tells whether there was enough memory.
    """

    imports: Mapping[str, int]
    run_guarded: Callable[[int, int, int], None]
    release: Callable[[int], None]


@cache
def _memory() -> _Memory:
    from ..native.runtime_objects import allocations_object

    names = (ALLOCATE, RELEASE, RUN_GUARDED, ALLOCATIONS_BEGIN)
    library = link(allocations_object(), names, "the allocator")
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(library))  # buffers may be freed after Python has gone
    if ctypes.CFUNCTYPE(ctypes.c_int)(library[ALLOCATIONS_BEGIN])():
        raise CompilerError("this process has no room for another thread-specific value")
    imports = {name: library[name] for name in (ALLOCATE, RELEASE)}
    return _Memory(imports, _GUARDED(library[RUN_GUARDED]), _ENTRY(library[RELEASE]))


class JitFunction:
    """One function of a linked module; takes arrays and writes its results into some of them.

    Any number of threads may call it at the same time, and none waits: each call has descriptors of its own, and
    temporary memory where the function takes such. Calls release the interpreter's lock.
    """

    def __init__(
        self,
        native: NativeModule,
        name: str,
        ranks: Sequence[int],
        returned: Sequence[ReturnedType] = (),
        status: int | None = None,
        checks: Sequence[Check] = (),
        allocations: Sequence[str] = (),
    ) -> None:
        """
        Args:
            name: of a function that is among the entries of `native`.
            ranks: of the function's arguments, which are memrefs.
            returned: rank and element type of the memrefs that it returns, which the caller owns.
            status: position of the argument that tells what a run found wrong; each call has one of its own.
            checks: what the words in it mean.
            allocations: places in the model whose memory a run asks for.
        """
        self._returned = [dtype for _, dtype in returned]
        self._native, self._run_on = native, _runner(native, name)
        self._ranks, self._returned_ranks = ranks, [rank for rank, _ in returned]
        self._status, self._checks, self._allocations = status, checks, allocations
        self._shapes: dict[int, tuple[int, ...]] = {}
        self._arrays: dict[int, np.ndarray] = {}
        self._memory: dict[int, int] = {}
        self._borrowers: list[dict[str, Any]] = []
        self._renew()

    def bind(self, arrays: Mapping[int, np.ndarray]) -> None:
        """Binds arguments for all calls that begin from now on; the arrays are kept alive. What was bound stays."""
        self._arrays |= arrays
        self._renew()

    def give_memory(self, index: int, size: int) -> None:
        """Binds an argument to temporary memory: to so many bytes for each call that runs at the same time."""
        self._memory[index] = size
        self._renew()

    def fix_shape(self, index: int, shape: tuple[int, ...]) -> int:
        """Describes an argument whose shape no call changes; returns the position in a block's words of the pointer
        to it."""
        self._shapes[index] = shape
        self._renew()
        return Descriptors(self._ranks, self._returned_ranks).pointer(index)

    def lend(self, names: dict[str, Any]) -> None:
        """Keeps `names["pool"]`, for code that calls without detours."""
        self._borrowers.append(names)
        names["pool"] = self._blocks.pool

    def block(self) -> tuple[Block, Pool]:
        """A block that no other call uses, and the pool that it is to be given back to."""
        pool = self._blocks.pool
        try:
            return pool.pop(), pool
        except IndexError:
            return pool.make(), pool

    @property
    def status_place(self) -> int | None:
        """Position in a block's words of the one that a run sets where it finds something wrong; None where it never
        looks."""
        if self._status is None and not self._native.allocates:
            return None
        return Descriptors(self._ranks, self._returned_ranks).status

    def failure(self, block: Block) -> CheckFailed | OutOfMemory | None:
        """What the last run with a block found wrong."""
        words, place = block.words, block.descriptors.status
        if not words[place]:
            return None
        return failure_of(words[place : place + STATUS_WORDS], self._checks, self._allocations)

    def __call__(self, arguments: Sequence[tuple[int, np.ndarray]]) -> list[np.ndarray]:
        """Runs once with these arguments, by position, and the bound ones; returns the buffers it returns.

        Raises:
            CheckFailed: something that the function checks does not hold.
            OutOfMemory: there is not enough for the call.
        """
        block, pool = self.block()
        for index, array in arguments:
            block.descriptors.set(index, array)
        block.run()
        failure = self.failure(block)
        buffers = [] if isinstance(failure, OutOfMemory) else block.descriptors.returned()
        pool.give(block)
        try:
            if failure is not None:
                raise failure
            return [_copied(buffer, dtype) for buffer, dtype in zip(buffers, self._returned, strict=True)]
        finally:
            for buffer in buffers:
                self._native.free(buffer.allocated)

    def _renew(self) -> None:
        """Calls from now on take blocks of what is bound now; the blocks of calls that run are not used again."""
        self._blocks = CallBlocks(
            self._run_on,
            self._ranks,
            self._returned_ranks,
            dict(self._shapes),
            dict(self._arrays),
            dict(self._memory),
            self._status,
        )
        for names in self._borrowers:
            names["pool"] = self._blocks.pool


def compile_function(
    module: ir.Module, name: str, ranks: Sequence[int], returned: Sequence[ReturnedType] = ()
) -> JitFunction:
    """Compiles `module`, in the llvm dialect, for this machine; its function `name` has `llvm.emit_c_interface`.

    Raises:
        CompilerError: LLVM refuses the module or a symbol is missing.
    """
    from ..native.codegen import NativeCode  # a program that was loaded needs none of it

    code = NativeCode(module, processor(), f"'{name}'", (name,)).object()
    return JitFunction(NativeModule(code, (name,), f"'{name}'"), name, ranks, returned)


def _copied(buffer: ReturnedBuffer, dtype: np.dtype) -> np.ndarray:
    """A returned buffer as an array."""
    size = prod(buffer.shape) * dtype.itemsize
    array = empty_array(buffer.shape, dtype)
    if size:
        ctypes.memmove(array.ctypes.data, buffer.data, size)
    return array
