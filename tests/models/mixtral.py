"""Mixtral: A. Jiang et al., "Mixtral of experts": each token by its two best experts.

`MoE` computes every expert on every token and weighs; no size depends on the data.
"""

import torch
import torch.nn.functional as F
from torch import nn


def rotate_half(x):
    x1, x2 = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2:]
    return torch.cat((-x2, x1), dim=-1)


class MixtralAttention(nn.Module):
    def __init__(self, dim, heads, kv_heads, window):
        super().__init__()
        self.heads, self.kv_heads, self.window = heads, kv_heads, window
        self.head_dim = dim // heads
        self.q_proj = nn.Linear(dim, dim, bias=False)
        self.k_proj = nn.Linear(dim, kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(dim, kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(dim, dim, bias=False)
        inv_freq = 1.0 / (1e4 ** (torch.arange(0, self.head_dim, 2).float() / self.head_dim))
        self.register_buffer("inv_freq", inv_freq, persistent=False)

    def forward(self, x):
        b, s, _ = x.size()
        q = self.q_proj(x).view(b, s, self.heads, self.head_dim).transpose(1, 2)
        k = self.k_proj(x).view(b, s, self.kv_heads, self.head_dim).transpose(1, 2)
        v = self.v_proj(x).view(b, s, self.kv_heads, self.head_dim).transpose(1, 2)
        t = torch.arange(s, device=x.device, dtype=self.inv_freq.dtype)
        freqs = torch.einsum("i,j->ij", t, self.inv_freq)
        emb = torch.cat((freqs, freqs), dim=-1)
        cos, sin = emb.cos().to(x.dtype), emb.sin().to(x.dtype)
        q, k = q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin
        k = k.repeat_interleave(self.heads // self.kv_heads, dim=1)
        v = v.repeat_interleave(self.heads // self.kv_heads, dim=1)
        mask = torch.full((s, s), float("-inf"), dtype=x.dtype).triu(1)
        mask = mask + torch.full((s, s), float("-inf"), dtype=x.dtype).tril(-self.window)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.o_proj(y.transpose(1, 2).reshape(b, s, -1))


class MoE(nn.Module):
    def __init__(self, dim, hidden, num_experts=4, top_k=2):
        super().__init__()
        self.num_experts, self.top_k = num_experts, top_k
        self.gate = nn.Linear(dim, num_experts, bias=False)
        self.w1 = nn.Parameter(torch.randn(num_experts, dim, hidden) * dim ** -0.5)
        self.w2 = nn.Parameter(torch.randn(num_experts, hidden, dim) * hidden ** -0.5)
        self.w3 = nn.Parameter(torch.randn(num_experts, dim, hidden) * dim ** -0.5)

    def forward(self, x):
        b, s, d = x.shape
        flat = x.view(-1, d)
        router_logits = self.gate(flat)
        weights = F.softmax(router_logits, dim=1, dtype=torch.float)
        weights, selected = torch.topk(weights, self.top_k, dim=-1)
        weights = (weights / weights.sum(dim=-1, keepdim=True)).to(x.dtype)
        chosen = F.one_hot(selected, num_classes=self.num_experts).to(x.dtype)
        share = (chosen * weights.unsqueeze(-1)).sum(1)
        h = F.silu(torch.einsum("td,edh->eth", flat, self.w1)) * torch.einsum(
            "td,edh->eth", flat, self.w3)
        out = torch.einsum("eth,ehd,te->td", h, self.w2, share)
        return out.view(b, s, d), router_logits


class Mixtral(nn.Module):
    def __init__(self, vocab=31, dim=16, heads=4, kv_heads=2, layers=2, window=4):
        super().__init__()
        self.embed_tokens = nn.Embedding(vocab, dim)
        self.attention = nn.ModuleList([MixtralAttention(dim, heads, kv_heads, window)
                                        for _ in range(layers)])
        self.moe = nn.ModuleList([MoE(dim, 24) for _ in range(layers)])
        self.norms = nn.ModuleList([nn.RMSNorm(dim, eps=1e-6) for _ in range(2 * layers + 1)])
        self.lm_head = nn.Linear(dim, vocab, bias=False)

    def forward(self, input_ids):
        x, routed = self.embed_tokens(input_ids), []
        for i, (attention, moe) in enumerate(zip(self.attention, self.moe)):
            x = x + attention(self.norms[2 * i](x))
            y, logits = moe(self.norms[2 * i + 1](x))
            x = x + y
            routed.append(logits)
        return self.lm_head(self.norms[-1](x)), tuple(routed)


def build():
    return Mixtral()


def inputs(rng, batch, length):
    return (rng.integers(0, 31, (batch, length)),)
