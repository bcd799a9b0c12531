"""Contractions as text, and their views, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.dialects.structured import Structured, structured

MULTIPLY_ADD = "%p = arith.mulf %x, %y : {0}\n%s = arith.addf %z, %p : {0}\nlinalg.yield %s : {0}"


def contraction_text(
    maps: tuple[str, str, str], iterators: str, kinds: tuple[str, str, str], body: str = ""
) -> str:
    """A function with one `linalg.generic` on buffers.

    Args:
        maps: as "(m, n, k) -> (m, k)", inputs before the result.
        iterators: "p" or "r" per loop.
        kinds: the operands' types without `memref<>`, "8x64xf32".
        body: that of a product of floats when empty; %x, %y and %z are its arguments.
    """
    scalars = [kind.split(",")[0].split("x")[-1] for kind in kinds]
    memrefs = [f"memref<{kind}>" for kind in kinds]
    types = ", ".join('"parallel"' if i == "p" else '"reduction"' for i in iterators)
    affine = ", ".join(f"affine_map<{m}>" for m in maps)
    arguments = ", ".join(f"%{name}: {kind}" for name, kind in zip("abc", memrefs, strict=True))
    return f"""func.func @main({arguments}) attributes {{llvm.emit_c_interface}} {{
  linalg.generic {{indexing_maps = [{affine}], iterator_types = [{types}]}}
      ins(%a, %b : {memrefs[0]}, {memrefs[1]}) outs(%c : {memrefs[2]}) {{
  ^bb0(%x: {scalars[0]}, %y: {scalars[1]}, %z: {scalars[2]}):
    {body or MULTIPLY_ADD.format(scalars[2])}
  }}
  return
}}"""


@contextmanager
def viewed(text: str) -> Iterator[Structured]:
    """The first `linalg.generic` of a function."""
    with create_context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        operations = module.body.operations[0].regions[0].blocks[0].operations
        view = next(v for v in map(structured, operations) if v is not None)
        yield view
