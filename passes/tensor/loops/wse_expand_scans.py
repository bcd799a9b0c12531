"""`wse-expand-scans`: running sums become loops that carry a number."""

from __future__ import annotations

from ....dialects.host import ir
from ....dialects.structured import replace_op, structured
from ...infra.pass_base import Pass, PassRun
from ..traversal import collect
from .scan_loops import scan_loops
from .scans import scan_of


class ExpandScans(Pass, name="wse-expand-scans", anchor="func.func"):
    """Makes loops of running sums, for targets that run one step after the other.

    Before:

        %r:2 = linalg.generic {maps = [(d, k) -> (d, k), (d, k) -> (d, k), (d, k) -> (d)], ["parallel", "reduction"]}
          ins(%x : tensor<3x5xf32>) outs(%out, %zeros) {
        ^bb0(%given, %_, %running):
          %sum = arith.addf %running, %given
          linalg.yield %sum, %sum
        }

    After:

        %r:2 = scf.for %i = %c0 to %c3 step %c1 iter_args(%t = %out, %e = %zeros) {
          %first = tensor.extract %x[%i, %c0]
          %s = tensor.insert %first into %t[%i, %c0]
          %line:2 = scf.for %k = %c0 to %c4 step %c1 iter_args(%u = %s, %running = %first) {
            ...
          }
        }
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for found in collect(op, lambda inner: inner.name == "linalg.generic"):
            view = structured(found)
            scan = None if view is None else scan_of(view)
            if scan is None:
                continue
            with found.location, ir.InsertionPoint(found):
                made = scan_loops(scan)
            replace_op(found, made)
            run.count("scans expanded")
