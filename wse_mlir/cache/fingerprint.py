"""Digests of Python values: equal digests mean that a model behaves equally when it is traced.

Every object that is reached must be understood completely. What is not raises `Unknown`, and then there is no digest:
a missing one costs an export, a wrong one gives wrong results.
"""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..runtime.arrays import as_array, numpy_dtype

MOST_TENSOR_BYTES = 1 << 28  # of one tensor whose value counts: hashing more takes longer than it saves


class Unknown(Exception):
    """Something that has no digest, in words for the report."""


class Fingerprint:
    """A digest that grows. Objects that are met again are told from equal ones: sharing is a part of the meaning.

    Args:
        model: values of the parameters and buffers of its modules do not count, since they are arguments of what is
            compiled. Everything else that is reached is a constant, parameters of other modules as well.
    """

    def __init__(self, model: torch.nn.Module, add_object: Callable[[Fingerprint, Any], None]) -> None:
        self._add_object = add_object
        self._modules = {id(module) for module in model.modules()}
        self._hash = hashlib.sha256()
        self._met: dict[int, int] = {}
        self._storages: dict[int, int] = {}
        self._valued: set[int] = set()
        self._alive: list[Any] = []  # an id is an object's own only while the object lives

    def hexdigest(self) -> str:
        """The digest of all that was added."""
        return self._hash.hexdigest()

    def token(self, *parts: object) -> None:
        """Adds plain values; where one ends and the next begins is part of the digest."""
        for part in parts:
            data = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
            self._hash.update(b"%d:" % len(data) + data)

    def first_time(self, value: Any) -> bool:
        """Whether this very object was not met before; if it was, which one it is becomes part of the digest."""
        if id(value) in self._met:
            self.token("again", self._met[id(value)])
            return False
        self._met[id(value)] = len(self._met)
        self._alive.append(value)
        return True

    def add(self, value: Any) -> None:
        """Adds any object.

        Raises:
            Unknown: it, or something that is reached from it, is not understood.
        """
        kind = type(value)
        if kind in _BY_REPR:
            self.token(kind.__name__, repr(value))
        elif kind is float:
            self.token("float", value.hex())
        elif kind is bytes:
            self.token("bytes", value)
        elif kind is slice:
            self.token("slice")
            self.add((value.start, value.stop, value.step))
        elif kind is tuple:
            self._add_items("tuple", value)
        elif kind in (list, dict, collections.OrderedDict):
            if self.first_time(value):
                items = value if kind is list else [part for item in value.items() for part in item]
                self._add_items(kind.__name__, items)
        elif kind in (set, frozenset):
            self._add_set(value)
        elif isinstance(value, torch.Tensor):
            self.add_tensor(value, with_value=True)
        elif isinstance(value, (np.ndarray, np.generic)):
            self._add_array(value)
        else:
            self._add_object(self, value)

    def is_constant(self, module: torch.nn.Module) -> bool:
        """Whether a module is none of the model's own, so that its parameters are constants of the code."""
        return id(module) not in self._modules

    def add_tensor(self, tensor: torch.Tensor, *, with_value: bool) -> None:
        """Adds what tracing can see of a tensor: type, sizes, strides, which memory it shares; its value if asked."""
        if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
            raise Unknown(f"a tensor of class {type(tensor).__name__}")
        if self.first_time(tensor):
            self._add_kind(tensor)
        if with_value and not tensor.is_meta and id(tensor) not in self._valued:
            self._valued.add(id(tensor))
            if numpy_dtype(tensor.dtype) is None or tensor.nbytes > MOST_TENSOR_BYTES:
                raise Unknown(f"the value of a tensor of {tensor.nbytes} bytes of {tensor.dtype}")
            if tensor.device.type != "cpu":
                raise Unknown(f"a tensor on {tensor.device}")
            self._add_array(as_array(tensor))

    def _add_kind(self, tensor: torch.Tensor) -> None:
        if tensor.layout != torch.strided or tensor.is_quantized:
            raise Unknown(f"a tensor of layout {tensor.layout}")
        storage = tensor.untyped_storage()
        shared = self._storages.setdefault(storage._cdata, len(self._storages))
        self._alive.append(storage)
        self.token(
            type(tensor).__name__, tensor.dtype, tensor.device, tuple(tensor.shape), tensor.stride(),
            tensor.storage_offset(), shared, tensor.requires_grad, tensor.is_leaf, tensor.is_conj(),
            tensor.is_neg(), tensor.is_inference(),
        )  # fmt: skip
        self.add(dict(sorted(vars(tensor).items())))

    def _add_items(self, kind: str, items: Any) -> None:
        self.token(kind, len(items))
        for item in items:
            self.add(item)

    def _add_set(self, items: set[Any] | frozenset[Any]) -> None:
        """The order of a set's items differs from process to process, so only values whose text tells all will do."""
        if not all(type(item) in _BY_REPR or type(item) is float for item in items):
            raise Unknown("a set of other things than numbers and text")
        self.token(type(items).__name__, *sorted(f"{type(i).__name__} {i!r}" for i in items))

    def _add_array(self, array: np.ndarray | np.generic) -> None:
        if type(array) is not np.ndarray and not isinstance(array, np.generic):
            raise Unknown(f"an array of class {type(array).__name__}")
        if array.dtype.hasobject or array.dtype.names or array.nbytes > MOST_TENSOR_BYTES:
            raise Unknown(f"an array of {array.dtype}")
        self.token("array", type(array).__name__, array.dtype, array.shape, array.tobytes())


_BY_REPR = {
    type(None), bool, int, str, complex, range, type(Ellipsis), type(NotImplemented), torch.dtype, torch.device,
    torch.layout, torch.memory_format, torch.Size,
}  # fmt: skip
