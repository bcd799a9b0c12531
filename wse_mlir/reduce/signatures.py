"""Removes arguments and results of functions, in the functions and in their callers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence

from ..dialects.host import ir
from .draft import Base, Draft, ends_its_block, walk
from .functions import FunctionTypes, SignatureEntry, has_users, set_signature, signature_of, symbol_name
from .recreate import recreate, recreate_without
from .stand_ins import is_used, stand_in
from .strategy import Edits

SignaturePlace = tuple[int, int]  # a function's number, and which of its arguments or results


class _RemoveFromSignature(Edits[SignaturePlace]):
    def targets(self, base: Base) -> Sequence[SignaturePlace]:
        signatures = ((n, signature_of(op)) for n, op in enumerate(base.operations))
        return [(n, i) for n, s in signatures if s is not None for i in range(len(self.side(s)))]

    @staticmethod
    @abstractmethod
    def side(signature: FunctionTypes) -> Sequence[SignatureEntry]:
        """Arguments or results."""


class RemoveArguments(_RemoveFromSignature):
    """Removes arguments that nobody uses, or whose place another one of the same type can take."""

    name = "arguments of functions"

    @staticmethod
    def side(signature: FunctionTypes) -> Sequence[SignatureEntry]:
        return signature.inputs

    def edit(self, draft: Draft, target: SignaturePlace) -> None:
        number, index = target
        op = draft.operations[number]
        signature = signature_of(op)
        assert signature is not None
        blocks = list(op.regions[0].blocks)
        if blocks:
            argument = blocks[0].arguments[index]
            same = [a for a in blocks[0].arguments if a.type == argument.type and a.arg_number != index]
            if same:
                argument.replace_all_uses_with(same[0])
            elif is_used(argument):
                return
            blocks[0].erase_argument(index)
        for call in _calls(op, draft):
            recreate_without(call, operand=index)
        set_signature(op, signature.without_input(index))


class RemoveResults(_RemoveFromSignature):
    """Removes what functions return."""

    name = "results of functions"

    @staticmethod
    def side(signature: FunctionTypes) -> Sequence[SignatureEntry]:
        return signature.results

    def edit(self, draft: Draft, target: SignaturePlace) -> None:
        number, index = target
        op = draft.operations[number]
        signature = signature_of(op)
        assert signature is not None
        for exit_ in returns(op):
            if len(exit_.operands) == len(signature.results):
                recreate_without(exit_, operand=index)
        for call in _calls(op, draft):
            _forget_result(call, index, draft)
        set_signature(op, signature.without_result(index))


def returns(function: ir.Operation) -> list[ir.Operation]:
    """The terminators through which a function is left."""
    last = (list(block.operations)[-1:] for block in function.regions[0].blocks)
    return [op.operation for ops in last for op in ops if not op.successors and ends_its_block(op.operation)]


def _calls(function: ir.Operation, draft: Draft) -> Iterator[ir.Operation]:
    """Direct calls of the function, anywhere in the module; it may not be used in any other way."""
    if not has_users(function, draft):
        return
    name = symbol_name(function)
    for op in walk(draft.module):
        if op.name == "func.call" and ir.FlatSymbolRefAttr(op.attributes["callee"]).value == name:
            yield op


def _forget_result(call: ir.Operation, index: int, draft: Draft) -> None:
    lost = call.results[index]
    if is_used(lost):
        lost.replace_all_uses_with(stand_in(lost.type, call, draft))
    kept = [result for i, result in enumerate(call.results) if i != index]
    new = recreate(call, results=[result.type for result in kept])
    for old_result, new_result in zip(kept, new.results, strict=True):
        old_result.replace_all_uses_with(new_result)
    call.erase()
