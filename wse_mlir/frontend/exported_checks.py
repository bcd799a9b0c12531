"""What a foreign exported program may say: its texts that PyTorch would evaluate, call or write into code.

Reading a program, PyTorch hands sizes to sympy, which evaluates them as Python; looks operators up by their path
below `torch`, where the whole standard library can be reached; imports modules that structures name; and generates
Python from the names of values. Each text is therefore one of the few kinds below; all else is refused.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Callable
from typing import Any

import torch
from torch._export.serde import schema, serialize
from torch._export.serde.union import _Union

from ..artifacts.saved.trees import read_tree


class Unsafe(Exception):
    """Reading a file could run code; the text says which part of it."""


# Calls in sizes: sympy's own functions and those that PyTorch defines for it.
_FUNCTIONS = frozenset((
    "Max", "Min", "Abs", "Mod", "floor", "ceiling", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "And", "Or", "Not", "Piecewise",
    "Integer", "Float", "Rational", "Pow", "sqrt", "FloorDiv", "ModularIndexing", "Where", "PythonMod", "CleanDiv",
    "CeilToInt", "FloorToInt", "CeilDiv", "LShift", "RShift", "PowByNatural", "FloatPow", "FloatTrueDiv", "IntTrueDiv",
    "IsNonOverlappingAndDenseIndicator", "TruncToFloat", "TruncToInt", "RoundToInt", "RoundDecimal", "ToFloat",
    "Identity", "Add", "Mul", "Equality", "Unequality", "LessThan", "GreaterThan", "StrictLessThan",
    "StrictGreaterThan", "ITE", "Xor", "Tuple",
))  # fmt: skip
_PARTS = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Name, ast.Constant, ast.Call, ast.Load,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.Tuple,
)  # fmt: skip
_GROWING = ("Pow", "PowByNatural", "FloatPow", "LShift")
_LONGEST = 10_000
_LARGEST_POWER = 64

_OPERATOR = re.compile(r"torch\.ops\.(\w+)\.(\w+)(?:\.(\w+))?")
_ON_SIZES = re.compile(r"(_operator|math|torch)\.(\w+)")
_REACH_FILES = ("aten::from_file", "aten::save")
# Of a layer or weight; it may stand between quotes in generated code.
_PATH = re.compile(r"[^\"'\\\x00-\x1f\x7f]*")


def _expression(text: str) -> None:
    try:
        tree = ast.parse(text, mode="eval") if len(text) <= _LONGEST else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if tree is None or not _is_arithmetic(tree):
        raise Unsafe(f"the size '{text[:60]}' is no arithmetic")


def _is_arithmetic(node: ast.AST) -> bool:
    if _is_symbol(node):
        return True
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS or node.keywords:
            return False
        grows = node.func.id in _GROWING
        return all(map(_is_arithmetic, node.args)) and not (grows and not all(map(_is_small, node.args[1:])))
    if isinstance(node, ast.Name):
        return not node.id.startswith("_")
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (int, float))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and not _is_small(node.right):
        return False
    return isinstance(node, _PARTS) and all(map(_is_arithmetic, ast.iter_child_nodes(node)))


def _is_symbol(node: ast.AST) -> bool:
    """Whether this is a symbol as sympy prints it: Symbol('s0', positive=True, integer=True)."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Symbol"):
        return False
    values = [*node.args, *(keyword.value for keyword in node.keywords)]
    texts = [value.value for value in values if isinstance(value, ast.Constant)]
    if len(texts) != len(values) or not texts or not isinstance(texts[0], str):
        return False
    return texts[0].isidentifier() and all(isinstance(text, bool) for text in texts[1:])


def _is_small(exponent: ast.AST) -> bool:
    """Whether raising to this ends soon: a symbol, or a small number."""
    if isinstance(exponent, ast.UnaryOp):
        exponent = exponent.operand
    if isinstance(exponent, ast.Constant):
        return isinstance(exponent.value, (int, float)) and abs(exponent.value) <= _LARGEST_POWER
    if (
        isinstance(exponent, ast.Call)
        and isinstance(exponent.func, ast.Name)
        and exponent.func.id == "Integer"
    ):
        return all(map(_is_small, exponent.args))
    return isinstance(exponent, ast.Name) or _is_symbol(exponent)


def _operator(name: str) -> None:
    """Operators that are registered with PyTorch, and arithmetic on sizes; nothing else that has a name in PyTorch."""
    on_sizes = _ON_SIZES.fullmatch(name)
    if on_sizes and any(
        f.__module__ == on_sizes[1] and f.__name__ == on_sizes[2] for f in serialize._SYM_OPS
    ):
        return
    if on_sizes and name.startswith("torch.sym_") and getattr(torch, on_sizes[2], None) in serialize._SYM_OPS:
        return
    parts = _OPERATOR.fullmatch(name)
    if parts is None:
        raise Unsafe(f"it calls '{name[:60]}', which is no operator")
    found: Any = torch.ops
    for part in filter(None, parts.groups()):
        found = getattr(found, part, None)
        if found is None:
            return  # PyTorch's reader says that it does not know it
    if not isinstance(found, (torch._ops.OpOverload, torch._ops.HigherOrderOperator)):
        raise Unsafe(f"it calls '{name[:60]}', which is no operator")
    if isinstance(found, torch._ops.OpOverload) and found._schema.name in _REACH_FILES:
        raise Unsafe(f"it calls '{name}', which opens files")


def _identifier(name: str) -> None:
    if name and not name.isidentifier():
        raise Unsafe(f"the name '{name[:60]}' is none")


def _path(name: str) -> None:
    if not _PATH.fullmatch(name):
        raise Unsafe(f"the name {name[:60]!r} is none")


def _tree(text: str) -> None:
    try:
        read_tree(text)
    except ValueError as error:
        raise Unsafe(f"the structure of its arguments: {error}") from None


def _anything(text: str) -> None:
    """Text that stays text."""


def _no_object(name: str) -> None:
    raise Unsafe(f"it holds an object of the class '{name[:60]}'")


# By the name of the field in PyTorch's schema; a text in any other field names a value, and must be an identifier.
_KINDS: dict[str, Callable[[str], None]] = {
    "expr_str": _expression, "target": _operator, "as_operator": _operator, "in_spec": _tree, "out_spec": _tree,
    "class_fqn": _no_object, "as_custom_obj": _no_object, "custom_obj_name": _no_object,
    "parameter_name": _path, "buffer_name": _path, "tensor_constant_name": _path, "fqn": _path, "path_name": _path,
    "as_string": _anything, "as_strings": _anything, "type": _anything, "torch_version": _anything,
    "verifiers": _anything, "opset_version": _anything, "metadata": _anything, "treespec_namedtuple_fields": _anything,
    "config": _path,
}  # fmt: skip
# Metadata that locations are made from; the rest is dropped, and so are guards, which are Python.
_KEPT_METADATA = ("stack_trace", "nn_module_stack", "torch_fn")


def check_program(program: schema.ExportedProgram) -> None:
    """Raises `Unsafe` if PyTorch would run code of the file when it reads the program; drops what is not needed."""
    program.guards_code = []
    program.graph_module.metadata = {}
    _check(program, "")


def check_payloads(config: schema.PayloadConfig) -> None:
    """The same for the list of weights or constants."""
    for payload in config.config.values():
        if payload.path_name.startswith(("custom_obj", "opaque_obj")):
            raise Unsafe(f"'{payload.path_name}' is a pickled object")
    _check(config, "")


def _check(value: Any, field: str) -> None:
    if isinstance(value, str):
        _KINDS.get(field, _identifier)(value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check(item, field)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check(key, field)
            _check(item, field)
    elif isinstance(value, _Union):
        _check(value.value, value.type)
    elif dataclasses.is_dataclass(value):
        if isinstance(value, schema.Node):
            value.metadata = {k: text for k, text in value.metadata.items() if k in _KEPT_METADATA}
        for item in dataclasses.fields(value):
            _check(getattr(value, item.name), item.name)
