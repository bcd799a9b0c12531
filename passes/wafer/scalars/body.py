"""The scalar body of a `linalg.generic` as a list of elementary operations a PE has.

Operands are positions of the generic's operands, earlier operations, immediates or iteration indices.
Operations on immediates alone are evaluated here; a comparison that is true for NaN is expressed by its
opposite, so that NaN comes out in the same places as in the source.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ....dialects.host import arith, ir
from ....dialects.structured import Structured
from ....wse_target.kinds import KIND_OF
from ...infra.diagnostics import PassFailure
from ..prepare.tables import is_plain, table_of
from .composed import COMPOSED, compare_unsigned, compose
from .constant_folding import fold
from .refusals import NoLowering
from .splat import scalar_constant, splat_of
from .values import ElementaryOp, Immediate, IteratorValue, Operand, ScalarBody, ScalarValue, Temp

_TRANSLATED = ("arith.cmpf", "arith.cmpi", "arith.select", "math.fma", "math.fpowi", "math.ipowi")
_OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}


def dtype_name(element: ir.Type) -> str:
    """The image's name of an element type; `index` is kept in 32 bits as PEs do."""
    text = str(element)
    return {"index": "i32"}.get(text, text)


class _Translator:
    def __init__(self, view: Structured) -> None:
        self.view = view
        self.ops: list[ElementaryOp] = []
        self.values: dict[ir.Value, ScalarValue] = {a: Operand(i) for i, a in enumerate(view.body.arguments)}
        self.negated: dict[int, bool] = {}

    def run(self) -> ScalarBody:
        for op in list(self.view.body.operations)[:-1]:
            self.translate(op)
        yielded = tuple(self.plain(self.value(v)) for v in self.view.yielded)  # which may add operations
        return ScalarBody(tuple(self.ops), yielded)

    def value(self, value: ir.Value) -> ScalarValue:
        if value in self.values:
            return self.values[value]
        constant = scalar_constant(value)
        if constant is None:
            raise NoLowering(self.view.op, "an operation uses a scalar that is computed outside of it")
        return Immediate(constant)

    def emit(self, kind: str, operands: tuple[ScalarValue, ...], dtype: str) -> ScalarValue:
        if all(isinstance(o, Immediate) for o in operands):
            folded = fold(kind, [o.value for o in operands if isinstance(o, Immediate)], dtype)
            if folded is not None:
                return Immediate(folded)
        self.ops.append(ElementaryOp(kind, operands, dtype))
        return Temp(len(self.ops) - 1)

    def emit_mixed(self, kind: str, operands: Sequence[ScalarValue | float], dtype: str) -> ScalarValue:
        """`emit` of values and numbers."""
        return self.emit(
            kind, tuple(Immediate(o) if isinstance(o, (int, float)) else o for o in operands), dtype
        )

    def plain(self, value: ScalarValue) -> ScalarValue:
        """`value` with a pending negation carried out."""
        if isinstance(value, Temp) and self.negated.get(value.index):
            return self.emit("xor", (value, Immediate(1)), "i1")
        return value

    def translate(self, op: Any) -> None:
        name = op.operation.name
        if name == "linalg.index":
            self.values[op.results[0]] = IteratorValue(ir.IntegerAttr(op.attributes["dim"]).value)
            return
        if name == "arith.constant":
            return
        if name == "tensor.extract":
            self.values[op.results[0]] = self.extracted(op)
            return
        dtype = dtype_name(op.results[0].type)
        operands = tuple(self.value(v) for v in op.operands)
        if name in COMPOSED:
            source = dtype_name(op.operands[0].type)
            composed = compose(name, self.emit_mixed, tuple(map(self.plain, operands)), source, dtype)
            if composed is not None:
                self.values[op.results[0]] = composed
                return
        if name not in _TRANSLATED and name not in KIND_OF:
            raise NoLowering(
                op, f"a processing element has no operation for '{name}' of {op.operands[0].type}"
            )
        if name in ("arith.cmpf", "arith.cmpi"):
            self.values[op.results[0]] = self.compare(op, tuple(map(self.plain, operands)))
        elif name == "arith.select":
            self.values[op.results[0]] = self.select(operands, dtype)
        elif name == "math.fma":
            a, b, c = map(self.plain, operands)
            self.values[op.results[0]] = self.emit("add", (self.emit("mul", (a, b), dtype), c), dtype)
        elif name in ("math.fpowi", "math.ipowi"):
            self.values[op.results[0]] = self.integer_power(op, self.plain(operands[0]), operands[1], dtype)
        else:
            self.values[op.results[0]] = self.emit(KIND_OF[name], tuple(map(self.plain, operands)), dtype)

    def extracted(self, op: Any) -> ScalarValue:
        """An element of a table: a `gather` of the operand, with an index for each of its dimensions."""
        position = table_of(op)
        if position is None:
            raise PassFailure(
                self.view.op,
                "an operation reads a tensor that is no operand of it",
                hint="run wse-bind-tables first",
            )
        number = splat_of(op.operands[0])
        if number is not None:
            return Immediate(number)
        indices = tuple(
            Immediate(0) if is_plain(self.view, position, dim, index) else self.plain(self.value(index))
            for dim, index in enumerate(list(op.operands)[1:])
        )
        return self.emit("gather", (Operand(position), *indices), dtype_name(op.results[0].type))

    def integer_power(self, op: Any, base: ScalarValue, exponent: ScalarValue, dtype: str) -> ScalarValue:
        """Powers of integers, and small constant ones of floats as products, as others compute them."""
        if op.operation.name == "math.ipowi":
            return self.emit("pow", (base, self.plain(exponent)), dtype)
        power = exponent.value if isinstance(exponent, Immediate) else None
        if power is None or not 1 <= abs(power) <= 8:
            raise NoLowering(op, "a power that is not a small constant")
        result = base
        for _ in range(int(abs(power)) - 1):
            result = self.emit("mul", (result, base), dtype)
        return result if power > 0 else self.emit("div", (Immediate(1.0), result), dtype)

    def compare(self, op: Any, operands: tuple[ScalarValue, ...]) -> ScalarValue:
        predicate = ir.IntegerAttr(op.attributes["predicate"]).value
        if op.operation.name == "arith.cmpi":
            kind, source = str(arith.CmpIPredicate(predicate)).lower(), dtype_name(op.operands[0].type)
            if kind[0] == "u" and source != "i1":
                return compare_unsigned(kind[1:], self.emit_mixed, operands, source)
            if kind[0] == "s" and source == "i1":  # a bit that is set is -1, the lesser one
                operands = operands[::-1]
            return self.emit(kind if kind in ("eq", "ne") else kind[1:], operands, "i1")
        kind = str(arith.CmpFPredicate(predicate)).lower()
        if kind in ("ord", "uno"):
            parts = [self.emit("eq" if kind == "ord" else "ne", (o, o), "i1") for o in operands]
            return self.emit("and" if kind == "ord" else "or", tuple(parts), "i1")
        if kind in ("alwaysfalse", "alwaystrue", "false", "true"):
            return Immediate(int(kind.endswith("true")))
        if kind in ("one", "ueq"):  # different, and neither is NaN; or the opposite
            differ = self.emit("or", tuple(self.emit(k, operands, "i1") for k in ("lt", "gt")), "i1")
            return differ if kind == "one" else self.negate(differ)
        ordered, kind = kind[0] == "o", kind[1:]
        # `ne` is true for NaN as PEs compute it, every other kind is false
        if ordered == (kind != "ne"):
            return self.emit(kind, operands, "i1")
        return self.negate(self.emit(_OPPOSITE[kind], operands, "i1"))

    def negate(self, value: ScalarValue) -> ScalarValue:
        """The opposite of a comparison; carried out only when something else than a select asks for it."""
        if isinstance(value, Immediate):
            return Immediate(1 - int(value.value))
        if isinstance(value, Temp):
            self.negated[value.index] = True
        return value

    def select(self, operands: tuple[ScalarValue, ...], dtype: str) -> ScalarValue:
        condition, chosen, other = operands[0], self.plain(operands[1]), self.plain(operands[2])
        if isinstance(condition, Immediate):
            return chosen if condition.value else other
        if isinstance(condition, Temp) and self.negated.get(condition.index):
            compared = self.ops[condition.index]
            # x > c or NaN ? x : c is a maximum that keeps NaN
            if compared.operands == (chosen, other) and compared.kind in ("le", "lt", "ge", "gt"):
                kind = "max" if compared.kind in ("le", "lt") else "min"
                return self.emit(kind, (chosen, other), dtype)
            chosen, other = other, chosen
        return self.emit("select", (condition, chosen, other), dtype)


def translate_body(view: Structured) -> ScalarBody:
    """Translates the body of a generic; operations that nothing uses are dropped.

    Raises:
        PassFailure: a scalar operation that a PE does not have.
    """
    return drop_unused(_Translator(view).run(), keep=lambda position: True)


def drop_unused(body: ScalarBody, keep: Callable[[int], bool]) -> ScalarBody:
    """The body without what no result needs; `keep` says which results are."""
    needed: set[int] = {y.index for i, y in enumerate(body.yielded) if isinstance(y, Temp) and keep(i)}
    for index in range(len(body.ops) - 1, -1, -1):
        if index in needed:
            needed.update(o.index for o in body.ops[index].operands if isinstance(o, Temp))
    renamed = {old: new for new, old in enumerate(sorted(needed))}

    def rename(value: ScalarValue) -> ScalarValue:
        return Temp(renamed[value.index]) if isinstance(value, Temp) else value

    ops = [
        ElementaryOp(op.kind, tuple(map(rename, op.operands)), op.dtype)
        for index, op in enumerate(body.ops)
        if index in needed
    ]
    yielded = [rename(y) if keep(i) else Immediate(0) for i, y in enumerate(body.yielded)]
    return ScalarBody(tuple(ops), tuple(yielded))


def ending_in(body: ScalarBody, op: ElementaryOp) -> ScalarBody:
    """The body with an operation of its values as its one result, without what that does not need."""
    changed = ScalarBody((*body.ops, op), (Temp(len(body.ops)),))
    return drop_unused(changed, keep=lambda position: True)


def restrict_to_results(body: ScalarBody, used: tuple[bool, ...]) -> ScalarBody:
    """The body without what only unused results need."""
    return drop_unused(body, keep=lambda position: used[position])
