"""A typed view of `linalg.generic`, and the few builders and cloners the bindings lack.

Every transformation of linalg (fusion, tiling, bufferization, vectorisation, partitioning) works on this
view: indexing maps, iterator types, inputs, inits and the scalar body. Named operations are generalised
first (`linalg-generalize-named-ops`, or `wse-generalize`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .affine.expressions import dim_position
from .host import ir, linalg

PARALLEL = "parallel"
REDUCTION = "reduction"


@dataclass(frozen=True)
class Structured:
    """What a `linalg.generic` says about its iteration space.

    Attributes:
        op: the operation.
        maps: one map per operand, inputs before inits; from iterators to the operand's dimensions.
        iterators: "parallel" or "reduction" per loop, outermost first.
        inputs / inits: the operands (`ins` / `outs`).
    """

    op: Any
    maps: tuple[ir.AffineMap, ...]
    iterators: tuple[str, ...]
    inputs: tuple[ir.Value, ...]
    inits: tuple[ir.Value, ...]

    @property
    def operands(self) -> tuple[ir.Value, ...]:
        return self.inputs + self.inits

    @property
    def body(self) -> ir.Block:
        return self.op.regions[0].blocks[0]

    @property
    def input_maps(self) -> tuple[ir.AffineMap, ...]:
        return self.maps[: len(self.inputs)]

    @property
    def init_maps(self) -> tuple[ir.AffineMap, ...]:
        return self.maps[len(self.inputs) :]

    @property
    def yielded(self) -> tuple[ir.Value, ...]:
        return tuple(list(self.body.operations)[-1].operands)

    def loop_sizes(self) -> tuple[int | None, ...]:
        """Trip count of each iterator; None where it is dynamic or no operand dimension gives it."""
        sizes: list[int | None] = [None] * len(self.iterators)
        for value, amap in zip(self.operands, self.maps, strict=True):
            if not isinstance(value.type, ir.ShapedType):
                continue
            shaped = ir.ShapedType(value.type)
            for dim, expr in enumerate(amap.results):
                position = dim_position(expr)
                if position is not None and sizes[position] is None and not shaped.is_dynamic_dim(dim):
                    sizes[position] = shaped.get_dim_size(dim)
        return tuple(sizes)

    def fixed_sizes(self) -> tuple[int, ...]:
        """Trip counts of an operation without dynamic dimensions; 1 where no operand tells."""
        return tuple(1 if size is None else size for size in self.loop_sizes())

    def is_elementwise(self) -> bool:
        """All iterators parallel and every init accessed by a permutation of them."""
        return self.is_parallel() and all(m.is_permutation for m in self.init_maps)

    def is_parallel(self) -> bool:
        """Whether no iterator is a reduction."""
        return all(i == PARALLEL for i in self.iterators)

    def reads(self, operand: int) -> bool:
        """Whether the body uses the scalar of that operand (inputs before inits)."""
        return next(iter(self.body.arguments[operand].uses), None) is not None

    def body_operations(self) -> list[Any]:
        """The scalar operations of the body, without the terminator."""
        return list(self.body.operations)[:-1]

    def is_copy(self) -> bool:
        """Whether the body only yields inputs: a transposition, broadcast, fill or plain copy."""
        arguments = list(self.body.arguments)[: len(self.inputs)]
        return not self.body_operations() and all(v in arguments for v in self.yielded)


def structured(op: Any) -> Structured | None:
    """The view of `op`, or None when it is not a `linalg.generic`."""
    op = op.opview if isinstance(op, ir.Operation) else op
    if not isinstance(op, linalg.GenericOp):
        return None
    maps = tuple(ir.AffineMapAttr(a).value for a in op.attributes["indexing_maps"])
    iterators = tuple(_iterator_name(a) for a in op.attributes["iterator_types"])
    return Structured(op, maps, iterators, tuple(op.inputs), tuple(op.outputs))


def _iterator_name(attribute: ir.Attribute) -> str:
    return REDUCTION if "reduction" in str(attribute) else PARALLEL


def element_type(operand: ir.Type) -> ir.Type:
    """What one iteration sees of an operand: a tensor's or memref's element, or the scalar type itself."""
    return operand.element_type if isinstance(operand, ir.ShapedType) else operand


def iterator_attribute(iterators: Iterable[str]) -> ir.ArrayAttr:
    """The `iterator_types` attribute for iterators named "parallel" or "reduction"."""
    return ir.ArrayAttr.get([ir.Attribute.parse(f"#linalg.iterator_type<{i}>") for i in iterators])


def project_attributes(op: Any) -> dict[str, ir.Attribute]:
    """The `wse.*` attributes of an operation, which a rewrite hands on to what replaces it."""
    attributes = op.operation.attributes
    return {name: attributes[name] for name in attributes if name.startswith("wse.")}


def hand_on_attributes(source: Any, target: Any) -> None:
    """Gives an operation the `wse.*` attributes of the one that it is made from."""
    for name, attribute in project_attributes(source).items():
        target.operation.attributes[name] = attribute


def names_loops(op: Any) -> bool:
    """Whether the user said of an operation's loops, one by one, where they run: they stay as they are then."""
    return "wse.iterators" in op.operation.attributes


def build_generic(
    inputs: Sequence[ir.Value],
    inits: Sequence[ir.Value],
    maps: Sequence[ir.AffineMap],
    iterators: Sequence[str],
    body: Callable[..., Sequence[ir.Value]],
    *,
    location: ir.Location | None = None,
    ip: ir.InsertionPoint | None = None,
) -> Any:
    """Creates a `linalg.generic` on tensors or memrefs.

    Args:
        body: called with the block arguments (one scalar per operand) inside the new block; returns the
            values to yield, one per init.
    Returns:
        The GenericOp; on tensors it has one result per init, on memrefs none.
    """
    results = [v.type for v in inits if isinstance(v.type, ir.RankedTensorType)]
    op = linalg.GenericOp(
        results,
        list(inputs),
        list(inits),
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]),
        iterator_attribute(iterators),
        loc=location,
        ip=ip,
    )
    scalars = [element_type(v.type) for v in (*inputs, *inits)]
    where: Any = location or ir.Location.current
    block = op.regions[0].blocks.append(*scalars, arg_locs=[where] * len(scalars))
    with ir.InsertionPoint(block), where:
        linalg.YieldOp(list(body(*block.arguments)))
    return op


def rebuild_generic(
    view: Structured,
    inputs: Sequence[ir.Value] | None = None,
    inits: Sequence[ir.Value] | None = None,
    maps: Sequence[ir.AffineMap] | None = None,
    iterators: Sequence[str] | None = None,
    body: Callable[..., Sequence[ir.Value]] | None = None,
) -> Any:
    """Creates a `linalg.generic` that has of another one all that is not given, its location and attributes too.

    Args:
        body: as that of `build_generic`; the same computation by default, for as many operands.
    """
    made = build_generic(
        view.inputs if inputs is None else inputs,
        view.inits if inits is None else inits,
        view.maps if maps is None else maps,
        view.iterators if iterators is None else iterators,
        body or (lambda *scalars: inline_body(view.body, scalars)),
        location=view.op.location,
    )
    hand_on_attributes(view.op, made)
    return made


def replace_op(op: Any, results: Iterable[ir.Value]) -> None:
    """Lets everyone who read an operation's results read these, and erases it."""
    for old, new in zip(op.operation.results, list(results), strict=True):
        old.replace_all_uses_with(new)
    op.operation.erase()


def clone_into(
    operations: Iterable[Any], mapping: dict[ir.Value, ir.Value], ip: ir.InsertionPoint | None = None
) -> dict[ir.Value, ir.Value]:
    """Clones operations at `ip` (default: the current one), replacing operands by `mapping`.

    Values used inside nested regions are replaced too. `mapping` is extended with the clones' results
    and returned.
    """
    ip = ip or ir.InsertionPoint.current
    for source in operations:
        clone = source.operation.clone(ip)
        _remap(clone, mapping)
        for old, new in zip(source.operation.results, clone.results, strict=True):
            mapping[old] = new
    return mapping


def _remap(operation: ir.Operation, mapping: dict[ir.Value, ir.Value]) -> None:
    for index, operand in enumerate(operation.operands):
        if operand in mapping:
            operation.operands[index] = mapping[operand]
    for region in operation.regions:
        for block in region.blocks:
            for inner in block.operations:
                _remap(inner.operation, mapping)


def outer_operands(op: ir.Operation) -> Iterator[ir.Value]:
    """Values from outside that an operation or its regions use; some several times."""
    inner: set[ir.Value] = set()

    def visit(at: ir.Operation) -> Iterator[ir.Value]:
        yield from (v for v in at.operands if v not in inner)
        for region in at.regions:
            for block in region.blocks:
                inner.update(block.arguments)
                for below in block.operations:
                    yield from visit(below.operation)
                    inner.update(below.operation.results)

    return visit(op)


def inline_body(
    source: ir.Block, arguments: Sequence[ir.Value], ip: ir.InsertionPoint | None = None
) -> list[ir.Value]:
    """Clones a block without its terminator, its arguments replaced; returns what the terminator yielded."""
    mapping: dict[ir.Value, ir.Value] = dict(zip(source.arguments, arguments, strict=True))
    operations = list(source.operations)
    clone_into(operations[:-1], mapping, ip)
    return [mapping.get(v, v) for v in operations[-1].operands]
