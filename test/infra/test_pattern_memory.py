"""Sets of patterns are freed with all that their patterns refer to: each compilation makes a dozen."""

import gc
import weakref
from typing import Any

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.patterns import Pattern, PatternSet


class Owner:
    """What a pattern refers to."""

    def rewrite(self, op: Any, rewriter: Any) -> bool:
        return False


def test_a_set_of_patterns_leaves_nothing_behind() -> None:
    owner = Owner()
    freed = weakref.ref(owner)
    with create_context(), ir.Location.unknown():
        patterns = PatternSet(Pattern("func.func", owner.rewrite))
        assert not patterns.apply(ir.Module.parse("func.func @main() { return }").operation)
    del owner, patterns
    gc.collect()
    assert freed() is None
