"""The `wse` dialect outside lit: builders and readers, bytecode, documentation, plugins."""

import ast
import io
from pathlib import Path

import pytest

from wse_mlir.dialects import plugins, wse
from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ext, func, ir
from wse_mlir.dialects.wse import build, read
from wse_mlir.wse_target.image import StridedRect
from wse_mlir.wse_target.layout import Rect
from wse_mlir.wse_target.layout.mesh import Mesh
from wse_mlir.wse_target.layout.tensor_layout import TensorLayout

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "test" / "lit" / "dialects" / "wse"
EVERYWHERE = StridedRect((0, 0), (2, 2))


@pytest.fixture
def context():
    with create_context() as context, ir.Location.unknown():
        yield context


def constant(value: int) -> ir.AffineMap:
    return ir.AffineMap.get(0, 2, [ir.AffineExpr.get_constant(value)])


def build_program() -> ir.Module:
    """Doubles a 4 x 4 tensor on 2 x 2 PEs; what every PE op looks like when built."""
    f32, index = ir.F32Type.get(), ir.IndexType.get()
    tensor, tile = ir.RankedTensorType.get([4, 4], f32), ir.MemRefType.get([2, 2], f32)
    dim, symbol = ir.AffineExpr.get_dim, ir.AffineExpr.get_symbol
    access = ir.AffineMap.get(2, 2, [dim(0), dim(1)])
    origin = [ir.AffineMap.get(0, 2, [symbol(1) * 2]), ir.AffineMap.get(0, 2, [symbol(0) * 2])]
    bounds = [constant(2)] * 2
    module = ir.Module.create()
    with ir.InsertionPoint(module.body):
        build.program("p", "tiny", (2, 2), [("x", tensor)], [("0", tensor)], origin=(1, 1))
        build.buffer("b", tile, offset=64)
        build.colour("c", id=3)
        build.colour("d")
        build.route("c", EVERYWHERE, "ramp", ["east"], position=1)
        maps = build.TransferMaps(bounds, origin, access)
        build.host_scatter(0, "b", EVERYWHERE, maps, resident=True)
        build.host_gather(0, "b", EVERYWHERE, maps)
        build.pe_class("k", EVERYWHERE, "k_body")
        function = func.FuncOp("k_body", ([index, index], []))
        block = function.add_entry_block()
    with ir.InsertionPoint(block):
        symbols = list(block.arguments)
        build.phase("double")
        buffer = build.get_buffer("b", tile)
        build.vector("mul", buffer, [buffer, 2], bounds, [access, access], symbols, schedule="looped")
        build.vector("fill", buffer, [-1.5], bounds, [access], symbols)
        build.send("c", buffer, bounds, access, symbols, thread=1)
        build.receive("c", buffer, bounds, access, symbols, combine="add")
        build.relay("c", "d", bounds, symbols, own=(buffer, access), dst=(buffer, access), thread=2)
        build.relay("c", "d", bounds, symbols)
        build.join([1, 2])
        func.ReturnOp([])
    return module


def body_of(module: ir.Module) -> list:
    function = next(op for op in module.body.operations if op.operation.name == "func.func")
    return list(function.regions[0].blocks[0].operations)


def test_builders_make_what_the_verifiers_accept_and_readers_give_back(context):
    module = build_program()
    assert module.operation.verify()
    symbols = list(module.body.operations)
    program, buffer, colour, other, route, scatter, gather, pe_class = symbols[:8]
    assert (read.integers(program.grid), read.integers(program.origin)) == ((2, 2), (1, 1))
    assert read.types(program.inputs) == (ir.RankedTensorType.get([4, 4], ir.F32Type.get()),)
    assert (read.integer(buffer.offset), read.integer(colour.id), read.integer(other.id)) == (64, 3, -1)
    assert read.strided_rect(route.where) == EVERYWHERE
    assert (read.strings(route.send), read.integer(route.position)) == (("east",), 1)
    assert (read.integer(scatter.resident), read.integer(gather.resident)) == (1, 0)
    assert pe_class.body.value == "k_body"
    _, _, mul, fill, send, receive, relay, plain_relay, join, _ = body_of(module)
    assert read.scalars(mul.scalars) == (None, 2.0)
    assert (mul.sources[1], len(mul.buffers), len(mul.symbols)) == (None, 2, 2)
    assert (read.scalars(fill.scalars), fill.sources) == ((-1.5,), (None,))
    assert (read.integer(send.thread), receive.combine.value) == (1, "add")
    assert relay.own == relay.destination and relay.combine.value == "add"
    assert (plain_relay.own, plain_relay.destination, plain_relay.combine.value) == (None, None, "store")
    assert read.integers(join.threads) == (1, 2)


def test_a_comparisons_immediate_has_the_type_of_what_it_is_compared_with(context):
    floats, bits = (ir.MemRefType.get([4], t) for t in (ir.F32Type.get(), ir.IntegerType.get_signless(1)))
    module = ir.Module.create()
    with ir.InsertionPoint(module.body):
        function = func.FuncOp("f", ([bits, floats], []))
        with ir.InsertionPoint(function.add_entry_block()):
            identity, four = ir.AffineMap.get_identity(1), ir.AffineMap.get_constant(4)
            mask, values = function.arguments
            vector = build.vector("gt", mask, [values, 0], [four], [identity, identity], [])
            func.ReturnOp([])
    assert isinstance(vector.scalars[1], ir.FloatAttr) and module.operation.verify()


def test_layouts_survive_the_attribute(context):
    layout = TensorLayout.blocks((8, 5, 7), ("y", "", "x"), Mesh.of(Rect(1, 2, 3, 4)))
    assert read.layout(build.layout(layout), layout.shape) == layout
    assert build.layout(build.layout(layout)) == build.layout(layout)


def test_sram_is_a_memory_space(context):
    f32 = ir.F32Type.get()
    planned = ir.MemRefType.get([4], f32, memory_space=build.sram(128))
    assert str(planned) == "memref<4xf32, #wse.sram<128 : i64>>"
    assert ir.Type.parse(str(planned)) == planned
    assert read.sram_offset(planned) == 128
    assert read.sram_offset(ir.MemRefType.get([4], f32)) is None


@pytest.mark.parametrize("name", ["logical-ops.mlir", "program-ops.mlir", "effects.mlir"])
def test_text_and_bytecode_round_trip(context, name):
    module = ir.Module.parse((EXAMPLES / name).read_text())
    text = str(module)
    bytecode = io.BytesIO()
    module.operation.write_bytecode(bytecode)
    assert str(ir.Module.parse(text)) == text
    assert str(ir.Module.parse(bytecode.getvalue())) == text


def test_loading_twice_and_into_many_contexts():
    for _ in range(3):
        context = create_context()
        wse.load(context)
        assert context.is_dialect_loaded("wse")


def test_every_operation_is_exercised_by_a_round_trip():
    text = "".join((EXAMPLES / name).read_text() for name in ("logical-ops.mlir", "program-ops.mlir"))
    missing = [op.OPERATION_NAME for op in wse.Wse.operations if f'"{op.OPERATION_NAME}"' not in text]
    assert not missing


def test_every_operation_has_an_expected_error_test():
    text = "".join(path.read_text() for path in EXAMPLES.glob("invalid-*.mlir"))
    missing = [op.OPERATION_NAME for op in wse.Wse.operations if f'"{op.OPERATION_NAME}"' not in text]
    assert not missing


def test_the_reference_lists_every_operation_with_its_attributes():
    rows = [row for row in (ROOT / "docs" / "wse-dialect.md").read_text().splitlines() if row.startswith("|")]
    for op in wse.Wse.operations:
        described = [row for row in rows if f"`{op.OPERATION_NAME}`" in row]
        assert len(described) == 1, op.OPERATION_NAME
        missing = [name for name in op.attribute_kinds() if name not in described[0]]
        assert not missing, f"{op.OPERATION_NAME}: {missing}"


def test_no_operation_has_a_region():
    assert all(op._ODS_REGIONS == (0, True) for op in wse.Wse.operations)


def test_dialect_files_do_not_postpone_annotations():
    """With postponed annotations classes are made, but the dialect does not load."""
    for path in sorted((ROOT / "dialects" / "wse").glob("*.py")):
        imports = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)]
        assert all(node.module != "__future__" for node in imports), path


def test_a_program_without_its_body_is_refused(context):
    module = build_program()
    next(op for op in module.body.operations if op.operation.name == "func.func").operation.erase()
    with pytest.raises(ir.MLIRError) as error:
        module.operation.verify()
    assert "names body '@k_body', which is no function" in error.value.error_diagnostics[0].message


class TestPluginDialects:
    """Dialects from outside reach every new context."""

    @pytest.fixture(autouse=True)
    def forget(self, monkeypatch):
        monkeypatch.setattr(plugins, "_registered", [])

    def test_class_function_and_object(self):
        class Fabric(ext.Dialect, name="test_fabric"):
            """A dialect of a plugin."""

        class Loader:
            loaded = 0

            def load(self, context):
                Loader.loaded += 1

        seen = []
        loader = Loader()
        for dialect in (Fabric, loader, seen.append, loader):
            plugins.register_dialect(dialect)
        context = create_context()
        assert context.is_dialect_loaded("test_fabric")
        assert Loader.loaded == 1 and len(seen) == 1

    def test_neither(self):
        with pytest.raises(plugins.PluginError, match="3 is no dialect: expected a class"):
            plugins.register_dialect(3)

    def test_one_that_fails_is_named(self):
        def broken(context):
            raise ValueError("out of wafers")

        plugins.register_dialect(broken)
        with pytest.raises(plugins.PluginError, match="dialect 'broken' cannot be loaded: out of wafers"):
            create_context()

    def test_an_entry_point_that_fails_is_named_with_its_package(self, monkeypatch):
        from importlib.metadata import EntryPoint

        point = EntryPoint("spiral", "no_such_module_for_wse:load", plugins.GROUP)
        monkeypatch.setattr(plugins, "_installed", lambda: (point,))
        with pytest.raises(plugins.PluginError, match=r"dialect 'spiral' \(no_such_module_for_wse:load\)"):
            create_context()
