"""Lowers contractions on buffers, each with the elementwise operations around it, to loops over register tiles."""

from dataclasses import replace

from .....dialects.affine.maps import plain_dims
from .....dialects.host import ir
from .....dialects.structured import Structured
from ....tensor.access import access_kind
from ....tensor.contraction.form import ContractionForm, contraction_form
from ...processor import Processor
from .chain import delay_frees, erase_chain, find_chain
from .dot_product import dot_product
from .flat_operand import is_linear
from .nest import ContractionNest
from .packing import is_readable, panels_of
from .tile import choose_tile


def lower_contraction(view: Structured, cpu: Processor, threads: int, number: int) -> int:
    """Replaces a contraction by loops at the place of the last operation that is evaluated with it.

    Args:
        threads: that will share the outermost loop; number: of the nest, see `mark_parallel`.

    Returns:
        How many operations were replaced; 0 when the contraction is not one for register tiles.
    """
    form = contraction_form(view)
    if form is None or not _is_lowerable(view, form, cpu):
        return 0
    sizes = view.loop_sizes()
    panels = panels_of(view, form)
    width, group = (panels.width, panels.group) if panels is not None else (None, None)
    tile = choose_tile(view, form, sizes, cpu, width, group)
    if tile.lanes < 2:
        return 0
    if not all(is_linear(view.maps[form.lhs], i) for i in tile.rows):
        tile = replace(tile, rows={})
    chain = find_chain(view, form, sizes)
    delay_frees(chain)
    with view.op.location, ir.InsertionPoint(chain.last):
        ContractionNest(chain, tile, cpu, threads, number, dot_product(view, form, cpu)).emit()
    replaced = len(chain.members)
    erase_chain(chain)
    return replaced


def _is_lowerable(view: Structured, form: ContractionForm, cpu: Processor) -> bool:
    """Whether sums and columns are read in vectors, groups have an instruction, and addresses are linear."""
    if not all(isinstance(v.type, ir.MemRefType) for v in view.operands):
        return False
    if plain_dims(view.maps) != set(range(len(view.iterators))) or not is_readable(view, form):
        return False
    if access_kind(view.inits[0], view.init_maps[0], form.column) != "contiguous":
        return False
    panels = panels_of(view, form)
    maps = view.input_maps
    if panels is not None and panels.group is not None:
        dot = dot_product(view, form, cpu)
        if dot is None or dot.group != panels.group.size:
            return False
        maps = tuple(panels.group.map(amap) for amap in maps)
    return all(is_linear(amap, i) for amap in maps for i in form.reduction)
