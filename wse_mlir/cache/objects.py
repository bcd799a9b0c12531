"""Digests of functions, classes and objects of the user's: bytecode, and everything that it refers to."""

from __future__ import annotations

import abc
import builtins
import dis
import enum
import functools
import types
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils import _pytree as pytree

from .fingerprint import Fingerprint, Unknown
from .modules import add_module
from .trusted import (
    FORBIDDEN,
    check_builtin_name,
    is_trusted_class,
    is_trusted_code,
    is_trusted_module,
)

_BUILTIN = (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: classes of Python code have it
_METACLASSES = (type, abc.ABCMeta, enum.EnumMeta)
_INERT = {  # attributes of classes that tracing does not see
    "__dict__", "__weakref__", "__annotations__", "__abstractmethods__", "_abc_impl", "__orig_bases__",
    "__parameters__", "__static_attributes__", "__firstlineno__", "__annotate__", "__annotate_func__",
    "__annotations_cache__", "__match_args__", "__dataclass_params__", "__doc__",
}  # fmt: skip
_REACHES_OUT = {
    "__globals__",
    "__code__",
    "__closure__",
    "__builtins__",
    "__subclasses__",
    "f_globals",
    "f_locals",
}
_FIELD = ("name", "default", "default_factory", "init", "kw_only")


def add_object(fingerprint: Fingerprint, value: Any) -> None:
    """Adds a function, a class or an object; see `Fingerprint.add`."""
    if isinstance(value, types.ModuleType):
        raise Unknown(f"the module {value.__name__} as a value")
    if isinstance(value, _BUILTIN):
        _add_builtin(fingerprint, value)
    elif not fingerprint.first_time(value):
        return
    elif isinstance(value, types.FunctionType):
        _add_function(fingerprint, value)
    elif isinstance(value, type):
        _add_class(fingerprint, value)
    elif isinstance(value, torch.nn.Module):
        add_module(fingerprint, value)
    else:
        _add_instance(fingerprint, value)


def _add_builtin(fingerprint: Fingerprint, value: Any) -> None:
    owner = getattr(value, "__self__", getattr(value, "__objclass__", None))
    module = getattr(value, "__module__", None)
    if module is None and isinstance(owner, type):
        module = owner.__module__
    if isinstance(owner, types.ModuleType):
        module = owner.__name__
    elif owner is not None and not isinstance(owner, type):
        raise Unknown(f"{value.__qualname__} of an object")
    if not is_trusted_module(module):
        raise Unknown(f"{module}.{value.__qualname__}")
    check_builtin_name(value.__name__, module)
    fingerprint.token("builtin", module, value.__qualname__)


def _add_function(fingerprint: Fingerprint, function: types.FunctionType) -> None:
    fingerprint.token("function", function.__module__, function.__qualname__)
    if is_trusted_code(function):
        fingerprint.token(function.__code__.co_firstlineno)
    else:
        _add_code(fingerprint, function.__code__, function.__globals__)
    fingerprint.add(function.__defaults__)
    fingerprint.add(function.__kwdefaults__)
    for cell in function.__closure__ or ():
        try:
            content = cell.cell_contents
        except ValueError:
            fingerprint.token("empty cell")
        else:
            fingerprint.add(content)
    fingerprint.add(vars(function))


def _add_code(fingerprint: Fingerprint, code: types.CodeType, names: dict[str, Any]) -> None:
    """Bytecode with its places in the source, which reports name, and the values of the globals that it uses."""
    fingerprint.token(
        "code", code.co_name, code.co_filename, code.co_firstlineno, code.co_flags, code.co_argcount,
        code.co_posonlyargcount, code.co_kwonlyargcount, code.co_code, code.co_names, code.co_varnames,
        code.co_freevars, code.co_cellvars, code.co_linetable, getattr(code, "co_exceptiontable", b""),
    )  # fmt: skip
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _add_code(fingerprint, constant, names)
        else:
            fingerprint.add(constant)
    for name, value in _used_globals(code, names):
        fingerprint.token("global", name)
        fingerprint.add(value)


def _used_globals(code: types.CodeType, names: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The globals that bytecode loads, and what it takes from modules, which are no values themselves."""
    instructions = list(dis.get_instructions(code))
    for position, instruction in enumerate(instructions):
        name, operation = instruction.argval, instruction.opname
        if operation in ("LOAD_ATTR", "LOAD_METHOD") and name in _REACHES_OUT:
            raise Unknown(f"the attribute {name}")
        if operation in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            raise Unknown(f"the global {name}, which is assigned")
        if operation in ("IMPORT_NAME", "IMPORT_STAR"):
            raise Unknown(f"an import of {name} in a function")
        if operation not in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"):
            continue
        if name in names:
            yield _through_modules(names[name], name, instructions[position + 1 :])
        elif name in FORBIDDEN:
            raise Unknown(f"the function {name}")
        else:
            # A name that is nowhere may be defined by the time that it is used, but not while a model is traced.
            yield name, vars(builtins).get(name, "no such name")


def _through_modules(value: Any, name: str, rest: list[dis.Instruction]) -> tuple[str, Any]:
    """What `module.submodule.function` in bytecode is."""
    for instruction in rest:
        if not isinstance(value, types.ModuleType):
            break
        if instruction.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
            break
        is_trusted_module(value.__name__)
        name = f"{name}.{instruction.argval}"
        if not hasattr(value, instruction.argval):
            raise Unknown(f"{name}, which does not exist")
        value = getattr(value, instruction.argval)
    return name, value


def _add_class(fingerprint: Fingerprint, cls: type) -> None:
    fingerprint.token("class", cls.__module__, cls.__qualname__)
    if is_trusted_class(cls):
        if issubclass(cls, torch.nn.Module):  # settings of a layer that is not an object's own
            plain = {n: v for n, v in vars(cls).items() if type(v) in (bool, int, float, str, list, tuple)}
            fingerprint.token(*[f"{name}={value!r}" for name, value in sorted(plain.items())])
        return
    if type(cls) not in _METACLASSES:
        raise Unknown(f"class {cls.__qualname__} with a metaclass")
    _add_registration(fingerprint, cls)
    for base in cls.__mro__[1:]:
        fingerprint.add(base)
    if isinstance(cls, enum.EnumMeta):
        _add_enum(fingerprint, cls)
        return
    for name, value in sorted(vars(cls).items()):
        if name in _INERT or isinstance(value, types.GetSetDescriptorType):
            continue
        fingerprint.token(name)
        if isinstance(value, types.MemberDescriptorType):
            fingerprint.token("slot")
        elif name == "__dataclass_fields__":
            fingerprint.add([[getattr(field, part) for part in _FIELD] for field in value.values()])
        else:
            fingerprint.add(value)


def _add_enum(fingerprint: Fingerprint, cls: type) -> None:
    """Members in order, and methods; the rest of an enum's class is made by Python from these."""
    members: dict[str, enum.Enum] = dict(vars(cls)["_member_map_"])
    fingerprint.add({name: member._value_ for name, member in members.items()})
    for name, value in sorted(vars(cls).items()):
        if isinstance(value, (types.FunctionType, property, classmethod, staticmethod)):
            fingerprint.token(name)
            fingerprint.add(value)


def _add_registration(fingerprint: Fingerprint, cls: type) -> None:
    """How PyTorch takes objects of a class apart, where it was told."""
    node = pytree.SUPPORTED_NODES.get(cls)
    if node is not None:
        fingerprint.token("taken apart")
        fingerprint.add((node.flatten_fn, node.unflatten_fn))


def _add_instance(fingerprint: Fingerprint, value: Any) -> None:
    kind = type(value)
    fingerprint.token("object", kind.__module__, kind.__qualname__)
    if isinstance(value, types.MethodType):
        fingerprint.add((value.__func__, value.__self__))
    elif kind in (staticmethod, classmethod):
        fingerprint.add(value.__func__)
    elif kind is property:
        fingerprint.add((value.fget, value.fset, value.fdel))
    elif kind is functools.cached_property:
        fingerprint.add(value.func)
    elif kind is functools.partial:
        fingerprint.add((value.func, value.args, value.keywords, vars(value)))
    elif isinstance(value, enum.Enum):
        fingerprint.add(kind)
        fingerprint.token(value.name)
    elif kind is types.SimpleNamespace:
        fingerprint.add(dict(vars(value)))
    elif kind.__module__ == "typing" or kind in (types.GenericAlias, types.UnionType):
        fingerprint.token(repr(value))  # an annotation
    elif isinstance(value, (torch._ops.OpOverload, torch._ops.OpOverloadPacket)):
        _add_operator(fingerprint, value)
    else:
        _add_state(fingerprint, value)


def _add_operator(fingerprint: Fingerprint, value: Any) -> None:
    text = str(value)
    if text.partition(".")[0].partition("::")[0] not in ("aten", "prims", "prim"):
        raise Unknown(f"the operator {text}")
    fingerprint.token(text)


def _add_state(fingerprint: Fingerprint, value: Any) -> None:
    """An object of a class that is Python through and through, so that its attributes are all there is to it."""
    kind = type(value)
    for cls in kind.__mro__[:-1]:
        is_written_in_c = any(isinstance(part, _BUILTIN) for part in vars(cls).values())
        if is_written_in_c or not cls.__flags__ & _HEAP_TYPE or "__module__" not in vars(cls):
            raise Unknown(f"an object of class {kind.__module__}.{kind.__qualname__}")
        fingerprint.add(cls)
    names = [
        n for cls in kind.__mro__ for n, v in vars(cls).items() if isinstance(v, types.MemberDescriptorType)
    ]
    fingerprint.add({name: getattr(value, name) for name in names if hasattr(value, name)})
    if hasattr(value, "__dict__"):
        fingerprint.add(dict(vars(value)))
