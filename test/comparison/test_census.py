"""What is counted of the IR, on IR that can be counted by hand."""

from wse_mlir.compare.census import Census, EffectsObserver, take_census
from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_manager import Instrumentation, run_pipeline

ON_TENSORS = """
func.func @main(%x: tensor<4x8xf32>, %w: tensor<8x2xf32>) -> tensor<4x2xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x2xf32>) -> tensor<4x2xf32>
  %y = linalg.matmul ins(%x, %w : tensor<4x8xf32>, tensor<8x2xf32>) outs(%init : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}
"""
ON_BUFFERS = """
func.func @main(%n: index) {
  %a = memref.alloc() : memref<16xf32>
  %b = memref.alloc() : memref<8xf16>
  memref.dealloc %a : memref<16xf32>
  %c = memref.alloc() : memref<4xi64>
  %d = memref.alloc(%n) : memref<?xf32>
  memref.dealloc %b : memref<8xf16>
  return
}
"""


def census(text: str) -> Census:
    with create_context():
        return take_census(ir.Module.parse(text).operation)


def test_computations_on_tensors() -> None:
    found = census(ON_TENSORS)
    assert (found.computations, found.allocations, found.allocated) == (2, 1, 4 * 2 * 4)
    assert found.traffic == 32 + (128 + 64 + 32)  # what the fill writes; what the product reads and writes
    assert found.peak == 0  # a tensor is no memory yet
    # function, constant, empty, fill (1 inside), matmul (3 inside), return: bodies of named operations count too
    assert found.operations == 10


def test_buffers_that_are_alive_at_the_same_time() -> None:
    found = census(ON_BUFFERS)
    assert (found.allocations, found.allocated) == (4, 64 + 16 + 32)
    assert found.peak == 64 + 16  # the first is gone when the third comes, open sizes count as nothing


def test_traffic_is_not_told_once_there_are_loops() -> None:
    with create_context():
        module = ir.Module.parse(ON_TENSORS)
        pipeline = "builtin.module(wse-bufferize,func.func(convert-linalg-to-loops))"
        observer = EffectsObserver()
        run_pipeline(module, pipeline, instrumentation=Instrumentation(observers=[observer]))
        assert take_census(module.operation).traffic is None
    bufferize, loops = observer.effects
    assert (bufferize.name, loops.name) == ("wse-bufferize", "convert-linalg-to-loops")
    assert bufferize.before.traffic == 256 and bufferize.after == loops.before
    assert loops.changed and loops.after.computations == 0


def test_a_pipeline_that_runs_again_on_another_module_starts_anew() -> None:
    observer = EffectsObserver()
    with create_context():
        for text, name in ((ON_BUFFERS, "cse"), (ON_TENSORS, "canonicalize")):
            watch = Instrumentation(observers=[observer])
            run_pipeline(ir.Module.parse(text), f"builtin.module({name})", instrumentation=watch)
    assert [effect.name for effect in observer.effects] == ["canonicalize"]
    assert observer.peak == 0
