"""What changes a model's meaning changes its key, and what is not understood has none: a hit is never wrong."""

import enum
import functools
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize
from zoo import error

import wse_mlir
from wse_mlir.cache.fingerprint import Unknown
from wse_mlir.cache.models import model_key

X = torch.randn(3, 4)
HELPERS = "import torch\nFACTOR = 2.0\n\ndef scale(x, by=1.0):\n    return x * FACTOR + by\n"
MODEL = """
import math
import torch
from torch import nn
from torch.nn import functional as F
import {helpers} as helpers
from {helpers} import scale

OFFSET = 0.5

def outer(width):
    def inner(x):
        return x + width
    return inner

class Base(nn.Module):
    def finish(self, x):
        return x - 0.25

class Net(Base):
    power = 2
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(4)
        self.slope = 0.1
        self.table = {{"a": [1, 2]}}
        self.constant = torch.tensor([1.0, 2.0, 3.0, 4.0])
        self.big = torch.arange(64.0)
        self.added = outer(3.0)
        self.act = F.relu
        self.register_buffer("shift", torch.ones(4))
    @property
    def half(self):
        return 0.5
    def forward(self, x, flag=True):
        y = self.norm(self.linear(x)) * self.constant + self.shift + self.big[:4]
        y = F.leaky_relu(self.act(y), self.slope) ** self.power + OFFSET + self.half
        y = self.added(helpers.scale(y) + scale(y, by=math.pi))
        return self.finish(y) if flag else y * self.table["a"][1]
"""


def load_source(folder: Path, name: str, text: str) -> ModuleType:
    (folder / f"{name}.py").write_text(text)
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def net(folder: Path, model: str = MODEL, helpers: str = HELPERS) -> nn.Module:
    """The model from these sources, always in files of the same names, as after an edit; seeded, in eval mode."""
    load_source(folder, "near_miss_helpers", helpers)
    module = load_source(folder, "near_miss_model", model.format(helpers="near_miss_helpers"))
    torch.manual_seed(0)
    return module.Net().eval().requires_grad_(False)


def key(model: nn.Module, *args: object, **kwargs: object) -> str:
    return model_key(model, args or (X,), kwargs, None, [])


def test_an_equal_model_has_an_equal_key(tmp_path: Path) -> None:
    assert key(net(tmp_path)) == key(net(tmp_path))


SOURCE_EDITS = {
    "a method": ("x - 0.25", "x - 0.26"),
    "a global": ("OFFSET = 0.5", "OFFSET = 0.6"),
    "a class attribute": ("power = 2", "power = 3"),
    "a property": ("return 0.5", "return 0.7"),
    "a default argument": ("flag=True", "flag=False"),
    "a closure's value": ("outer(3.0)", "outer(4.0)"),
    "a nested function": ("return x + width", "return x - width"),
    "an attribute": ("self.slope = 0.1", "self.slope = 0.2"),
    "a value deep in an attribute": ("[1, 2]", "[1, 3]"),
    "a small constant tensor": ("3.0, 4.0]", "3.0, 5.0]"),
    "a large constant tensor": ("torch.arange(64.0)", "torch.arange(64.0) * 2"),
    "a function in an attribute": ("self.act = F.relu", "self.act = F.gelu"),
    "a function of a library": ("F.leaky_relu(self.act(y), self.slope)", "F.threshold(self.act(y), 0.1, 0.2)"),
    "a keyword": ("by=math.pi", "by=math.e"),
    "a base class": (
        "class Net(Base)",
        "class Other(Base):\n    def finish(self, x):\n        return x\n\nclass Net(Other)",
    ),
    "an argument of a layer": ("nn.BatchNorm1d(4)", "nn.BatchNorm1d(4, eps=0.1)"),
    "a layer": ("nn.Linear(4, 4)", "nn.Linear(4, 4, bias=False)"),
}  # fmt: skip
HELPER_EDITS = {
    "a function of another file": ("+ by", "- by"),
    "a global of another file": ("FACTOR = 2.0", "FACTOR = 2.5"),
    "a default of another file": ("by=1.0", "by=1.5"),
}


@pytest.mark.parametrize("what", [*SOURCE_EDITS, *HELPER_EDITS])
def test_an_edit_of_the_source_is_a_miss(what: str, tmp_path: Path) -> None:
    before = key(net(tmp_path))
    old, new = SOURCE_EDITS.get(what) or HELPER_EDITS[what]
    text = MODEL if what in SOURCE_EDITS else HELPERS
    assert text.count(old) >= 1
    changed = text.replace(old, new)
    edited = net(tmp_path, changed) if what in SOURCE_EDITS else net(tmp_path, MODEL, changed)
    assert key(edited) != before


def _set(path: str, value: object) -> Callable[[nn.Module], None]:
    def change(model: nn.Module) -> None:
        *parts, name = path.split(".")
        setattr(functools.reduce(getattr, parts, model), name, value)

    return change


def _module_of(model: nn.Module) -> ModuleType:
    return sys.modules[type(model).__module__]


OBJECT_CHANGES: dict[str, Callable[[nn.Module], object]] = {
    "training mode": lambda m: m.train(),
    "training mode of a layer": lambda m: m.norm.train(),
    "an attribute": _set("slope", 0.3),
    "an attribute of a layer": _set("norm.eps", 1.0),
    "an attribute's type": _set("power", 2.0),
    "a global": lambda m: setattr(_module_of(m), "OFFSET", 0.9),
    "a function of a module": lambda m: setattr(_module_of(m), "scale", lambda x, by=1.0: x),
    "a function in another module": lambda m: setattr(sys.modules["near_miss_helpers"], "scale", lambda x, by=1.0: x),
    "a method of the class": lambda m: setattr(type(m), "finish", lambda self, x: x),
    "a value in a container": lambda m: m.table["a"].append(5),
    "the value of a constant": lambda m: m.constant.add_(1),
    "the value of a large constant": lambda m: m.big.add_(1),
    "a dtype": lambda m: m.linear.to(torch.float64),
    "a size": _set("linear.weight", nn.Parameter(torch.zeros(5, 4), requires_grad=False)),
    "strides": lambda m: m.linear.weight.set_(m.linear.weight.t()),
    "gradients": lambda m: m.linear.requires_grad_(True),
    "a parameter that is gone": _set("linear.bias", None),
    "tied parameters": lambda m: _set("linear.bias", m.norm.bias)(m),
    "tied memory": lambda m: _set("linear.bias", nn.Parameter(m.norm.weight.data, requires_grad=False))(m),
    "a buffer that is none": lambda m: m.register_buffer("shift", None),
    "a layer of another class": _set("norm", nn.LayerNorm(4)),
    "a layer more": lambda m: m.add_module("more", nn.ReLU()),
    "a layer that is shared": lambda m: m.add_module("more", m.linear),
}  # fmt: skip


@pytest.mark.parametrize("what", OBJECT_CHANGES)
def test_a_change_of_the_object_is_a_miss(what: str, tmp_path: Path) -> None:
    model = net(tmp_path)
    before = key(model)
    OBJECT_CHANGES[what](model)
    assert key(model) != before


def test_values_of_parameters_and_buffers_do_not_matter(tmp_path: Path) -> None:
    model = net(tmp_path)
    before = key(model)
    model.linear.weight.mul_(2)
    model.shift.add_(1)
    model.load_state_dict({name: t + 1 for name, t in model.state_dict().items()})
    assert key(model) == before


@pytest.mark.parametrize(
    "args",
    [
        (torch.randn(4, 4),),
        (torch.randn(3, 4).double(),),
        (torch.randn(4, 3).t(),),
        (torch.randn(3, 4).requires_grad_(),),
        (X, True),
        (X, False),
        (X, 1),
        ([X],),
    ],
)
def test_other_arguments_are_a_miss(args: tuple, tmp_path: Path) -> None:
    model = net(tmp_path)
    keys = {key(model), key(model, *args)}
    assert len(keys) == 2 and key(model, x=X) not in keys


def test_dynamic_shapes_settings_and_surroundings_are_part_of_the_key(tmp_path: Path) -> None:
    model = net(tmp_path)
    size = torch.export.Dim("n", min=2)
    keys = [key(model), model_key(model, (X,), {}, None, ["cpu=x"])]
    other, automatic = torch.export.Dim("n", min=3), torch.export.Dim.AUTO
    for shapes in ({"x": {0: size}}, ({0: size},), ({1: size},), ({0: other},), ({0: automatic},)):
        keys.append(model_key(model, (X,), {}, shapes, []))
    with torch.no_grad():
        keys.append(key(model))
    torch.set_default_dtype(torch.float64)
    try:
        keys.append(key(model))
    finally:
        torch.set_default_dtype(torch.float32)
    assert len(set(keys)) == len(keys)


class Kind(enum.Enum):
    small = 1.5
    large = 2.5

    def factor(self) -> float:
        return self.value


@dataclass
class Config:
    kind: Kind = Kind.small
    width: int = 4


class Configured(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.config.kind.factor() + self.config.width


def test_objects_and_enums_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    small = key(Configured(Config()))
    assert small == key(Configured(Config()))
    keys = {small, key(Configured(Config(Kind.large))), key(Configured(Config(width=5)))}
    monkeypatch.setattr(Kind, "factor", lambda self: 3.0)
    assert len(keys | {key(Configured(Config()))}) == 4


class Forward(nn.Module):
    """Runs whatever it is given."""

    def __init__(self, function: Callable) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


class Doubled(torch.Tensor):
    pass


def _with_hook() -> nn.Module:
    model = nn.Linear(4, 4)
    model.register_forward_hook(lambda module, args, output: output + 1)
    return model


def _with_forward() -> nn.Module:
    model = nn.Linear(4, 4)
    model.forward = lambda x: x + 1  # type: ignore[method-assign]
    return model


def _with_subclass() -> nn.Module:
    model = nn.Module()
    model.register_buffer("b", torch.ones(2).as_subclass(Doubled))
    return model


class Slow:
    __slots__ = ("value",)

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.value


def _reads_a_file(x: torch.Tensor) -> torch.Tensor:
    with open("/etc/hostname") as file:
        return x + len(file.read())


def _imports(x: torch.Tensor) -> torch.Tensor:
    import random

    return x + random.random()


def _reaches_out(x: torch.Tensor) -> torch.Tensor:
    return x + _reads_a_file.__globals__["X"].shape[0]


def _assigns(x: torch.Tensor) -> torch.Tensor:
    global X
    X = X + 1
    return x


def _asks_for_names(x: torch.Tensor) -> torch.Tensor:
    return x + len(globals())


def _loads(x: torch.Tensor) -> torch.Tensor:
    return x + torch.load("weights.pt")


def _takes_by_name(x: torch.Tensor) -> torch.Tensor:
    return getattr(torch, "re" + "lu")(x)


@pytest.mark.parametrize(
    "model",
    [
        _with_hook(), _with_forward(), _with_subclass(), Forward(_reads_a_file), Forward(_imports),
        Forward(_reaches_out), Forward(_assigns), Forward(_asks_for_names), Forward(_loads), Forward(_takes_by_name),
        Forward(functools.lru_cache(lambda x: x)), Forward(iter([torch.relu]).__next__), Forward(X.add),
    ],
)  # fmt: skip
def test_what_is_not_understood_has_no_key(model: nn.Module) -> None:
    with pytest.raises(Unknown):
        key(model)


class Hidden(nn.Module):
    """Tensors that are constants of the code although they look like parameters."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where
        self.linear = nn.Linear(4, 4, bias=False)
        self.listed = [nn.Linear(4, 4, bias=False)]
        self.taken = self.linear.weight.detach()[:]
        self.own = [self.linear]
        self.call = _through(self.linear.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.where == "a module in a list":
            return self.listed[0](x)
        if self.where == "a global module":
            return GLOBAL_LAYER(x)
        if self.where == "a view of a parameter":
            return x @ self.taken
        if self.where == "a parameter in a closure":
            return self.call(x)
        return self.own[0](x)


def _through(weight: torch.Tensor) -> Callable:
    return lambda x: x @ weight


GLOBAL_LAYER = nn.Linear(4, 4, bias=False)
HIDDEN: dict[str, Callable[[Hidden], torch.Tensor]] = {
    "a module in a list": lambda m: m.listed[0].weight,
    "a global module": lambda m: GLOBAL_LAYER.weight,
    "a view of a parameter": lambda m: m.linear.weight,
    "a parameter in a closure": lambda m: m.linear.weight,
    "one of its own modules": lambda m: m.linear.weight,
}


@pytest.mark.parametrize("where", HIDDEN)
def test_values_that_are_constants_of_the_code(where: str, cache: Path) -> None:
    """Whatever is read or hit, the answer is that of the model as it is."""
    model = Hidden(where)
    for _ in range(2):
        for _ in range(2):
            try:
                compiled = wse_mlir.compile(model, (X,), cache=cache)
            except wse_mlir.CompilerError:
                continue  # PyTorch refuses some of these; it must do so every time
            assert error(compiled(X), model(X).detach()) < 1e-5
        with torch.no_grad():
            HIDDEN[where](model).add_(1.0)


class Reads(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.register_buffer("factor", torch.tensor(value))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor.item()


def test_a_buffer_that_is_read_as_a_number(cache: Path) -> None:
    for value in (2.0, 3.0):
        try:
            compiled = wse_mlir.compile(Reads(value), (X,), cache=cache)
        except wse_mlir.CompilerError:
            continue
        assert error(compiled(X), X * value) < 1e-5


def test_parametrisations_are_understood() -> None:
    keys = set()
    for function in (None, nn.Identity(), nn.Hardtanh(-1.0, 1.0), nn.Hardtanh(-2.0, 2.0)):
        model = nn.Linear(4, 4)
        if function is not None:
            parametrize.register_parametrization(model, "weight", function)
        keys.add(key(model))
    assert len(keys) == 4


class Nasty:
    @property
    def __dict__(self) -> dict:  # type: ignore[override]
        raise RuntimeError("look away")


def test_objects_that_cannot_be_looked_at_do_no_harm(cache: Path) -> None:
    model = Forward(torch.relu)
    model.nasty = Nasty()
    compiled = wse_mlir.compile(model, (X,), cache=cache)
    assert "look away" in compiled.report["cache"]["why"] and torch.equal(compiled(X), torch.relu(X))


def test_slots_are_understood() -> None:
    assert key(Forward(Slow(1.0))) == key(Forward(Slow(1.0))) != key(Forward(Slow(2.0)))


@pytest.mark.parametrize(
    ("owner", "name"),
    [(nn.Linear, "forward"), (nn.functional, "linear"), (torch.Tensor, "flatten"), (torch, "einsum")],
)
def test_a_patched_library_has_no_key(owner: object, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key(nn.Linear(4, 4))
    monkeypatch.setattr(owner, name, lambda *args: args[0])
    with pytest.raises(Unknown, match="replaced"):
        key(nn.Linear(4, 4))


def test_modes_and_hooks_of_all_modules_have_no_key() -> None:
    handle = nn.modules.module.register_module_forward_hook(lambda *args: None)
    try:
        with pytest.raises(Unknown, match="hooks"):
            key(nn.ReLU())
    finally:
        handle.remove()
    with torch.overrides.TorchFunctionMode(), pytest.raises(Unknown, match="mode"):
        key(nn.ReLU())


def test_right_answers_come_out_after_every_change(cache: Path, tmp_path: Path) -> None:
    """Compiled through one cache folder again and again; whatever hits, the answer is the model's own."""
    keys = []
    changes = ["an attribute", "a global", "the value of a large constant", "training mode of a layer"]
    for what in [None, None, *changes]:
        model = net(tmp_path)
        if what:
            OBJECT_CHANGES[what](model)
        compiled = wse_mlir.compile(model, (X,), cache=cache)
        keys.append(compiled.report["cache"].get("key"))
        assert error(compiled(X), model(X)) < 1e-5
    assert keys == [None, "model", None, None, "ir", None], (
        "large constants are arguments, so the code is the same"
    )
