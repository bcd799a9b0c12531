"""The listing of an executable program that people read."""

from pathlib import Path

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.dialects.wse.affine_text import index_names, render, render_bound
from wse_mlir.dialects.wse.printer import print_program, where_text
from wse_mlir.wse_target.image import StridedRect

EXAMPLE = Path(__file__).resolve().parents[1] / "lit" / "dialects" / "wse" / "program-ops.mlir"

LISTING = """\
program @sum on tiny, 4 x 1 PEs at (2, 3)
  in  0 x: tensor<16xf32>
  in  1 w: tensor<f32>
  in  2 n: tensor<i64>
  out 0 0: tensor<4xf32>
  buffers
         ? +4      @mask  memref<4xi1>
         ? +8      @ids  memref<2xi32>
         ? +16     @rows  memref<2x2xf32>
         0 +16     @part  memref<4xf32>
        16 +4      @scale  memref<f32, #wse.sram<16 : i64>>
  colours
    @odd  id 5  queues 1 in, 2 out  starts unrouted
      ramp -> east  on (1, 0)
      west -> ramp+east  on (1..2, 0), position 1
    @even
      ramp -> east  on (0..2:2, 0)
      west -> ramp  on (1..3:2, 0)
  tables
    @partner = 3, 2, 1, 0
  scalars
    @length = in 2, 0 to 3
  host
    in  0 -> part[i] on (0..3, 0): [min(4, 16 - x * 4)] from [x * 4]
    in  1 -> scale[] on (0..3, 0): [] from [], resident
    out 0 <- part[i] on (3, 0): [4] from [partner[x]]
  class @first on (0, 0): @first_body
    phase scale
    mul part[i] = part[i], scale[]  for i < min(4, 16 - x * 4)
    gt mask[i] = part[i], 0.0  for i < 4
    select part[i] = mask[i], part[i], 0.0  for i < 4
    send even <- part[i]  for i < 4  on thread 1
    join 1
    control task x 2
    switch odd to position partner[x] mod 2  by rewrite
  class @middle on (1..2, 0): @middle_body
    for t1 = 0 .. length
      relay even add part[i + t1] -> odd and part[i + t1]  for i < min(1, t1 + 1)
    relay even -> odd  for i < 0  on thread 2
  class @last on (3, 0): @last_body
    receive odd -> add part[i]  for i < 4
    add part[0] = part[0], part[i + 1]  for i < 3
    copy rows[i, j] = part[j + 2 * (ids[i] - (x * 2) < 2 ?)]  for i < 2, j < 2
    add part[j + 2 * (ids[i] - (x * 2) < 2 ?)] = part[j + 2 * (ids[i] - (x * 2) < 2 ?)], rows[i, j]  for i < 2, j < 2
"""


def test_listing_of_the_example():
    with create_context():
        assert print_program(ir.Module.parse(EXAMPLE.read_text())) == LISTING


def test_a_phase_names_the_layer_it_comes_from():
    text = """
    "wse.program"() {sym_name = "p", machine = "tiny", grid = [1, 1], origin = [0, 0], inputs = [],
      input_names = [], outputs = [], output_names = []} : () -> ()
    "wse.pe_class"() {sym_name = "k", where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, body = @f} : () -> ()
    func.func @f(%x: index, %y: index) {
      "wse.phase"() {label = "fc1"} : () -> () loc(fused<"aten.linear">["net.fc1"("/tmp/model.py":12:0)])
      return
    }
    """
    with create_context():
        assert "phase fc1, from net.fc1 (model.py:12, aten.linear)" in print_program(ir.Module.parse(text))


def test_nothing_to_print_without_a_program():
    with create_context():
        assert print_program(ir.Module.parse("func.func private @f()")) == ""


def test_index_arithmetic_is_shown_where_a_loop_uses_it():
    text = """
    "wse.program"() {sym_name = "p", machine = "tiny", grid = [1, 1], origin = [0, 0], inputs = [],
      input_names = [], outputs = [], output_names = []} : () -> ()
    "wse.pe_class"() {sym_name = "k", where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, body = @f} : () -> ()
    func.func @f(%x: index, %y: index) {
      %zero = arith.constant 0 : index
      %two = arith.constant 2 : index
      %trips = affine.min affine_map<(d0)[s0] -> (8, d0 * 2 - s0)>(%x)[%y]
      %next = affine.apply affine_map<(d0) -> (d0 + 1)>(%y)
      scf.for %i = %next to %trips step %two {
        "wse.join"() {threads = [1, 2], tasks = 0} : () -> ()
      }
      return
    }
    """
    with create_context():
        listing = print_program(ir.Module.parse(text))
    assert "    for t1 = y + 1 .. min(8, x * 2 - y) by 2\n      join 1, 2\n" in listing


def test_what_pes_choose_is_shown_by_case():
    text = """
    "wse.program"() {sym_name = "p", machine = "tiny", grid = [1, 1], origin = [0, 0], inputs = [],
      input_names = [], outputs = [], output_names = []} : () -> ()
    "wse.pe_class"() {sym_name = "k", where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, body = @f} : () -> ()
    func.func @f(%x: index, %y: index) {
      scf.index_switch %x
      case 0 { "wse.join"() {threads = [1], tasks = 0} : () -> ()
        scf.yield }
      case 1 { "wse.join"() {threads = [2], tasks = 0} : () -> ()
        scf.yield }
      default {}
      return
    }
    """
    with create_context():
        listing = print_program(ir.Module.parse(text))
    assert "    choose x\n    0:\n      join 1\n    1:\n      join 2\n" in listing


def test_rectangles():
    assert where_text(StridedRect((3, 0), (1, 1))) == "(3, 0)"
    assert where_text(StridedRect((1, 2), (3, 2), (2, 1))) == "(1..5:2, 2..3)"


def test_affine_maps_over_names():
    with create_context():
        amap = ir.AffineMapAttr.parse(
            "affine_map<(d0, d1)[s0] -> (d0 * 8 + (s0 mod 4) * 2, (d1 + s0) * 3, s0 ceildiv 2 - 1)>"
        ).value
        assert render(amap, ["i", "j"], ["x + 1"]) == (
            "i * 8 + ((x + 1) mod 4) * 2, (j + x + 1) * 3, (x + 1) ceildiv 2 - 1"
        )
        assert render_bound(ir.AffineMapAttr.parse("affine_map<()[s0] -> (s0)>").value, ["min(4, x)"]) == (
            "min(4, x)"
        )
        assert index_names(8)[-2:] == ["i6", "i7"]
