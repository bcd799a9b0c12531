"""The operators that transformer layers are where no gradients are needed, in plain operators.

`nn.TransformerEncoderLayer` and `nn.MultiheadAttention` call them in evaluation mode; PyTorch has kernels for them
and no decomposition.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


def multi_head_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    embed_dim: int,
    num_heads: int,
    qkv_weight: torch.Tensor,
    qkv_bias: torch.Tensor,
    proj_weight: torch.Tensor,
    proj_bias: torch.Tensor,
    mask: torch.Tensor | None = None,
    need_weights: bool = True,
    average_attn_weights: bool = True,
    mask_type: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """`aten._native_multi_head_attention`: batch first, the three projections stacked in one weight.

    Args:
        mask: true or -inf where a key is not looked at; [queries, keys] if `mask_type` is 0, [batch, keys] if it is
            1, [batch, heads, queries, keys] if it is 2.
    """
    weights, biases = qkv_weight.chunk(3), qkv_bias.chunk(3)
    pairs = zip((query, key, value), weights, biases, strict=True)
    q, k, v = (F.linear(x, w, b).unflatten(-1, (num_heads, -1)).transpose(1, 2) for x, w, b in pairs)
    scores = (q * (embed_dim // num_heads) ** -0.5) @ k.transpose(-2, -1)
    if mask is not None:
        hidden = mask.bool()
        hidden = hidden[:, None, None, :] if mask_type == 1 else hidden
        scores = scores.masked_fill(hidden, float("-inf"))
    looked = torch.softmax(scores, -1)
    mixed = (looked @ v).transpose(1, 2).flatten(-2)
    output = F.linear(mixed, proj_weight, proj_bias)
    if not need_weights:
        return output, None
    return output, looked.mean(1) if average_attn_weights else looked


def transformer_encoder_layer(
    src: torch.Tensor,
    embed_dim: int,
    num_heads: int,
    qkv_weight: torch.Tensor,
    qkv_bias: torch.Tensor,
    proj_weight: torch.Tensor,
    proj_bias: torch.Tensor,
    use_gelu: bool,
    norm_first: bool,
    eps: float,
    norm_weight_1: torch.Tensor,
    norm_bias_1: torch.Tensor,
    norm_weight_2: torch.Tensor,
    norm_bias_2: torch.Tensor,
    ffn_weight_1: torch.Tensor,
    ffn_bias_1: torch.Tensor,
    ffn_weight_2: torch.Tensor,
    ffn_bias_2: torch.Tensor,
    mask: torch.Tensor | None = None,
    mask_type: int | None = None,
) -> torch.Tensor:
    """`aten._transformer_encoder_layer_fwd`; see `multi_head_attention` for the mask."""

    def attend(x: torch.Tensor) -> torch.Tensor:
        projections = (qkv_weight, qkv_bias, proj_weight, proj_bias)
        return multi_head_attention(
            x, x, x, embed_dim, num_heads, *projections, mask, need_weights=False, mask_type=mask_type
        )[0]

    def feed(x: torch.Tensor) -> torch.Tensor:
        inner = F.linear(x, ffn_weight_1, ffn_bias_1)
        return F.linear(F.gelu(inner) if use_gelu else F.relu(inner), ffn_weight_2, ffn_bias_2)

    def norm_1(x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, (embed_dim,), norm_weight_1, norm_bias_1, eps)

    def norm_2(x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, (embed_dim,), norm_weight_2, norm_bias_2, eps)

    if norm_first:
        attended = src + attend(norm_1(src))
        return attended + feed(norm_2(attended))
    attended = norm_1(src + attend(src))
    return norm_2(attended + feed(attended))
