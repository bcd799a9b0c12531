"""`as_strided` that only reshapes: PyTorch's global pooling of images in channels-last order ends with one.

What is left to torch-mlir becomes a gather with a table of indices.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.fx import Graph, Node

_AS_STRIDED = torch.ops.aten.as_strided.default


def rewrite_plain_views(graph: Graph) -> None:
    """Replaces every `as_strided` whose elements are its operand's, in their order, by a `view` of the same name."""
    for node in list(graph.nodes):
        if node.op == "call_function" and node.target is _AS_STRIDED and _is_plain(node):
            source, name = node.args[0], node.name
            with graph.inserting_before(node):
                view = graph.call_function(
                    torch.ops.aten.view.default, (source, list(node.meta["val"].shape))
                )
            view.meta.update(node.meta)
            node.replace_all_uses_with(view)
            graph.erase_node(node)
            view.name = name  # signatures refer to nodes by name


def _is_plain(node: Node) -> bool:
    """Whether source and result walk the same elements, sizes of one aside."""
    source, result = node.args[0], node.meta.get("val")
    base = source.meta.get("val") if isinstance(source, Node) else None
    if not isinstance(base, torch.Tensor) or not isinstance(result, torch.Tensor):
        return False
    if any(not isinstance(size, int) for size in (*base.shape, *result.shape)):
        return False
    offset = node.args[3] if len(node.args) > 3 else node.kwargs.get("storage_offset")
    if offset is not None and offset != base.storage_offset():
        return False
    return _steps(base.shape, base.stride()) == _steps(result.shape, result.stride())


def _steps(shape: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    return [(size, stride) for size, stride in zip(shape, strides, strict=True) if size != 1]
