// RUN: wse-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(cse,wse-check-stage{stage=bufferized})'
// RUN: not wse-opt %s --wse-check-stage=stage=finished 2>&1 | filecheck %s

// CHECK: there is no stage 'finished'
// CHECK: hint: the stages are: imported, tensor

// Memory only: the contract of the stage 'bufferized' holds.
func.func @buffers(%a: memref<4xf32>) {
  return
}

// -----

// A tensor is left; the message names the pass that should have dealt with it.
func.func @values(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'func.return' still handles a tensor (tensor<4xf32>), after pass 'cse'; 'wse-bufferize' is to see to that; from stage-check.mlir}}
  return %a : tensor<4xf32>
}

// -----

// A dialect that the stage does not know is named with the operation's place in the user's model.
func.func @foreign() {
  // expected-error @unknown {{'torch.constant.int' may not remain at the stage 'bufferized', after pass 'cse'; 'wse-bufferize' is to see to that; from encoder.linear1 (model.py:12, aten.linear)}}
  %0 = torch.constant.int 1 loc(#place)
  call @use(%0) : (!torch.int) -> ()
  return
}
func.func private @use(!torch.int)
#source = loc("/models/model.py":12:0)
#module = loc("encoder.linear1"(#source))
#place = loc(fused<"aten.linear">[#module])
