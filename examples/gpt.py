"""A small GPT that writes text, a character a call, with its keys and values resident on the wafer.

    python examples/gpt.py                      # trains for seconds, then writes in PyTorch and on the wafer
    python examples/gpt.py --prompt "fri"       # any text of small letters and spaces

Each call takes the last character and its position and returns the next one. Keys and values of all characters before
are state: every call writes its own into the PEs' memories, where the next call finds them. They come to the host only
when somebody reads `compiled.state`.
"""

import argparse
from collections.abc import Callable

import torch
from torch import nn

import wse_mlir

CHARACTERS = " abcdefghijklmnopqrstuvwxyz"
DAYS = "monday tuesday wednesday thursday friday saturday sunday "
WIDTH, HEADS, LENGTH = 32, 4, 48


class Attention(nn.Module):
    """Causal attention of whole texts, or of one character over those before it, whose keys and values it keeps."""

    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.project, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.register_buffer("keys", torch.zeros(1, HEADS, LENGTH, WIDTH // HEADS))
        self.register_buffer("values", torch.zeros(1, HEADS, LENGTH, WIDTH // HEADS))

    def forward(self, x: torch.Tensor, position: torch.Tensor | None) -> torch.Tensor:
        q, k, v = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in self.project(x).chunk(3, -1))
        visible = None
        if position is not None:
            k, v = self.keys.index_copy_(2, position, k), self.values.index_copy_(2, position, v)
            visible = (torch.arange(LENGTH) <= position).view(1, 1, 1, -1)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, visible, is_causal=visible is None)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """Attention and a hidden layer, each behind a layer norm and beside a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.hidden = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: torch.Tensor, position: torch.Tensor | None) -> torch.Tensor:
        x = x + self.attention(self.norm1(x), position)
        return x + self.hidden(self.norm2(x))


class Gpt(nn.Module):
    """From characters (N, T) to log-odds of the next ones (N, T, characters); with a position, of one character."""

    def __init__(self, layers: int = 1) -> None:
        super().__init__()
        self.character, self.place = nn.Embedding(len(CHARACTERS), WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, len(CHARACTERS))

    def forward(self, text: torch.Tensor, position: torch.Tensor | None = None) -> torch.Tensor:
        x = self.character(text) + self.place(torch.arange(text.shape[1]) if position is None else position)
        for layer in self.layers:
            x = layer(x, position)
        return self.head(self.norm(x))


class NextCharacter(nn.Module):
    """What runs on the wafer: the likeliest character behind the one at `position`; both are (1,) integers."""

    def __init__(self, gpt: Gpt) -> None:
        super().__init__()
        self.gpt = gpt

    def forward(self, character: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        return self.gpt(character.unsqueeze(0), position)[0].argmax(-1)


def encode(text: str) -> torch.Tensor:
    """The numbers of a text's characters."""
    return torch.tensor([CHARACTERS.index(c) for c in text])


def trained(steps: int = 150) -> Gpt:
    """A network that has seen so many batches of pieces of a text: the days of the week, again and again."""
    torch.manual_seed(4)
    gpt = Gpt()
    optimizer = torch.optim.Adam(gpt.parameters(), lr=5e-3)
    days = encode(DAYS * 3)
    for _ in range(steps):
        begins = torch.randint(0, 2 * len(DAYS), (16,)).tolist()
        pieces = torch.stack([days[begin : begin + LENGTH] for begin in begins])
        odds = gpt(pieces[:, :-1])
        optimizer.zero_grad()
        nn.functional.cross_entropy(odds.flatten(0, 1), pieces[:, 1:].flatten()).backward()
        optimizer.step()
    return gpt.eval().requires_grad_(False)


def write(model: Callable[..., torch.Tensor], prompt: str, length: int) -> str:
    """The prompt, and as many characters behind it as `length` asks for, each the likeliest."""
    text = prompt
    for place in range(len(prompt) + length - 1):
        found = model(encode(text[place]).view(1), torch.tensor([place]))
        if place == len(text) - 1:
            text += CHARACTERS[int(found)]
    return text


def main() -> None:
    """Writes the same text in PyTorch and on the wafer."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--prompt", default="monday t", help="the text's beginning")
    parser.add_argument("--length", type=int, default=24, help="how many characters to write")
    parser.add_argument("--grid", default="4x4", help="PEs, as WIDTHxHEIGHT")
    options = parser.parse_args()

    step = NextCharacter(trained())
    example = torch.tensor([0]), torch.tensor([0])
    on_wafer = wse_mlir.compile(step, example, target="tiny", grid=options.grid)
    for name, model in (("PyTorch", step), ("wafer", on_wafer)):
        print(f"{name:8} {write(model, options.prompt, options.length)}")
    cycles = on_wafer.report["cycles"]
    print(f"{cycles['device']:.0f} cycles a character, and {cycles['host_io']:.0f} from and to the host")
    cached = {name: tuple(tensor.shape) for name, tensor in on_wafer.state.items()}
    print(f"keys and values on the wafer: {cached}")


if __name__ == "__main__":
    main()
