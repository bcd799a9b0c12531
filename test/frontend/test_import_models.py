"""Models become linalg on tensors with parameters and state as arguments."""

import pytest
import torch
import zoo
from torch import nn

from wse_mlir.frontend.imported import import_model
from wse_mlir.frontend.lowering import IMPORTED_DIALECTS, IMPORTED_OPERATIONS


def operation_names(imported) -> set[str]:
    names: set[str] = set()
    with imported.context:
        for function in imported.module.body.operations:
            for op in walk(function.operation):
                names.add(op.name)
    return names


def walk(op):
    yield op
    for region in op.regions:
        for block in region.blocks:
            for inner in block.operations:
                yield from walk(inner.operation)


@pytest.mark.parametrize("name", sorted(zoo.FAMILIES))
def test_a_family_reaches_stage_imported(name: str) -> None:
    family = zoo.family(name)
    imported = import_model(family.model, family.args)
    imported.module.operation.verify()
    foreign = {n for n in operation_names(imported) if n.partition(".")[0] not in IMPORTED_DIALECTS}
    assert foreign <= IMPORTED_OPERATIONS
    assert "f64" not in str(imported.module), "nothing in these models is computed in f64"
    main = imported.module.body.operations[0]
    assert len(main.type.inputs) == len(imported.arguments)
    assert len(main.type.results) == len(imported.results)


def test_arguments_are_inputs_then_parameters_then_state_and_say_so_in_the_ir() -> None:
    family = zoo.family("decode")
    imported = import_model(family.model, family.args)
    kinds = [a.kind for a in imported.arguments]
    assert kinds == sorted(kinds, key=["input", "parameter", "state"].index)
    assert [a.name for a in imported.arguments if a.kind == "input"] == ["0", "1"]
    assert [a.name for a in imported.arguments if a.kind == "state"] == ["keys", "values"]
    assert [(r.kind, r.name) for r in imported.results] == [
        ("output", "0"),
        ("state", "keys"),
        ("state", "values"),
    ]
    text = str(imported.module)
    for argument in imported.arguments:
        assert f'wse.kind = "{argument.kind}", wse.name = "{argument.name}"' in text


def test_parameters_and_state_share_the_models_storage() -> None:
    family = zoo.family("decode")
    tensors = {**dict(family.model.named_parameters()), **dict(family.model.named_buffers())}
    for argument in import_model(family.model, family.args).arguments:
        if argument.kind != "input":
            assert argument.tensor is not None
            assert argument.tensor.data_ptr() == tensors[argument.name].data_ptr()


def test_no_weight_is_in_the_ir() -> None:
    model = nn.Sequential(nn.Linear(8, 8, bias=False)).eval()  # 64 elements: the limit
    text = str(import_model(model, (torch.zeros(1, 8),)).module)
    assert "dense_resource" not in text and "dense<" not in text


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embedding.weight
        self.unused = nn.Linear(4, 4)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.embedding(tokens))


def test_tied_weights_are_one_argument_and_unused_ones_none() -> None:
    imported = import_model(Tied().eval(), (torch.tensor([1, 2]),))
    parameters = [a.name for a in imported.arguments if a.kind == "parameter"]
    assert parameters in (["embedding.weight"], ["head.weight"])


def test_a_gather_is_clamped_and_asserted_once() -> None:
    text = str(import_model(Tied().eval(), (torch.tensor([1, 2]),)).module)
    assert text.count("cf.assert") == 1 and "arith.minsi" in text


class Constants(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.tensor([1.0, 2.0, 3.0, 4.0]) + torch.arange(100.0).reshape(25, 4)


def test_small_constants_are_in_the_ir_and_large_ones_are_not() -> None:
    model = Constants().eval()
    text = str(import_model(model, (torch.zeros(25, 4),)).module)
    assert "dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]>" in text
    assert "dense_resource" not in text


class Structured(nn.Module):
    def forward(self, pair, *, scale: float, extra=None):
        first, second = pair
        return {"sum": first + second * scale, "none": None, "list": [first, 3]}


def test_the_structure_of_calls_is_kept() -> None:
    a, b = torch.ones(2), torch.zeros(2)
    imported = import_model(Structured(), ((a, b),), {"scale": 2.0})
    flat = imported.interface.flatten_inputs(((a, b),), {"scale": 2.0})
    assert flat[0] is a and flat[1] is b
    returned = imported.interface.unflatten_outputs([a, b])
    assert returned == {"sum": a, "none": None, "list": [b, 3]}


class Counter(nn.Module):
    """Mutates a buffer that nothing else reads, one in place of a slice, and an argument."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("window", torch.zeros(4, 3))
        self.register_buffer("fixed", torch.ones(3))

    def forward(self, x: torch.Tensor, log: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.window[1:3] = x
        log.copy_(x)
        return self.window.sum(0) * self.fixed


def test_every_kind_of_mutation_is_a_state_result() -> None:
    imported = import_model(Counter(), (torch.ones(2, 3), torch.zeros(2, 3)))
    assert {a.name: a.kind for a in imported.arguments} == {
        "0": "input",
        "1": "input",
        "fixed": "parameter",
        "calls": "state",
        "window": "state",
    }
    # A mutated input's next value has the input's name.
    assert {r.name for r in imported.results if r.kind == "state"} == {"calls", "window", "1"}
    assert not imported.context.is_registered_operation("no.such_op")


class DecoderLayer(nn.Module):
    """A decoder layer of LLaMA's shape, with a key/value cache."""

    def __init__(self, width: int, heads: int, inner: int, length: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.gate, self.up = (nn.Linear(width, inner, bias=False) for _ in range(2))
        self.down = nn.Linear(inner, width, bias=False)
        self.register_buffer("keys", torch.zeros(1, heads, length, width // heads))
        self.register_buffer("values", torch.zeros(1, heads, length, width // heads))

    def forward(self, x: torch.Tensor, position: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        h = self.norm1(x)
        q, k, v = (f(h).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
        self.keys[:, :, position] = k
        self.values[:, :, position] = v
        attended = nn.functional.scaled_dot_product_attention(q, self.keys, self.values, mask)
        x = x + self.o(attended.transpose(1, 2).flatten(2))
        h = self.norm2(x)
        return x + self.down(nn.functional.silu(self.gate(h)) * self.up(h))


def test_a_decoder_layer_on_the_meta_device_needs_no_data() -> None:
    with torch.device("meta"):
        model = DecoderLayer(4096, 32, 11008, 2048).to(torch.bfloat16).eval()
        args = (
            torch.empty(1, 1, 4096, dtype=torch.bfloat16),
            torch.empty(1, dtype=torch.int64),
            torch.empty(1, 1, 1, 2048, dtype=torch.bool),
        )
    imported = import_model(model, args)
    assert all(a.tensor is None for a in imported.arguments)
    shapes = {a.name: a.shape for a in imported.arguments}
    assert shapes["down.weight"] == (4096, 11008) and shapes["keys"] == (1, 32, 2048, 128)
    assert "tensor<4096x11008xbf16>" in str(imported.module)


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(inner)) + self.shortcut(x))


def resnet18() -> nn.Module:
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    widths = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1)]
    widths += [(128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)]
    return nn.Sequential(*stem, *(BasicBlock(*w) for w in widths), *head).eval()


def test_resnet18_is_imported_without_reading_a_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    model, image = resnet18(), torch.zeros(1, 3, 224, 224)

    def forbid(name: str) -> None:
        original = getattr(torch.Tensor, name)

        def checked(tensor: torch.Tensor, *args: object, **kwargs: object) -> object:
            is_real = type(tensor) in (torch.Tensor, nn.Parameter)
            assert not (is_real and tensor.numel() >= 64), f".{name}() of {list(tensor.shape)}"
            return original(tensor, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, checked)

    for name in ("tolist", "numpy", "item"):
        forbid(name)
    imported = import_model(model, (image,))
    assert sum(a.kind == "parameter" for a in imported.arguments) == 102
    assert str(imported.module).count("linalg.conv_2d") == 20


@pytest.mark.parametrize("name", ["encoder", "decode"])
def test_two_imports_give_the_same_text(name: str) -> None:
    texts = set()
    for _ in range(2):
        family = zoo.family(name)
        module = import_model(family.model, family.args).module
        texts.add(module.operation.get_asm(enable_debug_info=True))
    assert len(texts) == 1


def test_a_bfloat16_model() -> None:
    class Small(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.softmax(x * torch.tensor([0.5, 1.5], dtype=torch.bfloat16), -1)

    imported = import_model(Small(), (torch.zeros(3, 2, dtype=torch.bfloat16),))
    assert imported.arguments[0].dtype == torch.bfloat16
    assert "dense<[5.000000e-01, 1.500000e+00]> : tensor<2xbf16>" in str(imported.module)


def test_dynamic_shapes_are_open_dimensions() -> None:
    model = nn.Linear(4, 2).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    imported = import_model(model, (torch.zeros(3, 4),), dynamic_shapes={"input": {0: batch}})
    assert imported.arguments[0].shape == (-1, 4)
    assert len(imported.interface.flatten_inputs((torch.zeros(7, 4),))) == 1
