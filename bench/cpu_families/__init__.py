"""The families of models that the CPU's speed is measured on: written out here, with seeded random parameters."""

from __future__ import annotations

from collections.abc import Mapping

from .case import Case, Family
from .convnext import CONVNEXT
from .decoder import GPT_PREFILL, GPT_TOKEN, LLAMA_PREFILL, LLAMA_TOKEN
from .encoder import BERT, VIT
from .lenet import LENET
from .lstm import LSTM
from .mlp import MLP
from .mobilenet import MOBILENET
from .products import MATMUL, MATVEC
from .resnet import RESNET18
from .witnesses import WITNESSES

__all__ = ["FAMILIES", "WITNESSES", "Case", "Family"]

FAMILIES: Mapping[str, Family] = {
    "matmul": MATMUL,
    "matvec": MATVEC,
    "mlp": MLP,
    "lenet": LENET,
    "resnet18": RESNET18,
    "mobilenet": MOBILENET,
    "convnext": CONVNEXT,
    "bert": BERT,
    "gpt-prefill": GPT_PREFILL,
    "gpt-token": GPT_TOKEN,
    "llama-prefill": LLAMA_PREFILL,
    "llama-token": LLAMA_TOKEN,
    "vit": VIT,
    "lstm": LSTM,
}
